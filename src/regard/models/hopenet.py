"""Hopenet: which way a head is turned, from one picture of it.

Source: Ruiz et al., Fine-grained head pose estimation without keypoints, CVPR workshops 2018;
natanielruiz/deep-head-pose.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.models.backbones import ResNetName, Weights, resnet_maps
from regard.models.published import BY_HAND, Checkpoint, Rules, bare_state, built_from, published_names, tensor_names
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["HeadPose", "Hopenet"]

PUBLISHED_RULES: Rules = ((r"^maps\.", ""), (r"^(yaw|pitch|roll)\.", r"fc_\1."))
UNUSED = "fc_finetune."
"""A layer of the published model that nothing reads."""
COUNTS = ".num_batches_tracked"
"""What files of before torch 0.4.1 lack."""
BINS = 66
BIN_DEG = 3.0
LOWEST_DEG = -99.0


class HeadPose(NamedTuple):
    """Which way a head is turned: the angles of a face that looks into the camera are 0."""

    angle_deg: Float[Tensor, "n 3"]
    """Yaw, pitch and roll, from -99 to 96 degrees."""
    logits: Float[Tensor, "n 3 k"]
    """Of the 66 bins of three degrees of each angle."""


class Hopenet(nn.Module):
    """Head pose. 23.9 million parameters.

    A picture is of one head, RGB normalised by ImageNet's mean and standard deviation; the published ones are 224x224,
    cut loosely: the face's box, half its width wider on each side and three quarters of its height higher, and a
    quarter lower.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = (
        Checkpoint(
            name="hopenet",
            about="Hopenet, 300W-LP, made robust to image quality: head pose",
            file="hopenet_robust_alpha1.pkl",
            page="https://github.com/natanielruiz/deep-head-pose",
            note=BY_HAND,
            fits=lambda content: Hopenet.from_published(content),  # noqa: PLW0108 - the class is not there yet
            names=lambda: tensor_names(lambda: Hopenet(weights="random"), PUBLISHED_RULES),
        ),
    )

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)

    def __init__(self, *, backbone: ResNetName = "resnet50", weights: Weights = "imagenet") -> None:
        super().__init__()
        self.maps, channels = resnet_maps(backbone, weights=weights)
        self.yaw, self.pitch, self.roll = (nn.Linear(channels, BINS) for _ in range(3))

    def forward(self, faces: Float[Tensor, "n 3 h w"]) -> HeadPose:
        """The angles are the means of what the bins say."""
        seen = self.maps(faces.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3))
        logits = torch.stack([axis(seen) for axis in (self.yaw, self.pitch, self.roll)], dim=1)
        bins = torch.arange(BINS, device=logits.device, dtype=torch.float32)
        mean = (logits.float().softmax(dim=2) * bins).sum(dim=2)
        return HeadPose(BIN_DEG * mean + LOWEST_DEG, logits)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "Hopenet":
        """The model with published weights, by their names. Raises WeightsError that lists what does not fit."""
        state = {n: v for n, v in bare_state(checkpoint, where="Hopenet").items() if not n.startswith(UNUSED)}
        with torch.device("meta"):
            counts = [n for n in published_names(cls(weights="random"), PUBLISHED_RULES) if n.endswith(COUNTS)]
        state = {n: torch.tensor(0) for n in counts} | state
        return built_from(lambda: cls(weights="random"), state, PUBLISHED_RULES, where="Hopenet")
