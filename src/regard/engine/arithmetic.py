"""How a model multiplies: at which precision, and on a processor with which library.

torch hands float32 products to MKL, and to oneDNN only where products may be rounded to bfloat16. On a processor
without matrix units for bfloat16 oneDNN makes no use of that: its products are float32 as MKL's are, and on AMD's
processors they come twice as fast (219 against 98 GFLOP/s on one Zen 5 core). Elsewhere it may round; so the products
are tried first.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

import torch
from torch import nn
from torch.nn import functional

from regard.recipe.training import Precision

LARGE = 5_000_000
"""Weights of a model from which on oneDNN is the faster one. Training steps of CSTS at several widths went at 0.64 of
MKL's speed with 0.5 million weights, 0.73 with 1.7, 0.86 with 2.3, 1.11 with 5.1 and 1.8 with 188."""
ROUNDING = 1e-5
"""Of the largest value: float32 products are closer than this to double ones, bfloat16 products are not."""
TRIED = ((1024, 384, 1536), (512, 1536, 384), (8, 4096, 768))
"""Rows, terms of each sum, columns: layers of MViT, wide, narrow, and of few rows."""


@contextmanager
def quick_float32(model: nn.Module) -> Iterator[None]:
    """Within it, a large model's float32 products on a processor are made by the faster library.

    They stay float32: where oneDNN would round, and for small models, which it makes slower, nothing changes.
    """
    large = sum(p.numel() for p in model.parameters()) >= LARGE
    with _rounding_allowed() if large and onednn_keeps_float32() else nullcontext():
        yield


@cache
def onednn_keeps_float32() -> bool:
    """Whether oneDNN's products are float32 on this processor even where it may round them; tried, not looked up."""
    if not torch.backends.mkldnn.is_available():
        return False
    with _rounding_allowed():
        return all(_is_float32(*shape) for shape in TRIED)


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The products of a model on a device in the precision asked for; for float32, as they are."""
    dtype = torch.float16 if precision == "16-mixed" else torch.bfloat16
    return torch.autocast(device.type, dtype, enabled=precision != "32-true")


@contextmanager
def _rounding_allowed() -> Iterator[None]:
    matmul = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]: torch makes it as it is imported
    before, matmul.fp32_precision = matmul.fp32_precision, "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def _is_float32(rows: int, terms: int, columns: int) -> bool:
    draw = torch.Generator().manual_seed(0)
    a, b = torch.randn(rows, terms, generator=draw), torch.randn(columns, terms, generator=draw)
    exact = functional.linear(a.double(), b.double())
    with torch.autocast("cpu", enabled=False):
        return bool((functional.linear(a, b) - exact).abs().max() < ROUNDING * exact.abs().max())
