"""Where something stands, in sines and cosines: position codes that are computed and not learned."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

SLOWEST = 10_000.0
"""By how much the slowest wave is stretched against the fastest, at infinite width."""
WHOLE_TURN = 2 * torch.pi
"""How far the fastest wave of a grid turns over the picture."""
NEVER_ZERO = 1e-6
"""What DETR adds to the last row's number before it divides by it."""


def waves(position: Float64[Tensor, "n"], width: int) -> Float[Tensor, "n c"]:
    """Sines (even places) and cosines (odd ones) of each position, each pair slower than the one before."""
    stretch = SLOWEST ** (-torch.arange(0, width, 2, dtype=torch.float64, device=position.device) / width)
    angle = position[:, None] * stretch
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width].float()


def sinusoids(count: int, width: int) -> Float[Tensor, "1 n c"]:
    """Where each of `count` things stands in their order; on the CPU, also where models are built without memory."""
    return waves(torch.arange(count, dtype=torch.float64, device="cpu"), width)[None]


def grid_waves(h: int, w: int, width: int, *, device: torch.device | None = None) -> Float[Tensor, "h w c"]:
    """Where each cell of a picture stands: its row in the first half of the channels, its column in the second.

    Rows and columns count from 1, and the last is a whole turn of the fastest wave.
    Source: Carion et al., End-to-end object detection with transformers, ECCV 2020.
    """
    rows, columns = (waves(_share(count, device) * WHOLE_TURN, width // 2) for count in (h, w))
    return torch.cat([rows[:, None].expand(-1, w, -1), columns[None].expand(h, -1, -1)], dim=-1)


def _share(count: int, device: torch.device | None) -> Float64[Tensor, "n"]:
    return torch.arange(1, count + 1, dtype=torch.float64, device=device) / (count + NEVER_ZERO)
