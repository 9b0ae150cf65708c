"""The synthetic world as a dataset: its splits, and where its recordings are kept."""

import shutil
from pathlib import Path

import pytest

from regard.datasets.synthetic import Synthetic
from regard.errors import FileError, RecipeError
from regard.io import open_recording
from regard.world import write_world


def _tiny(root: Path, *, seed: int = 0) -> Synthetic:
    return Synthetic(root, train=2, val=0, test=1, duration_s=1.0, size=(48, 64), seed=seed)


def test_splits_are_disjoint_and_kept(tmp_path: Path) -> None:
    dataset = _tiny(tmp_path)
    assert dataset.splits == ("train", "val", "test")
    train, test = dataset.recordings("train"), dataset.recordings("test")
    assert (len(train), len(dataset.recordings("val")), len(test)) == (2, 0, 1)
    folders = {recording.video.path.parent for recording in (*train, *test)}
    assert len(folders) == 3
    seeds = {(dataset.seed, split, n): dataset.world_seed(split, n) for split in dataset.splits for n in range(1000)}
    assert len(set(seeds.values())) == len(seeds)
    made = [recording.video.path.stat().st_mtime_ns for recording in train]
    again = _tiny(tmp_path).recordings("train")
    assert [recording.video.path.stat().st_mtime_ns for recording in again] == made
    assert not [path for path in dataset.root.iterdir() if path.name.startswith(".")]


def test_other_arguments_do_not_meet_in_the_cache(tmp_path: Path) -> None:
    assert _tiny(tmp_path).root != _tiny(tmp_path, seed=1).root


def test_a_removed_recording_is_written_again(tmp_path: Path) -> None:
    dataset = _tiny(tmp_path)
    (recording,) = dataset.recordings("test")
    shutil.rmtree(recording.video.path.parent)
    (again,) = dataset.recordings("test")
    assert again.video.path.is_file()


def test_an_interrupted_recording_is_not_taken_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = _tiny(tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("regard.world.files._write_tables", interrupted)
        with pytest.raises(KeyboardInterrupt):
            dataset.recordings("test")
    assert list(dataset.root.iterdir()) == []
    (recording,) = dataset.recordings("test")
    assert open_recording(recording.video.path.parent).segments == recording.segments


def test_worlds_can_be_written_by_several_processes(tmp_path: Path) -> None:
    dataset = Synthetic(tmp_path, train=2, val=0, test=0, duration_s=0.5, size=(48, 64), processes=2)
    assert all(recording.video.path.is_file() for recording in dataset.recordings("train"))


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(RecipeError, match="no split 'dev'"):
        Synthetic().recordings("dev")


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tmp_path / "regard" / "synthetic" in Synthetic().root.parents


def test_a_root_that_cannot_be_written_is_a_file_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FileError, match="cannot be written"):
        _tiny(tmp_path / "file").recordings("train")
    with pytest.raises(FileError, match="cannot be written"):
        write_world(tmp_path / "file" / "world", seed=0, duration_s=0.5, size=(48, 64))


def test_each_observer_of_a_world_knows_where_the_others_looked(tmp_path: Path):
    recordings = Synthetic(tmp_path, train=2, duration_s=1.0, size=(96, 128), observers=3).recordings("train")
    assert [len(r.others) for r in recordings] == [2] * 6
    first, second, third = recordings[:3]
    assert list(first.others) == [second.id, third.id]
    assert first.others[third.id] is second.others[third.id] is third.gaze
    assert not Synthetic(tmp_path, train=1, duration_s=1.0, size=(96, 128)).recordings("train")[0].others
