"""What a stretch of gaze looks like in numbers: where, how fast, which way, how still, how often back again.

All take a batch of trajectories of up to t samples at 24 Hz, made whole by `filled`, with `real` True on each one's own
samples, which come first; nothing depends on what stands behind them. Points are normalised to the picture.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

VIEW_DEG = (60.0, 45.0)
"""Degrees over the width and height of the picture, of the SMI glasses with which EGTEA Gaze+ was recorded."""

REST = (0.5, 0.7)
"""Where people look on average when they work with their hands; stands for a trajectory without any measurement."""

FIXATION_DEG = 30 / 24
"""Degrees a sample below which gaze is still: I-VT's 30 degrees a second (Olsen, Tobii I-VT filter, 2012)."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SPEEDS_DEG = (0.15, 0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2)
SACCADES_DEG = ((0.6, 2.0), (2.0, 6.0), (6.0, math.inf))
LAGS = (2, 4, 6, 9, 12, 18, 24, 36, 48, 72, 96)
NEAR_DEG = (2.0, 6.0)
RUNS = (3, 6, 12, 24, 48)


class Trajectories(NamedTuple):
    """Whole trajectories: `point` has no gaps, and `measured` says which of its samples are real measurements."""

    point: Float[Tensor, "b t 2"]
    measured: Bool[Tensor, "b t"]
    real: Bool[Tensor, "b t"]

    @property
    def length(self) -> Float[Tensor, "b"]:
        """Number of samples of each, at least 1."""
        return self.real.sum(dim=1).clamp(min=1).to(self.point.dtype)

    @property
    def moved_deg(self) -> Float[Tensor, "b t 2"]:
        """From the sample before to each, in degrees of the picture; 0 for the first and on padding."""
        moved = torch.zeros_like(self.point)
        moved[:, 1:] = (self.point[:, 1:] - self.point[:, :-1]) * self.point.new_tensor(VIEW_DEG)
        return moved * self.real[..., None]


def filled(
    point: Float[Tensor, "b t 2"],
    valid: Bool[Tensor, "b t"],
    frame_valid: Bool[Tensor, "b t"],
    *,
    max_samples: int,
) -> Trajectories:
    """Gaps filled on straight lines, the ends with the nearest measurement; of longer trajectories, the middle.

    What `valid` or `frame_valid` masks has no influence, NaN or not.
    """
    t = point.shape[1]
    at = torch.arange(t, device=point.device)
    length = torch.where(frame_valid, at + 1, 0).amax(dim=1)
    first = (length - max_samples).clamp(min=0) // 2
    kept = length.clamp(max=max_samples)
    take = (first[:, None] + at[: max(int(kept.max()), 1)]).clamp(max=t - 1)
    real = at[None, : take.shape[1]] < kept[:, None]
    measured = (valid & frame_valid).gather(1, take) & real
    point = torch.where(measured[..., None], point.gather(1, take[..., None].expand(-1, -1, 2)), 0.0)
    return Trajectories(_interpolated(point, measured), measured, real)


def _interpolated(point: Float[Tensor, "b t 2"], measured: Bool[Tensor, "b t"]) -> Float[Tensor, "b t 2"]:
    t = point.shape[1]
    at = torch.arange(t, device=point.device).expand_as(measured)
    before = torch.where(measured, at, -1).cummax(dim=1).values
    after = torch.where(measured, at, t).flip(1).cummin(dim=1).values.flip(1)
    before, after = torch.where(before < 0, after, before), torch.where(after >= t, before, after)
    share = ((at - before) / (after - before).clamp(min=1)).to(point.dtype)[..., None]
    ends = [point.gather(1, i.clamp(0, t - 1)[..., None].expand(-1, -1, 2)) for i in (before, after)]
    whole = ends[0] + share * (ends[1] - ends[0])
    return torch.where(measured.any(dim=1)[:, None, None], whole, point.new_tensor(REST))


def channels(gaze: Trajectories) -> Float[Tensor, "b 7 t"]:
    """What a convolution sees, each of about unit spread: x, y, dx, dy, log speed, unmeasured, on the lower edge."""
    x, y = (gaze.point - gaze.point.new_tensor((0.5, 0.7))).unbind(-1)
    moved = gaze.moved_deg
    dx, dy = (moved / 2).clamp(-4, 4).unbind(-1)
    speed = torch.log1p(2 * moved.norm(dim=-1)) - 1
    low = gaze.point[..., 1] > 0.998
    stacked = torch.stack([x / 0.13, y / 0.19, dx, dy, speed, 2.0 * ~gaze.measured, 2.0 * low], dim=1)
    return stacked * gaze.real[:, None]


def parts(real: Bool[Tensor, "b t"]) -> Float[Tensor, "b t 4"]:
    """Weights of means over the whole and over each third: columns that sum to 1, or to 0 where a third is empty."""
    at = (torch.arange(real.shape[1], device=real.device) + 0.5) / real.sum(dim=1, keepdim=True).clamp(min=1)
    thirds = [real & (at >= k / 3) & (at < (k + 1) / 3) for k in range(3)]
    chosen = torch.stack([real, *thirds], dim=2).float()
    return chosen / chosen.sum(dim=1, keepdim=True).clamp(min=1)


def statistics(gaze: Trajectories) -> Float[Tensor, "b k"]:
    """All of the below side by side: about 300 numbers that say what a trajectory is like."""
    weights = parts(gaze.real)
    return torch.cat(
        [
            _quantiles(gaze),
            _means(gaze, weights),
            _speeds_and_directions(gaze, weights[..., :1]),
            _places(gaze, weights[..., 0]),
            _returns(gaze),
            _stillness(gaze),
        ],
        dim=1,
    )


def _quantiles(gaze: Trajectories) -> Float[Tensor, "b 25"]:
    """Of x, y, speed and both of its components."""
    moved = gaze.moved_deg
    values = torch.cat(
        [gaze.point, torch.log1p(20 * moved.norm(dim=-1, keepdim=True)), torch.log1p(20 * moved.abs())], -1
    )
    counted = torch.where(gaze.measured.any(dim=1, keepdim=True), gaze.measured, gaze.real)
    levels = gaze.point.new_tensor(QUANTILES)
    found = torch.nanquantile(values.masked_fill(~counted[..., None], torch.nan), levels, dim=1)
    return found.permute(1, 2, 0).flatten(1).nan_to_num()


def _means(gaze: Trajectories, weights: Float[Tensor, "b t 4"]) -> Float[Tensor, "b 58"]:
    """Means over the whole and its thirds, the spread of the points, and the way from the first third to the last."""
    x, y = gaze.point.unbind(-1)
    moved = gaze.moved_deg
    speed = moved.norm(dim=-1)
    dx, dy = (moved / 2).clamp(-2, 2).unbind(-1)
    aside = (x < 0.001) | (x > 0.999)
    each = [x, y, x * x, y * y, x * y, torch.log1p(20 * speed), speed.clamp(max=14) / 5, dx, dy]
    each += [(~gaze.measured).float(), (y > 0.998).float(), aside.float()]
    means = torch.stack(each, dim=1) @ weights
    spread = (means[:, 2:4] - means[:, :2] ** 2).clamp(min=0).sqrt()
    return torch.cat([means.flatten(1), spread.flatten(1), means[:, :2, 3] - means[:, :2, 1]], dim=1)


def _speeds_and_directions(gaze: Trajectories, weights: Float[Tensor, "b t 1"]) -> Float[Tensor, "b 32"]:
    """The share of samples faster than each speed, and that move into each of eight directions by size."""
    moved = gaze.moved_deg
    speed = moved.norm(dim=-1)
    faster = [speed > s for s in SPEEDS_DEG]
    eighth = (torch.atan2(moved[..., 1], moved[..., 0]) / (2 * math.pi) * 8).round().long() % 8
    into = torch.nn.functional.one_hot(eighth, 8).bool()
    moves = [into & ((speed > low) & (speed <= high))[..., None] for low, high in SACCADES_DEG]
    shares = torch.cat([torch.stack(faster, dim=-1), *moves], dim=-1).to(weights.dtype)
    return (shares.transpose(1, 2) @ weights)[..., 0]


def _places(gaze: Trajectories, weights: Float[Tensor, "b t"]) -> Float[Tensor, "b 129"]:
    """Square roots of soft histograms of the points: over the picture, and around the trajectory's own median."""
    around = torch.nanmedian(gaze.point.masked_fill(~gaze.real[..., None], torch.nan), dim=1, keepdim=True).values
    x, y = ((torch.arange(n, device=weights.device) + 0.5) / n for n in (10, 8))
    near = torch.linspace(-0.3, 0.3, 7, device=weights.device)
    return torch.cat(
        [
            _histogram(gaze.point, weights, x, y, width=0.065),
            _histogram(gaze.point - around.nan_to_num(), weights, near, near, width=0.05),
        ],
        dim=1,
    )


def _histogram(
    point: Float[Tensor, "b t 2"],
    weights: Float[Tensor, "b t"],
    x: Float[Tensor, "i"],
    y: Float[Tensor, "j"],
    *,
    width: float,
) -> Float[Tensor, "b _"]:
    shares = []
    for k, centres in enumerate((x, y)):
        near = torch.exp(-(((point[..., k, None] - centres) / width) ** 2) / 2)
        shares.append(near / near.sum(dim=-1, keepdim=True).clamp(min=1e-6))
    return torch.einsum("bt,bti,btj->bij", weights, *shares).flatten(1).sqrt()


def _returns(gaze: Trajectories) -> Float[Tensor, "b 44"]:
    """How far gaze is from where it was some samples ago: mean, shares of near ones, and whether more to the right."""
    found = []
    for lag in LAGS:
        pairs = gaze.real[:, lag:].float()
        apart = (gaze.point[:, lag:] - gaze.point[:, :-lag]) * gaze.point.new_tensor(VIEW_DEG)
        distance, right = apart.norm(dim=-1), apart[..., 0]
        each = [torch.log1p(20 * distance), *(distance < near for near in NEAR_DEG)]
        each.append((right > NEAR_DEG[0]).float() - (right < -NEAR_DEG[0]).float())
        found.append((torch.stack([e.float() for e in each], dim=-1) * pairs[..., None]).sum(1))
        found[-1] = found[-1] / pairs.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.cat(found, dim=1)


def _stillness(gaze: Trajectories) -> Float[Tensor, "b 20"]:
    """Fixations (runs of slow samples): how long, how many, and how far and which way from one to the next."""
    slow = (gaze.moved_deg.norm(dim=-1) < FIXATION_DEG) & gaze.measured
    starts = slow & ~torch.cat([torch.zeros_like(slow[:, :1]), slow[:, :-1]], dim=1)
    number = starts.cumsum(dim=1) * slow
    count = int(number.max()) + 2
    sums = gaze.point.new_zeros(len(slow), count, 3)
    rows = torch.cat([torch.ones_like(gaze.point[..., :1]), gaze.point], dim=-1) * slow[..., None]
    sums.scatter_add_(1, number[..., None].expand(-1, -1, 3), rows)
    length, centre = sums[:, 1:, 0], sums[:, 1:, 1:] / sums[:, 1:, :1].clamp(min=1)
    there = length > 0
    levels = gaze.point.new_tensor((0.1, 0.25, 0.5, 0.75, 0.9, 1.0))
    quantiles = torch.nanquantile(length.masked_fill(~there, torch.nan), levels, dim=1).T.nan_to_num()
    counts = torch.stack([there.sum(dim=1), *((length >= k).sum(dim=1) for k in RUNS)], dim=1)
    pairs = (there[:, 1:] & there[:, :-1])[..., None].float()
    step = centre[:, 1:] - centre[:, :-1]
    moves = torch.cat([step.abs(), step, (step > 0.03).float(), (step < -0.03).float()], dim=-1)
    mean_move = (moves * pairs).sum(dim=1) / pairs.sum(dim=1).clamp(min=1)
    return torch.cat([torch.log1p(quantiles), counts / gaze.length[:, None], mean_move], dim=1)
