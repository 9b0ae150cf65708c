"""Losses on density answers: one value for each asked moment, NaN where nobody knows where the wearer looked."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.ops.geometry import inside
from regard.ops.heatmap import gaussian_maps, log_density, published_label_maps
from regard.ops.published_losses import PUBLISHED_TEMPERATURE, published_kl

__all__ = ["GLCKL", "GazeKL"]


class DensityLoss(ABC):
    """Compares a map of logits with a gaze point."""

    temperature: ClassVar[float] = 1.0
    """What a model trained with this loss means by its logits: divided by this, they are its log density."""

    @abstractmethod
    def __call__(self, logits: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
        """One value a map; lower is better; NaN for a NaN point."""

    def teaches(self, point: Float[Tensor, "*b 2"], valid: Bool[Tensor, "*b"]) -> Bool[Tensor, "*b"]:
        """True for the moments that take part: known gaze on the image, its border included."""
        return valid & inside(point)


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeKL(DensityLoss):
    """KL(target || answer) in nats, the target a Gaussian round the gaze point; 0 is perfect.

    `sigma` is the Gaussian's standard deviation as a share of the map's width (3.2 cells of 64 is the field's habit).
    """

    sigma: float = 0.05

    def __call__(self, logits: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
        """One value a map."""
        h, w = logits.shape[-2:]
        target = gaussian_maps(point, (h, w), sigma_cells=(self.sigma * w, self.sigma * w))
        return (target * (target.clamp_min(1e-30).log() - log_density(logits))).sum(dim=(-2, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class GLCKL(DensityLoss):
    """The loss of GLC and CSTS: KL(answer || target) over ln(number of cells), answers at temperature 2.

    The target is the published label map, a bell of `kernel_cells` cells: 19 on maps of 64x64, fewer on smaller ones.
    `unknown` says what becomes of moments whose gaze is unknown or off the image: "leave_out" is right; "uniform"
    teaches a flat map there, as GLC does on EGTEA. Source: `regard.ops.published_losses`.
    """

    temperature: ClassVar[float] = PUBLISHED_TEMPERATURE

    kernel_cells: int = 19
    unknown: Literal["leave_out", "uniform"] = "leave_out"

    def __call__(self, logits: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
        """One value a map; no point is unknown with "uniform"."""
        h, w = logits.shape[-2:]
        target = published_label_maps(point, (h, w), kernel_cells=self.kernel_cells)
        if self.unknown == "uniform":
            target = torch.where(inside(point)[..., None, None], target, 1 / (h * w))
        return published_kl(logits, target)

    def teaches(self, point: Float[Tensor, "*b 2"], valid: Bool[Tensor, "*b"]) -> Bool[Tensor, "*b"]:
        """Every moment with "uniform"; otherwise those with known gaze on the image."""
        return torch.ones_like(valid) if self.unknown == "uniform" else DensityLoss.teaches(self, point, valid)
