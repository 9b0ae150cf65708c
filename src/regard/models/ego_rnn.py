"""ego-rnn: what the wearer does, from where the likeliest objects lie in each picture and what changes there.

A ResNet looks at each picture; the class activation map of the likeliest of ImageNet's objects says where to attend,
and a convolutional LSTM remembers what was attended to. Gaze is not used. `EgoRNNFlow` is the stream that reads
optical flow, `EgoRNNTwoStream` both.
Source: Sudhakaran & Lanz, Attention is all we need: nailing down object-centric attention for egocentric activity
recognition, BMVC 2018; swathikirans/ego-rnn@5467276.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard.models.backbones import Weights
from regard.models.conv_lstm import ConvLSTM
from regard.models.ego_rnn_published import RGB_RULES, RGB_TWINS, rows, start_with_objects, state_of
from regard.models.object_maps import BasicResNetName, ObjectTrunk, Stages
from regard.models.published import built_from
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["EgoRNN", "EgoRNNAnswer"]


class EgoRNNAnswer(NamedTuple):
    """What the wearer does, and where the model attended."""

    logits: Float[Tensor, "b k"]
    attention: Float[Tensor, "b t h w"]
    """Each place's share of the attention in each picture."""
    features: Float[Tensor, "b m"]
    """What the memory holds at the end, the mean over all places."""


class EgoRNN(nn.Module):
    """The action of a clip of pictures. 40.7 million parameters with ResNet-34, the published backbone.

    `video` is RGB normalised by ImageNet's mean and standard deviation, of any size and any number of frames; the
    published clips are 25 frames of 224x224, spread over the action. `hidden` are the channels of the memory; a
    smaller backbone or fewer `stages`, which make the maps finer, make a small model.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)

    def __init__(
        self,
        *,
        actions: int = 106,
        backbone: BasicResNetName = "resnet34",
        stages: Stages = 4,
        weights: Weights = "imagenet",
        hidden: int = 512,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        self.trunk = ObjectTrunk(backbone=backbone, stages=stages, weights=weights)
        self.memory = ConvLSTM(self.trunk.channels, hidden)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(hidden, actions)

    def forward(
        self, video: Float[Tensor, "b t 3 h_in w_in"], frame_valid: Bool[Tensor, "b t"] | None = None
    ) -> EgoRNNAnswer:
        """The answer; frames that are not valid are not remembered."""
        maps = self.trunk(video.flatten(0, 1))
        features, activation = (part.unflatten(0, video.shape[:2]) for part in maps)
        return self.read(features, activation, frame_valid)

    def read(
        self,
        features: Float[Tensor, "b t c h w"],
        activation: Float[Tensor, "b t h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
    ) -> EgoRNNAnswer:
        """The same from what the trunk makes of each picture."""
        attention = activation.flatten(2).softmax(dim=2).view_as(activation)
        states = self.memory(features * attention[:, :, None], frame_valid)
        remembered = states[-1].memory.mean(dim=(2, 3))
        return EgoRNNAnswer(self.classify(self.dropout(remembered)), attention, remembered)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "EgoRNN":
        """The model with published weights of the RGB stream, by their names, which tell its sizes.

        Raises WeightsError for another stream's, and lists what does not fit.
        """
        state = state_of(checkpoint, RGB_TWINS, of="EgoRNN")
        actions, hidden = rows(state, "classifier.1.weight", 106), rows(state, "lstm_cell.conv_i_xx.weight", 512)
        return built_from(
            lambda: cls(actions=actions, hidden=hidden, weights="random"), state, RGB_RULES, where="EgoRNN"
        )

    def init_from(self, checkpoint: Mapping[str, object]) -> None:
        """Start from an earlier stage, a run or a published checkpoint; or the trunk alone from ImageNet's ResNet."""
        start_with_objects(self, state_of(checkpoint, RGB_TWINS, of="EgoRNN"), RGB_RULES)
