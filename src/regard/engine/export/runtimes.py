"""Exported files as functions of tensors, in the runtimes that are installed; tried first in a process of their own."""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from regard.engine.export.method import ExportError, Function
from regard.errors import MissingExtraError

Runtime = Literal["onnx", "openvino"]
PACKAGES: dict[str, str] = {"onnx": "onnxruntime", "openvino": "openvino"}
"""Which package runs the files of each."""
FAULT = "the process that ran it"
TRIAL_S = 900

Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def installed(runtime: str) -> bool:
    """Whether files of this runtime can be run here."""
    return importlib.util.find_spec(PACKAGES[runtime]) is not None


def version_of(runtime: str) -> str:
    """The runtime's version. Raises MissingExtraError where it is not installed."""
    if not installed(runtime):
        raise MissingExtraError.of(f"the runtime {runtime}", package=PACKAGES[runtime], extra=runtime)
    return version(PACKAGES[runtime])


def opened(file: Path, runtime: Runtime, *, sizes: Sequence[Sequence[int]]) -> Function:
    """The exported method as a function of tensors, on as many threads as torch takes.

    Examples are run one after the other, each of the `sizes` (of its inputs, in their order) that the file was made
    for; what is of length 1 there is spread. Raises ExportError for others.
    """
    version_of(runtime)
    run = _RUNS[runtime](file, torch.get_num_threads())

    def function(*given: Tensor) -> Any:
        fitting = [_fitting(part, size, file) for part, size in zip(given, sizes, strict=True)]
        rows = [run([part[i : i + 1] for part in fitting]) for i in range(len(given[0]))]
        answer = tuple(torch.from_numpy(np.concatenate(parts)) for parts in zip(*rows, strict=True))
        return answer[0] if len(answer) == 1 else answer

    return function


def _fitting(part: Tensor, size: Sequence[int], file: Path) -> np.ndarray:
    own = tuple(part.shape[1:])
    if len(own) != len(size) - 1 or any(a not in {1, b} for a, b in zip(own, size[1:], strict=True)):
        raise ExportError(
            file,
            found=f"an input of {'x'.join(map(str, own))}",
            wanted=f"{'x'.join(map(str, size[1:]))}, for which it was exported",
            do="export it again with a recording of this size (--calibrate RECORDING), or take --runtime torch",
        )
    part = part.float() if part.is_floating_point() else part
    return np.ascontiguousarray(part.expand(len(part), *size[1:]).cpu().numpy())


def _onnx(file: Path, threads: int) -> Run:
    import onnxruntime  # pyright: ignore[reportMissingImports]: an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return lambda given: session.run(None, dict(zip(names, given, strict=True)))


def _openvino(file: Path, threads: int) -> Run:
    import openvino  # pyright: ignore[reportMissingImports]: an extra

    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(str(file), "CPU", options)
    request = compiled.create_infer_request()

    def run(given: Sequence[np.ndarray]) -> list[np.ndarray]:
        said = request.infer(list(given), share_inputs=True)
        return [said[i].copy() for i in range(len(compiled.outputs))]

    return run


_RUNS: dict[str, Callable[[Path, int], Run]] = {"onnx": _onnx, "openvino": _openvino}


def tried(file: Path, runtime: Runtime, given: Sequence[Tensor]) -> None:
    """Run the file once in a process of its own. Raises ExportError where that process crashes, stalls or complains."""
    version_of(runtime)
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs.npz"
        np.savez(inputs, *(part.numpy() for part in given))
        words = [sys.executable, "-c", _TRIAL, str(file), runtime, str(inputs)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=TRIAL_S, check=False)
        except subprocess.TimeoutExpired:
            raise _failed(file, runtime, f"no answer within {TRIAL_S} s") from None
    if done.returncode < 0:
        raise _failed(file, runtime, f"{FAULT} was ended by signal {-done.returncode}")
    if done.returncode:
        says = (done.stderr.strip().splitlines() or ["nothing"])[-1][:300]
        raise _failed(file, runtime, f"{FAULT} ended with: {says}")


_TRIAL = "import sys; from regard.engine.export.runtimes import run_once; run_once(*sys.argv[1:])"


def run_once(file: str, runtime: str, inputs: str) -> None:
    """Run a file on the arrays of an npz. Raises ArithmeticError where its answers are no numbers."""
    with np.load(inputs, allow_pickle=False) as saved:
        answers = _RUNS[runtime](Path(file), 1)([saved[name] for name in saved.files])
    if not all(np.isfinite(part).all() for part in answers if part.dtype.kind == "f"):
        raise ArithmeticError("answers that are no numbers")


def _failed(file: Path, runtime: str, found: str) -> ExportError:
    other = next(name for name in PACKAGES if name != runtime)
    return ExportError(
        file,
        found=found,
        wanted=f"a file that {PACKAGES[runtime]} {version_of(runtime)} can run on this machine",
        do=f"take --to {other}, another version of {PACKAGES[runtime]}, or --runtime torch",
    )
