"""Bringing whole pictures of any shape to one that a model takes."""

from dataclasses import dataclass, replace

import torch

from regard.batch import Sample
from regard.clips.transforms import scale_video, target_size, video_of


@dataclass(frozen=True, slots=True)
class ResizeToCells:
    """Scale to a short side in pixels, and to the long side of about the same proportions that `cell` divides.

    For models that take whole pictures of any shape, if only it has whole cells. `cell` should divide the short side.
    """

    short_side: int
    cell: int

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        """The sample with its video scaled; points are normalised and stay."""
        video = video_of(sample, self)
        h, w = target_size(video.shape[-2:], self.short_side)
        size = (max(1, round(h / self.cell)) * self.cell, max(1, round(w / self.cell)) * self.cell)
        return replace(sample, video=scale_video(video, size))
