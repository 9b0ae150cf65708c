"""How fast gaze-attention and EgoHAR train and answer on a CPU, and what their forms cost.

Random weights; clips of the published size, 24 frames and flow for gaze-attention, 16 frames for EgoHAR. In turn: the
direct-optimisation term at batch 8, against all 147 candidate attention maps of a clip put through the published head
at once, and against 147 calls of that head; its share of a training step; clips a second in three precisions; EgoHAR
frame by frame; and the memory of an answer and of a training step, each in a process of its own. What is compared takes
turns, the median of the rounds counts, and CPU time is what to trust on a shared machine.

    python benchmarks/action_models.py [--threads 1] [--rounds 5]    # about 5 minutes of one core; OpenVINO if there
"""

import argparse
import importlib.util
import multiprocessing
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from regard.models.egohar import EgoHAR, EgoHARState, ResNetName
from regard.models.gaze_attention import GazeAttention
from regard.ops.direct_optimisation import HeadWeights, candidate_losses, direct_loss, gumbel_noise, hard_sample

BATCH, CLASSES, CHANNELS, GRID = 8, 106, 1024, (3, 7, 7)
CELLS = GRID[0] * GRID[1] * GRID[2]
Name = Literal["GazeAttention", "EgoHAR"]


@dataclass(kw_only=True)
class Form:
    """One way to compute something, and what each round took."""

    name: str
    answer: Callable[[], Tensor]
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    last: Tensor | None = None

    def run(self, *, timed: bool) -> None:
        """Answer once; the first round warms up and is not timed."""
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


def take_turns(forms: list[Form], rounds: int) -> None:
    for i in range(rounds + 1):
        for form in forms:
            form.run(timed=i > 0)


def published_head(sample: Tensor, features: Tensor, head: HeadWeights) -> Tensor:
    """Attention head as published: features times attention, mean, plus the features' mean, one linear layer."""
    attention = torch.sigmoid(functional.linear(sample.flatten(1), head.attention_weight, head.attention_bias))
    attended = (features * attention.view(-1, 1, *GRID)).mean(dim=(2, 3, 4))
    return functional.linear(attended + features.mean(dim=(2, 3, 4)), head.class_weight, head.class_bias)


@torch.no_grad()
def losses_at_once(sample: Tensor, features: Tensor, label: Tensor, head: HeadWeights) -> Tensor:
    """All candidates of a clip as one batch, clip by clip: 147 maps, 147 times its features."""
    candidates = candidates_of(sample)
    losses = [
        functional.cross_entropy(
            published_head(candidates[i], features[i].expand(CELLS, -1, -1, -1, -1), head),
            label[i].expand(CELLS),
            reduction="none",
        )
        for i in range(len(sample))
    ]
    return torch.stack(losses).view_as(sample)


@torch.no_grad()
def losses_by_calls(sample: Tensor, features: Tensor, label: Tensor, head: HeadWeights) -> Tensor:
    """One candidate of every clip at a time: 147 calls, and nothing computed twice but the attended mean."""
    candidates, flat, mean = candidates_of(sample), features.flatten(2), features.mean(dim=(2, 3, 4))
    losses = []
    for k in range(CELLS):
        drawn = functional.linear(candidates[:, k].flatten(1), head.attention_weight, head.attention_bias)
        attended = torch.bmm(flat, torch.sigmoid(drawn)[..., None])[..., 0] / CELLS
        logits = functional.linear(attended + mean, head.class_weight, head.class_bias)
        losses.append(functional.cross_entropy(logits, label, reduction="none"))
    return torch.stack(losses, dim=1).view_as(sample)


def candidates_of(sample: Tensor) -> Tensor:
    """(b, 147, 3, 7, 7): the draws that differ from a clip's own in one slot at most."""
    b, slots, h, w = sample.shape
    one_hot = torch.eye(h * w).view(h * w, h, w)
    candidates = sample[:, None, None].expand(b, slots, h * w, *GRID).clone()
    for slot in range(slots):
        candidates[:, slot, :, slot] = one_hot
    return candidates.flatten(1, 2)


def direct_case(b: int) -> tuple[Tensor, Tensor, Tensor, HeadWeights]:
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(b, *GRID, generator=g) + gumbel_noise(torch.rand(b, *GRID, generator=g))
    features = torch.randn(b, CHANNELS, *GRID, generator=g).relu()
    head = HeadWeights(
        torch.randn(CELLS, CELLS, generator=g),
        torch.randn(CELLS, generator=g),
        torch.randn(CLASSES, CHANNELS, generator=g) / 8,
        torch.randn(CLASSES, generator=g),
    )
    return scores, features, torch.randint(CLASSES, (b,), generator=g), head


def direct_table(rounds: int) -> None:
    scores, features, label, head = direct_case(BATCH)
    sample = hard_sample(scores)
    forms = [
        Form(name="147 maps at once", answer=lambda: losses_at_once(sample, features, label, head)),
        Form(name="147 head calls", answer=lambda: losses_by_calls(sample, features, label, head)),
        Form(name="regard", answer=lambda: candidate_losses(sample, features, label, head)),
        Form(
            name="regard, mixed as published",
            answer=lambda: candidate_losses(sample, features, label, head, pairing="published"),
        ),
    ]
    take_turns(forms, 2 * rounds)
    print(f"\n| candidate losses, batch {BATCH} | wall ms | CPU ms | speed over at once | over calls | difference |")
    print("|---|---|---|---|---|---|")
    for form in forms:
        differs = "by design" if "mixed" in form.name else f"{form.difference(forms[0]):.0e}"
        print(
            f"| {form.name} | {1e3 * form.wall:.1f} | {1e3 * form.cpu:.1f} | {forms[0].cpu / form.cpu:.0f}x "
            f"| {forms[1].cpu / form.cpu:.1f}x | {differs} |"
        )


def training_step(b: int, *, half: bool) -> tuple[Form, Form]:
    """A whole step on b clips without the direct term, and that term with its gradient, on what the model made."""
    torch.manual_seed(0)
    model = GazeAttention().train()
    video, flow = torch.randn(b, 24, 3, 224, 224), torch.randn(b, 24, 2, 224, 224)
    label, target = torch.arange(b), torch.full((b, *GRID), 1 / 49)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    kept: list[tuple[Tensor, Tensor]] = []

    def step() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            answer = model(video, flow, gumbel_noise(torch.rand(b, *GRID)))
        kept[:] = [(answer.perturbed.detach(), answer.features.detach())]
        kl = -(target * answer.gaze_logits.flatten(2).log_softmax(2).view_as(target)).sum()
        loss = functional.cross_entropy(answer.logits.float(), label) + kl
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def direct() -> Tensor:
        perturbed = kept[0][0].requires_grad_()
        loss = direct_loss(perturbed, kept[0][1], label, model.head.weights(), epsilon=10.0).mean()
        (gradient,) = torch.autograd.grad(loss, perturbed)
        return gradient

    return Form(name="bf16" if half else "fp32", answer=step), Form(name="direct term", answer=direct)


def share_table(rounds: int) -> None:
    b = 2
    print(f"\n| training step, batch {b} | CPU s | direct term, CPU ms | its share |")
    print("|---|---|---|---|")
    for half in (False, True):
        step, direct = training_step(b, half=half)
        take_turns([step, direct], rounds)
        share = direct.cpu / (step.cpu + direct.cpu)
        print(f"| GazeAttention, {step.name} | {step.cpu:.2f} | {1e3 * direct.cpu:.2f} | {100 * share:.2f} % |")


class LogitsOnly(nn.Module):
    """What OpenVINO converts: a model's first answer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *clip: Tensor) -> Tensor:
        """Class logits."""
        return self.model(*clip)[0]


def built(name: Name) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The published size, and one clip of noise."""
    torch.manual_seed(0)
    if name == "GazeAttention":
        return GazeAttention().eval(), (torch.randn(1, 24, 3, 224, 224), torch.randn(1, 24, 2, 224, 224))
    return EgoHAR(weights="random").eval(), (torch.randn(1, 16, 3, 224, 224),)


@torch.no_grad()
def settle(model: nn.Module, clip: tuple[Tensor, ...]) -> None:
    """Take normalisation statistics from a clip; with the initial ones, random weights fade out layer by layer."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.momentum = 1.0
    model.train()(*clip)
    model.eval()


def eager(model: Callable[..., Tensor], *inputs: Tensor, half: bool) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return model(*inputs)

    return answer


def model_forms(name: Name, threads: int) -> list[Form]:
    model, clip = built(name)
    settle(model, clip)
    logits = LogitsOnly(model)
    return [
        Form(name="regard, fp32", answer=eager(logits, *clip, half=False)),
        Form(name="regard, bf16", answer=eager(logits, *clip, half=True)),
        *openvino_forms(logits, clip, threads),
    ]


def openvino_forms(model: nn.Module, inputs: tuple[Tensor, ...], threads: int) -> list[Form]:
    """The same in OpenVINO, in both precisions; nothing where it is not installed."""
    if importlib.util.find_spec("openvino") is None:
        return []
    import openvino

    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        converted = openvino.convert_model(model, example_input=inputs, input=[list(x.shape) for x in inputs])
    given = [x.numpy() for x in inputs]

    def form(name: str, hint: str) -> Form:
        options = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.compile_model(converted, "CPU", options)
        return Form(name=name, answer=lambda: torch.from_numpy(compiled(given)[0].copy()))

    return [form("OpenVINO, fp32", "f32"), form("OpenVINO, bf16", "bf16")]


def model_table(rounds: int, threads: int) -> None:
    print("\n| model, one clip | form | wall s | CPU s | clips a CPU second | speed | difference of logits |")
    print("|---|---|---|---|---|---|---|")
    for name in ("GazeAttention", "EgoHAR"):
        forms = model_forms(name, threads)
        take_turns(forms, rounds)
        for form in forms:
            print(
                f"| {name} | {form.name} | {form.wall:.2f} | {form.cpu:.2f} | {1 / form.cpu:.2f} "
                f"| {forms[0].cpu / form.cpu:.1f}x | {form.difference(forms[0]):.0e} |"
            )


class OneStep(nn.Module):
    """EgoHAR's streaming form as OpenVINO takes it: tensors in, the action and the new state out."""

    def __init__(self, model: EgoHAR) -> None:
        super().__init__()
        self.model = model

    def forward(self, frame: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Action logits first."""
        answer, new = self.model.step(frame, EgoHARState(*state))
        return answer.action, *new


def streaming_forms(backbone: ResNetName, threads: int) -> list[Form]:
    """The last 16 frames as a clip, and the newest of them alone with the state of the others."""
    torch.manual_seed(0)
    model, film = EgoHAR(weights="random", backbone=backbone).eval(), torch.randn(1, 16, 3, 224, 224)
    settle(model, (film,))
    with torch.no_grad():
        _, state = model.step(film[:, 0])
        for i in range(1, 16):
            _, state = model.step(film[:, i], state)
    step, clip = OneStep(model), LogitsOnly(model)
    stepped = eager(lambda *given: step(*given)[0], film[:, 0], *state, half=False)
    halved = eager(lambda *given: step(*given)[0], film[:, 0], *state, half=True)
    return [
        Form(name="the whole clip anew, fp32", answer=eager(clip, film, half=False)),
        Form(name="the whole clip anew, bf16", answer=eager(clip, film, half=True)),
        Form(name="step, fp32", answer=stepped),
        Form(name="step, bf16", answer=halved),
        *(replace(form, name=f"step, {form.name}") for form in openvino_forms(step, (film[:, 0], *state), threads)),
    ]


def streaming_table(rounds: int, threads: int) -> None:
    print("\n| EgoHAR, one new frame | form | wall ms | CPU ms | speed |")
    print("|---|---|---|---|---|")
    for backbone in ("resnet152", "resnet18"):
        forms = streaming_forms(backbone, threads)
        take_turns(forms, rounds)
        for form in forms:
            print(
                f"| {backbone} | {form.name} | {1e3 * form.wall:.0f} | {1e3 * form.cpu:.0f} "
                f"| {forms[0].cpu / form.cpu:.1f}x |"
            )


def peak_gb(name: Name, training: bool, half: bool) -> float:
    """Largest resident memory of a process that answers about one clip, or trains it for two steps. Linux only."""
    torch.set_num_threads(1)
    model, clip = built(name)
    if training:
        optimizer = torch.optim.SGD(model.train().parameters(), lr=1e-4, momentum=0.9)
        for _ in range(2):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = model(*clip)[0]
            functional.cross_entropy(logits.float(), torch.tensor([3])).backward()
            optimizer.step()
            optimizer.zero_grad()
    else:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            model(*clip)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**20


def memory_table() -> None:
    print("\n| peak memory, GB | answer, fp32 | answer, bf16 | training one clip, fp32 | training one clip, bf16 |")
    print("|---|---|---|---|---|")
    for name in ("GazeAttention", "EgoHAR"):
        peaks = []
        for training in (False, True):
            for half in (False, True):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    peaks.append(pool.apply(peak_gb, (name, training, half)))
        print(f"| {name} | " + " | ".join(f"{peak:.2f}" for peak in peaks) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")
    print(
        f"torch {torch.__version__}, threads {asked.threads}, "
        f"median of {asked.rounds} rounds, twice as many for candidate losses"
    )
    direct_table(asked.rounds)
    share_table(asked.rounds)
    model_table(asked.rounds, asked.threads)
    streaming_table(asked.rounds, asked.threads)
    memory_table()
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
