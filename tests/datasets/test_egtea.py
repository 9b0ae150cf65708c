"""EGTEA Gaze+ in folders of its own layout, and its real lists and gaze where they are at hand."""

import warnings
from pathlib import Path

import fake_roots as fake
import numpy as np
import pytest

from regard.clips.dataset import ClipDataset
from regard.clips.sampling.window import FirstFrames
from regard.datasets import Egtea
from regard.datasets.egtea.labels import read_list
from regard.datasets.egtea.names import SPLIT_SIZES, parse_clip
from regard.errors import FileError, RecipeError

TEST_CLIP = "OP01-R01-PastaSalad-1400-1900-F000032-F000047"
BEYOND_GAZE = "OP02-R03-BaconAndEggs-2900-3500-F000068-F000086"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return fake.egtea(tmp_path_factory.mktemp("egtea") / "root")


def words(root: Path) -> Path:
    """Where the annotation lists lie."""
    return root / "action_annotation"


def test_clips_carry_their_label_and_the_gaze_of_their_frames(root):
    (clip, _) = Egtea(root).recordings("test")
    assert (clip.id, clip.subject) == (TEST_CLIP, "OP01")
    segment = clip.segments[0]
    assert (segment.kind, segment.labels) == ("action", {"action": 3, "verb": 3, "noun": 3})
    assert (segment.start_s, segment.end_s) == (0.0, pytest.approx(16 / 24))
    np.testing.assert_allclose(clip.gaze.point[0], np.divide(fake.begaze_point(32), (1280, 960)))
    np.testing.assert_allclose(clip.gaze.point[15], np.divide(fake.begaze_point(47), (1280, 960)))


def test_glcs_numbering_takes_the_gaze_of_one_frame_earlier(root):
    clip = Egtea(root, frames_count_from=1).recordings("test")[0]
    np.testing.assert_allclose(clip.gaze.point[0], np.divide(fake.begaze_point(31), (1280, 960)))
    session = Egtea(root, frames_count_from=1, videos="sessions").recordings("test")[0]
    assert session.segments[0].start_s == pytest.approx(31 / 24)


def test_a_clip_after_the_end_of_its_gaze_is_kept_with_lost_gaze(root):
    clip = Egtea(root).recordings("test")[1]
    assert clip.id == BEYOND_GAZE
    assert len(clip.gaze) == 19
    assert not clip.gaze.valid.any()


def test_clips_beyond_their_gaze_are_left_out_by_name_alone(root):
    assert [r.id for r in Egtea(root, without_gaze="leave_out").recordings("test")] == [TEST_CLIP]
    sessions = Egtea(root, videos="sessions", without_gaze="leave_out").recordings("test")
    assert [r.id for r in sessions] == ["OP01-R01-PastaSalad"]
    with pytest.raises(RecipeError, match="without_gaze: keep"):
        Egtea(root, gaze="none", without_gaze="leave_out")


def test_a_session_has_the_segments_of_the_asked_split_alone(root):
    data = Egtea(root, videos="sessions", held_out=0.0)
    assert data.splits == ("train", "test")
    train = {r.id: r for r in data.recordings("train")}
    test = {r.id: r for r in data.recordings("test")}
    assert sorted(train) == sorted(fake.SESSIONS)
    assert [s.start_s for s in train["OP01-R01-PastaSalad"].segments] == pytest.approx([8 / 24, 46 / 24])
    (cut,) = (s for s in test["OP01-R01-PastaSalad"].segments if s.kind == "action")
    assert (cut.start_s, cut.end_s) == pytest.approx((32 / 24, 48 / 24))
    assert len(train["OP01-R01-PastaSalad"].gaze) == 96


def test_sessions_can_be_had_without_their_videos(root, tmp_path):
    bare = fake.egtea(tmp_path / "bare", clips=False, sessions=False)
    for split in ("train", "test"):
        seen = Egtea(root, videos="sessions", held_out=0.0).recordings(split)
        unseen = Egtea(bare, videos="none", held_out=0.0).recordings(split)
        assert [(r.id, r.subject, r.segments) for r in unseen] == [(r.id, r.subject, r.segments) for r in seen]
        for a, b in zip(seen, unseen, strict=True):
            assert a.video is not None
            assert b.video is None
            np.testing.assert_array_equal(a.gaze.point, b.gaze.point)
    next(bare.rglob("gaze_data/OP01*.txt")).unlink()
    with pytest.raises(FileError, match="OP01-R01-PastaSalad"):
        Egtea(bare, videos="none").recordings("test")
    with pytest.raises(RecipeError, match="something to look at"):
        Egtea(bare, videos="none", gaze="none")


@pytest.mark.parametrize(("videos", "origin"), [("sessions", 0), ("clips", 32)])
def test_a_test_recording_says_which_of_it_was_trained_on(root, videos, origin):
    data = Egtea(root, videos=videos)
    for split in ("train", "val"):
        assert not [s for r in data.recordings(split) for s in r.segments if s.kind == "trained"]
    trained = [s for s in data.recordings("test")[0].segments if s.kind == "trained"]
    assert [s.start_s for s in trained] == pytest.approx([(8 - origin) / 24, (46 - origin) / 24])


def test_val_holds_out_whole_sessions_of_train(root):
    data = Egtea(root, held_out=0.4)
    part = {split: {r.id for r in data.recordings(split)} for split in data.splits}
    whole = {r.id for r in Egtea(root, held_out=0.0).recordings("train")}
    assert part["train"] | part["val"] == whole
    assert part["val"]
    assert not {parse_clip(i).session for i in part["train"]} & {parse_clip(i).session for i in part["val"]}


def test_a_list_with_padded_names_finds_the_official_files(root, tmp_path):
    again = fake.egtea(tmp_path / "root")
    path = words(again) / "test_split1.txt"
    path.write_text(path.read_text().replace("F000032-F000047", "F000028-F000051"))
    clip = Egtea(again).recordings("test")[0]
    assert clip.id == TEST_CLIP
    np.testing.assert_allclose(clip.gaze.point[0], np.divide(fake.begaze_point(32), (1280, 960)))
    session = Egtea(again, videos="sessions").recordings("test")[0]
    assert session.segments[0].start_s == pytest.approx(28 / 24)


def test_a_clip_shorter_than_its_window_is_filled_and_masked(root):
    sampler = FirstFrames(num_frames=8, interval_s=9 / 24, kind="action")
    clips = ClipDataset(Egtea(root).recordings("test"), sampler, needs=frozenset({"video", "gaze", "label"}))
    assert len(clips) == 2
    assert clips[0].gaze_valid.all()
    assert clips.clip(0).frame_valid.tolist() == [True, True, *[False] * 6]
    sample = clips[0]
    assert sample.label == {"action": 3, "verb": 3, "noun": 3}
    assert clips[1].gaze_valid.any().item() is False


def test_a_film_with_fewer_frames_than_its_name_says_is_masked(tmp_path):
    again = fake.egtea(tmp_path / "root", sessions=False)
    fake.film(next(again.rglob(f"{TEST_CLIP}.mp4")), num_frames=5, rate_hz=24)
    sampler = FirstFrames(num_frames=8, interval_s=1 / 24, kind="action")
    clips = ClipDataset(Egtea(again).recordings("test"), sampler, needs=frozenset({"video"}))
    assert clips.clip(0).frame_valid.tolist() == [True] * 5 + [False] * 3


def test_what_is_missing_is_named_and_left_out_only_when_asked(tmp_path):
    again = fake.egtea(tmp_path / "root", sessions=False)
    next(again.rglob(f"{TEST_CLIP}.mp4")).unlink()
    with pytest.raises(FileError, match=r"1 of 2 clips of test; missing are OP01-R01-PastaSalad-1400-1900"):
        Egtea(again).recordings("test")
    with pytest.warns(UserWarning, match="left out 1 of 2 clips of test"):
        assert [r.id for r in Egtea(again, missing="leave_out").recordings("test")] == [BEYOND_GAZE]
    next(again.rglob(f"{BEYOND_GAZE}.mp4")).unlink()
    with pytest.raises(FileError, match="wanted: at least one"):
        Egtea(again, missing="leave_out").recordings("test")


def test_gaze_may_be_done_without_only_by_name(tmp_path):
    again = fake.egtea(tmp_path / "root", gaze=False)
    with pytest.raises(FileError, match="none of the session OP01-R01-PastaSalad"):
        Egtea(again).recordings("test")
    assert all(r.gaze is None for r in Egtea(again, gaze="none").recordings("test"))


def test_no_root_no_lists_and_no_such_split_are_errors(tmp_path, root):
    with pytest.raises(FileError, match="no such folder"):
        Egtea(tmp_path / "nowhere").recordings("train")
    with pytest.raises(FileError, match=r"no train_split1\.txt"):
        Egtea(tmp_path).recordings("train")
    with pytest.raises(FileError, match=r"no train_split2\.txt"):
        Egtea(root, split=2).recordings("train")
    with pytest.raises(RecipeError, match="no split 'dev'"):
        Egtea(root).recordings("dev")
    with pytest.raises(RecipeError, match="'val' needs held_out above 0"):
        Egtea(root, held_out=0.0).recordings("val")
    with pytest.raises(RecipeError, match="a share of the training split"):
        Egtea(root, held_out=1.5)


# ---- the real lists and gaze


@pytest.fixture(scope="module")
def extract(real_data):
    with np.load(real_data / "egtea_gaze" / "egtea_gaze.npz") as arrays:
        return dict(arrays)


def official_name(extract, number: int, frames: str = "frames") -> str:
    (start, end), (first, last) = extract["ms"][number], extract[frames][number]
    return f"{extract['video'][number]}-{start}-{end}-F{first:06d}-F{last:06d}"


def write_lists(extract, root: Path, frames: str = "frames") -> None:
    for stem in SPLIT_SIZES:
        part, split = stem.split("_split")
        rows = []
        for n in np.flatnonzero(extract["split"][:, int(split) - 1] == (part == "test")):
            action, verb, _ = extract["labels"][n]
            nouns = " ".join(str(noun) for noun in extract["nouns"][n] if noun)
            rows.append(f"{official_name(extract, n, frames)} {action} {verb} {nouns}")
        (root / f"{stem}.txt").write_text("\n".join(rows))


def test_the_official_lists_have_their_published_sizes(extract, tmp_path):
    write_lists(extract, tmp_path)
    for split in (1, 2, 3):
        data = Egtea(tmp_path, split=split, held_out=0.1)
        train, test = SPLIT_SIZES[f"train_split{split}"], SPLIT_SIZES[f"test_split{split}"]
        assert len(data.labels("test")) == test
        assert len(data.labels("train")) + len(data.labels("val")) == train
        assert 0.05 * train < len(data.labels("val")) < 0.2 * train


def test_padded_lists_name_the_same_clips(extract, tmp_path):
    (tmp_path / "padded").mkdir()
    write_lists(extract, tmp_path)
    write_lists(extract, tmp_path / "padded", "ga_frames")
    stems = ("train_split1.txt", "test_split1.txt")
    official, padded = ([x.name for s in stems for x in read_list(f / s)] for f in (tmp_path, tmp_path / "padded"))
    assert [n.key for n in official] == [n.key for n in padded]
    has_gaze = np.diff(extract["offsets"]) > 0
    names = {official_name(extract, n) for n in np.flatnonzero(has_gaze)}
    changed = [o for o, p in zip(official, padded, strict=True) if o != p and str(o) in names]
    assert len(changed) == 641
    assert all(p.last_frame - p.first_frame >= 24 for p in padded)


def test_a_real_session_in_either_layout_gives_the_published_gaze(extract, tmp_path):
    session = "OP03-R01-PastaSalad"
    mine = np.flatnonzero(extract["video"] == session)
    gaze: dict[int, tuple[float, float]] = {}
    for n in mine:
        part = slice(*extract["offsets"][n : n + 2])
        frames = range(extract["frames"][n, 0], extract["frames"][n, 0] + part.stop - part.start)
        gaze |= dict(zip(frames, (extract["gaze_u16"][part] / 65535).tolist(), strict=True))
    write_lists(extract, tmp_path)
    for later in (False, True):
        rows = ((f, x * 1280, y * 960) for f, (x, y) in sorted(gaze.items()) if x or y)
        lines = [fake.begaze_line(f, f"{x:.4f}", f"{y:.4f}", "Fixation", later=later) for f, x, y in rows]
        fake.begaze(tmp_path / f"{session}.txt", lines)
        for kind in ("measured", "published"):
            data = Egtea(tmp_path, gaze=kind, held_out=0.0)
            without = 0
            for n in mine:
                track = data._clip_gaze(parse_clip(official_name(extract, n)))
                assert track is not None
                part = slice(*extract["offsets"][n : n + 2])
                without += part.start == part.stop
                if part.start == part.stop:
                    assert not track.valid.any()
                    continue
                wanted = extract["gaze_u16"][part] / 65535
                there = wanted.any(axis=1)
                np.testing.assert_array_equal(track.valid, there)
                np.testing.assert_allclose(track.point[there], wanted[there], atol=8e-6)
            assert without == 42


def test_69_clips_have_no_gaze(extract):
    assert np.count_nonzero(np.diff(extract["offsets"]) == 0) == 69
    assert sum(SPLIT_SIZES[f"{part}_split1"] for part in ("train", "test")) == len(extract["video"]) == 10321


def test_reading_warns_of_nothing(root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for split in ("train", "val", "test"):
            Egtea(root).recordings(split)
