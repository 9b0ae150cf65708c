"""Folders as Pupil Labs' Companion app writes them, of Neon and of Pupil Invisible: parts, frame times, gaze, worn.

    SCENE ps1.mp4, SCENE ps1.time   scene video and sound; int64 unix nanoseconds, one for each frame
    gaze ps1.raw / .time            float32 (x, y) scene pixels / int64 unix nanoseconds, as measured live
    gaze_200hz.raw / .time          the same, computed again at 200 Hz; preferred where present
    worn ps1.raw, worn_200hz.raw    uint8 for each measurement: 255 worn, 0 not worn
    info.json, wearer.json

"ps1" is part 1 of the recording. An interrupted one has several, which are shown one after the other on the phone's
clock; a part that is named by its video is shown alone.

Gaze is in pixels of the scene image, x right and y down from its top-left corner. The makers do not say whether a whole
number is a pixel's corner or its centre; it is taken as the corner, half a pixel (0.03 degrees) off at most.
Layouts followed: pupil-labs/pl-neon-recording@df16ae5.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from regard.errors import ClockError, FileError
from regard.io.clock import onto_video_clock, require_length, require_overlap
from regard.io.devices.device import Device
from regard.io.devices.lens import WITHOUT
from regard.io.devices.name import recording_id, wearer_in
from regard.io.devices.scene_size import require_shape
from regard.io.devices.track import measured
from regard.io.devices.unread import not_read
from regard.io.json_text import finite, read_json
from regard.io.media.looks import joined_streams
from regard.io.media.video import Video
from regard.types import Camera, GazeTrack, Recording

COPY_AGAIN = "copy the whole recording folder from the phone or Pupil Cloud again"

NOT_READ = {
    "gaze_[lr]*.raw": "each eye's own gaze",
    "eye_state*.raw": "pupil sizes and eyeballs",
    "blinks*.raw": "blinks",
    "fixations*.raw": "fixations",
    "extimu*.raw": "IMU",
    "event.txt": "events",
    "PI [lr]*.mp4": "eyes' videos",
    "Neon Sensor Module*.mp4": "eyes' videos",
}


class Glasses(NamedTuple):
    """What differs between the two: their names and those of scene videos, of how many pixels (height, width)."""

    name: str
    scene: str
    size: tuple[int, int]
    read_calibration: Callable[[Path], Camera]

    def videos(self, folder: Path) -> list[Path]:
        """The scene videos of all parts, in order."""
        return sorted((p for p in folder.glob(f"{self.scene}*.mp4")), key=lambda p: (_part_number(p), p.name))

    def is_folder(self, folder: Path) -> bool:
        """True for a folder with their native files, even where some of the gaze's are gone."""
        return bool(_gaze_names(folder)) and bool(self.videos(folder))

    def is_scene_video(self, path: Path) -> bool:
        """True for a scene video of such a folder."""
        return path.name.startswith(self.scene) and path.suffix == ".mp4" and self.is_folder(path.parent)

    def device(self) -> Device:
        """How their folders are recognised and opened; one part of several opens by its video."""
        return Device(
            name=self.name,
            files=f"{self.scene}*.mp4, gaze*.raw",
            is_folder=self.is_folder,
            open=lambda path: open_native(path, self),
            takes=self.is_scene_video,
            stamped_s=frame_clock_s,
        )


def open_native(path: Path, glasses: Glasses) -> Recording:
    """A native folder, or the scene video of one of its parts, as a Recording. Raises FileError or ClockError."""
    folder, videos = (path, glasses.videos(path)) if path.is_dir() else (path.parent, [path])
    info = folder / "info.json"
    about = read_json(info, wanted="the recording's info.json", do=COPY_AGAIN) if info.exists() else {}
    stamps = [_frame_ns(video.with_suffix(".time")) for video in videos]
    starts_s = [float((frame_ns[0] - stamps[0][0]) / 1e9) for frame_ns in stamps]
    frame_ns = np.concatenate(stamps)
    _require_increasing(videos[-1].with_suffix(".time"), frame_ns, "frame")
    frame_s, sizes = _frames(videos, starts_s)
    for video, size in zip(videos, sizes, strict=True):
        require_shape(video, size, glasses.size, do=COPY_AGAIN)
    _require_told_length(videos[-1], frame_s, about)
    gaze, notes = _read_gaze(folder, frame_ns, frame_s, glasses.size)
    camera = None
    if (folder / "calibration.bin").is_file():
        camera = glasses.read_calibration(folder / "calibration.bin")
    else:
        notes.append(f"no calibration.bin: {WITHOUT}")
    height, width = glasses.size
    if other := [size for size in sizes if size != glasses.size]:
        notes.append(
            f"the video has {other[0][1]} x {other[0][0]} pixels; gaze and camera are of {width} x {height}: scaled"
        )
    if (num := len(glasses.videos(folder))) > len(videos):
        notes.append(f"{path.name} alone is shown, of a recording in {num} parts")
    elif num > 1:
        notes.append(f"a recording in {num} parts; between them the last frame stays")
    picture, sound = joined_streams(videos, starts_s)
    return Recording(
        id=recording_id(path) if path.is_dir() else f"{recording_id(folder)}-{path.stem.rpartition(' ')[2]}",
        subject=_wearer(folder, about),
        video=picture,
        audio=sound,
        gaze=gaze,
        camera=camera,
        notes=(*notes, *_offset(about), *not_read(folder, NOT_READ)),
    )


def frame_clock_s(video: Path) -> Float64[np.ndarray, "m"] | None:
    """The device's own time of each frame of a scene video, from the first; None where there is no such file."""
    stamps = video.with_suffix(".time")
    if not stamps.is_file():
        return None
    frame_ns = _frame_ns(stamps)
    return (frame_ns - frame_ns[:1]) / 1e9


def _gaze_names(folder: Path) -> list[str]:
    """Of each part, and of what was computed again, where its points or its times lie there."""
    files = [path for kind in ("raw", "time") for path in folder.glob(f"gaze*.{kind}")]
    return sorted({path.stem for path in files if path.stem == "gaze_200hz" or path.stem.startswith("gaze ps")})


def _part_number(path: Path) -> int:
    found = re.search(r"ps(\d+)$", path.stem)
    return int(found[1]) if found else 0


def _frames(videos: list[Path], starts_s: list[float]) -> tuple[Float64[np.ndarray, "k"], list[tuple[int, int]]]:
    """When each frame of all parts is shown, and how large each part is."""
    times_s, sizes = [], []
    for video, start_s in zip(videos, starts_s, strict=True):
        with Video(video) as frames:
            times_s.append(frames.times_s + start_s)
            sizes.append(frames.size)
    return np.concatenate(times_s), sizes


def _require_told_length(video: Path, frame_s: Float64[np.ndarray, "k"], about: dict[str, Any]) -> None:
    if (told_ns := finite(about.get("duration"))) is not None:
        require_length(video, float(frame_s[-1]), told_ns / 1e9, by="info.json", do=COPY_AGAIN)


def _wearer(folder: Path, about: dict[str, Any]) -> str:
    file = folder / "wearer.json"
    wearer = read_json(file, wanted="the wearer's name", do=COPY_AGAIN) if file.is_file() else {}
    return wearer_in(about, wearer.get("name"))


def _offset(about: dict[str, Any]) -> list[str]:
    match about.get("gaze_offset"):
        case [x, y] if (finite(x), finite(y)) not in ((0, 0), (None, None)):
            return [f"info.json tells of a gaze offset of ({x}, {y}) pixels, which is not added to the recorded gaze"]
    return []


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


def _read_gaze(
    folder: Path, frame_ns: Int64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"], size: tuple[int, int]
) -> tuple[GazeTrack, list[str]]:
    names = _gaze_names(folder)
    live = [name for name in names if name != "gaze_200hz"]
    names = ["gaze_200hz"] if "gaze_200hz" in names else live
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
    point = np.where(valid[:, None], pixel.astype(np.float64) / size[::-1], np.nan)
    time_s = onto_video_clock((time_ns - frame_ns[0]) / 1e9, (frame_ns - frame_ns[0]) / 1e9, frame_s)
    path = folder / f"{parts[0].name}.time"
    require_overlap(path, time_s, float(frame_s[-1]), do=f"this gaze is of another recording: {COPY_AGAIN}")
    return measured(time_s, point), notes


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
        raise FileError(path, found="no such file", wanted="a file that belongs to the recording", do=COPY_AGAIN)
    size, item = path.stat().st_size, np.dtype(kind).itemsize * (2 if kind == "<f4" else 1)
    if size % item:
        raise FileError(path, found=f"{size} bytes", wanted=f"a multiple of {item}: a complete file", do=COPY_AGAIN)
    return np.fromfile(path, kind)
