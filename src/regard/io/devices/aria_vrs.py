"""Opening a Project Aria VRS file through projectaria-tools (extra `aria`), and its upright RGB camera."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Int64

from regard.errors import ClockError, FileError, MissingExtraError
from regard.types import Camera

if TYPE_CHECKING:
    from projectaria_tools.core.calibration import CameraCalibration, DeviceCalibration
    from projectaria_tools.core.data_provider import VrsDataProvider
    from projectaria_tools.core.stream_id import StreamId

RGB, MICROPHONES = "camera-rgb", "mic"
FISHEYE624_NUMBERS = 12
"""Distortion coefficients: six radial, two tangential, four thin prism."""


class OpenVrs(NamedTuple):
    """An opened file, and what the library complained of while opening it."""

    provider: "VrsDataProvider"
    complaint: str | None


def open_vrs(path: Path) -> OpenVrs:
    """The opened file, without the library's log on the console. Raises FileError, MissingExtraError."""
    try:
        from projectaria_tools.core import data_provider
    except ImportError as problem:
        raise MissingExtraError.of(path, package="projectaria-tools", extra="aria") from problem
    if not path.is_file():
        raise FileError(path, found="no such file", wanted="a VRS file", do="check the path")
    with damage_told(path) as log:
        provider = data_provider.create_vrs_data_provider(str(path))
        complaint = _first_complaint(log)
        if provider is None:
            raise FileError(
                path,
                found=f"content that is not VRS ({complaint or 'it cannot be opened'})",
                wanted="a complete VRS file of Project Aria",
                do="download or copy it again",
            )
    return OpenVrs(provider, complaint)


@contextmanager
def damage_told(path: Path) -> Iterator[IO[bytes]]:
    """Raises FileError for whatever the library, or arithmetic with its numbers, trips over in a damaged file.

    What the library writes to the console goes into the file that is given.
    """
    try:
        with quiet() as log:
            yield log
    except (RuntimeError, ValueError, ArithmeticError, LookupError, MemoryError) as problem:
        what = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise FileError(
            path, found=f"damaged content ({what})", wanted="a whole VRS file", do="download or copy it again"
        ) from problem


def stream_id(provider: "VrsDataProvider", path: Path, label: str) -> "StreamId":
    """The stream of that label. Raises FileError where the file has none, or nothing in it."""
    found = provider.get_stream_id_from_label(label)
    if found is None or provider.get_num_data(found) == 0:
        labels = [provider.get_label_from_stream_id(s) or str(s) for s in provider.get_all_streams()]
        raise FileError(
            path,
            found=f"no data of {label} (its streams: {', '.join(labels) or 'none'})",
            wanted=f"a recording with {label}",
            do="record or download it with a profile that includes it",
        )
    return found


def has_microphones(provider: "VrsDataProvider") -> bool:
    """True where the file holds sound."""
    found = provider.get_stream_id_from_label(MICROPHONES)
    return found is not None and provider.get_num_data(found) > 0


def picture_times_ns(provider: "VrsDataProvider", path: Path) -> Int64[np.ndarray, "n"]:
    """Capture time of each RGB picture in nanoseconds of the device's clock."""
    from projectaria_tools.core.sensor_data import TimeDomain

    stamps = provider.get_timestamps_ns(stream_id(provider, path, RGB), TimeDomain.DEVICE_TIME)
    time_ns = np.array(stamps, np.int64)
    backwards = np.flatnonzero(np.diff(time_ns) <= 0)
    if len(backwards):
        raise ClockError(
            path,
            found=f"a capture time that does not increase, at picture {backwards[0] + 1} of {len(time_ns)}",
            wanted="times that strictly increase",
            do="download or copy it again",
        )
    return time_ns


def device_calibration(provider: "VrsDataProvider", path: Path) -> "DeviceCalibration":
    """Where the device's sensors are and how they see. Raises FileError where the file lacks it."""
    device = provider.get_device_calibration()
    if device is None:
        raise FileError(
            path, found="no calibration", wanted="a VRS with the device's calibration", do="download it again"
        )
    return device


def upright_calibration(provider: "VrsDataProvider", path: Path) -> "CameraCalibration":
    """The RGB camera's calibration for upright pictures, as projectaria-tools' own object."""
    from projectaria_tools.core import calibration

    stored = device_calibration(provider, path).get_camera_calib(RGB)
    if stored is None:
        raise FileError(
            path,
            found="a calibration without the RGB camera",
            wanted="a VRS with a calibrated RGB camera",
            do="download it again",
        )
    return calibration.rotate_camera_calib_cw90deg(stored) if lies_on_its_side(provider) else stored


def lies_on_its_side(provider: "VrsDataProvider") -> bool:
    """True for Aria Gen1, whose RGB pictures are stored a quarter counter-clockwise."""
    from projectaria_tools.core.calibration import DeviceVersion

    return provider.get_device_version() == DeviceVersion.Gen1


def to_camera(calibration: "CameraCalibration") -> Camera:
    """projectaria-tools' FISHEYE624 parameters (f, cx, cy, k0..k5, p0, p1, s0..s3) as a Camera, convention unchanged.

    Its shorter relatives (FISHEYE62) lack the last coefficients, which are 0 then. It, too, counts pixels from the
    centre of the first.
    """
    focal, cx, cy, *coefficients = calibration.get_projection_params().tolist()
    width, height = calibration.get_image_size().tolist()
    distortion = np.zeros(FISHEYE624_NUMBERS)
    distortion[: len(coefficients)] = coefficients
    return Camera(
        height=height,
        width=width,
        matrix=np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]]),
        distortion=distortion,
        model="fisheye624",
    )


def lacking(complaint: str) -> str:
    """What to say about a file of which the library complained."""
    return f"the file was cut or is damaged: {complaint}"


class VrsFile:
    """An opened file that survives pickling and forking: each process opens it for itself, when first asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._provider: VrsDataProvider | None = None
        self._complaint: str | None = None
        self._process = os.getpid()

    def __getstate__(self) -> Mapping[str, object]:
        return {"path": self.path, "_provider": None, "_complaint": None, "_process": 0}

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        self._provider = None

    @property
    def provider(self) -> "VrsDataProvider":
        """The opened file."""
        if self._provider is None or self._process != os.getpid():
            (self._provider, self._complaint), self._process = open_vrs(self.path), os.getpid()
        return self._provider

    @property
    def complaint(self) -> str | None:
        """What the library complained of when it opened the file."""
        assert self.provider is not None
        return self._complaint


@contextmanager
def quiet() -> Iterator[IO[bytes]]:
    """Keep what native code writes to the console in a temporary file; the library has no switch for its log."""
    with tempfile.TemporaryFile() as log:
        sys.stdout.flush()
        sys.stderr.flush()
        consoles = {number: os.dup(number) for number in (1, 2)}
        for number in consoles:
            os.dup2(log.fileno(), number)
        try:
            yield log
        finally:
            for number, console in consoles.items():
                os.dup2(console, number)
                os.close(console)


def _first_complaint(log: IO[bytes]) -> str | None:
    """The first warning or error in the library's log, without its colours and prefix."""
    log.seek(0)
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read().decode(errors="replace"))
    complaint = re.search(r"\[(?:WARNING|ERROR)\]: (.+)", text)
    return complaint[1].strip() if complaint else None
