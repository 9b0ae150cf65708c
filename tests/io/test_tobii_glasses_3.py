import gzip
import json
import shutil

import made_media as made
import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError
from regard.io.devices.tobii_glasses_3 import open_glasses_3

LENS = {
    "focal-length": [60.0, 61.0], "principal-point": [33.0, 23.0], "skew": 0.5, "resolution": [64, 48],
    "radial-distortion": [0.1, -0.2, 0.3], "tangential-distortion": [0.01, -0.02],
    "position": [0, 0, 0], "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}  # fmt: skip
EYE = {"gazeorigin": [28.5, -11.0, -25.2], "gazedirection": [0.0, 0.0, 1.0], "pupildiameter": 3.6}
ABOUT = {"duration": 2.0, "meta-folder": "meta", "scenecamera": {"camera-calibration": LENS}}


def row(time_s, **data):
    return {"type": "gaze", "timestamp": time_s, "data": data}


def write_gaze(folder, rows):
    with gzip.open(folder / "gazedata.gz", "wt") as file:
        file.writelines(json.dumps(r) + "\n" for r in rows)


@pytest.fixture
def glasses(walk):
    """A recording: both eyes, one eye, off screen with vergence far away, nothing."""
    (walk / "walk.mp4").rename(walk / "scenevideo.mp4")
    (walk / "recording.g3").write_text(json.dumps(ABOUT))
    (walk / "meta").mkdir()
    (walk / "meta" / "participant").write_text('{"name": "Ann"}')
    rows = [
        row(0.0067, gaze2d=[0.5, 0.25], gaze3d=[1, 2, 900], eyeleft=EYE, eyeright=EYE),
        row(0.0167, gaze2d=[0.6, 0.25], gaze3d=[1, 2, 900], eyeleft=EYE, eyeright={}),
        row(0.0267, gaze2d=[-0.04, 1.2], gaze3d=[1, 2, 5.2e6], eyeleft=EYE, eyeright=EYE),
        row(0.0367),
    ]
    write_gaze(walk, rows)
    return walk


def test_a_glasses_3_folder_is_recognised_by_itself_and_by_its_video(glasses):
    for path in (glasses, glasses / "scenevideo.mp4"):
        recording = regard.open(path)
        assert (recording.id, recording.subject, len(recording.gaze)) == ("walk", "Ann", 4)


def test_missing_data_is_lost_and_gaze_off_screen_keeps_its_value(glasses):
    recording = open_glasses_3(glasses)
    assert recording.gaze.valid.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(recording.gaze.point[:3], [[0.5, 0.25], [0.6, 0.25], [-0.04, 1.2]])
    np.testing.assert_array_equal(recording.gaze.time_s, [0.0067, 0.0167, 0.0267, 0.0367])


def test_the_camera_has_the_order_of_opencvs_coefficients(glasses):
    camera = open_glasses_3(glasses).camera
    assert (camera.height, camera.width, camera.model) == (48, 64, "pinhole")
    np.testing.assert_array_equal(camera.matrix, [[60, 0.5, 33], [0, 61, 23], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, [0.1, -0.2, 0.01, -0.02, 0.3])


def test_one_eyed_gaze_is_counted_and_what_is_not_read_is_named(glasses):
    (glasses / "imudata.gz").write_bytes(b"")
    notes = open_glasses_3(glasses).notes
    assert "1 of 3 gaze points are of one eye alone" in notes
    assert "not read: pupil sizes, each eye's direction (gazedata.gz); IMU (imudata.gz)" in notes


def test_without_its_description_a_recording_has_no_camera_and_says_so(glasses):
    (glasses / "recording.g3").unlink()
    recording = regard.open(glasses)
    assert recording.camera is None
    assert "no recording.g3: angles in degrees cannot be computed" in recording.notes


@pytest.mark.parametrize("name", ["gazedata.gz", "scenevideo.mp4"])
def test_a_missing_file_is_named(glasses, name):
    (glasses / name).unlink()
    with pytest.raises(FileError, match=f"no {name}"):
        regard.open(glasses)


@pytest.mark.parametrize(
    ("name", "cut", "match"),
    [
        ("gazedata.gz", 60, "unreadable after line"),
        ("recording.g3", 30, "not JSON"),
        ("meta/participant", 5, "not JSON"),
    ],
)
def test_a_file_that_was_cut_off_is_named(glasses, name, cut, match):
    (glasses / name).write_bytes((glasses / name).read_bytes()[:cut])
    with pytest.raises(FileError, match=match) as error:
        regard.open(glasses)
    assert name in error.value.where


@pytest.mark.parametrize(
    "line",
    [row(0.0, gaze2d=[0.5]), row(0.0, gaze2d=["a", 1]), row(None), row(10**400), row(0.0) | {"data": [1]}, ["gaze"]],
)
def test_a_line_of_another_form_is_named(glasses, line):
    write_gaze(glasses, [row(-0.01), line])
    with pytest.raises(FileError, match="line 2"):
        regard.open(glasses)


@pytest.mark.parametrize("time_s", [0.5, 0.4])
def test_times_that_repeat_or_go_back_are_refused(glasses, time_s):
    write_gaze(glasses, [row(0.4), row(0.5), row(time_s)])
    with pytest.raises(ClockError, match="line 3"):
        regard.open(glasses)


def test_another_recordings_gaze_or_video_is_refused(glasses, tmp_path):
    write_gaze(glasses, [row(100.0, gaze2d=[0.5, 0.5])])
    with pytest.raises(ClockError, match="gaze is of another recording"):
        regard.open(glasses)
    (glasses / "recording.g3").write_text(json.dumps(ABOUT | {"duration": 0.5}))
    with pytest.raises(ClockError, match="video is of another recording"):
        regard.open(glasses)
    wide = {"scenecamera": {"camera-calibration": LENS | {"resolution": [128, 48]}}}
    (glasses / "recording.g3").write_text(json.dumps(wide))
    with pytest.raises(FileError, match="128 x 48"):
        regard.open(glasses)


@pytest.mark.parametrize("lens", [{"focal-length": [1, 2]}, LENS | {"focal-length": [0, 0]}, "none"])
def test_numbers_that_are_no_lens_are_refused(glasses, lens):
    (glasses / "recording.g3").write_text(json.dumps({"scenecamera": {"camera-calibration": lens}}))
    with pytest.raises(FileError, match=r"recording\.g3"):
        regard.open(glasses)


def test_a_second_video_beside_it_is_not_mistaken_for_the_scene(glasses):
    shutil.copy(glasses / "scenevideo.mp4", glasses / "eyes.mp4")
    assert regard.open(glasses).require_video().path.name == "scenevideo.mp4"
    assert regard.open(glasses / "eyes.mp4").gaze is None


def test_files_are_only_taken_from_the_recordings_own_folder(glasses):
    (glasses / "recording.g3").write_text(json.dumps({"gaze": {"file": "../gazedata.gz"}}))
    with pytest.raises(FileError, match="a name in this folder"):
        regard.open(glasses)


def test_a_gaze_table_that_somebody_wrote_is_read_instead(glasses):
    (glasses / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.3,0.3\n0.2,0.3,0.3\n")
    assert len(regard.open(glasses).gaze) == 2


def test_a_real_recording_has_the_numbers_that_are_known_of_it(real_data, tmp_path):
    folder = tmp_path / "real"
    shutil.copytree(real_data / "tobii_glasses_3", folder, copy_function=shutil.copyfile)
    made.encode(folder / "scenevideo.mp4", range(0, 65 * made.TICKS, made.TICKS))
    recording = regard.open(folder)
    gaze = recording.gaze
    assert (len(gaze), round(1 / gaze.interval_s, 1)) == (6547, 99.9)
    assert (~gaze.valid).mean() == pytest.approx(0.063, abs=5e-4)
    np.testing.assert_allclose(np.nanmin(gaze.point, axis=0), (-0.045, -0.405), atol=5e-4)
    np.testing.assert_allclose(np.nanmax(gaze.point, axis=0), (1.047, 1.181), atol=5e-4)
    assert "788 of 6135 gaze points are of one eye alone" in recording.notes


@pytest.mark.parametrize(
    "content", [b"", gzip.compress('{"type": "gaze"}\n'.encode("utf-16"))], ids=["empty", "utf-16"]
)
def test_a_gaze_file_that_was_emptied_or_says_nothing_of_gaze_is_refused(glasses, content):
    (glasses / "gazedata.gz").write_bytes(content)
    with pytest.raises(FileError, match=r"gazedata\.gz\n.*(an empty file|lines, none)"):
        regard.open(glasses)


def test_true_is_no_time(glasses):
    write_gaze(glasses, [row(-0.01), row(True)])
    with pytest.raises(FileError, match="line 2"):
        regard.open(glasses)
