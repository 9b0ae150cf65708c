"""Pupil Labs Neon: the native folder that the Companion app writes.

    2024-10-10_10-10-10-1a2b3c4d/
    ├── Neon Scene Camera v1 ps1.mp4, .time
    ├── gaze ps1.raw / .time, worn ps1.raw, gaze_200hz.raw / .time, worn_200hz.raw
    ├── info.json
    └── calibration.bin                      of the scene camera and the eye cameras

All but the calibration is in `regard.io.devices.companion_app`. Format: docs.pupil-labs.com/neon, "Native Recording
Data"; layouts followed: pupil-labs/pl-neon-recording@df16ae5.
"""

import zlib
from pathlib import Path

import numpy as np

from regard.errors import FileError
from regard.io.devices.companion_app import COPY_AGAIN, Glasses, open_native
from regard.types import Camera, Recording

SCENE_SIZE = (1200, 1600)
"""(height, width) in pixels of the scene image that gaze and calibration refer to."""

CALIBRATION = np.dtype(
    [("version", "u1"), ("serial", "S6"), ("matrix", "<f8", (3, 3)), ("distortion", "<f8", 8), ("rest", "V656"),
     ("crc32", "<u4")]
)  # fmt: skip
"""calibration.bin. "rest" holds the scene camera's pose (4x4) and, for the right and then the left eye camera, matrix,
distortion and pose; the checksum covers all bytes before it."""


def open_neon(path: Path) -> Recording:
    """A native Neon folder, or the scene video of one of its parts, as a Recording. Raises FileError or ClockError."""
    return open_native(path, NEON)


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


NEON = Glasses("Neon", "Neon Scene Camera", SCENE_SIZE, read_calibration)

DEVICE = NEON.device()
