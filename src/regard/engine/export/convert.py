"""From a method of a model to files: ONNX first, then OpenVINO from that, then 8-bit products where they are wanted."""

import importlib.util
import io
import logging
import warnings
from collections.abc import Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from regard.engine.export.method import Calls, ExportError, as_tuple, method_of
from regard.engine.export.runtimes import Runtime, version_of
from regard.errors import MissingExtraError

OPSET = 18
SUFFIX: dict[Runtime, str] = {"onnx": ".onnx", "openvino": ".xml"}


class _Alone(nn.Module):
    """A model whose `forward` is the method that leaves it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.method = model, method_of(model)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        return as_tuple(getattr(self.model, self.method)(*given))


def to_onnx(model: nn.Module, of: Calls, file: Path) -> None:
    """The model's exported method as ONNX, for inputs of one example of these sizes, through torch's exporter.

    Not the other way to OpenVINO, from torch: a file made that way has crashed it. Raises ExportError where the model
    has parts that cannot be exported.
    """
    _require("onnx", "onnx")
    _require("onnxscript", "onnx")
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                _Alone(model).eval(),
                of.given[0],
                str(file),
                dynamo=True,
                opset_version=OPSET,
                input_names=[f"in_{name}" for name in of.names],
                output_names=[f"out_{name}" for name in of.outputs],
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch raises a dozen kinds here, all of which mean: not to be exported
        raise ExportError(
            type(model).__name__,
            found=f"parts that torch {torch.__version__} cannot export: {_first_line(error)}",
            wanted="a method of operations that ONNX has",
            do="run it in torch, or let the class name a smaller method in `exported`",
        ) from error


def to_openvino(onnx_file: Path, file: Path) -> None:
    """OpenVINO's form of an ONNX file; weights stay float32."""
    version_of("openvino")
    import openvino  # pyright: ignore[reportMissingImports]: an extra

    with _quiet():
        openvino.save_model(openvino.convert_model(str(onnx_file)), str(file), compress_to_fp16=False)


def to_int8(file: Path, runtime: Runtime, given: Sequence[tuple[Tensor, ...]], out: Path) -> None:
    """The file with 8-bit products, whose ranges are those met in these calls. Raises ExportError where NNCF cannot."""
    _require("nncf", "int8")
    import nncf  # pyright: ignore[reportMissingImports]: an extra

    model, names = _read(file, runtime)
    calls = nncf.Dataset([dict(zip(names, (p.numpy() for p in parts), strict=True)) for parts in given])
    try:
        with _quiet():
            small = nncf.quantize(model, calls, subset_size=len(given), preset=nncf.QuantizationPreset.MIXED)
    except Exception as error:  # of NNCF and of each runtime
        raise ExportError(
            file,
            found=f"a file that NNCF cannot quantise: {_first_line(error)}",
            wanted="operations that it knows",
            do="export without --int8",
        ) from error
    _write(small, runtime, out)


def _read(file: Path, runtime: Runtime) -> tuple[Any, list[str]]:
    if runtime == "onnx":
        import onnx  # pyright: ignore[reportMissingImports]: an extra

        model = onnx.load(str(file))
        return model, [each.name for each in model.graph.input]
    import openvino  # pyright: ignore[reportMissingImports]: an extra

    model = openvino.Core().read_model(str(file))
    return model, [each.get_any_name() for each in model.inputs]


def _write(model: Any, runtime: Runtime, file: Path) -> None:
    if runtime == "onnx":
        import onnx  # pyright: ignore[reportMissingImports]: an extra

        onnx.save(model, str(file))
    else:
        import openvino  # pyright: ignore[reportMissingImports]: an extra

        openvino.save_model(model, str(file), compress_to_fp16=False)


def _require(package: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError.of("regard export", package=package, extra=extra)


@contextmanager
def _quiet():
    """Exporters tell every step, and NNCF's logger too."""
    logging.getLogger("nncf").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:300]
