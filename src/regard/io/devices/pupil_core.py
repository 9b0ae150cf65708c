"""Pupil Core: the folder that Pupil Player's raw data and world video exporters write (exports/000).

    000/
    ├── gaze_positions.csv     gaze_timestamp, confidence, norm_pos_x, norm_pos_y, and many more
    ├── world_timestamps.csv   # timestamps [seconds], pts: one line for each video frame
    ├── blinks.csv             start_timestamp, end_timestamp, where the blink detector was on
    └── world.mp4

    gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data
    9403.512,0,0.97,0.512,0.431,...

Older exports call the first column "timestamp", and have world_timestamps.npy, whose times their film is shown at.

norm_pos has its origin at the bottom left, so y is turned over. Times are seconds of Pupil's own clock. Where two
measurements carry one time (the eyes' cameras are matched in pairs), the more confident one stays. Each blink is a
segment of kind "blink"; the gaze within it stays what its confidence makes of it.
Format: docs.pupil-labs.com/core, "Raw Data Exporter".
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import FileError, TableError
from regard.io.clock import require_increasing
from regard.io.devices.annotations import read_confidence
from regard.io.devices.core_gaze import core_track, on_video_clock
from regard.io.devices.core_times import native_times_s, read_frame_times
from regard.io.devices.device import Device
from regard.io.devices.name import recording_id
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.io.tables import Column, read_columns, read_header
from regard.types import BLINK, GazeTrack, Recording, Segment

FRAME_TIMES = ("# timestamps [seconds]", "timestamps [seconds]", "timestamp")
"""The frames' column, as different versions of Pupil Player name it."""

GAZE_TIMES = ("gaze_timestamp", "timestamp")
"""The gaze table's column: today's name, and that of Pupil Player before 1.13."""

EXPORT_AGAIN = "export the recording again in Pupil Player, with the raw data and the world video exporter on"


def is_pupil_core(folder: Path) -> bool:
    """True for a folder with Pupil Player's gaze table."""
    return (folder / "gaze_positions.csv").is_file()


def open_pupil_core(path: Path) -> Recording:
    """A Pupil Player export folder as a Recording. Raises FileError, TableError or ClockError."""
    video = path / "world.mp4"
    if not video.is_file():
        raise FileError(
            path, found="gaze_positions.csv without world.mp4", wanted="both, from one export", do=EXPORT_AGAIN
        )
    with Video(video) as frames:
        frame_s = frames.times_s
    stamps, notes = _frame_times(path / "world_timestamps.csv"), []
    if (taken_s := native_times_s(video)) is not None and len(taken_s) == len(frame_s):
        frame_s = taken_s
        notes.append("frame times are from world_timestamps.npy")
    gaze, found = _read_gaze(path / "gaze_positions.csv", stamps, frame_s)
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(path),
        subject="unknown",
        video=picture,
        audio=sound,
        gaze=gaze,
        segments=_blinks(path / "blinks.csv", stamps, frame_s),
        notes=(*found, *notes, "Pupil Player exports no camera: angles in degrees cannot be computed"),
    )


def frame_clock_s(video: Path) -> Float64[np.ndarray, "m"] | None:
    """Pupil's own time of each frame of world.mp4, from the first; None where there is no such table."""
    path = video.with_name("world_timestamps.csv")
    if not path.is_file() or not set(FRAME_TIMES) & set(read_header(path)):
        return None
    stamps = _frame_times(path)
    return stamps - stamps[0]


def _frame_times(path: Path) -> Float64[np.ndarray, "m"]:
    """Of the table, or of the array that older versions of Pupil Player wrote in its place."""
    if not path.exists() and path.with_suffix(".npy").is_file():
        return read_frame_times(path.with_suffix(".npy"))
    header = read_header(path)
    name = next((n for n in FRAME_TIMES if n in header), FRAME_TIMES[0])
    stamps = read_columns(path, (Column(name),), do=EXPORT_AGAIN)
    if len(stamps) == 0:
        raise FileError(path, found="no lines", wanted="a time for each video frame", do=EXPORT_AGAIN)
    require_increasing(path, stamps, name)
    return stamps[name].to_numpy()


def _read_gaze(
    path: Path, stamps: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> tuple[GazeTrack, list[str]]:
    header = read_header(path)
    name = next((n for n in GAZE_TIMES if n in header), GAZE_TIMES[0])
    table = read_columns(
        path,
        (Column(name), Column("confidence"), Column("norm_pos_x", empty=True), Column("norm_pos_y", empty=True)),
        do=EXPORT_AGAIN,
    )
    read_confidence(path, table, do=EXPORT_AGAIN)
    table = table.rename(columns={name: "gaze_timestamp"})
    return core_track(path, table, stamps, frame_s, do=EXPORT_AGAIN)


def _blinks(path: Path, stamps: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]) -> tuple[Segment, ...]:
    if not path.is_file():
        return ()
    table = read_columns(path, (Column("start_timestamp"), Column("end_timestamp")), do=EXPORT_AGAIN)
    start_s, end_s = (on_video_clock(table[name].to_numpy(), stamps, frame_s) for name in table)
    if (wrong := end_s <= start_s).any():
        line = table.index[wrong][0]
        raise TableError(
            path,
            found=f"line {line}: a blink that ends when or before it starts",
            wanted="end_timestamp after start_timestamp",
            do=EXPORT_AGAIN,
        )
    return tuple(Segment(start_s=float(a), end_s=float(b), kind=BLINK) for a, b in zip(start_s, end_s, strict=True))


DEVICE = Device(
    name="Pupil Player's export of Pupil Core",
    files="gaze_positions.csv, world.mp4",
    is_folder=is_pupil_core,
    open=open_pupil_core,
    stamped_s=frame_clock_s,
)
