"""Changes to a Sample's optical flow."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from regard.batch import Sample
from regard.errors import RecipeError
from regard.transforms.place import Transform

__all__ = ["ScaleFlow", "StandardiseFlow"]

BOUND_PX = 20.0
"""Longer components are cut, as the published systems do (yjxiong/dense_flow's default)."""
GREY_MEAN, GREY_STD = 0.449, 0.226
"""The means of ImageNet's means and standard deviations of red, green and blue."""


@dataclass(frozen=True, slots=True)
class ScaleFlow(Transform):
    """Pixels to [-1, 1]: divided by `bound_px` and cut there; the models that read flow were trained so."""

    bound_px: float = BOUND_PX

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return replace(sample, flow=_bounded(sample, self, self.bound_px))


@dataclass(frozen=True, slots=True)
class StandardiseFlow(Transform):
    """Pixels to a grey picture's (value - mean) / std, where -`bound_px` is black (0) and `bound_px` is white (1)."""

    bound_px: float = BOUND_PX

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        grey = (_bounded(sample, self, self.bound_px) + 1) / 2
        return replace(sample, flow=(grey - GREY_MEAN) / GREY_STD)


def _bounded(sample: Sample, transform: Transform, bound_px: float) -> Float[Tensor, "t 2 h w"]:
    """The flow in [-1, 1]. Raises RecipeError where the sample has none."""
    if sample.flow is None:
        raise RecipeError(
            type(transform).__name__,
            found=f"a sample without flow ({sample.clip})",
            wanted="optical flow, because this transform scales it",
            do="remove the transform from the recipe, or choose a model that reads flow",
        )
    return (sample.flow / bound_px).clamp(-1, 1)
