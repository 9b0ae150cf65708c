"""How a model's gaze or attention over a few cells is compared with recorded gaze, rightly and as it was published.

Source of the published forms: MichiganCOG/Gaze-Attention@def72a1 and YZ-26/EgoHAR@55f08ef.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from regard.ops.geometry import cell_of, inside
from regard.ops.heatmap import gaussian_maps, log_density

SMALLEST = 1e-30
"""Instead of 0 in a logarithm; what it is multiplied by is then 0, or the answer was certain and wrong."""


def slot_targets(
    point: Float[Tensor, "b t 2"], grid: tuple[int, int, int], *, use: Literal["all", "first"] = "all"
) -> Float[Tensor, "b s h w"]:
    """The share of each cell in the recorded gaze of each slot, on a `grid` of (slots, height, width).

    A slot has t / slots frames, the last one what remains. "all" counts each of them, "first" only the slot's first
    one, as published. Gaze outside the picture does not count; a slot without any is NaN.
    """
    slots, h, w = grid
    point = in_slots(point, slots)
    point = point[:, :, :1] if use == "first" else point
    cell = cell_of(point, (h, w))
    flat = cell[..., 1] * w + cell[..., 0]
    counted = inside(point).to(point.dtype)
    mass = torch.zeros(*point.shape[:2], h * w, dtype=point.dtype, device=point.device).scatter_add_(2, flat, counted)
    return (mass / mass.sum(dim=-1, keepdim=True)).unflatten(-1, (h, w))


def slot_maps(
    point: Float[Tensor, "b t 2"], grid: tuple[int, int, int], *, sigma_cells: float
) -> Float[Tensor, "b s h w"]:
    """The mean over each slot's known gaze of `gaussian_maps`, of mass 1; slots as in `slot_targets`, NaN without."""
    return gaussian_maps(in_slots(point, grid[0]), grid[1:], sigma_cells=sigma_cells).nanmean(dim=2)


def slot_points(
    point: Float[Tensor, "b t *n 2"], slots: int, *, use: Literal["all", "first"] = "all"
) -> Float[Tensor, "b s *n 2"]:
    """The mean of the known points in each of s slots, NaN where there is none; "first": its first frame's point.

    A slot has t / slots frames, the last one what remains. A NaN in either coordinate makes a point unknown.
    """
    point = in_slots(point, slots)
    if use == "first":
        return point[:, :, 0]
    known = ~point.isnan().any(dim=-1, keepdim=True)
    return torch.where(known, point, 0).sum(dim=2) / known.sum(dim=2)


def cell_kl(logits: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """KL(target || softmax of the logits) in nats, one value a map; 0 is perfect, NaN for a NaN target.

    Where all mass lies in one cell, it is the cross-entropy of that cell. Gaze-attention's gaze loss is its mean over
    the slots that have a target.
    """
    return _kl(target, log_density(logits))


def attention_kl(attention: Float[Tensor, "*b h w"], target: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """KL(target || each place's share of the attention) in nats, one value a map; 0 is perfect, NaN for a NaN target.

    The sound form of EgoHAR's gaze loss: target `gaussian_maps(point, grid, sigma_cells=1.5)`, averaged over frames.
    """
    share = attention / attention.sum(dim=(-2, -1), keepdim=True)
    return _kl(target, share.clamp_min(SMALLEST).log())


def reverse_kl(logits: Float[Tensor, "*b h w"], prior: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """KL(softmax of the logits || prior) in nats, one value a map; 0 is perfect. A prior is above 0 everywhere.

    Unlike `cell_kl` it asks for nothing where the prior is high and the answer low, as a latent gaze with a prior does.
    """
    log_answer = log_density(logits)
    return (log_answer.exp() * (log_answer - prior.log())).sum(dim=(-2, -1))


def published_gaze_heat(
    point: Float[Tensor, "*b 2"], grid: tuple[int, int] = (7, 7), *, sigma_cells: float = 1.5
) -> Float[Tensor, "*b h w"]:
    """EgoHAR's gaze target: a bell of height 1 round x * w, y * h, where cell number i is taken to lie at i.

    So it lies half a cell right of and below the gaze, and its mass is not 1. Missing gaze went in as (0, 0), which
    puts it into the first cell; NaN gives NaN.
    """
    rows, columns = (
        torch.exp(-((point[..., axis, None] * n - torch.arange(n, device=point.device)) ** 2) / (2 * sigma_cells**2))
        for axis, n in ((1, grid[0]), (0, grid[1]))
    )
    return rows[..., :, None] * columns[..., None, :]


def published_attention_kl(attention: Float[Tensor, "b t h w"], heat: Float[Tensor, "b t h w"]) -> Float[Tensor, "b"]:
    """KL(softmax of the heat || softmax of the attention) in nats, summed over a clip's frames.

    Almost empty: both are softmaxes of values in [0, 1], so near to uniform that no more than 0.04 nats a frame can
    be learned, whatever the gaze.
    """
    target = log_density(heat)
    return (target.exp() * (target - log_density(attention))).sum(dim=(1, 2, 3))


def in_slots(point: Float[Tensor, "b t *n 2"], slots: int) -> Float[Tensor, "b s each *n 2"]:
    """The points of each slot's frames, t / slots of them, NaN where the last slot has fewer."""
    each = -(-point.shape[1] // slots)
    lacking = point.new_full((len(point), slots * each - point.shape[1], *point.shape[2:]), torch.nan)
    return torch.cat([point, lacking], dim=1).unflatten(1, (slots, each))


def _kl(target: Tensor, log_answer: Tensor) -> Tensor:
    """NaN for a NaN target, and then without a gradient, where a NaN would spread."""
    known = ~target.isnan().any(dim=-1).any(dim=-1)
    target = torch.where(known[..., None, None], target, 0)
    nats = (target * (target.clamp_min(SMALLEST).log() - log_answer)).sum(dim=(-2, -1))
    return torch.where(known, nats, torch.nan)
