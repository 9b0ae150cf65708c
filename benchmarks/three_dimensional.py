"""How fast MFNet and STAM answer and train on a CPU against their literal form, and what memory a step takes.

Random weights; clips of the published size, 16 frames of 224x224, one and four at a time. The literal form is the
published order of steps on the same weights: each padding, convolution, normalisation and cut by itself, channels first
in memory. In turn: clips a second at test and in training; the difference of the logits in float32 and, on smaller
pictures, in double precision; and the largest memory of a training step on eight clips, as it is and with
`checkpointing`, each in a process of its own. What is compared takes turns, the median of the rounds counts, and CPU
time is what to trust on a shared machine.

    python benchmarks/three_dimensional.py [--threads 1] [--rounds 3]    # 6 minutes of one core; OpenVINO if there
"""

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from forms import Form, asked, openvino_forms, peak_gb, take_turns
from regard.models.i3d import padded
from regard.models.mfnet import MFNetMultitask
from regard.models.stam import STAM

Name = Literal["MFNetMultitask", "STAM"]
NAMES: tuple[Name, ...] = ("MFNetMultitask", "STAM")
TRAINED = 8


class LogitsOnly(nn.Module):
    """What OpenVINO converts: a model's first answer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, video: Tensor) -> Tensor:
        """Class logits."""
        return self.model(video)[0]


def literal_mfnet(model: Any, video: Tensor) -> Tensor:
    """The published order of steps; `model` is ours."""

    def before(part: Any, x: Tensor) -> Tensor:
        c = part.convolution
        x = functional.relu(part.norm(x))
        return functional.conv3d(x, c.weight, stride=c.stride, padding=c.padding, groups=c.groups)

    x = video.transpose(1, 2).contiguous()
    x = functional.relu(model.stem.norm(model.stem.convolution(x)))
    x = functional.max_pool3d(x, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
    for unit in (unit for stage in model.stages for unit in stage):
        mixed = x + before(unit.spread, before(unit.squeeze, x))
        shortcut = x if unit.shortcut is None else before(unit.shortcut, x)
        x = before(unit.merge, before(unit.fibres, mixed)) + shortcut
    x = functional.relu(model.last_norm(x))
    maps = functional.conv3d(x, model.places.weight).flatten(-2).softmax(-1)
    assert maps.shape[1] == 3
    return model.classifiers[0](x.mean(dim=(2, 3, 4)))


def literal_stam(model: Any, video: Tensor) -> Tensor:
    """The published order of steps; `model` is ours, with one stream."""
    (stream,) = model.streams.values()

    def unit(part: Any, x: Tensor) -> Tensor:
        x = padded(x, kernel=part.kernel, stride=part.stride)
        return functional.relu(part.norm(functional.conv3d(x, part.convolution.weight, stride=part.stride)))

    def pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
        return functional.max_pool3d(padded(x, kernel=kernel, stride=stride), kernel, stride)

    def block(part: Any, x: Tensor) -> Tensor:
        three, narrow = (unit(way[1], unit(way[0], x)) for way in (part.three, part.narrow_three))
        return torch.cat([unit(part.direct, x), three, narrow, unit(part.pooled, pool(x, (3, 3, 3), (1, 1, 1)))], dim=1)

    trunk = stream.trunk
    x = pool(unit(trunk.first, video.transpose(1, 2).contiguous()), (1, 3, 3), (1, 2, 2))
    x = pool(unit(trunk.third, unit(trunk.second, x)), (1, 3, 3), (1, 2, 2))
    for stage, before in zip(trunk.stages, (None, (3, 3, 3), (2, 2, 2)), strict=True):
        x = x if before is None else pool(x, before, (2, 2, 2))
        for part in stage:
            x = block(part, x)
    raw = unit(stream.attend[1], block(stream.attend[0], x))
    seen = x * (raw - raw.flatten(1).amin(dim=1)[:, None, None, None, None])
    seen = functional.avg_pool3d(seen, tuple(seen.shape[2:]), stride=1)
    weight = stream.classify.weight[:, :, None, None, None]
    return functional.conv3d(seen, weight, stream.classify.bias).flatten(1)


LITERAL: dict[Name, Callable[[Any, Tensor], Tensor]] = {"MFNetMultitask": literal_mfnet, "STAM": literal_stam}


def clips(b: int, side: int = 224) -> Tensor:
    return torch.randn(b, 16, 3, side, side, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def built(name: Name, *, checkpointing: bool = False) -> nn.Module:
    torch.manual_seed(0)
    kind = MFNetMultitask if name == "MFNetMultitask" else STAM
    return kind(dropout=0.0, checkpointing=checkpointing).eval()


def settled(model: nn.Module) -> nn.Module:
    """The model with normalisation statistics of clips; with the initial ones, random weights fade out."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(clips(2, 112))
    return model.eval()


def answering(look: Callable[[Tensor], Tensor], given: Tensor, *, half: bool = False) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return look(given)

    return answer


def training(model: nn.Module, look: Callable[[Tensor], Tensor], given: Tensor) -> Callable[[], Tensor]:
    """A step: loss of the chief answer, gradients of all weights that it reaches."""

    def step() -> Tensor:
        model.train().zero_grad()
        logits = look(given)
        functional.cross_entropy(logits, torch.arange(len(given))).backward()
        model.eval()
        return logits.detach()

    return step


def speed_table(rounds: int, threads: int) -> None:
    print("\n| model | clips | what | wall s | CPU s | clips a CPU second | over the literal form | difference |")
    print("|---|---|---|---|---|---|---|---|")
    for name in NAMES:
        model = settled(built(name))
        own, literal = LogitsOnly(model), partial(LITERAL[name], model)
        for b in (1, 4):
            given = clips(b)
            answers = [
                Form(name="literal, answer", precision="fp32", answer=answering(literal, given)),
                Form(name="regard, answer", precision="fp32", answer=answering(own, given)),
                Form(name="regard, answer", precision="bf16", answer=answering(own, given, half=True)),
                *(openvino_forms(own, (given,), threads, name="OpenVINO, answer") if b == 1 else ()),
            ]
            steps = [
                Form(name="literal, training", precision="fp32", answer=training(model, literal, given)),
                Form(name="regard, training", precision="fp32", answer=training(model, own, given)),
            ]
            for forms in (answers, steps) if b > 1 else (answers,):
                take_turns(forms, rounds)
                for form in forms:
                    print(
                        f"| {name} | {b} | {form.name}, {form.precision} | {form.wall:.2f} | {form.cpu:.2f} "
                        f"| {b / form.cpu:.2f} | {forms[0].cpu / form.cpu:.2f}x | {form.difference(forms[0]):.0e} |"
                    )
        exact, given = model.double(), clips(2, 112).double()
        with torch.inference_mode():
            apart = (exact(given)[0] - LITERAL[name](exact, given)).abs().max() / exact(given)[0].abs().max()
        print(f"{name}: the largest difference of the logits in double precision is {apart:.0e} of the largest")


def peak_of_gb(name: Name, checkpointing: bool) -> float:
    torch.set_num_threads(1)
    model = built(name, checkpointing=checkpointing)
    training(model, LogitsOnly(model), clips(TRAINED))()
    return peak_gb()


def memory_table() -> None:
    print(f"\n| peak memory of a training step on {TRAINED} clips, GB | as it is | with checkpointing |")
    print("|---|---|---|")
    for name in NAMES:
        peaks = []
        for checkpointing in (False, True):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                peaks.append(pool.apply(peak_of_gb, (name, checkpointing)))
        print(f"| {name} | " + " | ".join(f"{peak:.2f}" for peak in peaks) + " |")


def main() -> None:
    options = asked(__doc__)
    speed_table(options.rounds, options.threads)
    memory_table()
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
