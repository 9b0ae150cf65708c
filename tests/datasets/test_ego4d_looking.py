"""Ego4D "looking at me" in its own layout: tracks as the benchmark cleans them up, who looks, the challenge's JSON."""

import json
from pathlib import Path

import fake_roots as fake
import numpy as np
import pytest
import yaml

from regard.clips import ClipDataset, EveryFrame
from regard.datasets import Ego4DLooking, write_looking_submission
from regard.datasets.check import check_root, recognise
from regard.datasets.ego4d_looking.tracks import annotated, published
from regard.engine.predict import predict
from regard.engine.training.benchmark import score_recipe
from regard.engine.training.train import train
from regard.errors import FileError, RecipeError
from regard.io import open_video
from regard.prediction import Prediction
from regard.recipe.packaged import packaged
from regard.recipe.read import read_recipe
from regard.types import Recording

GOLDEN = Path(__file__).parents[1] / "golden" / "lam_data_ops"
TRAIN, VAL = fake.LOOKING_UIDS["train"], fake.LOOKING_UIDS["val"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fake.looking(tmp_path / "ego4d")


def edited(root: Path, change, split: str = "val") -> Ego4DLooking:
    """The root with its annotation changed in place."""
    file = root / "json" / f"av_{split}.json"
    about = json.loads(file.read_text())
    change(about["videos"][0]["clips"])
    file.write_text(json.dumps(about))
    return Ego4DLooking(root)


def test_tracks_are_cleaned_up_as_published():
    raw = json.loads(GOLDEN.with_suffix(".json").read_text())["check_input"]
    # a box of nobody is no box
    row = np.array([[r["frameNumber"], r["x"], r["y"], r["width"] if r["Person ID"] else 0, r["height"]] for r in raw])
    with np.load(GOLDEN.with_suffix(".npz")) as golden:
        cleaned = published(row.astype(float)[::-1])
        assert cleaned.frame.tolist() == golden["check__frames"].tolist()
        x, y, width, height = golden["check__xywh"].T
        np.testing.assert_allclose(cleaned.corners, np.stack([x, y, x + width, y + height], axis=1), atol=1e-9)


def test_annotated_boxes_stay_where_they_are_and_holes_stay_holes():
    row = np.array([[8, 1, 1, 5, 5], [0, -2, 4, 10, 8], [3, 0, 0, 0, 9], [8, 7, 7, 7, 7], [9, np.nan, 1, 1, 1]], float)
    cleaned = annotated(row)
    assert cleaned.frame.tolist() == [0, 8]
    assert cleaned.corners.tolist() == [[-2, 4, 8, 12], [1, 1, 6, 6]]
    assert cleaned.num_repeated == 1
    assert not len(published(row[[1, 2]]).frame)


def test_a_clip_becomes_a_recording_with_tracks_and_who_looks_when(root):
    data = Ego4DLooking(root)
    clip = data.recording(TRAIN[1])
    assert [(f.person, f.name) for f in clip.faces] == [("1", "11a0a"), ("1", "11a0b"), ("2", "11a0c")]
    first, _, hole = clip.faces
    np.testing.assert_allclose(first.time_s, np.arange(3, 7) / 30)
    np.testing.assert_allclose(first.box[0], [11 / 64, 4 / 48, 23 / 64, 20 / 48])
    assert first.looking.tolist() == [False, True, True, False]
    assert first.looking_known.all()
    np.testing.assert_allclose(hole.time_s, np.arange(7, 10) / 30)
    assert not hole.looking.any()
    assert [(s.kind, s.name, s.start_s, s.end_s) for s in clip.segments] == [("looking", "1", 4 / 30, 6 / 30)]
    assert clip.subject == "train-0"
    holes = Ego4DLooking(root, boxes="annotated", first_frame=1).recording(VAL[0]).faces[2]
    np.testing.assert_allclose(holes.time_s, [6 / 30, 8 / 30])


def test_no_video_is_in_two_splits_and_a_clip_without_looks_is_known_not_to_look(root):
    data = Ego4DLooking(root)
    ids = {split: [r.id for r in data.recordings(split)] for split in ("train", "held_out", "val")}
    assert ids["val"] == VAL
    assert sorted(ids["train"] + ids["held_out"]) == TRAIN
    assert {TRAIN[0], TRAIN[1]} in ({*ids["train"]}, {*ids["held_out"]})
    faces = data.recording(TRAIN[0]).faces
    assert all(f.looking_known.all() and not f.looking.any() for f in faces)
    assert Ego4DLooking(root, held_out=0.0).splits == ("train", "val", "test")
    with pytest.raises(RecipeError, match="no split 'dev'"):
        data.recordings("dev")


def test_without_lists_the_annotations_say_which_clip_is_whose(root):
    for split in ("train", "val"):
        (root / "split" / f"{split}.list").unlink()
    assert [r.id for r in Ego4DLooking(root).recordings("val")] == VAL
    (root / "json" / "av_val.json").rename(root / "json" / "av.json")
    assert [r.id for r in Ego4DLooking(root, held_out=0.0).recordings("train")] == TRAIN
    with pytest.raises(FileError, match=r"neither val\.list nor av_val\.json"):
        Ego4DLooking(root).recordings("val")


def test_the_challenges_faces_are_recordings_and_a_missing_picture_has_no_box(root):
    (track,) = Ego4DLooking(root).recordings("test")
    assert (track.id, track.subject) == ("9f0c/7e1d", "9f0c")
    np.testing.assert_allclose(track.faces[0].time_s, np.array([0, 1, 3]) / 30)
    assert not track.faces[0].looking_known.any()
    video = open_video(track.require_video())
    np.testing.assert_allclose(video.times_s, np.arange(4) / 30)
    reds = video.frames_at(video.times_s)[:, 12, 12, 0].astype(int)
    assert (np.abs(reds - [12, 13, 13, 15]) <= 2).all()
    assert np.isnan(track.faces[0].at(video.times_s)["box"]).any(axis=1).tolist() == [False, False, True, False]
    dataset = ClipDataset([track], EveryFrame(), needs=frozenset({"video", "faces"}))
    assert dataset[0].video.shape == (4, 3, 24, 24)


def told(recording: Recording, frames: list[int]) -> Prediction:
    time_s = np.array(frames) / 30
    looking = np.linspace(0.1, 0.9, len(frames))
    return Prediction(
        recording=recording.id, model="m", time_s=time_s, seen_until_s=time_s, values={"looking": looking}
    )


def test_a_submission_has_the_score_of_each_picture(root, tmp_path):
    (track,) = Ego4DLooking(root).recordings("test")
    file = write_looking_submission(tmp_path / "s.json", [track], {track.id: told(track, [0, 1, 2, 3])})
    sent = json.loads(file.read_text())
    assert (sent["version"], sent["challenge"]) == ("1.0", "ego4d_looking_at_me")
    assert sent["results"][2] == {
        "video_id": "9f0c",
        "unique_id": "fb00012",
        "track_id": "7e1d",
        "label": 1,
        "score": pytest.approx(0.9),
    }
    with pytest.raises(FileError, match="no answer about it and 0 more"):
        write_looking_submission(tmp_path / "t.json", [track], {track.id: told(track, [0, 1])})
    with pytest.raises(FileError, match="none of the 1 tracks"):
        write_looking_submission(tmp_path / "t.json", [track], {"else/where": told(track, [0])})
    assert not (tmp_path / "t.json").exists()


def test_the_annotation_becomes_a_trained_run_its_scores_and_the_challenges_submission(root, tmp_path):
    content = yaml.safe_load(packaged()["looking_ego4d_gaze_lstm"].read_text())
    content["task"]["init_args"]["model"]["init_args"] = {"weights": "random", "width": 8, "hidden": 8}
    data = content["data"]
    data["dataset"]["init_args"] = {"root": str(root), "held_out": 0.4}
    data |= {"batch_size": 2, "workers": 0}
    for part in (data["train"], data["eval"]):
        part["sampler"]["init_args"]["stride"] = 1  # every frame, for tracks are short here
        for step in part["transforms"]:
            if "init_args" in step:
                step["init_args"]["size"] = 32
    content["training"] = {"max_steps": 1, "validate_every": 1, "accelerator": "cpu", "devices": 1}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content))
    run = train(read_recipe(file), tmp_path / "run").folder
    scores = score_recipe(read_recipe(file), weights=run / "checkpoints" / "best.ckpt").summary.set_index("score")
    assert scores.loc["map", "value"] > 0
    assert scores.loc["map", "num_items"] == 27
    tracks = Ego4DLooking(root).recordings("test")
    answers = {track.id: predict(track, model=str(run)) for track in tracks}
    sent = json.loads(write_looking_submission(tmp_path / "s.json", tracks, answers).read_text())["results"]
    assert [told["unique_id"] for told in sent] == ["cb00012", "db00012", "fb00012"]
    assert all(0 < told["score"] < 1 for told in sent)


BROKEN = {
    "a clip twice": (lambda clips: clips.append(clips[0]), "the clip 20a0b1c2.* twice"),
    "a track twice": (lambda clips: clips[0]["persons"].append(clips[0]["persons"][1]), "the track 20a0a twice"),
    "no start": (lambda clips: clips[0].pop("parent_start_sec"), "video_start_sec or parent_start_sec"),
    "no persons": (lambda clips: clips[0].pop("persons"), "KeyError: 'persons'"),
    "a word for a number": (
        lambda clips: clips[0]["persons"][1]["tracking_paths"][0]["track"][0].update(x="left"),
        "could not convert",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_annotation_that_cannot_be_right_is_refused(root, what):
    change, said = BROKEN[what]
    with pytest.raises(FileError, match=said):
        edited(root, change).recordings("val")


def test_a_box_without_a_number_is_left_out_and_one_too_many_is_told(root):
    def change(clips):
        track = clips[0]["persons"][1]["tracking_paths"][0]["track"]
        track[1]["x"] = None
        del track[2]["width"]
        track.append(fake.looking_box(6, 40))

    clip = edited(root, change).recording(VAL[0])
    assert clip.faces[0].time_s.tolist() == pytest.approx([3 / 30, 4 / 30, 5 / 30, 6 / 30])
    np.testing.assert_allclose(clip.faces[0].box[:, 0] * 64, [11, 12, 13, 14])
    assert clip.notes == ("1 boxes of a frame that has one already are left out",)


def test_boxes_of_larger_copies_of_the_videos_are_told_and_can_be_read(root):
    def change(clips):
        for box in clips[0]["persons"][1]["tracking_paths"][0]["track"]:
            box["x"] *= 20

    data = edited(root, change)
    with pytest.raises(FileError, match=r"drawn_in: \[1080, 1920\]"):
        data.recording(VAL[0])
    clip = Ego4DLooking(root, drawn_in=(480, 640)).recording(VAL[0])
    assert clip.faces[0].box[0, 0] == pytest.approx(220 / 640)


def test_a_clip_without_faces_is_a_recording_and_one_without_video_or_annotation_is_missing(root):
    data = edited(root, lambda clips: clips[0].update(persons=clips[0]["persons"][:1]))
    assert data.recording(VAL[0]).faces == ()
    (root / "videos" / f"{VAL[1]}.mp4").unlink()
    with pytest.raises(FileError, match=f"2 of 3 clips of val.*{VAL[1]}"):
        Ego4DLooking(root).recordings("val")
    with pytest.warns(UserWarning, match="left out 1 of 3"):
        assert len(Ego4DLooking(root, missing="leave_out").recordings("val")) == 2
    with pytest.raises(FileError, match=r"neither val\.list"):
        Ego4DLooking(root / "videos").recordings("val")
    with pytest.raises(FileError, match="no folder videos_challenge"):
        Ego4DLooking(root / "videos").recordings("test")


def test_check_tells_what_is_there_and_what_is_not(root):
    assert recognise(root) == "ego4d_looking"
    found = check_root(root, "ego4d_looking")
    assert found.is_whole, found
    assert found["videos"].text == "6 of 6, none missing"
    assert found["faces"].text == "18 tracks, 54 boxes, of which 14.8% look at the wearer"
    assert found["nobody looks"].text.startswith("2 clips have no segment of looking")
    assert found["challenge"].text == "1 tracks of 1 videos, without labels"
    (root / "split" / "val.list").unlink()
    (root / "videos" / f"{TRAIN[2]}.mp4").write_bytes(b"no film")
    (root / "videos_challenge" / "9f0c" / "7e1d" / "00013_zz.jpg").touch()
    found = check_root(root, "ego4d_looking")
    assert not found.is_whole
    assert "1 cannot be used" in found["unreadable"].text
    assert "several of which are 13" in found["challenge"].text
