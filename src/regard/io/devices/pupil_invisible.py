"""Pupil Invisible: the native folder that the Companion app writes.

    2023-05-26_10-13-32-9c8b7a6d/
    ├── PI world v1 ps1.mp4, .time
    ├── gaze ps1.raw / .time, worn ps1.raw, gaze_200hz.raw / .time
    ├── info.json, wearer.json
    └── calibration.bin             of the scene camera

All but the calibration is in `regard.io.devices.companion_app`. Format: pupil-labs/pl-rec-export;
dcnieho/glassesTools@456cfee.
"""

from pathlib import Path

import numpy as np

from regard.errors import FileError
from regard.io.devices.companion_app import COPY_AGAIN, Glasses, open_native
from regard.io.devices.lens import lens_told, require_lens
from regard.types import Camera, Recording

SCENE_SIZE = (1080, 1088)
"""(height, width) in pixels of the scene image that gaze and calibration refer to."""

CALIBRATION = np.dtype(
    [("serial", "S5"), ("matrix", "<f8", (3, 3)), ("distortion", "<f8", 8), ("extrinsics", "<f8", (3, 3))]
)
"""calibration.bin; it has no checksum."""


def open_invisible(path: Path) -> Recording:
    """A native folder, or the scene video of one of its parts, as a Recording. Raises FileError or ClockError."""
    return open_native(path, INVISIBLE)


def read_calibration(path: Path) -> Camera:
    """The scene camera in calibration.bin: OpenCV's pinhole model with eight coefficients. Raises FileError."""
    content = path.read_bytes()
    wanted = f"the scene camera's calibration, {CALIBRATION.itemsize} bytes"
    do = f"{COPY_AGAIN}; or remove calibration.bin and go without angles"
    if len(content) != CALIBRATION.itemsize:
        raise FileError(path, found=f"{len(content)} bytes", wanted=wanted, do=do)
    data = np.frombuffer(content, CALIBRATION)[0]
    camera = Camera(
        height=SCENE_SIZE[0],
        width=SCENE_SIZE[1],
        matrix=data["matrix"].astype(np.float64),
        distortion=data["distortion"].astype(np.float64),
    )
    with lens_told(path, wanted=wanted, do=do):
        require_lens(camera)
    return camera


INVISIBLE = Glasses("Pupil Invisible", "PI world v1", SCENE_SIZE, read_calibration)

DEVICE = INVISIBLE.device()
