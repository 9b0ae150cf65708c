"""Recurrent Independent Mechanisms: a memory of several units, of which only those that attend to the input change.

Each unit has its own recurrent weights. At every moment all units look at the rows of the input and at a row of
nothing; the `active` ones that look least at nothing take the input in, hear of the other units, and go on; the others
keep what they had. What needs only the input (keys, values, what these drive) is computed for all moments at once, so
that the loop over time holds nothing but what depends on the moment before.

Source: Goyal et al., Recurrent independent mechanisms, ICLR 2021; spreeni/thesis_gaze_prediction@63eb1dc. There, scores
are averaged over heads before the softmax, and so are values, so that several input heads are one. Its two dropouts
stand swapped, and its GRU starts from weights that are all 1: neither is so here.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError
from regard.models.published import Rules

__all__ = ["RIM", "RIMState"]

CellName = Literal["lstm", "gru"]

KEY_WIDTH = 64
"""Of each head by which units look at the input."""
TALK_HEADS, TALK_KEY_WIDTH = 4, 32
"""Of the attention by which units hear of each other, whose values are as wide as a unit."""


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


class Seen(NamedTuple):
    """What a cell makes of its input before it knows its state; of every moment, or of one."""

    key: Float[Tensor, "b *t r d"]
    """Of each row of the input; the last is that of nothing."""
    value: Float[Tensor, "b *t s v"] | None
    """Of each row that is something; None where there is one only."""
    driven: Float[Tensor, "b *t u g"] | None
    """What the one row drives in each unit; None where there are several."""
    null: Float[Tensor, "u 1 g"]
    """What the row of nothing drives."""
    fed: Float[Tensor, "u k g"] | None
    """What each number that is fed beside the input drives; None where none is."""

    def moments(self) -> list["Seen"]:
        """One for each."""
        length = self.key.shape[1]
        value, driven = ([None] * length if x is None else x.unbind(1) for x in (self.value, self.driven))
        parts = zip(self.key.unbind(1), value, driven, strict=True)
        return [Seen(k, v, d, self.null, self.fed) for k, v, d in parts]


class UnitLinear(nn.Module):
    """A linear layer for each unit, without bias."""

    def __init__(self, units: int, inputs: int, outputs: int, *, spread: float | None = None) -> None:
        super().__init__()
        start = torch.empty(units, inputs, outputs)
        self.weight = nn.Parameter(start.normal_(0, 0.01) if spread is None else start.uniform_(-spread, spread))

    def forward(self, x: Float[Tensor, "u b i"]) -> Float[Tensor, "u b o"]:
        """Each unit's own product."""
        return torch.bmm(x, self.weight)


class RIMCell(nn.Module):
    """One layer of units, in one direction of time. See `RIM` for the numbers."""

    def __init__(
        self,
        inputs: int,
        *,
        hidden: int,
        units: int,
        active: int,
        heads: int,
        cell: CellName,
        value_width: int,
        fed: int,
        copies: int,
        input_dropout: float,
        talk_dropout: float,
    ) -> None:
        super().__init__()
        self.active, self.heads, self.copies, self.is_lstm = active, heads, copies, cell == "lstm"
        self.value_width, self.input_dropout, self.talk_dropout = value_width, input_dropout, talk_dropout
        gates, spread = (4 if self.is_lstm else 3) * hidden, 1 / math.sqrt(hidden)
        self.key = nn.Linear(inputs, heads * KEY_WIDTH)
        self.value = nn.Linear(inputs, heads * value_width)
        self.query = UnitLinear(units, hidden, heads * KEY_WIDTH)
        self.drive = UnitLinear(units, value_width + copies * fed, gates, spread=spread)
        self.keep = UnitLinear(units, hidden, gates, spread=spread)
        self.talk_query = UnitLinear(units, hidden, TALK_HEADS * TALK_KEY_WIDTH)
        self.talk_key = UnitLinear(units, hidden, TALK_HEADS * TALK_KEY_WIDTH)
        self.talk_value = UnitLinear(units, hidden, TALK_HEADS * hidden)
        self.talk_merge = UnitLinear(units, TALK_HEADS * hidden, hidden)

    def read(self, x: Float[Tensor, "b t r i"]) -> Seen:
        """What is made of the input at all moments at once."""
        b, t, rows, _ = x.shape
        of_value, of_fed = self.drive.weight.tensor_split([self.value_width], dim=1)
        key = torch.cat([self.key(x), self.key.bias.expand(b, t, 1, -1)], dim=2)
        value = self.value(x).unflatten(-1, (self.heads, -1)).mean(-2)
        null = self.value.bias.unflatten(0, (self.heads, -1)).mean(0) @ of_value
        units, _, gates = of_value.shape
        driven = None
        if rows == 1:  # in one product for all units and moments
            driven = (value[:, :, 0] @ of_value.transpose(0, 1).flatten(1)).unflatten(-1, (units, gates))
        of_fed = of_fed.unflatten(1, (self.copies, -1)).sum(1) if of_fed.numel() else None
        return Seen(key, value if driven is None else None, driven, null[:, None], of_fed)

    def step(
        self, seen: Seen, hidden: Tensor, memory: Tensor | None, fed: Float[Tensor, "u b k"] | None
    ) -> tuple[Bool[Tensor, "b u"], Tensor, Tensor | None]:
        """From one moment's input and the state (u, b, h): which units are active, and the state after it."""
        score = torch.bmm(self.query(hidden).transpose(0, 1), seen.key.transpose(1, 2))
        score = functional.dropout(score / (self.heads * math.sqrt(KEY_WIDTH)), self.input_dropout, self.training)
        share = score.softmax(-1)
        active = active_units(share[..., -1], self.active)
        share = share * active[..., None]
        if seen.driven is not None:
            drive = (share[..., :1] * seen.driven).transpose(0, 1)
        else:
            assert seen.value is not None
            read = torch.bmm(share[..., :-1], seen.value).transpose(0, 1)
            drive = torch.bmm(read, self.drive.weight[:, : self.value_width])
        drive = drive + share[..., -1:].transpose(0, 1) * seen.null
        if fed is not None and seen.fed is not None:
            drive = drive + torch.bmm(fed, seen.fed)
        new, new_memory = self._advance(drive, hidden, memory)
        is_on = active.T[..., None]
        # the others are heard as they would have become, and learn nothing from it
        new = new + self._talk(torch.where(is_on, new, new.detach()))
        if memory is not None and new_memory is not None:
            new_memory = torch.where(is_on, new_memory, memory)
        return active, torch.where(is_on, new, hidden), new_memory

    def _advance(self, drive: Tensor, hidden: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if memory is not None:
            gates, candidate = (drive + self.keep(hidden)).tensor_split([3 * hidden.shape[-1]], dim=-1)
            take, forget, give = gates.sigmoid().chunk(3, dim=-1)
            after = forget * memory + take * candidate.tanh()
            return give * after.tanh(), after
        (reset, update, new), (kept_reset, kept_update, kept) = drive.chunk(3, -1), self.keep(hidden).chunk(3, -1)
        new = torch.tanh(new + torch.sigmoid(reset + kept_reset) * kept)
        return new + torch.sigmoid(update + kept_update) * (hidden - new), None

    def _talk(self, hidden: Tensor) -> Tensor:
        """What each unit makes of all of them."""
        query, key, value = (
            layer(hidden).unflatten(-1, (TALK_HEADS, -1)).permute(1, 2, 0, 3)
            for layer in (self.talk_query, self.talk_key, self.talk_value)
        )
        score = query @ key.transpose(-2, -1) / math.sqrt(TALK_KEY_WIDTH)
        share = functional.dropout(score, self.talk_dropout, self.training).softmax(-1)
        return self.talk_merge((share @ value).permute(2, 0, 1, 3).flatten(2))


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


def active_units(null: Float[Tensor, "b u"], count: int) -> Bool[Tensor, "b u"]:
    """True for the `count` units that look least at nothing.

    Before anything is remembered all look alike; which of equal ones are taken, torch's topk decides, and may differ
    from one kind of device to another.
    """
    chosen = null.topk(count, dim=1, largest=False).indices
    return torch.zeros_like(null, dtype=torch.bool).scatter(1, chosen, True)


def published_mask_order(mask: Bool[Tensor, "b t m"], units: int) -> Bool[Tensor, "b t m"]:
    """The masks of a bidirectional stack as published: the backward cell's stand in the order it read them."""
    return torch.cat([mask[..., :units], mask[..., units:].flip(1)], dim=-1)
