"""A video whose frames were taken at other times than its file says."""

import av
import numpy as np
from jaxtyping import Float, Float64, UInt8

from regard.errors import ClockError
from regard.io.media.time_index import TIME_TOLERANCE_S
from regard.io.media.upright import Turn
from regard.io.media.video import Video


class RetimedVideo:
    """A FrameSource that shows frame number i of `source` from `times_s[i]` on; as many times as frames."""

    def __init__(self, source: Video, times_s: Float64[np.ndarray, "n"]) -> None:
        assert len(times_s) == len(source.times_s)
        self._source, self._times_s = source, times_s

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        self._source.close()

    @property
    def times_s(self) -> Float64[np.ndarray, "n"]:
        """When each frame was taken, in order; the first is 0."""
        return self._times_s

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture in pixels."""
        return self._source.size

    @property
    def missing(self) -> str | None:
        """What the file lacks, in words; None where it is whole."""
        return self._source.missing

    def frames_at(
        self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The RGB frame shown at each asked moment, scaled to (height, width) `size` where given.

        Moments more than half a frame outside the video raise ClockError.
        """
        return self._source.frames_at(self._own_s(times_s), size=size)

    def planar_at(self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int]) -> UInt8[np.ndarray, "n h2 w"]:
        """The same as a film's own pictures."""
        return self._source.planar_at(self._own_s(times_s), size=size)

    def decoded_at(self, time_s: float) -> tuple[av.VideoFrame, Turn]:
        """The frame shown at a moment as it was decoded, and how it is turned to be upright."""
        return self._source.decoded_at(float(self._own_s(np.array([time_s]))[0]))

    def _own_s(self, times_s: Float[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
        """When the source shows what was taken at these moments."""
        asked = np.asarray(times_s, np.float64)
        slack = 0.5 * float(np.median(np.diff(self._times_s))) if len(self._times_s) > 1 else 0.5
        outside = (asked < -slack) | (asked > self._times_s[-1] + 3 * slack)
        if outside.any():
            raise ClockError(
                self._source.path,
                found=f"a frame asked for at {asked[outside][0]:.3f} s",
                wanted=f"moments of the video, whose last frame is shown from {self._times_s[-1]:.3f} s",
                do="check that the times are seconds from the video's first frame",
            )
        number = np.searchsorted(self._times_s, asked + TIME_TOLERANCE_S, side="right") - 1
        return self._source.times_s[number.clip(min=0)]
