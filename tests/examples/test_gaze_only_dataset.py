from pathlib import Path

import numpy as np
import pytest

from gaze_only.dataset import EgteaGaze
from regard.clips import ClipDataset, WholeSegment
from regard.errors import FileError, RecipeError
from regard.sources import RecordingSet
from regard.types import TRAINED, GazeState

FRAMES = np.array([[10, 13], [12, 15], [40, 42], [7, 8], [100, 101]])
VIDEO = np.array(["OP01-R01-PastaSalad"] * 3 + ["P02-R02-Pizza", "P02-R02-Pizza"])


def arrays(**changes) -> dict[str, np.ndarray]:
    """Five clips of two sessions: two that overlap in frames 12 and 13, one tested, one without gaze."""
    first, second = np.arange(1, 9).reshape(4, 2) * 1000, np.arange(5, 13).reshape(4, 2) * 1000
    third, fourth = np.array([[0, 0], [65535, 32768], [9, 9]]), np.array([[7, 7], [8, 8]])
    made = {
        "video": VIDEO,
        "frames": FRAMES,
        "labels": np.array([[1, 1, 1], [2, 2, 2], [3, 3, 3], [106, 19, 53], [1, 1, 1]], np.uint8),
        "split": np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], np.uint8),
        "offsets": np.array([0, 4, 8, 11, 13, 13], np.int32),
        "gaze_u16": np.concatenate([first, second, third, fourth]).astype(np.uint16),
    }
    return {k: v for k, v in (made | changes).items() if v is not None}


def write(root: Path, **changes) -> Path:
    np.savez(root / "egtea_gaze.npz", **arrays(**changes))
    return root


def test_a_session_is_the_gaze_of_its_clips_and_no_video(tmp_path: Path):
    data = EgteaGaze(write(tmp_path), held_out=0.0)
    assert isinstance(data, RecordingSet)
    pasta, pizza = data.recordings("train")
    assert (pasta.id, pasta.subject, pasta.video) == ("OP01-R01-PastaSalad", "OP01", None)
    assert (pizza.id, pizza.subject) == ("P02-R02-Pizza", "P02")
    gaze = pasta.gaze
    assert gaze is not None
    np.testing.assert_allclose(gaze.time_s * 24, [10, 11, 12, 13, 40, 41, 42])
    np.testing.assert_allclose(gaze.point[0], [1000 / 65535, 2000 / 65535])
    assert gaze.state.tolist() == [*[GazeState.TRACKED] * 4, GazeState.LOST, *[GazeState.TRACKED] * 2]
    first, second = pasta.segments
    assert (first.start_s, first.end_s) == (10 / 24, 14 / 24)
    assert first.labels == {"action": 0, "verb": 0, "noun": 0}
    assert second.labels == {"action": 2, "verb": 2, "noun": 2}
    assert first.name == "action 1"


def test_a_tested_session_says_what_was_trained_on_and_tells_none_of_its_gaze(tmp_path: Path):
    data = EgteaGaze(write(tmp_path), held_out=0.0)
    (pasta,) = data.recordings("test")
    assert pasta.gaze is not None
    np.testing.assert_allclose(pasta.gaze.time_s * 24, [12, 13, 14, 15])
    assert [(s.kind, round(s.start_s * 24)) for s in pasta.segments] == [(TRAINED, 10), ("action", 12), (TRAINED, 40)]


def test_clips_without_gaze_are_left_out_or_kept_as_lost(tmp_path: Path):
    write(tmp_path)
    left = EgteaGaze(tmp_path, held_out=0.0, without_gaze="leave_out").recordings("train")
    (pizza,) = (r for r in left if r.id == "P02-R02-Pizza")
    assert len(pizza.segments) == 1
    kept = EgteaGaze(tmp_path, held_out=0.0).recordings("train")
    (pizza,) = (r for r in kept if r.id == "P02-R02-Pizza")
    assert pizza.gaze is not None
    assert pizza.gaze.valid.tolist() == [True, True, False, False]
    clips = ClipDataset([pizza], WholeSegment(interval_s=1 / 24), needs=frozenset({"observed_gaze", "label"}))
    assert clips[1].observed_valid is not None
    assert clips[1].observed_valid.tolist() == [False, False]


def test_held_out_sessions_leave_training_but_not_the_test(tmp_path: Path):
    data = EgteaGaze(write(tmp_path), held_out=0.5)
    assert data.splits == ("train", "val", "test")
    sessions = [{r.id for r in data.recordings(split)} for split in ("train", "val")]
    assert sorted(map(len, sessions)) == [1, 1]
    assert not sessions[0] & sessions[1]
    assert len(data.clips("test")) == 1
    (tested,) = data.recordings("test")
    assert sum(s.kind == TRAINED for s in tested.segments) == 2
    with pytest.raises(RecipeError, match="nowhere"):
        data.recordings("nowhere")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": None}, "no labels in it"),
        ({"labels": np.ones((4, 3), np.uint8)}, r"labels of shape \(4, 3\) for 5 clips"),
        ({"labels": np.full((5, 3), 20, np.uint8)}, "verbs 20 to 20, not 1 to 19"),
        ({"labels": np.zeros((5, 3), np.uint8)}, "actions 0 to 0"),
        ({"offsets": np.array([0, 4, 8, 11, 13, 14])}, "offsets from 0 to 14 for 13 rows"),
        ({"offsets": np.array([0, 4, 8, 12, 13, 13])}, "4 rows of gaze for frames 40 to 42 of clip 2"),
        ({"gaze_u16": np.zeros((13, 3), np.uint16)}, r"gaze_u16 of shape \(13, 3\)"),
    ],
)
def test_a_file_that_does_not_fit_together_says_where(tmp_path: Path, changes, problem):
    with pytest.raises(FileError, match=problem):
        EgteaGaze(write(tmp_path, **changes)).recordings("train")


def test_a_missing_or_broken_file_is_named(tmp_path: Path):
    with pytest.raises(FileError, match=r"egtea_gaze.npz\n.*no such file"):
        EgteaGaze(tmp_path).recordings("train")
    (tmp_path / "egtea_gaze.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(FileError, match="cannot be read"):
        EgteaGaze(tmp_path).recordings("train")
    write(tmp_path)
    (tmp_path / "classes.json").write_text('{"actions": ["a"], "verbs": [], "nouns": []}')
    with pytest.raises(FileError, match=r"classes.json\n.*1 actions, 0 verbs"):
        EgteaGaze(tmp_path).recordings("train")
    (tmp_path / "classes.json").write_text("{}")
    with pytest.raises(FileError, match="KeyError"):
        EgteaGaze(tmp_path).recordings("train")


def test_the_real_gaze_has_the_counts_that_are_known_of_it(real_data: Path):
    data = EgteaGaze(real_data / "egtea_gaze", held_out=0.0)
    assert [len(data.classes[kind]) for kind in ("action", "verb", "noun")] == [106, 19, 53]
    assert data.classes["action"][0] == "Inspect/Read recipe"
    counts = [[len(EgteaGaze(data.root, split=s, held_out=0.0).clips(p)) for p in data.splits] for s in (1, 2, 3)]
    assert counts == [[8299, 2022], [8299, 2022], [8300, 2021]]
    with_gaze = EgteaGaze(data.root, held_out=0.0, without_gaze="leave_out")
    assert [len(with_gaze.clips(p)) for p in with_gaze.splits] == [8232, 2020]
    tested = with_gaze.recordings("test")
    assert len(tested) == 65
    clean = 0
    for recording in tested:
        trained = [s for s in recording.segments if s.kind == TRAINED]
        for own in (s for s in recording.segments if s.kind == "action"):
            clean += all(own.end_s <= s.start_s or s.end_s <= own.start_s for s in trained)
    assert clean == 1462
