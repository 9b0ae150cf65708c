"""The first look at a video stream: its packets, when its frames are shown, how the picture stands."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from av.video.frame import VideoFrame
from typing_extensions import override

from regard.errors import FileError
from regard.io.media.container import choose_video, open_media, sound_streams
from regard.io.media.kept import Facts
from regard.io.media.packets import PacketTable, read_table
from regard.io.media.time_index import TimeIndex, index_frames
from regard.io.media.upright import Turn, turn_of
from regard.types import FileState

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
    if not head or not isinstance(first := head[0], VideoFrame):
        raise FileError(
            path,
            found="a video stream of which no frame can be decoded",
            wanted="at least one whole frame",
            do="copy or record the file again",
        )
    turn = turn_of(first)
    return VideoLook(
        state=state,
        table=table,
        first_pts=first.pts,
        frame_s=float(1 / rate) if rate else USUAL_FRAME_S,
        turn=turn,
        size=(first.width, first.height) if turn[0] else (first.height, first.width),
        pixel_aspect=1 / aspect if turn[0] else aspect,
        has_sound=hears,
    )
