"""Pictures and sound of a Project Aria VRS file, by time.

Aria Gen1 stores its RGB pictures lying on their side; here they stand upright, turned a quarter clockwise. The clock is
the device's: each picture's capture time, counted in seconds from the first picture's.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, UInt8

from regard.errors import ClockError, FileError
from regard.io.devices.aria_vrs import (
    MICROPHONES,
    RGB,
    VrsFile,
    damage_told,
    lacking,
    lies_on_its_side,
    picture_times_ns,
    stream_id,
)
from regard.io.media.sound import resampled
from regard.io.media.sound_look import SEAM_S
from regard.io.media.time_index import TimeIndex
from regard.io.media.upright import Turn, Upright

if TYPE_CHECKING:
    from projectaria_tools.core.data_provider import VrsDataProvider

AS_STORED: Turn = (False, False, False)
CLOCKWISE: Turn = (True, True, False)

EARS_M = 0.02
"""A microphone this far from the middle of the face belongs to the left or the right ear; one on the nose to both."""


class AriaVideo:
    """The RGB pictures of a VRS file, upright: a FrameSource. Use one per thread."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._vrs = VrsFile(self.path)

    def __repr__(self) -> str:
        return f"AriaVideo({str(self.path)!r})"

    def __enter__(self) -> "AriaVideo":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        self._vrs.close()

    @cached_property
    def _index(self) -> TimeIndex:
        with damage_told(self.path):
            time_ns = picture_times_ns(self._vrs.provider, self.path)
        time_s = (time_ns - time_ns[0]) / 1e9
        n = len(time_s)
        usual_s = float(np.median(np.diff(time_s))) if n > 1 else 0.0
        return TimeIndex(
            time_s=time_s,
            end_s=float(time_s[-1]) + usual_s,
            pts=None,
            packet=np.arange(n),
            start=np.arange(n),
        )

    @cached_property
    def _turn(self) -> Turn:
        return CLOCKWISE if lies_on_its_side(self._vrs.provider) else AS_STORED

    @property
    def times_s(self) -> Float64[np.ndarray, "n"]:
        """Capture time of each picture, in order; the first is 0."""
        return self._index.time_s

    @property
    def end_s(self) -> float:
        """The moment at which the last picture stops being shown."""
        return self._index.end_s

    @property
    def missing(self) -> str | None:
        """What the library missed in the file, in words; None where it is whole."""
        complaint = self._vrs.complaint
        return None if complaint is None else lacking(complaint)

    @property
    def is_turned(self) -> bool:
        """True where the stored pictures were turned to be upright."""
        return self._turn != AS_STORED

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture in pixels."""
        return self._size

    @cached_property
    def _size(self) -> tuple[int, int]:
        with damage_told(self.path):
            provider = self._vrs.provider
            about = provider.get_image_configuration(stream_id(provider, self.path, RGB))
        return (about.image_width, about.image_height) if self.is_turned else (about.image_height, about.image_width)

    def frames_at(
        self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The RGB picture shown at each asked moment, scaled to (height, width) `size` where given.

        Moments half a frame or more outside the recording raise ClockError; a damaged picture raises FileError.
        """
        times_s = np.asarray(times_s, np.float64)
        outside = ~self._index.covers(times_s)
        if outside.any():
            raise ClockError(
                self.path,
                found=f"a frame asked for at {times_s[outside][0]:.3f} s",
                wanted=f"moments of the video, which is shown from 0 to {self.end_s:.3f} s",
                do="check that the times are seconds from the video's first frame",
            )
        size = size or self.size
        upright = Upright(self._turn)
        numbers, place = np.unique(self._index.shown_at(times_s), return_inverse=True)
        rows = np.empty((len(numbers), *size, 3), np.uint8)
        for row, number in enumerate(numbers.tolist()):
            rows[row] = upright.rgb(self._picture(number), size)
        return rows[place]

    def _picture(self, number: int) -> av.VideoFrame:
        provider = self._vrs.provider
        with damage_told(self.path):
            image, _ = provider.get_image_data_by_index(stream_id(provider, self.path, RGB), number)
            pixels = np.asarray(image.to_numpy_array(), np.uint8) if image.is_valid() else None
        if pixels is None:
            raise FileError(
                self.path,
                found=f"a picture that cannot be decoded at {self.times_s[number]:.3f} s",
                wanted="a whole picture",
                do="download or copy the file again, or leave that stretch out",
            )
        return av.VideoFrame.from_ndarray(pixels, format="rgb24" if pixels.ndim == 3 else "gray")


class AriaSound:
    """What the microphones of a VRS file heard: a SoundSource. Use one per thread.

    One channel is the mean of all microphones; two are the means of those on the left and on the right of the face.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._vrs = VrsFile(self.path)

    def __repr__(self) -> str:
        return f"AriaSound({str(self.path)!r})"

    def __enter__(self) -> "AriaSound":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        self._vrs.close()

    @cached_property
    def rate_hz(self) -> int:
        """The rate at which the sound was recorded."""
        provider = self._vrs.provider
        with damage_told(self.path):
            return int(provider.get_audio_configuration(stream_id(provider, self.path, MICROPHONES)).sample_rate)

    @cached_property
    def _block_at(self) -> Int64[np.ndarray, "n"]:
        """Number of each block's first sample, and of the sample after the last block; a jump in time is a pause."""
        from projectaria_tools.core.sensor_data import TimeDomain

        provider = self._vrs.provider
        stream = stream_id(provider, self.path, MICROPHONES)
        last_ns = np.array(provider.get_timestamps_ns(stream, TimeDomain.DEVICE_TIME), np.int64)
        length = self._block(0).shape[0]
        stamped = np.rint((last_ns - last_ns[0]) * (self.rate_hz / 1e9)).astype(np.int64)
        placed = [0]
        for stamp in stamped[1:].tolist():
            follow = placed[-1] + length
            placed.append(follow if abs(stamp - follow) < SEAM_S * self.rate_hz else stamp)
        return np.array([*placed, placed[-1] + len(self._block(len(placed) - 1))], np.int64)

    @cached_property
    def start_s(self) -> float:
        """The moment on the recording's clock at which the sound begins; negative where it begins before the video."""
        provider = self._vrs.provider
        _, about = provider.get_audio_data_by_index(stream_id(provider, self.path, MICROPHONES), 0)
        return float(about.capture_timestamps_ns[0] - picture_times_ns(provider, self.path)[0]) / 1e9

    @property
    def duration_s(self) -> float:
        """The moment on the recording's clock at which the sound ends."""
        with damage_told(self.path):
            return self.start_s + float(self._block_at[-1]) / self.rate_hz

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        """round((end_s - start_s) * rate_hz) samples in [-1, 1]; silence (0) outside the recorded sound."""
        with damage_told(self.path):
            return resampled(
                lambda begin, end: self._recorded(begin, end, channels),
                self.rate_hz,
                rate_hz,
                first=round((start_s - self.start_s) * rate_hz),
                count=max(0, round((end_s - start_s) * rate_hz)),
            )

    def _recorded(self, first: int, last: int, channels: int) -> Float32[np.ndarray, "c n"]:
        out = np.zeros((last - first, channels), np.float32)
        at = self._block_at
        begin = max(0, int(np.searchsorted(at, first, side="right")) - 1)
        for number in range(begin, len(at) - 1):
            start = int(at[number]) - first
            if start >= len(out):
                break
            heard = self._block(number) @ self._mix[channels]
            skip = max(0, -start)
            piece = heard[skip : len(out) - start]
            out[start + skip : start + skip + len(piece)] = piece
        return np.ascontiguousarray(out.T)

    def _block(self, number: int) -> Float32[np.ndarray, "n microphones"]:
        provider = self._vrs.provider
        stream = stream_id(provider, self.path, MICROPHONES)
        block, _ = provider.get_audio_data_by_index(stream, number)
        count = provider.get_audio_configuration(stream).num_channels
        return (np.array(block.data, np.float64) / block.max_amplitude).astype(np.float32).reshape(-1, count)

    @cached_property
    def _mix(self) -> Mapping[int, Float32[np.ndarray, "microphones c"]]:
        """Weights from microphones to channels, for one and for two channels."""
        provider = self._vrs.provider
        count = provider.get_audio_configuration(stream_id(provider, self.path, MICROPHONES)).num_channels
        mean = np.full((count, 1), 1 / count, np.float32)
        left_m = _left_of_nose_m(provider)
        sides = np.stack([left_m > -EARS_M, left_m < EARS_M], axis=1).astype(np.float32)
        if len(left_m) != count or not sides.any(axis=0).all():
            return {1: mean, 2: np.repeat(mean, 2, axis=1)}
        return {1: mean, 2: sides / sides.sum(axis=0)}


def _left_of_nose_m(provider: "VrsDataProvider") -> Float64[np.ndarray, "microphones"]:
    """How far each microphone lies to the wearer's left of the central pupil frame, in metres."""
    device = provider.get_device_calibration()
    if device is None:
        return np.zeros(0)
    to_face = device.get_transform_device_cpf().inverse()
    where = (to_face @ device.get_transform_device_sensor(label, True) for label in device.get_audio_labels())
    return np.array([pose.translation().reshape(-1)[0] for pose in where])
