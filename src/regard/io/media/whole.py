"""Is a media file as long as what it says it holds, and does every byte of it belong to something?"""

import string
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.error import FFmpegError
from jaxtyping import Float64, Int64

from regard.io.media.container import open_media

TS_PACKET_BYTES = (188, 192, 204)
"""Of a transport stream, without and with a time or a check sum beside each packet."""

TIMED_PACKET_BYTES = 192
TS_SYNC = 0x47
"""With which each begins, after its time where it has one."""

LAST_PACKETS, READ_PACKETS = 16, 1 << 16

EBML, SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")

MOST_BOXES = 100_000
"""Of an mp4 in pieces of a second: more than a day."""

NAME = frozenset((string.ascii_letters + string.digits + " -_").encode())
"""What the name of an mp4's box is made of."""

HEADER_BYTES = 100
"""More than lies between two packets of a file beside their own headers."""

LATE = 1.5
"""Of the usual time between two frames: beyond it, a frame may be missing."""


def ends_inside(path: Path, kind: str) -> str | None:
    """In the middle of what the file ends; None for a whole one, and where its kind does not say how long it is."""
    length = path.stat().st_size
    with path.open("rb") as file:
        if kind == "mpegts":
            return _no_packet_at_the_end(file, length)
        if "mp4" in kind:
            return _box_beyond(file, length)
        if "matroska" in kind:
            return _segment_beyond(file, length)
    return None


def _no_packet_at_the_end(file: BinaryIO, length: int) -> str | None:
    """Losses before the last packets are told by the packets' own counters."""
    for size in TS_PACKET_BYTES:
        if length % size == 0:
            file.seek(max(0, length - LAST_PACKETS * size))
            begins = file.read()[4 if size == TIMED_PACKET_BYTES else 0 :: size]
            return None if begins.count(TS_SYNC) == len(begins) else "bytes that are no packets"
    return "a packet"


def unsynced_bytes(path: Path) -> int:
    """Bytes of a transport stream in packets that do not begin as packets do. Their counters only count to 16."""
    length = path.stat().st_size
    size = next((size for size in TS_PACKET_BYTES if length % size == 0), None)
    if size is None:
        return 0
    first, found = 4 if size == TIMED_PACKET_BYTES else 0, 0
    with path.open("rb") as file:
        while block := file.read(READ_PACKETS * size):
            begins = block[first::size]
            found += len(begins) - begins.count(TS_SYNC)
    return found * size


def _box_beyond(file: BinaryIO, length: int) -> str | None:
    return next((f"its part {name.decode()!r}" for name, _, end in _boxes(file) if end > length), None)


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and end of each part of an mp4; the last has no name where something else goes on there."""
    end = 0
    for _ in range(MOST_BOXES):
        start = file.seek(end)
        head = file.read(16)
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if len(head) < 8:
            return
        if not NAME.issuperset(name) or size < 8:
            end = file.seek(0, 2)
            yield name if NAME.issuperset(name) and size == 0 else b"", start, end  # 0: all that follows
            return
        end = start + size
        yield name, start, end


def _segment_beyond(file: BinaryIO, length: int) -> str | None:
    for name in (EBML, SEGMENT):
        if file.read(4) != name:
            return None
        first = file.read(1)
        if not first or not first[0]:
            return None
        width = 9 - first[0].bit_length()
        number = int.from_bytes(first + file.read(width - 1), "big") & ((1 << 7 * width) - 1)
        if number == (1 << 7 * width) - 1:  # of unknown length, as streamed
            return None
        if name == SEGMENT:
            return "its segment" if file.tell() + number > length else None
        file.seek(number, 1)
    return None


def late_frames(time_s: Float64[np.ndarray, "n"]) -> Int64[np.ndarray, "m"]:
    """Numbers of the frames after which the next one comes late."""
    steps_s = np.diff(time_s)
    return np.flatnonzero(steps_s > LATE * np.median(steps_s)) if len(steps_s) else np.zeros(0, np.int64)


def pieces_of(path: Path) -> Int64[np.ndarray, "m 2"]:
    """Where the pictures and sound of an mp4 lie that was written in pieces; empty for any other file."""
    with path.open("rb") as file:
        boxes = list(_boxes(file))
    if not any(name == b"moof" for name, _, _ in boxes):
        return np.zeros((0, 2), np.int64)
    return np.array([(start, end) for name, start, end in boxes if name in (b"mdat", b"")], np.int64).reshape(-1, 2)


def unread_bytes(path: Path, between: Int64[np.ndarray, "m 2"]) -> int:
    """Bytes inside these stretches of a file that belong to no packet of any stream; every packet is read."""
    places = np.array(sorted(set(_packets(path))), np.int64).reshape(-1, 2)
    ends = np.maximum.accumulate(np.r_[0, places.sum(axis=1)])
    free = np.stack([ends, np.r_[places[:, 0], path.stat().st_size]], axis=1)
    found: set[tuple[int, int]] = set()
    for start, end in between.tolist():
        inside = np.stack([free[:, 0].clip(min=start), free[:, 1].clip(max=end)], axis=1)
        found |= {(a, b) for a, b in inside.tolist() if b - a > HEADER_BYTES}
    return sum(end - start for start, end in found)


def _packets(path: Path) -> Iterator[tuple[int, int]]:
    with open_media(path) as container:
        try:
            for packet in container.demux():
                if packet.size and packet.pos is not None:
                    yield packet.pos, packet.size
        except (FFmpegError, IndexError):
            return
