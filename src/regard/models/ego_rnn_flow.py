"""The stream of ego-rnn that reads optical flow: a ResNet over a stack of a few successive frames of it."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.errors import RecipeError
from regard.models.backbones import Weights, resnet_maps
from regard.models.ego_rnn_published import FLOW_RULES, is_imagenets, rows, start, state_of
from regard.models.object_maps import BasicResNetName, Stages
from regard.models.published import built_from, load_published
from regard.transforms.flow import BOUND_PX, StandardiseFlow
from regard.transforms.place import Transform

__all__ = ["EgoRNNFlow", "EgoRNNFlowAnswer"]

STACK = 5
"""Published frames of flow that are looked at together."""


class EgoRNNFlowAnswer(NamedTuple):
    """What the wearer does."""

    logits: Float[Tensor, "b k"]
    features: Float[Tensor, "b c"]


class EgoRNNFlow(nn.Module):
    """The action of `flow_frames` successive frames of optical flow. 21.4 million parameters as published.

    Flow is standardised as if it were grey pictures, in which `flow_bound_px` of motion to the left is black and to the
    right white. It begins with ImageNet's weights, the first layer with their mean over red, green and blue.
    """

    def __init__(
        self,
        *,
        actions: int = 106,
        flow_frames: int = STACK,
        backbone: BasicResNetName = "resnet34",
        stages: Stages = 4,
        weights: Weights = "imagenet",
        dropout: float = 0.5,
        flow_bound_px: float = BOUND_PX,
    ) -> None:
        super().__init__()
        self.preprocess: tuple[Transform, ...] = (StandardiseFlow(flow_bound_px),)
        self.flow_frames = flow_frames
        self.maps, channels = resnet_maps(backbone, weights=weights, stages=stages)
        self.maps.conv1 = _for_flow(self.maps.get_submodule("conv1"), 2 * flow_frames)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(channels, actions)

    def forward(self, flow: Float[Tensor, "b t_flow 2 h w"]) -> EgoRNNFlowAnswer:
        """The answer about as many frames of flow as the model was made for. Raises RecipeError for others."""
        if flow.shape[1] != self.flow_frames:
            raise RecipeError(
                "ego-rnn: flow",
                found=f"{flow.shape[1]} frames",
                wanted=f"{self.flow_frames} successive frames",
                do="cut the clips with FlowStacks or WithFlow, or build the model with their flow_frames",
            )
        stack = flow.flatten(1, 2).contiguous(memory_format=torch.channels_last)
        features = self.maps(stack).mean(dim=(2, 3))
        return EgoRNNFlowAnswer(self.classify(self.dropout(features)), features)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "EgoRNNFlow":
        """The model with published weights of the flow stream, by their names, which tell its sizes.

        Raises WeightsError for another stream's, and lists what does not fit.
        """
        state = state_of(checkpoint, {}, of="EgoRNNFlow")
        actions, first = rows(state, "fc_action.weight", 106), state.get("conv1.weight")
        frames = STACK if first is None else first.shape[1] // 2
        return built_from(
            lambda: cls(actions=actions, flow_frames=frames, weights="random"), state, FLOW_RULES, where="EgoRNNFlow"
        )

    def init_from(self, checkpoint: Mapping[str, object]) -> None:
        """Start from a run or a published checkpoint of this stream; or from ImageNet's ResNet but its classifier."""
        state = state_of(checkpoint, {}, of="EgoRNNFlow")
        if not is_imagenets(state):
            return start(self, state, FLOW_RULES)
        maps = {name: value for name, value in state.items() if not name.startswith("fc.")}
        maps["conv1.weight"] = _over_flow(maps["conv1.weight"], 2 * self.flow_frames)
        names = {name: name for name in self.maps.state_dict()}
        return load_published(self.maps, maps, names, where="EgoRNNFlow, ResNet of ImageNet")


def _for_flow(first: nn.Module, channels: int) -> nn.Conv2d:
    """A ResNet's first layer for other channels, each with the mean of what it had for colours."""
    assert isinstance(first, nn.Conv2d)
    other = nn.Conv2d(channels, first.out_channels, 7, stride=2, padding=3, bias=False, device=first.weight.device)
    with torch.no_grad():
        other.weight.copy_(_over_flow(first.weight, channels))
    return other


def _over_flow(weight: Float[Tensor, "o 3 k k"], channels: int) -> Float[Tensor, "o c k k"]:
    return weight.mean(dim=1, keepdim=True).repeat(1, channels, 1, 1)
