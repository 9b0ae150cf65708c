import json

import cv2
import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError, TableError

HEAD = "timestamp\tframe_idx\tgaze_pos_vid_x\tgaze_pos_vid_y\tgaze_pos_3d_x\tpup_diam_l\n"


def write_gaze(folder, rows, head=HEAD):
    (folder / "gazeData.tsv").write_text(head + "".join(f"{t}\t0\t{x}\t{y}\tnan\t3.1\n" for t, x, y in rows))


def write_camera(path, **changes):
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    about = {"cameraMatrix": np.array([[60, 0, 32], [0, 61, 24], [0, 0, 1.0]]), "distCoeff": np.arange(5) / 10}
    for name, value in {**about, "resolution": np.array([64, 48]), **changes}.items():
        storage.write(name, value)
    storage.release()


@pytest.fixture
def generic(walk):
    """A folder as glassesTools writes it, with one measurement on the picture, one off it, and one that is lost."""
    (walk / "walk.mp4").rename(walk / "worldCamera.mp4")
    write_gaze(walk, [(-20.5, 32, 12), (5.012, 70.4, -4.8), (25.0, "nan", "nan")])
    write_camera(walk / "calibration.xml")
    (walk / "recording_info.json").write_text(json.dumps({"participant": "Ann"}))
    return walk


def test_a_glasses_tools_folder_opens_by_itself_and_by_its_video(generic):
    for path in (generic, generic / "worldCamera.mp4"):
        recording = regard.open(path)
        assert recording.subject == "Ann"
        np.testing.assert_allclose(recording.gaze.time_s, [-0.0205, 0.005012, 0.025])
        np.testing.assert_allclose(recording.gaze.point[:2], [[0.5, 0.25], [1.1, -0.1]])
        assert recording.gaze.valid.tolist() == [True, True, False]
    assert "not read: pupil sizes, each eye's direction, 3D gaze points (gazeData.tsv)" in recording.notes


def test_opencvs_storage_gives_the_camera(generic):
    camera = regard.open(generic).camera
    assert (camera.height, camera.width) == (48, 64)
    np.testing.assert_array_equal(camera.matrix, [[60, 0, 32], [0, 61, 24], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, np.arange(5) / 10)
    (generic / "calibration.xml").unlink()
    assert "no calibration.xml: angles in degrees cannot be computed" in regard.open(generic).notes


def test_frame_times_of_its_own_place_the_gaze(generic, walk_times_s):
    rows = "".join(f"{i}\t{7000 + t * 1010}\n" for i, t in enumerate(walk_times_s))
    (generic / "frameTimestamps.tsv").write_text("frame_idx\ttimestamp\n" + rows + "-1\t9999\n")
    write_gaze(generic, [(7000, 32, 12), (8010, 32, 12)])
    np.testing.assert_allclose(regard.open(generic).gaze.time_s, [0, 1], atol=1e-4)


def test_times_that_the_vor_brought_together_are_preferred(generic):
    head = HEAD.replace("frame_idx", "timestamp_VOR")
    (generic / "gazeData.tsv").write_text(head + "900\t400\t32\t12\tnan\t3\n910\t410\t32\t12\tnan\t3\n")
    recording = regard.open(generic)
    np.testing.assert_allclose(recording.gaze.time_s, [0.4, 0.41])
    assert any("timestamp_VOR" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("rows", "kind", "match"),
    [
        ([(0, 1, 1), (0, 1, 1)], ClockError, "repeats"),
        ([(5, 1, 1), (0, 1, 1)], ClockError, "goes back"),
        ([(500_000, 1, 1), (500_010, 1, 1)], ClockError, "times from"),
        ([(0, 1, "nan")], TableError, "only one of"),
        ([(0, "x", 1)], TableError, "line 2"),
    ],
)
def test_gaze_tables_that_make_no_sense_are_refused(generic, rows, kind, match):
    write_gaze(generic, rows)
    with pytest.raises(kind, match=match):
        regard.open(generic)


def test_a_cut_line_or_table_is_refused(generic):
    text = (generic / "gazeData.tsv").read_text()
    (generic / "gazeData.tsv").write_text(text[:-12])
    with pytest.raises(TableError, match="line 4"):
        regard.open(generic)
    for other in ",;":
        (generic / "gazeData.tsv").write_text(text.replace("\t", other))
        with pytest.raises(TableError, match=r"gaze_pos_vid_x(.|\n)*separate the columns with tabs"):
            regard.open(generic)


def test_a_missing_or_second_video_or_another_recordings_camera_is_refused(generic):
    write_camera(generic / "calibration.xml", resolution=np.array([128, 48]))
    with pytest.raises(FileError, match="128 x 48"):
        regard.open(generic)
    (generic / "calibration.xml").write_text("<opencv_storage>")
    with pytest.raises(FileError, match=r"calibration\.xml"):
        regard.open(generic)
    (generic / "worldCamera.avi").touch()
    with pytest.raises(FileError, match="2 files named worldCamera"):
        regard.open(generic)
    for file in generic.glob("worldCamera.*"):
        file.unlink()
    with pytest.raises(FileError, match="0 files named worldCamera"):
        regard.open(generic)


def test_a_table_that_is_gone_is_named_where_its_frame_times_are_left(generic):
    (generic / "gazeData.tsv").unlink()
    (generic / "frameTimestamps.tsv").write_text("frame_idx\ttimestamp\n0\t0\n")
    with pytest.raises(FileError, match=r"gazeData\.tsv"):
        regard.open(generic)
