"""Writing films: pictures at given times as H.264 in mp4, with the sound kept."""

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from jaxtyping import UInt8

from regard.errors import FileError
from regard.io.files import writing
from regard.io.media.planes import TO_YUV, Picture, picture_size
from regard.sources import SoundSource

TICKS_PER_S = 90_000
"""MPEG's own clock: any usual frame time is a whole number of ticks, or within 6 microseconds of one."""

EXACT = {"movie_timescale": str(TICKS_PER_S)}
"""A sound that begins later than the film does so to a tick, not to FFmpeg's millisecond."""

SOUND_RATE_HZ = 48_000
SOUND_CHUNK_S = 1.0
CRF = 20
"""x264's constant quality: 18 is visually lossless, 23 its default; thin lines and small text want a little more."""


class FilmWriter:
    """A context manager that writes an mp4 of frames at given times; the film begins with the first of them.

    `size` is the (height, width) of every frame; an odd one gains a repeated row or column, for H.264 codes even
    sizes only. `sound` is heard from the first frame's moment to the last one's end. `gop` makes a film for random
    access: a key frame at least every so many frames, none that refers to a later one, coded so that decoding takes
    0.4 of the time (15 % more bytes, the same PSNR), by one thread (many films are made at once); None lets x264
    choose. `quick` is for films to look at: OpenCV converts the colours in less than half of swscale's time, a little
    nearer to BT.709. Their sound is copied where it is AAC or MP3 already and can be heard in time so (see `Sound`);
    other sound is coded with FFmpeg's fast search, a quarter of the time at the same bit rate, and one channel stays
    one. Films to compute with keep swscale's rounding, on which published scores rest. A film's own pictures (see
    `planes`) are encoded as they are. The file appears under its name when the block ends without an error. Raises
    FileError where it cannot be written.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        size: tuple[int, int],
        sound: SoundSource | None = None,
        gop: int | None = None,
        quick: bool = False,
    ) -> None:
        self.path = Path(path)
        self.size = size
        self._gop, self._quick = gop, quick
        self._sound = sound
        self._channels: Literal[1, 2] = 1 if quick and getattr(sound, "channels", 2) == 1 else 2
        self._start_s: float | None = None
        self._last_tick, self._interval = -1, TICKS_PER_S // 30
        self._heard_s = 0.0
        self._copied: Iterator[av.Packet] | None = None
        self._held: av.VideoFrame | None = None
        half = (size[0] + 1) // 2, (size[1] + 1) // 2
        self._yuv, self._small, self._small_yuv = (
            np.empty((scale * half[0], scale * half[1], 3), np.uint8) for scale in (2, 1, 1)
        )
        self._stack = ExitStack()

    def __enter__(self) -> "FilmWriter":
        with ExitStack() as stack:
            part = stack.enter_context(writing(self.path))
            try:
                whole = str(part.absolute())  # a bare name like pipe:0 or 12:30.mp4 is a protocol
                self._container = stack.enter_context(av.open(whole, "w", format="mp4", options=EXACT))
            except FFmpegError as error:
                raise self._cannot_write(error) from error
            self._stack = stack.pop_all()
        return self

    def _open_streams(self, start_s: float) -> None:
        h, w = self.size
        options = {"crf": str(CRF), "preset": "veryfast"}
        if self._gop is not None:
            options |= {"g": str(self._gop), "bf": "0", "threads": "1", "tune": "fastdecode"}
        video = self._container.add_stream("libx264", rate=30, options=options)
        video.width, video.height, video.pix_fmt = w + w % 2, h + h % 2, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, TICKS_PER_S)
        video.codec_context.colorspace = Colorspace.ITU709
        video.codec_context.color_range = ColorRange.MPEG
        video.codec_context.color_primaries = ColorPrimaries.BT709
        video.codec_context.color_trc = ColorTrc.BT709
        self._video = video
        self._audio = None
        packets_from = getattr(self._sound, "packets_from", None) if self._quick else None
        if packets_from is not None and (found := packets_from(start_s)) is not None:
            template, self._copied = found
            self._audio = self._container.add_stream_from_template(template)
        elif self._sound is not None:
            coder = {"aac_coder": "fast"} if self._quick else {}
            layout = "mono" if self._channels == 1 else "stereo"
            self._audio = self._container.add_stream("aac", rate=SOUND_RATE_HZ, layout=layout, options=coder)

    def write(self, frame: Picture, time_s: float) -> None:
        """Show this frame from `time_s` on, until the next one. Raises ValueError unless times increase."""
        if picture_size(frame) != self.size:
            raise ValueError(f"the film shows frames of {self.size}, got one of {picture_size(frame)}")
        if self._start_s is None:
            self._open_streams(time_s)
            self._start_s = time_s
        tick = round((time_s - self._start_s) * TICKS_PER_S)
        if tick <= self._last_tick:
            raise ValueError(
                f"frame times must increase, got {time_s} s after {self._start_s + self._last_tick / TICKS_PER_S} s"
            )
        if self._held is not None:
            self._interval = tick - self._last_tick
            self._show_held()
        self._held, self._last_tick = self._coded(frame, tick), tick

    def _coded(self, frame: Picture, tick: int) -> av.VideoFrame:
        h, w = self.size
        even = np.pad(frame, ((0, h % 2), (0, w % 2), (0, 0)), mode="edge") if h % 2 or w % 2 else frame
        if frame.ndim == 2:
            coded = av.VideoFrame.from_ndarray(frame, format="yuv420p")
        elif self._quick:
            coded = self._converted(even)
        else:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
            coded = picture.reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
        coded.pts, coded.time_base = tick, Fraction(1, TICKS_PER_S)
        return coded

    def _converted(self, frame: UInt8[np.ndarray, "h w 3"]) -> av.VideoFrame:
        """Colour at half the resolution is the mean of four pixels. What lies between is kept: fresh memory is slow."""
        cv2.transform(frame, TO_YUV, self._yuv)
        cv2.resize(frame, self._small.shape[1::-1], self._small, interpolation=cv2.INTER_AREA)
        cv2.transform(self._small, TO_YUV, self._small_yuv)
        coded = av.VideoFrame(frame.shape[1], frame.shape[0], "yuv420p")
        for k, (plane, source) in enumerate(
            zip(coded.planes, (self._yuv, self._small_yuv, self._small_yuv), strict=True)
        ):
            rows = np.frombuffer(memoryview(plane), np.uint8)  # pyright: ignore[reportArgumentType]
            cv2.extractChannel(source, k, rows.reshape(plane.height, plane.line_size)[:, : plane.width])
        return coded

    def _show_held(self) -> None:
        """Encode the held frame, whose duration is known now, and the sound up to its end."""
        if self._held is None:
            return
        self._held.duration = self._interval
        try:
            self._container.mux(self._video.encode(self._held))
            self._write_sound(self._shown_until_s, last=False)
        except (FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    @property
    def _shown_until_s(self) -> float:
        """When the held frame stops being shown, from the film's start."""
        return (self._last_tick + self._interval) / TICKS_PER_S

    def _write_sound(self, until_s: float, *, last: bool) -> None:
        """Copy the sound, or encode it in whole chunks, and what is left of it at the film's end."""
        if self._sound is None or self._audio is None or self._start_s is None:
            return
        if self._copied is not None:
            self._copy_sound(self._copied, self._audio, until_s)
            return
        while self._heard_s + SOUND_CHUNK_S <= until_s or (last and self._heard_s < until_s):
            end_s = min(self._heard_s + SOUND_CHUNK_S, until_s)
            samples = self._sound.samples_between(
                self._start_s + self._heard_s, self._start_s + end_s, rate_hz=SOUND_RATE_HZ, channels=self._channels
            )
            if samples.shape[1]:
                chunk = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._audio.layout.name)
                chunk.sample_rate = SOUND_RATE_HZ
                chunk.pts, chunk.time_base = round(self._heard_s * SOUND_RATE_HZ), Fraction(1, SOUND_RATE_HZ)
                self._container.mux(self._audio.encode(chunk))
            self._heard_s = end_s

    def _copy_sound(self, packets: Iterator[av.Packet], audio: AudioStream, until_s: float) -> None:
        while self._heard_s < until_s and (packet := next(packets, None)) is not None:
            assert packet.pts is not None
            assert packet.duration is not None
            self._heard_s = float((packet.pts + packet.duration) * packet.time_base)
            packet.stream = audio
            self._container.mux(packet)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._finish()
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._stack.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if self._held is None:
            raise ValueError(f"no frame was written to {self.path}")
        self._show_held()
        try:
            self._write_sound(self._shown_until_s, last=True)
            for stream in (self._video, None if self._copied is not None else self._audio):
                if stream is not None:
                    self._container.mux(stream.encode(None))
            self._container.close()
        except (FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: FFmpegError | OSError) -> FileError:
        return FileError(
            self.path,
            found=f"the film cannot be written: {error.strerror or error}",
            wanted="a folder that may be written to, on a disk with room",
            do="choose another output folder, or free some space; nothing was left under the final name",
        )
