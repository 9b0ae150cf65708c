"""Three answers that need no training: where people look on average, what stands out, and where the eye already is.

Each is what a learned model has to beat: `CentrePrior` knows nothing of the moment, `Saliency` sees the pictures,
`GazeStays` knows the gaze so far. All numbers that could be chosen are constructor arguments; there are no weights.
"""

import math
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate, pad

from regard.ops.heatmap import log_density
from regard.transforms.colour import ToFloat
from regard.transforms.place import Transform

__all__ = ["CentrePrior", "GazeStays", "Saliency"]

EGOCENTRIC_MEAN = (0.504, 0.703)
"""(x, y) of the mean gaze, lower centre: measured on EGTEA Gaze+ (1,045,844 frames, the valid ones)."""
EGOCENTRIC_SPREAD = (0.132, 0.187)
"""Standard deviation of that gaze in (x, y): measured on EGTEA Gaze+ (1,045,844 frames)."""

CONTRAST_SCALES = ((1.0, 4.0), (2.0, 8.0), (4.0, 16.0))
"""Centre and surround of the contrast, standard deviations in 64ths of the picture."""
CHANNEL_NOISE = 1e-3
"""Amplitude below which a frequency of a channel in [0, 1] is rounding noise of 8-bit pictures, and says nothing."""
MOST_SALIENT = 4.0
"""Standard deviations from a map's mean that it approaches but never passes: one cell cannot swallow all density."""
HEAD_MOTION_STEPS = 5
"""Gauss-Newton steps for the picture's own shift; on real head motion of 2 cells a frame, more change nothing."""
FLOW_NOISE = 0.02
"""Grey difference, and grey slope per cell, that count as noise when motion is judged."""

STILL_CELLS = 0.02
"""Speed in cells per frame whose variation over the picture says nothing: sensor noise and compression."""


class CentrePrior(nn.Module):
    """Where people look when nothing else is known: one Gaussian, the same at every moment.

    `mean` and `spread` (standard deviation) are (x, y), normalised; `size` is the answer's (h, w) in cells.
    """

    def __init__(
        self,
        *,
        mean: tuple[float, float] = EGOCENTRIC_MEAN,
        spread: tuple[float, float] = EGOCENTRIC_SPREAD,
        size: tuple[int, int] = (64, 64),
    ) -> None:
        super().__init__()
        self.mean, self.spread, self.size = mean, spread, size

    def forward(self, ahead_s: Float[Tensor, "b u"]) -> Float[Tensor, "b u h w"]:
        """Log density (natural, normalised over the cells) for each asked moment."""
        point, spread = ahead_s.new_tensor(self.mean), ahead_s.new_tensor(self.spread)
        return _log_gaussian(point, spread, self.size).expand(*ahead_s.shape, *self.size)


class Saliency(nn.Module):
    """What stands out in each frame, times the centre prior: a training-free answer from the pictures alone.

    The log density is prior_weight * log prior + still_weight * still + motion_weight * motion, up to a constant, where
    each map has mean 0 and standard deviation 1 over the picture. `still` is the sum of the spectral residual and of
    the centre-surround contrast at three scales, on the channels intensity, red-green and blue-yellow. `motion` is
    what moves against the picture's own shift between a frame and the one before, in cells per frame; a first frame
    has none. Each answer uses its own frame and the one before, so it is causal; a masked frame gets the prior.

    Defaults were compared on three short real clips (two worn cameras, one skateboarder filmed by hand), not fitted
    to a dataset. NSS of the density and, after the comma, information over a uniform map in nats, before and with it:
    centre prior 2.91, 1.72 -> 3.80, 2.03 (Neon, 112 frames); 1.22, 1.01 -> 1.47, 1.11 (Aria, 8 frames, dark);
    1.90, 1.03 -> 1.89, 1.10 (skateboarder, viewers' density, prior in the middle). In the synthetic kitchen,
    not looked at before: 0.99, 0.54 -> 1.84, 1.00 and 1.35, 0.84 -> 2.10, 1.26 (seeds 1 and 2). Tried and left out:
    image signature, Boolean maps and distance from the mean colour, each better on one clip and worse on another;
    whole-cell phase correlation for the head's motion, which sees no motion below a cell and made matters worse;
    averaging over time, which made matters worse.
    Sources: spectral residual, Hou and Zhang, CVPR 2007; centre-surround contrast of opponent colours, Itti, Koch and
    Niebur, PAMI 1998 (here on smoothed pictures, not a pyramid); image shift, Lucas and Kanade, IJCAI 1981, with each
    cell weighted down by its residual; what remains over the slope is the normal flow of Horn and Schunck, 1981.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (ToFloat(),)

    def __init__(
        self,
        *,
        mean: tuple[float, float] = EGOCENTRIC_MEAN,
        spread: tuple[float, float] = EGOCENTRIC_SPREAD,
        prior_weight: float = 1.0,
        still_weight: float = 0.35,
        motion_weight: float = 0.2,
        size: tuple[int, int] = (64, 64),
    ) -> None:
        super().__init__()
        self.prior = CentrePrior(mean=mean, spread=spread, size=size)
        self.prior_weight, self.still_weight, self.motion_weight = prior_weight, still_weight, motion_weight
        self.size = size

    def forward(
        self, video: Float[Tensor, "b t 3 ph pw"], frame_valid: Bool[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b t h w"]:
        """Log density for each shown frame; `video` is RGB in [0, 1]. Frames that are not valid are not looked at."""
        b, t = video.shape[:2]
        if frame_valid is None:
            frame_valid = video.new_ones(b, t, dtype=torch.bool)
        video = torch.where(frame_valid[..., None, None, None], video, 0.0)
        small = interpolate(video.flatten(0, 1), self.size, mode="area").float()
        channels = _opponent(small)
        still = _spectral_residual(channels) + _contrast(channels)
        scene = self.still_weight * _standardised(still, noise=0.1).unflatten(0, (b, t))
        moved = _motion(channels[:, 0].unflatten(0, (b, t)))
        both_valid = frame_valid[:, 1:] & frame_valid[:, :-1]
        scene[:, 1:] += self.motion_weight * torch.where(both_valid[..., None, None], moved, 0.0)
        prior = self.prior_weight * self.prior(small.new_zeros(b, t))
        return log_density(prior + torch.where(frame_valid[..., None, None], scene, 0.0))


class GazeStays(nn.Module):
    """The eye stays near where it was last seen, and the less surely so the farther ahead one asks.

    A mixture of a Gaussian round the last valid observed gaze and of the centre prior. With h = |ahead_s|, the Gaussian
    has the standard deviation spread * sqrt(1 - exp(-h / spread_time_s)) per axis, at least that of a cell's width,
    and the share late + (early - late) * exp(-h / share_time_s), where `share` is (early, late). Without any valid
    observed gaze the prior alone answers. `ahead_s` counts from the last shown frame, also when the last valid gaze is
    earlier.

    Defaults: maximum likelihood on EGTEA Gaze+, training clips of split 1, 280,000 pairs 1/24 to 8 s apart. Fitted at
    one time distance alone, Gaussian (x, y) and share are (0.011, 0.013) and 0.81 at 0.04 s, (0.035, 0.035) and 0.69
    at 0.25 s, (0.045, 0.043) and 0.60 at 0.5 s, (0.051, 0.051) and 0.55 at 1 s, (0.054, 0.061) and 0.59 at 4 s: half of
    the time people still look, or look again, at the same place. On the test clips the law is worth 4.61, 2.47, 2.13,
    1.72, 1.70 nats at these distances; the prior alone 1.0.
    """

    def __init__(
        self,
        *,
        spread: tuple[float, float] = (0.056, 0.060),
        spread_time_s: float = 0.7,
        share: tuple[float, float] = (0.89, 0.57),
        share_time_s: float = 0.2,
        prior_mean: tuple[float, float] = EGOCENTRIC_MEAN,
        prior_spread: tuple[float, float] = EGOCENTRIC_SPREAD,
        size: tuple[int, int] = (64, 64),
    ) -> None:
        super().__init__()
        self.prior = CentrePrior(mean=prior_mean, spread=prior_spread, size=size)
        self.spread, self.spread_time_s, self.share, self.share_time_s = spread, spread_time_s, share, share_time_s
        self.size = size

    def forward(
        self,
        observed_point: Float[Tensor, "b t 2"],
        observed_valid: Bool[Tensor, "b t"],
        ahead_s: Float[Tensor, "b u"],
    ) -> Float[Tensor, "b u h w"]:
        """Log density for each asked moment, normalised over the cells."""
        seen = observed_valid.any(dim=1)
        t = observed_valid.shape[1]
        last = (observed_valid * torch.arange(1, t + 1, device=observed_valid.device)).argmax(dim=1)
        point = observed_point[torch.arange(len(last), device=last.device), last]
        point = torch.where(seen[:, None], point, 0.5)
        h, w = self.size
        away_s = ahead_s.abs()[..., None]
        grown = ahead_s.new_tensor(self.spread) ** 2 * -torch.expm1(-away_s / self.spread_time_s)
        spread = torch.sqrt(grown + ahead_s.new_tensor([1 / w, 1 / h]) ** 2 / 12)
        near = _log_gaussian(point[:, None].expand_as(spread), spread, self.size)
        early, late = self.share
        share = late + (early - late) * torch.exp(-away_s / self.share_time_s)[..., None]
        prior = self.prior(ahead_s)
        mixed = torch.logaddexp(torch.log(share) + near, torch.log1p(-share) + prior)
        return torch.where(seen[:, None, None, None], mixed, prior)


def _log_gaussian(point: Tensor, spread: Tensor, size: tuple[int, int]) -> Tensor:
    """Log of a normalised Gaussian over the cells, per (..., 2) point and spread; points outside act from the edge."""
    h, w = size
    x = (torch.arange(w, device=point.device, dtype=point.dtype) + 0.5) / w
    y = (torch.arange(h, device=point.device, dtype=point.dtype) + 0.5) / h
    point = point.clamp(0.0, 1.0)
    along_x = ((x - point[..., :1]) / spread[..., :1]) ** 2
    along_y = ((y - point[..., 1:]) / spread[..., 1:]) ** 2
    return log_density(-0.5 * (along_y[..., :, None] + along_x[..., None, :]))


def _standardised(maps: Tensor, *, noise: float) -> Tensor:
    """Mean 0 and standard deviation near 1 over each map, bent at MOST_SALIENT; variation below `noise` fades."""
    centred = maps - maps.mean((-2, -1), keepdim=True)
    deviation = centred.square().mean((-2, -1), keepdim=True).sqrt()
    return MOST_SALIENT * torch.tanh(centred / (deviation + noise) / MOST_SALIENT)


def _smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian of `sigma` 64ths of the picture, whose weights sum to 1 at the edges too."""

    def weights(n: int) -> Tensor:
        cell = torch.arange(n, device=maps.device, dtype=maps.dtype)
        w = torch.exp(-0.5 * ((cell[:, None] - cell) / (sigma * n / 64)) ** 2)
        return w / w.sum(1, keepdim=True)

    return weights(maps.shape[-2]) @ maps @ weights(maps.shape[-1]).T


def _opponent(rgb: Tensor) -> Tensor:
    """Intensity, red against green, blue against yellow."""
    red, green, blue = rgb.unbind(-3)
    return torch.stack([(red + green + blue) / 3, red - green, blue - (red + green) / 2], -3)


def _spectral_residual(channels: Tensor) -> Tensor:
    """What a frame's log spectrum has beyond its own smooth course, back in the picture; summed over channels."""
    spectrum = torch.fft.fft2(channels, norm="ortho")
    amplitude = spectrum.abs()
    course = torch.log(amplitude + CHANNEL_NOISE)
    smooth = avg_pool2d(pad(course, (1, 1, 1, 1), mode="circular"), 3, stride=1)
    heard = amplitude / (amplitude + CHANNEL_NOISE)
    residual = torch.fft.ifft2(torch.polar(heard * torch.exp(course - smooth), spectrum.angle()))
    energy = _smoothed(residual.abs().square().sum(-3), 3.0)
    return _standardised(energy / (energy.mean((-2, -1), keepdim=True) + CHANNEL_NOISE**2), noise=0.01)


def _contrast(channels: Tensor) -> Tensor:
    """Colour distance between each place and its surround, all scales alike in weight."""
    of_scales = [
        _standardised(
            (_smoothed(channels, centre) - _smoothed(channels, surround)).square().sum(-3).sqrt(), noise=CHANNEL_NOISE
        )
        for centre, surround in CONTRAST_SCALES
    ]
    return _standardised(_smoothed(torch.stack(of_scales).sum(0), 2.0), noise=0.1)


def _motion(intensity: Tensor) -> Tensor:
    """Speed against the picture's own shift, in cells, from each of [b, t] frames to the next: [b, t - 1, h, w]."""
    b, t, h, w = intensity.shape
    picture = _smoothed(intensity, 1.0)
    if t < 2:
        return picture[:, 1:]
    before, now = (p.reshape(-1, 1, h, w) for p in (picture[:, :-1], picture[:, 1:]))
    slope_y, slope_x = torch.gradient(now, dim=(-2, -1))
    inside = torch.zeros_like(now)
    margin_y, margin_x = math.ceil(0.1 * h), math.ceil(0.1 * w)
    inside[..., margin_y : h - margin_y, margin_x : w - margin_x] = 1.0
    shift = now.new_zeros(len(now), 2)
    for _ in range(HEAD_MOTION_STEPS):
        change = now - _shifted(before, shift)
        weight = inside / (change.abs() + FLOW_NOISE)
        xx, xy, yy, xc, yc = (
            (weight * product).sum((1, 2, 3))
            for product in (slope_x**2, slope_x * slope_y, slope_y**2, slope_x * change, slope_y * change)
        )
        determinant = (xx * yy - xy**2).clamp(min=1e-6)
        shift = shift - torch.stack([yy * xc - xy * yc, xx * yc - xy * xc], 1) / determinant[:, None]
        shift = shift.clamp(-0.1 * min(h, w), 0.1 * min(h, w))
    change = now - _shifted(before, shift)
    slope = (slope_x**2 + slope_y**2).sqrt()
    speed = inside * change.abs() / (slope + FLOW_NOISE)
    return _standardised(_smoothed(speed, 2.0), noise=STILL_CELLS).view(b, t - 1, h, w)


def _shifted(pictures: Tensor, shift: Tensor) -> Tensor:
    """[n, 1, h, w] pictures moved right and down by [n, 2] cells (x, y)."""
    h, w = pictures.shape[-2:]
    grid = affine_grid(
        torch.eye(2, 3, device=pictures.device, dtype=pictures.dtype).expand(len(pictures), 2, 3),
        list(pictures.shape),
        align_corners=False,
    )
    cells = shift.new_tensor([w / 2, h / 2])
    return grid_sample(pictures, grid - (shift / cells)[:, None, None], padding_mode="border", align_corners=False)
