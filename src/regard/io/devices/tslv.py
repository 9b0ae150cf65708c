"""The scene camera in a tslv file of a Tobii Pro Glasses 2: records of type, status, length and value, gzipped."""

import gzip
import struct
import zlib
from pathlib import Path

from regard.errors import FileError
from regard.io.devices.lens import lens_told, tobii_camera
from regard.types import Camera

RECORD = struct.Struct("<HHI")
"""Of a tslv file: type, status, length of what follows, which is filled up to four bytes."""

CAMERA_TYPE, CAMERA = 300, struct.Struct("<2b2x3f9f2ff2f3f3f2h")
"""Id, place, position [3], rotation [3, 3], focal length [2], skew, principal point [2], radial [3] and tangential [3]
distortion, whose last number is 0, width, height."""


def read_camera(path: Path, *, do: str) -> Camera | None:
    """The first record of a camera; None where there is none. Raises FileError where the file is damaged before it."""
    if not path.is_file():
        return None
    wanted, do = "the scene camera's record", f"{do}; or remove the file and go without angles"
    try:
        with gzip.open(path) as file:
            content = _content(file)
    except (OSError, EOFError, zlib.error) as problem:
        raise FileError(path, found=f"unreadable: {problem}", wanted=wanted, do=do) from problem
    if content is None:
        return None
    with lens_told(path, wanted=wanted, do=do):
        fx, fy, skew, cx, cy, k1, k2, k3, p1, p2, _, width, height = CAMERA.unpack(content)[14:]
        lens = {"focal-length": (fx, fy), "principal-point": (cx, cy), "skew": skew, "resolution": (width, height)}
        return tobii_camera(lens | {"radial-distortion": (k1, k2, k3), "tangential-distortion": (p1, p2)})


def _content(file: gzip.GzipFile) -> bytes | None:
    while len(head := file.read(RECORD.size)) == RECORD.size:
        kind, _, length = RECORD.unpack(head)
        if kind == CAMERA_TYPE and length == CAMERA.size:
            content = file.read(length)
            if len(content) < length:
                raise EOFError("it ends within the camera's record")
            return content
        file.seek(length + -length % 4, 1)
    return None
