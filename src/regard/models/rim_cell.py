"""One layer of Recurrent Independent Mechanisms: what its units make of an input, and one moment of them; see `rim`."""

import math
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

CellName = Literal["lstm", "gru"]

KEY_WIDTH = 64
"""Of each head by which units look at the input."""
TALK_HEADS, TALK_KEY_WIDTH = 4, 32
"""Of the attention by which units hear of each other, whose values are as wide as a unit."""


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


def active_units(null: Float[Tensor, "b u"], count: int) -> Bool[Tensor, "b u"]:
    """True for the `count` units that look least at nothing.

    Before anything is remembered all look alike; which of equal ones are taken, torch's topk decides, and may differ
    from one kind of device to another.
    """
    chosen = null.topk(count, dim=1, largest=False).indices
    return torch.zeros_like(null, dtype=torch.bool).scatter(1, chosen, True)
