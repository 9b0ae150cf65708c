"""How fast GLC and CSTS answer on a CPU: seconds a clip, and how much of what the processor can multiply.

One clip of 8 frames of 256x256 pixels (and 8 windows of sound), random weights. The plain form is the published
arithmetic in the published order, as the tests keep it for an oracle. GFLOP/s counts the published model's work, also
where a form computes less, so that forms can be compared. The machine's own rates are those of one product of two
3072x3072 matrices. All take turns, the median of the rounds counts, and CPU time is what to trust on a shared machine.
The difference is the largest one from the plain form's logits, relative to the largest of them.

Then the memory of a training step in bf16 with activation checkpointing: the whole process's peak on the CPU for one
clip and for two, and for eight the sum of what has to be held, which is no peak: the tensors that are kept for the way
back, the weights, their gradients and AdamW's two moments, without what one block needs while it is computed again.

    python benchmarks/gaze_models.py [--threads 1] [--rounds 5]     # about 4 minutes of one core; OpenVINO if installed
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from forms import Form, asked, openvino_forms, peak_gb, take_turns
from regard.engine.arithmetic import LARGE, onednn_keeps_float32, quick_float32
from regard.models.csts import CSTS
from regard.models.glc import GLC
from regard.models.mvit import Block
from regard.models.published import published_names
from regard.ops.published_losses import published_kl

sys.path.append(str(Path(__file__).parents[1] / "tests" / "models"))
from plain_gaze import plain_csts, plain_glc  # pyright: ignore[reportMissingImports]

PUBLISHED_GFLOP = {"CSTS": 208.1, "GLC": 187.8}
"""Of one clip, a multiplication and an addition counting as two; torch's FlopCounterMode on the published code."""
SIDE = 3072
LARGE_ENOUGH = nn.Linear(1, LARGE, bias=False, device="meta")
CLIPS_ON_A_GPU = 8
Precision = Literal["fp32, MKL", "fp32, oneDNN", "bf16"]


@contextmanager
def multiplying(precision: Precision) -> Iterator[None]:
    """The library and the numbers that torch multiplies with; oneDNN as `regard` takes it, where it stays float32."""
    onednn = quick_float32(LARGE_ENOUGH) if precision == "fp32, oneDNN" else nullcontext()
    with torch.inference_mode(), onednn, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        yield


def in_precision(name: str, precision: Precision, answer: Callable[[], Tensor]) -> Form:
    return Form(name=name, precision=precision, answer=answer, within=partial(multiplying, precision))


def gflop_per_s(form: Form, gflop: float, *, threads: int) -> float:
    """Per second of CPU time, all threads together."""
    return gflop * threads / form.cpu


def matmuls() -> list[Form]:
    a, b = torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    half = a.bfloat16(), b.bfloat16()
    return [
        in_precision("matmul", "fp32, MKL", lambda: functional.linear(a, b)),
        in_precision("matmul", "fp32, oneDNN", lambda: functional.linear(a, b)),
        in_precision("matmul", "bf16", lambda: functional.linear(*half)),
    ]


def model_forms(name: str, threads: int) -> list[Form]:
    torch.manual_seed(0)
    model = (CSTS() if name == "CSTS" else GLC()).eval()
    clip = (torch.randn(1, 8, 3, 256, 256), torch.randn(1, 8, 256, 256))[: 2 if name == "CSTS" else 1]
    state = published_shapes(model)
    plain = (lambda: plain_csts(state, *clip)) if name == "CSTS" else (lambda: plain_glc(state, *clip))
    forms = [
        in_precision("plain", "fp32, MKL", plain),
        in_precision("regard", "fp32, MKL", lambda: model(*clip)),
        in_precision("regard", "fp32, oneDNN", lambda: model(*clip)),
        in_precision("regard", "bf16", lambda: model(*clip)),
    ]
    return forms + openvino_forms(model, clip, threads, fixed=False)


def published_shapes(model: nn.Module) -> dict[str, Tensor]:
    """The weights as the plain form wants them."""
    rules = sys.modules[type(model).__module__].PUBLISHED_RULES
    own = model.state_dict()
    state = {published: own[ours] for published, ours in published_names(model, rules).items()}
    for name in ("audio_pool.weight", "audio_pool2.weight", "vision_pool.weight"):
        if name in state:
            state[name] = state[name].unflatten(1, (-1, 1, 8, 8))
    return state


def training_clips(name: str, count: int) -> tuple[nn.Module, tuple[Tensor, ...]]:
    model = (CSTS if name == "CSTS" else GLC)(checkpointing=True).train()
    return model, (torch.randn(count, 8, 3, 256, 256), torch.randn(count, 8, 256, 256))[: 2 if name == "CSTS" else 1]


def peak_of_a_training_step_gb(name: str, clips: int) -> float:
    """Largest resident memory of a process that trains two steps in bf16 with checkpointing and AdamW."""
    torch.set_num_threads(1)
    model, batch = training_clips(name, clips)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    target = torch.full((clips, 8, 64, 64), 1 / 64**2)
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(*batch)
        published_kl(logits.float(), target).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return peak_gb()


def held_for_a_training_step_gb(name: str) -> tuple[float, float]:
    """Of eight clips: what autograd saves, each storage once; and weights, gradients and AdamW's moments."""
    torch.set_num_threads(1)
    model, clips = training_clips(name, CLIPS_ON_A_GPU)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    saved: dict[int, int] = {}
    held_inputs: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        place = x.untyped_storage().data_ptr()
        if place not in weights:
            saved[place] = x.untyped_storage().nbytes()
        return x

    for block in (m for m in model.modules() if isinstance(m, Block)):  # checkpointing itself holds what goes into them
        block.register_forward_pre_hook(lambda _, inputs: held_inputs.append(keep(inputs[0].values)))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x), torch.autocast("cpu", torch.bfloat16):
        logits = model(*clips)
    assert logits.requires_grad
    assert held_inputs
    held = 4 * sum(p.numel() * p.element_size() for p in model.parameters())
    return sum(saved.values()) / 2**30, held / 2**30


def table(name: str, forms: list[Form], references: list[Form], threads: int) -> None:
    """OpenVINO's float32 is compared with the product of oneDNN, which it is built on."""
    rates = {r.precision: gflop_per_s(r, 2 * SIDE**3 / 1e9, threads=threads) for r in references}
    rates["fp32"] = rates["fp32, oneDNN"]
    for form in forms:
        rate = gflop_per_s(form, PUBLISHED_GFLOP[name], threads=threads)
        print(
            f"| {name} | {form.name} | {form.precision} | {form.wall:.2f} | {form.cpu:.2f} | {rate:.0f} "
            f"| {100 * rate / rates[form.precision]:.0f} % | {forms[0].cpu / form.cpu:.1f}x "
            f"| {form.difference(forms[0]):.0e} |"
        )


def main() -> None:
    options = asked(__doc__)
    if not onednn_keeps_float32():
        print("oneDNN may not round and so is not used here: its rows are MKL's")
    references = matmuls()
    forms = {name: model_forms(name, options.threads) for name in PUBLISHED_GFLOP}
    take_turns([*references, *forms["CSTS"], *forms["GLC"]], options.rounds)
    for reference in references:
        rate = gflop_per_s(reference, 2 * SIDE**3 / 1e9, threads=options.threads)
        print(f"matmul {SIDE}: {reference.precision}: {rate:.0f} GFLOP/s")
    print("\n| model | form | precision | wall s | CPU s | GFLOP/s | of the matmul's | over plain, CPU | difference |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, of_model in forms.items():
        table(name, of_model, references, options.threads)
    del references, forms, of_model
    for name in PUBLISHED_GFLOP:
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = pool.starmap(peak_of_a_training_step_gb, [(name, 1), (name, 2)], chunksize=1)
            saved, held = pool.apply(held_for_a_training_step_gb, (name,))
        print(f"{name}: a training step in bf16 peaks at {peaks[0]:.1f} GiB for one clip, {peaks[1]:.1f} GiB for two")
        print(f"{name}: {CLIPS_ON_A_GPU} clips: {saved:.1f} GiB kept, {held:.1f} GiB of weights, gradients and moments")
    print(f"load at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
