"""How fast gaze-attention and EgoHAR train and answer on a CPU, and what their forms cost.

Random weights; clips of the published size, 24 frames and flow for gaze-attention, 16 frames for EgoHAR. In turn: the
direct-optimisation term at batch 8, against all 147 candidate attention maps of a clip put through the published head
at once, and against 147 calls of that head; its share of a training step; clips a second in three precisions; EgoHAR
frame by frame; and the memory of an answer and of a training step, each in a process of its own. What is compared takes
turns, the median of the rounds counts, and CPU time is what to trust on a shared machine.

    python benchmarks/action_models.py [--threads 1] [--rounds 5]    # about 5 minutes of one core; OpenVINO if there
"""

import multiprocessing
import os
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from direct_optimisation import direct_table, share_table
from forms import Form, asked, openvino_forms, peak_gb, take_turns
from regard.models.egohar import EgoHAR, EgoHARState, ResNetName
from regard.models.gaze_attention import GazeAttention

Name = Literal["GazeAttention", "EgoHAR"]


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
        Form(name="regard", precision="fp32", answer=eager(logits, *clip, half=False)),
        Form(name="regard", precision="bf16", answer=eager(logits, *clip, half=True)),
        *openvino_forms(logits, clip, threads),
    ]


def model_table(rounds: int, threads: int) -> None:
    print("\n| model, one clip | form | wall s | CPU s | clips a CPU second | speed | difference of logits |")
    print("|---|---|---|---|---|---|---|")
    for name in ("GazeAttention", "EgoHAR"):
        forms = model_forms(name, threads)
        take_turns(forms, rounds)
        for form in forms:
            print(
                f"| {name} | {form.name}, {form.precision} | {form.wall:.2f} | {form.cpu:.2f} | {1 / form.cpu:.2f} "
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
        Form(name="the whole clip anew", precision="fp32", answer=eager(clip, film, half=False)),
        Form(name="the whole clip anew", precision="bf16", answer=eager(clip, film, half=True)),
        Form(name="step", precision="fp32", answer=stepped),
        Form(name="step", precision="bf16", answer=halved),
        *openvino_forms(step, (film[:, 0], *state), threads, name="step, OpenVINO"),
    ]


def streaming_table(rounds: int, threads: int) -> None:
    print("\n| EgoHAR, one new frame | form | wall ms | CPU ms | speed |")
    print("|---|---|---|---|---|")
    for backbone in ("resnet152", "resnet18"):
        forms = streaming_forms(backbone, threads)
        take_turns(forms, rounds)
        for form in forms:
            print(
                f"| {backbone} | {form.name}, {form.precision} | {1e3 * form.wall:.0f} | {1e3 * form.cpu:.0f} "
                f"| {forms[0].cpu / form.cpu:.1f}x |"
            )


def peak_of_gb(name: Name, training: bool, half: bool) -> float:
    """Largest resident memory of a process that answers about one clip, or trains it for two steps."""
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
    return peak_gb()


def memory_table() -> None:
    print("\n| peak memory, GB | answer, fp32 | answer, bf16 | training one clip, fp32 | training one clip, bf16 |")
    print("|---|---|---|---|---|")
    for name in ("GazeAttention", "EgoHAR"):
        peaks = []
        for training in (False, True):
            for half in (False, True):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    peaks.append(pool.apply(peak_of_gb, (name, training, half)))
        print(f"| {name} | " + " | ".join(f"{peak:.2f}" for peak in peaks) + " |")


def main() -> None:
    options = asked(__doc__)
    direct_table(options.rounds)
    share_table(options.rounds)
    model_table(options.rounds, options.threads)
    streaming_table(options.rounds, options.threads)
    memory_table()
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
