"""Any video with plain tables beside it: the layout to use for recordings of a device that has no reader of its own.

    kitchen/                 regard.open("kitchen")
    ├── video.mp4            the only video in the folder, whatever its name
    ├── gaze.csv             optional: where the wearer looked
    ├── labels.csv           optional: labelled stretches of time
    ├── faces.csv            optional: people in view, and whether they look at the wearer
    ├── hands.csv            optional: where the wearer's hands are in the picture
    ├── camera.json          optional: the scene camera, for angles in degrees
    └── others/ann.csv       optional: where ann looked who watched the video too; columns as in gaze.csv

A video file alone opens too. Given as a file, `walk.mp4` takes its gaze from `walk.gaze.csv` where that exists, and
so with `walk.labels.csv`, `walk.faces.csv`, `walk.hands.csv` and `walk.camera.json`; else from the plain names beside
it, unless other videos share the folder.

Every table is comma-separated UTF-8 text with one header line; columns are found by name, in any order, and columns
not named here are ignored. Every `..._s` is in seconds from the presentation time of the video's first frame.

gaze.csv, one line per measurement, in time order, no time twice:

    timestamp_s,x_px,y_px,valid,confidence,gaze_state
    1.059,822.7,896.8,1,0.98,fixation
    1.064,,,0,0.00,lost

    timestamp_s          seconds
    x_px,y_px   or  x,y  pixels of the upright video, or normalised; (0, 0) is the top-left corner of the image either
                         way. Pixels of a copy of another size: divide by its width and height, and name them x,y.
                         Off-screen values are kept. Both empty (or NA, nan, null, "."): the gaze is lost there.
    valid                optional, 1 or 0; 0 or empty: lost, whatever the point says
    confidence           optional, 0 to 1; below `min_confidence`: lost
    gaze_state           optional: lost (or empty), tracked, fixation, saccade or pursuit; without the column every
                         valid gaze is "tracked"

labels.csv, one line per segment [start_s, end_s), in any order; segments may overlap:

    start_s,end_s,kind,name,verb,noun,action
    0.80,2.35,action,take cup,0,3,7

    kind                 what the segment is about: "action", "untracked", "clip", ...
    name                 free text, may be empty
    every other column   a label by its own name; whole numbers counted from 0, empty where the segment has none.
                         A column that holds anything else than whole numbers is ignored.

faces.csv, one line per person and moment; each person's times increase:

    person,timestamp_s,x0,y0,x1,y1,looking
    ann,0.000,0.61,0.20,0.70,0.38,1

    x0,y0,x1,y1          the face's box, normalised, x0 < x1 and y0 < y1
    no line at all       nobody is in view; without the file, nobody has looked for faces yet
    looking              1: looks at the wearer, 0: does not, empty: unknown
    track                optional: where a person left and came back, a name for each time, all different
    score                optional: how sure a detector was of the box
    nose_x,nose_y,left_eye_x,...,right_eye_...,mouth_left_...,mouth_right_...
                         optional, normalised, all ten or none; left is the person's own; empty: not seen

hands.csv, one line per moment, in time order, no time twice:

    timestamp_s,left_x,left_y,right_x,right_y
    0.000,0.31,0.84,0.66,0.79
    0.042,0.31,0.83,,

    left_x,left_y,...    a point of each hand, always the same one (such as the palm's middle), normalised; left is the
                         wearer's own. Both of a hand empty: it was not seen.

camera.json: {"height": 1200, "width": 1600, "matrix": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], "distortion": [k1, ...],
"model": "pinhole"}; conventions as in `regard.types.Camera`; "distortion" and "model" may be left out. Height and width
are those of the pictures that the matrix is for; the video has the same shape, at any size.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8

from regard.errors import FileError, TableError
from regard.io.clock import require_increasing, require_seconds
from regard.io.devices.annotations import (
    read_confidence,
    read_faces,
    read_flags,
    read_hands,
    read_labels,
    require_pairs,
    require_shares,
)
from regard.io.devices.core_times import native_times_s
from regard.io.devices.lens import read_camera
from regard.io.devices.name import recording_id
from regard.io.devices.scene_size import require_shape
from regard.io.devices.unread import unread_gaze
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.io.tables import EMPTY, Column, read_columns, read_header
from regard.types import GazeState, GazeTrack, Recording

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv")

GAZE_WANTED = "name the columns timestamp_s and x_px, y_px (pixels) or x, y (0 to 1)"


def video_files(folder: Path) -> list[Path]:
    """The video files directly in a folder, by name; hidden ones left out."""
    return sorted(
        p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file() and p.name[0] != "."
    )


def open_folder(path: Path) -> Recording:
    """A video file, or the folder around one, as a Recording. Raises FileError, TableError or ClockError."""
    if path.is_dir():
        videos = video_files(path)
        if len(videos) != 1:
            raise FileError(
                path,
                found=f"{len(videos)} videos ({', '.join(v.name for v in videos)})" if videos else "no video",
                wanted="one video in the folder",
                do="give the path of the video itself" if videos else f"put one there ({', '.join(VIDEO_SUFFIXES)})",
            )
        video = videos[0]
    else:
        video = path
    beside = _Beside(video)
    with Video(video) as frames:
        size, frame_s = frames.size, frames.times_s
    notes = []
    if (taken_s := native_times_s(video)) is not None:
        if len(taken_s) == len(frame_s):
            frame_s = taken_s
            notes.append("frame times are from world_timestamps.npy")
        else:
            notes.append(f"world_timestamps.npy has {len(taken_s)} times for {len(frame_s)} frames: it is not used")
    gaze = None
    if table := beside.find("gaze.csv"):
        gaze = read_gaze(table, size=size, frame_s=frame_s)
    elif video.parent.is_dir():
        notes += unread_gaze(video.parent)
    watched = {file.stem: read_gaze(file, size=size, frame_s=frame_s) for file in beside.others()}
    labels, faces, hands = (beside.find(name) for name in ("labels.csv", "faces.csv", "hands.csv"))
    file = beside.find("camera.json")
    camera = read_camera(file) if file else None
    if camera is not None:
        require_shape(video, size, (camera.height, camera.width), do="repair or remove camera.json")
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(path),
        subject="unknown",
        video=picture,
        audio=sound,
        gaze=gaze,
        camera=camera,
        segments=read_labels(labels) if labels else (),
        faces=read_faces(faces) if faces else None,
        hands=read_hands(hands) if hands else None,
        others=watched,
        notes=tuple(notes),
    )


class _Beside:
    """Finds the tables that belong to a video: `<stem>.gaze.csv`, or `gaze.csv` if no other video could claim it."""

    def __init__(self, video: Path) -> None:
        self._video = video
        self._alone = not video.parent.is_dir() or len(video_files(video.parent)) <= 1

    def find(self, name: str) -> Path | None:
        own, common = self._video.with_name(f"{self._video.stem}.{name}"), self._video.with_name(name)
        if own.is_file():
            return own
        return common if self._alone and common.is_file() else None

    def others(self) -> list[Path]:
        """Tables of the gaze of other people, by name; none where other videos share the folder."""
        return sorted((self._video.parent / "others").glob("*.csv")) if self._alone else []


def read_gaze(path: Path, *, size: tuple[int, int], frame_s: Float64[np.ndarray, "m"]) -> GazeTrack:
    """gaze.csv as a track. `size` (height, width) and `frame_s`, its frames' times, are the video's."""
    in_pixels = {"x_px", "y_px"} <= set(read_header(path))
    x, y = ("x_px", "y_px") if in_pixels else ("x", "y")
    table = read_columns(
        path,
        (
            Column("timestamp_s"),
            Column(x, empty=True),
            Column(y, empty=True),
            Column("valid", required=False, empty=True),
            Column("confidence", required=False, empty=True),
            Column("gaze_state", "text", required=False),
        ),
        do=GAZE_WANTED,
    )
    require_increasing(path, table, "timestamp_s")
    time_s = table["timestamp_s"].to_numpy()
    require_seconds(path, time_s, frame_s)
    point = table[[x, y]].to_numpy() / ((size[1], size[0]) if in_pixels else (1, 1))
    valid = read_flags(path, table, "valid") == 1 if "valid" in table else np.ones(len(table), bool)
    missing = np.isnan(point)
    require_pairs(path, table.loc[valid], x, y, wanted="both, or neither where the gaze is lost")
    if not in_pixels:
        require_shares(path, point[valid & ~missing.any(axis=1)], do="name the columns x_px and y_px")
    state = np.where(valid & ~missing.any(axis=1), GazeState.TRACKED, GazeState.LOST).astype(np.int8)
    if "gaze_state" in table:
        state = np.where(state == GazeState.LOST, state, _read_states(path, table)).astype(np.int8)
    confidence = None
    if "confidence" in table:
        confidence = read_confidence(path, table, do="bring the column to that range, or rename it")
    point[state == GazeState.LOST] = np.nan
    return GazeTrack(time_s=time_s, point=point, state=state, confidence=confidence)


def _read_states(path: Path, table: pd.DataFrame) -> Int8[np.ndarray, "n"]:
    known = {state.name.lower(): state.value for state in GazeState}
    names = known | dict.fromkeys(EMPTY, GazeState.LOST.value)
    cells = table["gaze_state"].str.lower().tolist()
    for line, cell in zip(table.index, cells, strict=True):
        if cell not in names:
            raise TableError(
                path,
                found=f"'{cell}' in column 'gaze_state', line {line}",
                wanted=f"one of {', '.join(known)}",
                do="repair or remove the column",
            )
    return np.array([names[cell] for cell in cells], np.int8)
