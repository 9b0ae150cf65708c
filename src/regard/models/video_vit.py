"""A plain vision transformer over a short film: every cell of every second frame looks at all others.

Source: Tong et al., VideoMAE, NeurIPS 2022; the arithmetic of MCG-NJU/VideoMAE and open-mmlab/mmaction2@4d6c934, whose
names differ.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError, WeightsError
from regard.models.mvit_attention import softmax_attention
from regard.models.positions import sinusoids
from regard.models.published import Rules

TUBELET = 2
"""Frames of a patch; a last frame that fills none is not seen."""
PATCH = 16
"""Rows and columns of pixels of a patch."""
EPS = 1e-6
"""Of every LayerNorm."""
SAME = 1e-5
"""How far a table of sines in a checkpoint may lie from ours."""

MMACTION = ("patch_embed.projection", "mlp.layers.0.0", "mlp.layers.1")
"""What mmaction2 calls the patches and the two layers of a block, ..."""
VIDEOMAE = ("patch_embed.proj", "mlp.fc1", "mlp.fc2")
"""... and what VideoMAE does."""


def vit_rules(names: tuple[str, str, str], *, ours: str = "", published: str = "") -> Rules:
    """From our names to published ones, behind a prefix each."""
    patches, widen, narrow = names
    return (
        (rf"^{ours}patches\.", f"{published}{patches}."),
        (rf"^{ours}(blocks\.\d+)\.attention\.", rf"{published}\1.attn."),
        (rf"^{ours}(blocks\.\d+)\.widen\.", rf"{published}\1.{widen}."),
        (rf"^{ours}(blocks\.\d+)\.narrow\.", rf"{published}\1.{narrow}."),
        (rf"^{ours}(blocks\.\d+\.norm)", rf"{published}\1"),
        (rf"^{ours}norm\.", f"{published}fc_norm."),
    )


class VideoViT(nn.Module):
    """What a film shows, as one vector: `depth` blocks, the mean over all cells, normalised.

    `num_frames` frames of `size` (height, width) go in; a head has `width / heads` channels. `positions` is what a
    cell's place adds, None for a fresh table of sines. `dropout` is of single numbers, `drop_path` the share of films
    for which the last block's branches are left out in training (earlier ones in proportion).
    """

    positions: Tensor

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        num_frames: int,
        size: tuple[int, int],
        positions: Float[Tensor, "1 n c"] | None = None,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if width % heads or num_frames < TUBELET or min(size) < PATCH:
            raise RecipeError(
                "VideoViT",
                found=f"{width} channels for {heads} heads, {num_frames} frames of {size[0]}x{size[1]}",
                wanted=f"a width that heads divide, at least {TUBELET} frames of {PATCH}x{PATCH}",
                do="choose other numbers",
            )
        self.num_frames, self.size = num_frames, size
        table = sinusoids(num_cells(num_frames, size), width) if positions is None else positions
        self.register_buffer("positions", table, persistent=False)
        self.patches = nn.Conv3d(3, width, (TUBELET, PATCH, PATCH), stride=(TUBELET, PATCH, PATCH))
        self.drop = nn.Dropout(dropout)
        paths = torch.linspace(0, drop_path, depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(Block(width, heads, dropout=dropout, drop_path=path) for path in paths)
        self.norm = nn.LayerNorm(width, eps=EPS)

    def forward(self, film: Float[Tensor, "b t 3 h w"]) -> Float[Tensor, "b c"]:
        """The vector. Raises RecipeError for a film of another length or size."""
        return self.norm(self.cells(self.patched(film)).mean(dim=1))

    def patched(self, film: Float[Tensor, "b t 3 h w"]) -> Float[Tensor, "b n c"]:
        """A token for each patch, moments first, then rows, without its place."""
        if film.shape[1] != self.num_frames or film.shape[3:] != self.size:
            raise RecipeError(
                "VideoViT",
                found=f"{film.shape[1]} frames of {film.shape[3]}x{film.shape[4]}",
                wanted=f"{self.num_frames} frames of {self.size[0]}x{self.size[1]}",
                do="cut the faces so, or build the model with their size",
            )
        return self.patches(film.transpose(1, 2)).flatten(2).transpose(1, 2)

    def cells(self, patches: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The tokens after the last block."""
        tokens = self.drop(patches + self.positions)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


class Block(nn.Module):
    """Attention, then two layers, each added to what was there."""

    def __init__(self, width: int, heads: int, *, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.attention = Attention(width, heads)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The tokens, having seen each other."""
        tokens = tokens + self._left_out(self.drop(self.attention(self.norm1(tokens))))
        inner = self.drop(functional.gelu(self.widen(self.norm2(tokens))))
        return tokens + self._left_out(self.drop(self.narrow(inner)))

    def _left_out(self, branch: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        if not self.training or self.drop_path == 0:
            return branch
        kept = torch.full((len(branch), 1, 1), 1 - self.drop_path, device=branch.device, dtype=branch.dtype)
        return branch * torch.bernoulli(kept) / kept


class Attention(nn.Module):
    """Every token asks every other; queries and values have a bias, keys have none."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """What each token found."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        mixed = functional.linear(tokens, self.qkv.weight, bias)
        q, k, v = mixed.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(softmax_attention(q, k, v).transpose(1, 2).flatten(2))


def num_cells(num_frames: int, size: tuple[int, int]) -> int:
    """Patches of a film."""
    return num_frames // TUBELET * (size[0] // PATCH) * (size[1] // PATCH)


def without_sines(state: Mapping[str, Tensor], name: str, *, where: str) -> dict[str, Tensor]:
    """A published state without its table of positions, which is computed.

    Raises WeightsError where what stands under that name is no table of sines, of whatever length.
    """
    rest = dict(state)
    table = rest.pop(name, None)
    if table is None:
        return rest
    if table.ndim == 3 and len(table) == 1 and table.device.type != "meta":
        expected = sinusoids(table.shape[1], table.shape[2])
        if (table - expected).abs().max() <= SAME:
            return rest
    raise WeightsError(
        where,
        found=f"{name}, {tuple(table.shape)}, which is not the table of sines of its length",
        wanted="a model whose positions are computed",
        do="check that the file belongs to this model: learned positions cannot be used",
    )
