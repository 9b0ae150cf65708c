"""What CSTS's two fusions are fed with and looked at by: summaries of moments, and moments apart."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.models.mvit import Block
from regard.models.mvit_attention import Grid, Tokens, attention_weights


class GridPool(nn.Module):
    """All cells of a moment in one token: a linear layer over the whole `grid`, published as a full convolution.

    It stays out of autocast: for so few rows, reading 38 million weights is all the work, and converting them more.
    """

    def __init__(self, width: int, grid: Grid) -> None:
        super().__init__()
        self.size = (grid.h, grid.w)
        self.merge = nn.Linear(width * grid.h * grid.w, width)

    def forward(self, cells: Float[Tensor, "b t h w c"]) -> Float[Tensor, "b t c"]:
        """One token a moment; cells of another grid are first brought to the one the layer was made for."""
        images = cells.flatten(0, 1).permute(0, 3, 1, 2)
        if images.shape[2:] != self.size:
            images = functional.interpolate(images, self.size, mode="bilinear")
        with torch.autocast(cells.device.type, enabled=False):
            rows = self.merge(images.flatten(1).to(self.merge.weight.dtype))
        return rows.unflatten(0, cells.shape[:2])


def moments_apart(seen: Tokens, heard: Tokens, pool: GridPool) -> Tokens:
    """Each moment as a clip of its own: its sound in one token, then the cells of its picture."""
    pictures = seen.cells.flatten(2, 3).flatten(0, 1)
    sounds = pool(heard.cells).flatten(0, 1)[:, None]
    return Tokens(torch.cat([sounds, pictures], dim=1), Grid(1, seen.grid.h, seen.grid.w))


def attention_of(block: Block, tokens: Tokens) -> Tensor:
    """How much each token attends to each, in a block."""
    normal = block.normalised(tokens)
    k, _ = block.attention.keys_and_values(normal)
    return attention_weights(block.attention.split(block.attention.queries(normal).values, None), k)
