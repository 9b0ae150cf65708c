"""Pupil Cloud's export ("Timeseries Data + Scene Video") of a Neon or Pupil Invisible recording.

    2024-10-10_10-10-10-1a2b3c4d/
    ├── gaze.csv               timestamp [ns], gaze x [px], gaze y [px]; often worn, fixation id, blink id
    ├── world_timestamps.csv   timestamp [ns] of each video frame
    ├── scene_camera.json      camera_matrix, distortion_coefficients
    ├── info.json
    └── 1a2b3c4d_0.0-44.9.mp4  the scene video

    recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id
    9f1c...,1728546109222467160,822.735,896.811,1,4,

A measurement inside a fixation is FIXATION, one inside a blink (or not worn) LOST, any other TRACKED: the export does
not tell saccades from pursuit. Each blink is a segment of kind "blink". Pixels are taken as in
`regard.io.devices.neon`. Format: docs.pupil-labs.com/neon, "Pupil Cloud data format".
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64

from regard.errors import FileError
from regard.io.clock import onto_video_clock, require_increasing, require_overlap
from regard.io.devices.device import Device
from regard.io.devices.folder import video_files
from regard.io.devices.lens import WITHOUT, lens_told, require_lens
from regard.io.devices.name import recording_id, wearer_in
from regard.io.devices.scene_size import scene_size
from regard.io.json_text import read_json
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.io.tables import EMPTY, Column, read_columns, read_header
from regard.types import BLINK, Camera, GazeState, GazeTrack, Recording, Segment

STAMP, FRAMES = "timestamp [ns]", "world_timestamps.csv"
EXPORT_AGAIN = "download 'Timeseries Data + Scene Video' from Pupil Cloud again"
LENS, LENS_AGAIN = "camera_matrix and distortion_coefficients", f"{EXPORT_AGAIN}; or remove it and go without angles"


def is_pupil_cloud(folder: Path) -> bool:
    """True for a folder whose gaze.csv, or whose frame times without a gaze.csv of one's own, are Pupil Cloud's."""
    gaze, frames = (
        ",".join(read_header(table)) if (table := folder / name).is_file() else "" for name in ("gaze.csv", FRAMES)
    )
    return STAMP in gaze or (STAMP in frames and "timestamp_s" not in gaze)


def open_pupil_cloud(path: Path) -> Recording:
    """A Pupil Cloud export folder as a Recording. Raises FileError, TableError or ClockError."""
    videos = video_files(path)
    if len(videos) != 1:
        raise FileError(
            path,
            found=f"{len(videos)} videos beside gaze.csv",
            wanted="the scene video",
            do="download 'Timeseries Data + Scene Video' from Pupil Cloud" if not videos else "leave only that one",
        )
    video = videos[0]
    with Video(video) as frames:
        frame_s, size = frames.times_s, frames.size
    frame_ns = _frame_ns(path / FRAMES)
    gaze = path / "gaze.csv"
    table = read_columns(
        gaze,
        (
            Column(STAMP, "integer"),
            Column("gaze x [px]", empty=True),
            Column("gaze y [px]", empty=True),
            Column("worn", "text", required=False),
            Column("fixation id", "text", required=False),
            Column("blink id", "text", required=False),
        ),
        do=EXPORT_AGAIN,
    )
    require_increasing(gaze, table, STAMP)
    time_ns = table[STAMP].to_numpy()
    time_s = onto_video_clock((time_ns - frame_ns[0]) / 1e9, (frame_ns - frame_ns[0]) / 1e9, frame_s)
    require_overlap(gaze, time_s, float(frame_s[-1]), do="this gaze is of another recording: " + EXPORT_AGAIN)
    file, camera = path / "scene_camera.json", None
    if file.is_file():
        matrix, distortion = _read_camera(file)
        counted_in, note = scene_size(video, size, principal=(matrix[0, 2], matrix[1, 2]), do=EXPORT_AGAIN)
        camera = Camera(height=counted_in[0], width=counted_in[1], matrix=matrix, distortion=distortion)
        with lens_told(file, wanted=LENS, do=LENS_AGAIN):
            require_lens(camera)
    else:
        counted_in, note = scene_size(video, size, principal=None, do=EXPORT_AGAIN)
    notes = [*[f"no scene_camera.json: {WITHOUT}"] * (camera is None), *[note] * bool(note)]
    point = table[["gaze x [px]", "gaze y [px]"]].to_numpy() / counted_in[::-1]
    lost = np.isnan(point).any(axis=1) | _has(table, "blink id")
    if "worn" in table:
        lost |= table["worn"].str.lower().isin(("0", "0.0", "false")).to_numpy()
    state = np.where(_has(table, "fixation id"), GazeState.FIXATION, GazeState.TRACKED)
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(path),
        subject=_wearer(path / "info.json"),
        video=picture,
        audio=sound,
        gaze=GazeTrack(
            time_s=time_s,
            point=np.where(lost[:, None], np.nan, point),
            state=np.where(lost, GazeState.LOST, state).astype(np.int8),
        ),
        camera=camera,
        segments=_blinks(table, time_s),
        notes=tuple(notes),
    )


def frame_clock_s(video: Path) -> np.ndarray | None:
    """The device's own time of each frame of an exported video, from the first; None where there is no such table."""
    stamps = video.with_name(FRAMES)
    if not stamps.is_file() or STAMP not in read_header(stamps):
        return None
    frame_ns = _frame_ns(stamps)
    return (frame_ns - frame_ns[0]) / 1e9


def _frame_ns(path: Path) -> np.ndarray:
    stamps = read_columns(path, (Column(STAMP, "integer"),), do=EXPORT_AGAIN)
    if len(stamps) == 0:
        raise FileError(path, found="no lines", wanted="a time for each video frame", do=EXPORT_AGAIN)
    require_increasing(path, stamps, STAMP)
    return stamps[STAMP].to_numpy()


def _has(table: pd.DataFrame, name: str) -> Bool[np.ndarray, "n"]:
    """True where a line has an id in that column."""
    if name not in table:
        return np.zeros(len(table), bool)
    return ~table[name].str.lower().isin(EMPTY).to_numpy()


def _read_camera(path: Path) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "k"]]:
    """Matrix and distortion."""
    about: Any = read_json(path, wanted=LENS, do=LENS_AGAIN)
    with lens_told(path, wanted=LENS, do=LENS_AGAIN):
        coefficients = about.get("distortion_coefficients", about.get("dist_coefs"))
        matrix = np.array(about["camera_matrix"], np.float64).reshape(3, 3)
        return matrix, np.array(coefficients, np.float64).reshape(-1)


def _blinks(table: pd.DataFrame, time_s: Float64[np.ndarray, "n"]) -> tuple[Segment, ...]:
    """From the first measurement of each blink to the one after its last."""
    if "blink id" not in table or len(table) < 2:
        return ()
    inside = _has(table, "blink id")
    ids = table["blink id"].to_numpy()
    first = np.flatnonzero(inside & np.append(True, ~inside[:-1] | (ids[1:] != ids[:-1])))
    last = np.flatnonzero(inside & np.append(~inside[1:] | (ids[1:] != ids[:-1]), True))
    end_s = np.append(time_s[1:], time_s[-1] + np.median(np.diff(time_s)))
    return tuple(
        Segment(start_s=float(time_s[a]), end_s=float(end_s[b]), kind=BLINK) for a, b in zip(first, last, strict=True)
    )


def _wearer(path: Path) -> str:
    about = read_json(path, wanted="info.json of the export", do=EXPORT_AGAIN) if path.exists() else {}
    return wearer_in(about)


DEVICE = Device(
    name="Pupil Cloud's export",
    files="gaze.csv, world_timestamps.csv",
    is_folder=is_pupil_cloud,
    open=open_pupil_cloud,
    stamped_s=frame_clock_s,
)
