"""Decoding exactly the frames that are asked for, with as little decoding in between as can be."""

from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from regard.errors import FileError
from regard.io.media.container import choose_video
from regard.io.media.packets import MisledSeekError, PacketReader, PacketTable
from regard.io.media.time_index import TimeIndex

SEEK_COST_PACKETS = 3
"""Decoding on over this many packets costs about as much as one seek. With one decoder thread, which has nothing to
refill, that is true of small pictures; of large ones a seek is cheaper still. Against 12, clips of 8 frames 0.3 s apart
take 10 ms instead of 27 from a film with a key frame every 4 frames, and 17 instead of 23 with one every 16."""

EARLIER_KEYS = 2
"""How many key frames further back decoding may have to start: some need a while until the picture is whole."""

SKIPS_PACKET_BY_PACKET = frozenset({"h264", "hevc"})
"""Decoders that obey `skip_frame` for the very packet they are given; dav1d, for one, looks at it later."""


class FrameDecoder:
    """One open decoder that remembers where it stands, so that walking forward through a video decodes it once."""

    def __init__(self, path: Path, stream: int | None, *, table: PacketTable, index: TimeIndex, threads: int) -> None:
        self._path, self._table, self._index = path, table, index
        self._reader = PacketReader(path, choose_video, stream, table=table, threads=threads)
        self._keys = np.flatnonzero(table.key)
        self._ready: deque[tuple[int, av.VideoFrame]] = deque()
        self._last: tuple[int, av.VideoFrame] | None = None
        self._count = 0
        self._ended = False

    def close(self) -> None:
        """Give the file and the decoder back."""
        self._ready.clear()
        self._last = None
        self._reader.close()

    def frames(self, numbers: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """(number, frame) for each of these frame numbers, which strictly increase."""
        wanted = frozenset(self._index.packet[numbers].tolist())
        for number in numbers:
            yield number, self._frame(number, wanted, numbers[-1])

    def _frame(self, number: int, wanted: Collection[int], last: int) -> av.VideoFrame:
        if self._is_ahead(number) and self._reach(number, wanted, last):
            return self._shown()
        # Behind, too far ahead, or skipped on the way here.
        first = int(self._index.start[number])
        earlier = self._keys[self._keys < first][-EARLIER_KEYS:].tolist() or [0]
        for start in [first, *reversed(earlier)]:
            self._seek(start, number)
            if self._reach(number, wanted, last):
                return self._shown()
        raise self._damaged(number, "the decoder shows no picture there")

    def _is_ahead(self, number: int) -> bool:
        """True where decoding on from here leads to the frame, and sooner than a seek would."""
        at = self._reader.position
        if at < 0 or (self._last is not None and self._last[0] > number):
            return False
        return int(self._index.start[number]) - at <= SEEK_COST_PACKETS

    def _shown(self) -> av.VideoFrame:
        assert self._last is not None
        return self._last[1]

    def _seek(self, start: int, number: int) -> None:
        self._ready.clear()
        self._last, self._ended = None, False
        self._count = 0
        try:
            self._reader.start_at(start)
        except FFmpegError as error:
            raise self._damaged(number, error.strerror or str(error)) from error

    def _reach(self, number: int, wanted: Collection[int], last: int) -> bool:
        """Decode until frame `number` is out; False where the decoder goes past it or the stream ends."""
        try:
            while self._last is None or self._last[0] < number:
                while not self._ready:
                    if self._ended:
                        return False
                    self._feed(number, wanted, last)
                self._last = self._ready.popleft()
        except MisledSeekError:
            return False
        return self._last[0] == number

    def _feed(self, number: int, wanted: Collection[int], last: int) -> None:
        context = self._reader.stream.codec_context
        may_skip = context.name in SKIPS_PACKET_BY_PACKET
        try:
            item = self._reader.next_packet()
            if item is None:
                self._ended = True
                decoded = context.decode(None)
            else:
                skip = may_skip and item[0] not in wanted and self._is_before(item[0], last)
                context.skip_frame = "NONREF" if skip else "DEFAULT"
                decoded = context.decode(item[1])
        except FFmpegError as error:
            self._reader.position = -1
            raise self._damaged(number, error.strerror or str(error)) from error
        for frame in decoded:
            if self._index.pts is None:
                self._ready.append((self._count, frame))
                self._count += 1
            elif (shown := self._index.find(frame.pts)) is not None:
                self._ready.append((shown, frame))

    def _is_before(self, packet: int, last: int) -> bool:
        """True for a packet shown before frame `last`: what lies beyond it may be asked for next, and is decoded."""
        if self._table.pts is None or self._index.pts is None:
            return False
        return bool(self._table.pts[packet] < self._index.pts[last])

    def _damaged(self, number: int, what: str) -> FileError:
        return FileError(
            self._path,
            found=f"the video cannot be decoded at {self._index.time_s[number]:.3f} s: {what}",
            wanted="a frame there",
            do="copy or record the file again, or leave that stretch out",
        )
