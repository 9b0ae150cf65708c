"""An LSTM that can be asked as a RIM is: read all frames at once, then step, fed the last answer beside each frame."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.models.published import Rules
from regard.models.rim import RIMState

PLAIN_RULES: Rules = (
    (r"^memory\.drive\.(weight|bias)$", r"lstm.\1_ih_l0"),
    (r"^memory\.keep\.(weight|bias)$", r"lstm.\1_hh_l0"),
)


class Driven(NamedTuple):
    """What one moment's input drives, and what each number that is fed beside it does."""

    drive: Float[Tensor, "b g"]
    fed: Float[Tensor, "k g"] | None


class PlainMemory(nn.Module):
    """An LSTM of `hidden` numbers: one unit that is always active. `fed` and `copies` are as in `RIM`."""

    units = 1

    def __init__(self, inputs: int, *, hidden: int, fed: int, copies: int) -> None:
        super().__init__()
        self.inputs, self.copies, self.width = inputs, copies, hidden
        self.drive = nn.Linear(inputs + copies * fed, 4 * hidden)
        self.keep = nn.Linear(hidden, 4 * hidden)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden), 1 / math.sqrt(hidden))

    def begin(self, b: int) -> RIMState:
        """Before the first moment of b sequences: zeros."""
        zeros = self.keep.weight.new_zeros(1, b, self.width)
        return RIMState((zeros,), (zeros,))

    def read(self, x: Float[Tensor, "b t 1 i"]) -> list[Driven]:
        """What the input drives, one a moment."""
        of_input, of_fed = self.drive.weight.tensor_split([self.inputs], dim=1)
        fed = of_fed.unflatten(1, (self.copies, -1)).sum(1).T if self.copies else None
        return [Driven(drive, fed) for drive in nn.functional.linear(x[:, :, 0], of_input, self.drive.bias).unbind(1)]

    def step(
        self, seen: Driven, state: RIMState, fed: Float[Tensor, "1 b k"]
    ) -> tuple[Float[Tensor, "b w"], None, RIMState]:
        """One moment: what is held, no mask, and the state."""
        assert state.memory is not None
        drive = seen.drive + self.keep(state.hidden[0][0])
        if seen.fed is not None:
            drive = torch.addmm(drive, fed[0], seen.fed)
        take, forget, candidate, give = drive.chunk(4, dim=-1)
        memory = forget.sigmoid() * state.memory[0] + take.sigmoid() * candidate.tanh()
        hidden = give.sigmoid() * memory.tanh()
        return hidden[0], None, RIMState((hidden,), (memory,))
