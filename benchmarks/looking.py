"""How fast it is told on a CPU whether a face looks at the camera: each model, and what reusing its pictures is worth.

Random weights, faces of the published 224x224 pixels. First a track that is asked about at every frame: each window by
itself, which looks at every picture seven times, against each picture looked at once. Then each model about one window
of seven pictures (Hopenet: about one picture): as it is, at the precision that "auto" takes here, and in OpenVINO where
that is installed, in int8 where NNCF is too (calibrated on noise: for its speed, and not for what it answers).

What is compared takes turns, the median of the rounds counts, and CPU time is what to trust on a shared machine.

    python benchmarks/looking.py [--threads 1] [--rounds 3] [--large]   # --large: with VideoMAE-L
"""

import argparse
import importlib.util
import logging
import os
import warnings

import torch
from torch import Tensor, nn

from action_models import eager, settle
from forms import Form, openvino_forms, say_machine, take_turns
from regard.engine.arithmetic import chosen, quick_float32
from regard.models import GazeLSTM, GazePose, GazeViT, Hopenet, VideoMAELooking

FRAMES = 16
"""Of the track."""
CALIBRATION = 4
"""Windows of noise."""


class Alone(nn.Module):
    """What OpenVINO converts: pictures in, one tensor out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, video: Tensor) -> Tensor:
        """Logits, or degrees."""
        answer = self.model(video)
        return answer if isinstance(answer, Tensor) else answer[0]


def built(kind: type[nn.Module], **arguments: object) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The published size with statistics of noise, and one input of it."""
    torch.manual_seed(0)
    shape = (1, 3, 224, 224) if kind is Hopenet else (1, 7, 3, 224, 224)
    model, given = kind(**arguments).eval(), (torch.randn(shape),)
    for part in (getattr(model, "trunk", None), model if kind is Hopenet else None):
        if part is not None:
            settle(part, (torch.randn(7, 3, 224, 224),))
    return model, given


def int8_forms(model: nn.Module, given: tuple[Tensor, ...], threads: int) -> list[Form]:
    """The same in OpenVINO with weights and activations of eight bits; nothing where NNCF is not installed."""
    if importlib.util.find_spec("nncf") is None or importlib.util.find_spec("openvino") is None:
        return []
    import nncf  # pyright: ignore[reportMissingImports]: for this benchmark alone
    import openvino  # pyright: ignore[reportMissingImports]: an extra

    nncf.set_log_level(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        converted = openvino.convert_model(model, example_input=given, input=[list(x.shape) for x in given])
        noise = [torch.randn_like(given[0]).numpy() for _ in range(CALIBRATION)]
        tables = nncf.IgnoredScope(types=["Gather"], validate=False)  # NNCF 3.4 fails on tables of vectors
        small = nncf.quantize(converted, nncf.Dataset(noise), subset_size=CALIBRATION, ignored_scope=tables)
    compiled = openvino.compile_model(small, "CPU", {"INFERENCE_NUM_THREADS": threads})
    inputs = [x.numpy() for x in given]
    return [Form(name="OpenVINO", precision="int8", answer=lambda: torch.from_numpy(compiled(inputs)[0].copy()))]


def model_forms(model: nn.Module, given: tuple[Tensor, ...], threads: int) -> list[Form]:
    """As it is, as "auto" takes it, and OpenVINO's."""
    alone, auto = Alone(model).eval(), chosen("auto", model, "cpu")
    return [
        Form(name="regard", precision="fp32", answer=eager(alone, *given, half=False)),
        Form(
            name=f"regard, auto ({auto})",
            precision="auto",
            answer=eager(alone, *given, half=auto == "bf16-mixed"),
            within=lambda: quick_float32(model),
        ),
        *(form for form in openvino_forms(alone, given, threads) if form.precision == "fp32"),
        *int8_forms(alone, given, threads),
    ]


def model_table(rounds: int, threads: int, *, large: bool) -> None:
    """One window of one face."""
    print("\n| model | form | CPU ms a window | faces a CPU second | speed | difference of the answer |")
    print("|---|---|---|---|---|---|")
    kinds = [(kind, {"weights": "random"}) for kind in (GazeLSTM, GazePose, GazeViT, Hopenet)]
    for kind, arguments in [*kinds, *([(VideoMAELooking, {})] if large else [])]:
        model, given = built(kind, **arguments)
        forms = model_forms(model, given, threads)
        take_turns(forms, rounds)
        for form in forms:
            precision = "" if form.precision == "auto" else f", {form.precision}"
            print(
                f"| {kind.__name__} | {form.name}{precision} | {1e3 * form.cpu:.0f} | {1 / form.cpu:.1f} "
                f"| {forms[0].cpu / form.cpu:.1f}x | {form.difference(forms[0]):.0e} |",
                flush=True,
            )


def reuse_table(rounds: int) -> None:
    """A track that is asked about at every frame."""
    print(f"\n| model, a track of {FRAMES} frames | form | CPU ms a face and frame | speed | difference |")
    print("|---|---|---|---|---|")
    near = [[min(max(i + j, 0), FRAMES - 1) for j in range(-3, 4)] for i in range(FRAMES)]
    for kind in (GazeLSTM, GazePose, GazeViT):
        model, _ = built(kind, weights="random")
        film, asked = torch.randn(1, FRAMES, 3, 224, 224), torch.arange(FRAMES)[None]
        windows = film[0, torch.tensor(near)]
        forms = [
            Form(name="each window by itself", answer=eager(lambda m=model, w=windows: m(w)[:, 0], half=False)),
            Form(
                name="each picture once",
                answer=eager(lambda m=model, f=film, a=asked: m(f, asked=a)[0], half=False),
            ),
        ]
        take_turns(forms, rounds)
        for form in forms:
            print(
                f"| {kind.__name__} | {form.name} | {1e3 * form.cpu / FRAMES:.0f} "
                f"| {forms[0].cpu / form.cpu:.1f}x | {form.difference(forms[0]):.0e} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    say_machine(options)
    reuse_table(options.rounds)
    model_table(options.rounds, options.threads, large=options.large)
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
