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

import argparse
import importlib.util
import multiprocessing
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

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
    with onednn, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        yield


@dataclass(kw_only=True)
class Form:
    """One way to compute something, and what each round took."""

    name: str
    precision: Precision
    answer: Callable[[], Tensor]
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    last: Tensor | None = None

    def run(self, *, timed: bool) -> None:
        """Answer once; the first round warms up and is not timed."""
        with torch.inference_mode(), multiplying(self.precision):
            wall, cpu = time.perf_counter(), time.process_time()
            self.last = self.answer().float()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if timed:
            self.wall_s.append(wall)
            self.cpu_s.append(cpu)

    def gflop_per_s(self, gflop: float, *, threads: int) -> float:
        """Per second of CPU time, all threads together."""
        return gflop * threads / statistics.median(self.cpu_s)


def matmuls() -> list[Form]:
    a, b = torch.randn(2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    half = a.bfloat16(), b.bfloat16()
    return [
        Form(name="matmul", precision="fp32, MKL", answer=lambda: functional.linear(a, b)),
        Form(name="matmul", precision="fp32, oneDNN", answer=lambda: functional.linear(a, b)),
        Form(name="matmul", precision="bf16", answer=lambda: functional.linear(*half)),
    ]


def model_forms(name: str, threads: int) -> list[Form]:
    torch.manual_seed(0)
    model = (CSTS() if name == "CSTS" else GLC()).eval()
    clip = (torch.randn(1, 8, 3, 256, 256), torch.randn(1, 8, 256, 256))[: 2 if name == "CSTS" else 1]
    state = published_shapes(model)
    plain = (lambda: plain_csts(state, *clip)) if name == "CSTS" else (lambda: plain_glc(state, *clip))
    forms = [
        Form(name="plain", precision="fp32, MKL", answer=plain),
        Form(name="regard", precision="fp32, MKL", answer=lambda: model(*clip)),
        Form(name="regard", precision="fp32, oneDNN", answer=lambda: model(*clip)),
        Form(name="regard", precision="bf16", answer=lambda: model(*clip)),
    ]
    return forms + openvino_forms(model, clip, threads)


def openvino_forms(model: nn.Module, clip: tuple[Tensor, ...], threads: int) -> list[Form]:
    """The same model in OpenVINO, in both precisions; nothing where it is not installed."""
    if importlib.util.find_spec("openvino") is None:
        return []
    import openvino  # pyright: ignore[reportMissingImports]: an extra

    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        converted = openvino.convert_model(model, example_input=clip)

    def compiled_form(precision: Precision, hint: str) -> Form:
        options = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.compile_model(converted, "CPU", options)
        inputs = [x.numpy() for x in clip]
        return Form(name="OpenVINO", precision=precision, answer=lambda: torch.from_numpy(compiled(inputs)[0].copy()))

    return [compiled_form("fp32, oneDNN", "f32"), compiled_form("bf16", "bf16")]


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
    """Largest resident memory of a process that trains on some clips in bf16 with checkpointing and AdamW, two steps.

    The whole process counts, with Python and torch. Linux only.
    """
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
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**20


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
    gflop, plain = PUBLISHED_GFLOP[name], forms[0]
    rates = {r.precision: r.gflop_per_s(2 * SIDE**3 / 1e9, threads=threads) for r in references}
    for form in forms:
        rate = form.gflop_per_s(gflop, threads=threads)
        times_plain = statistics.median(plain.cpu_s) / statistics.median(form.cpu_s)
        assert form.last is not None
        assert plain.last is not None
        difference = (form.last - plain.last).abs().max() / plain.last.abs().max()
        print(
            f"| {name} | {form.name} | {form.precision} | {statistics.median(form.wall_s):.2f} "
            f"| {statistics.median(form.cpu_s):.2f} | {rate:.0f} | {100 * rate / rates[form.precision]:.0f} % "
            f"| {times_plain:.1f}x | {difference:.0e} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")
    print(f"torch {torch.__version__}, threads {asked.threads}, median of {asked.rounds} rounds")
    if not onednn_keeps_float32():
        print("oneDNN may not round and so is not used here: its rows are MKL's")
    if importlib.util.find_spec("openvino") is None:
        print("OpenVINO is not installed: no rows of it")
    references = matmuls()
    forms = {name: model_forms(name, asked.threads) for name in PUBLISHED_GFLOP}
    everything = [*references, *forms["CSTS"], *forms["GLC"]]
    for i in range(asked.rounds + 1):
        for form in everything:
            form.run(timed=i > 0)
    for reference in references:
        rate = reference.gflop_per_s(2 * SIDE**3 / 1e9, threads=asked.threads)
        print(f"matmul {SIDE}: {reference.precision}: {rate:.0f} GFLOP/s")
    print("\n| model | form | precision | wall s | CPU s | GFLOP/s | of the matmul's | over plain, CPU | difference |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, of_model in forms.items():
        table(name, of_model, references, asked.threads)
    del references, forms, everything
    for name in PUBLISHED_GFLOP:
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = pool.starmap(peak_of_a_training_step_gb, [(name, 1), (name, 2)], chunksize=1)
            saved, held = pool.apply(held_for_a_training_step_gb, (name,))
        print(f"{name}: a training step in bf16 peaks at {peaks[0]:.1f} GiB for one clip, {peaks[1]:.1f} GiB for two")
        print(f"{name}: {CLIPS_ON_A_GPU} clips: {saved:.1f} GiB kept, {held:.1f} GiB of weights, gradients and moments")
    print(f"load at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
