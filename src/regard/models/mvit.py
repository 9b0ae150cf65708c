"""MViT, and the decoder that turns its tokens into gaze maps: what GLC and CSTS share.

    picture  patches  stage 0  stage 1  stage 2  stage 3 | decoder 1  2        3        4
    8x256²   4x64²    4x64²    4x32²    4x16²    4x8²    | 4x16²      4x32²    4x64²    8x64²
             96       192      384      768      768     | 768        384      192      96      -> 1 logit

A stage halves height and width in its first block and doubles the channels in its last; the decoder goes the same way
back and adds, on each grid, what the encoder had there.
Source: MViT-B 16x4 (conv) of Fan et al., ICCV 2021, facebookresearch/SlowFast@287ec00; decoder of Lai et al., GLC,
BMVC 2022, BolinLai/GLC@0025371.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from regard.errors import RecipeError
from regard.models.mvit_attention import (
    Attend,
    CellEnlarge,
    CellPool,
    Grid,
    PoolingAttention,
    Tokens,
    linear,
    softmax_attention,
    twice_in_time,
)
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

PREPROCESS: tuple[Transform, ...] = (Normalise((0.45, 0.45, 0.45), (0.225, 0.225, 0.225)),)
"""What makes pictures ready for MViT."""
PATCH_STRIDE = Grid(2, 4, 4)
"""Frames, rows and columns of pixels from one patch to the next."""
STAGES = 4
COARSEST = PATCH_STRIDE.h * 2 ** (STAGES - 1)
"""Pixels from one cell of the last stage to the next."""
BLOCK_EPS = 1e-6
"""Of the blocks' LayerNorms; those inside the attention keep torch's 1e-5."""
TOKENS_AT_ONCE = 2048
"""How many go through a block's second part together on a CPU at inference: enough to fill the matrix units, and few
enough to stay in the cache. CSTS reached 66, 71, 69 and 60 % of oneDNN's rate with 512, 2048, 4096 and all."""


def patch_grid(num_frames: int, size: tuple[int, int]) -> Grid:
    """The grid of patches of a clip. Raises RecipeError where the decoder could not get back to it."""
    h, w = size
    if num_frames < 2 or num_frames % PATCH_STRIDE.t or min(h, w) < COARSEST or h % COARSEST or w % COARSEST:
        raise RecipeError(
            "clip",
            found=f"{num_frames} frames of {h}x{w} pixels",
            wanted=f"an even number of frames, height and width multiples of {COARSEST} pixels",
            do="choose another number of frames or crop size in the recipe",
        )
    return Grid(num_frames // PATCH_STRIDE.t, h // PATCH_STRIDE.h, w // PATCH_STRIDE.w)


def coarsest_grid(grid: Grid) -> Grid:
    """The grid of the last stage."""
    return Grid(grid.t, grid.h * PATCH_STRIDE.h // COARSEST, grid.w * PATCH_STRIDE.w // COARSEST)


class PatchEmbedding(nn.Module):
    """One token for each 3x7x7 window of a clip, windows `PATCH_STRIDE` apart."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.projection = nn.Conv3d(channels, width, (3, 7, 7), stride=PATCH_STRIDE, padding=(1, 3, 3))

    def forward(self, clip: Float[Tensor, "b t c h w"]) -> Float[Tensor, "b t2 h4 w4 width"]:
        """Raises RecipeError for a clip whose grid the model cannot halve and double again."""
        patch_grid(clip.shape[1], (clip.shape[3], clip.shape[4]))
        return self.projection(clip.transpose(1, 2)).permute(0, 2, 3, 4, 1).contiguous()


class PositionEmbedding(nn.Module):
    """What a cell's place in the picture and its moment add to it; resampled for clips of another grid."""

    def __init__(self, grid: Grid, width: int) -> None:
        super().__init__()
        self.grid = grid
        self.space = nn.Parameter(nn.init.normal_(torch.empty(1, grid.h * grid.w, width), std=0.02))
        self.time = nn.Parameter(nn.init.normal_(torch.empty(1, grid.t, width), std=0.02))

    def forward(self, cells: Float[Tensor, "b t h w c"]) -> Float[Tensor, "b t h w c"]:
        """The cells, knowing their places."""
        t, h, w = cells.shape[1:4]
        space = resample_space(self.space, (self.grid.h, self.grid.w), (h, w))
        time = resample_time(self.time, t)
        return cells + (space.unflatten(1, (1, h, w)) + time[:, :, None, None])


def resample_space(
    table: Float[Tensor, "1 n c"], size: tuple[int, int], new_size: tuple[int, int]
) -> Float[Tensor, "1 m c"]:
    """A table of (height, width) `size` on another grid, bilinear in the two directions of the picture."""
    if size == new_size:
        return table
    image = table.unflatten(1, size).permute(0, 3, 1, 2)
    return functional.interpolate(image, new_size, mode="bilinear", antialias=True).flatten(2).transpose(1, 2)


def resample_time(table: Float[Tensor, "1 n c"], moments: int) -> Float[Tensor, "1 m c"]:
    """A table of moments as if the clip had more or fewer of them, linear."""
    if table.shape[1] == moments:
        return table
    return functional.interpolate(table.transpose(1, 2), moments, mode="linear").transpose(1, 2)


class MLP(nn.Module):
    """Two linear layers with a GELU between them, every token for itself."""

    def __init__(self, width: int, hidden: int, width_out: int) -> None:
        super().__init__()
        self.widen = linear(width, hidden)
        self.narrow = linear(hidden, width_out)

    def forward(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n d"]:
        """Tokens of the new width."""
        return self.narrow(functional.gelu(self.widen(tokens)))


class Block(nn.Module):
    """Attention, then an MLP, each beside a way past it.

    Where the width changes, the way past the MLP is a linear layer of the *normalised* tokens. `drop_path` is the share
    of clips for which a branch is left out in training.
    """

    def __init__(
        self,
        width: int,
        width_out: int,
        *,
        heads: int,
        hidden: int,
        query: CellPool | CellEnlarge | None = None,
        key_stride: int | None = None,
        drop_path: float = 0.0,
        attend: Attend = softmax_attention,
    ) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.attention_norm = nn.LayerNorm(width, eps=BLOCK_EPS)
        self.attention = PoolingAttention(width, heads, query=query, key_stride=key_stride, attend=attend)
        self.mlp_norm = nn.LayerNorm(width, eps=BLOCK_EPS)
        self.mlp = MLP(width, hidden, width_out)
        self.change_width = linear(width, width_out) if width != width_out else None

    def forward(self, tokens: Tokens) -> Tokens:
        """On the grid to which the attention's queries lead.

        Once keys and values are known, each query goes its way alone; on a CPU, where nobody asks for gradients, they
        go in parts that stay in the cache. Compiled and exported models, which may take any number of clips, hold the
        whole.
        """
        normal = self.normalised(tokens)
        queries = self.attention.queries(normal)
        k, v = self.attention.keys_and_values(normal)
        past = tokens
        if self.attention.query is not None:
            past = tokens.with_cells(self.attention.query.skip(tokens.cells))
        part = self._tokens_at_once(queries.values)
        parts = zip(queries.values.split(part, dim=1), past.values.split(part, dim=1), strict=True)
        return Tokens(torch.cat([self._after(q, k, v, p) for q, p in parts], dim=1), queries.grid)

    def normalised(self, tokens: Tokens) -> Tokens:
        """The tokens as the attention gets them."""
        return Tokens(self.attention_norm(tokens.values), tokens.grid)

    def _after(
        self,
        queries: Float[Tensor, "b n c"],
        k: Float[Tensor, "b heads m d"],
        v: Float[Tensor, "b heads m d"],
        past: Float[Tensor, "b n c"],
    ) -> Float[Tensor, "b n c2"]:
        x = past + self._dropped(self.attention.answer(queries, k, v))
        normal = self.mlp_norm(x)
        past_mlp = x if self.change_width is None else self.change_width(normal)
        return past_mlp + self._dropped(self.mlp(normal))

    def _tokens_at_once(self, queries: Float[Tensor, "b n c"]) -> int:
        parts_pay = queries.device.type == "cpu" and not torch.compiler.is_compiling()
        if torch.is_grad_enabled() or self.training or not parts_pay or not self.attention.query_by_query:
            return queries.shape[1]
        return max(1, TOKENS_AT_ONCE // len(queries))

    def _dropped(self, branch: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        if not self.training or self.drop_path == 0:
            return branch
        kept = torch.full((len(branch), 1, 1), 1 - self.drop_path, device=branch.device, dtype=branch.dtype)
        return branch * torch.bernoulli(kept) / kept


class Encoder(nn.Module):
    """MViT over a clip's patches: `depths` blocks in each of four stages.

    `width` is that of a patch and of an attention head. Drop path grows linearly over the blocks to `drop_path`. With
    `checkpointing`, training keeps only what lies between blocks and computes the rest again on the way back.
    """

    def __init__(
        self,
        *,
        channels: int,
        depths: tuple[int, int, int, int],
        num_frames: int,
        size: tuple[int, int],
        width: int,
        drop_path: float,
        checkpointing: bool,
    ) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.stage_ends = [sum(depths[: i + 1]) - 1 for i in range(STAGES)]
        self.patches = PatchEmbedding(channels, width)
        self.position = PositionEmbedding(patch_grid(num_frames, size), width)
        drops = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        self.blocks = nn.ModuleList()
        for stage, depth in enumerate(depths):
            heads, inner = 2**stage, width * 2**stage
            for i in range(depth):
                halve, widen = stage > 0 and i == 0, stage < STAGES - 1 and i == depth - 1
                self.blocks.append(
                    Block(
                        inner,
                        2 * inner if widen else inner,
                        heads=heads,
                        hidden=4 * inner,
                        query=CellPool(width, stride=2) if halve else None,
                        key_stride=2 ** (STAGES - 1 - stage),
                        drop_path=next(drops),
                    )
                )

    def forward(
        self, patches: Float[Tensor, "b t h w c"], global_token: Float[Tensor, "b 1 c"] | None = None
    ) -> list[Tokens]:
        """The patches, knowing their places, and the tokens at the end of each stage.

        A global token goes along in front, without a place.
        """
        placed = self.position(patches)
        tokens = Tokens(placed.flatten(1, 3), Grid(*placed.shape[1:4]))
        if global_token is not None:
            tokens = Tokens(torch.cat([global_token, tokens.values], dim=1), tokens.grid)
        kept = [tokens]
        for i, block in enumerate(self.blocks):
            tokens = run_block(block, tokens, checkpointing=self.checkpointing)
            if i in self.stage_ends:
                kept.append(tokens)
        return kept


class GazeDecoder(nn.Module):
    """From the last stage's tokens back to a logit map for each frame, with what the encoder had on each grid."""

    def __init__(self, *, width_in: int, width: int, checkpointing: bool) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        widths = (width_in, 8 * width, 4 * width, 2 * width, width)
        space, time = Grid(1, 2, 2), Grid(2, 1, 1)
        self.blocks = nn.ModuleList(
            Block(
                inner,
                outer,
                heads=heads,
                hidden=4 * outer,
                query=CellEnlarge(inner // heads, times=times),
                key_stride=stride,
            )
            for inner, outer, heads, times, stride in zip(
                widths, widths[1:], (8, 4, 4, 2), (space, space, space, time), (2, 4, 8, 16), strict=False
            )
        )
        self.classifier = nn.Linear(width, 1)

    def forward(self, tokens: Tokens, kept: Sequence[Tokens]) -> Float[Tensor, "b t h w"]:
        """One logit for each cell; `kept` is what the encoder gave.

        The classifier comes before the interpolation in time and not after it as published: both are linear, and the
        interpolation's weights sum to 1, so that they may change places.
        """
        patches, *ends = kept
        for block, end in zip(self.blocks, [*reversed(ends[:-1]), None], strict=True):
            tokens = run_block(block, tokens, checkpointing=self.checkpointing)
            if end is not None:
                tokens = Tokens(tokens.values + end.values, tokens.grid)
        of_patches = functional.linear(patches.cells, self.classifier.weight)
        return (self.classifier(tokens.cells) + twice_in_time(of_patches)).squeeze(-1)


def run_block(block: nn.Module, tokens: Tokens, *, checkpointing: bool) -> Tokens:
    """A block's answer; with checkpointing, its insides are forgotten and computed again for the gradient."""
    if checkpointing and torch.is_grad_enabled():
        return checkpoint(block, tokens, use_reentrant=False)
    return block(tokens)
