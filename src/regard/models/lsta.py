"""LSTA: what the wearer does, from where the likeliest objects lie in each picture, tracked from one to the next.

As ego-rnn, but that the attention has a memory of its own, which carries it from frame to frame, and that what the
memory gives out is pooled for a class that it finds itself. Gaze is not used.
Source: Sudhakaran, Escalera & Lanz, LSTA: long short-term attention for egocentric action recognition, CVPR 2019;
swathikirans/LSTA@46f3a2a, which holds the RGB stream only.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.models.backbones import Weights
from regard.models.conv_lstm import Gates, held
from regard.models.ego_rnn_published import LSTA_RULES, LSTA_TWINS, rows, start_with_objects, state_of
from regard.models.object_maps import BasicResNetName, ObjectTrunk, Stages
from regard.models.published import built_from
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["LSTA", "LSTAAnswer"]

POOLED_CLASSES = 100
"""Published classes that the output pooling chooses from."""


class LSTAAnswer(NamedTuple):
    """What the wearer does, and where the model attended."""

    logits: Float[Tensor, "b k"]
    attention: Float[Tensor, "b t h w"]
    """Each place's share of the attention in each picture."""


class Attention(NamedTuple):
    """What the attention's own LSTM knows after a moment: one channel each."""

    memory: Float[Tensor, "b 1 h w"]
    hidden: Float[Tensor, "b 1 h w"]


class Memory(NamedTuple):
    """What the main LSTM knows after a moment."""

    memory: Float[Tensor, "b c h w"]
    give: Float[Tensor, "b c h w"]
    """How much of each place of the memory, in (0, 1), the next moment is told."""


class Read(NamedTuple):
    """All that a cell makes of t moments."""

    attention: list[Attention]
    share: Float[Tensor, "b t h w"]
    """Each place's share of the attention."""
    attended: Float[Tensor, "b t c h w"]
    """The features times that."""
    states: list[Memory]
    pooled: Float[Tensor, "b t p"]
    """How likely the output pooling finds each of its classes: logits."""


class LSTA(nn.Module):
    """The action of a clip of pictures. 40.8 million parameters with ResNet-34, the published backbone.

    `video` is RGB normalised by ImageNet's mean and standard deviation, of any size and any number of frames; the
    published clips are 25 frames of 224x224, spread over the action. `pooled` are the classes of the output pooling.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)

    def __init__(
        self,
        *,
        actions: int = 106,
        backbone: BasicResNetName = "resnet34",
        stages: Stages = 4,
        weights: Weights = "imagenet",
        pooled: int = POOLED_CLASSES,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        self.trunk = ObjectTrunk(backbone=backbone, stages=stages, weights=weights)
        self.cell = LSTACell(self.trunk.channels, pooled)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(self.trunk.channels, actions)

    def forward(
        self, video: Float[Tensor, "b t 3 h_in w_in"], frame_valid: Bool[Tensor, "b t"] | None = None
    ) -> LSTAAnswer:
        """The answer; frames that are not valid are not remembered."""
        maps = self.trunk(video.flatten(0, 1))
        features, activation = (part.unflatten(0, video.shape[:2]) for part in maps)
        return self.answer(self.cell(features, activation, frame_valid))

    def answer(self, read: Read) -> LSTAAnswer:
        """From what the cell made of all frames."""
        remembered = read.states[-1].memory.mean(dim=(2, 3))
        return LSTAAnswer(self.classify(self.dropout(remembered)), read.share)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "LSTA":
        """The model with published weights, by their names, which tell its sizes.

        Raises WeightsError for ego-rnn's, and lists what does not fit.
        """
        state = state_of(checkpoint, LSTA_TWINS, of="LSTA")
        actions = rows(state, "classifier.1.weight", 106)
        pooled = rows(state, "lsta_cell.c_classifier.weight", POOLED_CLASSES)
        return built_from(
            lambda: cls(actions=actions, pooled=pooled, weights="random"), state, LSTA_RULES, where="LSTA"
        )

    def init_from(self, checkpoint: Mapping[str, object]) -> None:
        """Start from an earlier stage, a run or a published checkpoint; or the trunk alone from ImageNet's ResNet."""
        start_with_objects(self, state_of(checkpoint, LSTA_TWINS, of="LSTA"), LSTA_RULES)


class LSTACell(nn.Module):
    """An LSTM over maps of `channels`, an LSTM of its own for the attention, and `pooled` classes to give out by.

    The choice of the class goes through `couple` too, which no gradient reaches: it stays as it began.
    """

    def __init__(self, channels: int, pooled: int) -> None:
        super().__init__()
        self.attend_drive = Gates("ifao", 1, 1, bias=False)
        self.attend_keep = Gates("ifao", 1, 1, bias=True)
        self.drive = Gates("ifc", channels, channels, bias=True)
        self.keep = Gates("ifc", channels, channels, bias=False)
        self.give_hidden = nn.Conv2d(channels, channels, 3, padding=1)
        self.give_pooled = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.pool = nn.Linear(channels, pooled, bias=False)
        self.couple = nn.Linear(channels, pooled, bias=False)
        for convolution in (self.give_hidden, self.give_pooled):
            nn.init.xavier_normal_(convolution.weight)
        assert self.give_hidden.bias is not None
        nn.init.zeros_(self.give_hidden.bias)

    def forward(
        self,
        features: Float[Tensor, "b t c h w"],
        activation: Float[Tensor, "b t h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        *,
        attention: Attention | None = None,
        state: Memory | None = None,
        driven_by: Float[Tensor, "b t 3 c h w"] | None = None,
    ) -> Read:
        """All moments, from the two states on (None: zeros); a moment that is not valid changes none.

        `driven_by` is what another stream adds to the gates i, f and c: where a cross-modal fusion comes in.
        """
        tracked = self.track(activation[:, :, None], frame_valid, attention)
        hidden = torch.cat([moment.hidden for moment in tracked], dim=1)
        share = (hidden + activation).flatten(2).softmax(dim=2).view_as(activation)
        attended = features * share[:, :, None]
        driven = self.drive.of_all(attended)
        if driven_by is not None:
            both = zip(driven, driven_by.unbind(1), strict=True)
            driven = [tuple(a + b for a, b in zip(gates, more.unbind(1), strict=True)) for gates, more in both]
        states, pooled = [], []
        for step, seen in enumerate(self.couple(attended.mean(dim=(3, 4))).unbind(1)):
            new, votes = self.step(driven[step], seen, state)
            state = new if frame_valid is None else held(new, state, frame_valid[:, step])
            states.append(state)
            pooled.append(votes)
        return Read(tracked, share, attended, states, torch.stack(pooled, dim=1))

    def track(
        self,
        activation: Float[Tensor, "b t 1 h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        state: Attention | None = None,
    ) -> list[Attention]:
        """The attention's own LSTM, which depends on nothing but the class activation maps."""
        weight, bias = (torch.cat([getattr(g, n) for g in self.attend_keep.values()]) for n in ("weight", "bias"))
        states = []
        for step, gates in enumerate(self.attend_drive.of_all(activation)):
            if state is None:
                state = Attention(torch.zeros_like(gates[0]), torch.zeros_like(gates[0]))
            kept = functional.conv2d(state.hidden, weight, bias, padding=1).split(1, dim=1)
            take, forget, candidate, give = (new + old for new, old in zip(gates, kept, strict=True))
            memory = forget.sigmoid() * state.memory + take.sigmoid() * candidate.tanh()
            new = Attention(memory, give.sigmoid() * memory.tanh())
            state = new if frame_valid is None else held(new, state, frame_valid[:, step])
            states.append(state)
        return states

    def step(
        self, gates: Sequence[Float[Tensor, "b c h w"]], seen: Float[Tensor, "b p"], state: Memory | None
    ) -> tuple[Memory, Float[Tensor, "b p"]]:
        """One moment of the main LSTM, and what the output pooling finds."""
        if state is None:
            assert self.give_hidden.bias is not None
            (take, _, candidate), give = gates, self.give_hidden.bias[:, None, None]
            memory = take.sigmoid() * candidate.tanh()
        else:
            told = state.give * state.memory.tanh()
            take, forget, candidate = (new + old for new, old in zip(gates, self.keep(told), strict=True))
            give = self.give_hidden(told)
            memory = take.sigmoid() * candidate.tanh() + forget.sigmoid() * state.memory
        votes = self.pool(memory.mean(dim=(2, 3))) + seen
        likeliest = self.pool.weight[votes.argmax(dim=1)]
        return Memory(memory, (give + self.give_pooled(likeliest[:, :, None, None] * memory)).sigmoid()), votes
