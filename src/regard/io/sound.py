"""Sound in media files, listened to by time: the samples between two moments, exactly, at the rate that is wanted."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from jaxtyping import Float32, Int64

from regard.errors import FileError
from regard.io.container import choose_stream, open_media, streams_of
from regard.io.media import Video
from regard.io.packets import PacketReader, PacketTable, read_tables

PREROLL_PACKETS = 12
"""Decoded and thrown away before the first wanted one: an MP3 frame may refer to 511 bytes before it, which at its
lowest rate is ten frames, and each codec overlaps its windows."""

SEAM_S = 0.005
"""Stamps that leave less than this between two packets are rounding (Matroska: 1 ms) or jitter, not a pause."""

RESAMPLER_TAPS = 64
"""Samples of the lower rate around a sample that can influence it: FFmpeg's filter has 32 taps at that rate."""


def has_sound(path: Path | str) -> bool:
    """True where the file has a sound stream that can be decoded; nothing but its header is read."""
    with open_media(Path(path)) as container:
        return bool(streams_of(container, "audio"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the first look at a sound stream finds out."""

    table: PacketTable
    sample_at: Int64[np.ndarray, "n"]
    """Number of each packet's first sample, counted from the first packet that is heard."""
    rate_hz: int
    start_s: float
    """When sample 0 is heard, on the recording's clock."""
    end_s: float


class Sound:
    """A sound stream of a file: a SoundSource. Nothing is read before it is first asked something.

    Time 0 is the first shown frame of the file's default video; in a file without video, the first sample.
    `stream` is the stream's number in the file; None takes FFmpeg's best one.
    It can be pickled and used after a fork. Use one Sound per thread.
    """

    def __init__(self, path: Path | str, *, stream: int | None = None) -> None:
        self.path = Path(path)
        self.stream = stream
        self._reader: PacketReader | None = None
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"Sound({str(self.path)!r}, stream={self.stream})"

    def __enter__(self) -> Self:
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

    def _opened(self) -> PacketReader:
        """This process's own reader: one inherited through a fork shares its file position with the parent."""
        if self._reader is None or self._process != os.getpid():
            self._reader = PacketReader(self.path, "audio", self.stream, table=self._facts.table, threads=1)
            self._process = os.getpid()
        return self._reader

    @cached_property
    def _facts(self) -> _Facts:
        with open_media(self.path) as container:
            stream = choose_stream(container, self.path, "audio", self.stream)
            has_video = bool(streams_of(container, "video"))
            (table,) = read_tables(container, self.path, stream)
        if table.pts is None:
            raise self._unusable("its packets carry no times")
        with open_media(self.path) as container:
            stream = choose_stream(container, self.path, "audio", self.stream)
            try:
                sizes = [f.samples for f, _ in zip(container.decode(stream), range(4), strict=False)]
            except FFmpegError as error:
                raise self._unusable(error.strerror or str(error)) from error
            rate = stream.codec_context.sample_rate
        if not sizes or not rate:
            raise self._unusable("the decoder gives no samples")
        tick = table.tick_s
        heard = int(np.argmin(table.hidden))
        first_s = float(table.pts[heard] * tick)
        zero_s = Video(self.path).first_stamp_s if has_video else first_s
        constant = sizes[-1] if len(set(sizes[1:])) == 1 and len(sizes) == 4 else None
        return _Facts(
            table=table,
            sample_at=place_packets(table, rate, heard=heard, constant=constant),
            rate_hz=rate,
            start_s=first_s - zero_s,
            end_s=float((table.pts[-1] + table.duration[-1]) * tick) - zero_s,
        )

    def _unusable(self, what: str) -> FileError:
        return FileError(
            self.path,
            found=f"sound that cannot be decoded: {what}",
            wanted="sound in a common codec (AAC, MP3, PCM, Opus)",
            do="convert it, for example: ffmpeg -i FILE -c:v copy -c:a aac OUT.mp4",
        )

    @property
    def start_s(self) -> float:
        """The moment on the recording's clock at which the sound begins; negative where it begins before the video."""
        return self._facts.start_s

    @property
    def duration_s(self) -> float:
        """The moment on the recording's clock at which the sound ends."""
        return self._facts.end_s

    @property
    def rate_hz(self) -> int:
        """The rate at which the sound was recorded."""
        return self._facts.rate_hz

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        """round((end_s - start_s) * rate_hz) samples in [-1, 1]; silence (0) outside the recorded sound.

        Samples lie on one grid, counted from the sound's first sample, so neighbouring stretches join without a seam;
        the start is rounded to it, by at most half a sample. One channel is the mean of all that were recorded.
        Raises FileError, with the time, where the file is damaged.
        """
        facts = self._facts
        wanted = round((end_s - start_s) * rate_hz)
        if wanted <= 0:
            return np.zeros((channels, 0), np.float32)
        first = round((start_s - facts.start_s) * rate_hz)
        if rate_hz == facts.rate_hz:
            return self._recorded(first, first + wanted, channels)
        # `block_in` recorded samples last exactly as long as `block_out` wanted ones
        common = gcd(facts.rate_hz, rate_hz)
        block_in, block_out = facts.rate_hz // common, rate_hz // common
        margin = -(-RESAMPLER_TAPS * max(1, facts.rate_hz // rate_hz + 1) // block_in)
        head = first // block_out - margin
        tail = -(-(first + wanted) // block_out) + margin
        recorded = self._recorded(head * block_in, tail * block_in, channels)
        resampled = _resample(recorded, facts.rate_hz, rate_hz)
        skip = first - head * block_out
        return np.ascontiguousarray(resampled[:, skip : skip + wanted])

    def _recorded(self, first: int, last: int, channels: int) -> Float32[np.ndarray, "c n"]:
        """Samples [first, last) as recorded, counted from the sound's first; silence where there are none."""
        facts = self._facts
        out = np.zeros((channels, last - first), np.float32)
        at = facts.sample_at
        if last <= at[0]:
            return out
        begin = max(0, int(np.searchsorted(at, first, side="right")) - 1)
        reader = self._opened()
        mix = AudioResampler(format="fltp", layout="mono" if channels == 1 else "stereo", rate=facts.rate_hz)
        try:
            reader.start_at(max(0, begin - PREROLL_PACKETS))
            while (item := reader.next_packet()) is not None and at[item[0]] < last:
                number, packet = item
                for frame in self._decode(packet, forgive=number < begin):
                    late = (frame.pts - packet.pts) * facts.table.tick_s if frame.pts is not None else 0.0
                    start = int(at[number]) + round(late * facts.rate_hz) - first
                    _paste(out, _mixed(mix, frame, channels), start)
        except FFmpegError as error:
            raise self._damaged(first / facts.rate_hz + facts.start_s, error) from error
        return out

    def _decode(self, packet: av.Packet, *, forgive: bool) -> list[av.AudioFrame]:
        """The packet's frames. Before the wanted stretch, a packet may refer to what lies before the seek."""
        try:
            return packet.decode()
        except FFmpegError as error:
            if forgive:
                return []
            facts = self._facts
            raise self._damaged(
                (packet.pts - facts.table.pts[0]) * facts.table.tick_s + facts.start_s, error
            ) from error

    def _damaged(self, time_s: float, error: FFmpegError) -> FileError:
        return FileError(
            self.path,
            found=f"the sound cannot be decoded at {time_s:.3f} s: {error.strerror}",
            wanted="sound there",
            do="copy or record the file again, or leave that stretch out",
        )


def place_packets(table: PacketTable, rate_hz: int, *, heard: int, constant: int | None) -> Int64[np.ndarray, "n"]:
    """Number of each packet's first sample, counted from that of packet `heard`.

    Packets follow each other without a seam, because their stamps are rounded and jitter; a jump of SEAM_S or more
    is a pause and is kept. `constant` is the codec's fixed number of samples in a packet, where it has one.
    """
    ticks = table.tick_s * rate_hz
    stamped = np.rint((table.pts - table.pts[heard]) * ticks).astype(np.int64).tolist()
    lengths = np.rint(table.duration * ticks).astype(np.int64).tolist()
    placed, follow = [], stamped[0]
    for stamp, length in zip(stamped, lengths, strict=True):
        placed.append(follow if abs(stamp - follow) < SEAM_S * rate_hz else stamp)
        follow = placed[-1] + (constant or length)
    return np.array(placed, np.int64) - placed[heard]


def _mixed(mix: AudioResampler, frame: av.AudioFrame, channels: int) -> Float32[np.ndarray, "c n"]:
    """The frame as float, in the wanted number of channels; a mono recording sounds equally loud from both sides."""
    if frame.layout.nb_channels == 1 and channels == 2:
        return np.repeat(_mixed(AudioResampler(format="fltp", layout="mono"), frame, 1), 2, axis=0)
    frame.pts = None
    return np.concatenate([f.to_ndarray() for f in mix.resample(frame)], axis=1)


def _paste(out: Float32[np.ndarray, "c n"], piece: Float32[np.ndarray, "c m"], start: int) -> None:
    begin, end = max(0, start), min(out.shape[1], start + piece.shape[1])
    if begin < end:
        out[:, begin:end] = piece[:, begin - start : end - start]


def _resample(samples: Float32[np.ndarray, "c n"], from_hz: int, to_hz: int) -> Float32[np.ndarray, "c m"]:
    layout = "mono" if len(samples) == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    frame.sample_rate = from_hz
    resampler = AudioResampler(format="fltp", layout=layout, rate=to_hz)
    pieces = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([p.to_ndarray() for p in pieces], axis=1)
