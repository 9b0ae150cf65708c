"""Losses on density answers: one value for each asked moment, NaN where nobody knows where the wearer looked."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from regard.ops.heatmap import gaussian_maps, log_density


class DensityLoss(ABC):
    """Compares a map of logits with a gaze point."""

    @abstractmethod
    def __call__(self, logits: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
        """One value a map; lower is better; NaN for a NaN point."""


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
