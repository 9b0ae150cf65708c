"""Video files, looked at by time: the frame shown at a moment, exactly, upright and at the size that is wanted."""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from jaxtyping import Float, Float64, Int64, UInt8

from regard.errors import ClockError
from regard.io.media.container import unchanged
from regard.io.media.decoder import FrameDecoder
from regard.io.media.in_turn import in_turn
from regard.io.media.looks import video_look
from regard.io.media.upright import Turn, Upright
from regard.io.media.video_look import VideoLook
from regard.types import Moments

DECODER_THREADS = 1


class Video:
    """A video stream of a file: regard.Video. Nothing is read before it is first asked something.

    Times are seconds from the first shown frame, taken from the container's presentation stamps: variable frame rate,
    B-frames, edit lists, open groups of pictures and late starts are followed, never `index / fps`. `stream` is the
    stream's number in the file; None takes FFmpeg's best one. `threads` are the decoder's own.

    It can be pickled and used after a fork: each process opens the file for itself. Use one Video per thread.
    `regard.open` gives a recording of any layout; this is for a video file alone.

    Examples:
        >>> with regard.Video("my_recording/video.mp4") as video:
        ...     print(video.size, video.times_s[:2].round(2))
        ...     for time_s, frame in video.frames(np.array([0.5, 1.0])):
        ...         print(time_s, frame.shape, frame.dtype)
        (96, 128) [0.   0.05]
        0.5 (96, 128, 3) uint8
        1.0 (96, 128, 3) uint8
    """

    def __init__(self, path: Path | str, *, stream: int | None = None, threads: int = DECODER_THREADS) -> None:
        self.path = Path(path)
        self.stream = stream
        self._threads = threads
        self._decoder: FrameDecoder | None = None
        self._upright: Upright | None = None
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"Video({str(self.path)!r}, stream={self.stream})"

    def __enter__(self) -> "Video":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file and the decoder back; asking again opens them again."""
        if self._decoder is not None and self._process == os.getpid():
            self._decoder.close()
        self._decoder = self._upright = None

    def __getstate__(self) -> Mapping[str, object]:
        return {**self.__dict__, "_decoder": None, "_upright": None}

    @cached_property
    def _look(self) -> VideoLook:
        return video_look(self.path, self.stream)

    @property
    def times_s(self) -> Float64[np.ndarray, "n"]:
        """Presentation time of each shown frame, in order; the first is 0."""
        return self._look.index.time_s

    @property
    def key_s(self) -> Float64[np.ndarray, "k"]:
        """Times of the frames that are decoded without any other."""
        index = self._look.index
        return index.time_s[index.start == index.packet]

    @property
    def end_s(self) -> float:
        """The moment at which the last frame stops being shown."""
        return self._look.index.end_s

    @property
    def first_stamp_s(self) -> float:
        """The first shown frame's time on the container's own clock, which other streams of the file share."""
        return self._look.first_stamp_s

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the upright picture in pixels, as stored: see `pixel_aspect`."""
        return self._look.size

    @property
    def pixel_aspect(self) -> float:
        """Width over height of one pixel of the upright picture: 1 for square pixels, nearly always.

        Frames keep the stored pixels. To show a picture undistorted, make it this much wider.
        """
        return self._look.pixel_aspect

    @property
    def missing(self) -> str | None:
        """What the header promises and the file lacks, in words; None where it is whole, or promises nothing."""
        return self._look.missing

    @property
    def is_turned(self) -> bool:
        """True where the stored pictures were turned or mirrored to be upright, as the file's display matrix says."""
        return any(self._look.turn)

    def frames(
        self, times_s: Moments | None = None, *, size: tuple[int, int] | None = None
    ) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
        """Every shown frame, or the one shown at each moment asked for: its time in seconds, and the picture in RGB.

        Pictures are scaled to (height, width) `size` where given. A few are decoded at a time; raises as `frames_at`.

        Examples:
            >>> video = regard.Video("my_recording/video.mp4")
            >>> sum(1 for time_s, frame in video.frames(size=(24, 32))) == len(video.times_s)
            True
        """
        return in_turn(self, times_s, size=size)

    def frames_at(
        self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The RGB frame shown at each asked moment, in any order, scaled to (height, width) `size` where given.

        A moment up to half a frame before the first frame or after the last one's end gives that frame; farther
        outside raises ClockError. Raises FileError, with the time, where the file is damaged, and where it is no longer
        the one whose frames' times were read.

        Examples:
            >>> regard.Video("my_recording/video.mp4").frames_at(np.array([1.0, 0.0]), size=(24, 32)).shape
            (2, 24, 32, 3)
        """
        size = size or self.size
        return self._pictures_at(times_s, (*size, 3), lambda upright, frame: upright.rgb(frame, size))

    def planar_at(self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int]) -> UInt8[np.ndarray, "n h2 w"]:
        """The same as a film's own pictures (`regard.io.media.planes`); both sides of `size` are even."""
        shape = size[0] * 3 // 2, size[1]
        return self._pictures_at(times_s, shape, lambda upright, frame: upright.planar(frame, size))

    def decoded_at(self, time_s: float) -> tuple[av.VideoFrame, Turn]:
        """The frame shown at a moment as it was decoded, and how it is turned to be upright."""
        (number,) = self._shown_at(np.array([time_s])).tolist()
        with unchanged(self.path, self._look.state):
            decoder, _ = self._opened()
            ((_, frame),) = decoder.frames([number])
        return frame, self._look.turn

    def _pictures_at(
        self,
        times_s: Float[np.ndarray, "n"],
        shape: tuple[int, ...],
        picture: Callable[[Upright, av.VideoFrame], np.ndarray],
    ) -> UInt8[np.ndarray, "n ..."]:
        numbers, place = np.unique(self._shown_at(np.asarray(times_s, np.float64)), return_inverse=True)
        rows = np.empty((len(numbers), *shape), np.uint8)
        with unchanged(self.path, self._look.state):
            decoder, upright = self._opened()
            for row, (_, frame) in enumerate(decoder.frames(numbers.tolist())):
                rows[row] = picture(upright, frame)
        return rows if np.array_equal(place, np.arange(len(rows))) else rows[place]

    def _shown_at(self, times_s: Float64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
        """Number of the frame shown at each moment. Raises ClockError outside the video."""
        index = self._look.index
        outside = ~index.covers(times_s)
        if outside.any():
            raise ClockError(
                self.path,
                found=f"a frame asked for at {times_s[outside][0]:.3f} s",
                wanted=f"moments of the video, which is shown from 0 to {index.end_s:.3f} s",
                do="check that the times are seconds from the video's first frame",
            )
        return index.shown_at(times_s)

    def _opened(self) -> tuple[FrameDecoder, Upright]:
        """This process's own decoder: one inherited through a fork shares its file position with the parent."""
        if self._decoder is None or self._upright is None or self._process != os.getpid():
            look = self._look
            self._decoder = FrameDecoder(
                self.path, self.stream, table=look.table, index=look.index, threads=self._threads
            )
            self._upright = Upright(look.turn)
            self._process = os.getpid()
        return self._decoder, self._upright
