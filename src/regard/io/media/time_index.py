"""When each frame of a video is shown, and where in the file decoding must start to get it."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from regard.io.media.packets import PacketTable

TIME_TOLERANCE_S = 1e-6
"""A frame counts as shown this long before its time: longer than the rounding of a float or of a csv that keeps
microseconds, far shorter than any frame."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeIndex:
    """The n shown frames of a video in the order they are shown."""

    time_s: Float64[np.ndarray, "n"]
    """Presentation time from the first shown frame."""
    end_s: float
    """When the last frame stops being shown."""
    pts: Int64[np.ndarray, "n"] | None
    """The container's own stamps; None where it has none and frames can only be counted."""
    packet: Int64[np.ndarray, "n"]
    """Number of the packet that holds the frame, in stored order; where frames are counted, the frame's own number."""
    start: Int64[np.ndarray, "n"]
    """Number of the packet from which decoding yields the frame."""
    half_frame_s: float = field(init=False)
    """Half of the usual time between two frames; of the only frame's duration where there is but one."""

    def __post_init__(self) -> None:
        half_s = 0.5 * (float(np.median(np.diff(self.time_s))) if len(self) > 1 else self.end_s)
        object.__setattr__(self, "half_frame_s", half_s)

    def __len__(self) -> int:
        return len(self.time_s)

    def find(self, pts: int | None) -> int | None:
        """Number of the shown frame with that stamp; None where no frame has it."""
        if self.pts is None or pts is None:
            return None
        number = int(np.searchsorted(self.pts, pts))
        return number if number < len(self.pts) and self.pts[number] == pts else None

    def covers(self, time_s: Float[np.ndarray, "m"]) -> Bool[np.ndarray, "m"]:
        """True for moments at which a frame is shown, or at most half a frame before the first or after the last."""
        slack = self.half_frame_s + TIME_TOLERANCE_S
        return (time_s >= -slack) & (time_s <= self.end_s + slack)

    def shown_at(self, time_s: Float[np.ndarray, "m"]) -> Int64[np.ndarray, "m"]:
        """Number of the frame shown at each moment: the last that began by then; the first one before it began."""
        number = np.searchsorted(self.time_s, time_s + TIME_TOLERANCE_S, side="right") - 1
        return np.maximum(number, 0)


def index_frames(table: PacketTable, *, first_pts: int | None, frame_s: float) -> TimeIndex:
    """The frames that a decoder shows of these packets.

    `first_pts` is the stamp of the first frame that the decoder put out: frames stamped before it (the head of a
    stream that was cut inside an open group of pictures) cannot be decoded. `frame_s` is the nominal frame duration,
    used where the file does not say.
    """
    if table.pts is None:
        return _counted(table, frame_s)
    shown = ~table.hidden & (table.pts >= (table.pts.min() if first_pts is None else first_pts))
    pts, first_of = np.unique(table.pts[shown], return_index=True)
    packet = np.flatnonzero(shown)[first_of]
    last = table.duration[packet[-1]] * table.tick_s or _usual(pts * table.tick_s, frame_s)
    return TimeIndex(
        time_s=(pts - pts[0]) * table.tick_s,
        end_s=float((pts[-1] - pts[0]) * table.tick_s + last),
        pts=pts,
        packet=packet,
        start=_starts(table.pts, table.key, pts, packet),
    )


def _counted(table: PacketTable, frame_s: float) -> TimeIndex:
    """Frames without stamps: shown in the rhythm of the decoding times, which empty packets may stretch."""
    n = len(table)
    time_s = np.arange(n) * frame_s
    if table.dts is not None and len(ticks := np.unique(table.dts)) == n:
        time_s = (ticks - ticks[0]) * table.tick_s
    return TimeIndex(
        time_s=time_s,
        end_s=float(time_s[-1] + _usual(time_s, frame_s)),
        pts=None,
        packet=np.arange(n),
        start=np.zeros(n, np.int64),
    )


def _usual(time_s: Float64[np.ndarray, "n"], frame_s: float) -> float:
    return float(np.median(np.diff(time_s))) if len(time_s) > 1 else frame_s


def _starts(
    table_pts: Int64[np.ndarray, "p"],
    key: Bool[np.ndarray, "p"],
    pts: Int64[np.ndarray, "n"],
    packet: Int64[np.ndarray, "n"],
) -> Int64[np.ndarray, "n"]:
    """For each frame, the last key packet stored by then and shown no later than the frame.

    The second condition is for open groups of pictures: frames stored after a key frame but shown before it refer to
    the group before.
    """
    keys = np.flatnonzero(key)
    if len(keys) == 0:
        return np.zeros(len(pts), np.int64)
    at = np.searchsorted(keys, packet, side="right") - 1
    while (leads := (at >= 0) & (table_pts[keys[at]] > pts)).any():
        at = np.where(leads, at - 1, at)
    return np.where(at >= 0, keys[at], 0)
