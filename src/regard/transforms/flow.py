"""Changes to a Sample's optical flow."""

from dataclasses import dataclass, replace

import torch
from typing_extensions import override

from regard.batch import Sample
from regard.errors import RecipeError
from regard.transforms.place import Transform

__all__ = ["ScaleFlow"]

BOUND_PX = 20.0
"""Longer components are cut, as the published systems do (yjxiong/dense_flow's default)."""


@dataclass(frozen=True, slots=True)
class ScaleFlow(Transform):
    """Pixels to [-1, 1]: divided by `bound_px` and cut there; the models that read flow were trained so."""

    bound_px: float = BOUND_PX

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        if sample.flow is None:
            raise RecipeError(
                "ScaleFlow",
                found=f"a sample without flow ({sample.clip})",
                wanted="optical flow, because this transform scales it",
                do="remove the transform from the recipe, or choose a model that reads flow",
            )
        return replace(sample, flow=(sample.flow / self.bound_px).clamp(-1, 1))
