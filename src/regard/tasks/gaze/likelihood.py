"""The likelihood of a gaze point under a density over cells, for models that say how sure they are of a single cell."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from regard.ops.geometry import cell_of
from regard.ops.heatmap import log_density
from regard.tasks.gaze.losses import DensityLoss

__all__ = ["GazeLikelihood"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeLikelihood(DensityLoss):
    """The negative log of the mass in the cell of the gaze point, in nats; ln(h w) is a uniform map.

    What `GazeKL` tends to as its Gaussian narrows to a cell: a wider one teaches a model to blur an eye that rests.
    """

    @override
    def __call__(self, logits: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
        """One value a map."""
        h, w = logits.shape[-2:]
        column, row = cell_of(point, (h, w)).unbind(-1)
        mass = log_density(logits).flatten(-2).gather(-1, (row * w + column)[..., None])[..., 0]
        return -mass.where(~point.isnan().any(-1), point.new_tensor(float("nan")))
