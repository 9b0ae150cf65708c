"""A transformer that asks a picture questions: an encoder over its cells, and a decoder whose tokens are the questions.

Each layer normalises before it looks (pre-norm); places and questions are added to queries and keys, not to values.
Source: Carion et al., End-to-end object detection with transformers, ECCV 2020; as in lemon-prog123/GazePose@f4ce987.
The names of the parameters are torch's.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

HEADS = 8


class EncoderLayer(nn.Module):
    """The cells look at each other, then each goes through two layers."""

    def __init__(self, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, HEADS, dropout=dropout, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)

    def forward(self, cells: Float[Tensor, "b n c"], place: Float[Tensor, "n c"]) -> Float[Tensor, "b n c"]:
        """The cells, having seen each other."""
        normal = self.norm1(cells)
        asking = normal + place
        cells = cells + self.drop(self.self_attn(asking, asking, normal, need_weights=False)[0])
        return cells + self.drop(_between(self.linear1, self.linear2, self.norm2(cells), self.drop))


class DecoderLayer(nn.Module):
    """The questions look at each other, then at the picture; then each goes through two layers."""

    def __init__(self, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, HEADS, dropout=dropout, batch_first=True)
        self.multihead_attn = nn.MultiheadAttention(width, HEADS, dropout=dropout, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.drop = nn.Dropout(dropout)

    def forward(
        self,
        told: Float[Tensor, "b q c"],
        query: Float[Tensor, "b q c"],
        cells: Float[Tensor, "b n c"],
        keys: Float[Tensor, "b n c"],
        hidden: Bool[Tensor, "b_heads q q"] | None = None,
    ) -> Float[Tensor, "b q c"]:
        """What each question was told, and more. `keys` are the cells in their places, `hidden` what nobody may see."""
        normal = self.norm1(told)
        asking = normal + query
        told = told + self.drop(self.self_attn(asking, asking, normal, attn_mask=hidden, need_weights=False)[0])
        asking = self.norm2(told) + query
        told = told + self.drop(self.multihead_attn(asking, keys, cells, need_weights=False)[0])
        return told + self.drop(_between(self.linear1, self.linear2, self.norm3(told), self.drop))


class Encoder(nn.Module):
    """So many layers, and a last normalisation."""

    def __init__(self, depth: int, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, hidden, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, cells: Float[Tensor, "b n c"], place: Float[Tensor, "n c"]) -> Float[Tensor, "b n c"]:
        """The cells of a picture; `place` is where each of them is."""
        for layer in self.layers:
            cells = layer(cells, place)
        return self.norm(cells)


class Decoder(nn.Module):
    """So many layers, and a last normalisation."""

    def __init__(self, depth: int, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(width, hidden, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        told: Float[Tensor, "b q c"],
        query: Float[Tensor, "b q c"],
        cells: Float[Tensor, "b n c"],
        place: Float[Tensor, "n c"],
        known: Bool[Tensor, "b q"] | None = None,
    ) -> Float[Tensor, "b q c"]:
        """What the questions are told. One that is not `known` is heard by none but itself."""
        hidden = None
        if known is not None:
            own = torch.eye(known.shape[1], dtype=torch.bool, device=known.device)
            hidden = ~(known[:, None] | own).repeat_interleave(HEADS, dim=0)
        keys = cells + place
        for layer in self.layers:
            told = layer(told, query, cells, keys, hidden)
        return self.norm(told)


def _between(first: nn.Linear, second: nn.Linear, x: Tensor, drop: nn.Dropout) -> Tensor:
    return second(drop(functional.relu(first(x))))
