"""A model as files for other runtimes, in one folder that `regard predict` and `regard live` take as a model."""

import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path

import torch
from torch import nn

from regard.engine.ask import Asked, ask
from regard.engine.export.convert import SUFFIX, to_int8, to_onnx, to_openvino
from regard.engine.export.folder import Exported, Form, parts_of, sum_of
from regard.engine.export.method import Calls, ExportError, calls, method_of
from regard.engine.export.parity import Said, differences, passes, said, times_s
from regard.engine.export.runtimes import Runtime, opened, tried, version_of
from regard.engine.export.samples import Samples, samples
from regard.errors import RecipeError
from regard.io.files import make_folder, writing
from regard.models.backbones import RandomWeightsWarning
from regard.recipe import RECIPE_FILE
from regard.recipe.packaged import find
from regard.run.folder import FOLDER
from regard.run.weights import PREFIX, is_ours, read_weights

CALLS_TRIED = 64
"""Of the exported method, kept to quantise by and to time."""


def export(
    model: str | Path,
    *,
    to: Sequence[Runtime],
    out: Path,
    int8: bool = False,
    calibrate: str | None = None,
    num_clips: int = 8,
    weights: str | Path | None = None,
    overrides: Sequence[str] = (),
    trust: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write the model's exported method for each of these runtimes, and what it differs by from torch.

    `calibrate` is a split of the recipe's dataset, or a recording; `num_clips` of its clips are answered about by each
    form, and as many others give the ranges of 8-bit products. What is not needed at run time stays out; weights are
    copied, for what of the model stays in torch. 8-bit files that cannot be made or do not run are told and left out.
    Raises ExportError where the model has no such method or a runtime cannot run it in float32, MissingExtraError, and
    what `ask` raises.
    """
    for runtime in to:
        version_of(runtime)
    asked = ask(model, weights=weights, overrides=overrides, trust=trust)
    assert asked.recipe is not None
    network = asked.task.model.eval()
    method = method_of(network)
    with samples(asked, asked.recipe.data, calibrate, count=num_clips * (1 + int8)) as clips:
        judged = clips.batches[1::2] if int8 and len(clips.batches) > 1 else clips.batches
        tell(f"{len(judged)} clips of {clips.source}, answered about in torch")
        reference, scored = _reference(asked, judged, clips)
        of = calls(asked.task, clips.batches[::2] if int8 else judged[:2])
        of = of._replace(given=of.given[:: -(-len(of.given) // CALLS_TRIED)])
        make_folder(out)
        with tempfile.TemporaryDirectory(dir=out, prefix=".part-") as beside:
            files = _files(network, of, to, int8=int8, folder=Path(beside), tell=tell)
            sizes = [list(part.shape) for part in of.given[0]]
            functions = {name: opened(file, runtime, sizes=sizes) for (runtime, name), file in files.items()}
            answers = {}
            for name, function in functions.items():
                tell(f"{name}: the same clips")
                answers[name] = said(asked.task, judged, scored=scored, function=function)
            took = times_s(asked.task, of, functions)
            del functions
            forms = [
                _form(asked, runtime, file, answers=(answers[name], reference), took=(took[name], took["torch"]))
                for (runtime, name), file in files.items()
            ]
            for file in files.values():
                for part in parts_of(file):
                    part.replace(out / part.name)
    kept = _keep_weights(asked, out, is_run=find(model).name == RECIPE_FILE and weights is None)
    with writing(out / RECIPE_FILE) as part:
        part.write_text(asked.recipe.text, encoding="utf-8")
    wall, cpu = took["torch"]
    exported = Exported(
        folder=out,
        model=type(network).__name__,
        method=method,
        inputs=dict(zip(of.names, sizes, strict=True)),
        outputs=list(of.outputs),
        weights=kept,
        forms=forms,
        about={
            "name": asked.name,
            "recipe": asked.recipe.name,
            "preprocessing": [repr(step) for step in asked.transforms],
            "decode_size": asked.decode_size,
            "class_names": asked.class_names,
            "judged_on": f"{len(judged)} clips of {clips.source}",
            "torch": {"version": torch.__version__, "wall_ms": 1e3 * wall, "cpu_ms": 1e3 * cpu},
            "torch_scores": dict(reference.scores),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
            f"load {os.getloadavg()[0]:.1f}",
        },
    )
    exported.write()
    return exported


def _reference(asked: Asked, judged: Sequence, clips: Samples) -> tuple[Said, bool]:
    """What torch says, and whether it can be scored: a recording may lack the labels."""
    if clips.scored:
        try:
            return said(asked.task, judged, scored=True), True
        except RecipeError:
            pass
    return said(asked.task, judged, scored=False), False


def _files(
    network: nn.Module, of: Calls, to: Sequence[Runtime], *, int8: bool, folder: Path, tell: Callable[[str], None]
) -> dict[tuple[Runtime, str], Path]:
    """Each form's file, tried in a process of its own."""
    tell("through torch's exporter to ONNX")
    onnx_file = folder / f"model{SUFFIX['onnx']}"
    to_onnx(network, of, onnx_file)
    files: dict[tuple[Runtime, str], Path] = {}
    for runtime in to:
        file = folder / f"model{SUFFIX[runtime]}"
        if runtime == "openvino":
            to_openvino(onnx_file, file)
        tell(f"{runtime}: tried in a process of its own")
        tried(file, runtime, of.given[0])
        files[runtime, f"{runtime} fp32"] = file
        if int8:
            tell(f"{runtime}: 8-bit products by the ranges of {len(of.given)} calls")
            small = file.with_stem("model_int8")
            try:
                to_int8(file, runtime, of.given, small)
                tried(small, runtime, of.given[0])
            except ExportError as error:
                tell(f"{runtime}: no 8-bit file: {error.found}")
                continue
            files[runtime, f"{runtime} int8"] = small
    return files


def _form(
    asked: Asked,
    runtime: Runtime,
    file: Path,
    *,
    answers: tuple[Said, Said],
    took: tuple[tuple[float, float], tuple[float, float]],
) -> Form:
    """What is told of a file; of both pairs, the second is torch's."""
    ours, torchs = answers
    parts = differences(ours, torchs)
    is_int8 = file.stem.endswith("int8")
    (wall_s, cpu_s), (_, torch_cpu_s) = took
    return Form(
        runtime=runtime,
        precision="int8" if is_int8 else "fp32",
        file=file.name,
        sha256=sum_of(file),
        version=version_of(runtime),
        passed=passes(asked.task, ours, torchs, parts, int8=is_int8),
        speedup=torch_cpu_s / cpu_s,
        wall_ms=1e3 * wall_s,
        cpu_ms=1e3 * cpu_s,
        parity={n: {k: None if isnan(v) else v for k, v in asdict(part).items()} for n, part in parts.items()},
        scores=dict(ours.scores),
    )


def _keep_weights(asked: Asked, out: Path, *, is_run: bool) -> str:
    """The weights beside the files, without what only training needs; their name there."""
    if asked.weights is not None and asked.weights.is_dir():
        shutil.copytree(asked.weights, out / "weights", dirs_exist_ok=True)
        return "weights"
    file = out / FOLDER / "best.ckpt"
    content = {} if asked.weights is None else read_weights(asked.weights)
    if asked.weights is not None and not is_ours(content):
        with writing(file) as part:
            shutil.copyfile(asked.weights, part)
        return f"{FOLDER}/{file.name}"
    if asked.weights is None:
        warnings.warn("the exported weights are random ones", RandomWeightsWarning, stacklevel=2)
        content = {"state_dict": {PREFIX + name: value for name, value in asked.task.model.state_dict().items()}}
    kept = {key: content[key] for key in ("state_dict", *(() if is_run else ("regard",))) if key in content}
    with writing(file) as part:
        torch.save(kept, part)
    return f"{FOLDER}/{file.name}"
