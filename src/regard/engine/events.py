"""The eye movements of a recording: its gaze with states, a table of events, and how well they meet recorded ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.engine.head import head_turns
from regard.errors import RecipeError, RegardError
from regard.io import open_video
from regard.io.given import recording_of
from regard.metrics.events import event_f1, sample_f1
from regard.ops.events import HeadTurns, Movements, events_of, label_movements
from regard.ops.events.table import COLUMNS, KINDS
from regard.types import BLINK, Camera, GazeState, GazeTrack, Recording

ASSUMED_FIELD_DEG = 80.0
"""Across the picture where nobody knows the camera: between the scene cameras of Tobii and Pupil Labs (82 to 103) and a
phone's (65 to 75)."""
ASSUMED_SIZE = (480, 640)
"""Height and width where there is neither a camera nor a picture."""
MIN_RATE_HZ = 9.0
"""Gaze at a lower rate has hardly two measurements in a fixation. Project Aria's 10 Hz is above."""
COARSE_RATE_HZ = 100.0
"""At a lower rate a saccade has hardly two measurements."""
LEAST_MEASUREMENTS = 3
MUCH_OUTSIDE = 0.01
"""From this share of measurements on that the video does not show, they are told of."""
DIGITS = 6
"""Of seconds, degrees and shares in the table."""


class NoEventsError(RegardError):
    """Gaze in which eye movements cannot be told from each other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EyeMovements:
    """What the eye was doing in a recording.

    `recording` is the recording, its gaze with the states told, and `protocol` among its notes. `table` has a row for
    each event (columns: `regard.ops.events.table.events_of`; blinks have times only), `summary` one for each kind.
    `scores` compare with the states that the recording came with; None where it came with none, or they are the ones in
    the table.
    """

    recording: Recording
    table: pd.DataFrame
    summary: pd.DataFrame
    scores: pd.DataFrame | None
    protocol: str

    def __repr__(self) -> str:
        counts = zip(self.summary["count"], self.summary["movement"], strict=True)
        found = ", ".join(f"{number} {name}{'s' * (number != 1)}" for number, name in counts)
        return f"EyeMovements of {self.recording.id}: {found or 'none'}"


def eye_movements(
    recording: Recording | Path | str,
    *,
    watched: bool = False,
    look: bool = True,
    recorded: bool = False,
    field_deg: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EyeMovements:
    """Fixations, saccades, pursuit, and blinks where the device gives them.

    `watched`: the gaze is of somebody who watches the video on a screen, so nothing is to be taken out, also where the
    recording says so itself; else the head's turns are, as the scene video shows them, unless `look` is False.
    `recorded`: take the states that the recording came with. `field_deg` is how wide the picture is, where the camera
    is not calibrated; without it, 80 degrees are assumed to tell movements apart, and the table's degrees are NaN.
    `progress` is told the pictures looked at, and of how many.

    Raises NoEventsError for a recording without gaze, with fewer than 3 measurements or fewer than 9 a second, or
    without the states that `recorded` asks for; RecipeError for a field that no picture has; FileError where the video
    cannot be read.

    Examples:
        >>> movements = regard.eye_movements("my_recording/", recorded=True)
        >>> movements
        EyeMovements of my_recording: 6 fixations, 4 saccades
        >>> movements.summary[["movement", "count"]]
           movement  count
        0  fixation      6
        1   saccade      4
        >>> movements.table[["kind", "start_s", "end_s"]].head(2)
               kind  start_s  end_s
        0  fixation    0.000  0.375
        1  fixation    0.495  0.510
    """
    recording = recording_of(recording)
    gaze, watched = _gaze_of(recording), watched or recording.watched
    camera, known = camera_of(recording, field_deg)
    head = head_turns(recording, camera, progress=progress) if look and not watched and recording.video else None
    told = label_movements(gaze, camera, head=head, still_head=watched)
    labelled = np.isin(gaze.state, KINDS)
    if recorded and not labelled.any():
        raise NoEventsError(
            recording.id,
            found="gaze that nobody has labelled: every valid measurement is only 'tracked'",
            wanted="fixations, saccades or pursuit in the recording's own files",
            do="leave out --recorded, and regard tells them",
        )
    protocol = _protocol(told, watched=watched, head=head, recorded=recorded, known=known)
    shown = replace(told, track=gaze) if recorded else told
    table = _table(shown, recording, degrees=known)
    return EyeMovements(
        recording=replace(recording, gaze=shown.track, notes=(*recording.notes, protocol)),
        table=table,
        summary=_summary(table, measured_s=_measured_s(told)),
        scores=compared(told, gaze) if labelled.any() and not recorded else None,
        protocol=protocol,
    )


def fixations(
    recording: Recording | Path | str,
    *,
    watched: bool = False,
    look: bool = True,
    recorded: bool = False,
    field_deg: float | None = None,
) -> pd.DataFrame:
    """The recording's fixations, a row each: regard.fixations. Arguments and errors as for `eye_movements`.

    Examples:
        >>> regard.fixations("my_recording/", look=False)[["start_s", "duration_s", "x", "y"]].round(2).head(2)
           start_s  duration_s     x     y
        0      0.0        0.38  0.50  0.61
        1      0.5        0.70  0.51  0.62
    """
    found = eye_movements(recording, watched=watched, look=look, recorded=recorded, field_deg=field_deg)
    return found.table.query("kind == 'fixation'").reset_index(drop=True)


def _gaze_of(recording: Recording) -> GazeTrack:
    gaze = recording.gaze
    valid = 0 if gaze is None else int(gaze.valid.sum())
    if gaze is None or valid < LEAST_MEASUREMENTS:
        raise NoEventsError(
            recording.id,
            found="no gaze" if gaze is None else f"{valid} valid measurements of gaze, of {len(gaze)}",
            wanted=f"at least {LEAST_MEASUREMENTS} valid measurements",
            do="put a gaze.csv beside the video, or see what `regard check` says about the gaze",
        )
    if not gaze.interval_s <= 1 / MIN_RATE_HZ:
        raise NoEventsError(
            recording.id,
            found=f"{1 / gaze.interval_s:.3g} measurements of gaze a second",
            wanted=f"at least {MIN_RATE_HZ:g}: a fixation lasts a quarter of a second",
            do="export the gaze at the eye tracker's own rate",
        )
    return gaze


def camera_of(recording: Recording, field_deg: float | None) -> tuple[Camera, bool]:
    """The camera, and whether it is known; a pinhole of an assumed field where it is not."""
    if field_deg is not None and not 0 < field_deg < 180:
        raise RecipeError(
            f"--field_deg {field_deg:g}",
            found=f"a picture {field_deg:g} degrees wide",
            wanted="a width above 0 and below 180 degrees",
            do="give the camera's horizontal field of view",
        )
    if recording.camera is not None:
        return recording.camera, True
    height, width = ASSUMED_SIZE
    if recording.video is not None:
        source = open_video(recording.video)
        height, width = source.size
        source.close()
    focal_px = width / 2 / np.tan(np.deg2rad(field_deg or ASSUMED_FIELD_DEG) / 2)
    matrix = np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])
    return Camera(height=height, width=width, matrix=matrix), field_deg is not None


def _protocol(told: Movements, *, watched: bool, head: HeadTurns | None, recorded: bool, known: bool) -> str:
    """What was done, in a sentence."""
    measured, rules = told.path.stretch >= 0, told.rules
    if watched:
        turns = "the head counts as still"
    elif head is not None:
        shown = measured & (told.path.time_s >= head.time_s[0]) & (told.path.time_s <= head.time_s[-1])
        share = told.path.head_known[shown].mean() if shown.any() else 0.0
        outside = 1 - shown.sum() / max(measured.sum(), 1)
        during, beyond = "", ""
        if outside >= MUCH_OUTSIDE:
            during, beyond = " during the video", f"; the {outside:.0%} of all that lie before or after it count too"
        turns = f"the head's turns are taken out of {share:.0%} of the measurements{during}, by the video{beyond}"
    else:
        turns = "the head's turns are not known"
    rate_hz = 1 / told.track.interval_s
    parts = [
        f"eye movements: gaze at {rate_hz:.0f} Hz through a median of {1e3 * rules.median_s:.0f} ms and a mean of "
        f"{1e3 * rules.mean_s:.0f} ms",
        turns,
    ]
    if recorded:
        parts.append("states are those of the recording's own files")
    else:
        low, high = float(told.threshold_deg_s.min()), float(told.threshold_deg_s.max())
        above = f"{low:.0f}" if high - low < 1 else f"{low:.0f} (where the head's turns are known) to {high:.0f}"
        told_where = "" if told.pursuit_told.all() else " where the head's turns are known"
        pursuit = f"told{told_where}" if told.pursuit_told.any() else "not told from fixation"
        parts.append(f"a saccade is faster than {above} degrees/s, noise is {told.noise_deg_s:.1f}")
        parts.append(f"pursuit is {pursuit}")
        if rate_hz < COARSE_RATE_HZ:
            parts.append(f"small saccades are missed at this rate, and borders are good to {1e3 / rate_hz:.0f} ms")
    if not known:
        parts.append(f"the camera is not calibrated: a picture {ASSUMED_FIELD_DEG:.0f} degrees wide is assumed")
    return "; ".join(parts)


def _table(shown: Movements, recording: Recording, *, degrees: bool) -> pd.DataFrame:
    table = events_of(shown)
    if not degrees:
        table[[name for name in COLUMNS if "_deg" in name]] = np.nan
    blinks = [s for s in recording.segments if s.kind == BLINK]
    if blinks:
        times_s = np.array([(s.start_s, s.end_s) for s in blinks])
        rows = pd.DataFrame({"kind": "blink", "start_s": times_s[:, 0], "end_s": times_s[:, 1]})
        rows["duration_s"] = rows["end_s"] - rows["start_s"]
        table = pd.concat([table, rows.reindex(columns=list(COLUMNS))]) if len(table) else rows.reindex(columns=COLUMNS)
        table = table.sort_values("start_s", kind="stable", ignore_index=True)
    return table.round(DIGITS).astype({"samples": "Int64"})


def _measured_s(told: Movements) -> float:
    """How long gaze was measured: each stretch from its first measurement to an interval after its last."""
    time_s, stretch = told.path.time_s, told.path.stretch
    joined = (stretch[1:] == stretch[:-1]) & (stretch[1:] >= 0)
    number = len(np.unique(stretch[stretch >= 0]))
    return float(np.diff(time_s)[joined].sum() + number * told.track.interval_s)


def _summary(table: pd.DataFrame, *, measured_s: float) -> pd.DataFrame:
    """A row for each kind of event: how many, how many a minute of measured gaze, and what is usual (medians)."""
    rows = [
        {
            "movement": kind,
            "count": len(of_kind),
            "per_minute": len(of_kind) / measured_s * 60,
            "share": np.nan if kind == BLINK else of_kind["duration_s"].sum() / measured_s,
            **{name: of_kind[name].median() for name in ("duration_s", "amplitude_deg", "peak_deg_s")},
        }
        for kind, of_kind in table.groupby("kind", sort=False)
    ]
    columns = ["movement", "count", "per_minute", "share", "duration_s", "amplitude_deg", "peak_deg_s"]
    return pd.DataFrame(rows, columns=columns).sort_values("movement", ignore_index=True)


def compared(told: Movements, labelled: GazeTrack) -> pd.DataFrame:
    """F1 of measurements and of events against labelled states, a row for each movement in the labels.

    Beside each F1 are its counts (labelled, found, right), so that several recordings can be scored as one. A
    measurement that is TRACKED in the labels counts only where they name no more than one movement, as Pupil Cloud's
    name fixations: elsewhere nobody has said what it is.
    """
    kinds = [kind for kind in KINDS if (labelled.state == kind).any()]
    counted = labelled.valid if len(kinds) == 1 else np.isin(labelled.state, KINDS)
    theirs = replace(told, track=labelled)
    rows = []
    for kind in kinds:
        samples = sample_f1((told.track.state == kind) & counted, (labelled.state == kind) & counted)
        events = event_f1(_spans_s(told, kind), _spans_s(theirs, kind))
        row = {"movement": kind.name.lower(), "sample_f1": samples.f1, "event_f1": events.f1}
        for name, score in (("samples", samples), ("events", events)):
            row |= {f"{name}_labelled": score.labelled, f"{name}_found": score.found, f"{name}_right": score.right}
        rows.append(row)
    return pd.DataFrame(rows)


def _spans_s(movements: Movements, kind: GazeState) -> Float64[np.ndarray, "k 2"]:
    table = events_of(movements)
    return table.loc[table["kind"] == kind.name.lower(), ["start_s", "end_s"]].to_numpy(np.float64)
