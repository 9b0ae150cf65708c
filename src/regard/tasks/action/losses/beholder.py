"""The loss of Beholder: the label, and how far the latent gaze lies from what the recorded gaze makes likely."""

from dataclasses import dataclass
from math import log, pi
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.beholder import BeholderAnswer
from regard.ops.action_losses import reverse_kl
from regard.ops.geometry import inside
from regard.tasks.action.losses.base import ActionLoss, Targets

__all__ = ["BeholderLoss"]

CELL_PX = 32
"""Side of a cell of the map, in pixels of the pictures that the model is shown."""
FLOOR = 1e-6
"""Added to a density per pixel, so that gaze is nowhere impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeholderLoss(ActionLoss):
    """Cross-entropy (`smoothing` of it spread over all classes) and KL(latent gaze || prior), weighted `gaze`.

    The prior of a slot is a Gaussian of `sigma_px` round the gaze in its middle or first `frame`, at its highest in
    each cell; uniform where that gaze is lost, beside the picture, or none of the `states`, and with no gaze at all.
    4.1 pixels lie almost in one cell; 16 to 32 make a soft prior. `scale` "hoi" is log(classes) / log(cells) times
    the mean over slots; "elbo" is the sum over slots, 11.7 / 4.66 times as strong as published sizes have it.
    Source: Li, Liu & Rehg, ECCV 2018; 2020aptx4869lm/Forecasting-Human-Object-Interaction-in-FPV@77675f9.
    """

    reads = frozenset({"gaze_logits", "attention"})

    gaze: float = 1.0
    frame: Literal["middle", "first"] = "middle"
    states: tuple[str, ...] = ("tracked", "fixation", "pursuit")
    sigma_px: float = 4.1
    scale: Literal["hoi", "elbo"] = "hoi"
    smoothing: float = 0.0

    def __call__(self, answer: BeholderAnswer, targets: Targets) -> dict[str, Tensor]:
        """The parts are "prior" and the cross-entropy by the label's name."""
        b, slots, h, w = answer.gaze_logits.shape
        point = answer.gaze_logits.new_full((b, slots, 2), torch.nan)
        if targets.gaze is not None:
            point = self.asked(targets.gaze.during(self.states), slots)
        kl = reverse_kl(answer.gaze_logits, gaze_prior(point, (h, w), sigma_px=self.sigma_px))
        if self.scale == "hoi":
            kl = kl * log(answer.logits.shape[1]) / (slots * log(h * w))
        label = cross_entropy(answer.logits, targets.label[targets.main], label_smoothing=self.smoothing)
        prior = kl.sum(dim=1).mean()
        return {"loss": label + self.gaze * prior, targets.main: label, "prior": prior}

    def fed(self, own: BeholderAnswer, point: Float[Tensor, "b t 2"]) -> dict[str, Tensor]:
        """The prior, where there is one."""
        _, slots, h, w = own.attention.shape
        asked = self.asked(point, slots)
        prior = gaze_prior(asked, (h, w), sigma_px=self.sigma_px)
        return {"attention": torch.where(inside(asked)[..., None, None], prior, own.attention)}

    def asked(self, point: Float[Tensor, "b t 2"], slots: int) -> Float[Tensor, "b s 2"]:
        """The gaze of the frame of each slot that counts."""
        each = -(-point.shape[1] // slots)
        frames = each * torch.arange(slots) + (each // 2 if self.frame == "middle" else 0)
        return point[:, frames.clamp_max(point.shape[1] - 1).to(point.device)]


def gaze_prior(point: Float[Tensor, "*b 2"], grid: tuple[int, int], *, sigma_px: float) -> Float[Tensor, "*b h w"]:
    """A Gaussian's highest density in each cell of a (height, width) `grid`, and a floor; 1 in all, nowhere 0.

    Uniform for a point beside the picture and for NaN.
    """
    rows, columns = (
        torch.exp(-((point[..., axis, None] * n * CELL_PX - _pixels(n, like=point)) ** 2) / (2 * sigma_px**2))
        .unflatten(-1, (n, CELL_PX))
        .amax(dim=-1)
        for axis, n in ((1, grid[0]), (0, grid[1]))
    )
    density = rows[..., :, None] * columns[..., None, :] / (2 * pi * sigma_px**2) + FLOOR
    density = torch.where(inside(point)[..., None, None], density, 1)
    return density / density.sum(dim=(-2, -1), keepdim=True)


def _pixels(cells: int, *, like: Tensor) -> Float[Tensor, "n"]:
    return torch.arange(cells * CELL_PX, device=like.device, dtype=like.dtype) + 0.5
