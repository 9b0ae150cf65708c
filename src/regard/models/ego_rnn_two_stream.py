"""ego-rnn's two streams in one: what is remembered of the pictures and what moves in the middle of the action."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard.errors import WeightsError
from regard.models.backbones import Weights
from regard.models.ego_rnn import EgoRNN
from regard.models.ego_rnn_flow import STACK, EgoRNNFlow
from regard.models.ego_rnn_published import TWO_STREAM_RULES, TWO_STREAM_TWINS, rows, start, state_of
from regard.models.object_maps import BasicResNetName, Stages
from regard.models.published import built_from
from regard.transforms.flow import BOUND_PX
from regard.transforms.place import Transform

__all__ = ["EgoRNNTwoStream", "EgoRNNTwoStreamAnswer"]


class EgoRNNTwoStreamAnswer(NamedTuple):
    """What the wearer does, by both streams and by each alone, and where the model attended."""

    logits: Float[Tensor, "b k"]
    attention: Float[Tensor, "b t h w"]
    """Each place's share of the attention in each picture."""
    rgb_logits: Float[Tensor, "b k"]
    flow_logits: Float[Tensor, "b k"]


class EgoRNNTwoStream(nn.Module):
    """The action of a clip of pictures and a stack of flow. 62.2 million parameters as published.

    Both streams are as in `EgoRNN` and `EgoRNNFlow`, with their own classifiers, which are not read for the answer of
    both. It is made to start from both, trained (`init_from`).
    """

    def __init__(
        self,
        *,
        actions: int = 106,
        flow_frames: int = STACK,
        backbone: BasicResNetName = "resnet34",
        stages: Stages = 4,
        weights: Weights = "imagenet",
        hidden: int = 512,
        dropout: float = 0.5,
        flow_bound_px: float = BOUND_PX,
    ) -> None:
        super().__init__()
        self.rgb = EgoRNN(actions=actions, backbone=backbone, stages=stages, weights=weights, hidden=hidden)
        self.flow = EgoRNNFlow(
            actions=actions,
            flow_frames=flow_frames,
            backbone=backbone,
            stages=stages,
            weights=weights,
            flow_bound_px=flow_bound_px,
        )
        self.preprocess: tuple[Transform, ...] = (*self.rgb.preprocess, *self.flow.preprocess)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(self.flow.classify.in_features + hidden, actions)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        flow: Float[Tensor, "b t_flow 2 h_flow w_flow"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
    ) -> EgoRNNTwoStreamAnswer:
        """The answer; see the two streams."""
        moved, seen = self.flow(flow), self.rgb(video, frame_valid)
        logits = self.classify(self.dropout(torch.cat([moved.features, seen.features], dim=1)))
        return EgoRNNTwoStreamAnswer(logits, seen.attention, seen.logits, moved.logits)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "EgoRNNTwoStream":
        """The model with published weights of the joint model, by their names, which tell its sizes.

        Raises WeightsError for a stream's alone, and lists what does not fit.
        """
        state = state_of(checkpoint, TWO_STREAM_TWINS, of="EgoRNNTwoStream")
        actions, first = rows(state, "classifier.1.weight", 106), state.get("flowModel.conv1.weight")
        hidden = rows(state, "frameModel.lstm_cell.conv_i_xx.weight", 512)
        frames = STACK if first is None else first.shape[1] // 2
        return built_from(
            lambda: cls(actions=actions, flow_frames=frames, hidden=hidden, weights="random"),
            state,
            TWO_STREAM_RULES,
            where="EgoRNNTwoStream",
        )

    def init_from(
        self,
        checkpoint: Mapping[str, object] | None = None,
        *,
        rgb: Mapping[str, object] | None = None,
        flow: Mapping[str, object] | None = None,
    ) -> None:
        """Start from the two trained streams, `rgb` and `flow`; or from a `checkpoint` of both, a run or published.

        Raises WeightsError where one of the two is not given or does not fit.
        """
        if checkpoint is not None:
            return start(self, state_of(checkpoint, TWO_STREAM_TWINS, of="EgoRNNTwoStream"), TWO_STREAM_RULES)
        if rgb is None or flow is None:
            raise WeightsError(
                "EgoRNNTwoStream",
                found=f"nothing for {'rgb' if rgb is None else 'flow'}",
                wanted="the weights of both streams",
                do="--training.pretrained.weights '{rgb: RUN, flow: RUN}'",
            )
        self.rgb.init_from(rgb)
        return self.flow.init_from(flow)
