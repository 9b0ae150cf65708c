import msgpack
import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError
from regard.io import open_video
from regard.io.devices.native_core import open_native_core

FIRST_S = 9403.5


def write_gaze(folder, rows, *, cut=0):
    """Rows of (time, confidence, x, y, eyes), as Pupil Capture packs them."""
    pairs = []
    for time_s, confidence, x, y, eyes in rows:
        gaze = {
            "norm_pos": [x, y],
            "confidence": confidence,
            "timestamp": FIRST_S + time_s,
            "topic": f"gaze.3d.{eyes}.",
        }
        base = msgpack.ExtType(13, msgpack.packb({"diameter": 40.0}))
        packed = msgpack.packb(gaze | {"base_data": [base], "gaze_normals_3d": {0: [0.0, 0.0, 1.0]}})
        pairs.append(msgpack.packb((gaze["topic"], packed)))
    content = b"".join(pairs)
    (folder / "gaze.pldata").write_bytes(content[: len(content) - cut])
    np.save(folder / "gaze_timestamps.npy", np.array([FIRST_S + row[0] for row in rows]))


def write_camera(folder, **about):
    lens = {"camera_matrix": [[60, 0, 32], [0, 61, 24], [0, 0, 1]], "dist_coefs": [[0.1, 0.2, 0.3, 0.4, 0.5]]}
    lens |= {"resolution": [64, 48], "cam_type": "radial"}
    (folder / "world.intrinsics").write_bytes(msgpack.packb({"version": 1, "(64, 48)": lens | about}))


@pytest.fixture
def capture(walk):
    """A folder whose frames were taken 10 a second, with gaze out of order, of one eye, and doubtful."""
    (walk / "walk.mp4").rename(walk / "world.mp4")
    np.save(walk / "world_timestamps.npy", FIRST_S + np.arange(45) / 10)
    rows = [
        (0.0, 1.0, 0.5, 0.25, "01"),
        (2.0, 0.9, 0.5, 1.0, "0"),
        (1.0, 0.8, 0.5, 0.5, "01"),
        (3.0, 0.1, 0.9, 0.9, "1"),
    ]
    write_gaze(walk, rows)
    write_camera(walk)
    (walk / "user_info.csv").write_text("key,value\nname,Ann\nadditional_field,change_me\n")
    return walk


def test_pupil_captures_own_folder_opens_by_itself_and_by_its_video(capture):
    for path in (capture, capture / "world.mp4"):
        recording = regard.open(path)
        assert recording.subject == "Ann"
        np.testing.assert_allclose(recording.gaze.time_s, [0, 1, 2, 3])
        np.testing.assert_allclose(recording.gaze.point[:3], [[0.5, 0.75], [0.5, 0.5], [0.5, 0.0]])
        assert recording.gaze.valid.tolist() == [True, True, True, False]
    np.testing.assert_allclose(open_video(recording.video).times_s, np.arange(45) / 10)
    assert "2 of 4 gaze points are of one eye alone" in recording.notes
    assert regard.open(capture, min_confidence=0.95).gaze.valid.sum() == 1


def test_radial_and_fisheye_lenses_are_read(capture):
    camera = regard.open(capture).camera
    assert (camera.height, camera.width, camera.model) == (48, 64, "pinhole")
    np.testing.assert_array_equal(camera.distortion, [0.1, 0.2, 0.3, 0.4, 0.5])
    write_camera(capture, cam_type="fisheye", dist_coefs=[[0.1], [0.2], [0.3], [0.4]])
    camera = regard.open(capture).camera
    assert camera.model == "fisheye624"
    np.testing.assert_array_equal(camera.distortion, [0.1, 0.2, 0.3, 0.4, *[0] * 8])


@pytest.mark.parametrize("about", [{"camera_matrix": [[1]]}, {"dist_coefs": [[1.0] * 14], "cam_type": "fisheye"}])
def test_numbers_that_are_no_lens_of_a_core_are_refused(capture, about):
    write_camera(capture, **about)
    with pytest.raises(FileError, match=r"world\.intrinsics"):
        regard.open(capture)
    (capture / "world.intrinsics").write_bytes(b"x")
    with pytest.raises(FileError, match="0 cameras"):
        regard.open(capture)


def test_gaze_that_was_cut_off_or_is_something_else_is_refused(capture):
    write_gaze(capture, [(t, 1.0, 0.5, 0.5, "01") for t in (0.0, 1.0, 2.0)], cut=5)
    with pytest.raises(FileError, match=r"2 measurements\n.*3, as"):
        regard.open(capture)
    (capture / "gaze.pldata").write_bytes(b"x" * 100)
    with pytest.raises(FileError, match="no pair"):
        regard.open(capture)
    (capture / "gaze.pldata").write_bytes(msgpack.packb(("gaze", msgpack.packb({"norm_pos": ["a" * 50, 1]}))))
    with pytest.raises(FileError, match="measurement 1"):
        regard.open(capture)


@pytest.mark.parametrize("name", ["gaze_timestamps.npy", "world_timestamps.npy"])
def test_missing_times_are_named(capture, name):
    (capture / name).unlink()
    with pytest.raises(FileError, match=name):
        open_native_core(capture)


def test_another_recordings_gaze_is_refused_and_equal_times_keep_the_surer(capture):
    write_gaze(capture, [(0.5, 0.7, 0.1, 0.1, "0"), (0.5, 0.9, 0.2, 0.2, "1")])
    np.testing.assert_allclose(regard.open(capture).gaze.point, [[0.2, 0.8]])
    write_gaze(capture, [(500.0, 1.0, 0.5, 0.5, "01")])
    with pytest.raises(ClockError, match="another recording"):
        regard.open(capture)


def test_what_pupil_player_made_of_it_is_named(capture):
    (capture / "exports" / "000").mkdir(parents=True)
    (capture / "exports" / "000" / "gaze_positions.csv").touch()
    notes = regard.open(capture).notes
    assert "not read: what Pupil Player exported (exports/000/gaze_positions.csv)" in notes


def test_a_folder_without_any_gaze_is_a_plain_video_with_its_own_times(capture):
    (capture / "gaze.pldata").write_bytes(b"")
    recording = regard.open(capture)
    assert recording.gaze is None
    assert recording.notes[0] == "frame times are from world_timestamps.npy"


def test_a_camera_of_another_shape_and_a_confidence_above_one_are_refused(capture):
    write_camera(capture, resolution=[128, 48])
    with pytest.raises(FileError, match="128 x 48"):
        regard.open(capture)
    write_camera(capture)
    write_gaze(capture, [(0.0, 1.0, 0.5, 0.5, "01"), (1.0, 70.0, 0.5, 0.5, "01")])
    with pytest.raises(FileError, match="measurement 2"):
        regard.open(capture)
