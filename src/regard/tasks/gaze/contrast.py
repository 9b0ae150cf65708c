"""What was seen and what was heard of one clip belong together: the contrastive loss of CSTS, over all processes.

Source: Lai et al., CSTS, ECCV 2024; BolinLai/CSTS@8b94eec, whose gathering gives every process the gradients that
belong to the first one's clips. Here each gets its own, so that n processes train as one with the whole batch.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable

from regard.ops.published_losses import contrastive_loss

__all__ = ["Contrast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """`weight` times the contrastive loss is added to the gaze loss in training (0.05 for anticipation, as published).

    Every clip of the batch, on all processes, is set against every other. A clip without any sound has no partner and
    is left out. Scores and the validation's loss do without it: its size depends on the number of clips in a batch.
    """

    weight: float = 0.05

    def __call__(
        self, seen: Float[Tensor, "b e"], heard: Float[Tensor, "b e"], audible: Bool[Tensor, "b"]
    ) -> Float[Tensor, ""]:
        """Unweighted; 0 where fewer than two clips have sound."""
        pairs = from_all_processes(torch.cat([seen, heard], dim=1)[audible])
        seen, heard = pairs.float().chunk(2, dim=1)
        return contrastive_loss(seen, heard) if len(pairs) > 1 else pairs.sum() * 0.0


def from_all_processes(rows: Float[Tensor, "n e"]) -> Float[Tensor, "m f"]:
    """The rows of every process, in rank order, however many each has; without processes, the same rows.

    Every process must call this; one that has no rows need not know how wide they are. Its gradient is right where the
    mean of the processes' gradients is taken, as DistributedDataParallel does, and every process computes the same loss
    of all rows.
    """
    if not distributed.is_available() or not distributed.is_initialized() or distributed.get_world_size() == 1:
        return rows
    return _Gather.apply(rows)  # pyright: ignore[reportReturnType]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        shapes = _gathered(torch.tensor(rows.shape, device=rows.device))
        counts = shapes[:, 0].tolist()
        padded = rows.new_zeros(shapes.amax(dim=0).tolist())
        padded[: rows.shape[0], : rows.shape[1]] = rows
        ctx.start, ctx.shape = sum(counts[: distributed.get_rank()]), rows.shape
        everyone = _gathered(padded)
        return torch.cat([part[:count] for part, count in zip(everyone, counts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The sum over processes of what each wants of this one's rows."""
        wanted = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(wanted)
        return wanted[ctx.start : ctx.start + ctx.shape[0], : ctx.shape[1]]


def _gathered(rows: Tensor) -> Tensor:
    """Of shape (processes, *rows.shape)."""
    parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, rows)
    return torch.stack(parts)
