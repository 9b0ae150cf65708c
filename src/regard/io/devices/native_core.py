"""Pupil Core: the native folder that Pupil Capture writes.

    000/
    ├── world.mp4               frames stamped 30 a second, whatever the camera did
    ├── world_timestamps.npy    float64 seconds of Pupil's clock, one for each frame
    ├── world.intrinsics        msgpack: the scene camera
    ├── gaze.pldata             msgpack: pairs of a topic and a measurement, itself packed
    ├── gaze_timestamps.npy     float64 seconds of Pupil's clock, one for each measurement
    └── user_info.csv           the wearer's name

    ("gaze.3d.01.", {"norm_pos": [0.512, 0.431], "confidence": 0.97, "timestamp": 9403.512, ...})

The frames are shown at the times that are kept beside them. A topic ends with the eyes that it is from. Measurements
are put in the order of time, as Pupil Player does it; the rest is as in its export (`regard.io.devices.pupil_core`).
What Pupil Player mapped afterwards is not read: export it.
Format: pupil-labs/pupil, file_methods (PLData_Writer).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.errors import FileError
from regard.io.devices.core_gaze import core_track
from regard.io.devices.core_times import COPY_AGAIN, FRAMES, VIDEO, native_times_s, read_frame_times, read_seconds
from regard.io.devices.device import Device
from regard.io.devices.lens import WITHOUT, lens_told, require_lens
from regard.io.devices.name import recording_id
from regard.io.devices.scene_size import require_shape
from regard.io.devices.unread import not_read
from regard.io.json_text import finite
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.io.tables import Column, read_columns
from regard.types import Camera, GazeTrack, Recording

GAZE = "gaze.pldata"

NOT_READ = {
    "pupil.pldata": "pupil sizes",
    "eye*.mp4": "eyes' videos",
    "blinks.pldata": "blinks",
    "fixations.pldata": "fixations",
    "annotation*.pldata": "annotations",
    "offline_data/gaze-mappings/*.pldata": "gaze mapped in Pupil Player",
    "exports/*/gaze_positions.csv": "what Pupil Player exported",
}

MIN_PACKED, MAX_PACKED = 64, 2**20
"""Bytes of one measurement; it has a few hundred or thousand. A shorter file holds none, as where Pupil Capture was not
calibrated."""


def is_native_core(folder: Path) -> bool:
    """True for a folder with Pupil Capture's gaze and world video."""
    gaze = folder / GAZE
    return gaze.is_file() and gaze.stat().st_size >= MIN_PACKED and (folder / VIDEO).is_file()


def open_native_core(path: Path) -> Recording:
    """A native folder as a Recording. Raises FileError or ClockError."""
    video = path / VIDEO
    with Video(video) as frames:
        frame_s, size = frames.times_s, frames.size
    notes = []
    stamps = read_frame_times(path / FRAMES)
    if len(stamps) == len(frame_s):
        frame_s = stamps - stamps[0]
        notes.append(f"frame times are from {FRAMES}")
    else:
        notes.append(f"{FRAMES} has {len(stamps)} times for {len(frame_s)} frames: gaze is placed by the first alone")
    gaze, found = _read_gaze(path, stamps, frame_s)
    camera = _read_camera(path / "world.intrinsics") if (path / "world.intrinsics").is_file() else None
    if camera is None:
        notes.append(f"no world.intrinsics: {WITHOUT}")
    else:
        require_shape(video, size, (camera.height, camera.width), do=COPY_AGAIN)
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(path),
        subject=_wearer(path / "user_info.csv"),
        video=picture,
        audio=sound,
        gaze=gaze,
        camera=camera,
        notes=(*found, *notes, *not_read(path, NOT_READ)),
    )


def _read_gaze(
    folder: Path, stamps: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> tuple[GazeTrack, list[str]]:
    path = folder / GAZE
    rows, one_eyed = [], 0
    for number, (topic, packed) in enumerate(_pairs(path), start=1):
        match _unpacked(packed):
            case {"norm_pos": [x, y, *_], "confidence": confidence, "timestamp": time_s} if (
                None not in (row := [finite(value) for value in (time_s, confidence, x, y)]) and 0 <= confidence <= 1
            ):
                rows.append(row)
                one_eyed += topic.rstrip(".").rpartition(".")[2] in ("0", "1")
            case _:
                raise FileError(
                    path,
                    found=f"measurement {number} ({topic!r}), of another form",
                    wanted="norm_pos, confidence (0 to 1) and timestamp",
                    do=COPY_AGAIN,
                )
    told = len(read_seconds(folder / "gaze_timestamps.npy", "the time of each measurement, in seconds"))
    if len(rows) != told:
        raise FileError(
            path, found=f"{len(rows)} measurements", wanted=f"{told}, as gaze_timestamps.npy has", do=COPY_AGAIN
        )
    table = pd.DataFrame(rows, columns=["gaze_timestamp", "confidence", "norm_pos_x", "norm_pos_y"], dtype=np.float64)
    table = table.sort_values("gaze_timestamp", kind="stable", ignore_index=True)
    gaze, notes = core_track(path, table, stamps, frame_s, do=COPY_AGAIN)
    return gaze, [*notes, *[f"{one_eyed} of {len(rows)} gaze points are of one eye alone"] * bool(one_eyed)]


def _pairs(path: Path) -> Iterator[tuple[str, bytes]]:
    """Topic and packed measurement, one after the other. Raises FileError where there is anything else."""
    import msgpack

    number = 0
    try:
        with path.open("rb") as file:
            for pair in msgpack.Unpacker(file, max_bin_len=MAX_PACKED, max_str_len=MAX_PACKED, max_array_len=2):
                number += 1
                match pair:
                    case [str() as topic, bytes() as packed]:
                        yield topic, packed
                    case _:
                        raise ValueError("no pair of a topic and a measurement")
    except (ValueError, OSError, msgpack.UnpackException) as problem:
        raise FileError(
            path,
            found=f"unreadable at measurement {number}: {problem}",
            wanted="Pupil Capture's gaze",
            do=COPY_AGAIN,
        ) from problem


def _unpacked(packed: bytes) -> Any:
    """A packed object; None where it is none."""
    import msgpack

    try:
        return msgpack.unpackb(packed, strict_map_key=False)
    except (ValueError, msgpack.UnpackException):
        return None


def _read_camera(path: Path) -> Camera:
    """The scene camera, of a radial or a fisheye lens; of several sizes, the only one that has coefficients."""
    wanted, do = "the scene camera", f"{COPY_AGAIN}; or remove the file and go without angles"
    about = _unpacked(path.read_bytes()[:MAX_PACKED])
    lenses = [lens for lens in about.values() if isinstance(lens, dict)] if isinstance(about, dict) else []
    if len(lenses) != 1:
        raise FileError(path, found=f"{len(lenses)} cameras", wanted="one scene camera", do=do)
    with lens_told(path, wanted=wanted, do=do):
        (lens,) = lenses
        width, height = lens["resolution"]
        distortion = np.array(lens["dist_coefs"], np.float64).reshape(-1)
        is_fisheye = lens.get("cam_type") == "fisheye"
        camera = Camera(
            height=int(height),
            width=int(width),
            matrix=np.array(lens["camera_matrix"], np.float64).reshape(3, 3),
            distortion=np.pad(distortion, (0, 12 - len(distortion))) if is_fisheye else distortion,
            model="fisheye624" if is_fisheye else "pinhole",
        )
        require_lens(camera)
    return camera


def _wearer(path: Path) -> str:
    if not path.is_file():
        return "unknown"
    table = read_columns(path, (Column("key", "text"), Column("value", "text")), do=COPY_AGAIN)
    named = table.loc[table["key"] == "name", "value"].tolist()
    return (named[0] if named else "") or "unknown"


DEVICE = Device(
    name="Pupil Core",
    files="gaze.pldata, world.mp4",
    is_folder=is_native_core,
    open=open_native_core,
    yields=True,
    shown_s=native_times_s,
)
