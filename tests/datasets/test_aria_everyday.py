"""Aria Everyday Activities: the shipped split, sequences with a VRS (the real one) and with a preview alone."""

import json
import shutil
from pathlib import Path

import fake_roots as fake
import numpy as np
import pytest

from regard.datasets import AriaEveryday
from regard.datasets.aria_everyday import num_clips, published, scene_of
from regard.errors import ClockError, FileError, TableError
from regard.io import open_recording
from regard.types import GazeState

pytest.importorskip("projectaria_tools", reason="needs extra 'aria'")

FIRST_TEST = next(iter(published().test))


@pytest.fixture
def previews(tmp_path) -> Path:
    return fake.aria_previews(tmp_path / "aria", [FIRST_TEST])


@pytest.fixture
def real(real_data, tmp_path) -> Path:
    """The real sequence in the layout of the dataset."""
    folder = tmp_path / "aria" / FIRST_TEST
    (folder / "mps" / "eye_gaze").mkdir(parents=True)
    (folder / "recording.vrs").symlink_to(real_data / "aria_everyday" / "recording.vrs")
    shutil.copy(real_data / "aria_everyday" / "general_eye_gaze.csv", folder / "mps" / "eye_gaze")
    return folder


def test_the_shipped_split_is_the_published_one():
    facts = published()
    assert (len(facts.train), len(facts.test)) == (107, 36)
    assert not facts.train.keys() & facts.test.keys()
    assert sum(map(num_clips, facts.train)) == 10456
    assert sum(map(num_clips, facts.test)) == 2901


def test_the_shipped_split_is_that_of_the_published_lists(real_data):
    wanted = json.loads((real_data / "splits" / "aria_everyday.json").read_text())["clips"]
    facts = published()
    for split, sequences in (("train", facts.train), ("test", facts.test)):
        by_movie = {about.movie: (name, about.last_start_s) for name, about in sequences.items()}
        assert by_movie == {
            movie: (about["sequence"].replace("scrop", "script"), about["runs"][0][1])
            for movie, about in wanted[split].items()
        }


def test_val_holds_out_scenes_with_all_their_wearers():
    data = AriaEveryday("anywhere")
    train, val = data.sequences_of("train"), data.sequences_of("val")
    assert {*train, *val} == set(published().train)
    assert len(val) >= 10
    assert not {scene_of(q) for q in train} & {scene_of(q) for q in val}


def test_14_published_test_sequences_show_a_scene_of_the_training_split():
    scenes = {scene_of(q) for q in published().train}
    assert sum(scene_of(q) in scenes for q in published().test) == 14


def test_a_real_sequence_has_its_gaze_in_the_upright_picture(real):
    recording = AriaEveryday(real.parent).recording(FIRST_TEST)
    assert recording.id == FIRST_TEST
    np.testing.assert_allclose(recording.gaze.point[0], [0.6840, 0.5072], atol=1e-4)
    assert recording.gaze.time_s[0] == pytest.approx(0.05, abs=1e-3)
    assert recording.audio is not None
    clips = [s for s in recording.segments if s.kind == "clip"]
    assert len(clips) == num_clips(FIRST_TEST)
    assert [(s.start_s, s.end_s) for s in clips[:2]] == [(0, 5), (2, 7)]


def test_published_labels_of_a_real_sequence_go_by_index_and_not_by_time(real):
    gaze = AriaEveryday(real.parent, gaze="published").recording(FIRST_TEST).gaze
    measured = AriaEveryday(real.parent).recording(FIRST_TEST).gaze
    assert len(gaze) == 8
    np.testing.assert_allclose(gaze.point[[0, 2, 4, 6]], measured.point)
    np.testing.assert_allclose(gaze.point[1], measured.point[:2].mean(axis=0))
    np.testing.assert_allclose(gaze.point[7], measured.point[3])


def test_a_preview_with_the_vrs_own_calibration_gives_nearly_the_vrs_gaze(real, real_data, tmp_path):
    from projectaria_tools.core import calibration

    from regard.io.devices.aria_vrs import device_calibration, open_vrs

    vrs = real_data / "aria_everyday" / "recording.vrs"
    factory = json.loads(calibration.device_calibration_to_json_string(device_calibration(open_vrs(vrs).provider, vrs)))
    rgb = [c for c in factory["CameraCalibrations"] if c["Label"] == "camera-rgb"]
    folder = tmp_path / "preview" / FIRST_TEST
    shutil.copytree(real / "mps", folder / "mps")
    shutil.copy(real_data / "aria_everyday" / "rgb_704.mp4", folder / "preview.mp4")
    (folder / "mps" / "slam").mkdir()
    line = {"tracking_timestamp_us": 1, "utc_timestamp_ns": 1, "ImuCalibrations": [], "CameraCalibrations": rgb}
    (folder / "mps" / "slam" / "online_calibration.jsonl").write_text(json.dumps(line))
    seen, whole = AriaEveryday(folder.parent).recording(FIRST_TEST), AriaEveryday(real.parent).recording(FIRST_TEST)
    np.testing.assert_allclose(seen.gaze.point, whole.gaze.point, atol=1e-6)
    np.testing.assert_allclose(seen.gaze.time_s + 0.05, whole.gaze.time_s, atol=1e-3)
    np.testing.assert_allclose(seen.camera.matrix, whole.camera.matrix)
    assert any("no VRS" in note for note in seen.notes)


def test_a_preview_is_a_recording_by_itself_too(previews, capfd):
    recording = open_recording(previews / FIRST_TEST)
    assert (recording.id, len(recording.gaze)) == (FIRST_TEST, 20)
    assert recording.gaze.valid.all()
    x = recording.gaze.point[:, 0]
    assert (np.diff(x) < 0).all(), "the gaze turns to the left"
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_measured_gaze_is_told_apart_and_published_is_one_label_a_frame(previews):
    measured = AriaEveryday(previews).recording(FIRST_TEST).gaze
    assert measured.state.tolist() == [GazeState.TRACKED] + [GazeState.FIXATION] * 19
    published_gaze = AriaEveryday(previews, gaze="published").recording(FIRST_TEST).gaze
    assert len(published_gaze) == 40
    assert (published_gaze.state == GazeState.FIXATION).all()


@pytest.mark.parametrize(
    ("text", "found"), [("", "0 calibrations"), ("nonsense\n", "no calibration"), (None, "none of the RGB camera")]
)
def test_an_unusable_calibration_is_an_error(previews, text, found):
    path = previews / FIRST_TEST / "mps" / "slam" / "online_calibration.jsonl"
    if text is None:
        fake.online_calibration(path, "camera-slam-left")
    else:
        path.write_text(text)
    with pytest.raises(FileError, match=found):
        AriaEveryday(previews).recording(FIRST_TEST)


def test_a_gaze_table_of_a_preview_that_is_none_is_no_missing_gaze(previews):
    table = previews / FIRST_TEST / "mps" / "eye_gaze" / "general_eye_gaze.csv"
    table.write_text(table.read_text().replace(",", ";"))
    with pytest.raises(TableError, match="separate the columns with commas"):
        open_recording(previews / FIRST_TEST)


def test_gaze_after_the_wearers_own_calibration_is_preferred_under_either_name(previews):
    folder = previews / FIRST_TEST / "mps" / "eye_gaze"
    for name in ("calibrated_eye_gaze.csv", "personalized_eye_gaze.csv"):
        (folder / "general_eye_gaze.csv").rename(folder / name)
        shutil.copy(folder / name, folder / "general_eye_gaze.csv")
        assert f"gaze is from mps/eye_gaze/{name}" in AriaEveryday(previews).recording(FIRST_TEST).notes[0]
        (folder / name).unlink()


def test_gaze_of_another_recording_is_an_error(real):
    path = real / "mps" / "eye_gaze" / "general_eye_gaze.csv"
    path.write_text(path.read_text().replace("\n86", "\n99"))
    with pytest.raises(ClockError, match="of another recording"):
        AriaEveryday(real.parent).recording(FIRST_TEST)


def test_what_a_sequence_lacks_is_said(previews, tmp_path):
    folder = previews / FIRST_TEST
    data = AriaEveryday(previews)
    assert data.lacks(folder) is None
    with pytest.raises(FileError, match="1 of 36 sequences of test"):
        data.recordings("test")
    with pytest.warns(UserWarning, match="left out 35 of 36"):
        assert len(AriaEveryday(previews, missing="leave_out").recordings("test")) == 1
    shutil.rmtree(folder / "mps" / "eye_gaze")
    assert data.lacks(folder) == "mps/eye_gaze/general_eye_gaze.csv"
    with pytest.raises(FileError, match="no MPS eye gaze"):
        AriaEveryday(previews).recording(FIRST_TEST)
    shutil.rmtree(folder / "mps")
    assert "a .vrs, or one mp4" in str(data.lacks(folder))
    with pytest.raises(FileError, match="no such folder"):
        AriaEveryday(tmp_path / "nowhere").recordings("test")
