"""How fast ego-rnn, LSTA, Beholder, MFNet, STAM and MCN (our reading) answer in torch and in OpenVINO, on a CPU.

Random weights, one clip of the published size, fed to all of them as their normalisation knows it. What is compared
takes turns, the median of the rounds counts, and CPU time is what to trust on a shared machine. 8 bits are calibrated
on that clip alone; what they change in the answer says something about trained weights only.

    python benchmarks/action_runtimes.py [--threads 1] [--rounds 2] [--models EgoRNN LSTA]    # minutes a model
"""

import argparse
import os
from collections.abc import Callable

import torch
from torch import Tensor, nn

from forms import Form, openvino_forms, say_machine, take_turns
from regard.models import LSTA, MCN, STAM, Beholder, EgoRNN, MFNetMultitask
from regard.models.backbones import without_imagenet

FRAMES: dict[type[nn.Module], int] = {MFNetMultitask: 16, STAM: 16, EgoRNN: 25, LSTA: 25, Beholder: 24, MCN: 24}
READ_FLOW = (Beholder, MCN)


class LogitsOnly(nn.Module):
    """What OpenVINO converts: a model's first answer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *given: Tensor) -> Tensor:
        """Class logits; the chief label's, where there are several."""
        first = self.model(*given)[0]
        return first[0] if isinstance(first, tuple | list) else first


def clip(kind: type[nn.Module], *, count: int = 1) -> tuple[Tensor, ...]:
    """Pictures, and flow for those that read it."""
    generator = torch.Generator().manual_seed(0)
    channels = (3, 2) if kind in READ_FLOW else (3,)
    return tuple(torch.randn(count, FRAMES[kind], c, 224, 224, generator=generator) for c in channels)


def built(kind: type[nn.Module]) -> nn.Module:
    """A model whose normalisation knows the clip; with the statistics it begins with, random weights fade out."""
    torch.manual_seed(0)
    with without_imagenet():
        model = kind()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(*(part[:, :8] for part in clip(kind, count=2)) if kind not in READ_FLOW else clip(kind))
    return LogitsOnly(model).eval()


def answering(model: nn.Module, given: tuple[Tensor, ...], *, half: bool) -> Callable[[], Tensor]:
    def answer() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return model(*given)

    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--models", nargs="+", choices=[kind.__name__ for kind in FRAMES])
    options = parser.parse_args()
    say_machine(options)
    print("\n| model | form | wall s | CPU s | clips a CPU second | speed by CPU | difference |")
    print("|---|---|---|---|---|---|---|")
    for kind in FRAMES:
        if options.models and kind.__name__ not in options.models:
            continue
        model, given = built(kind), clip(kind)
        forms = [
            Form(name="torch", precision="fp32", answer=answering(model, given, half=False)),
            Form(name="torch", precision="bf16", answer=answering(model, given, half=True)),
            *openvino_forms(model, given, options.threads),
        ]
        take_turns(forms, options.rounds)
        for form in forms:
            print(
                f"| {kind.__name__} | {form.name}, {form.precision} | {form.wall:.2f} | {form.cpu:.2f} "
                f"| {1 / form.cpu:.2f} | {forms[0].cpu / form.cpu:.2f}x | {form.difference(forms[0]):.0e} |",
                flush=True,
            )
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
