"""Pupil Labs Neon: the native folder that the Companion app writes.

    2024-10-10_10-10-10-1a2b3c4d/
    ├── info.json
    ├── Neon Scene Camera v1 ps1.mp4    scene video and sound; "ps1" is part 1 of the recording
    ├── Neon Scene Camera v1 ps1.time   int64 unix nanoseconds, one for each frame
    ├── gaze ps1.raw / .time            float32 (x, y) scene pixels / int64 unix nanoseconds, as measured live
    ├── gaze_200hz.raw / .time          the same, computed again at 200 Hz; preferred where present
    ├── worn ps1.raw, worn_200hz.raw    uint8 for each measurement: 255 worn, 0 not worn
    └── calibration.bin                 of the scene camera and the eye cameras

Gaze is in pixels of the 1600x1200 scene image, x right and y down from its top-left corner. The makers do not say
whether a whole number is a pixel's corner or its centre; it is taken as the corner, half a pixel (0.03 degrees) off at
most.
Format: docs.pupil-labs.com/neon, "Native Recording Data"; layouts followed: pupil-labs/pl-neon-recording@df16ae5.
"""

import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from regard.errors import ClockError, FileError
from regard.io.clock import onto_video_clock
from regard.io.json_text import read_json
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.types import Camera, GazeState, GazeTrack, Recording

SCENE_SIZE = (1200, 1600)
"""(height, width) in pixels of the scene image that gaze and calibration refer to."""

CALIBRATION = np.dtype(
    [("version", "u1"), ("serial", "S6"), ("matrix", "<f8", (3, 3)), ("distortion", "<f8", 8), ("rest", "V656"),
     ("crc32", "<u4")]
)  # fmt: skip
"""calibration.bin. "rest" holds the scene camera's pose (4x4) and, for the right and then the left eye camera, matrix,
distortion and pose; the checksum covers all bytes before it."""

COPY_AGAIN = "copy the whole recording folder from the phone or Pupil Cloud again"


def is_neon(folder: Path) -> bool:
    """True for a folder with Neon's native files."""
    return any(folder.glob("Neon Scene Camera*.mp4")) and any(folder.glob("gaze*.raw"))


def open_neon(path: Path) -> Recording:
    """A native Neon folder as a Recording. Raises FileError or ClockError."""
    info = path / "info.json"
    about = read_json(info, wanted="Neon's info.json", do=COPY_AGAIN) if info.exists() else {}
    video = _scene_video(path)
    with Video(video) as frames:
        frame_s, size = frames.times_s, frames.size
    frame_ns = _read(video.with_suffix(".time"), "<i8")
    if len(frame_ns) == 0:
        raise FileError(video.with_suffix(".time"), found="no frame times", wanted="one for each frame", do=COPY_AGAIN)
    gaze, notes = _read_gaze(path, frame_ns, frame_s)
    camera = None
    if (path / "calibration.bin").is_file() and size == SCENE_SIZE:
        camera = read_calibration(path / "calibration.bin")
    else:
        notes.append("no calibration.bin that fits the video: angles in degrees cannot be computed")
    picture, sound = media_streams(video)
    return Recording(
        id=path.resolve().name,
        subject=str(about.get("wearer_name") or about.get("wearer_id") or "unknown"),
        video=picture,
        audio=sound,
        gaze=gaze,
        camera=camera,
        notes=tuple(notes),
    )


def frame_clock_s(video: Path) -> Float64[np.ndarray, "m"] | None:
    """The device's own time of each frame of a Neon scene video, from the first; None where there is no such file."""
    stamps = video.with_suffix(".time")
    if not stamps.is_file():
        return None
    frame_ns = _read(stamps, "<i8")
    return (frame_ns - frame_ns[:1]) / 1e9


def read_calibration(path: Path) -> Camera:
    """The scene camera in calibration.bin: OpenCV's pinhole model with eight coefficients. Raises FileError."""
    content = path.read_bytes()
    whole = len(content) == CALIBRATION.itemsize
    data = np.frombuffer(content, CALIBRATION)[0] if whole else None
    if data is None or int(data["crc32"]) != zlib.crc32(content[:-4]):
        raise FileError(
            path,
            found="a checksum that does not fit" if whole else f"{len(content)} bytes",
            wanted=f"Neon's calibration, {CALIBRATION.itemsize} bytes",
            do=COPY_AGAIN + "; or remove calibration.bin and go without angles",
        )
    return Camera(
        height=SCENE_SIZE[0],
        width=SCENE_SIZE[1],
        matrix=data["matrix"].astype(np.float64),
        distortion=data["distortion"].astype(np.float64),
    )


def _scene_video(folder: Path) -> Path:
    videos = sorted(folder.glob("Neon Scene Camera*.mp4"))
    if len(videos) > 1:
        raise FileError(
            folder,
            found=f"{len(videos)} parts ({', '.join(v.name for v in videos)}): the recording was interrupted",
            wanted="a recording in one part",
            do="open Pupil Cloud's export of it ('Timeseries Data + Scene Video'), which joins the parts",
        )
    return videos[0]


def _read_gaze(
    folder: Path, frame_ns: Int64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> tuple[GazeTrack, list[str]]:
    live = [p.stem for p in sorted(folder.glob("gaze ps*.raw"))]
    name = "gaze_200hz" if (folder / "gaze_200hz.raw").is_file() else live[0]
    time_ns = _read(folder / f"{name}.time", "<i8")
    pixel = _read(folder / f"{name}.raw", "<f4").reshape(-1, 2)
    _require_one_length(folder / f"{name}.raw", len(pixel), len(time_ns))
    backwards = np.flatnonzero(np.diff(time_ns) <= 0)
    if len(backwards):
        raise ClockError(
            folder / f"{name}.time",
            found=f"a time that does not increase, at measurement {backwards[0] + 1} of {len(time_ns)}",
            wanted="times that strictly increase",
            do=COPY_AGAIN,
        )
    notes = [f"gaze is from {name}.raw" + (f", not the live {live[0]}.raw" if live and name not in live else "")]
    worn = _read_worn(folder / f"{name.replace('gaze', 'worn')}.raw", len(time_ns))
    if worn is None:
        notes.append("no worn file beside the gaze: every measurement counts as valid")
        worn = np.ones(len(time_ns), bool)
    valid = worn & np.isfinite(pixel).all(axis=1)
    point = np.where(valid[:, None], pixel.astype(np.float64) / SCENE_SIZE[::-1], np.nan)
    return GazeTrack(
        time_s=onto_video_clock(time_ns, frame_ns, frame_s),
        point=point,
        state=np.where(valid, GazeState.TRACKED, GazeState.LOST).astype(np.int8),
    ), notes


def _read_worn(path: Path, n: int) -> Bool[np.ndarray, "n"] | None:
    """True where the glasses were worn; some files carry one more byte, a line feed, at the end."""
    if not path.is_file():
        return None
    worn = _read(path, "u1")
    if len(worn) == n + 1 and worn[-1] == ord("\n"):
        worn = worn[:-1]
    _require_one_length(path, len(worn), n)
    return worn != 0


def _require_one_length(path: Path, found: int, wanted: int) -> None:
    if found != wanted:
        raise FileError(
            path, found=f"{found} measurements", wanted=f"{wanted}, as many as in its .time file", do=COPY_AGAIN
        )


def _read(path: Path, kind: str) -> np.ndarray:
    """A file that is nothing but numbers of one kind."""
    if not path.is_file():
        raise FileError(path, found="no such file", wanted="a file that belongs to a Neon recording", do=COPY_AGAIN)
    size, item = path.stat().st_size, np.dtype(kind).itemsize * (2 if kind == "<f4" else 1)
    if size % item:
        raise FileError(path, found=f"{size} bytes", wanted=f"a multiple of {item}: a complete file", do=COPY_AGAIN)
    return np.fromfile(path, kind)
