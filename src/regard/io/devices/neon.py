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
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from regard.errors import ClockError, FileError
from regard.io.clock import onto_video_clock
from regard.io.devices.name import recording_id
from regard.io.json_text import read_json
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.types import Camera, GazeState, GazeTrack, Recording

SCENE = "Neon Scene Camera"

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
    return bool(_videos(folder)) and any(folder.glob("gaze*.raw"))


def is_scene_video(path: Path) -> bool:
    """True for a scene video of such a folder, by its name."""
    return path.name.startswith(SCENE) and path.suffix == ".mp4"


def open_neon(path: Path) -> Recording:
    """A native Neon folder, or the scene video of one of its parts, as a Recording. Raises FileError or ClockError."""
    folder, video = (path, _only_video(path)) if path.is_dir() else (path.parent, path)
    info = folder / "info.json"
    about = read_json(info, wanted="Neon's info.json", do=COPY_AGAIN) if info.exists() else {}
    with Video(video) as frames:
        frame_s, size = frames.times_s, frames.size
    frame_ns = _frame_ns(video.with_suffix(".time"))
    gaze, notes = _read_gaze(folder, frame_ns, frame_s)
    camera = None
    if (folder / "calibration.bin").is_file():
        camera = read_calibration(folder / "calibration.bin")
    else:
        notes.append("no calibration.bin: angles in degrees cannot be computed")
    if size != SCENE_SIZE:
        notes.append(f"the video has {size[1]} x {size[0]} pixels; gaze and camera are of 1600 x 1200: scaled")
    parts = _videos(folder)
    if len(parts) > 1:
        notes.append(f"{video.name} alone is shown, of a recording in {len(parts)} parts")
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(path) if path.is_dir() else f"{recording_id(folder)}-{video.stem.rpartition(' ')[2]}",
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
    frame_ns = _frame_ns(stamps)
    return (frame_ns - frame_ns[:1]) / 1e9


def _frame_ns(path: Path) -> Int64[np.ndarray, "m"]:
    frame_ns = _read(path, "<i8")
    if len(frame_ns) == 0:
        raise FileError(path, found="no frame times", wanted="one for each frame", do=COPY_AGAIN)
    _require_increasing(path, frame_ns, "frame")
    return frame_ns


def _require_increasing(path: Path, time_ns: Int64[np.ndarray, "n"], what: str) -> None:
    backwards = np.flatnonzero(np.diff(time_ns) <= 0)
    if len(backwards):
        raise ClockError(
            path,
            found=f"a time that does not increase, at {what} {backwards[0] + 1} of {len(time_ns)}",
            wanted="times that strictly increase",
            do=COPY_AGAIN,
        )


def read_calibration(path: Path) -> Camera:
    """The scene camera in calibration.bin: OpenCV's pinhole model with eight coefficients. Raises FileError."""
    return calibration_of(path.read_bytes(), path)


def calibration_of(content: bytes, where: Path | str) -> Camera:
    """The same of the file's bytes, from `where`."""
    whole = len(content) == CALIBRATION.itemsize
    data = np.frombuffer(content, CALIBRATION)[0] if whole else None
    if data is None or int(data["crc32"]) != zlib.crc32(content[:-4]):
        raise FileError(
            where,
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


def _videos(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{SCENE}*.mp4"))


def _only_video(folder: Path) -> Path:
    videos = _videos(folder)
    if len(videos) > 1:
        raise FileError(
            folder,
            found=f"{len(videos)} parts ({', '.join(v.name for v in videos)}): the recording was interrupted",
            wanted="a recording in one part",
            do="name the video of one part; or open Pupil Cloud's export ('Timeseries Data + Scene Video'), which "
            "joins the parts",
        )
    return videos[0]


def _read_gaze(
    folder: Path, frame_ns: Int64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> tuple[GazeTrack, list[str]]:
    live = [p.stem for p in folder.glob("gaze ps*.raw")]
    names = ["gaze_200hz"] if (folder / "gaze_200hz.raw").is_file() else live
    parts = sorted((_read_part(folder, name) for name in names), key=lambda part: part.time_ns[:1].tolist())
    time_ns, pixel, worn = (np.concatenate([getattr(p, kind) for p in parts]) for kind in ("time_ns", "pixel", "worn"))
    _require_increasing(folder / f"{parts[-1].name}.time", time_ns, "measurement")
    notes = [
        "gaze is from "
        + ", ".join(f"{part.name}.raw" for part in parts)
        + (f", not the live {', '.join(f'{n}.raw' for n in sorted(live))}" if live and names != live else "")
    ]
    if without := [part.name for part in parts if not part.knows_worn]:
        notes.append(f"no worn file beside the gaze ({', '.join(without)}): every measurement counts as valid")
    valid = worn & np.isfinite(pixel).all(axis=1)
    point = np.where(valid[:, None], pixel.astype(np.float64) / SCENE_SIZE[::-1], np.nan)
    return GazeTrack(
        time_s=onto_video_clock(time_ns, frame_ns, frame_s),
        point=point,
        state=np.where(valid, GazeState.TRACKED, GazeState.LOST).astype(np.int8),
    ), notes


class _Part(NamedTuple):
    """The gaze of one part: an interrupted recording has several, one after the other on one clock."""

    name: str
    time_ns: Int64[np.ndarray, "n"]
    pixel: Float32[np.ndarray, "n 2"]
    worn: Bool[np.ndarray, "n"]
    knows_worn: bool


def _read_part(folder: Path, name: str) -> _Part:
    time_ns = _read(folder / f"{name}.time", "<i8")
    pixel = _read(folder / f"{name}.raw", "<f4").reshape(-1, 2)
    _require_one_length(folder / f"{name}.raw", len(pixel), len(time_ns))
    _require_increasing(folder / f"{name}.time", time_ns, "measurement")
    worn = _read_worn(folder / f"{name.replace('gaze', 'worn')}.raw", len(time_ns))
    everywhere = np.ones(len(time_ns), bool)
    return _Part(name, time_ns, pixel, everywhere if worn is None else worn, worn is not None)


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
