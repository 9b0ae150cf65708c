"""Segments and eye movements as BIDS has them: in _events.tsv, and of the eyes in _physioevents.tsv.gz."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from regard.errors import FileError
from regard.io.bids.cells import NOTHING, Values, column_of, numbers, read_text, read_tsv, write_json, write_tsv
from regard.io.bids.kept import STATES
from regard.io.bids.names import BROKEN, sidecar
from regard.types import BLINK, GazeState, GazeTrack, Segment

LABEL = "label_"
"""Before the name of a segment's label in the name of its column."""

DIGITS = 9
"""Of a duration in seconds; `end` is told to the last bit."""

MOVEMENTS = (GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT)

ABOUT = {
    "trial_type": {"Description": "What the stretch is about."},
    "name": {"Description": "What it is called, in free text."},
    "end": {"Description": "Where it ends, to the last bit.", "Units": "s"},
    "segment": {"Description": "Its number among the recording's stretches, from 0."},
}
"""Of columns that BIDS leaves open."""


def write_segments(path: Path, segments: Sequence[Segment], *, task: str) -> None:
    """_events.tsv and its json: all segments but what `write_movements` takes. Writes nothing for none."""
    rows = [(number, one) for number, one in enumerate(segments) if not _is_plain_blink(one)]
    if not rows:
        return
    labels = list(dict.fromkeys(label for _, one in rows for label in one.labels))
    columns: dict[str, Values] = {
        **_stretches([one for _, one in rows]),
        "name": [one.name for _, one in rows],
        "segment": [number for number, _ in rows],
        **{LABEL + label: [one.labels.get(label) for _, one in rows] for label in labels},
    }
    write_tsv(path, columns)
    classes = {LABEL + label: {"Description": f"Class of its {label}, counted from 0."} for label in labels}
    write_json(path.with_suffix(".json"), {"TaskName": task, **ABOUT, **classes})


def read_segments(path: Path) -> list[tuple[int, Segment]]:
    """Number and segment of each line that `write_segments` or `write_movements` wrote one in."""
    told = sidecar_columns(path)
    table = read_tsv(path, told)
    kept: pd.DataFrame = table.loc[column_of(path, table, "segment") != NOTHING]
    kinds, names = (list(map(read_text, kept[n])) if n in kept else [""] * len(kept) for n in ("trial_type", "name"))
    start_s, end_s, number = (numbers(path, kept, name, empty=False) for name in ("onset", "end", "segment"))
    labels = {name.removeprefix(LABEL): numbers(path, kept, name) for name in kept if name.startswith(LABEL)}
    return [
        (
            int(number[row]),
            Segment(
                start_s=float(start_s[row]),
                end_s=float(end_s[row]),
                kind=kinds[row],
                name=names[row],
                labels={label: int(cells[row]) for label, cells in labels.items() if not np.isnan(cells[row])},
            ),
        )
        for row in range(len(kept))
    ]


def write_movements(path: Path, gaze: GazeTrack, segments: Sequence[Segment], *, task: str) -> None:
    """_physioevents.tsv.gz and its json: runs of fixation, saccade and pursuit, and blinks. Writes nothing for none."""
    runs = _runs(gaze)
    blinks = [(number, one) for number, one in enumerate(segments) if _is_plain_blink(one)]
    rows = sorted([*((None, one) for one in runs), *blinks], key=lambda row: row[1].start_s)
    if not rows:
        return
    columns: dict[str, Values] = {
        **_stretches([one for _, one in rows]),
        "blink": [int(one.kind == BLINK) for _, one in rows],
        "segment": [number for number, _ in rows],
    }
    write_tsv(path, columns, header=False)
    write_json(
        path.with_name(path.name.removesuffix(".tsv.gz") + ".json"),
        {
            "TaskName": task,
            "Columns": list(columns),
            "Description": "Eye movements: stretches of one state of the gaze, and blinks where the device tells them.",
            "OnsetSource": "timestamp",
            "onset": {"Description": "Where it begins, on the clock of the column timestamp.", "Units": "s"},
            "duration": {"Description": "How long it lasts.", "Units": "s"},
            "blink": {"Description": "Whether it is a blink.", "Levels": {"0": "no", "1": "yes"}},
            **{name: ABOUT[name] for name in ("trial_type", "end", "segment")},
        },
    )


def movements_in(
    path: Path, told: Mapping[str, Any], time_s: np.ndarray, clock: tuple[float, float, float]
) -> np.ndarray:
    """The state that somebody's _physioevents.tsv.gz tells of each measurement; TRACKED where it tells none.

    `clock` brings an onset onto `time_s`: (onset - first) * second + third.
    """
    state = np.full(len(time_s), GazeState.TRACKED, np.int8)
    columns = told.get("Columns")
    if not isinstance(columns, list) or not {"onset", "duration", "trial_type"} <= set(map(str, columns)):
        return state
    table = read_tsv(path, list(map(str, columns)))
    onset, duration = numbers(path, table, "onset"), numbers(path, table, "duration")
    first, unit_s, start_s = clock
    known = {STATES[kind]: kind for kind in MOVEMENTS}
    for kind, at, lasts in zip(table["trial_type"], onset, duration, strict=True):
        if kind in known and not np.isnan(at) and lasts > 0:
            begin_s = (at - first) * unit_s + start_s
            begin, end = np.searchsorted(time_s, (begin_s, begin_s + lasts * unit_s))
            state[begin:end] = known[kind]
    return state


def sidecar_columns(path: Path) -> list[str] | None:
    """Names of the columns of a table without header, as `write_movements` writes; None for one with. Or FileError."""
    if path.suffix != ".gz":
        return None
    told = sidecar(path).get("Columns")
    if not isinstance(told, list):
        raise FileError(path, found=f"Columns {told} in the json beside it", wanted="the table's columns", do=BROKEN)
    return list(map(str, told))


def happenings(path: Path, start_s: float = 0.0) -> tuple[tuple[Segment, ...], int]:
    """What somebody's _events.tsv tells, as segments of the kind "event", and how many of its lines last no time."""
    table: pd.DataFrame = read_tsv(path)
    onset, duration = numbers(path, table, "onset"), numbers(path, table, "duration")
    lasting = (duration > 0) & ~np.isnan(onset)
    name = next((c for c in ("trial_type", "value", "stim_file") if c in table), None)
    names = [""] * len(table) if name is None else [read_text(cell) for cell in table[name]]
    found = [
        Segment(start_s=float(at - start_s), end_s=float(at + lasts - start_s), kind="event", name=called)
        for at, lasts, called, kept in zip(onset, duration, names, lasting, strict=True)
        if kept
    ]
    return tuple(sorted(found, key=lambda one: (one.start_s, one.end_s))), int((~lasting).sum())


def _stretches(segments: Sequence[Segment]) -> dict[str, Values]:
    return {
        "onset": [one.start_s for one in segments],
        "duration": [round(one.end_s - one.start_s, DIGITS) for one in segments],
        "trial_type": [one.kind for one in segments],
        "end": [one.end_s for one in segments],
    }


def _is_plain_blink(segment: Segment) -> bool:
    return segment.kind == BLINK and not segment.name and not segment.labels


def _runs(gaze: GazeTrack) -> list[Segment]:
    """Stretches of measurements of one movement, each until the next measurement."""
    edges = np.flatnonzero(np.diff(gaze.state, prepend=-1))
    ends = np.append(edges[1:], len(gaze))
    after_s = np.append(gaze.time_s, gaze.time_s[-1] + np.nan_to_num(gaze.interval_s))
    return [
        Segment(start_s=float(gaze.time_s[a]), end_s=float(after_s[b]), kind=STATES[GazeState(int(gaze.state[a]))])
        for a, b in zip(edges, ends, strict=True)
        if gaze.state[a] in MOVEMENTS
    ]
