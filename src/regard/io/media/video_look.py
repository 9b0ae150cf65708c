"""The first look at a video stream: its packets, when its frames are shown, how the picture stands."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from typing_extensions import override

from regard.errors import FileError
from regard.io.media.container import choose_video, open_media, sound_streams
from regard.io.media.kept import Facts
from regard.io.media.packets import PacketTable, read_table
from regard.io.media.time_index import TimeIndex, index_frames
from regard.io.media.upright import Turn, turn_of
from regard.io.media.whole import LATE, ends_inside, late_frames, pieces_of, unread_bytes, unsynced_bytes
from regard.types import FileState

SHORT_S = 0.5
"""A video this much shorter than its header says was cut; rounding, late starts and the sound's end make up less."""

HOLE_S, HOLE_FRAMES = 0.5, 10
"""No camera that is recording leaves out so much: both this long, and this many of its usual intervals."""

USUAL_FRAME_S = 1 / 25
"""Where neither stamps nor header say how long a frame lasts."""


@dataclass(frozen=True, kw_only=True)
class VideoLook(Facts):
    """What the first look finds out. `state` is that of the file then."""

    state: FileState | None
    table: PacketTable
    first_pts: int | None
    """Stamp of the first frame that the decoder put out."""
    frame_s: float
    """Nominal duration of a frame."""
    turn: Turn
    size: tuple[int, int]
    """(height, width) of the upright picture."""
    pixel_aspect: float
    """Width over height of one pixel of the upright picture."""
    has_sound: bool
    """True where the file also has sound."""
    promised_frames: int
    """Frames that the header promises; 0 where it does not say."""
    promised_s: float
    """How long the header says that the stream lasts; NaN where it does not."""
    is_exact: bool
    """True where that was written beside this stream when its last frame was known, as Matroska's tag is."""
    ends_inside: str | None
    """In the middle of what the file ends; None for a whole one."""
    num_unread: int
    """Bytes that belong to nothing where frames are missing, where an mp4 in pieces keeps its pictures, or in a
    transport stream."""

    @cached_property
    def index(self) -> TimeIndex:
        """The shown frames."""
        return index_frames(self.table, first_pts=self.first_pts, frame_s=self.frame_s)

    @property
    def first_stamp_s(self) -> float:
        """The first shown frame's time on the container's own clock, which other streams of the file share."""
        stamps = self.index.pts if self.index.pts is not None else self.table.dts
        return 0.0 if stamps is None else float(stamps[0]) * self.table.tick_s

    @property
    def missing(self) -> str | None:
        """What the header promises and the file lacks, in words; None where it is whole, or promises nothing."""
        there, why = len(self.table), "the file was cut or is damaged"
        if there < self.promised_frames:
            return f"{there} of {self.promised_frames} frames are there: {why}"
        if not self.promised_frames and self.promised_s - self._until_s > self._short_s:
            return f"{self.index.end_s:.2f} of {self.promised_s:.2f} s are there: {why}"
        if self.ends_inside:
            return f"the file ends in the middle of {self.ends_inside}: {why}"
        if self.table.num_damaged:
            return f"{self.table.num_damaged} of {there} packets are damaged: {why}"
        if self._num_before:
            return f"the first {self._num_before} of {there} frames cannot be decoded: {why}"
        return self._unread or self._hole

    @property
    def _num_before(self) -> int:
        """Frames that are stored before the first that was decoded, and would be shown before it."""
        if self.table.pts is None or self.first_pts is None:
            return 0
        first = int(np.argmax(self.table.pts == self.first_pts))
        return int(((self.table.pts < self.first_pts) & ~self.table.hidden)[:first].sum())

    @property
    def _unread(self) -> str | None:
        if not self.num_unread:
            return None
        steps_s = np.diff(self.index.time_s)
        late = late_frames(self.index.time_s)
        num_lost = int((np.round(steps_s[late] / np.median(steps_s)) - 1).sum()) if len(late) else 0
        frames = f"about {num_lost} frames are missing, and " if num_lost else ""
        return f"{frames}{self.num_unread} bytes cannot be read: the file was cut or is damaged"

    @property
    def _until_s(self) -> float:
        return self.index.end_s + (self.first_stamp_s if self.is_exact else 0.0)

    @property
    def _short_s(self) -> float:
        return LATE * 2 * self.index.half_frame_s if self.is_exact else SHORT_S

    @property
    def _hole(self) -> str | None:
        steps_s = np.diff(self.index.time_s)
        holes = np.flatnonzero(steps_s > max(HOLE_S, HOLE_FRAMES * float(np.median(steps_s)))) if len(steps_s) else []
        if len(holes) == 0:
            return None
        longest = holes[np.argmax(steps_s[holes])]
        at_s = self.index.time_s[longest]
        hole = f"no frame for {steps_s[holes].sum():.2f} s, the longest time from {at_s:.2f} s on"
        return f"{hole}: the file is damaged, or the camera paused"

    @property
    @override
    def num_bytes(self) -> int:
        return 2 * self.table.num_bytes  # the index takes about as much


def look_at_video(path: Path, stream: int | None, state: FileState | None) -> VideoLook:
    """Every packet is read, and the first frame decoded. Raises FileError."""
    with open_media(path) as container:
        chosen = choose_video(container, path, stream)
        rate = chosen.average_rate or chosen.guessed_rate
        table, head = read_table(container, path, chosen, head=1)
        aspect = float(chosen.sample_aspect_ratio or 1)
        hears = bool(sound_streams(container))
        number, promised_frames = chosen.index, chosen.frames
        promised_s, is_exact = _promised_s(container, chosen)
        kind = container.format.name
    if len(table) == 0:
        raise FileError(
            path,
            found=f"a video stream ({number}) without any data",
            wanted="at least one packet",
            do="copy or record the file again",
        )
    if not head or not isinstance(first := head[0], VideoFrame):
        raise FileError(
            path,
            found="a video stream of which no frame can be decoded",
            wanted="at least one whole frame",
            do="copy or record the file again",
        )
    turn = turn_of(first)
    frame_s = float(1 / rate) if rate else USUAL_FRAME_S
    index = index_frames(table, first_pts=first.pts, frame_s=frame_s)
    return VideoLook(
        state=state,
        table=table,
        first_pts=first.pts,
        frame_s=frame_s,
        turn=turn,
        size=(first.width, first.height) if turn[0] else (first.height, first.width),
        pixel_aspect=1 / aspect if turn[0] else aspect,
        has_sound=hears,
        promised_frames=promised_frames,
        promised_s=promised_s,
        is_exact=is_exact,
        ends_inside=ends_inside(path, kind),
        num_unread=0 if promised_frames else _unread(path, kind, table, index),
    )


def _unread(path: Path, kind: str, table: PacketTable, index: TimeIndex) -> int:
    """Of a kind of file that does not say how many frames it holds."""
    if kind == "mpegts":
        return unsynced_bytes(path)
    places = pieces_of(path) if "mp4" in kind else np.zeros((0, 2), np.int64)
    late = late_frames(index.time_s)
    if index.pts is not None and "matroska" in kind and len(late):
        places = np.sort(np.stack([table.pos[index.packet[late]], table.pos[index.packet[late + 1]]], axis=1))
    return unread_bytes(path, places) if len(places) else 0


def _promised_s(container: InputContainer, stream: VideoStream) -> tuple[float, bool]:
    """How long the stream lasts, as the header says, NaN where it does not; True where that is exact."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base), False
    written = re.fullmatch(r"(\d+):(\d\d):(\d\d\.\d+)", stream.metadata.get("DURATION", ""))  # Matroska's tag
    if written is not None:
        hours, minutes, seconds = written.groups()
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds), True
    return container.duration / 1e6 if container.duration else float("nan"), False
