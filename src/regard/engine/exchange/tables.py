"""`regard export --to csv`: a folder of plain tables around the video, which `regard.open` reads again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from regard.engine.events import EyeMovements, NoEventsError, eye_movements
from regard.io.devices.annotations import write_faces
from regard.io.devices.core_times import FRAMES, native_times_s
from regard.io.devices.folder import VIDEO_SUFFIXES
from regard.io.devices.lens import camera_json
from regard.io.media.container import state_of, unchanged
from regard.io.recording import is_recording, open_video
from regard.io.tables import write_table
from regard.types import GazeState, GazeTrack, HandTrack, Recording, Segment

README = """# {id}
{about}

Times are seconds from the first video frame. Places are shares of the upright picture: (0, 0) is its top left corner,
(1, 1) its bottom right; outside the picture they go on. An empty cell: not known.{again}

| file | a line | columns |
|---|---|---|
{files}
"""

AGAIN = " `regard.open` reads the folder again."
"""Where the video came along."""

COLUMNS = {
    "gaze.csv": (
        "a measurement",
        "timestamp_s, x, y (empty: lost), gaze_state (lost, tracked, fixation, saccade, pursuit), confidence (0 to 1, "
        "where the device tells it)",
    ),
    "frames.csv": (
        "a frame of the video",
        "frame (from 0), timestamp_s, and x, y, gaze_state of the measurement nearest to it",
    ),
    "events.csv": (
        "an eye movement, told by `regard events`",
        "kind, start_s, end_s, duration_s, samples, x, y (mean); where the camera is calibrated x_deg, y_deg, "
        "amplitude_deg, direction_deg, peak_deg_s, dispersion_deg; head_known (share of it)",
    ),
    "labels.csv": ("a labelled stretch", "start_s, end_s, kind, name, and a class a column, counted from 0"),
    "faces.csv": (
        "a face at a moment",
        "person, track, timestamp_s, x0, y0, x1, y1, looking (1: at the wearer), score, landmarks",
    ),
    "hands.csv": ("a moment", "timestamp_s, left_x, left_y, right_x, right_y"),
    "camera.json": ("", "the scene camera: height, width, matrix, distortion, model"),
    "others": ("", "a table of each other person who watched the video; columns as in gaze.csv"),
}


def write_tables(
    recording: Recording, folder: Path, *, movements: Callable[[Recording], EyeMovements] = eye_movements
) -> list[str]:
    """Fill the folder; what had to be left out and how `movements` were told, a sentence each."""
    notes = [_copy_video(recording, folder)]
    if recording.gaze is not None:
        write_table(gaze_table(recording.gaze), folder / "gaze.csv")
        notes.append(_write_events(recording, folder, movements))
    if recording.video is not None:
        write_table(frames_table(recording), folder / "frames.csv")
    if recording.segments:
        write_table(_labels(recording.segments), folder / "labels.csv")
    if recording.faces is not None:
        write_faces(folder / "faces.csv", recording.faces)
    if recording.hands is not None:
        write_table(_hands(recording.hands), folder / "hands.csv")
    if recording.camera is not None:
        (folder / "camera.json").write_text(
            json.dumps(camera_json(recording.camera), indent=1) + "\n", encoding="utf-8"
        )
    for number, track in enumerate(recording.others.values()):
        write_table(gaze_table(track), folder / "others" / f"{_file_name(recording, number)}.csv")
    told = [note for note in notes if note]
    about = "\n".join([f"Recorded by {recording.subject}, written by regard.", *recording.notes, *told])
    files = [f"| {name} | {' | '.join(text)} |" for name, text in COLUMNS.items() if (folder / name).exists()]
    readme = README.format(id=recording.id, about=about, files="\n".join(files), again=AGAIN * is_recording(folder))
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return told


def gaze_table(track: GazeTrack) -> pd.DataFrame:
    """gaze.csv as the folder's reader wants it."""
    table = pd.DataFrame({"timestamp_s": track.time_s, "x": track.point[:, 0], "y": track.point[:, 1]})
    table["gaze_state"] = [GazeState(state).name.lower() for state in track.state.tolist()]
    return table if track.confidence is None else table.assign(confidence=track.confidence)


def frames_table(recording: Recording) -> pd.DataFrame:
    """When each frame is shown, and the gaze nearest to it."""
    source = open_video(recording.require_video())
    times_s = source.times_s
    source.close()
    gaze = GazeTrack.lost(times_s) if recording.gaze is None else recording.gaze.at(times_s)
    table = gaze_table(gaze).drop(columns="confidence", errors="ignore")
    table.insert(0, "frame", np.arange(len(table)))
    return table


def _copy_video(recording: Recording, folder: Path) -> str:
    """Of one plain file; why there is none, where there is none."""
    video, sound = recording.video, recording.audio
    if video is None:
        return "there is no video"
    is_plain = video.path.suffix.lower() in VIDEO_SUFFIXES and video.path.is_file() and video.index is None
    if video.then or not is_plain or video.start_s != 0:
        kind = f"{len(video.parts)} files" if video.then else video.path.suffix or "a folder of pictures"
        return f"the video is left out: a folder of tables holds one plain video file, and this is {kind}"
    taken_s = native_times_s(video.path)
    place = folder / (video.path.name if taken_s is not None else f"video{video.path.suffix.lower()}")
    with unchanged(video.path, video.state or state_of(video.path)):
        shutil.copyfile(video.path, place)
    if taken_s is not None:
        shutil.copyfile(video.path.with_name(FRAMES), folder / FRAMES)
    if sound is None or sound.path == video.path:
        return ""
    return f"the sound is left out: it is in a file of its own, {sound.path.name}"


def _write_events(recording: Recording, folder: Path, movements: Callable[[Recording], EyeMovements]) -> str:
    try:
        found = movements(recording)
    except NoEventsError as problem:
        return f"no events.csv: {problem.found}"
    write_table(found.table, folder / "events.csv")
    return found.protocol


def _labels(segments: tuple[Segment, ...]) -> pd.DataFrame:
    names = list(dict.fromkeys(label for one in segments for label in one.labels))
    rows = [
        {"start_s": s.start_s, "end_s": s.end_s, "kind": s.kind, "name": s.name, **{n: s.labels.get(n) for n in names}}
        for s in segments
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(names, "Int64"))


def _hands(hands: HandTrack) -> pd.DataFrame:
    names = [f"{side}_{axis}" for side in ("left", "right") for axis in "xy"]
    table = pd.DataFrame(hands.point.reshape(-1, 4), columns=names)
    table.insert(0, "timestamp_s", hands.time_s)
    return table


def _file_name(recording: Recording, number: int) -> str:
    """An observer's own name, where it can be a file's."""
    name = list(recording.others)[number]
    return name if name.replace("-", "").replace("_", "").isalnum() else f"observer-{number}"
