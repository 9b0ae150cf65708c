"""Pooling attention: every cell of a clip's grid asks, and a pooled, smaller grid answers.

Tokens are kept as (batch, tokens, channels) in the order time, row, column, so that they are a channels-last volume at
the same time: the depthwise 3x3x3 convolutions that pool and enlarge them read them in place, all heads at once.
Source: Fan et al., Multiscale Vision Transformers, ICCV 2021; here without residual pooling and relative positions.
Parameter names, shapes and order of channels follow facebookresearch/SlowFast@287ec00; the arithmetic differs: keys and
values are computed only where their pooling windows read them, and an enlarging convolution is an ordinary one over
cells with zeros between them.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional


class Grid(NamedTuple):
    """How many cells a clip has in time, from top to bottom and from left to right."""

    t: int
    h: int
    w: int


class Tokens(NamedTuple):
    """A clip's features: tokens about the whole clip first, if there are any, then one for each cell of the grid."""

    values: Float[Tensor, "b n c"]
    grid: Grid

    @property
    def num_global(self) -> int:
        """Tokens that have no place in the grid."""
        return self.values.shape[1] - self.grid.t * self.grid.h * self.grid.w

    @property
    def cells(self) -> Float[Tensor, "b t h w c"]:
        """The tokens that have a place, in their places."""
        return self.values[:, self.num_global :].unflatten(1, self.grid)

    def with_cells(self, cells: Float[Tensor, "b t h w c"]) -> "Tokens":
        """The same global tokens before other cells, of which there may be more or fewer."""
        values, grid = cells.flatten(1, 3), Grid(*cells.shape[1:4])
        if self.num_global:
            values = torch.cat([self.values[:, : self.num_global], values], dim=1)
        return Tokens(values, grid)


Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From queries, keys and values (b, heads, n, c) to what each query finds."""


def softmax_attention(
    q: Float[Tensor, "b heads n c"], k: Float[Tensor, "b heads m c"], v: Float[Tensor, "b heads m c"]
) -> Float[Tensor, "b heads n c"]:
    """softmax(q k / sqrt(c)) v.

    Written out for bfloat16 on a CPU, where torch's fused kernel multiplies at the speed of float32: 90 against
    230 GFLOP/s on a Zen 5 core.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        return attention_weights(q, k) @ v
    return functional.scaled_dot_product_attention(q, k, v)


def attention_weights(q: Float[Tensor, "b heads n c"], k: Float[Tensor, "b heads m c"]) -> Float[Tensor, "b heads n m"]:
    """Which share of each query's answer comes from each key; rows sum to 1."""
    return (q @ (k * k.shape[-1] ** -0.5).transpose(-2, -1)).softmax(dim=-1)


class CellPool(nn.Module):
    """A depthwise 3x3x3 convolution of the heads' channels, one kernel for all heads; `stride` in height and width."""

    def __init__(self, head_width: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(_depthwise_kernel(head_width))

    def forward(self, cells: Float[Tensor, "b t h w c"]) -> Float[Tensor, "b t h2 w2 c"]:
        """Cells of all heads, pooled."""
        heads = cells.shape[-1] // len(self.weight)
        return depthwise(cells, self.weight.repeat(heads, 1, 1, 1, 1), stride=self.stride)

    def skip(self, cells: Float[Tensor, "b t h w c"]) -> Float[Tensor, "b t h2 w2 c"]:
        """What goes past the attention, brought to the same grid: the largest value of each 3x3 window."""
        if self.stride == 1:
            return cells
        images = cells.flatten(0, 1).permute(0, 3, 1, 2)
        pooled = functional.max_pool2d(images, self.stride + 1, stride=self.stride, padding=(self.stride + 1) // 2)
        return pooled.permute(0, 2, 3, 1).unflatten(0, cells.shape[:2])


class CellEnlarge(nn.Module):
    """The transpose of a depthwise 3x3x3 convolution: `times` as many cells in (time, height, width), 1 or 2 each."""

    def __init__(self, head_width: int, *, times: Grid) -> None:
        super().__init__()
        self.times = times
        self.weight = nn.Parameter(_depthwise_kernel(head_width))

    def forward(self, cells: Float[Tensor, "b t h w c"]) -> Float[Tensor, "b t2 h2 w2 c"]:
        """Cells of all heads, enlarged: zeros between the cells, then the mirrored kernel over all of it."""
        heads = cells.shape[-1] // len(self.weight)
        t, h, w = (times - 1 for times in self.times)
        apart = functional.pad(cells[:, :, None, :, None, :, None], (0, 0, 0, w, 0, 0, 0, h, 0, 0, 0, t))
        spread = apart.flatten(5, 6).flatten(3, 4).flatten(1, 2)
        return depthwise(spread, self.weight.flip(2, 3, 4).repeat(heads, 1, 1, 1, 1))

    def skip(self, cells: Float[Tensor, "b t h w c"]) -> Float[Tensor, "b t2 h2 w2 c"]:
        """What goes past the attention, brought to the same grid: linear interpolation."""
        if self.times.t == 2:
            cells = twice_in_time(cells)
        if self.times.h == self.times.w == 1:
            return cells
        images = cells.flatten(0, 1).permute(0, 3, 1, 2)
        scale = (float(self.times.h), float(self.times.w))
        larger = functional.interpolate(images, scale_factor=scale, mode="bilinear")
        return larger.permute(0, 2, 3, 1).unflatten(0, cells.shape[:2])


class PoolingAttention(nn.Module):
    """Multi-head attention over a grid of cells.

    Queries are taken as they are, or pooled or enlarged by `query`, and then normalised per head. Keys and values are
    pooled by `key_stride` in height and width and normalised; None leaves them as they are. Global tokens pass by the
    convolutions. `attend` is what queries do with keys and values.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        query: CellPool | CellEnlarge | None,
        key_stride: int | None,
        attend: Attend = softmax_attention,
    ) -> None:
        super().__init__()
        head_width = width // heads
        self.heads, self.key_stride, self.attend = heads, key_stride, attend
        self.qkv = linear(width, 3 * width)
        self.merge = linear(width, width)
        self.query = query
        self.query_norm = nn.LayerNorm(head_width) if query is not None else None
        self.key = CellPool(head_width, stride=key_stride) if key_stride is not None else None
        self.key_norm = nn.LayerNorm(head_width) if key_stride is not None else None
        self.value = CellPool(head_width, stride=key_stride) if key_stride is not None else None
        self.value_norm = nn.LayerNorm(head_width) if key_stride is not None else None

    @property
    def query_by_query(self) -> bool:
        """Whether each query's answer is the same without the others."""
        return self.attend is softmax_attention

    def queries(self, tokens: Tokens) -> Tokens:
        """All heads' queries, not yet normalised, on a grid of their own."""
        width = self.merge.in_features
        q = Tokens(functional.linear(tokens.values, self.qkv.weight[:width], self.qkv.bias[:width]), tokens.grid)
        return q if self.query is None else q.with_cells(self.query(q.cells))

    def keys_and_values(self, tokens: Tokens) -> tuple[Float[Tensor, "b heads m c"], Float[Tensor, "b heads m c"]]:
        """What the queries are compared with, and what they get."""
        width = self.merge.in_features
        weight, bias = self.qkv.weight[width:], self.qkv.bias[width:]
        if self.key is None or self.value is None:
            both = functional.linear(tokens.values, weight, bias)
        else:
            read = read_cells(tokens, stride=self.key.stride)
            both = Tokens(functional.linear(read.values, weight, bias), read.grid)
            kernels = [pool.weight.repeat(self.heads, 1, 1, 1, 1) for pool in (self.key, self.value)]
            stride = min(self.key.stride, 3)
            both = both.with_cells(depthwise(both.cells, torch.cat(kernels), stride=stride)).values
        k, v = both.split(width, dim=-1)
        return self.split(k, self.key_norm), self.split(v, self.value_norm)

    def answer(
        self, queries: Float[Tensor, "b n heads_c"], k: Float[Tensor, "b heads m c"], v: Float[Tensor, "b heads m c"]
    ) -> Float[Tensor, "b n heads_c"]:
        """What the queries find, all heads merged."""
        found = self.attend(self.split(queries, self.query_norm), k, v)
        return self.merge(found.transpose(1, 2).flatten(2))

    def split(self, values: Float[Tensor, "b n heads_c"], norm: nn.LayerNorm | None) -> Float[Tensor, "b heads n c"]:
        """Each head apart, and normalised."""
        heads = values.unflatten(-1, (self.heads, -1))
        return (heads if norm is None else norm(heads)).transpose(1, 2)


def read_cells(tokens: Tokens, *, stride: int) -> Tokens:
    """Only the cells that 3-wide windows `stride` apart read: 3 of every `stride` rows and columns.

    A convolution over them needs the stride min(stride, 3) and gives the same values as one over all cells.
    """
    if stride <= 3:
        return tokens
    t, h, w = tokens.grid
    device = tokens.values.device
    rows, columns = _read_positions(h, stride, device), _read_positions(w, stride, device)
    frames = torch.arange(t, device=device)
    cells = ((frames[:, None, None] * h + rows[:, None]) * w + columns).flatten() + tokens.num_global
    index = torch.cat([torch.arange(tokens.num_global, device=device), cells])
    return Tokens(tokens.values.index_select(1, index), Grid(t, len(rows), len(columns)))


def depthwise(
    cells: Float[Tensor, "b t h w c"], weight: Float[Tensor, "c 1 3 3 3"], *, stride: int = 1
) -> Float[Tensor, "b t h2 w2 c"]:
    """Each channel's own 3x3x3 convolution, zeros around the clip, `stride` in height and width."""
    volume = cells.permute(0, 4, 1, 2, 3)
    pooled = functional.conv3d(volume, weight, stride=(1, stride, stride), padding=1, groups=len(weight))
    return pooled.permute(0, 2, 3, 4, 1)


def twice_in_time(cells: Float[Tensor, "b t *rest"]) -> Float[Tensor, "b t2 *rest"]:
    """Twice as many moments by linear interpolation, the ends repeated: each moment becomes one before, one after."""
    before = torch.cat([cells[:, :1], cells[:, :-1]], dim=1)
    after = torch.cat([cells[:, 1:], cells[:, -1:]], dim=1)
    return torch.stack([torch.lerp(cells, before, 0.25), torch.lerp(cells, after, 0.25)], dim=2).flatten(1, 2)


def linear(width_in: int, width_out: int) -> nn.Linear:
    """A linear layer that starts with normal weights of deviation 0.02 and no bias."""
    layer = nn.Linear(width_in, width_out)
    nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)
    return layer


def _depthwise_kernel(width: int) -> Tensor:
    kernel = torch.empty(width, 1, 3, 3, 3)
    nn.init.kaiming_uniform_(kernel, a=5**0.5)
    return kernel


def _read_positions(n: int, stride: int, device: torch.device) -> Int64[Tensor, "m"]:
    """Positions of an axis of n that lie in a window round every `stride`-th, without the zeros outside."""
    middle = torch.arange(0, n, stride, device=device)
    windows = (middle[:, None] + torch.arange(-1, 2, device=device)).flatten()
    return windows[1:-1] if (n - 1) % stride == 0 else windows[1:]
