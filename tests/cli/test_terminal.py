"""What a file is called cannot steer the terminal, and results of two recordings never share a folder."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from regard.cli.console import out, table
from regard.errors import FileError, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\udc80b", "a\\udc80b"),
        ("Küche ☕\tb\nc", "Küche ☕\tb\nc"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str):
    assert printable(text) == shown
    error = FileError(text, found=text, wanted="w", do="d")
    assert shown.split("\n", maxsplit=1)[0] in str(error)
    assert error.found == text


def test_the_name_of_a_folder_and_of_a_column_do_not_reach_the_terminal_raw(say, tiny_world: Path, tmp_path: Path):
    folder = tmp_path / "a\x1b[31mb"
    shutil.copytree(tiny_world, folder)
    said = say("check", str(folder))
    assert said.code == 0
    (folder / "gaze.csv").write_text("\x1b[2Jtime,x,y\n0,0,0\n")
    refused = say("check", str(folder))
    assert refused.code == 2
    assert "\x1b" not in said.out + said.err + refused.out + refused.err


def test_two_recordings_of_one_name_get_two_folders(say, tiny_world: Path, tmp_path: Path):
    for name in ("x/walk", "y/walk"):
        shutil.copytree(tiny_world, tmp_path / name)
    first, second = (
        say("predict", str(tmp_path / n), "--model", "centre-prior", "--no_film") for n in ("x/walk", "y/walk")
    )
    assert first.code == second.code == 0
    assert "regard-out/walk/" in first.out
    assert "regard-out/walk-" in second.out
    again = say("predict", str(tmp_path / "x/walk"), "--model", "centre-prior", "--no_film")
    assert "regard-out/walk/" in again.out


def test_a_narrow_terminal_shows_all_of_a_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(out, "_width", 12)
    table(pd.DataFrame({"recording": ["sub-P01_task-cooking_run-1"]}))
    assert "".join(capsys.readouterr().out.split()) == "recordingsub-P01_task-cooking_run-1"
