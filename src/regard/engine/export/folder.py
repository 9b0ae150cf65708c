"""The folder of an exported model: recipe, weights, a file for each runtime and precision, what is known of them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from torch import nn

from regard import __version__
from regard.engine.export.method import ExportError, exchange
from regard.engine.export.runtimes import Runtime, installed, opened, tried, version_of
from regard.errors import FileError
from regard.io.files import writing
from regard.io.json_text import read_json

FILE = "export.json"
FORMAT = 1
"""Changes when what the file says is read otherwise."""

Choice = Literal["torch", "openvino", "onnx", "auto"]
"""By which runtime a model answers; auto: the fastest of those installed whose answers were found to be torch's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One file, and what was measured as it was made."""

    runtime: Runtime
    precision: Literal["fp32", "int8"]
    file: str
    sha256: str
    version: str
    """Of the runtime with which it was tried."""
    passed: bool
    speedup: float
    """Of the exported method over torch's, by the CPU's clock."""
    wall_ms: float
    cpu_ms: float
    parity: dict[str, dict[str, float | None]] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """All of it."""

    folder: Path
    model: str
    method: str
    inputs: dict[str, list[int]]
    outputs: list[str]
    weights: str
    forms: list[Form]
    about: dict[str, object] = field(default_factory=dict)
    """What is told beside: recipe, preprocessing, class names, torch's own times and scores, machine."""

    def write(self) -> None:
        """Into the folder."""
        content = {"format": FORMAT, "regard": __version__, **asdict(self)}
        del content["folder"]
        with writing(self.folder / FILE) as beside:
            beside.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


def read_exported(folder: Path) -> Exported | None:
    """What lies in a folder; None where nothing was exported there. Raises FileError for another version's."""
    path = folder / FILE
    if not path.is_file():
        return None
    again = f"export it again: regard export MODEL --out {folder}"
    content = read_json(path, wanted="what `regard export` writes", do=again)
    written = content.pop("regard", None)
    if content.pop("format", None) != FORMAT:
        raise FileError(
            path,
            found=f"an export by regard {written}, of another form",
            wanted=f"one that {__version__} reads",
            do=again,
        )
    try:
        forms = [Form(**form) for form in content.pop("forms")]  # pyright: ignore[reportGeneralTypeIssues, reportCallIssue]
        return Exported(folder=folder, forms=forms, **content)  # pyright: ignore[reportArgumentType]
    except TypeError as error:
        raise FileError(
            path, found=f"an export that lacks or has more ({error})", wanted="all its keys", do=again
        ) from error


def put_into(model: nn.Module, exported: Exported | None, choice: Choice, *, name: str) -> str:
    """The model, of whose methods the exported one is run by the chosen runtime from now on; which one that is.

    Raises ExportError where nothing was exported for it, MissingExtraError where it is not installed, and FileError
    where a file is not what was exported.
    """
    form = _chosen(() if exported is None else exported.forms, choice, name)
    if form is None or exported is None:
        return "torch"
    if type(model).__name__ != exported.model:
        raise FileError(
            exported.folder / FILE,
            found=f"a {exported.model}, exported, and a recipe of a {type(model).__name__}",
            wanted="one model",
            do=f"export it again: regard export MODEL --out {exported.folder}",
        )
    file = exported.folder / form.file
    if not file.is_file() or sum_of(file) != form.sha256:
        raise FileError(
            file,
            found="another file than was exported" if file.is_file() else "no such file",
            wanted=f"the {form.runtime} file that {FILE} beside it tells of",
            do="export it again, or take --runtime torch",
        )
    sizes = list(exported.inputs.values())
    if version_of(form.runtime) != form.version:
        import torch

        tried(file, form.runtime, [torch.zeros(size) for size in sizes])
    exchange(model, opened(file, form.runtime, sizes=sizes))
    return f"{form.runtime} {form.precision}"


def _chosen(forms: Sequence[Form], choice: Choice, name: str) -> Form | None:
    """None: torch."""
    if choice == "torch":
        return None
    if choice == "auto":
        usable = [form for form in forms if form.passed and form.speedup > 1 and installed(form.runtime)]
        return max(usable, key=lambda form: form.speedup, default=None)
    version_of(choice)
    there = [form for form in forms if form.runtime == choice]
    if not there:
        raise ExportError(
            f"--runtime {choice}",
            found=f"{name}, which was not exported to {choice}",
            wanted="the folder of a model that was",
            do=f"regard export {name} --to {choice}, and then --model with the folder that it names",
        )
    return max(there, key=lambda form: (form.passed, form.speedup))


def parts_of(file: Path) -> list[Path]:
    """The file, and the one of its weights, where a runtime keeps them beside it."""
    beside = file.with_suffix(".bin")
    return [file, beside] if file.suffix == ".xml" and beside.is_file() else [file]


def sum_of(file: Path) -> str:
    """SHA-256 of a file and its weights."""
    digest = hashlib.sha256()
    for part in parts_of(file):
        with part.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
