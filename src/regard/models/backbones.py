"""Picture features from torchvision, and the one door through which torchvision is imported.

PyPI's torchvision wheel for Linux is linked against CUDA. Beside a CPU-only torch its compiled operators do not load,
and `import torchvision` stops with "operator torchvision::nms does not exist", although its models need none of them.
`ensure_torchvision` declares the two schemas that the import looks for. torchmetrics, and so lightning, import
torchvision themselves: where they are used, call it before them.
"""

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["RandomWeightsWarning", "ensure_torchvision"]

Weights = Literal["imagenet", "random"]
"""Where a backbone starts: torchvision's ImageNet-1K weights, or an initialisation drawn from torch's generator."""

ResNetName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]

MobileNetName = Literal["mobilenet_v3_small", "mobilenet_v3_large"]

MOBILENET_CUTS: dict[MobileNetName, tuple[int, int]] = {"mobilenet_v3_small": (4, 9), "mobilenet_v3_large": (7, 13)}
"""How many of torchvision's feature blocks end at stride 8, and how many at stride 16 (the rest, at 32, is dropped)."""

NORM_GROUPS = 8
"""Every layer of MobileNetV3 up to stride 16 has a multiple of 8 channels."""

CALIBRATION_SIZE = (96, 128)
"""Height and width of the noise on which random weights are calibrated; 16 frames of it take a tenth of a second."""

_declared: list[torch.library.Library] = []
"""Declared operators exist as long as their library object does."""


_wanted: ContextVar[bool] = ContextVar("wanted", default=True)


class RandomWeightsWarning(UserWarning):
    """ImageNet weights were asked for and could not be had, so the model starts from random ones."""


@contextmanager
def without_imagenet() -> Iterator[None]:
    """Within the block ImageNet weights are neither read nor fetched: models that get others, or that nobody asks."""
    token = _wanted.set(False)
    try:
        yield
    finally:
        _wanted.reset(token)


def wants_imagenet() -> bool:
    """False within `without_imagenet`."""
    return _wanted.get()


def ensure_torchvision() -> None:
    """Make `import torchvision` work beside a torch of another build; no effect where it works anyway.

    The operators `nms` and `qnms` are then declared but have no implementation: models, feature pyramids and transforms
    run, and non-maximum suppression raises NotImplementedError. Cheap, and may be called any number of times.
    """
    if "torchvision" in sys.modules or hasattr(torch.ops.torchvision, "nms"):
        return
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for compiled in Path(spec.origin).parent.glob("_C*"):
        try:
            torch.ops.load_library(str(compiled))
        except OSError:  # linked against libraries that this machine lacks
            continue
        return
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def imagenet_model(name: str, *, weights: Weights) -> nn.Module:
    """One of torchvision's classifiers with its ImageNet-1K weights, or random ones.

    Weights come from torchvision's cache, or are downloaded into it. Where neither can be had, the model keeps its
    random weights and RandomWeightsWarning says so.
    """
    ensure_torchvision()
    from torchvision import models

    model = models.get_model(name, weights=None)
    state = _imagenet_state(name) if weights == "imagenet" else None
    if state is not None:
        model.load_state_dict(state)
    return model


def resnet_maps(name: ResNetName, *, weights: Weights, stages: int = 4) -> tuple[nn.Sequential, int]:
    """A ResNet's layers up to the end of a stage, by torchvision's names, and how many channels their map has.

    The map's stride is 32 pixels after four stages, half of it after each one fewer.
    """
    whole = imagenet_model(name, weights=weights)
    return resnet_stages(whole, stages), whole.get_submodule("fc").in_features // 2 ** (4 - stages)


def resnet_stages(resnet: nn.Module, stages: int) -> nn.Sequential:
    """The layers of one of torchvision's ResNets up to the end of a stage."""
    maps = nn.Sequential()
    for layer in ("conv1", "bn1", "relu", "maxpool", *(f"layer{i + 1}" for i in range(stages))):
        maps.add_module(layer, resnet.get_submodule(layer))
    return maps


class MobileNetFeatures(nn.Module):
    """MobileNetV3 up to stride 16: one map at stride 8 and one at stride 16 for each picture.

    A frame's features depend on that frame alone, in training too: not on later or masked frames beside it, nor on how
    a batch is split over processes. So batch normalisation, which mixes frames, is replaced. `weights="imagenet"` keeps
    ImageNet's statistics as constants (where the weights cannot be had: those of noise); `weights="random"` normalises
    each frame in NORM_GROUPS groups of channels, which learns far faster from scratch.

    Source: Howard et al., Searching for MobileNetV3, ICCV 2019; torchvision's implementation. Wu & He, Group
    normalization, ECCV 2018. Calibrating on data: Mishkin & Matas, All you need is a good init, ICLR 2016.
    """

    def __init__(self, name: MobileNetName, *, weights: Weights) -> None:
        super().__init__()
        ensure_torchvision()
        from torchvision import models

        model = models.get_model(name, weights=None)
        blocks, (at_8, at_16) = model.features, MOBILENET_CUTS[name]
        assert isinstance(blocks, nn.Sequential)
        self.to_stride_8, self.to_stride_16 = blocks[:at_8], blocks[at_8:at_16]
        if weights == "random":
            _normalise_by_groups(self)
        elif (state := _imagenet_state(name)) is not None:
            model.load_state_dict(state)
        else:
            calibrate(self)
        with torch.no_grad():
            fine, coarse = self.train()(torch.zeros(1, 3, 32, 32))
        self.fine_channels, self.coarse_channels = fine.shape[1], coarse.shape[1]

    def train(self, mode: bool = True) -> "MobileNetFeatures":
        """Training mode for everything but constant statistics."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(
        self, image: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n f h8 w8"], Float[Tensor, "n c h16 w16"]]:
        """The maps at stride 8 and at stride 16."""
        fine = self.to_stride_8(image.contiguous(memory_format=torch.channels_last))  # half the time on a CPU
        return fine, self.to_stride_16(fine)


def _imagenet_state(name: str) -> dict[str, Tensor] | None:
    """torchvision's weights; None, with a warning, where they cannot be had, and where nobody wants them."""
    if not wants_imagenet():
        return None
    from torchvision import models

    published = models.get_model_weights(name)["DEFAULT"]
    try:
        return published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:  # no network, no such address, no space for the file
        warnings.warn(
            f"{name} starts from RANDOM weights: its ImageNet weights could not be had from {published.url} "
            f"({error}). To use them, put that file into {Path(torch.hub.get_dir()) / 'checkpoints'}; "
            "to train from scratch, say weights='random', which is made for that.",
            RandomWeightsWarning,
            stacklevel=3,
        )
        return None


def _normalise_by_groups(module: nn.Module) -> None:
    """Put group normalisation in the place of every batch normalisation inside."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.GroupNorm(NORM_GROUPS, child.num_features))
        else:
            _normalise_by_groups(child)


@torch.no_grad()
def calibrate(features: nn.Module) -> None:
    """Set the normalisation statistics to those of one pass over noise with structure at every scale, like pictures."""
    h, w = CALIBRATION_SIZE
    octaves = [torch.randn(16, 3, h // shrink, w // shrink) for shrink in (32, 8, 2, 1)]
    noise = sum(nn.functional.interpolate(o, (h, w), mode="bilinear") for o in octaves) / len(octaves) ** 0.5
    normalisations = [module for module in features.modules() if isinstance(module, nn.BatchNorm2d)]
    usual = [module.momentum for module in normalisations]
    for module in normalisations:
        module.train()
        module.momentum = 1.0
    features(noise)
    for module, momentum in zip(normalisations, usual, strict=True):
        module.momentum = momentum
