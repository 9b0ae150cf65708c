"""The scene camera as files tell it, with one clear error where no lens has such numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from regard.errors import FileError
from regard.io.json_text import read_json
from regard.types import Camera

NUM_DISTORTION = {"pinhole": (0, 4, 5, 8), "fisheye624": (12,)}
"""How many distortion coefficients each camera model may have."""

WITHOUT = "angles in degrees cannot be computed"


def read_camera(path: Path) -> Camera:
    """camera.json as a Camera; conventions as in `regard.types.Camera`."""
    wanted = '{"height", "width", "matrix": 3x3, optional "distortion" and "model"}'
    do = "repair or remove the file"
    about: Any = read_json(path, wanted=wanted, do=do)
    with lens_told(path, wanted=wanted, do=do):
        return camera_told(about)


def camera_told(about: Any) -> Camera:
    """A camera from the object of a camera.json. Raises what `lens_told` turns into a FileError."""
    model = about.get("model", "pinhole")
    if model not in tuple(NUM_DISTORTION):
        raise ValueError(f"model {model!r}")
    camera = Camera(
        height=int(about["height"]),
        width=int(about["width"]),
        matrix=np.array(about["matrix"], np.float64).reshape(3, 3),
        distortion=np.array(about.get("distortion", []), np.float64).reshape(-1),
        model=model,
    )
    require_lens(camera)
    return camera


def camera_json(camera: Camera) -> dict[str, object]:
    """The object that `camera_told` makes the same camera from."""
    sizes = {"height": camera.height, "width": camera.width, "model": camera.model}
    return sizes | {"matrix": camera.matrix.tolist(), "distortion": camera.distortion.tolist()}


def tobii_camera(lens: dict[str, Any]) -> Camera:
    """A camera from Tobii's numbers: focal length, principal point [2], skew, radial [3], tangential [2], resolution.

    Keys are as in recording.g3. Raises what `lens_told` turns into a FileError.
    """
    (fx, fy), (cx, cy) = lens["focal-length"], lens["principal-point"]
    (k1, k2, k3), (p1, p2) = lens["radial-distortion"], lens["tangential-distortion"]
    width, height = lens["resolution"]
    camera = Camera(
        height=int(height),
        width=int(width),
        matrix=np.array([[fx, lens["skew"], cx], [0, fy, cy], [0, 0, 1]], np.float64),
        distortion=np.array([k1, k2, p1, p2, k3], np.float64),
    )
    require_lens(camera)
    return camera


@contextmanager
def lens_told(path: Path, *, wanted: str, do: str) -> Iterator[None]:
    """Say of which file the numbers are that make no camera: a FileError."""
    try:
        yield
    except (ValueError, OverflowError, KeyError, TypeError) as problem:
        found = f"no {problem}" if isinstance(problem, KeyError) else f"numbers of no camera ({problem})"
        raise FileError(path, found=found, wanted=wanted, do=do) from problem


def require_lens(camera: Camera) -> None:
    """Raise ValueError where no lens has these numbers."""
    if (wrong := _wrong_with(camera)) is not None:
        raise ValueError(wrong)


def _wrong_with(camera: Camera) -> str | None:
    """Why no lens has these numbers; None where one may."""
    allowed = NUM_DISTORTION[camera.model]
    if len(camera.distortion) not in allowed:
        return f"{len(camera.distortion)} distortion coefficients, {camera.model} has {' or '.join(map(str, allowed))}"
    if camera.height < 1 or camera.width < 1:
        return f"an image of {camera.height} x {camera.width} pixels"
    if not (np.isfinite(camera.matrix).all() and np.isfinite(camera.distortion).all()):
        return "a number that is not finite"
    if camera.matrix[0, 0] <= 0 or camera.matrix[1, 1] <= 0:
        return "a focal length (the matrix's first two diagonal numbers) that is not above 0"
    at = camera.matrix[:2, 2] / (camera.width, camera.height)
    if ((at < 0) | (at > 1)).any():
        x, y = camera.matrix[:2, 2]
        return f"a middle (matrix, last column) of ({x:g}, {y:g}), outside the image: it is of another picture's size"
    return None
