"""Pupil Core: the folder that Pupil Player's raw data and world video exporters write (exports/000).

    000/
    ├── gaze_positions.csv     gaze_timestamp, confidence, norm_pos_x, norm_pos_y, and many more
    ├── world_timestamps.csv   # timestamps [seconds], pts: one line for each video frame
    ├── blinks.csv             start_timestamp, end_timestamp, where the blink detector was on
    └── world.mp4

    gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data
    9403.512,0,0.97,0.512,0.431,...

norm_pos has its origin at the bottom left, so y is turned over. Times are seconds of Pupil's own clock. Where two
measurements carry one time (the eyes' cameras are matched in pairs), the more confident one stays. Each blink is a
segment of kind "blink"; the gaze within it stays what its confidence makes of it.
Format: docs.pupil-labs.com/core, "Raw Data Exporter".
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import FileError, TableError
from regard.io.clock import onto_video_clock, require_increasing, require_overlap
from regard.io.devices.folder import drop_doubtful
from regard.io.devices.name import recording_id
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.io.tables import Column, read_columns, read_header
from regard.types import BLINK, GazeState, GazeTrack, Recording, Segment

FRAME_TIMES = ("# timestamps [seconds]", "timestamps [seconds]", "timestamp")
"""The frames' column, as different versions of Pupil Player name it."""

EXPORT_AGAIN = "export the recording again in Pupil Player, with the raw data and the world video exporter on"


def is_pupil_core(folder: Path) -> bool:
    """True for a folder with Pupil Player's gaze table."""
    return (folder / "gaze_positions.csv").is_file()


def open_pupil_core(path: Path, *, min_confidence: float) -> Recording:
    """A Pupil Player export folder as a Recording. Raises FileError, TableError or ClockError."""
    video = path / "world.mp4"
    if not video.is_file():
        raise FileError(
            path, found="gaze_positions.csv without world.mp4", wanted="both, from one export", do=EXPORT_AGAIN
        )
    with Video(video) as frames:
        frame_s = frames.times_s
    stamps = _frame_times(path / "world_timestamps.csv")
    gaze, notes = _read_gaze(path / "gaze_positions.csv", stamps, frame_s, min_confidence)
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(path),
        subject="unknown",
        video=picture,
        audio=sound,
        gaze=gaze,
        segments=_blinks(path / "blinks.csv", stamps, frame_s),
        notes=(*notes, "Pupil Player exports no camera: angles in degrees cannot be computed"),
    )


def frame_clock_s(video: Path) -> Float64[np.ndarray, "m"] | None:
    """Pupil's own time of each frame of world.mp4, from the first; None where there is no such table."""
    path = video.with_name("world_timestamps.csv")
    if not path.is_file() or not set(FRAME_TIMES) & set(read_header(path)):
        return None
    stamps = _frame_times(path)
    return stamps - stamps[0]


def _frame_times(path: Path) -> Float64[np.ndarray, "m"]:
    header = read_header(path)
    name = next((n for n in FRAME_TIMES if n in header), FRAME_TIMES[0])
    stamps = read_columns(path, (Column(name),), do=EXPORT_AGAIN)
    if len(stamps) == 0:
        raise FileError(path, found="no lines", wanted="a time for each video frame", do=EXPORT_AGAIN)
    require_increasing(path, stamps, name)
    return stamps[name].to_numpy()


def _read_gaze(
    path: Path, stamps: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"], min_confidence: float
) -> tuple[GazeTrack, list[str]]:
    table = read_columns(
        path,
        (
            Column("gaze_timestamp"),
            Column("confidence"),
            Column("norm_pos_x", empty=True),
            Column("norm_pos_y", empty=True),
        ),
        do=EXPORT_AGAIN,
    )
    best = table.sort_values(["gaze_timestamp", "confidence"], kind="stable").groupby("gaze_timestamp").tail(1)
    kept = table.loc[sorted(best.index)]
    require_increasing(path, kept, "gaze_timestamp")
    time_s = _on_video_clock(kept["gaze_timestamp"].to_numpy(), stamps, frame_s)
    require_overlap(path, time_s, float(frame_s[-1]), do="this gaze is of another recording: " + EXPORT_AGAIN)
    point = kept[["norm_pos_x", "norm_pos_y"]].to_numpy() * (1, -1) + (0, 1)
    state = np.where(np.isnan(point).any(axis=1), GazeState.LOST, GazeState.TRACKED).astype(np.int8)
    confidence = kept["confidence"].to_numpy()
    notes = [drop_doubtful(state, confidence, min_confidence)]
    if len(kept) < len(table):
        notes.append(
            f"{len(table) - len(kept)} gaze samples share their time with a more confident one and are left out"
        )
    point[state == GazeState.LOST] = np.nan
    return GazeTrack(time_s=time_s, point=point, state=state, confidence=confidence), notes


def _blinks(path: Path, stamps: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]) -> tuple[Segment, ...]:
    if not path.is_file():
        return ()
    table = read_columns(path, (Column("start_timestamp"), Column("end_timestamp")), do=EXPORT_AGAIN)
    start_s, end_s = (_on_video_clock(table[name].to_numpy(), stamps, frame_s) for name in table)
    if (wrong := end_s <= start_s).any():
        line = table.index[wrong][0]
        raise TableError(
            path,
            found=f"line {line}: a blink that ends when or before it starts",
            wanted="end_timestamp after start_timestamp",
            do=EXPORT_AGAIN,
        )
    return tuple(Segment(start_s=float(a), end_s=float(b), kind=BLINK) for a, b in zip(start_s, end_s, strict=True))


def _on_video_clock(
    pupil_s: Float64[np.ndarray, "n"], stamps: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> Float64[np.ndarray, "n"]:
    time_ns, stamp_ns = (np.round((t - stamps[0]) * 1e9).astype(np.int64) for t in (pupil_s, stamps))
    return onto_video_clock(time_ns, stamp_ns, frame_s)
