import json
import shutil
import struct
import zlib

import numpy as np
import pandas as pd
import pytest

from regard.errors import ClockError, FileError
from regard.io import check_recording
from regard.io.devices.companion_app import frame_clock_s
from regard.io.devices.neon import open_neon, read_calibration
from regard.io.media.video import Video
from regard.io.media.writer import FilmWriter
from regard.io.recording import open_recording, open_video

FIRST_NS = 1_728_546_108_163_313_160
SCENE = "Neon Scene Camera v1 ps1"


@pytest.fixture
def neon(walk):
    """A native folder around the plain film: gaze at 200 Hz from 0.5 s on, not worn for its last measurement."""
    (walk / "walk.mp4").rename(walk / f"{SCENE}.mp4")
    with Video(walk / f"{SCENE}.mp4") as video:
        frame_ns = FIRST_NS + np.round(video.times_s * 1e9).astype("<i8")
    frame_ns.tofile(walk / f"{SCENE}.time")
    gaze_ns = FIRST_NS + 500_000_000 + np.arange(100, dtype="<i8") * 5_000_000
    gaze_ns.tofile(walk / "gaze ps1.time")
    np.tile(np.array([[800.0, 300.0]], "<f4"), (100, 1)).tofile(walk / "gaze ps1.raw")
    (walk / "worn ps1.raw").write_bytes(b"\xff" * 99 + b"\x00")
    (walk / "info.json").write_text(json.dumps({"wearer_name": "Ann"}))
    return walk


def test_frames_before_the_first_measurement_are_lost_on_a_real_recording(real_data):
    recording = open_neon(real_data / "neon_window" / "raw")
    with Video(recording.video.path) as video:
        gaze = recording.gaze.at(video.times_s)
    assert np.flatnonzero(~gaze.valid).tolist() == list(range(32))


def test_a_real_recording_matches_its_reference_tables(real_data):
    recording = open_neon(real_data / "neon_window" / "raw")
    wanted = pd.read_csv(real_data / "neon_window" / "gaze.csv")
    found = recording.gaze.at(wanted["timestamp_s"].to_numpy(), max_gap_s=1e-5)
    np.testing.assert_allclose(found.point * (1600, 1200), wanted[["x_px", "y_px"]], atol=0.01)
    frames = pd.read_csv(real_data / "neon_window" / "frames.csv")
    at_frames = recording.gaze.at(frames["pts_s"].to_numpy())
    np.testing.assert_allclose(at_frames.point * (1600, 1200), frames[["gaze_x_px", "gaze_y_px"]], atol=0.01)
    assert recording.audio is not None


def test_the_device_clock_of_a_real_recording_agrees_with_its_video(real_data):
    path = real_data / "neon_window" / "raw" / f"{SCENE}.mp4"
    stamped_s = frame_clock_s(path)
    with Video(path) as video:
        assert np.abs(stamped_s - video.times_s).max() < 0.00013


def test_a_real_calibration_is_plausible_for_its_lens(real_data):
    camera = open_neon(real_data / "neon_window" / "raw").camera
    assert (camera.height, camera.width, camera.model) == (1200, 1600, "pinhole")
    assert camera.distortion.shape == (8,)
    fov_deg = np.degrees(2 * np.arctan(800 / camera.matrix[0, 0]))
    assert 75 < fov_deg < 105, "the scene camera sees about 100 degrees before distortion"
    np.testing.assert_allclose(camera.matrix[:2, 2], (800, 600), atol=40)


def test_gaze_computed_again_at_200_hz_is_preferred_and_said(neon):
    assert open_neon(neon).notes[0] == "gaze is from gaze ps1.raw"
    shutil.copy(neon / "gaze ps1.time", neon / "gaze_200hz.time")
    np.zeros((100, 2), "<f4").tofile(neon / "gaze_200hz.raw")
    recording = open_neon(neon)
    assert recording.notes[0] == "gaze is from gaze_200hz.raw, not the live gaze ps1.raw"
    assert recording.gaze.point[0].tolist() == [0, 0]
    assert any("no worn file" in note for note in recording.notes)


def test_gaze_is_lost_where_the_glasses_were_not_worn(neon):
    recording = open_neon(neon)
    assert recording.gaze.valid.tolist() == [True] * 99 + [False]
    np.testing.assert_allclose(recording.gaze.point[0], (0.5, 0.25))
    np.testing.assert_allclose(recording.gaze.time_s[[0, -1]], (0.5, 0.995), atol=1e-4)
    assert recording.subject == "Ann"
    assert recording.camera is None


def test_one_line_feed_after_the_worn_bytes_is_tolerated_and_no_other_surplus(neon):
    (neon / "worn ps1.raw").write_bytes(b"\xff" * 100 + b"\n")
    assert open_neon(neon).gaze.valid.all()
    (neon / "worn ps1.raw").write_bytes(b"\xff" * 102)
    with pytest.raises(FileError, match=r"worn ps1\.raw\n.*102 measurements"):
        open_neon(neon)


def test_a_calibration_is_trusted_only_with_its_checksum(tmp_path):
    matrix, distortion = np.diag([890.0, 890.0, 1.0]), np.arange(8.0)
    body = b"\x01" + b"404641" + matrix.tobytes() + distortion.tobytes() + bytes(656)
    path = tmp_path / "calibration.bin"
    path.write_bytes(body + struct.pack("<I", zlib.crc32(body)))
    camera = read_calibration(path)
    np.testing.assert_array_equal(camera.matrix, matrix)
    np.testing.assert_array_equal(camera.distortion, distortion)
    path.write_bytes(body + b"1234")
    with pytest.raises(FileError, match="checksum"):
        read_calibration(path)
    path.write_bytes(body[:100])
    with pytest.raises(FileError, match="100 bytes"):
        read_calibration(path)


@pytest.mark.parametrize(
    ("name", "cut", "match"),
    [
        ("gaze ps1.raw", 792, "99 measurements"),
        ("gaze ps1.raw", 3, "3 bytes"),
        ("gaze ps1.time", 5, "5 bytes"),
        (f"{SCENE}.time", 0, "no frame times"),
        ("info.json", 4, "not JSON"),
    ],
)
def test_a_file_that_was_cut_off_is_named(neon, name, cut, match):
    (neon / name).write_bytes((neon / name).read_bytes()[:cut])
    with pytest.raises(FileError, match=match) as error:
        open_neon(neon)
    assert name in error.value.where


@pytest.mark.parametrize("name", ["gaze ps1.time", f"{SCENE}.time"])
def test_a_missing_companion_is_named(neon, name):
    (neon / name).unlink()
    with pytest.raises(FileError, match="no such file") as error:
        open_neon(neon)
    assert name in error.value.where


def test_gaze_times_that_go_back_are_an_error(neon):
    times = np.fromfile(neon / "gaze ps1.time", "<i8")
    times[7] = times[6]
    times.tofile(neon / "gaze ps1.time")
    with pytest.raises(ClockError, match="measurement 7"):
        open_neon(neon)


def add_part(folder, number, first_ns, count):
    (first_ns + np.arange(count, dtype="<i8") * 5_000_000).tofile(folder / f"gaze ps{number}.time")
    np.full((count, 2), 100.0 * number, "<f4").tofile(folder / f"gaze ps{number}.raw")


def test_gaze_in_parts_is_joined_in_the_order_of_the_clock(neon):
    add_part(neon, 10, FIRST_NS + 1_000_000_000, 20)
    add_part(neon, 2, FIRST_NS + 1_200_000_000, 30)
    recording = open_neon(neon)
    assert len(recording.gaze) == 150
    assert recording.notes[0] == "gaze is from gaze ps1.raw, gaze ps10.raw, gaze ps2.raw"
    assert "gaze ps10, gaze ps2" in recording.notes[1], "without worn files"
    np.testing.assert_allclose(recording.gaze.point[[0, 100, 120], 0] * 1600, [800, 1000, 200])


def test_parts_whose_times_overlap_are_refused(neon):
    add_part(neon, 2, FIRST_NS + 600_000_000, 20)
    with pytest.raises(ClockError, match="does not increase"):
        open_neon(neon)


def test_frame_times_that_do_not_increase_are_refused(neon):
    frame_ns = np.fromfile(neon / f"{SCENE}.time", "<i8")
    np.random.default_rng(0).permutation(frame_ns).tofile(neon / f"{SCENE}.time")
    with pytest.raises(ClockError, match="at frame"):
        open_neon(neon)


def test_one_part_of_a_recording_opens_by_its_video(neon):
    add_film(neon, 2, FIRST_NS + 5_000_000_000)
    recording = open_recording(neon / f"{SCENE}.mp4")
    assert recording.id == "walk-ps1"
    assert any("recording in 2 parts" in note for note in recording.notes)


def add_film(folder, number, first_ns):
    shutil.copy(folder / f"{SCENE}.mp4", folder / f"Neon Scene Camera v1 ps{number}.mp4")
    stamps = np.fromfile(folder / f"{SCENE}.time", "<i8") - FIRST_NS + first_ns
    stamps.tofile(folder / f"Neon Scene Camera v1 ps{number}.time")


def test_all_parts_are_shown_on_the_phones_clock_with_their_gaze(neon):
    add_film(neon, 2, FIRST_NS + 5_000_000_000)
    add_film(neon, 10, FIRST_NS + 8_000_000_000)
    add_part(neon, 2, FIRST_NS + 5_100_000_000, 20)
    recording = open_recording(neon)
    assert len(recording.gaze) == 120
    assert any("recording in 3 parts" in note for note in recording.notes)
    np.testing.assert_allclose(recording.gaze.time_s[100], 5.1, atol=1e-4)
    video = open_video(recording.video)
    assert len(video.times_s) == 135
    np.testing.assert_allclose(video.times_s[[0, 45, 90]], [0, 5, 8], atol=1e-4)
    shown = video.frames_at(np.array([1.0, 4.0, 6.0, 9.0]))
    np.testing.assert_array_equal(shown[2], shown[0])
    np.testing.assert_array_equal(shown[3], shown[0])
    np.testing.assert_array_equal(shown[1], video.frames_at(video.times_s[44:45])[0])
    check = check_recording(recording)
    assert check["clocks"].level == "ok"
    assert check["frames"].value == 135


def test_parts_of_the_video_whose_times_overlap_or_are_lacking_are_refused(neon):
    add_film(neon, 2, FIRST_NS + 1_000_000_000)
    with pytest.raises(ClockError, match="at frame"):
        open_neon(neon)
    (neon / "Neon Scene Camera v1 ps2.time").unlink()
    with pytest.raises(FileError, match=r"ps2\.time"):
        open_neon(neon)


def test_another_recordings_gaze_or_video_is_refused(neon):
    (neon / "info.json").write_text('{"duration": 500000000}')
    with pytest.raises(ClockError, match="video is of another recording"):
        open_neon(neon)
    (neon / "info.json").unlink()
    (np.fromfile(neon / "gaze ps1.time", "<i8") + 10**12).tofile(neon / "gaze ps1.time")
    with pytest.raises(ClockError, match="gaze is of another recording"):
        open_neon(neon)


def test_what_is_not_read_and_an_offset_are_told(neon):
    (neon / "eye_state ps1.raw").touch()
    (neon / "info.json").write_text('{"gaze_offset": [0.0, 44.0]}')
    (neon / "wearer.json").write_text('{"name": "Bea"}')
    recording = open_neon(neon)
    assert recording.subject == "Bea"
    assert "not read: pupil sizes and eyeballs (eye_state ps1.raw)" in recording.notes
    assert any("(0.0, 44.0) pixels, which is not added" in note for note in recording.notes)


def test_each_eyes_own_gaze_is_not_the_gaze(neon):
    for kind in ("raw", "time"):
        shutil.copy(neon / f"gaze ps1.{kind}", neon / f"gaze_right ps1.{kind}")
    recording = open_recording(neon)
    assert len(recording.gaze) == 100
    assert recording.notes[0] == "gaze is from gaze ps1.raw"
    assert "not read: each eye's own gaze (gaze_right ps1.raw)" in recording.notes


def test_gaze_whose_points_are_gone_is_no_recording_without_gaze(neon):
    (neon / "gaze ps1.raw").unlink()
    for path in (neon, neon / f"{SCENE}.mp4"):
        with pytest.raises(FileError, match=r"gaze ps1\.raw\n.*no such file"):
            open_recording(path)


def test_a_film_of_another_shape_is_another_recordings(neon):
    with FilmWriter(neon / f"{SCENE}.mp4", size=(48, 96)) as film:
        film.write(np.zeros((48, 96, 3), np.uint8), 0.0)
    with pytest.raises(FileError, match="video of 96 x 48 pixels"):
        open_neon(neon)
