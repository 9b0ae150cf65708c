"""How well a density over the image says where somebody looked: one number per map, higher or lower as each says.

`log_density` is the natural logarithm of the mass in each cell; `point` is the normalised gaze point. A point that is
NaN or off the image (border included) has no cell to score, and a map with NaN says nothing: the score is NaN.
Sources: Bylinskii et al., What do different evaluation metrics tell us about saliency models?, PAMI 2019;
Kuemmerer et al., Information-theoretic model comparison, PNAS 2015.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from regard.ops.geometry import cell_of, inside

FLAT = 1e-6
"""Standard deviation over mean below which a map is flat: what float32 leaves of a uniform density is under 1e-7."""


def nss(log_density: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Normalised scanpath saliency: the density at the gaze in standard deviations over its mean; higher is better.

    0 is chance, and the score of a flat map. Mean and (population) deviation are over the map's cells.
    """
    return _at(_standardised(log_density.exp()), point)


def nss_on_map(log_density: Float[Tensor, "*b h w"], fixations: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """NSS averaged over several people's fixations, given as their number in each cell; NaN where there is none."""
    return (_standardised(log_density.exp()) * fixations).sum((-2, -1)) / fixations.sum((-2, -1))


def kl(log_density: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """KL(target || prediction) in nats: what the prediction misses of the target density; 0 is perfect.

    Both must sum to 1. Cells without target mass cost nothing; target mass where the prediction has none is
    infinite. The loss of the published gaze models runs the other way round.
    """
    cost = torch.where(target == 0, 0, torch.xlogy(target, target) - target * log_density)
    return torch.where(log_density.isnan().any(-1).any(-1), torch.nan, cost.sum((-2, -1)))


def cc(log_density: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """Pearson's correlation between two maps, -1 to 1; higher is better. 0 where either is flat."""
    return (_standardised(log_density.exp()) * _standardised(target)).mean((-2, -1))


def sim(log_density: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """Mass that two densities share (histogram intersection), 0 to 1; higher is better."""
    return torch.minimum(log_density.exp(), target).sum((-2, -1))


def auc_judd(log_density: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Area under the ROC curve, gazed-at cell against all other cells; 0.5 is chance, 1 perfect.

    Exact: the share of other cells that the gazed-at cell beats, ties counting half, with no random jitter. (Judd's own
    code draws a straight line from the curve's origin to its first step, so that one fixation scores (1 + AUC) / 2.)
    """
    here = _at(log_density, point)[..., None, None]
    beaten = (log_density < here).sum((-2, -1)) + 0.5 * ((log_density == here).sum((-2, -1)) - 1)
    others = log_density.shape[-2] * log_density.shape[-1] - 1
    return torch.where(here[..., 0, 0].isnan(), torch.nan, beaten.to(log_density.dtype) / others)


def auc_judd_on_map(log_density: Float[Tensor, "*b h w"], fixated: Bool[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """Area under the ROC curve, all fixated cells against all others; exact, ties count half.

    NaN where no cell is fixated, or every cell.
    """
    value, positive = log_density.flatten(-2), fixated.flatten(-2)
    order = value.sort(-1).values
    # A tie gets the middle of the places that it fills, counted from 1.
    rank = torch.searchsorted(order, value) + torch.searchsorted(order, value, right=True) + 1
    num_fixated = positive.sum(-1)
    num_others = positive.shape[-1] - num_fixated
    twice_beaten = (rank * positive).sum(-1) - num_fixated * (num_fixated + 1)
    auc = twice_beaten.to(value.dtype) / (2 * num_fixated * num_others)
    return torch.where(value.isnan().any(-1), torch.nan, auc)


def information_gain(
    log_density: Float[Tensor, "*b h w"], baseline_log_density: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]
) -> Float[Tensor, "*b"]:
    """Log-likelihood of the gazed-at cell over the baseline's, in bits per gaze point; higher is better.

    Above 0, the prediction tells more than the baseline (a centre prior, or a uniform map).
    """
    return (_at(log_density, point) - _at(baseline_log_density, point)) / math.log(2)


def centre_of_mass_auc_published(
    rescaled: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]
) -> Float[Tensor, "*b"]:
    """The "AUC" that GLC reports: how near the map's centre of mass lies to the gaze; 0 to 1, higher is better.

    A delta at the centre of mass (rounded down) is blurred by 3.2 cells, and the score is 1 minus the share of cells
    above the gazed-at one, round((w - 1) x). It sees nothing of the map but its centre of mass, so it compares only
    with itself. `rescaled` is the min-max rescaled density. NaN for points off the image.
    Source: Lai et al., GLC, BMVC 2022; BolinLai/GLC@0025371.
    """
    row, column = (c.floor().nan_to_num().long() for c in centre_of_mass_published(rescaled).unbind(-1))
    h, w = rescaled.shape[-2:]
    down, across = (_mirrored_blur(n, like=rescaled) for n in (h, w))
    bump = down[:, row].movedim(0, -1)[..., :, None] * across[:, column].movedim(0, -1)[..., None, :]
    known = inside(point)
    corners = point.new_tensor([w - 1, h - 1])
    label_column, label_row = (torch.where(known[..., None], point, 0) * corners).round().long().unbind(-1)
    here = bump.flatten(-2).gather(-1, (label_row * w + label_column)[..., None])[..., None]
    auc = 1 - (bump > here).to(bump.dtype).mean((-2, -1))
    return torch.where(known & ~rescaled.isnan().any(-1).any(-1), auc, torch.nan)


def centre_of_mass_published(maps: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b 2"]:
    """(row, column) of each map's centre of mass, in cells, the first cell's *centre* being (0, 0)."""
    mass = maps.sum((-2, -1))
    rows = torch.arange(maps.shape[-2], device=maps.device, dtype=maps.dtype)
    columns = torch.arange(maps.shape[-1], device=maps.device, dtype=maps.dtype)
    return torch.stack([(maps.sum(-1) * rows).sum(-1) / mass, (maps.sum(-2) * columns).sum(-1) / mass], -1)


def _at(maps: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Each map's value in the cell of its point; NaN off the image, and for a map that holds NaN anywhere."""
    h, w = maps.shape[-2:]
    column, row = cell_of(point, (h, w)).unbind(-1)
    flat = maps.flatten(-2)
    value = flat.gather(-1, (row * w + column)[..., None])[..., 0]
    return torch.where(inside(point) & ~flat.isnan().any(-1), value, torch.nan)


def _standardised(maps: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b h w"]:
    """Mean 0 and standard deviation 1 over each map; all 0 where the map is flat."""
    mean = maps.mean((-2, -1), keepdim=True)
    deviation = (maps - mean).square().mean((-2, -1), keepdim=True).sqrt()
    return torch.where(deviation <= FLAT * mean.abs(), 0, (maps - mean) / deviation)


def _mirrored_blur(n: int, *, like: Tensor, sigma_cells: float = 3.2) -> Float[Tensor, "n n"]:
    """Column c is a unit impulse at c, blurred; what leaves the border is mirrored back in, edge cell included."""
    radius = int(4 * sigma_cells + 0.5)
    offset = torch.arange(-radius, radius + 1, device=like.device)
    kernel = torch.softmax(-0.5 * (offset.to(torch.float32) / sigma_cells) ** 2, dim=0).to(like.dtype)
    source = torch.arange(n, device=like.device)[:, None] + offset
    source = torch.where(source < 0, -1 - source, torch.where(source >= n, 2 * n - 1 - source, source))
    return like.new_zeros(n, n).scatter_add(1, source, kernel.expand(n, -1).contiguous())
