"""BIDS eye tracking as recordings: what `write_bids` wrote without loss, others' gaze on a screen as BIDS tells it.

    sub-01/beh/sub-01_task-read_recording-eye1_physio.tsv.gz    no header; columns, rate, eye, units in the json
    sub-01/beh/sub-01_task-read_events.json                     StimulusPresentation: how many pixels the screen has

Of two eyes, the gaze is the mean where both were measured, and the one that was elsewhere. The clock is that of
StartTime, which others' datasets count from where their stimulus or scan began.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from regard.errors import ClockError, FileError, TableError
from regard.io.bids.cells import numbers, read_tsv
from regard.io.bids.events import happenings, movements_in, read_segments
from regard.io.bids.kept import FILE, read_kept, states_of
from regard.io.bids.names import (
    BROKEN,
    EVENTS,
    EYETRACK,
    PHYSIO,
    by_recording,
    entities_of,
    eye_files,
    is_eye_file,
    name_in,
    name_of,
    root_of,
    sidecar,
)
from regard.io.bids.screen import camera_of_screen, screen_told, sides_of
from regard.io.json_text import finite
from regard.types import GazeState, GazeTrack, Recording, Segment

UNITS_S = {"s": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
PIXELS = ("pixel", "pixels", "px")
FIRST = ("timestamp", "x_coordinate", "y_coordinate")
RATES_AGREE = 0.1
"""Relatively: of the metadata and of the timestamps."""
APART_S = 1e-3
"""Between the times of both eyes' measurements."""


def open_bids(path: Path) -> Recording:
    """One recording: a _physio.tsv.gz, or a folder of one. Raises FileError, TableError or ClockError."""
    if path.is_dir():
        found = by_recording(eye_files(path))
        if len(found) > 1:
            names = [Path(name).name for name in found]
            raise FileError(
                path,
                found=f"{len(found)} recordings of BIDS: {', '.join(names[:4])}{' ...' * (len(names) > 4)}",
                wanted="one",
                do=f"name one by its file *{PHYSIO}; check, show, events and predict take the folder as a study",
            )
        (files,) = found.values()
    else:
        if not is_eye_file(path):
            raise _no_eye_tracking(path)
        files = [file for file in eye_files(path.parent) if name_of(file) == name_of(path)]
    root, name = root_of(files[0]), name_of(files[0])
    beside = _beside(root, name)
    return _others(files, name) if not (beside / FILE).is_file() else _ours(files[0], beside, name)


def recordings_of(folder: Path) -> dict[str, Path]:
    """Each recording's name and table in a dataset or a folder of one; the datatype too where two have one name."""
    found: dict[str, Path] = {}
    for first, *_ in by_recording(eye_files(folder)).values():
        name = name_of(first)
        found[name if name not in found else f"{name}-{first.parent.name}"] = first
    return found


def files_beside(file: Path) -> list[Path]:
    """All that a recording is read from, but the metadata of folders above."""
    name = name_of(file)
    return [*file.parent.glob(f"{name}_*"), *_beside(root_of(file), name).rglob("*")]


def columns_of(file: Path) -> dict[str, str]:
    """Its name's parts, and what participants.tsv and the subjects' _scans.tsv say of a recording."""
    row = name_in(file)
    subject = row.pop("subject")
    row = {"participant": subject, **row}
    row |= _line(root_of(file) / "participants.tsv", "participant_id", f"sub-{subject}")
    for above in file.parents[1:3]:
        for scans in above.glob("sub-*_scans.tsv"):
            row |= _line(scans, "filename", file.relative_to(above).as_posix())
    return row


def _line(path: Path, key: str, value: str) -> dict[str, str]:
    if not path.is_file():
        return {}
    table = read_tsv(path)
    if key not in table:
        raise TableError(path, found=f"the columns {', '.join(table)}", wanted=f"one of them {key}", do=BROKEN)
    found = next((row for row in table.to_dict("records") if row[key] == value), {})
    return {str(n): "" if c == "n/a" else str(c) for n, c in found.items() if n != key}


def _beside(root: Path, name: str) -> Path:
    told = entities_of(Path(f"{name}_"))
    session = [f"ses-{told['ses']}"] if "ses" in told else []
    return Path(root, "sourcedata", "regard", f"sub-{told.get('sub', '')}", *session, name)


def _ours(file: Path, beside: Path, name: str) -> Recording:
    kept = read_kept(beside)
    eye = _Eye(file)
    shares = ("x_share", "y_share")
    has_shares = set(shares) <= set(eye.table)
    point = np.stack([numbers(file, eye.table, n) for n in (shares if has_shares else FIRST[1:])], axis=1)
    told = numbers(file, eye.table, "confidence") if "confidence" in eye.table else None
    state = states_of(file, eye.table)
    time_s = numbers(file, eye.table, "timestamp", empty=False)
    try:
        gaze = GazeTrack(time_s=time_s, point=point if has_shares else point / eye.sides, state=state, confidence=told)
    except ValueError as problem:
        raise TableError(file, found=str(problem), wanted="a table as it was written", do=BROKEN) from problem
    tables = [file.parent / f"{name}{EVENTS}", file.with_name(file.name.replace(PHYSIO, "_physioevents.tsv.gz"))]
    segments = [one for table in tables if table.is_file() for one in read_segments(table)]
    return Recording(gaze=gaze, segments=tuple(one for _, one in sorted(segments, key=lambda s: s[0])), **kept)


def _others(files: list[Path], name: str) -> Recording:
    eyes = [_Eye(file) for file in files]
    both = [eye for eye in eyes if eye.which == "cyclopean"] or eyes
    tracks = [eye.track() for eye in both]
    gaze = _mean(tracks)
    notes = [
        f"SamplingFrequency says {eye.rate_hz:g} Hz, the timestamps {1 / track.interval_s:g} Hz"
        for eye, track in zip(both, tracks, strict=True)
        if abs(track.interval_s * eye.rate_hz - 1) > RATES_AGREE
    ]
    if len(both) > 1:
        notes.append(f"gaze is the mean of {len(both)} eyes, or the one eye's that was measured")
    if any("pupil_size" in eye.table for eye in both):
        notes.append("not read: pupil sizes (pupil_size)")
    camera = None
    if (screen := both[0].screen) is not None:
        width, height = map(round, both[0].sides.tolist())
        camera, note = camera_of_screen(screen, (width, height))
        notes.append(note)
    segments: tuple[Segment, ...] = ()
    events = files[0].parent / f"{name}{EVENTS}"
    if events.is_file():
        segments, without = happenings(events)
        if without:
            notes.append(f"not read: {without} of {len(segments) + without} events, which last no time ({events.name})")
    video = both[0].about.get("SceneVideo")
    notes.append(
        "no scene video: gaze is in shares of the " + ("screen" if video is None else f"one that is not here: {video}")
    )
    return Recording(
        id=name,
        subject=entities_of(files[0]).get("sub", "unknown"),
        gaze=gaze,
        camera=camera,
        segments=segments,
        watched=both[0].screen is not None,
        notes=tuple(notes),
    )


class _Clock(NamedTuple):
    first: float
    unit_s: float
    start_s: float


class _Eye:
    """One eye's table and what its json says; refused where that cannot be understood."""

    def __init__(self, file: Path) -> None:
        self.file, self.about = file, sidecar(file)
        self.screen: dict[str, object] | None = None
        if self.about.get("PhysioType") != EYETRACK:
            raise _no_eye_tracking(file)
        for key in ("SamplingFrequency", "StartTime", "Columns", "RecordedEye", "SampleCoordinateSystem"):
            if key not in self.about:
                raise self._wrong(f"metadata without {key}", "all that BIDS requires of eye tracking")
        columns = self.about["Columns"]
        if not isinstance(columns, list) or columns[:3] != list(FIRST):
            raise self._wrong(f"Columns {columns}", f"columns that begin with {', '.join(FIRST)}")
        self.which = self.about["RecordedEye"]
        self.sides = self._sides()
        self.rate_hz = self._number("SamplingFrequency")
        self.start_s = self._number("StartTime")
        self.table = read_tsv(file, list(map(str, columns)))

    def track(self) -> GazeTrack:
        """The gaze in shares of the picture, with the states that its _physioevents tells."""
        stamps = numbers(self.file, self.table, "timestamp", empty=False)
        wrong = np.flatnonzero(np.diff(stamps) <= 0)
        if len(wrong):
            raise ClockError(
                self.file,
                found=f"a timestamp that does not increase, in line {self.table.index[wrong[0] + 1]}",
                wanted="times that strictly increase",
                do="sort the lines by time and keep one line for each time",
            )
        clock = self._clock(stamps)
        time_s = (stamps - clock.first) * clock.unit_s + clock.start_s
        point = np.stack([numbers(self.file, self.table, name) for name in FIRST[1:]], axis=1) / self.sides
        events = self.file.with_name(self.file.name.replace(PHYSIO, "_physioevents.tsv.gz"))
        state = np.full(len(stamps), GazeState.TRACKED, np.int8)
        if events.is_file():
            state = movements_in(events, sidecar(events), time_s, clock)
        lost = np.isnan(point).any(axis=1)
        point[lost], state[lost] = np.nan, GazeState.LOST
        return GazeTrack(time_s=time_s, point=point, state=state)

    def _sides(self) -> Float64[np.ndarray, "2"]:
        """Width and height of what the coordinates are in, in their unit."""
        system = self.about["SampleCoordinateSystem"]
        units = [self._unit(name) for name in FIRST[1:]]
        if system == "custom" and "SceneResolution" in self.about:
            told, where = self.about["SceneResolution"], "SceneResolution"
            origin = self.about.get("SceneOrigin", ["top", "left"])
        elif system == "gaze-on-screen":
            events = self.file.parent / f"{name_of(self.file)}{EVENTS}"
            self.screen = screen_told(self.about, sidecar(events))
            told, where = (
                self.screen.get("ScreenResolution"),
                "ScreenResolution in StimulusPresentation of _events.json",
            )
            origin = self.screen.get("ScreenOrigin", ["top", "left"])
        else:
            raise self._wrong(
                f"SampleCoordinateSystem {system!r}",
                "gaze-on-screen, or a custom one in pixels of a scene video, with its SceneResolution",
            )
        if any(unit not in PIXELS for unit in units) and not (told == [1, 1] and set(units) == {"1"}):
            raise self._wrong(f"coordinates in {', '.join(dict.fromkeys(map(str, units)))}", "pixels")
        sides = sides_of(told)
        if sides is None or min(sides) < 1:
            raise self._wrong(f"{where} {told}", "width and height of the screen or scene video, in pixels")
        if not isinstance(origin, list) or sorted(map(str, origin)) != ["left", "top"]:
            raise self._wrong(f"an origin at {origin}", "coordinates from the top left corner")
        return np.array(sides, np.float64)

    def _unit(self, column: str) -> object:
        told = self.about.get(column)
        return told.get("Units") if isinstance(told, dict) else None

    def _clock(self, stamps: Float64[np.ndarray, "n"]) -> _Clock:
        first = float(stamps[0]) if len(stamps) else 0.0
        unit = self._unit("timestamp")
        if isinstance(unit, str) and unit in UNITS_S:
            return _Clock(first, UNITS_S[unit], self.start_s)
        step = float(np.median(np.diff(stamps))) * self.rate_hz if len(stamps) > 1 else 1.0
        fits = [unit_s for unit_s in sorted(set(UNITS_S.values())) if 0.5 < step * unit_s < 2]
        if not fits:
            raise self._wrong(
                f"timestamps {step / self.rate_hz:g} apart at {self.rate_hz:g} Hz, in a unit {unit!r}",
                f"Units of timestamp: one of {', '.join(UNITS_S)}",
            )
        return _Clock(first, fits[0], self.start_s)

    def _number(self, key: str) -> float:
        value = finite(self.about[key])
        if value is None or (key == "SamplingFrequency" and value <= 0):
            raise self._wrong(f"{key} {self.about[key]}", "a number" + " above 0" * (key == "SamplingFrequency"))
        return value

    def _wrong(self, found: str, wanted: str) -> FileError:
        return FileError(self.file, found=found, wanted=wanted, do="correct the json beside it, or convert the gaze")


def _mean(tracks: list[GazeTrack]) -> GazeTrack:
    """Of both eyes, on the longer one's clock: the mean where both are valid, and the one that is elsewhere."""
    first = max(tracks, key=len)
    if len(tracks) == 1 or not len(first):
        return first
    met = [track.at(first.time_s, max_gap_s=max(APART_S, first.interval_s / 2)) for track in tracks if len(track)]
    valid = np.stack([track.valid for track in met])
    total = np.where(valid[..., None], np.stack([track.point for track in met]), 0).sum(axis=0)
    state = np.select(list(valid), [track.state for track in met], GazeState.LOST).astype(np.int8)
    with np.errstate(invalid="ignore"):
        point = total / np.where(valid.any(axis=0), valid.sum(axis=0), np.nan)[:, None]
    return replace(first, point=point, state=state)


def _no_eye_tracking(path: Path) -> FileError:
    about = sidecar(path) if path.is_file() else {}
    return FileError(
        path,
        found=f"a table of {about['PhysioType']!r}" if "PhysioType" in about else "no json that says what it is",
        wanted='eye tracking as BIDS 1.11 has it: a json beside it with "PhysioType": "eyetrack"',
        do="add the json, or convert the dataset to BIDS 1.11",
    )
