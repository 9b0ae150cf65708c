"""One stream of STAM: an I3D, the map that weighs its last features, and the classes; see `regard.models.stam`."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.models.i3d import BLOCKS, DEPTHS, I3D, WIDTH, Inception, Three, Unit, scaled, stage_channels
from regard.models.i3d import PUBLISHED_RULES as I3D_RULES
from regard.models.published import Rules

Scaling = Literal["minimum", "min_max"]
"""How a map is made of what the attention branch says: less its smallest value, as published, and then without a bound
above; or stretched to [0, 1], as the published code means to."""

PUBLISHED_RULES: Rules = (
    (r"^trunk\.", ""),
    (r"^attend\.0\.", "attention_inc."),
    (r"^attend\.1\.", "attention_pred."),
    (r"^classify\.", "logits.conv3d."),
    *I3D_RULES,
)
"""Published names: from ours, see `regard.models.published`."""


class Stream(nn.Module):
    """One I3D, the map that weighs its features, and the classes."""

    def __init__(
        self,
        channels: int,
        *,
        actions: int,
        attends: bool = True,
        scaling: Scaling = "minimum",
        width: int = WIDTH,
        depths: Three = DEPTHS,
        dropout: float = 0.5,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.scaling: Scaling = scaling
        self.trunk = I3D(channels, width=width, depths=depths, checkpointing=checkpointing)
        features = stage_channels(2, width)
        self.attend = attention_branch(features, width) if attends else None
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(features, actions)

    def forward(
        self, x: Float[Tensor, "b t c h_in w_in"], attention: Float[Tensor, "b s_given h w"] | None = None
    ) -> tuple[Float[Tensor, "b k"], *tuple[Float[Tensor, "b s h w"], ...]]:
        """Logits, and the stream's own map if it has one; a given map is looked through in its place."""
        features = self.trunk(x).last
        if self.attend is None:
            return (self.classify(self.dropout(features.mean(dim=(2, 3, 4)))),)
        own = self.map(features)
        through = own if attention is None else attention[:, : own.shape[1]]
        weights = through.flatten(1).to(features.dtype) / own[0].numel()
        seen = torch.bmm(features.flatten(2), weights[..., None])[..., 0]
        return self.classify(self.dropout(seen)), own

    def map(self, features: Float[Tensor, "b c s h w"]) -> Float[Tensor, "b s h w"]:
        """How much each place of a clip matters, 0 at least in one of them."""
        assert self.attend is not None
        raw = self.attend(features)[:, 0].float()
        above = raw - raw.amin(dim=(1, 2, 3), keepdim=True)
        if self.scaling == "minimum":
            return above
        highest = above.amax(dim=(1, 2, 3), keepdim=True)
        return above / torch.where(highest > 0, highest, 1)


def attention_branch(features: int, width: int) -> nn.Sequential:
    """A last Inception block once more, and one channel of it."""
    a, b, c, d, e, f = (scaled(channels, width) for channels in BLOCKS[2][-1])
    block = Inception(features, (a, b, c, d, e, f))
    return nn.Sequential(block, Unit(block.channels, 1))
