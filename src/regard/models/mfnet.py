"""MFNet for several tasks at once: action, verb and noun of a clip, and where gaze and hands are while it is done.

A multi-fibre network, whose convolutions see a sixteenth of the channels each; its last features are pooled for the
classes, and read by a soft-argmax for the places of gaze and hands, which only help to learn.
Source: Kapidis et al., Multitask learning to improve egocentric action recognition, ICCVW 2019,
georkap/hand_track_classification@962faa1 and its successor georkap/ego_md_mtl@2190100; network: Chen et al.,
Multi-fiber networks for video recognition, ECCV 2018, cypw/PyTorch-MFNet@4d3434e.
"""

import re
from collections.abc import Mapping
from math import gcd
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import WeightsError
from regard.models.clip_lengths import by_length
from regard.models.convolution import convolved
from regard.models.published import (
    BY_HAND,
    Checkpoint,
    Rules,
    bare_state,
    built_from,
    load_published,
    published_names,
    tensor_names,
)
from regard.models.recomputed import recomputed
from regard.ops.heatmap import log_density
from regard.ops.soft_argmax import mean_point
from regard.transforms.colour import IMAGENET_STD, Normalise
from regard.transforms.place import Transform

__all__ = ["MFNetAnswer", "MFNetMultitask"]

Three = tuple[int, int, int]
"""Of time, height and width."""

DEPTHS = (3, 4, 6, 3)
WIDTH, STEM, FIBRES = 96, 16, 16
"""Channels of the first stage and of the stem as published, and how many groups a convolution has."""
STRIDES = ((2, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2))
"""Of each stage, over time, height and width."""
MEAN = (124 / 255, 117 / 255, 104 / 255)

TASKS = {1: ("action",), 2: ("verb", "noun"), 3: ("action", "verb", "noun")}
"""What so many published classifiers are about; two are from EPIC-Kitchens, which has no actions of its own."""
POINTS = {0: (False, False), 1: (True, False), 2: (False, True), 3: (True, True)}
"""Whether gaze, and whether hands are among so many published points."""

PUBLISHED_RULES: Rules = (
    (r"^stem\.convolution\.", "conv1.conv."),
    (r"^stem\.norm\.", "conv1.bn."),
    *((rf"^stages\.{i}\.{j}\.", f"conv{i + 2}.B{j + 1:02}.") for i in range(4) for j in range(DEPTHS[i])),
    (r"\.squeeze\.", ".conv_i1."),
    (r"\.spread\.", ".conv_i2."),
    (r"\.fibres\.", ".conv_m1."),
    (r"\.merge\.", ".conv_m2."),
    (r"\.shortcut\.", ".conv_w1."),
    (r"\.norm\.", ".bn."),
    (r"\.convolution\.", ".conv."),
    (r"^last_norm\.", "tail.bn."),
    (r"^places\.", "coord_layers.hm_conv."),
    (r"^classifiers\.", "classifier_list.classifier_list."),
)
PUBLISHED_PLACES, UNUSED = "coord_layers.hm_conv.weight", "coord_layers.probability.weight"
"""What answers where gaze and hands are; and a tensor that the successor's files hold and no answer depends on."""


class MFNetAnswer(NamedTuple):
    """What the wearer does, and where gaze and hands are in each of s slots, two frames or one; None: not asked."""

    logits: Float[Tensor, "b k"]
    """Of the action, or of the first label that there is."""
    verb: Float[Tensor, "b v"] | None
    noun: Float[Tensor, "b n"] | None
    gaze_logits: Float[Tensor, "b s h w"] | None
    """Log probability of the gaze."""
    hand_logits: Float[Tensor, "b s 2 h w"] | None
    """The same of the left and the right hand."""
    gaze_point: Float[Tensor, "b s 2"] | None
    hand_point: Float[Tensor, "b s 2 2"] | None


class MFNetMultitask(nn.Module):
    """Action, verb and noun, gaze and hands of a clip. 7.8 million parameters.

    `video` is RGB less (124, 117, 104) / 255 over ImageNet's deviation; the published clips are 16 frames of 224x224,
    but any number and size will do. Classes of a label that is not asked about are 0. A slot of gaze and hands is two
    frames; `finer` of 2 makes it one, by interpolation as the successor has it. `width` are the channels of the first
    stage and `depths` the units of the four. With `checkpointing`, training keeps only what lies between units.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = (
        Checkpoint(
            name="mfnet_k400",
            about="MFNet 3D, Kinetics-400: where MFNetMultitask starts from",
            file="MFNet3D_Kinetics-400_72.8.pth",
            page="https://github.com/cypw/PyTorch-MFNet",
            note=BY_HAND,
            fits=lambda content: MFNetMultitask(gaze=False, hands=False).init_from(content),
            names=lambda: tuple(
                n for n in tensor_names(MFNetMultitask, PUBLISHED_RULES) if n.startswith(("conv", "tail"))
            ),
        ),
    )

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(MEAN, IMAGENET_STD),)

    def __init__(
        self,
        *,
        actions: int = 106,
        verbs: int = 19,
        nouns: int = 53,
        gaze: bool = True,
        hands: bool = True,
        finer: int = 1,
        width: int = WIDTH,
        depths: tuple[int, int, int, int] = DEPTHS,
        dropout: float = 0.5,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.gaze, self.hands, self.finer, self.checkpointing = gaze, hands, finer, checkpointing
        self.labels = [name for name, k in (("action", actions), ("verb", verbs), ("noun", nouns)) if k]
        self.stem = Stem()
        fibres, inputs, stages = gcd(FIBRES, width), STEM, []
        for i, (stride, depth) in enumerate(zip(STRIDES, depths, strict=True)):
            outputs = width * 2**i
            first = Unit(inputs, outputs, fibres=fibres, stride=stride, is_first=True)
            others = (Unit(outputs, outputs, fibres=fibres, is_first=False) for _ in range(depth - 1))
            stages.append(nn.Sequential(first, *others))
            inputs = outputs
        self.stages = nn.ModuleList(stages)
        self.last_norm = nn.BatchNorm3d(inputs)
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleList(nn.Linear(inputs, k) for k in (actions, verbs, nouns) if k)
        self.places = nn.Conv3d(inputs, gaze + 2 * hands, 1, bias=False) if gaze or hands else None
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(
        self, video: Float[Tensor, "b t 3 h_in w_in"], frame_valid: Bool[Tensor, "b t"] | None = None
    ) -> MFNetAnswer:
        """The answer. Frames that are not valid, at the end of a clip, are not looked at; their slots mean nothing."""
        slots = self.finer * -(-video.shape[1] // 2)
        parts = by_length(self._look, video, frame_valid=frame_valid, slots=slots)
        logits = dict(zip(self.labels, parts, strict=False))
        maps = None if self.places is None else parts[-1]
        gaze = None if maps is None or not self.gaze else maps[:, :, 0]
        hands = None if maps is None or not self.hands else maps[:, :, -2:]
        return MFNetAnswer(
            logits=parts[0],
            verb=logits.get("verb"),
            noun=logits.get("noun"),
            gaze_logits=gaze,
            hand_logits=hands,
            gaze_point=None if gaze is None else mean_point(gaze),
            hand_point=None if hands is None else mean_point(hands),
        )

    def _look(self, video: Tensor) -> tuple[Tensor, ...]:
        """Logits of each label, then the log densities of all places (b, s, l, h, w), if there are any."""
        x = self.features(video)
        seen = self.dropout(x.mean(dim=(2, 3, 4)))
        answers = [classify(seen) for classify in self.classifiers]
        if self.places is not None:
            if self.finer > 1:
                x = functional.interpolate(x, scale_factor=(self.finer, 1, 1), mode="trilinear", align_corners=False)
            answers.append(log_density(self.places(x).float()).transpose(1, 2))
        return tuple(answers)

    def features(self, video: Float[Tensor, "b t 3 h_in w_in"]) -> Float[Tensor, "b c s h w"]:
        """What the classes are told by: half as many slots as frames, a thirty-second of height and width."""
        x = self.stem(video.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d))
        for unit in (unit for stage in self.stages for unit in stage.children()):
            x = recomputed(unit, x) if self.checkpointing and self.training else unit(x)
        return functional.relu(self.last_norm(x), inplace=True)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "MFNetMultitask":
        """The model with published weights, of the paper or its successor; its tensors tell what it was asked about.

        Raises WeightsError that lists what does not fit.
        """
        where = "MFNetMultitask"
        state = bare_state(checkpoint, where=where)
        unused = state.pop(UNUSED, None)
        if unused is not None and unused.shape != (1, WIDTH * 8):
            raise WeightsError(
                where,
                found=f"{UNUSED} is {tuple(unused.shape)} and not {(1, WIDTH * 8)}",
                wanted="the tensors of the published successor",
                do="check that the file belongs to this model and is whole",
            )
        head = re.compile(r"classifier_list\.classifier_list\.\d+\.weight")
        counts = [len(state[name]) for name in sorted(n for n in state if head.fullmatch(n))]
        places = state.get(PUBLISHED_PLACES)
        points = 0 if places is None else len(places)
        if len(counts) not in TASKS or points not in POINTS:
            raise WeightsError(
                where,
                found=f"{len(counts)} classifiers and {points} places",
                wanted="1 to 3 classifiers, and up to 3 places: of gaze, of two hands",
                do="check that the file belongs to this model and is whole",
            )
        classes = {"action": 0, "verb": 0, "noun": 0} | dict(zip(TASKS[len(counts)], counts, strict=True))
        gaze, hands = POINTS[points]
        return built_from(
            lambda: cls(
                actions=classes["action"], verbs=classes["verb"], nouns=classes["noun"], gaze=gaze, hands=hands
            ),
            state,
            PUBLISHED_RULES,
            where=where,
        )

    def init_from(self, checkpoint: Mapping[str, object]) -> None:
        """Start the network from MFNet trained on Kinetics, without its classifier; classes and places stay.

        Raises WeightsError that lists every other name that is missing or left over.
        """
        where = "MFNet of Kinetics"
        state = {n: v for n, v in bare_state(checkpoint, where=where).items() if "classifier" not in n}
        taken = ("stem.", "stages.", "last_norm.")
        names = {p: o for p, o in published_names(self, PUBLISHED_RULES).items() if o.startswith(taken)}
        load_published(self, state, names, where=where)


class Stem(nn.Module):
    """Convolution, normalisation and pool: pictures at a fourth of their height and width."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(3, STEM, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), bias=False)
        self.norm = nn.BatchNorm3d(STEM)

    def forward(self, x: Float[Tensor, "b 3 t h_in w_in"]) -> Float[Tensor, "b c t h w"]:
        """Pooled over space only."""
        x = functional.relu(convolved(x, self.convolution, self.norm), inplace=True)
        return functional.max_pool3d(x, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))


class Before(nn.Module):
    """Normalisation and everything below zero cut off, before a convolution."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: Three = (1, 1, 1),
        stride: Three = (1, 1, 1),
        fibres: int = 1,
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(inputs)
        around = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.convolution = nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=around, groups=fibres, bias=False)


class Unit(nn.Module):
    """A multi-fibre unit: channels are mixed through a narrow detour, then convolved in fibres; the sum with the input.

    The first of a stage, which changes the number of channels or their places, merges its fibres and has a shortcut.
    """

    def __init__(self, inputs: int, outputs: int, *, fibres: int, stride: Three = (1, 1, 1), is_first: bool) -> None:
        super().__init__()
        narrow = outputs // 4
        self.squeeze = Before(inputs, narrow)
        self.spread = Before(narrow, inputs)
        self.fibres = Before(inputs, outputs, kernel=(3, 3, 3), stride=stride, fibres=fibres)
        own = Before(outputs, outputs, kernel=(1, 3, 3), fibres=fibres)
        self.merge = Before(outputs, outputs) if is_first else own
        self.shortcut = Before(inputs, outputs, stride=stride) if is_first else None

    def forward(self, x: Float[Tensor, "b i t h w"]) -> Float[Tensor, "b o t2 h2 w2"]:
        """The shortcut is that of the input, before the detour was added."""
        mixed = x + one_after_another(x, self.squeeze, self.spread)
        shortcut = x if self.shortcut is None else one_after_another(x, self.shortcut)
        return one_after_another(mixed, self.fibres, self.merge) + shortcut


def one_after_another(x: Float[Tensor, "b i t h w"], *steps: Before) -> Float[Tensor, "b o t2 h2 w2"]:
    """Each normalisation after the first in one with the convolution before it."""
    x = steps[0].norm(x)
    for step, after in zip(steps, (*steps[1:], None), strict=True):
        norm = None if after is None else after.norm
        x = convolved(functional.relu(x, inplace=True), step.convolution, norm)
    return x
