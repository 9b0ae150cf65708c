"""An LSTM whose state is a map: 3x3 convolutions take the place of its products.

Source: Shi et al., Convolutional LSTM network, NeurIPS 2015; as in swathikirans/ego-rnn@5467276.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

_State = TypeVar("_State", bound=tuple[Any, ...])


class ConvLSTMState(NamedTuple):
    """What an LSTM knows after a moment."""

    hidden: Float[Tensor, "b m h w"]
    memory: Float[Tensor, "b m h w"]


class Gates(nn.ModuleDict):
    """A 3x3 convolution for each gate, by names of one letter.

    Apart, and not as one wide convolution, which takes twice as long for one map on a CPU (31 against 16 ms at the
    published size): probably since memory of more than 32 MB, and its weights are 38, is given back after each use.
    """

    def __init__(self, names: str, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__({name: nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias) for name in names})
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                nn.init.xavier_normal_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, x: Float[Tensor, "n i h w"]) -> tuple[Float[Tensor, "n o h w"], ...]:
        """What comes into each gate, in the order of the names."""
        return tuple(convolution(x) for convolution in self.values())

    def of_all(self, x: Float[Tensor, "b t i h w"]) -> list[tuple[Float[Tensor, "b o h w"], ...]]:
        """The same for t moments at once: the gates of each."""
        each = [gate.unflatten(0, x.shape[:2]).unbind(1) for gate in self(x.flatten(0, 1))]
        return list(zip(*each, strict=True))


class ConvLSTM(nn.Module):
    """An LSTM over maps of `inputs` channels with a state of `hidden` channels."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.drive = Gates("ifco", inputs, hidden, bias=True)
        self.keep = Gates("ifco", hidden, hidden, bias=False)

    def forward(
        self,
        x: Float[Tensor, "b t i h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        state: ConvLSTMState | None = None,
    ) -> list[ConvLSTMState]:
        """The state after each moment, from `state` on (None: zeros); a moment that is not valid changes nothing."""
        states = []
        for step, driven in enumerate(self.drive.of_all(x)):
            new = self._step(driven, state)
            state = new if frame_valid is None else held(new, state, frame_valid[:, step])
            states.append(state)
        return states

    def _step(self, driven: Sequence[Tensor], state: ConvLSTMState | None) -> ConvLSTMState:
        if state is None:
            take, _, candidate, give = driven
            memory = take.sigmoid() * candidate.tanh()
        else:
            kept = self.keep(state.hidden)
            take, forget, candidate, give = (new + old for new, old in zip(driven, kept, strict=True))
            memory = take.sigmoid() * candidate.tanh() + forget.sigmoid() * state.memory
        return ConvLSTMState(give.sigmoid() * memory.tanh(), memory)


def held(new: _State, old: _State | None, valid: Bool[Tensor, "b"]) -> _State:
    """The new state of the clips whose moment is valid, the old one (None: zeros) of the others."""
    still = [torch.zeros_like(part) for part in new] if old is None else old
    pairs = zip(new, still, strict=True)
    return type(new)(*(torch.where(valid.view(-1, 1, 1, 1), a, b) for a, b in pairs))
