"""What the models that see a face in time share: a ResNet for each picture, and an LSTM that reads a window both ways.

Source: Kellnhofer et al., Gaze360, ICCV 2019; erkil1452/gaze360@a5a1b89.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.models.backbones import ResNetName, Weights, resnet_maps
from regard.models.face_windows import WINDOW
from regard.models.published import Rules, bare_state, load_published, published_names

TRUNK_RULES: Rules = (
    (r"^trunk\.maps\.", "base_model."),
    (r"^trunk\.widen\.", "base_model.fc1."),
    (r"^trunk\.narrow\.", "base_model.fc2."),
)
"""Ours -> gaze360's, and so everybody's after it; the LSTM's names are the same."""
AT_ONCE = 8
"""Pictures that the ResNet sees together outside of training: 64 took four times the memory, and more time each."""
STARTS = ("base_model.", "lstm.")
"""What another model of faces starts from."""


class FaceFeatures(NamedTuple):
    """What the trunk makes of each picture."""

    vector: Float[Tensor, "n c"]
    map: Float[Tensor, "n m h32 w32"]
    """The ResNet's last map, of which the vector is the mean through two layers."""


class FaceTrunk(nn.Module):
    """A ResNet and two layers: a vector for each picture of a face. `hidden` is the width between the two."""

    def __init__(self, *, backbone: ResNetName, weights: Weights, width: int, hidden: int) -> None:
        super().__init__()
        self.maps, self.channels = resnet_maps(backbone, weights=weights)
        self.widen = nn.Linear(self.channels, hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, face: Float[Tensor, "n 3 h w"]) -> FaceFeatures:
        """Of each picture by itself (in training, batch normalisation apart)."""
        parts = (face,) if self.training else face.split(AT_ONCE)
        maps = torch.cat([self.maps(part.contiguous(memory_format=torch.channels_last)) for part in parts])
        return FaceFeatures(self.narrow(functional.relu(self.widen(maps.mean(dim=(2, 3))))), maps)


def window_reader(width: int) -> nn.LSTM:
    """Two layers that read a window of vectors forwards and backwards."""
    return nn.LSTM(width, width, num_layers=2, bidirectional=True, batch_first=True)


def read_window(lstm: nn.LSTM, vectors: Float[Tensor, "m w c"]) -> Float[Tensor, "m c2"]:
    """What the LSTM has read when it stands at the middle of the window, from both sides."""
    return lstm(vectors)[0][:, WINDOW // 2]


def start_trunk_and_lstm(model: nn.Module, checkpoint: Mapping[str, object], *, where: str) -> None:
    """Put the trunk and the LSTM of a published model of faces into a model that has both.

    Raises WeightsError that lists which of their names are missing or of another shape; others are for other parts.
    """
    state = {n: v for n, v in bare_state(checkpoint, where=where).items() if n.startswith(STARTS)}
    names = {p: o for p, o in published_names(model, TRUNK_RULES).items() if p.startswith(STARTS)}
    load_published(model, state, names, where=where)
