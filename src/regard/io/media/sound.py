"""Sound in media files, listened to by time: the samples between two moments, exactly, at the rate that is wanted."""

import os
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property, partial
from math import gcd
from pathlib import Path
from types import TracebackType
from typing import Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from jaxtyping import Float32, Int64

from regard.errors import FileError
from regard.io.media.container import choose_sound, unchanged
from regard.io.media.kept import found_once
from regard.io.media.packets import MisledSeekError, PacketReader
from regard.io.media.sound_look import SoundLook, cut_from, look_at_sound
from regard.sources import SoundSource

PREROLL_PACKETS = 12
"""Decoded and thrown away before the first wanted one: an MP3 frame may refer to 511 bytes before it, which at its
lowest rate is ten frames, and each codec overlaps its windows."""

COPIED_CODECS = ("aac", "mp3")
"""What every player knows in mp4."""

RESAMPLER_TAPS = 64
"""Samples of the lower rate around a sample that can influence it: FFmpeg's filter has 32 taps at that rate."""


class Sound:
    """A sound stream of a file: a SoundSource. Nothing is read before it is first asked something.

    Time 0 is the first shown frame of the file's default video; in a file without video, the first sample.
    `stream` is the stream's number in the file; None takes FFmpeg's best one.
    It can be pickled and used after a fork. Use one Sound per thread.
    """

    def __init__(self, path: Path | str, *, stream: int | None = None) -> None:
        self.path = Path(path)
        self.stream = stream
        self._reader: PacketReader[AudioStream] | None = None
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"Sound({str(self.path)!r}, stream={self.stream})"

    def __enter__(self) -> "Sound":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        if self._reader is not None and self._process == os.getpid():
            self._reader.close()
        self._reader = None

    def __getstate__(self) -> Mapping[str, object]:
        return {**self.__dict__, "_reader": None}

    def _opened(self) -> PacketReader[AudioStream]:
        """This process's own reader: one inherited through a fork shares its file position with the parent."""
        if self._reader is None or self._process != os.getpid():
            self._reader = PacketReader(self.path, choose_sound, self.stream, table=self._look.table, threads=1)
            self._process = os.getpid()
        return self._reader

    @cached_property
    def _look(self) -> SoundLook:
        return found_once(self.path, SoundLook, self.stream, partial(look_at_sound, self.path, self.stream))

    @property
    def start_s(self) -> float:
        """The moment on the recording's clock at which the sound begins; negative where it begins before the video."""
        return self._look.start_s

    @property
    def duration_s(self) -> float:
        """The moment on the recording's clock at which the sound ends."""
        return self._look.end_s

    @property
    def rate_hz(self) -> int:
        """The rate at which the sound was recorded."""
        return self._look.rate_hz

    @property
    def channels(self) -> int:
        """How many were recorded."""
        return self._look.channels

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        """round((end_s - start_s) * rate_hz) samples in [-1, 1]; silence (0) outside the recorded sound.

        Samples lie on one grid, counted from the sound's first sample, so neighbouring stretches join without a seam;
        the start is rounded to it, by at most half a sample. One channel is the mean of all that were recorded.
        Raises FileError, with the time, where the file is damaged, and where it is no longer the one that was indexed.
        """
        with unchanged(self.path, self._look.state):
            return resampled(
                lambda begin, end: self._recorded(begin, end, channels),
                self.rate_hz,
                rate_hz,
                first=round((start_s - self.start_s) * rate_hz),
                count=max(0, round((end_s - start_s) * rate_hz)),
            )

    def _recorded(self, first: int, last: int, channels: int) -> Float32[np.ndarray, "c n"]:
        """Samples [first, last) as recorded, counted from the sound's first; silence where there are none."""
        look = self._look
        out = np.zeros((channels, last - first), np.float32)
        at = look.sample_at
        if len(at) == 0 or last <= max(at[0], first):
            return out
        begin = max(0, int(np.searchsorted(at, first, side="right")) - 1)
        reader = self._opened()
        # FFmpeg folds surround sound to two channels by its own weights; one and two channels stay as they are
        folded = "stereo" if channels == 2 and reader.stream.codec_context.channels > 2 else None
        convert = AudioResampler(format="fltp", layout=folded)
        try:
            reader.start_at(max(0, begin - PREROLL_PACKETS))
            while (item := reader.next_packet()) is not None and at[item[0]] < last:
                number, packet = item
                for frame in self._decode(number, packet, forgive=number < begin):
                    cut = cut_from(
                        frame, int(look.pts[number]), ticks=look.table.tick_s * look.rate_hz, constant=look.constant
                    )
                    start = int(at[number]) + cut - first
                    paste(out, mixed(convert, frame, channels), start)
        except MisledSeekError:
            return self._recorded(first, last, channels)
        except FFmpegError as error:
            raise self._damaged(first / look.rate_hz + look.start_s, error) from error
        return out

    def packets_from(self, start_s: float) -> tuple[AudioStream, Iterator[av.Packet]] | None:
        """The stream, and its packets for an mp4 film that begins at `start_s`, timed from there, sample by sample.

        What is timed before 0 is for the decoder only, and the film's edit list cuts it. None where packets would not
        be heard at their time: in other codecs, with a pause, cut short, or later than the film with a head that is
        not to be heard. Raises FileError as `samples_between` does.
        """
        look, table = self._look, self._look.table
        begin = round((start_s - look.start_s) * look.rate_hz)
        at = look.sample_at - begin
        stream = self._opened().stream
        heard = max(0, int(np.searchsorted(at, 0, side="right")) - 1)
        first = max(0, heard - PREROLL_PACKETS)
        steady = len(at) > 0 and (np.diff(at[first:]) == look.constant).all()
        late = begin < 0 and look.sample_at[:1].any()
        if stream.codec_context.codec.canonical_name not in COPIED_CODECS or not steady or late:
            return None
        if table.hidden[heard:].any() or table.num_damaged:
            return None
        return stream, self._timed_packets(at, first)

    def _timed_packets(self, at: Int64[np.ndarray, "n"], first: int) -> Iterator[av.Packet]:
        look, reader = self._look, self._opened()
        with unchanged(self.path, look.state):
            reader.start_at(0)
            while (item := reader.next_packet()) is not None:
                number, packet = item
                if number >= first:
                    packet.time_base = Fraction(1, look.rate_hz)
                    packet.pts = packet.dts = int(at[number])
                    packet.duration = look.constant
                    yield packet

    def _decode(self, number: int, packet: av.Packet, *, forgive: bool) -> list[AudioFrame]:
        """The packet's frames. Before the wanted stretch, a packet may refer to what lies before the seek."""
        try:
            return packet.decode()
        except FFmpegError as error:
            if forgive:
                return []
            look = self._look
            raise self._damaged(look.sample_at[number] / look.rate_hz + look.start_s, error) from error

    def _damaged(self, time_s: float, error: FFmpegError) -> FileError:
        return FileError(
            self.path,
            found=f"the sound cannot be decoded at {time_s:.3f} s: {error.strerror}",
            wanted="sound there",
            do="copy or record the file again, or leave that stretch out",
        )


def resampled(
    recorded: Callable[[int, int], Float32[np.ndarray, "c n"]], from_hz: int, to_hz: int, *, first: int, count: int
) -> Float32[np.ndarray, "c m"]:
    """`count` samples at `to_hz` from number `first` on, out of `recorded(begin, end)`, which gives those at `from_hz`.

    Sample 0 is the same moment at both rates. The samples do not depend on where a stretch begins or ends.
    """
    if from_hz == to_hz or count == 0:
        return recorded(first, first + count)
    # `block_in` recorded samples last exactly as long as `block_out` wanted ones
    common = gcd(from_hz, to_hz)
    block_in, block_out = from_hz // common, to_hz // common
    margin = -(-RESAMPLER_TAPS * max(1, from_hz // to_hz + 1) // block_in)
    head = first // block_out - margin
    tail = -(-(first + count) // block_out) + margin
    samples = _resample(recorded(head * block_in, tail * block_in), from_hz, to_hz)
    skip = first - head * block_out
    return np.ascontiguousarray(samples[:, skip : skip + count])


def foresight_s(sound: SoundSource, *, rate_hz: int) -> float:
    """How long after its own moment a sample at `rate_hz` may listen: 0 where the sound was recorded at that rate.

    A source without a `rate_hz` makes its samples for the asked moments.
    """
    recorded_hz = getattr(sound, "rate_hz", rate_hz)
    return 0.0 if recorded_hz == rate_hz else RESAMPLER_TAPS / 2 / min(recorded_hz, rate_hz)


def mixed(convert: AudioResampler, frame: AudioFrame, channels: int) -> Float32[np.ndarray, "c n"]:
    """The frame as float in the wanted number of channels; a mono recording sounds equally loud from both sides."""
    frame.pts = None
    samples = np.concatenate([f.to_ndarray() for f in convert.resample(frame)], axis=1)
    if channels == len(samples):
        return samples
    return samples.mean(axis=0, keepdims=True) if channels == 1 else np.repeat(samples, 2, axis=0)


def paste(out: Float32[np.ndarray, "c n"], piece: Float32[np.ndarray, "c m"], start: int) -> None:
    """Put a piece into it, from number `start` on, as far as it lies inside."""
    begin, end = max(0, start), min(out.shape[1], start + piece.shape[1])
    if begin < end:
        out[:, begin:end] = piece[:, begin - start : end - start]


def _resample(samples: Float32[np.ndarray, "c n"], from_hz: int, to_hz: int) -> Float32[np.ndarray, "c m"]:
    layout = "mono" if len(samples) == 1 else "stereo"
    frame = AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    frame.sample_rate = from_hz
    resampler = AudioResampler(format="fltp", layout=layout, rate=to_hz)
    pieces = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([p.to_ndarray() for p in pieces], axis=1)
