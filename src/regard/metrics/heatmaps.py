"""How well a density over the image says where somebody looked: one number per map, higher or lower as each says.

`log_density` is the natural logarithm of the mass in each cell; `point` is the normalised gaze point. A point that is
NaN or off the image (border included) has no cell to score, and a map with NaN says nothing: the score is NaN.
Sources: Bylinskii et al., What do different evaluation metrics tell us about saliency models?, PAMI 2019;
Kuemmerer et al., Information-theoretic model comparison, PNAS 2015.
"""

import math

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from regard.ops.geometry import cell_of, inside
from regard.ops.heatmap import mirrored_blur

FLAT = 1e-6
"""Standard deviation over mean below which a map is flat: what float32 leaves of a uniform density is under 1e-7."""


PUBLISHED_BLUR_CELLS = 3.2
"""Deviation of the blur in GLC's AUC."""


def nss(log_density: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Normalised scanpath saliency: the density at the gaze in standard deviations over its mean; higher is better.

    0 is chance, and the score of a flat map. Mean and (population) deviation are over the map's cells.
    """
    centred, deviation = _centred(log_density.exp())
    return _over(_at(centred, point), deviation)


def nss_on_map(log_density: Float[Tensor, "*b h w"], fixations: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """NSS averaged over several people's fixations, given as their number in each cell; NaN where there is none."""
    centred, deviation = _centred(log_density.exp())
    return _over(_dot(centred, fixations) / fixations.sum((-2, -1)), deviation)


def kl(log_density: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """KL(target || prediction) in nats: what the prediction misses of the target density; 0 is perfect.

    Both must sum to 1. Cells without target mass cost nothing; target mass where the prediction has none is
    infinite. The loss of the published gaze models runs the other way round.
    """
    surprise = target.clamp_min(torch.finfo(target.dtype).tiny).log() - log_density
    # The only product that is NaN is 0 times infinity, in cells without target mass.
    cost = (target * surprise).nan_to_num(0, torch.inf, -torch.inf)
    return torch.where(_has_nan(log_density) | _has_nan(target), torch.nan, cost.sum((-2, -1)))


def cc(log_density: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """Pearson's correlation between two maps, -1 to 1; higher is better. 0 where either is flat."""
    (centred, deviation), (target, target_deviation) = _centred(log_density.exp()), _centred(target)
    covariance = _dot(centred, target) / (target.shape[-2] * target.shape[-1])
    return _over(_over(covariance, deviation), target_deviation)


def sim(log_density: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """Mass that two densities share (histogram intersection), 0 to 1; higher is better."""
    return torch.minimum(log_density.exp(), target).sum((-2, -1))


def auc_judd(log_density: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Area under the ROC curve, gazed-at cell against all other cells; 0.5 is chance, 1 perfect.

    Exact: the share of other cells that the gazed-at cell beats, ties counting half, with no random jitter. (Judd's own
    code draws a straight line from the curve's origin to its first step, so that one fixation scores (1 + AUC) / 2.)
    """
    finite = log_density.clamp_min(torch.finfo(log_density.dtype).min)
    here = _at(finite, point)[..., None, None]
    beaten_less_lost = (here - finite).sign().sum((-2, -1))
    others = log_density.shape[-2] * log_density.shape[-1] - 1
    return torch.where(here[..., 0, 0].isnan(), torch.nan, 0.5 + 0.5 * beaten_less_lost / others)


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
    return torch.where(_has_nan(log_density), torch.nan, auc)


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
    h, w = rescaled.shape[-2:]
    known = inside(point)
    label = (torch.where(known[..., None], point, 0) * point.new_tensor([w - 1, h - 1])).round().flip(-1)
    found = centre_of_mass_published(rescaled).floor().nan_to_num()
    auc = blurred_point_auc(found.long(), label.long(), (h, w), sigma_cells=PUBLISHED_BLUR_CELLS, like=rescaled)
    return torch.where(known & ~_has_nan(rescaled), auc, torch.nan)


def blurred_point_auc(
    found: Int64[Tensor, "*b 2"],
    label: Int64[Tensor, "*b 2"],
    size: tuple[int, int],
    *,
    sigma_cells: float,
    like: Tensor,
) -> Float[Tensor, "*b"]:
    """1 minus the share of cells that lie higher than the labelled one on a bump round the found one.

    Cells are (row, column) on a map of (height, width) `size`; dtype and device are those of `like`.
    """
    (row, column), (label_row, label_column) = found.unbind(-1), label.unbind(-1)
    down, across = (mirrored_blur(n, like=like, sigma_cells=sigma_cells) for n in size)
    bump = down[:, row].movedim(0, -1)[..., :, None] * across[:, column].movedim(0, -1)[..., None, :]
    here = bump.flatten(-2).gather(-1, (label_row * size[1] + label_column)[..., None])[..., None]
    return 1 - (bump > here).to(bump.dtype).mean((-2, -1))


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
    value = maps.flatten(-2).gather(-1, (row * w + column)[..., None])[..., 0]
    return torch.where(inside(point) & ~_has_nan(maps), value, torch.nan)


def _has_nan(maps: Float[Tensor, "*b h w"]) -> Bool[Tensor, "*b"]:
    """A NaN anywhere in a map is its maximum, which is found 15 times as fast as the NaN itself."""
    return maps.amax((-2, -1)).isnan()


def _centred(maps: Float[Tensor, "*b h w"]) -> tuple[Float[Tensor, "*b h w"], Float[Tensor, "*b"]]:
    """Each map less its mean, and its standard deviation: 0 where the map is flat."""
    mean = maps.mean((-2, -1), keepdim=True)
    centred = maps - mean
    deviation = torch.linalg.vector_norm(centred.flatten(-2), dim=-1) / math.sqrt(maps.shape[-2] * maps.shape[-1])
    return centred, torch.where(deviation <= FLAT * mean.abs()[..., 0, 0], 0, deviation)


def _over(value: Float[Tensor, "*b"], deviation: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """The value in standard deviations; 0 where a map is flat."""
    return torch.where(deviation > 0, value / deviation, 0 * value)


def _dot(maps: Float[Tensor, "*b h w"], others: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    return torch.linalg.vecdot(maps.flatten(-2), others.flatten(-2))
