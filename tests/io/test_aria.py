import pickle
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from regard.errors import ClockError, FileError, TableError
from regard.io.devices.aria import STAMP, find_eye_gaze, open_aria, point_in_cpf, read_directions
from regard.io.devices.aria_media import AriaSound, AriaVideo
from regard.io.media.video import Video
from regard.ops import geometry

pytest.importorskip("projectaria_tools", reason="needs extra 'aria'")

VARIANTS = (
    "eyegaze.csv",
    "generalized_eye_gaze.csv",
    "vergence_generalized_gaze.csv",
    "gen2_general_eye_gaze.csv",
    "gen2_personalized_eye_gaze.csv",
)


@pytest.fixture
def everyday(real_data):
    return real_data / "aria_everyday"


@pytest.fixture
def linked(everyday, tmp_path):
    """The real VRS in a folder of our own, without gaze."""
    (tmp_path / "recording.vrs").symlink_to(everyday / "recording.vrs")
    return tmp_path


def test_gaze_lands_on_the_reference_pixels(everyday):
    recording = open_aria(everyday)
    wanted = pd.read_csv(everyday / "gaze.csv")
    pixel = recording.gaze.point * 1408 - 0.5
    np.testing.assert_allclose(pixel, wanted[["x_px", "y_px"]], atol=0.01)
    np.testing.assert_allclose(recording.gaze.time_s, wanted["timestamp_s"], atol=1e-6)
    assert "depth 1 m assumed for 4 of 4 gaze samples, which have none" in recording.notes


def test_pictures_stand_upright_at_the_moments_of_the_device(everyday):
    frames = pd.read_csv(everyday / "frames.csv")
    with AriaVideo(everyday / "recording.vrs") as video, Video(everyday / "rgb_704.mp4") as copy:
        np.testing.assert_allclose(video.times_s, frames["pts_s"], atol=1e-6)
        assert video.size == (1408, 1408)
        asked = np.array([0.31, 0.0, 0.31])
        found = video.frames_at(asked, size=(88, 176)).astype(int)
        wanted = copy.frames_at(asked, size=(88, 176)).astype(int)
    assert found.shape == (3, 88, 176, 3)
    np.testing.assert_array_equal(found[0], found[2])
    assert np.abs(found - wanted).mean() < 3, "the upright copy that was made with other software"
    assert np.abs(np.rot90(found, 2, axes=(1, 2)) - wanted).mean() > 20


def test_a_moment_outside_the_recording_is_refused(everyday):
    with AriaVideo(everyday / "recording.vrs") as video, pytest.raises(ClockError, match=r"5\.000 s"):
        video.frames_at(np.array([5.0]))


def test_a_reader_survives_pickling_and_closing(everyday):
    video = AriaVideo(everyday / "recording.vrs")
    picture = video.frames_at(np.zeros(1), size=(8, 8))
    again = pickle.loads(pickle.dumps(video))
    np.testing.assert_array_equal(again.frames_at(np.zeros(1), size=(8, 8)), picture)
    again.close()
    np.testing.assert_array_equal(again.frames_at(np.zeros(1), size=(8, 8)), picture)


def test_sound_is_the_mean_of_the_microphones_at_its_moment(everyday):
    from projectaria_tools.core import data_provider

    provider = data_provider.create_vrs_data_provider(str(everyday / "recording.vrs"))
    stream = provider.get_stream_id_from_label("mic")
    blocks = [provider.get_audio_data_by_index(stream, i)[0].data for i in range(4)]
    wanted = np.concatenate([np.array(b).reshape(-1, 7) for b in blocks]).mean(axis=1) / 2**31
    with AriaSound(everyday / "recording.vrs") as sound:
        assert sound.start_s == pytest.approx(0.023489, abs=1e-6)
        assert sound.duration_s == pytest.approx(sound.start_s + len(wanted) / 48000)
        heard = sound.samples_between(sound.start_s, sound.duration_s, rate_hz=48000)
        np.testing.assert_allclose(heard[0], wanted, atol=1e-7)
        padded = sound.samples_between(-0.1, 0.6, rate_hz=48000)[0]
        assert padded.shape == (33600,)
        first, last = np.flatnonzero(padded)[[0, -1]] / 48000 - 0.1
        assert first == pytest.approx(sound.start_s, abs=1e-4)
        assert last == pytest.approx(sound.duration_s, abs=1e-4)


def test_a_slower_rate_keeps_the_sound_and_two_channels_differ(everyday):
    with AriaSound(everyday / "recording.vrs") as sound:
        fine = sound.samples_between(0.1, 0.3, rate_hz=48000)[0]
        coarse = sound.samples_between(0.1, 0.3, rate_hz=16000)[0]
        left, right = sound.samples_between(0.1, 0.3, rate_hz=16000, channels=2)
    assert coarse.shape == (3200,)
    assert np.corrcoef(coarse, fine[::3])[0, 1] > 0.99
    assert 0.3 < np.corrcoef(left, right)[0, 1] < 0.9999


def test_the_camera_sends_directions_to_the_pixels_that_projectaria_says(everyday):
    from projectaria_tools.core import calibration, data_provider

    provider = data_provider.create_vrs_data_provider(str(everyday / "recording.vrs"))
    stored = provider.get_device_calibration().get_camera_calib("camera-rgb")
    upright = calibration.rotate_camera_calib_cw90deg(stored)
    camera = open_aria(everyday).camera
    pixels = np.array([[704.0, 704.0], [300.5, 900.25], [1100.0, 500.0], [704.0, 100.0]])
    rays = np.stack([upright.unproject(p) for p in pixels])
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    found = geometry.camera_rays(torch.tensor((pixels + 0.5) / 1408), camera)
    np.testing.assert_allclose(found.numpy(), rays, atol=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_of_the_mps_table_reads_as_metas_own_reader_reads_it(real_data, name):
    from projectaria_tools.core import mps

    path = real_data / "aria_mps_csv" / name
    table, wanted = read_directions(path), mps.read_eyegaze(str(path))
    np.testing.assert_allclose(table["yaw"], [g.yaw for g in wanted], atol=1e-6)
    np.testing.assert_allclose(table["pitch"], [g.pitch for g in wanted], atol=1e-6)
    assert table[STAMP].tolist() == [round(g.tracking_timestamp.total_seconds() * 1e6) for g in wanted]
    if "vergence" in name:
        np.testing.assert_allclose(table["depth_m"], [g.depth for g in wanted], atol=1e-5)
    else:
        assert table["depth_m"].isna().all()


def test_a_point_lies_at_its_depth_along_the_gaze():
    from projectaria_tools.core import mps

    found = point_in_cpf(np.array([0.3]), np.array([-0.2]), np.array([2.0]))
    np.testing.assert_allclose(found[0], mps.get_eyegaze_point_at_depth(0.3, -0.2, 2.0), atol=1e-6)
    assert np.linalg.norm(found) == pytest.approx(2.0)


def test_personalised_gaze_is_preferred_and_said(linked, everyday):
    folder = linked / "mps" / "eye_gaze"
    folder.mkdir(parents=True)
    shutil.copy(everyday / "general_eye_gaze.csv", folder)
    assert find_eye_gaze(linked) == [folder / "general_eye_gaze.csv"]
    shutil.copy(everyday / "general_eye_gaze.csv", folder / "personalized_eye_gaze.csv")
    note = open_aria(linked).notes[0]
    assert note == "gaze is from mps/eye_gaze/personalized_eye_gaze.csv, not mps/eye_gaze/general_eye_gaze.csv"


def test_depth_from_the_table_moves_the_point(linked):
    head = "tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf,depth_m\n"
    rows = "86435306,-0.36566,-0.121962,0.3\n86535306,-0.36566,-0.121962,1\n86635306,,,\n86735306,1.4,0,1\n"
    (linked / "eye_gaze.csv").write_text(head + rows)
    recording = open_aria(linked)
    near, far, missing, beyond = recording.gaze.point
    assert np.linalg.norm(near - far) > 0.02, "the camera is beside the eye, so near things lie elsewhere"
    assert np.isnan(missing).all()
    assert np.isnan(beyond).all()
    assert "1 gaze samples point out of the RGB camera's calibrated field and count as lost" in recording.notes


def test_a_vrs_without_gaze_opens_and_says_so(linked):
    recording = open_aria(linked / "recording.vrs")
    assert recording.gaze is None
    assert recording.id == "aria_everyday-recording"
    assert any("no MPS eye gaze" in note for note in recording.notes)


def test_gaze_of_another_recording_is_refused(linked, real_data):
    shutil.copy(real_data / "aria_mps_csv" / "eyegaze.csv", linked)
    with pytest.raises(ClockError, match="another recording"):
        open_aria(linked)


def test_a_table_without_directions_is_refused(tmp_path):
    path = tmp_path / "eyegaze.csv"
    path.write_text("tracking_timestamp_us,depth_m\n1,1\n")
    with pytest.raises(TableError, match="yaw_rads_cpf, pitch_rads_cpf"):
        read_directions(path)


@pytest.mark.parametrize("name", ["mps/eye_gaze/general_eye_gaze.csv", "eyegaze.csv"])
def test_a_table_of_mps_by_its_name_that_is_none_is_no_missing_gaze(linked, everyday, name):
    path = linked / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((everyday / "general_eye_gaze.csv").read_text().replace(",", ";"))
    with pytest.raises(TableError, match="separate the columns with commas"):
        open_aria(linked)
    path.write_text("")
    with pytest.raises(TableError, match="an empty file"):
        open_aria(linked)


def test_directions_in_degrees_are_refused(tmp_path):
    path = tmp_path / "eyegaze.csv"
    path.write_text("tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf\n1,0.1,0\n2,,\n3,-20.5,3\n")
    with pytest.raises(TableError, match=r"a yaw of -20\.5, in line 4\n.*radians"):
        read_directions(path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"x" * 5000])
def test_what_is_no_vrs_is_called_so_and_nothing_reaches_the_console(tmp_path, capfd, content):
    path = tmp_path / "bad.vrs"
    path.write_bytes(content)
    with pytest.raises(FileError, match="not VRS"):
        open_aria(path)
    assert capfd.readouterr() == ("", "")


def test_a_second_vrs_beside_the_one_that_is_read_is_named(linked, everyday):
    (linked / "again.vrs").symlink_to(everyday / "recording.vrs")
    assert "not read: other recordings (again.vrs)" in open_aria(linked).notes


def test_two_recordings_in_a_folder_ask_for_a_choice(tmp_path):
    for name in ("a.vrs", "b.vrs"):
        (tmp_path / name).touch()
    with pytest.raises(FileError, match="2 VRS files"):
        open_aria(tmp_path)


def test_the_librarys_log_stays_off_the_console(everyday):
    code = f"""
import numpy as np
from regard.io.devices.aria import open_aria
from regard.io.devices.aria_media import AriaSound, AriaVideo
open_aria(__import__('pathlib').Path({str(everyday)!r}))
AriaVideo({str(everyday / "recording.vrs")!r}).frames_at(np.zeros(1), size=(8, 8))
AriaSound({str(everyday / "recording.vrs")!r}).samples_between(0.0, 0.3, rate_hz=16000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
