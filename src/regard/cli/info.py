"""`regard info`: versions and devices, in a form to paste into a bug report."""

import os
import platform
from argparse import ArgumentParser, Namespace
from importlib.metadata import PackageNotFoundError, version

from regard import __version__

PACKAGES = (
    "torch",
    "torchvision",
    "av",
    "lightning",
    "numpy",
    "pandas",
    "pyarrow",
    "projectaria-tools",
    "openvino",
    "onnx",
    "onnxruntime",
    "nncf",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Nothing to choose."""


def run(options: Namespace) -> int:
    """Print one fact a line."""
    import torch

    facts = {
        "regard": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}",
        **{name: _version(name) for name in PACKAGES},
        "torch threads": str(torch.get_num_threads()),
        "devices": ", ".join(_devices()),
    }
    for name, fact in facts.items():
        print(f"{name:<18}{fact}")
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    import torch

    found = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("Apple GPU (mps)")
    return ["cpu", *found]
