"""Recurrent Independent Mechanisms: a memory of several units, of which only those that attend to the input change.

Each unit has its own recurrent weights. At every moment all units look at the rows of the input and at a row of
nothing; the `active` ones that look least at nothing take the input in, hear of the other units, and go on; the others
keep what they had. What needs only the input (keys, values, what these drive) is computed for all moments at once, so
that the loop over time holds nothing but what depends on the moment before.

Source: Goyal et al., Recurrent independent mechanisms, ICLR 2021; spreeni/thesis_gaze_prediction@63eb1dc. There, scores
are averaged over heads before the softmax, and so are values, so that several input heads are one. Its two dropouts
stand swapped, and its GRU starts from weights that are all 1: neither is so here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard.errors import RecipeError
from regard.models.published import Rules
from regard.models.rim_cell import CellName, RIMCell, Seen

__all__ = ["RIM", "RIMState"]


def published_rules(cell: CellName) -> Rules:
    """Our names to the published ones, for a stack of these cells."""
    return (
        (r"cells\.(\d+)\.", r"rimcell.\1."),
        (r"(rimcell\.\d+)\.drive\.weight$", r"\1.rnn.i2h.w" if cell == "lstm" else r"\1.rnn.x2h.w"),
        (r"(rimcell\.\d+)\.keep\.weight$", r"\1.rnn.h2h.w"),
        (r"(rimcell\.\d+)\.query\.weight$", r"\1.query.w"),
        (r"(rimcell\.\d+)\.talk_(query|key|value)\.weight$", r"\1.\2_.w"),
        (r"(rimcell\.\d+)\.talk_merge\.weight$", r"\1.comm_attention_output.w"),
    )


class RIMState(NamedTuple):
    """What the units of each cell remember: of each layer, and of a bidirectional one's forward and backward cell."""

    hidden: tuple[Float[Tensor, "u b h"], ...]
    memory: tuple[Float[Tensor, "u b h"], ...] | None
    """The LSTM's own memory; None for a GRU."""

    def parts(self) -> list[Float[Tensor, "b cells u h"]]:
        """`hidden`, and `memory` where there is one, each as one tensor."""
        return [torch.stack(part, dim=1).transpose(0, 2) for part in self if part is not None]

    @classmethod
    def of(cls, parts: Sequence[Float[Tensor, "b cells u h"]]) -> "RIMState":
        """The state of such parts."""
        hidden, *memory = (part.transpose(0, 2).unbind(dim=1) for part in parts)
        return cls(tuple(hidden), tuple(memory[0]) if memory else None)


class RIM(nn.Module):
    """A stack of RIM layers over `inputs` numbers a row.

    `units` mechanisms of `hidden` numbers, of which `active` take part in a moment. `heads` are the input's;
    `value_width` is what each unit is given of it. `fed` numbers a unit can be given beside the input, whether it
    attends or not, each standing there `copies` times (published: the last answer, 50 times). A `bidirectional` stack
    has a second cell in each layer that reads from the end and is fed nothing.
    """

    def __init__(
        self,
        inputs: int,
        *,
        hidden: int = 400,
        units: int = 6,
        active: int = 4,
        layers: int = 1,
        bidirectional: bool = False,
        cell: CellName = "lstm",
        heads: int = 2,
        value_width: int = 400,
        fed: int = 0,
        copies: int = 1,
        input_dropout: float = 0.0,
        talk_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 1 <= active <= units or layers < 1:
            raise RecipeError(
                "RIM",
                found=f"{active} active of {units} units, {layers} layers",
                wanted="from 1 to all of the units active, and at least one layer",
                do="correct the recipe",
            )
        self.units, self.is_lstm, self.directions = units, cell == "lstm", 1 + bidirectional
        self.hidden, self.width = hidden, hidden * units * self.directions
        self.cells = nn.ModuleList(
            RIMCell(
                self.width if layer else inputs,
                hidden=hidden,
                units=units,
                active=active,
                heads=heads,
                cell=cell,
                value_width=value_width,
                fed=0 if backward else fed,
                copies=copies,
                input_dropout=input_dropout,
                talk_dropout=talk_dropout,
            )
            for layer in range(layers)
            for backward in range(self.directions)
        )

    def begin(self, b: int) -> RIMState:
        """Before the first moment of b sequences: zeros."""
        weight = self._cell(0).keep.weight
        zeros = (weight.new_zeros(self.units, b, self.hidden),) * len(self.cells)
        return RIMState(zeros, zeros if self.is_lstm else None)

    def forward(
        self,
        x: Float[Tensor, "b t r i"],
        *,
        state: RIMState | None = None,
        fed: Float[Tensor, "b t u k"] | None = None,
    ) -> tuple[Float[Tensor, "b t w"], Bool[Tensor, "b t m"], RIMState]:
        """What the last layer's units hold at each moment (unit by unit, then those of the backward cell), which of
        them were active, and the state at the end. The backward cells' masks stand at the moments that they are of.
        """
        hidden, memory = self._of_cells(self.begin(len(x)) if state is None else state)
        masks: list[Tensor] = []
        for layer in range(len(self.cells) // self.directions):
            outs, masks = [], []
            for backward in range(self.directions):
                at = layer * self.directions + backward
                told = None if fed is None or backward else fed.permute(1, 2, 0, 3).unbind(0)
                out, mask, hidden[at], memory[at] = self._whole(
                    self._cell(at), x.flip(1) if backward else x, hidden[at], memory[at], told
                )
                outs.append(out.flip(1) if backward else out)
                masks.append(mask.flip(1) if backward else mask)
            x = torch.cat(outs, dim=-1)[:, :, None]
        return x[:, :, 0], torch.cat(masks, dim=-1), self._state(hidden, memory)

    def read(self, x: Float[Tensor, "b t r i"]) -> list[Seen]:
        """What the first layer makes of the input, for `step`: one a moment."""
        return self._cell(0).read(x).moments()

    def step(
        self, seen: Seen, state: RIMState, fed: Float[Tensor, "u b k"] | None = None
    ) -> tuple[Float[Tensor, "b w"], Bool[Tensor, "b u"], RIMState]:
        """One moment of all layers: what the last one's units hold, which are active, and the state."""
        assert self.directions == 1, "a stack that reads from the end too has no steps"
        hidden, memory = self._of_cells(state)
        mask, hidden[0], memory[0] = self._cell(0).step(seen, hidden[0], memory[0], fed)
        for at in range(1, len(self.cells)):
            below = self._cell(at).read(hidden[at - 1].transpose(0, 1).flatten(1)[:, None, None])
            mask, hidden[at], memory[at] = self._cell(at).step(below.moments()[0], hidden[at], memory[at], fed)
        return hidden[-1].transpose(0, 1).flatten(1), mask, self._state(hidden, memory)

    def _cell(self, at: int) -> RIMCell:
        cell = self.cells[at]
        assert isinstance(cell, RIMCell)
        return cell

    def _of_cells(self, state: RIMState) -> tuple[list[Tensor], list[Tensor | None]]:
        return list(state.hidden), [None] * len(self.cells) if state.memory is None else list(state.memory)

    def _state(self, hidden: list[Tensor], memory: list[Tensor | None]) -> RIMState:
        return RIMState(tuple(hidden), tuple(part for part in memory if part is not None) if self.is_lstm else None)

    @staticmethod
    def _whole(
        cell: RIMCell, x: Tensor, hidden: Tensor, memory: Tensor | None, fed: Sequence[Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """A cell over all moments in their order."""
        outs, masks = [], []
        for t, seen in enumerate(cell.read(x).moments()):
            mask, hidden, memory = cell.step(seen, hidden, memory, None if fed is None else fed[t])
            outs.append(hidden.transpose(0, 1).flatten(1))
            masks.append(mask)
        return torch.stack(outs, dim=1), torch.stack(masks, dim=1), hidden, memory


def published_mask_order(mask: Bool[Tensor, "b t m"], units: int) -> Bool[Tensor, "b t m"]:
    """The masks of a bidirectional stack as published: the backward cell's stand in the order it read them."""
    return torch.cat([mask[..., :units], mask[..., units:].flip(1)], dim=-1)
