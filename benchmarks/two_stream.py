"""How fast Beholder and MCN (our reading) train and answer on a CPU, beside Gaze-Attention, whose streams they have.

Random weights; clips of the published size, 24 frames of 224x224 and their flow. In turn: clips a second at test and in
training; and the kernels that MCN makes for each clip at batch 8, as one product, as one grouped convolution, and as a
loop over the clips, each in two passes with its gradient. What is compared takes turns, the median of the rounds
counts, and CPU time is what to trust on a shared machine.

    python benchmarks/two_stream.py [--threads 1] [--rounds 3]    # about 4 minutes of one core; OpenVINO if there
"""

import os
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from forms import Form, asked, openvino_forms, take_turns
from regard.models.beholder import Beholder
from regard.models.gaze_attention import GazeAttention
from regard.models.mcn import MCN, ActionGaze
from regard.ops.direct_optimisation import gumbel_noise

MODELS = (GazeAttention, Beholder, MCN)
CLIPS, SLOTS, SIDE = 8, 3, 7


class LogitsOnly(nn.Module):
    """What OpenVINO converts: a model's first answer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, video: Tensor, flow: Tensor) -> Tensor:
        """Class logits."""
        return self.model(video, flow)[0]


def clip() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 24, 3, 224, 224, generator=generator), torch.randn(1, 24, 2, 224, 224, generator=generator)


def built(kind: type[nn.Module]) -> nn.Module:
    """A model whose normalisation knows a clip; with the statistics it begins with, random weights fade out."""
    torch.manual_seed(0)
    model = kind()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(*clip())
    return model.eval()


def answering(model: nn.Module, *, half: bool) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return model(*clip())

    return answer


def training(model: nn.Module) -> Callable[[], Tensor]:
    """A step on one clip: loss of the chief answer, gradients of all weights."""
    noise_shape = getattr(model, "noise_shape", None)
    noise = {} if noise_shape is None else {"noise": gumbel_noise(torch.rand(1, *noise_shape))}

    def step() -> Tensor:
        model.train().zero_grad()
        logits = model(*clip(), **noise)[0]
        functional.cross_entropy(logits, torch.tensor([3])).backward()
        model.eval()
        return logits.detach()

    return step


def model_table(rounds: int, threads: int) -> None:
    print("\n| model, one clip | what | wall s | CPU s | clips a CPU second | difference of logits |")
    print("|---|---|---|---|---|---|")
    for kind in MODELS:
        model = built(kind)
        logits = LogitsOnly(model)
        forms = [
            Form(name="answer", precision="fp32", answer=answering(logits, half=False)),
            Form(name="answer", precision="bf16", answer=answering(logits, half=True)),
            *openvino_forms(logits, clip(), threads, name="answer, OpenVINO"),
        ]
        take_turns(forms, rounds)
        step = Form(name="training", precision="fp32", answer=training(model))
        take_turns([step], rounds)
        for form in (*forms, step):
            close = "" if form is step else f"{form.difference(forms[0]):.0e}"
            print(
                f"| {kind.__name__} | {form.name}, {form.precision} | {form.wall:.2f} | {form.cpu:.2f} "
                f"| {1 / form.cpu:.2f} | {close} |"
            )


def looped(branch: ActionGaze, features: Tensor, likelihood: Tensor) -> Tensor:
    """The reading to the letter: features reduced, kernels made, and each clip convolved with its own."""
    reduced = branch.reduce(features)
    kernels = branch.generate(likelihood).view(len(features), branch.kernels, -1, 1, 3, 3)
    kernels = kernels / (9 * reduced.shape[1]) ** 0.5
    maps = [functional.conv3d(reduced[i : i + 1], kernels[i], padding=(0, 1, 1)) for i in range(len(features))]
    return branch.combine(functional.relu(torch.cat(maps)).flatten(2))


def grouped(branch: ActionGaze, features: Tensor, likelihood: Tensor) -> Tensor:
    """The clips side by side as groups of one convolution."""
    reduced = branch.reduce(features)
    kernels = branch.generate(likelihood).view(len(features) * branch.kernels, -1, 1, 3, 3)
    kernels = kernels / (9 * reduced.shape[1]) ** 0.5
    maps = functional.conv3d(reduced.flatten(0, 1)[None], kernels, padding=(0, 1, 1), groups=len(features))
    return branch.combine(functional.relu(maps).view(len(features), branch.kernels, -1))


def kernel_table(rounds: int) -> None:
    torch.manual_seed(0)
    branch = ActionGaze(1024, 64, actions=106, hidden=256, kernels=4).eval()
    features = torch.randn(CLIPS, 1024, SLOTS, SIDE, SIDE)
    likelihoods = torch.randn(2, CLIPS, 106).softmax(-1)

    def twice(form: Callable[[ActionGaze, Tensor, Tensor], Tensor]) -> Callable[[], Tensor]:
        return lambda: torch.cat([form(branch, features, likelihood) for likelihood in likelihoods])

    def product() -> Tensor:
        around = branch.neighbourhoods(features)
        return torch.cat([branch(likelihood, around) for likelihood in likelihoods])

    def stepped(form: Callable[[], Tensor]) -> Callable[[], Tensor]:
        def step() -> Tensor:
            branch.zero_grad()
            maps = form()
            maps.square().sum().backward()
            return maps.detach()

        return step

    forms = [
        Form(name="a loop over the clips", answer=stepped(twice(looped))),
        Form(name="a grouped convolution", answer=stepped(twice(grouped))),
        Form(name="regard: one product", answer=stepped(product)),
    ]
    take_turns(forms, rounds)
    print(f"\n| kernels of MCN, {CLIPS} clips, 2 passes, with gradients | CPU ms | speed | difference |")
    print("|---|---|---|---|")
    for form in forms:
        speed, close = forms[0].cpu / form.cpu, form.difference(forms[0])
        print(f"| {form.name} | {1e3 * form.cpu:.1f} | {speed:.1f}x | {close:.0e} |")


def main() -> None:
    options = asked(__doc__)
    kernel_table(5 * options.rounds)
    model_table(options.rounds, options.threads)
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
