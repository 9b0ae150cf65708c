"""Running the command line as a user does, and recordings to run it on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from regard.cli import main
from regard.errors import RegardError
from regard.io import FilmWriter


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`say("check", path)` runs `regard check PATH` in an empty folder, on a wide console."""
    from regard.cli.console import out

    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(out, "_width", 200)

    def run(*words: object) -> Said:
        code = main([str(word) for word in words])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(say: Callable[..., Said]) -> Callable[..., RegardError]:
    """`refused("check", path)` runs a command that must fail by the user's mistake, and returns the error.

    Exit code 2; on stderr one block with where, found, wanted and do, no traceback; the error itself with --debug;
    and nothing written.
    """

    def run(*words: object) -> RegardError:
        said = say(*words)
        assert said.code == 2
        with pytest.raises(RegardError) as caught:
            say(*words, "--debug")
        error = caught.value
        assert said.err == f"regard {words[0]} cannot go on:\n{error}\n"
        assert [line.split()[0] for line in said.err.splitlines()[2:]] == ["found:", "wanted:", "do:"]
        assert all((error.where, error.found, error.wanted, error.do))
        assert not [p for p in Path.cwd().rglob("*") if p.is_file()]
        return error

    return run


@pytest.fixture
def world(tiny_world: Path, tmp_path: Path) -> Path:
    """A copy of the tiny world, to be changed."""
    return shutil.copytree(tiny_world, tmp_path / "my world")


@pytest.fixture
def silent_video(tmp_path: Path) -> Path:
    """A video of ten frames, without sound and without gaze."""
    path = tmp_path / "walk.mp4"
    rng = np.random.default_rng(0)
    with FilmWriter(path, size=(48, 64)) as film:
        for time_s in np.arange(10) / 10:
            film.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), float(time_s))
    return path


@pytest.fixture
def gaze_table(world: Path) -> pd.DataFrame:
    """The tiny world's gaze.csv."""
    return pd.read_csv(world / "gaze.csv")
