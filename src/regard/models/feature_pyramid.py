"""Picture features at several scales: an ImageNet classifier cut in three or four places, and a feature pyramid on it.

The classifiers are torchvision's, and one of timm's. Source: Lin et al., Feature pyramid networks, CVPR 2017; the cuts
are those of spreeni/thesis_gaze_prediction@63eb1dc, and of the small ResNet, which is not in it, at the same scales.
"""

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from regard.errors import RecipeError
from regard.models.backbones import Weights, calibrate, imagenet_model, wants_imagenet
from regard.models.published import Rules

BackboneName = Literal[
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "efficientnet_b7",
    "densenet201",
    "vgg19",
    "resnet18",
    "resnet152",
    "mobilenetv3_large_100",
]

TrunkState = Literal["frozen", "drifting", "learned"]
"""What training does to a backbone: nothing; nothing but that its normalisation takes each batch's statistics and keeps
their running mean, as published; or it learns with the rest, its statistics constant."""

CUTS: Mapping[BackboneName, tuple[str, ...]] = {
    "mobilenet_v3_large": ("3", "6", "12", "16"),
    "mobilenet_v3_small": ("1", "3", "8", "11"),
    "efficientnet_b0": ("2", "3", "5", "7"),
    "efficientnet_b7": ("2", "3", "5", "7"),
    "densenet201": ("denseblock1", "denseblock2", "denseblock3", "denseblock4"),
    "vgg19": ("17", "26", "35"),
    "resnet18": ("layer1", "layer2", "layer3", "layer4"),
    "resnet152": ("layer1", "layer2", "layer3", "layer4"),
    "mobilenetv3_large_100": ("blocks1", "blocks2", "blocks4", "blocks6"),
}
"""After which of its parts each is cut, from the finest scale on."""

FRAMES_AT_ONCE = 8
"""Pictures that go through a backbone together where nothing is learned of them: the maps of more leave the caches.
From so many on, folding its normalisation into its weights takes less time than it saves."""


class Pyramid(nn.Module):
    """From pictures of `size` (height, width) to maps of `channels`: the finest, or (`every`) all scales."""

    def __init__(
        self,
        backbone: BackboneName,
        *,
        weights: Weights,
        trunk: TrunkState,
        size: tuple[int, int],
        channels: int,
        every: bool = False,
    ) -> None:
        super().__init__()
        self.trunk_state, self.cuts = trunk, CUTS[backbone]
        self.body = body_of(backbone, weights=weights).requires_grad_(trunk == "learned")
        with torch.no_grad():
            maps = [level.shape[1:] for level in self._through(self.body.eval(), torch.zeros(1, 3, *size))]
        self.sizes = [(h, w) for _, h, w in maps][: None if every else 1]
        self.across = nn.ModuleList(started(nn.Conv2d(c, channels, 1)) for c, _, _ in maps)
        self.smooth = nn.ModuleList(started(nn.Conv2d(channels, channels, 3, padding=1)) for _ in self.sizes)

    def train(self, mode: bool = True) -> "Pyramid":
        """Training mode, but for a backbone whose normalisation is constant."""
        super().train(mode)
        if self.trunk_state != "drifting":
            self.body.eval()
        return self

    def forward(self, image: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c _h _w"]]:
        """The wanted scales, from the finest on. What a picture gives is its own, but for a drifting backbone."""
        return self.merge(self.look(image))

    def look(self, image: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n _f _h _w"]]:
        """What the backbone gives at each cut."""
        if self.trunk_state == "learned":
            return self._through(self.body, image)
        with torch.no_grad():
            if self.body.training or len(image) <= FRAMES_AT_ONCE:
                return self._through(self.body, image)
            body = folded(self.body)
            parts = [self._through(body, part) for part in image.split(FRAMES_AT_ONCE)]
            return [torch.cat(level) for level in zip(*parts, strict=True)]

    def merge(self, maps: Sequence[Float[Tensor, "n _f _h _w"]]) -> list[Float[Tensor, "n c _h _w"]]:
        """The pyramid on them: from the coarsest on, each scale takes in the one before it."""
        merged: list[Tensor] = []
        for layer, level in zip(reversed(self.across), reversed(maps), strict=True):
            own = layer(level)
            if merged:
                own = own + functional.interpolate(merged[-1], own.shape[-2:], mode="nearest")
            merged.append(own)
        return [layer(level) for layer, level in zip(self.smooth, reversed(merged), strict=False)]

    def _through(self, body: nn.Module, image: Tensor) -> list[Tensor]:
        x, maps = image.contiguous(memory_format=torch.channels_last), []  # half the time on a CPU
        for name, part in body.named_children():
            x = part(x)
            if name in self.cuts:
                maps.append(x)
        return maps


def started(layer: nn.Conv2d) -> nn.Conv2d:
    """As a feature pyramid's layers start."""
    assert layer.bias is not None
    nn.init.kaiming_uniform_(layer.weight, a=1)
    nn.init.zeros_(layer.bias)
    return layer


def body_of(backbone: BackboneName, *, weights: Weights) -> nn.Sequential:
    """The classifier's parts up to its last cut; random ones have the normalisation statistics of noise."""
    model = imagenet_model(backbone, weights=weights) if backbone != "mobilenetv3_large_100" else timm_model(weights)
    features = getattr(model, "features", model)
    parts = [
        (name + inner, part)
        for name, child in features.named_children()
        for inner, part in (child.named_children() if name == "blocks" else (("", child),))
    ]
    body = nn.Sequential()
    for name, part in parts[: 1 + [name for name, _ in parts].index(CUTS[backbone][-1])]:
        body.add_module(name, part)
    if weights == "random" and not next(body.parameters()).is_meta:
        calibrate(body)
    return body


def timm_model(weights: Weights) -> nn.Module:
    """timm's MobileNetV3. Raises RecipeError where timm is not installed."""
    try:
        import timm  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise RecipeError(
            "backbone",
            found="mobilenetv3_large_100, which is timm's, and timm is not installed",
            wanted="timm, or a backbone of torchvision's",
            do="pip install timm, or take mobilenet_v3_large, which is nearly the same network",
        ) from error
    return timm.create_model("mobilenetv3_large_100", pretrained=weights == "imagenet" and wants_imagenet())


def published_names_of(backbone: BackboneName) -> Rules:
    """The rules from a pyramid's own names to the published ones."""
    inside = "features." if CUTS[backbone][0].startswith(("denseblock", *"0123456789")) else ""
    return (
        (r"\bbody\.blocks(\d)", r"body.blocks.\1"),
        (r"^pyramid\.body\.", rf"backbone.body.{inside}"),
        (r"^pyramid\.across\.(\d)\.", r"fpn.fpn.inner_blocks.\1.0."),
        (r"^pyramid\.smooth\.(\d)\.", r"fpn.fpn.layer_blocks.\1.0."),
    )


def folded(body: nn.Module) -> nn.Module:
    """The same network, in two thirds of the time: constant normalisation inside the convolutions before it."""
    body = copy.deepcopy(body).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: torch has it
    for module in body.modules():
        children = list(module.named_children())
        for (before, convolution), (after, normalisation) in pairwise(children):
            if type(convolution) is nn.Conv2d and type(normalisation) is nn.BatchNorm2d:
                setattr(module, before, fuse_conv_bn_eval(convolution, normalisation))
                setattr(module, after, nn.Identity())
    return body
