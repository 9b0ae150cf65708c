"""A ResNet that says of each picture what is where, and where the likeliest object of ImageNet lies.

ego-rnn and LSTA begin with it. They read on from the last block's output before its last normalisation, and attend by
the class activation map of the object that ImageNet's classifier finds likeliest.
Source: Sudhakaran & Lanz, Attention is all we need: nailing down object-centric attention for egocentric activity
recognition, BMVC 2018; swathikirans/ego-rnn@5467276. Class activation maps: Zhou et al., Learning deep features for
discriminative localization, CVPR 2016.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.models.backbones import Weights, imagenet_model, resnet_stages
from regard.models.published import Rules

BasicResNetName = Literal["resnet18", "resnet34"]
Stages = Literal[2, 3, 4]

FRAMES_AT_ONCE = 16
"""Layers that do not learn look at so many pictures together: more take no less time, and their maps fill memory."""

IMAGENET_RULES: Rules = ((r"^maps\.", ""), (r"^objects\.", "fc."))
"""A trunk's names -> torchvision's."""


class ObjectMaps(NamedTuple):
    """What is where in each picture, and how much of it speaks for the likeliest object."""

    features: Float[Tensor, "n c h w"]
    """Before the last normalisation, so of either sign."""
    activation: Float[Tensor, "n h w"]
    """The class activation map."""


class ObjectTrunk(nn.Module):
    """A ResNet and ImageNet's classifier of 1000 objects, with ImageNet's weights or random ones.

    With fewer `stages` than four, which makes the maps finer, the classifier begins with random numbers in any case.
    """

    def __init__(self, *, backbone: BasicResNetName, stages: Stages, weights: Weights) -> None:
        super().__init__()
        whole = imagenet_model(backbone, weights=weights)
        self.maps, objects = resnet_stages(whole, stages), whole.get_submodule("fc")
        assert isinstance(objects, nn.Linear)
        self.channels = objects.in_features // 2 ** (4 - stages)
        self.objects = objects if stages == 4 else nn.Linear(self.channels, objects.out_features)

    def forward(self, image: Float[Tensor, "n 3 h_in w_in"]) -> ObjectMaps:
        """Each picture by itself (in training, batch normalisation apart)."""
        x = image.contiguous(memory_format=torch.channels_last)
        *layers, last_stage = self.maps.children()
        *blocks, last = last_stage.children()
        parts = [*layers, *blocks]
        still = next((i for i, part in enumerate(parts) if _learns(part)), len(parts))
        if still:
            looking = nn.Sequential(*parts[:still])
            with torch.no_grad():
                x = torch.cat([looking(piece) for piece in x.split(FRAMES_AT_ONCE)])
        for part in parts[still:]:
            x = part(x)
        change = last.get_submodule("conv2")(functional.relu(last.bn1(last.conv1(x)), inplace=True))  # pyright: ignore
        return ObjectMaps(change + x, self.activation(functional.relu(last.bn2(change) + x)))  # pyright: ignore

    def activation(self, after: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
        """Of the likeliest object, from the maps after the last normalisation."""
        likeliest = self.objects(after.mean(dim=(2, 3))).argmax(dim=1)
        return torch.einsum("nc,nchw->nhw", self.objects.weight[likeliest], after)


def _learns(part: nn.Module) -> bool:
    """Whether a step of training changes it, its normalisation's statistics included."""
    by_gradient = torch.is_grad_enabled() and any(p.requires_grad for p in part.parameters())
    return by_gradient or any(isinstance(m, nn.BatchNorm2d) and m.training for m in part.modules())
