"""How fast exported models are beside torch: the exported method of each, in every runtime and precision installed.

Random weights, with batch normalisation where ImageNet's would have it; its statistics are those of one picture of
noise. What is compared takes turns in one process; medians of CPU time count, wall time is told. The difference is the
largest one from torch over torch's largest value; with random weights it says nothing about 8 bits, which
`regard export` judges on trained ones. GLC and CSTS (`--models GLC,CSTS`) take several minutes each to export.

    PYTHONPATH=src python benchmarks/export.py [--threads 1] [--rounds 15] [--models NAME,...] [--int8]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from forms import say_machine
from regard.engine.export.convert import SUFFIX, to_int8, to_onnx, to_openvino
from regard.engine.export.method import Calls, ExportError, Function, as_tuple, exchanged, method_of
from regard.engine.export.runtimes import PACKAGES, Runtime, installed, opened, tried
from regard.models import CSTS, FPNRIM, GLC, CausalGaze, EgoHAR, GazeAttention, GazeLSTM
from regard.models.backbones import without_imagenet

Build = Callable[[], nn.Module]


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def causal(*, weights: str, size: tuple[int, int]) -> Build:
    return lambda: CausalGaze(size=size, weights=weights)  # pyright: ignore[reportArgumentType]


MODELS: dict[str, tuple[Build, dict[str, Tensor]]] = {
    "CausalGaze, GroupNorm, 96x128": (causal(weights="random", size=(48, 64)), {"video": noise(1, 3, 3, 96, 128)}),
    "CausalGaze, BatchNorm, 96x128": (causal(weights="imagenet", size=(48, 64)), {"video": noise(1, 3, 3, 96, 128)}),
    "CausalGaze, GroupNorm, 256x336": (causal(weights="random", size=(64, 64)), {"video": noise(1, 3, 3, 256, 336)}),
    "CausalGaze, BatchNorm, 256x336": (causal(weights="imagenet", size=(64, 64)), {"video": noise(1, 3, 3, 256, 336)}),
    "EgoHAR, ResNet-152": (lambda: EgoHAR(weights="random"), {"video": noise(1, 1, 3, 224, 224)}),
    "GazeLSTM": (lambda: GazeLSTM(weights="random"), {"video": noise(1, 1, 3, 224, 224)}),
    "FPN-RIM": (lambda: FPNRIM(weights="random"), {"video": noise(1, 3, 3, 224, 224)}),
    "gaze-attention": (GazeAttention, {"video": noise(1, 24, 3, 224, 224), "flow": noise(1, 24, 2, 224, 224)}),
    "GLC": (GLC, {"video": noise(1, 8, 3, 256, 256)}),
    "CSTS": (CSTS, {"video": noise(1, 8, 3, 256, 256), "sound": noise(1, 8, 256, 256)}),
}
LONG = {"gaze-attention", "GLC", "CSTS"}
"""Not run where no models are named."""


def calls_of(model: nn.Module, inputs: dict[str, Tensor]) -> Calls:
    """What the exported method is called with; of a step, with the state after the first frame."""
    method: Function = getattr(model, method_of(model))
    given: list[tuple[Tensor, ...]] = []
    with torch.inference_mode(), exchanged(model, lambda *parts: (given.append(parts), method(*parts))[1]):
        model(**inputs)
    last = tuple(part.clone().contiguous() for part in given[-1])
    with torch.inference_mode():
        outputs = len(as_tuple(method(*last)))
    return Calls(tuple(f"part_{i}" for i in range(len(last))), tuple(f"answer_{i}" for i in range(outputs)), [last])


def forms_of(model: nn.Module, of: Calls, folder: Path, *, int8: bool) -> dict[str, Function]:
    """Each form that is installed and runs, by name; a crash is told and left out."""
    forms: dict[str, Function] = {}
    onnx_file = folder / "model.onnx"
    to_onnx(model, of, onnx_file)
    sizes = [part.shape for part in of.given[0]]
    runtimes: list[Runtime] = [runtime for runtime in SUFFIX if installed(runtime)]
    for runtime in runtimes:
        file = onnx_file.with_suffix(SUFFIX[runtime])
        if runtime == "openvino":
            to_openvino(onnx_file, file)
        files = {"fp32": file} | ({"int8": file.with_stem("small")} if int8 else {})
        for precision, each in files.items():
            try:
                if precision == "int8":
                    to_int8(file, runtime, of.given, each)
                tried(each, runtime, of.given[0])
            except ExportError as error:
                print(f"left out: {PACKAGES[runtime]} {precision}: {error.found}", flush=True)
                continue
            forms[f"{PACKAGES[runtime]} {precision}"] = opened(each, runtime, sizes=sizes)
    return forms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--models", help="names before the first comma of a row, such as CausalGaze,GLC")
    parser.add_argument("--int8", action="store_true")
    options = parser.parse_args()
    say_machine(options)
    wanted = None if options.models is None else set(options.models.split(","))
    print("\n| model, a call | form | wall ms | CPU ms | speed by CPU | difference |\n|---|---|---|---|---|---|")
    for name, (build, inputs) in MODELS.items():
        if (name in LONG) if wanted is None else name.partition(",")[0] not in wanted:
            continue
        torch.manual_seed(0)
        with without_imagenet(), torch.no_grad():
            model = build().train()
            model(**inputs)
            model.eval()
            of = calls_of(model, inputs)
        method: Function = getattr(model, method_of(model))
        with tempfile.TemporaryDirectory() as folder:
            forms = {"torch": method, **forms_of(model, of, Path(folder), int8=options.int8)}
            took: dict[str, list[tuple[float, float]]] = {form: [] for form in forms}
            answers = {}
            with torch.inference_mode():
                for _ in range(options.rounds + 1):
                    for form, function in forms.items():
                        wall, cpu = time.perf_counter(), time.process_time()
                        answers[form] = as_tuple(function(*of.given[0]))[0]
                        took[form].append((time.perf_counter() - wall, time.process_time() - cpu))
        reference = median(cpu for _, cpu in took["torch"][1:])
        for form, rounds in took.items():
            wall, cpu = (1e3 * median(pair[k] for pair in rounds[1:]) for k in (0, 1))
            apart = float((answers[form] - answers["torch"]).abs().max() / answers["torch"].abs().max())
            print(
                f"| {name} | {form} | {wall:.1f} | {cpu:.1f} | {1e3 * reference / cpu:.2f}x | {apart:.0e} |", flush=True
            )
    print(f"\nload at the end {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
