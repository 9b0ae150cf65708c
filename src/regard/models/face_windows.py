"""Windows of a face track: the frames round a moment that is asked about, and what stands in for missing ones.

A model of faces that looks at each picture by itself does so once, however many windows the picture lies in.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

WINDOW = 7
"""Frames of a window; the one in the middle is asked about."""


class Windows(NamedTuple):
    """Which frames of each clip the windows consist of; frame numbers from 0."""

    frame: Int64[Tensor, "b u w"]
    """For a frame that is missing stands the nearest one of the window, of two equally near the more central."""
    known: Bool[Tensor, "b u"]
    """Whether any frame of the window is there; of other windows nothing can be said."""

    def of(self, values: Float[Tensor, "b t *rest"]) -> Float[Tensor, "m w *rest"]:
        """What belongs to the frames of each window, all windows of all clips one after another."""
        return values[self._clip(2), self.frame].flatten(0, 1)

    def middles(self, values: Float[Tensor, "b t *rest"]) -> Float[Tensor, "m *rest"]:
        """What belongs to the middle frame of each window."""
        return values[self._clip(1), self.frame[..., WINDOW // 2]].flatten(0, 1)

    def nearest(self, values: Float[Tensor, "b t *rest"]) -> Float[Tensor, "m *rest"]:
        """What belongs to the frame nearest to the middle that has no NaN; NaN where all frames of the window do."""
        rows = self.of(values)
        whole = ~rows.flatten(2).isnan().any(dim=-1)
        away = (torch.arange(WINDOW, device=rows.device) - WINDOW // 2).abs()
        best = torch.where(whole, away, WINDOW).argmin(dim=1)
        found = rows[torch.arange(len(rows), device=rows.device), best]
        return torch.where(whole.any(dim=1).reshape(-1, *[1] * (found.ndim - 1)), found, torch.nan)

    def pictures(
        self, video: Float[Tensor, "b t 3 h w"], frame_valid: Bool[Tensor, "b t"] | None, *, at_once: int
    ) -> Iterator[Float[Tensor, "m w 3 h w"]]:
        """The pixels of each window, so many windows at once; black where none of its frames is there."""
        clip = self._clip(1).expand_as(self.known).flatten()
        parts = zip(clip.split(at_once), self.frame.flatten(0, 1).split(at_once), strict=True)
        for clips, frames in parts:
            pixels = video[clips[:, None], frames]
            if frame_valid is not None:
                there = frame_valid[clips[:, None], frames][..., None, None, None]
                pixels = torch.where(there, pixels, 0)
            yield pixels

    def _clip(self, axes: int) -> Int64[Tensor, "b ..."]:
        return torch.arange(len(self.frame), device=self.frame.device).reshape(-1, *[1] * axes)


def windows(
    video: Float[Tensor, "b t 3 h w"],
    frame_valid: Bool[Tensor, "b t"] | None,
    asked: Int64[Tensor, "b u"] | None,
) -> Windows:
    """The windows round the asked frames; None asks about the middle of each clip (the later one of two)."""
    b, t = video.shape[:2]
    if asked is None:
        asked = torch.full((b, 1), t // 2, device=video.device)
    slots = torch.arange(WINDOW, device=video.device)
    frame = asked[..., None] + slots - WINDOW // 2
    inside = frame.clamp(0, t - 1)
    there = frame == inside
    if frame_valid is not None:
        there = there & frame_valid.gather(1, inside.flatten(1)).unflatten(1, inside.shape[1:])
    away = (slots[:, None] - slots).abs() * WINDOW + (slots - WINDOW // 2).abs()
    nearest = torch.where(there[..., None, :], away, WINDOW * WINDOW).argmin(dim=-1)
    return Windows(inside.gather(-1, nearest), there.any(dim=-1))


def shown(video: Float[Tensor, "b t 3 h w"], frame_valid: Bool[Tensor, "b t"] | None) -> Float[Tensor, "n 3 h w"]:
    """The frames that are there, one after another."""
    return video.flatten(0, 1) if frame_valid is None else video[frame_valid]


def in_place(
    features: Float[Tensor, "n *rest"], b: int, frame_valid: Bool[Tensor, "b t"] | None
) -> Float[Tensor, "b t *rest"]:
    """What was made of each frame that is there, in its place; zeros in the places of the others."""
    if frame_valid is None:
        return features.unflatten(0, (b, -1))
    empty = features.new_zeros(*frame_valid.shape, *features.shape[1:])
    return empty.index_put((frame_valid,), features)
