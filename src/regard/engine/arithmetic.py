"""How a model multiplies: at which precision, and on a processor with which library.

torch hands float32 products to MKL, and to oneDNN only where products may be rounded to bfloat16. On a processor
without matrix units for bfloat16 oneDNN makes no use of that: its products are float32 as MKL's are, and on AMD's
processors they come twice as fast (219 against 98 GFLOP/s on one Zen 5 core). Elsewhere it may round; so the products
are tried first.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard.recipe.training import Precision, Products

LARGE = 5_000_000
"""Weights of a model from which on oneDNN is the faster one. Training steps of CSTS at several widths went at 0.64 of
MKL's speed with 0.5 million weights, 0.73 with 1.7, 0.86 with 2.3, 1.11 with 5.1 and 1.8 with 188."""
ROUNDING = 1e-5
"""Of the largest value: float32 products are closer than this to double ones, bfloat16 products are not."""
TRIED = ((1024, 384, 1536), (512, 1536, 384), (8, 4096, 768))
"""Rows, terms of each sum, columns: layers of MViT, wide, narrow, and of few rows."""
TRIED_SIDE = 256
"""Of the matrices of a product that takes a hundredth of a second even where bfloat16 is emulated."""
SLOWER = 1.2
"""From this factor on, asking for bfloat16 is answered with a warning."""


class SlowPrecisionWarning(UserWarning):
    """The precision asked for is slower here than float32."""


@contextmanager
def quick_float32(model: nn.Module) -> Iterator[None]:
    """Within it, a large model's float32 products on a processor are made by the faster library.

    They stay float32: where oneDNN would round, and for small models, which it makes slower, nothing changes.
    """
    with _rounding_allowed() if _is_large(model) and onednn_keeps_float32() else nullcontext():
        yield


@cache
def onednn_keeps_float32() -> bool:
    """Whether oneDNN's products are float32 on this processor even where it may round them; tried, not looked up."""
    if not torch.backends.mkldnn.is_available():
        return False
    with _rounding_allowed():
        return all(_is_float32(*shape) for shape in TRIED)


def chosen(precision: Precision, model: nn.Module, device: torch.device | str) -> Products:
    """The precision of a model's products on a device, "auto" decided: bfloat16 where a trial shows it to be faster.

    Small models stay in float32: their products are not what takes time. SlowPrecisionWarning tells where bfloat16 was
    asked for and is slower, as it is many times over on a processor without instructions for it.
    """
    if precision not in {"auto", "bf16-mixed"}:
        return precision  # pyright: ignore[reportReturnType]
    kind = torch.device(device).type
    if precision == "auto":
        return "bf16-mixed" if _is_large(model) and bfloat16_takes(kind) < 1 else "32-true"
    if precision == "bf16-mixed" and (factor := bfloat16_takes(kind)) > SLOWER:
        warnings.warn(
            f"bfloat16 products take {factor:.0f} times as long as float32 ones on this {kind}; take precision "
            "32-true, or auto, which tries",
            SlowPrecisionWarning,
            stacklevel=2,
        )
    return precision


@cache
def bfloat16_takes(device: str) -> float:
    """How long a bfloat16 product takes on this kind of device, in times of a float32 one; tried, not looked up.

    Tried with one thread: several would wait for each other on a busy machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a = torch.ones(TRIED_SIDE, TRIED_SIDE, device=device)
        least_s = {t: min(_seconds(a.to(t)) for _ in range(7)) for t in (torch.float32, torch.bfloat16)}
    finally:
        torch.set_num_threads(threads)
    return least_s[torch.bfloat16] / least_s[torch.float32]


def device_of(accelerator: str) -> str:
    """The kind of device that Lightning's word for one means here: "auto" and "gpu" mean what the machine has."""
    if accelerator not in {"auto", "gpu"}:
        return accelerator
    return torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"  # pyright: ignore[reportOptionalMemberAccess]


def autocast(precision: Products, device: torch.device) -> torch.autocast:
    """The products of a model on a device in the precision asked for; for float32, as they are."""
    dtype = torch.float16 if precision == "16-mixed" else torch.bfloat16
    return torch.autocast(device.type, dtype, enabled=precision != "32-true")


def _is_large(model: nn.Module) -> bool:
    return sum(p.numel() for p in model.parameters()) >= LARGE


def _seconds(x: Tensor) -> float:
    """What one product takes, to the end of it on any device."""
    start_s = perf_counter()
    functional.linear(x, x)[0, 0].item()
    return perf_counter() - start_s


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
