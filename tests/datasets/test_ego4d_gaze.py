"""Ego4D's gaze benchmark: the shipped split against the published counts, and recordings in Ego4D's own layout."""

import json
import shutil
from pathlib import Path

import fake_roots as fake
import numpy as np
import pytest

from regard.clips.dataset import ClipDataset
from regard.clips.sampling.window import LastFrames
from regard.datasets import Ego4DGaze
from regard.datasets.ego4d_gaze import is_uid, published
from regard.errors import ClockError, FileError, RecipeError, TableError
from regard.types import GazeState, Recording

TRAIN = ("1e83c2d1-ff03-4181-9ab5-a3e396f54a93", "47517e98-bc3a-4dbf-a251-401a3bfd928e")
TYPO = "5a6cc114-5581-4e04-9c60-843e6248da99"
SILENT = "7d8b9b9f-7781-4357-a695-c88f7c7f7591"


@pytest.fixture
def one(tmp_path) -> Path:
    """The first test video."""
    return fake.ego4d(tmp_path / "ego4d", [next(iter(published().test))])


def read(root: Path, uid: str, **choices) -> Recording:
    return Ego4DGaze(root, **choices).recording(uid)


def table(root: Path) -> Path:
    return next((root / "v2" / "gaze").glob("*.csv"))


def test_the_shipped_split_is_the_published_one():
    facts = published()
    assert (len(facts.train), len(facts.test)) == (20, 7)
    assert (sum(map(len, facts.train.values())), sum(map(len, facts.test.values()))) == (15310, 5202)
    assert not facts.train.keys() & facts.test.keys()
    assert sum(map(len, facts.untracked.values())) == 73
    assert all(is_uid(uid) for uid in (*facts.train, *facts.test, *facts.untracked))


def test_the_shipped_split_is_that_of_the_published_lists(real_data):
    wanted = json.loads((real_data / "splits" / "ego4d_gaze.json").read_text())
    facts = published()
    for split, clips in (("train", facts.train), ("test", facts.test)):
        for uid, runs in wanted["clips"][split].items():
            assert clips[uid] == tuple(s for first, last in runs for s in range(first, last + 1, 5))
    assert {u: [tuple(r[:2]) for r in rows] for u, rows in wanted["untracked"].items()} == {
        u: list(rows) for u, rows in facts.untracked.items()
    }


def test_no_published_clip_touches_an_untracked_stretch():
    facts = published()
    for uid, starts in {**facts.train, **facts.test}.items():
        for start, end in facts.untracked.get(uid, ()):
            assert not any(s <= end and s + 5 >= start for s in starts if start < end)


def test_val_holds_out_training_videos():
    data = Ego4DGaze("anywhere")
    train, val = set(data.videos_of("train")), set(data.videos_of("val"))
    assert (len(train), len(val)) == (18, 2)
    assert train | val == set(published().train)
    assert set(Ego4DGaze("anywhere", held_out=0.0).videos_of("train")) == train | val
    with pytest.raises(RecipeError, match="no split 'val'"):
        Ego4DGaze("anywhere", held_out=0.0).videos_of("val")


def test_every_video_of_a_whole_root_is_a_recording(tmp_path):
    facts = published()
    data = Ego4DGaze(fake.ego4d(tmp_path / "root", [*facts.train, *facts.test]), held_out=0.0)
    assert [r.id for r in data.recordings("test")] == list(facts.test)
    assert [r.id for r in data.recordings("train")] == list(facts.train)


def test_gaze_stands_upright_at_its_own_times_with_its_confidence(one):
    recording = read(one, table(one).stem)
    gaze = recording.gaze
    assert gaze is not None
    assert (len(gaze), gaze.time_s[0]) == (800, 0.002)
    np.testing.assert_allclose(gaze.point[[0, -1]], [[0.5, 0.25], [0.75, 0.25]], atol=1e-6)
    assert (gaze.confidence == 1).all()
    assert gaze.state[-1] == GazeState.FIXATION
    assert np.count_nonzero(gaze.state == GazeState.SACCADE) in (6, 7)
    assert recording.audio is None


def test_doubtful_gaze_is_lost_and_its_confidence_kept(tmp_path):
    uid = TRAIN[0]
    root = fake.ego4d(tmp_path / "root", [uid])
    confidence = np.where(np.arange(60) < 20, 0.3, np.where(np.arange(60) < 40, 0.7, np.nan))
    fake.ego4d_table(table(root), np.arange(60) / 60, np.full((60, 2), 0.5), confidence)
    recording = read(root, uid)
    assert recording.gaze.valid.tolist() == [False] * 20 + [True] * 20 + [False] * 20
    np.testing.assert_array_equal(recording.gaze.confidence, confidence)
    assert any("40 of 60 gaze samples are below confidence 0.6" in note for note in recording.notes)
    assert read(root, uid, min_confidence=0.2).gaze.valid.sum() == 40
    assert read(root, uid, gaze="published").gaze.valid.all(), "the published labels ignore confidence"


def test_columns_are_found_by_name_and_nan_is_lost(one):
    path = table(one)
    path.write_text(
        "norm_pos_y,confidence,norm_pos_x,component_timestamp_s,canonical_timestamp_s\n"
        "0.9,1,0.2,9,0.0\n,1,,9,0.1\n-0.5,1,1.5,9,0.2\n"
    )
    gaze = read(one, path.stem).gaze
    np.testing.assert_allclose(gaze.time_s, [0, 0.1, 0.2])
    np.testing.assert_allclose(gaze.point, [[0.2, 0.1], [np.nan, np.nan], [1.5, 1.5]])
    assert gaze.state[1] == GazeState.LOST


def test_lines_out_of_order_are_sorted_and_said(one):
    path = table(one)
    fake.ego4d_table(path, np.array([0.0, 0.2, 0.1, 0.1]), np.array([[0.1, 0.5], [0.3, 0.5], [0.2, 0.5], [0.9, 0.5]]))
    recording = read(one, path.stem)
    np.testing.assert_allclose(recording.gaze.point[:, 0], [0.1, 0.2, 0.3])
    assert any("put in order of time; 1 that repeat" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("time,x,y\n0,0.5,0.5\n", None),
        (
            "canonical_timestamp_s,confidence,norm_pos_x,norm_pos_y\n0,1,left,0.5\n",
            "'left' in column 'norm_pos_x', line 2",
        ),
        ("canonical_timestamp_s,confidence,norm_pos_x,norm_pos_y\nnan,1,0.5,0.5\n", "line 2"),
        ("canonical_timestamp_s,confidence,norm_pos_x,norm_pos_y\n0,1,0.5\n", "3 values in line 2"),
    ],
)
def test_a_table_that_is_no_gaze_is_an_error(one, text, found):
    path = table(one)
    path.write_text(text)
    if found is None:
        with pytest.raises(FileError, match="with their gaze"):
            Ego4DGaze(one, missing="leave_out").recordings("test")
        return
    with pytest.raises(TableError, match=found):
        read(one, path.stem)


def test_gaze_of_another_video_is_an_error(one):
    path = table(one)
    fake.ego4d_table(path, np.arange(4000) / 10, np.full((4000, 2), 0.5))
    with pytest.raises(ClockError, match="another video's gaze"):
        read(one, path.stem)


def test_untracked_stretches_and_clips_are_segments(tmp_path):
    root = fake.ego4d(tmp_path / "root", [TYPO])
    recording = read(root, TYPO)
    untracked = [(s.start_s, s.end_s) for s in recording.segments if s.kind == "untracked"]
    assert untracked == [(0, 16), (32, 51)]
    assert any("ends before it starts" in note for note in recording.notes)
    clips = [s for s in recording.segments if s.kind == "clip"]
    assert [(s.start_s, s.end_s, s.name) for s in clips[:2]] == [(20, 25, "t20"), (25, 30, "t25")]


def test_a_silent_video_is_heard_from_the_wav_beside_it_or_not_at_all(tmp_path):
    root = fake.ego4d(tmp_path / "root", [SILENT])
    assert read(root, SILENT).audio is None
    wav = root / "missing_audio" / f"{SILENT}.wav"
    wav.parent.mkdir()
    wav.write_bytes(b"RIFF")
    recording = read(root, SILENT)
    assert recording.audio is not None
    assert recording.audio.path == wav


def test_glcs_labels_come_one_frame_late(one):
    uid = table(one).stem
    now, late = (read(one, uid, gaze=kind).gaze for kind in ("published", "published_late"))
    np.testing.assert_array_equal(late.point[1:], now.point[:-1])
    np.testing.assert_array_equal(late.point[0], now.point[-1])
    np.testing.assert_allclose(now.time_s, np.arange(120) / 30)


def test_clips_beyond_the_end_of_a_short_video_are_left_out_by_name(one):
    recording = read(one, table(one).stem)
    sampler = LastFrames(num_frames=4, interval_s=0.1, kind="clip", ahead_s=(0.1,))
    clips = ClipDataset([recording], sampler, needs=frozenset({"video", "gaze"}))
    assert len(clips) == 1
    assert clips[0].gaze_point.tolist() == [[0.75, 0.25]]
    assert len(clips.left_out) == len(recording.segments) - 1


def test_what_is_missing_is_named(one, tmp_path):
    with pytest.raises(FileError, match=r"1 of 7 videos of test, with their gaze; missing are .* and 3 more"):
        Ego4DGaze(one).recordings("test")
    with pytest.warns(UserWarning, match="left out 6 of 7"):
        assert len(Ego4DGaze(one, missing="leave_out").recordings("test")) == 1
    with pytest.raises(FileError, match="no such folder"):
        Ego4DGaze(tmp_path / "nowhere").recordings("test")


def test_a_cut_off_video_is_an_error(one):
    path = next((one / "v2" / "full_scale").glob("*.mp4"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError):
        read(one, path.stem)


def test_a_second_copy_of_a_video_changes_nothing(one):
    path = next((one / "v2" / "full_scale").glob("*.mp4"))
    (one / "v2" / "full_scale" / "older").mkdir()
    shutil.copy(path, one / "v2" / "full_scale" / "older" / path.name)
    assert read(one, path.stem).video.path == path
