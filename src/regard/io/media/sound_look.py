"""The first look at a sound stream: its packets, and which sample each of them begins with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from jaxtyping import Float64, Int64
from typing_extensions import override

from regard.errors import FileError
from regard.io.media.container import choose_sound, open_media, video_streams
from regard.io.media.kept import Facts
from regard.io.media.looks import video_look
from regard.io.media.packets import PacketTable, read_table
from regard.types import FileState

HEAD_FRAMES = 4
"""Decoded to learn whether the codec has a fixed number of samples in a packet; the first may be cut."""

SILENT_HZ = 48_000
"""Rate of a track without any data, where its header names none."""

SEAM_S = 0.005
"""Stamps that leave less than this between two packets are rounding (Matroska: 1 ms) or jitter, not a pause."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundLook(Facts):
    """What the first look finds out. `state` is that of the file then."""

    state: FileState | None
    table: PacketTable
    pts: Int64[np.ndarray, "n"]
    sample_at: Int64[np.ndarray, "n"]
    """Number of each packet's first sample, counted from the first that is heard."""
    constant: int | None
    """Samples in every packet, where the codec has a fixed number."""
    rate_hz: int
    channels: int
    start_s: float
    """When sample 0 is heard, on the recording's clock."""
    end_s: float

    @property
    @override
    def num_bytes(self) -> int:
        return self.table.num_bytes + self.sample_at.nbytes


def look_at_sound(path: Path, stream: int | None, state: FileState | None) -> SoundLook:
    """Every packet is read, and the first few decoded. A track without any data is silence. Raises FileError."""
    with open_media(path) as container:
        chosen = choose_sound(container, path, stream)
        table, head = read_table(container, path, chosen, head=HEAD_FRAMES)
        has_video = bool(video_streams(container))
        rate, channels = chosen.codec_context.sample_rate, chosen.codec_context.channels
    pts = table.pts
    if len(table) == 0:
        nothing = np.zeros(0, np.int64)
        rate = rate or SILENT_HZ
        return SoundLook(
            state=state,
            table=table,
            pts=nothing,
            sample_at=nothing,
            constant=None,
            rate_hz=rate,
            channels=channels,
            start_s=0.0,
            end_s=0.0,
        )
    if pts is None:
        raise _unusable(path, "its packets carry no times")
    frames = [frame for frame in head if isinstance(frame, AudioFrame)]
    if not frames or not rate:
        raise _unusable(path, "the decoder gives no samples")
    tick = table.tick_s
    sizes = {frame.samples for frame in frames[1:]}
    constant = sizes.pop() if len(sizes) == 1 and len(frames) == HEAD_FRAMES else None
    # an encoder's priming is cut from the head: whole packets, and the beginning of the first that is heard
    first_pts = int(pts[0]) if frames[0].pts is None else frames[0].pts
    heard = max(0, int(np.searchsorted(pts, first_pts, side="right")) - 1)
    cut = cut_from(frames[0], int(pts[heard]), ticks=tick * rate, constant=constant)
    zero_s = video_look(path, None).first_stamp_s if has_video else first_pts * tick
    return SoundLook(
        state=state,
        table=table,
        pts=pts,
        sample_at=place_packets(pts * tick, table.duration * tick, rate, heard=heard, constant=constant) - cut,
        constant=constant,
        rate_hz=rate,
        channels=channels,
        start_s=first_pts * tick - zero_s,
        end_s=float((pts[-1] + table.duration[-1]) * tick) - zero_s,
    )


def _unusable(path: Path, what: str) -> FileError:
    return FileError(
        path,
        found=f"sound that cannot be decoded: {what}",
        wanted="sound in a common codec (AAC, MP3, PCM, Opus)",
        do="convert it, for example: ffmpeg -i FILE -c:v copy -c:a aac OUT.mp4",
    )


def cut_from(frame: AudioFrame, pts: int, *, ticks: float, constant: int | None) -> int:
    """How many samples the decoder cut from the head of the packet stamped `pts`; `ticks` are samples per tick."""
    if frame.pts is None or frame.pts <= pts:
        return 0
    return constant - frame.samples if constant else round((frame.pts - pts) * ticks)


def place_packets(
    time_s: Float64[np.ndarray, "n"],
    duration_s: Float64[np.ndarray, "n"],
    rate_hz: int,
    *,
    heard: int,
    constant: int | None,
) -> Int64[np.ndarray, "n"]:
    """Number of each packet's first sample, counted from that of packet `heard`.

    Packets follow each other without a seam, because their stamps are rounded and jitter; a jump of SEAM_S or more
    is a pause and is kept. `constant` is the codec's fixed number of samples in a packet, where it has one.
    """
    stamped = np.rint((time_s - time_s[heard]) * rate_hz).astype(np.int64).tolist()
    lengths = np.rint(duration_s * rate_hz).astype(np.int64).tolist()
    placed, follow = [], stamped[0]
    for stamp, length in zip(stamped, lengths, strict=True):
        placed.append(follow if abs(stamp - follow) < SEAM_S * rate_hz else stamp)
        follow = placed[-1] + (constant or length)
    return np.array(placed, np.int64) - placed[heard]
