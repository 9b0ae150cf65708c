import os
import subprocess
import sys
import wave

import numpy as np
import pytest

from regard.errors import FileError
from regard.io import open_recording, open_sound, open_video
from regard.io.devices.aria_media import AriaSound, AriaVideo
from regard.io.media.video import Video
from regard.io.recording import device_frame_times_s
from regard.types import MediaStream


@pytest.fixture
def tone(tmp_path):
    """One second of sound at 8 kHz: silence, then full loudness from 0.5 s on."""
    path = tmp_path / "tone.wav"
    samples = np.concatenate([np.zeros(4000), np.full(4000, 16384)]).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize(
    ("path", "gaze_samples"),
    [
        ("neon_window/raw", 2659),
        ("neon_window/raw/Neon Scene Camera v1 ps1.mp4", 2659),
        ("neon_window/scene_640x480.mp4", 639),
        ("aria_everyday", 4),
        ("aria_everyday/recording.vrs", 4),
    ],
)
def test_each_real_recording_is_recognised_for_what_it_is(real_data, path, gaze_samples):
    if "aria" in path:
        pytest.importorskip("projectaria_tools")
    assert len(open_recording(real_data / path).gaze) == gaze_samples


def test_a_plain_video_and_its_folder_open(walk):
    (walk / "gaze.csv").write_text("timestamp_s,x,y,confidence\n0.1,0.5,0.5,0.3\n")
    assert not open_recording(walk).gaze.valid.any()
    assert open_recording(str(walk / "walk.mp4"), min_confidence=0.2).gaze.valid.all()


def test_an_export_is_recognised_by_its_tables(walk):
    (walk / "walk.mp4").rename(walk / "world.mp4")
    (walk / "gaze_positions.csv").write_text("gaze_timestamp,confidence,norm_pos_x,norm_pos_y\n5,1,0.5,0.25\n")
    (walk / "world_timestamps.csv").write_text("# timestamps [seconds],pts\n5,0\n5.04,1\n")
    for path in (walk, walk / "world.mp4"):
        assert open_recording(path).gaze.point.tolist() == [[0.5, 0.75]]
    assert device_frame_times_s(MediaStream(path=walk / "world.mp4")).tolist() == pytest.approx([0, 0.04])
    (walk / "gaze_positions.csv").unlink()
    (walk / "gaze.csv").write_text("timestamp [ns],gaze x [px],gaze y [px]\n7000000000,800,300\n")
    (walk / "world_timestamps.csv").write_text("timestamp [ns]\n7000000000\n")
    for path in (walk, walk / "world.mp4"):
        assert open_recording(path).gaze.point.tolist() == [[0.5, 0.25]]


def test_tables_of_somebody_elses_in_a_devices_folder_are_named_as_not_read(walk):
    (walk / "gaze.csv").write_text("timestamp [ns],gaze x [px],gaze y [px]\n7000000000,800,300\n")
    (walk / "world_timestamps.csv").write_text("timestamp [ns]\n7000000000\n")
    assert not any("not read" in note for note in open_recording(walk).notes)
    (walk / "hands.csv").write_text("timestamp_s,left_x,left_y,right_x,right_y\n0,0.1,0.2,,\n")
    for path in (walk, walk / "walk.mp4"):
        assert "not read: hands (hands.csv)" in open_recording(path).notes


def test_eye_gaze_without_its_vrs_says_what_is_needed(walk):
    (walk / "general_eye_gaze.csv").write_text("tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf\n1,0,0\n")
    with pytest.raises(FileError, match="calibration"):
        open_recording(walk)
    (walk / "gaze.csv").write_text("timestamp_s,x_px,y_px\n0.1,32,12\n")
    assert len(open_recording(walk).gaze) == 1


@pytest.mark.parametrize("content", [None, "readme.txt"])
def test_a_folder_of_no_known_layout_is_told_what_was_looked_for(tmp_path, content):
    if content:
        (tmp_path / content).touch()
    with pytest.raises(FileError) as error:
        open_recording(tmp_path)
    assert (content or "empty") in error.value.found
    for layout in ("Neon", "Aria", "Pupil Cloud", "Pupil Core", "gaze.csv"):
        assert layout in error.value.wanted


def test_a_path_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(FileError, match="no such file or folder"):
        open_recording(tmp_path / "nothing")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_told_from_a_path_that_does_not_exist(tmp_path):
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(FileError, match="a pipe or a device"):
        open_recording(tmp_path / "film.mp4")


@pytest.mark.parametrize("content", [b"", b"not a video at all"])
def test_a_file_that_is_no_video_is_told(tmp_path, content):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"film\.mp4"):
        open_recording(path)


def test_a_stream_that_starts_later_is_moved_on_the_recordings_clock(walk, tone):
    now, later = (open_video(MediaStream(path=walk / "walk.mp4", start_s=s)) for s in (0.0, 10.0))
    np.testing.assert_allclose(later.times_s, now.times_s + 10)
    assert later.size == now.size == (48, 64)
    np.testing.assert_array_equal(later.frames_at(np.array([11.0])), now.frames_at(np.array([1.0])))
    sound = open_sound(MediaStream(path=tone, start_s=2.0))
    assert sound.duration_s == pytest.approx(3.0)
    heard = sound.samples_between(1.9, 3.1, rate_hz=8000)[0]
    assert np.flatnonzero(np.abs(heard) > 0.1)[0] / 8000 + 1.9 == pytest.approx(2.5, abs=1e-3)
    for source in (now, later, sound):
        source.close()


def test_a_stream_is_chosen_by_its_number(real_data):
    path = real_data / "video_files" / "nasa_13013.mp4"
    sizes = []
    for index in (0, 3):
        video = open_video(MediaStream(path=path, index=index))
        sizes.append(video.size)
        video.close()
    with Video(path, stream=3) as wanted:
        assert sizes[1] == wanted.size
    assert sizes[0] != sizes[1]


def test_a_vrs_gives_its_own_sources_and_has_no_stream_numbers(real_data):
    pytest.importorskip("projectaria_tools")
    path = real_data / "aria_everyday" / "recording.vrs"
    assert isinstance(open_video(MediaStream(path=path)), AriaVideo)
    assert isinstance(open_sound(MediaStream(path=path)), AriaSound)
    assert device_frame_times_s(MediaStream(path=path)) is None
    for opened in (open_video, open_sound):
        with pytest.raises(FileError, match="stream 1"):
            opened(MediaStream(path=path, index=1))


def test_opening_needs_no_torch():
    code = "import sys; from regard.io import open_recording; assert 'torch' not in sys.modules, 'torch came along'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_projectaria_tools_the_extra_is_named(tmp_path, monkeypatch):
    from regard.errors import MissingExtraError

    (tmp_path / "recording.vrs").touch()
    monkeypatch.setitem(sys.modules, "projectaria_tools", None)
    monkeypatch.setitem(sys.modules, "projectaria_tools.core", None)
    with pytest.raises(MissingExtraError, match=r"regard\[aria\]"):
        open_recording(tmp_path)
