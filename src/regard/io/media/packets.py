"""The packets of one stream: what lies where in a file, and when, before anything is decoded.

A demux pass reads the header fields of every packet in a few milliseconds. That table, and not `index / fps` or the
container's own seek, is what says which frame or sound lies where.
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Generic

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import Bool, Int64

from regard.errors import FileError
from regard.io.media.container import S, open_media, packets_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PacketTable:
    """n packets of one stream in the order they are stored and decoded. Times are in ticks of `tick_s`.

    `pts` is None where the container stores no presentation times (such as AVI), `dts` where it lacks decoding times.
    """

    tick_s: float
    pts: Int64[np.ndarray, "n"] | None
    dts: Int64[np.ndarray, "n"] | None
    duration: Int64[np.ndarray, "n"]
    """0 where the container does not say."""
    pos: Int64[np.ndarray, "n"]
    """Where in the file the packet lies, in bytes: with `pts`, this tells one packet from another."""
    key: Bool[np.ndarray, "n"]
    """True where decoding can start."""
    hidden: Bool[np.ndarray, "n"]
    """True where the packet is decoded but never shown: cut away by an edit list, or an invisible reference."""

    num_damaged: int = 0
    """Packets of which the container itself says that a part is missing."""

    def __len__(self) -> int:
        return len(self.key)

    @property
    def num_bytes(self) -> int:
        """Memory that the columns take."""
        columns = (self.pts, self.dts, self.duration, self.pos, self.key, self.hidden)
        return sum(c.nbytes for c in columns if c is not None)

    def find(self, pts: int, pos: int) -> int | None:
        """Number of the packet with that time at that place in the file; None where the table has none."""
        if self.pts is None:
            return None
        found = np.flatnonzero((self.pos == pos) & (self.pts == pts))
        return int(found[-1]) if len(found) else None


def read_table(
    container: InputContainer, path: Path, stream: VideoStream | AudioStream, *, head: int
) -> tuple[PacketTable, list[VideoFrame | AudioFrame]]:
    """Every packet of the stream, and its first `head` decoded frames (fewer if there are not as many)."""
    frames: list[VideoFrame | AudioFrame] = []
    columns = [array("q") for _ in range(6)]
    lacks, num_damaged = [False, False], 0
    stream.codec_context.thread_count = 1
    is_vp8 = stream.codec_context.name == "vp8"
    try:
        for packet in packets_of(container, stream):
            if len(frames) < head:
                frames += _decoded(packet)
            if packet.size == 0:
                continue
            # bit 4 of a VP8 frame's first byte is show_frame (RFC 6386, section 9.1)
            hidden = packet.is_discard or (is_vp8 and not bytes(packet)[0] & 0x10)
            num_damaged += packet.is_corrupt
            lacks[0] |= packet.pts is None
            lacks[1] |= packet.dts is None
            row = (packet.pts or 0, packet.dts or 0, packet.duration or 0, packet.pos or 0, packet.is_keyframe, hidden)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    except FFmpegError as error:
        raise FileError(
            path,
            found=f"a file that breaks off while it is read ({error.strerror})",
            wanted="a complete file",
            do="copy or record it again",
        ) from error
    pts, dts, duration, pos, key, hidden = (np.array(column, np.int64) for column in columns)
    table = PacketTable(
        tick_s=float(stream.time_base or 0),
        pts=None if lacks[0] else pts,
        dts=None if lacks[1] else dts,
        duration=duration,
        pos=pos,
        key=key.astype(bool),
        hidden=hidden.astype(bool),
        num_damaged=num_damaged,
    )
    return table, frames[:head]


def _decoded(packet: av.Packet) -> list[VideoFrame | AudioFrame]:
    """Its frames, none where it is damaged: that is told when somebody asks for the frame."""
    try:
        return packet.decode()
    except FFmpegError:
        return []


class MisledSeekError(Exception):
    """After a seek, the packets carry other times than they did in the first pass, as in MPEG program streams.

    The reader will not seek again: whoever catches this starts over.
    """


class PacketReader(Generic[S]):
    """Walks the packets of one stream, numbered as in its table, from any packet on, with a fresh decoder each time."""

    def __init__(
        self,
        path: Path,
        choose: Callable[[InputContainer, Path, int | None], S],
        index: int | None,
        *,
        table: PacketTable,
        threads: int,
    ) -> None:
        self._path, self._choose, self._index = path, choose, index
        self._table, self._threads = table, threads
        self._keys = np.flatnonzero(table.key)
        self._packets: Iterator[av.Packet] = iter(())
        self._may_seek = table.pts is not None
        self._open()

    def _open(self) -> None:
        self._container = open_media(self._path)
        self.stream = self._choose(self._container, self._path, self._index)
        self.stream.codec_context.thread_count = self._threads
        self.stream.codec_context.thread_type = "AUTO" if self._threads > 1 else "NONE"
        self._is_fresh = True
        self.position = -1
        """Number of the packet that comes next; -1 where only `start_at` leads on."""

    def close(self) -> None:
        """Give the file and the decoder back."""
        self._container.close()

    def start_at(self, first: int) -> None:
        """Go to packet number `first` and forget what was decoded before.

        A seek is trusted only if it lands on a packet that the table knows, at or before `first`; if not, the key
        packet before is tried, and then the file is walked from its beginning. Raises FFmpegError where it breaks off.
        """
        if self._may_seek and first > 0:
            reach = int(np.searchsorted(self._keys, first, side="right"))
            for key in reversed(self._keys[max(0, reach - 2) : reach].tolist()):
                if self._land(key, first):
                    return
        if not self._is_fresh:
            self.close()
            self._open()
        self._is_fresh = False
        self._walk(self._data(), 0, first)

    def _land(self, key: int, first: int) -> bool:
        self._is_fresh = False
        clocks = [c for c in (self._table.pts, self._table.dts) if c is not None]
        try:
            self._container.seek(int(min(c[key] for c in clocks)), stream=self.stream)
            packets = self._data()
            landed = next(packets, None)
        except FFmpegError:
            return False
        if landed is None or landed.pts is None:
            return False
        number = self._table.find(landed.pts, landed.pos or 0)
        if number is None or number > first:
            return False
        try:
            self._walk(chain([landed], packets), number, first)
        except MisledSeekError:
            return False
        return True

    def _data(self) -> Iterator[av.Packet]:
        return (p for p in packets_of(self._container, self.stream) if p.size > 0)

    def _walk(self, packets: Iterator[av.Packet], number: int, first: int) -> None:
        self._packets, self.position = packets, number
        while self.position < first and self.next_packet() is not None:
            pass

    def next_packet(self) -> tuple[int, av.Packet] | None:
        """(number, packet), or None at the end of the stream.

        Raises FFmpegError where the file breaks off, and MisledSeekError.
        """
        packet, number = next(self._packets, None), self.position
        if packet is None:
            return None
        if self._may_seek and not self._is_known(number, packet):
            self._may_seek = False
            raise MisledSeekError
        self.position += 1
        return number, packet

    def _is_known(self, number: int, packet: av.Packet) -> bool:
        pts = self._table.pts
        return pts is not None and number < len(pts) and packet.pts == int(pts[number])
