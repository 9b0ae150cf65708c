"""Decoding exactly the frames that are asked for, with as little decoding in between as can be."""

from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from regard.errors import FileError
from regard.io.container import choose_video
from regard.io.packets import PacketReader, PacketTable
from regard.io.time_index import TimeIndex

SEEK_COST_PACKETS = 12
"""Decoding on over this many packets costs about as much as one seek: flushing and refilling the decoder."""


class FrameDecoder:
    """One open decoder that remembers where it stands, so that walking forward through a video decodes it once."""

    def __init__(self, path: Path, stream: int | None, *, table: PacketTable, index: TimeIndex, threads: int) -> None:
        self._path, self._table, self._index = path, table, index
        self._reader = PacketReader(path, choose_video, stream, table=table, threads=threads)
        self._number_of = None if index.pts is None else {p: n for n, p in enumerate(index.pts.tolist())}
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
        start, seeked = int(self._index.start[number]), False
        if self._must_seek(number, start):
            self._seek(start)
            seeked = True
        while True:
            if self._last is None or self._last[0] < number:
                self._advance(number, wanted, last)
            if self._last is not None and self._last[0] == number:
                return self._last[1]
            # The decoder went past the frame: it was skipped on the way, or this key frame does not suffice.
            if seeked:
                if start == 0:
                    raise self._damaged(number, "the decoder shows no picture there")
                earlier = self._keys[self._keys < start]
                start = int(earlier[-1]) if len(earlier) else 0
            self._seek(start)
            seeked = True

    def _must_seek(self, number: int, start: int) -> bool:
        if self._reader.position < 0:
            return True
        if self._last is not None and self._last[0] >= number:
            return self._last[0] > number
        return start - self._reader.position > SEEK_COST_PACKETS

    def _seek(self, start: int) -> None:
        self._ready.clear()
        self._last, self._ended = None, False
        self._count = 0
        self._reader.start_at(start)

    def _advance(self, number: int, wanted: Collection[int], last: int) -> None:
        """Decode until frame `number` or a later one is out, or the stream ends."""
        while self._last is None or self._last[0] < number:
            while not self._ready:
                if self._ended:
                    return
                self._feed(number, wanted, last)
            self._last = self._ready.popleft()

    def _feed(self, number: int, wanted: Collection[int], last: int) -> None:
        context = self._reader.stream.codec_context
        try:
            item = self._reader.next_packet()
            if item is None:
                self._ended = True
                decoded = context.decode(None)
            else:
                skip = item[0] not in wanted and self._is_before(item[0], last)
                context.skip_frame = "NONREF" if skip else "DEFAULT"
                decoded = context.decode(item[1])
        except FFmpegError as error:
            self._reader.position = -1
            raise self._damaged(number, error.strerror or str(error)) from error
        for frame in decoded:
            if self._number_of is None:
                self._ready.append((self._count, frame))
                self._count += 1
            elif frame.pts is not None and frame.pts in self._number_of:
                self._ready.append((self._number_of[frame.pts], frame))

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
