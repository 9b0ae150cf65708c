"""Recordings as a BIDS dataset, a new one or more of one that is there; whole, or not at all.

What BIDS has no word for is told in the open: gaze in pixels of a scene video is SampleCoordinateSystem "custom", with
the picture's size and origin beside it, and the video itself lies in sourcedata.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import FileError
from regard.io.bids.cells import Values, write_json, write_tsv
from regard.io.bids.events import write_movements, write_segments
from regard.io.bids.kept import STATES, write_kept
from regard.io.bids.lists import Listed, write_lists
from regard.io.bids.names import DESCRIPTION, EVENTS, EYETRACK, PHYSIO, Entities, entities_of
from regard.io.files import one_at_a_time, temporary_name, writing
from regard.io.recording import open_video
from regard.types import GazeState, GazeTrack, Recording

VERSION = "1.11.0"
LEAST_MEASUREMENTS = 2
"""Of gaze, without which there is no rate."""

SCENE = (
    "Pixels of the upright picture of the scene video (SceneVideo), which the wearer's head carries along. x counts "
    "from the picture's left edge to the right, y from its top edge down; a gaze outside the picture keeps its value."
)
SCREEN = (
    "Pixels of the screen that was watched. x counts from its left edge to the right, y from its top edge down; a gaze "
    "outside the screen keeps its value."
)
SHARES = (
    "Shares of the upright picture that was recorded or watched, which is not here: x from its left edge, 0, to its "
    "right edge, 1; y from its top edge, 0, to its bottom edge, 1."
)


README = """# {name}
Eye tracking as BIDS 1.11 has it, written by regard. Gaze is in `sub-*/**/*_physio.tsv.gz`, the json beside each says in
which picture's pixels; eye movements are in `*_physioevents.tsv.gz`, labelled stretches of time in `*_events.tsv`.
`sourcedata/regard` holds what BIDS has no place for: the scene video, the times of its frames, sound, faces, hands, the
camera's calibration. `regard.open` reads all of it.
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One recording, by which name it goes into the dataset, and what a study's list says of it."""

    name: Entities
    open: Callable[[], Recording]
    columns: Mapping[str, object] = field(default_factory=dict)


def write_bids(
    out: Path, entries: Sequence[Entry], *, name: str, version: str, tell: Callable[[str], None]
) -> list[Path]:
    """Write the recordings into a new dataset, or add them to one; the tables of their gaze, in order.

    `version` is regard's. `tell` is told what each is called. Columns that are one for all recordings of each subject
    go into participants.tsv, others into the subject's _scans.tsv. Raises FileError for a folder of something else, a
    recording that is there already, and one without gaze.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(out):
        is_new = not out.is_dir() or not any(out.iterdir())
        if not is_new and not (out / DESCRIPTION).is_file():
            raise FileError(
                out,
                found="a folder that holds something else than a BIDS dataset",
                wanted="a new folder, or a BIDS dataset to add to",
                do="name another folder with --out",
            )
        for entry in entries:
            _require_new(out, entry.name)
        if is_new:
            with writing(out) as part:
                _write_all(part, out, entries, tell)
                _write_dataset(part, name, version)
        else:
            part = temporary_name(out / ".adding")
            try:
                _write_all(part, out, entries, tell)
                _move_into(part, out)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return [out / entry.name.eye_file for entry in entries]


def _write_all(part: Path, out: Path, entries: Sequence[Entry], tell: Callable[[str], None]) -> None:
    part.mkdir()
    for entry in entries:
        recording = entry.open()
        tell(f"{recording.id} -> {entry.name}")
        write_one(part, entry.name, recording)
    write_lists(part, out, [Listed(entry.name, entry.columns) for entry in entries])


def write_one(root: Path, name: Entities, recording: Recording) -> None:
    """All files of one recording, below the folder `root`. Raises FileError where it has no gaze."""
    gaze = recording.gaze
    if gaze is None or len(gaze) < LEAST_MEASUREMENTS:
        raise FileError(
            recording.id,
            found="no gaze" if gaze is None else f"{len(gaze)} measurements of gaze",
            wanted=f"at least {LEAST_MEASUREMENTS} measurements, as BIDS has eye tracking with its rate",
            do="see what `regard check` says about the gaze, or take the recording out",
        )
    size, frame_s = _picture(recording)
    eyes = root / name.eye_file
    write_tsv(eyes, columns := _columns(gaze, size), header=False)
    about: dict[str, object] = {
        "TaskName": name.task,
        **_about(gaze, size, list(columns), SCREEN if recording.watched else SCENE),
    }
    write_kept(root / name.beside, recording, frame_s=frame_s)
    if recording.video is not None:
        about["SceneVideo"] = _uri(root, name.beside)
    write_json(eyes.with_name(eyes.name.removesuffix(".tsv.gz") + ".json"), about)
    write_movements(
        eyes.with_name(eyes.name.replace(PHYSIO, "_physioevents.tsv.gz")), gaze, recording.segments, task=name.task
    )
    write_segments(root / name.file(EVENTS), recording.segments, task=name.task)


def _picture(recording: Recording) -> tuple[tuple[int, int] | None, Float64[np.ndarray, "m"] | None]:
    """Height and width of what the gaze is in, and when the video's frames are shown; None where nobody knows."""
    if recording.video is not None:
        with closing(open_video(recording.video)) as source:
            return source.size, source.times_s
    camera = recording.camera
    return (None if camera is None else (camera.height, camera.width)), None


def _columns(gaze: GazeTrack, size: tuple[int, int] | None) -> dict[str, Values]:
    """The table; where pixels do not give the track's own shares of the picture to the last bit, those are beside."""
    sides = np.array((1, 1) if size is None else size[::-1], np.float64)
    pixel = in_pixels(gaze.point, sides)
    columns: dict[str, Values] = {
        "timestamp": gaze.time_s,
        "x_coordinate": pixel[:, 0],
        "y_coordinate": pixel[:, 1],
        "gaze_state": [STATES[GazeState(state)] for state in gaze.state.tolist()],
    }
    if gaze.confidence is not None:
        columns["confidence"] = gaze.confidence
    if not np.array_equal(pixel / sides, gaze.point, equal_nan=True):
        columns |= {"x_share": gaze.point[:, 0], "y_share": gaze.point[:, 1]}
    return columns


def in_pixels(point: Float64[np.ndarray, "n 2"], sides: Float64[np.ndarray, "2"]) -> Float64[np.ndarray, "n 2"]:
    """Pixels that, divided by the sides, give the point again to the last bit, where there are such numbers.

    There are for gaze that was measured in pixels; of several, the one with the fewest digits.
    """
    pixel = point * sides
    best, length = pixel.copy(), np.full(pixel.shape, 99)
    for off in range(-2, 3):
        near = pixel
        for _ in range(abs(off)):
            near = np.nextafter(near, np.inf if off > 0 else -np.inf)
        digits = np.array([[len(repr(value)) for value in row] for row in near.tolist()]).reshape(pixel.shape)
        better = (near / sides == point) & (digits < length)
        best[better], length[better] = near[better], digits[better]
    return best


def _about(gaze: GazeTrack, size: tuple[int, int] | None, columns: list[str], pixels: str) -> dict[str, object]:
    unit = "1" if size is None else "pixel"
    named = {
        "timestamp": {"Description": "Seconds from the scene video's first frame.", "Units": "s"},
        "x_coordinate": {"Description": "Where the gaze is, from the picture's left edge.", "Units": unit},
        "y_coordinate": {"Description": "Where the gaze is, from the picture's top edge.", "Units": unit},
        "gaze_state": {
            "Description": "What the eye was doing, as far as the device or its software says.",
            "Levels": {
                "lost": "no valid measurement",
                "tracked": "valid, and nobody said which movement it belongs to",
                "fixation": "of a fixation",
                "saccade": "of a saccade",
                "pursuit": "of a smooth pursuit",
            },
        },
        "confidence": {"Description": "The device's own confidence in the measurement, from 0 to 1.", "Units": "1"},
        "x_share": {"Description": "x_coordinate over the picture's width, to the last bit.", "Units": "1"},
        "y_share": {"Description": "y_coordinate over the picture's height, to the last bit.", "Units": "1"},
    }
    return {
        "PhysioType": EYETRACK,
        "RecordedEye": "cyclopean",
        "SampleCoordinateSystem": "custom",
        "SampleCoordinateSystemDescription": SHARES if size is None else pixels,
        "SceneResolution": [1, 1] if size is None else list(size[::-1]),
        "SceneOrigin": ["top", "left"],
        "SamplingFrequency": 1 / gaze.interval_s,
        "StartTime": float(gaze.time_s[0]),
        "Columns": columns,
        **{name: named[name] for name in columns},
    }


def _uri(root: Path, beside: Path) -> str:
    told = json.loads((root / beside / "recording.json").read_text(encoding="utf-8"))
    return f"bids::{(beside / told['video']['file']).as_posix()}"


def _require_new(out: Path, name: Entities) -> None:
    folder = out / name.eye_file.parent
    ours = entities_of(name.eye_file)
    there = [f for f in sorted(folder.glob(f"{name}_*")) if entities_of(f) | ours == ours]
    if there or (out / name.beside).exists():
        raise FileError(
            there[0] if there else out / name.beside,
            found=f"a recording {name}, which is in the dataset already",
            wanted="a name that is new there",
            do="give another --subject, --session, --task or --run, or another --out",
        )


def _write_dataset(part: Path, name: str, version: str) -> None:
    about = {
        "Name": name,
        "BIDSVersion": VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "regard", "Version": version}],
    }
    write_json(part / DESCRIPTION, about)
    (part / "README.md").write_text(README.format(name=name), encoding="utf-8")


def _move_into(part: Path, out: Path) -> None:
    """Each new file to its place; the tables of gaze, then the lists last. Where that stops, the new ones go again."""
    files = [file for file in part.rglob("*") if file.is_file()]
    new: list[Path] = []
    try:
        for file in sorted(files, key=lambda f: (f.parent == part, f.name.endswith(("_scans.tsv", PHYSIO)), str(f))):
            place = out / file.relative_to(part)
            new += [place] if not place.exists() else []
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
    except BaseException:
        for place in new:
            place.unlink(missing_ok=True)
            for folder in place.parents[: len(place.relative_to(out).parts) - 1]:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
        raise
