"""How fast every gaze and action model trains and answers on a GPU, with torch.compile and without, fed by the loader.

A model and its clips are those of its recipe for a real dataset, of the published size, with random weights; the
pictures, flow, sound, gaze and labels are those of synthetic kitchens, prepared as `regard prepare` does, so nothing
need be downloaded. A step has `--clips` clips, products in bfloat16, losses in float32, the recipe's optimiser, and all
weights in training, whatever the recipe freezes. Peak memory is what torch held at most on the GPU. The share that
waits is the part of a training step without compilation in which the GPU's process waits for its batch, after every
worker has given its first.

First all models without compilation, CSTS and GLC before others; then, one after the other, compiled and plain ones
take turns, medians count. What `--seconds` leaves no time for says "not reached", and a model that cannot be compiled
why. Compiled code stays in torch's cache, so that the same command comes farther the second time.

    python benchmarks/gpu.py                                    # under six minutes
    python benchmarks/gpu.py --models CSTS LSTA --seconds 900   # some of them, with more time
    python benchmarks/gpu.py --small --clips 2 --rounds 1       # the synthetic recipes' sizes: for a try on a CPU
"""

import argparse
import logging
import math
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from forms import Form, say_machine, take_turns
from kitchens import batches_of, chosen_recipes, prepared_kitchens, read
from regard.batch import Batch
from regard.clips.cores import usable_cores
from regard.clips.load import ClipLoader
from regard.recipe.read import Recipe
from regard.run.module import in_float32
from regard.types import Recording

WAITING_S = 5.0
"""How long the share that waits is looked at."""
COMPILE_S = 20.0
"""What must be left for a model's compilation to be begun."""
NOT_REACHED = "not reached"


@dataclass(kw_only=True)
class Subject:
    """One model, and what was measured of it."""

    recipe: Recipe
    batch: Batch | None = None
    said: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the model's class."""
        return type(self.recipe.task.model).__name__


class NoTimeLeftError(Exception):
    """The command's seconds are over."""


class Clock:
    """The seconds that are left of the command's own."""

    def __init__(self, seconds: float) -> None:
        self.end_s = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Below 0 when they are over."""
        return self.end_s - time.monotonic()

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Within it, NoTimeLeftError is raised when the seconds are over."""

        def over(*_: object) -> None:
            raise NoTimeLeftError

        if self.left_s <= 0:
            raise NoTimeLeftError
        signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, self.left_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def trainer(recipe: Recipe, device: torch.device) -> Callable[[Batch], Tensor]:
    """A step of training on a batch that lies on the device; its loss."""
    task = recipe.task
    optimiser = recipe.training.optimiser.build(task.model, 1000)["optimizer"]

    def step(batch: Batch) -> Tensor:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16):
            answer = in_float32(task.answer(batch))
        loss = task.loss(answer, batch)["loss"]
        loss.backward()
        optimiser.step()
        return done(loss.detach(), device)

    return step


def asker(recipe: Recipe, device: torch.device) -> Callable[[Batch], Tensor]:
    """The model's answer to a batch that lies on the device; its first tensor."""

    def ask(batch: Batch) -> Tensor:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            answer = recipe.task.answer(batch)
        while not isinstance(answer, Tensor):
            answer = answer[0]
        return done(answer, device)

    return ask


def done(result: Tensor, device: torch.device) -> Tensor:
    """The result, once it is there."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return result


def share_waiting(
    loader: ClipLoader, step: Callable[[Batch], Tensor], options: argparse.Namespace
) -> tuple[Batch, str]:
    """A batch on the device, and which share of a step waits for its batch."""
    batches, first = iter(loader), None
    waited_s = whole_s = 0.0
    begin_s = time.monotonic()
    for number in range(sys.maxsize):
        asked_s = time.monotonic()
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            continue
        batch, got_s = batch.to(options.device), time.monotonic()
        step(batch)
        if first is None:
            first, begin_s = batch, time.monotonic()
        elif number >= options.workers or time.monotonic() - begin_s > WAITING_S / 2:
            waited_s, whole_s = waited_s + got_s - asked_s, whole_s + time.monotonic() - asked_s
        if whole_s and time.monotonic() - begin_s > WAITING_S:
            return first, f"{waited_s / whole_s:.0%}"
    raise AssertionError


@contextmanager
def taking(recipe: Recipe, model: nn.Module, *, training: bool) -> Iterator[None]:
    """The task asks this form of its model, in training or not."""
    plain = recipe.task.model
    model.train(training)
    recipe.task.model = model
    try:
        yield
    finally:
        recipe.task.model = plain


def plainly(subject: Subject, made: tuple[Recording, ...], options: argparse.Namespace) -> None:
    """Train and ask without compilation, and see how the loader keeps up."""
    recipe, device, rounds = subject.recipe, options.device, options.rounds
    model = recipe.task.model.to(device)
    step, ask = trainer(recipe, device), asker(recipe, device)
    model.train()
    batch, subject.said["waits"] = share_waiting(
        batches_of(recipe, made, clips=options.clips, workers=options.workers), step, options
    )
    for what, answer, training in (("training", step, True), ("inference", ask, False)):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        form = Form(name=what, answer=partial(answer, batch), within=partial(taking, recipe, model, training=training))
        take_turns([form], rounds)
        subject.said[what] = f"{options.clips / form.wall:.3g}"
        if device.type == "cuda":
            subject.said[f"{what} GiB"] = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}"
    subject.batch = batch.to("cpu")


def compiled(subject: Subject, options: argparse.Namespace) -> None:
    """Plain and compiled forms in turns: asked, which is sooner compiled, and then trained."""
    recipe, device = subject.recipe, options.device
    model = recipe.task.model.to(device)
    assert subject.batch is not None
    batch = subject.batch.to(device)
    torch.compiler.reset()
    quick = torch.compile(model, dynamic=False)
    assert isinstance(quick, nn.Module)
    for what, answer in (("inference", asker(recipe, device)), ("training", trainer(recipe, device))):
        forms = [
            Form(
                name=what,
                answer=partial(answer, batch),
                within=partial(taking, recipe, own, training=what == "training"),
            )
            for own in (model, quick)
        ]
        take_turns(forms, options.rounds)
        subject.said[f"{what} compiled"] = f"{options.clips / forms[1].wall:.3g} ({forms[0].wall / forms[1].wall:.2f}x)"


def measured(subject: Subject, clock: Clock, what: Callable[[], None], columns: tuple[str, ...]) -> None:
    """Measure, and where that is not to be done say why in the columns that it would have filled."""
    reason = NOT_REACHED
    try:
        with clock.bounded(), warnings.catch_warnings(action="ignore"):
            what()
    except NoTimeLeftError:
        pass
    except Exception as error:  # one model that fails must not take the others' numbers along
        lines = str(error).strip().splitlines() or [""]
        reason = NOT_REACHED if clock.left_s <= 0 else f"{type(error).__name__}: {lines[0]}"[:80]
    subject.recipe.task.model.to("cpu")
    for column in columns:
        subject.said.setdefault(column, reason)
    print(f"{subject.name}: {subject.said}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=8, help="a step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=330.0, help="after which nothing more is measured")
    parser.add_argument("--models", nargs="*", help="names of classes; all if none is given")
    parser.add_argument("--small", action="store_true", help="the synthetic recipes' sizes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=max(1, usable_cores() - 1))
    parser.add_argument("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    clock = Clock(options.seconds)
    logging.disable(logging.CRITICAL)  # torch tells pages about each compilation that is broken off
    say_machine(options)
    on = torch.cuda.get_device_name(options.device) if options.device.type == "cuda" else "no GPU: the CPU"
    print(f"{on}; {options.clips} clips a step, bfloat16, {options.workers} workers")
    with tempfile.TemporaryDirectory() as folder:
        made = prepared_kitchens(Path(folder), small=options.small, cores=usable_cores())
        print(f"kitchens made; {clock.left_s:.0f} s left", file=sys.stderr)
        chosen = chosen_recipes(small=options.small)
        subjects = [
            Subject(recipe=read(file, Path(folder)))
            for name, file in chosen.items()
            if not options.models or name in options.models
        ]
        subjects = [s for s in subjects if any(p.requires_grad for p in s.recipe.task.model.parameters())]
        for s in subjects:
            measured(s, clock, partial(plainly, s, made, options), ("training", "inference", "waits"))
        for s in subjects:
            if s.batch is not None and clock.left_s > COMPILE_S:
                measured(s, clock, partial(compiled, s, options), ("inference compiled", "training compiled"))
    table(subjects)
    print(f"\n{options.seconds - clock.left_s:.0f} s in all")


def table(subjects: list[Subject]) -> None:
    columns = ("training", "training compiled", "inference", "inference compiled", "training GiB", "inference GiB")
    print("\n| model | recipe | weights, M | " + " | ".join(columns) + " | waits for data |")
    print("|---" * (len(columns) + 4) + "|")
    for s in subjects:
        weights = sum(math.prod(p.shape) for p in s.recipe.task.model.parameters()) / 1e6
        cells = [s.said.get(c, "" if c.endswith("GiB") else NOT_REACHED) for c in (*columns, "waits")]
        print(f"| {s.name} | {s.recipe.name} | {weights:.3g} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
