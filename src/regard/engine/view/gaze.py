"""Recorded gaze for the page: its measurements a stretch of time at a time, its rows of the timeline, its events."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from regard.engine.events import NoEventsError, eye_movements
from regard.engine.view.lanes import Band, Lane, band, colours, line
from regard.errors import TableError
from regard.io.tables import Column, read_columns
from regard.ops.events.table import KINDS
from regard.ops.states import runs
from regard.types import BLINK, GazeState, GazeTrack, Recording
from regard.viz.draw import STATE_COLOURS
from regard.viz.timeline import Y_COLOUR, hex_of

EXACT_S = 1e-6
"""To which tables of events are written."""
CHUNK_S = 10.0
"""How much is sent at a time: at 200 Hz 50 kB."""
BLINK_COLOUR = "#999999"
OF_RECORDING = "recorded"
NUMBERS = ("duration_s", "amplitude_deg", "peak_deg_s")
"""Of an event, besides its times."""
KIND_NUMBERS = {kind.name.lower(): int(kind) for kind in KINDS} | {BLINK: len(GazeState)}


def chunk_of(track: GazeTrack, number: int) -> dict[str, np.ndarray]:
    """The measurements of the stretch of CHUNK_S that begins at `number` times CHUNK_S: time_s, x, y, state."""
    first, end = np.searchsorted(track.time_s, [number * CHUNK_S, (number + 1) * CHUNK_S])
    x, y = track.point[first:end].T.astype(np.float32)
    return {"time_s": track.time_s[first:end], "x": x, "y": y, "state": track.state[first:end].astype(np.uint8)}


def read_events(path: Path) -> pd.DataFrame:
    """What `regard events` wrote. Raises FileError and TableError where it is none."""
    columns = [Column("kind", "text"), Column("start_s"), Column("end_s"), *(Column(n, empty=True) for n in NUMBERS)]
    table = read_columns(path, columns, do="write it again with `regard events`")
    if unknown := sorted(set(table["kind"]) - set(KIND_NUMBERS)):
        raise TableError(
            path,
            found=f"events called {', '.join(unknown)}",
            wanted=", ".join(KIND_NUMBERS),
            do="write it again with `regard events`",
        )
    return table.sort_values("start_s", kind="stable", ignore_index=True)


def told(recording: Recording, events: pd.DataFrame | None) -> tuple[Recording, pd.DataFrame | None, str]:
    """The recording with the states of its gaze, its events, and how these were told.

    `events` as they were told before; without them the recording's own states, or where it has none, as gaze alone
    tells them: to look at the video for the head's turns takes longer than anybody waits for a page.
    """
    gaze = recording.gaze
    if gaze is None:
        return recording, None, ""
    if events is not None:
        return replace(recording, gaze=_labelled(gaze, events)), events, "as regard events told them"
    own = bool(np.isin(gaze.state, KINDS).any())
    try:
        found = eye_movements(recording, look=False, recorded=own)
    except NoEventsError as why:
        return recording, None, f"none are told: {why.found}"
    if own:
        return found.recording, found.table, "as in the recording's own files"
    hint = "told without a look at the video, so pursuit counts as fixation: `regard events` takes out the head's turns"
    return found.recording, found.table, hint


def _labelled(gaze: GazeTrack, events: pd.DataFrame) -> GazeTrack:
    """Its valid measurements with the states of the events that they lie in."""
    sent = events_message(events)
    is_movement = sent["kind"] != KIND_NUMBERS[BLINK]
    start_s, end_s, kind = (sent[name][is_movement] for name in ("start_s", "end_s", "kind"))
    state = np.where(gaze.valid, GazeState.TRACKED, GazeState.LOST).astype(np.int8)
    if len(kind):
        at = np.searchsorted(start_s, gaze.time_s + EXACT_S, side="right") - 1
        within = gaze.valid & (at >= 0) & (gaze.time_s < end_s[at] - EXACT_S)
        state[within] = kind[at[within]]
    return replace(gaze, state=state)


def events_message(events: pd.DataFrame) -> dict[str, np.ndarray]:
    """All events: start_s, end_s, kind (a GazeState, or one more: a blink) and NUMBERS, NaN where not known."""
    numbers = {name: events[name].to_numpy(np.float32) for name in NUMBERS}
    kinds = np.array([KIND_NUMBERS[kind] for kind in events["kind"]], np.uint8)
    times = {name: events[name].to_numpy(np.float64) for name in ("start_s", "end_s")}
    return {**times, "kind": kinds, **numbers}


def lanes_of(recording: Recording, events: pd.DataFrame | None, *, end_s: float) -> list[Lane]:
    """Gaze with its states, blinks, and labelled stretches, as far as the recording has them."""
    lanes = []
    if (gaze := recording.gaze) is not None and len(gaze):
        lines = [line(name, colour, gaze.time_s, gaze.point[:, k]) for k, (name, colour) in enumerate(
            [("x", "accent"), ("y", Y_COLOUR)])]  # fmt: skip
        states = band("state", colours(STATE_COLOURS), [(s, e, int(k)) for s, e, k in runs(gaze, end_s=end_s)])
        lanes.append(Lane(key="gaze", name="gaze", of=OF_RECORDING, lines=lines, bands=[states]))
    blinks = _blinks(recording, events)
    if blinks:
        shown = band("blinks", [("blink", BLINK_COLOUR)], blinks)
        lanes.append(Lane(key="blinks", name="blinks", of=OF_RECORDING, bands=[shown]))
    for kind in sorted({s.kind for s in recording.segments} - {BLINK}):
        lanes.append(Lane(key=f"segments-{len(lanes)}", name=kind, of=OF_RECORDING, bands=[_segments(recording, kind)]))
    return lanes


def _blinks(recording: Recording, events: pd.DataFrame | None) -> list[tuple[float, float, int]]:
    if events is not None:
        rows = zip(events["kind"], events["start_s"], events["end_s"], strict=True)
        return [(start_s, end_s, 0) for kind, start_s, end_s in rows if kind == BLINK]
    return [(s.start_s, s.end_s, 0) for s in recording.segments if s.kind == BLINK]


def _segments(recording: Recording, kind: str) -> Band:
    segments = [s for s in recording.segments if s.kind == kind]
    names = list(dict.fromkeys(s.name or kind for s in segments))
    spans = [(s.start_s, s.end_s, names.index(s.name or kind)) for s in segments]
    return band(kind, class_colours(names), spans, is_named=True)


def class_colours(names: list[str]) -> list[tuple[str, str]]:
    """Each name with a colour; they begin anew where there are more than PALETTE has."""
    return [(name, PALETTE[k % len(PALETTE)]) for k, name in enumerate(names)]


PALETTE = tuple(
    map(hex_of, [(0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0)])
)
"""Okabe and Ito's, without the black and the yellow, which white or black words on them would not suit alike."""
