"""What STAM's code does to gaze when it crops; only `*_published` recipes want it. Source: ymlml/STAM@ba501f5."""

from dataclasses import dataclass

import torch
from typing_extensions import override

from regard.batch import GAZE, Sample
from regard.transforms.place import Transform, crop, room_for

__all__ = ["STAMCrop"]


@dataclass(frozen=True, slots=True)
class STAMCrop(Transform):
    """Keep a square of `size` at a random place; the gaze moves up by as much as it moves left.

    Gaze left of what is seen is moved to its border, and gaze above it likewise.
    """

    size: int

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        height, width = room_for(sample, self, self.size, self.size)
        top, left = (int(torch.randint(side - self.size + 1, (), generator=generator)) for side in (height, width))
        return self.at(sample, top=top, left=left)

    def at(self, sample: Sample, *, top: int, left: int) -> Sample:
        """The crop that begins at (top, left)."""
        height, width = room_for(sample, self, self.size, self.size)
        seen, pixels = (
            crop(sample, top=top, left=left, height=self.size, width=self.size),
            torch.tensor([width, height]),
        )
        return seen.with_points(
            lambda point: seen.view.undo(((sample.view.apply(point) * pixels - left) / self.size).clamp_min(0)), of=GAZE
        )
