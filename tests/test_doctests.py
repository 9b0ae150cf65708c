"""Every public function and class shows an example, and what it shows is what happens."""

import doctest
import inspect
import re
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import regard

ROOT = Path(__file__).parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
ASKED_BY_OTHERS = {"pin_memory", "planar_at", "decoded_at", "close"}
"""Methods that are there for a DataLoader, a film writer and a `with`."""


def documented() -> dict[str, object]:
    """All that `regard` exports, and all that the page of the Python interface names."""
    named = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "api.md").read_text(), flags=re.MULTILINE)
    found: dict[str, object] = {}
    for name in dict.fromkeys([*(f"regard.{name}" for name in regard.__all__), *named]):
        module, _, last = name.rpartition(".")
        found[name] = getattr(import_module(module), last)
    return found


def parts_of(name: str, what: object) -> dict[str, object]:
    """It, and its public methods."""
    if not inspect.isclass(what):
        return {name: what}
    own = {k: v for k, v in vars(what).items() if not k.startswith("_") and k not in ASKED_BY_OTHERS}
    methods = {k: getattr(what, k) for k, v in own.items() if inspect.isfunction(v) or isinstance(v, classmethod)}
    return {name: what, **{f"{name}.{k}": v for k, v in methods.items()}}


PUBLIC = {name: part for whole, what in documented().items() for name, part in parts_of(whole, what).items()}


@pytest.fixture(scope="module")
def place(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(tiny_world, folder / "my_recording")
    return folder


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_of_a_public_name_say_what_happens(name: str, place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(place)
    names = {"regard": regard, "np": np, "torch": torch}
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(PUBLIC[name]) or "", names, name, None, None)
    assert test.examples, f"{name} shows no example"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append)
    assert not told, "".join(told)


def test_the_page_of_the_python_interface_names_all_that_the_package_exports():
    page = (ROOT / "docs" / "api.md").read_text()
    assert not [name for name in regard.__all__ if f"::: regard.{name}\n" not in page]
