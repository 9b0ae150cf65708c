"""The feature pyramid of FPN-RIM: each backbone that the thesis lists, cut where it cuts it."""

import pytest
import torch
from torch import nn

from regard.errors import RecipeError
from regard.models.feature_pyramid import CUTS, FRAMES_AT_ONCE, Pyramid, folded


@torch.no_grad()
@pytest.mark.parametrize(
    "backbone", sorted(CUTS.keys() - {"mobilenetv3_large_100", "efficientnet_b7", "resnet152", "vgg19"})
)
def test_every_backbone_gives_maps_from_fine_to_coarse(backbone: str) -> None:
    """The three largest take long and have their test below; timm's need not be installed."""
    pyramid = Pyramid(backbone, weights="random", trunk="frozen", size=(64, 96), channels=2, every=True).eval()
    maps = pyramid(torch.randn(1, 3, 64, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [(2, *size) for size in pyramid.sizes]
    strides = [64 / h for h, _ in pyramid.sizes]
    assert strides == [4, 8, 16, 32]


@pytest.mark.parametrize("backbone", sorted(CUTS.keys() - {"mobilenetv3_large_100"}))
def test_every_backbone_ends_at_its_last_cut(backbone: str) -> None:
    channels = {"densenet201": [256, 512, 1792, 1920], "vgg19": [256, 512, 512], "resnet152": [256, 512, 1024, 2048]}
    channels |= {"mobilenet_v3_large": [24, 40, 112, 960], "mobilenet_v3_small": [16, 24, 48, 96]}
    channels |= {"efficientnet_b0": [24, 40, 112, 320], "efficientnet_b7": [48, 80, 224, 640]}
    channels |= {"resnet18": [64, 128, 256, 512]}
    with torch.device("meta"):
        pyramid = Pyramid(backbone, weights="random", trunk="frozen", size=(224, 224), channels=8)
    assert [layer.in_channels for layer in pyramid.across] == channels[backbone]
    assert pyramid.sizes == [(56, 56)]
    assert list(pyramid.body._modules)[-1] == CUTS[backbone][-1]


def test_a_timm_backbone_without_timm_is_explained() -> None:
    def made() -> Pyramid:
        return Pyramid("mobilenetv3_large_100", weights="random", trunk="frozen", size=(32, 64), channels=3)

    try:
        import timm  # noqa: F401
    except ImportError:
        with pytest.raises(RecipeError, match=r"(?s)timm is not installed.*pip install timm"):
            made()
    else:
        assert made().across[-1].in_channels == 960


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["mobilenet_v3_small", "densenet201", "resnet18"])
def test_normalisation_folded_into_the_weights_changes_nothing(backbone: str) -> None:
    pyramid = Pyramid(backbone, weights="random", trunk="frozen", size=(32, 32), channels=2).eval()
    image = torch.randn(FRAMES_AT_ONCE + 1, 3, 32, 32)
    in_two = [torch.cat(maps) for maps in zip(pyramid.look(image[:4]), pyramid.look(image[4:]), strict=True)]
    for found, wanted in zip(pyramid.look(image), in_two, strict=True):
        assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()
    left = [type(m) for m in folded(pyramid.body).modules()].count(nn.BatchNorm2d)
    assert (left == 0) == (backbone != "densenet201")
