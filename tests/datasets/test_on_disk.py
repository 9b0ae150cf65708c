"""A dataset in one file, as CONTRIBUTING shows it: its splits, what it says of a root, and what it refuses."""

import re
import shutil
from pathlib import Path

import pytest

from regard.datasets import on_disk
from regard.errors import FileError, RecipeError

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def walks() -> type[on_disk.OnDisk]:
    (block,) = re.findall(r"```python\n(\"\"\"Walks.*?)```", PAGE.read_text(), flags=re.DOTALL)
    made: dict = {}
    exec(block, made)
    return made["Walks"]


@pytest.fixture
def root(tmp_path, tiny_world) -> Path:
    for walk in ("anna-01", "anna-02", "deep/bert-01", "carl-01", "dora-01"):
        shutil.copytree(tiny_world, tmp_path / walk)
    (tmp_path / "notes.txt").write_text("not a walk")
    return tmp_path


def test_thirty_lines_are_a_dataset_with_splits_by_person(walks, root):
    split = {name: [r.id for r in walks(root, held_out=0.5).recordings(name)] for name in ("train", "val", "test")}
    assert sorted([*split["train"], *split["val"]]) == ["anna-01", "anna-02", "bert-01"]
    assert {len(split["train"]), len(split["val"])} == {1, 2}, "the walks of a person stay together"
    assert split["test"] == ["carl-01"]
    assert [r.subject for r in walks(root, held_out=0.0).recordings("train")] == ["anna", "anna", "bert"]
    with pytest.raises(RecipeError, match="no split 'dev'"):
        walks(root).recordings("dev")


def test_its_root_is_checked_by_what_it_says_of_itself(walks, root):
    shutil.rmtree(root / "anna-02")
    shutil.rmtree(root / "carl-01")
    (root / "carl-01").mkdir()
    told = []
    found = {f.name: f for f in walks(root).check(told.append)}
    assert found["walks"].text == "3 of 4; missing are anna-02"
    assert found["extra walks"].text == "1 walks of no list: dora-01"
    assert "carl-01" in found["unreadable"].text
    assert "samples are lost" in found["gaze"].text
    assert told[-1] == 1.0
    assert [path.name for path in walks(root).unread] == ["notes.txt"]


def test_what_is_missing_is_left_out_only_when_asked(walks, root):
    shutil.rmtree(root / "anna-02")
    with pytest.raises(FileError, match=r"2 of 3 walks of train; missing are anna-02"):
        walks(root, held_out=0.0).recordings("train")
    with pytest.warns(UserWarning, match="left out 1 of 3"):
        assert len(walks(root, held_out=0.0, missing="leave_out").recordings("train")) == 2


def test_of_two_of_one_name_the_shallower_counts_and_the_other_is_not_hidden(walks, root):
    shutil.copytree(root / "anna-01", root / "deep" / "anna-01")
    data = walks(root)
    assert data.files("walks")["anna-01"] == root / "anna-01"
    assert root / "deep" / "anna-01" in data.unread


def test_a_root_is_walked_once_and_never_for_ever(walks, root, monkeypatch):
    (root / "deep" / "again").symlink_to(root)
    counted = []
    walk = on_disk.entries_below
    monkeypatch.setattr(on_disk, "entries_below", lambda *a, **k: counted.append(1) or walk(*a, **k))
    data = walks(root, held_out=0.0)
    data.recordings("train")
    data.recordings("test")
    assert list(data.check(lambda _: None))
    assert data.unread
    assert len(counted) == 1
