"""What benchmarks of models share: forms of one computation that take turns, OpenVINO's form of a model, peak memory.

The median of the rounds counts, and CPU time is what to trust on a shared machine.
"""

import argparse
import importlib.util
import logging
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(kw_only=True)
class Form:
    """One way to compute something, and what each round took. What is set up `within` is not timed."""

    name: str
    precision: str = ""
    answer: Callable[[], Tensor]
    within: Callable[[], AbstractContextManager[None]] = nullcontext
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    last: Tensor | None = None

    def run(self, *, timed: bool) -> None:
        """Answer once; the first round warms up and is not timed."""
        with self.within():
            wall, cpu = time.perf_counter(), time.process_time()
            self.last = self.answer().float()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if timed:
            self.wall_s.append(wall)
            self.cpu_s.append(cpu)

    @property
    def cpu(self) -> float:
        """Median of the timed rounds, in seconds."""
        return statistics.median(self.cpu_s)

    @property
    def wall(self) -> float:
        """Median of the timed rounds, in seconds."""
        return statistics.median(self.wall_s)

    def difference(self, other: "Form") -> float:
        """Largest, relative to the other's largest value."""
        assert self.last is not None
        assert other.last is not None
        return float((self.last - other.last).abs().max() / other.last.abs().max())


def take_turns(forms: Sequence[Form], rounds: int) -> None:
    """Each form once a round, and once before, which is not timed."""
    for i in range(rounds + 1):
        for form in forms:
            form.run(timed=i > 0)


def openvino_forms(
    model: nn.Module, inputs: tuple[Tensor, ...], threads: int, *, name: str = "OpenVINO", fixed: bool = True
) -> list[Form]:
    """A model's first answer in OpenVINO, in both precisions, and in 8 bits by NNCF; nothing where it is not installed.

    `fixed`: it is told that inputs always have these sizes.
    """
    if importlib.util.find_spec("openvino") is None:
        return []
    import openvino  # pyright: ignore[reportMissingImports]: an extra

    sizes = {"input": [list(x.shape) for x in inputs]} if fixed else {}
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        converted = openvino.convert_model(model, example_input=inputs, **sizes)
    given = [x.numpy() for x in inputs]

    def form(precision: str, hint: str, model: Any) -> Form:
        options = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.compile_model(model, "CPU", options)
        return Form(name=name, precision=precision, answer=lambda: torch.from_numpy(compiled(given)[0].copy()))

    forms = [form("fp32", "f32", converted), form("bf16", "bf16", converted)]
    if importlib.util.find_spec("nncf") is not None:
        import nncf  # pyright: ignore[reportMissingImports]: an extra

        logging.getLogger("nncf").setLevel(logging.ERROR)
        small = nncf.quantize(converted, nncf.Dataset([given]), subset_size=1)
        forms.append(form("int8", "f32", small))
    return forms


def peak_gb() -> float:
    """Largest resident memory of this process so far, in GiB, with Python and torch. Linux only."""
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**20


def asked(about: str | None) -> argparse.Namespace:
    """The command's `threads` and `rounds`; says what it runs on."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    say_machine(options)
    return options


def say_machine(options: argparse.Namespace) -> None:
    """Take the threads that were asked for, and say what it runs on."""
    torch.set_num_threads(options.threads)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")
    print(f"torch {torch.__version__}, threads {options.threads}, median of {options.rounds} rounds")
    if importlib.util.find_spec("openvino") is None:
        print("OpenVINO is not installed: no rows of it")
