import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError
from regard.io.devices.pupil_invisible import CALIBRATION, SCENE_SIZE
from regard.io.media.video import Video
from regard.io.media.writer import FilmWriter

FIRST_NS = 1_685_088_812_484_000_000
SCENE = "PI world v1 ps1"


@pytest.fixture
def invisible(walk, walk_times_s):
    """A native folder around a nearly square film: gaze at 66 Hz from 0.1 s on, not worn for its last measurement."""
    (walk / "walk.mp4").unlink()
    with FilmWriter(walk / f"{SCENE}.mp4", size=(54, 54)) as film:
        for time_s in walk_times_s.tolist():
            film.write(np.zeros((54, 54, 3), np.uint8), time_s)
    with Video(walk / f"{SCENE}.mp4") as video:
        (FIRST_NS + np.round(video.times_s * 1e9).astype("<i8")).tofile(walk / f"{SCENE}.time")
    (FIRST_NS + 100_000_000 + np.arange(100, dtype="<i8") * 15_000_000).tofile(walk / "gaze ps1.time")
    np.tile(np.array([[544.0, 270.0]], "<f4"), (100, 1)).tofile(walk / "gaze ps1.raw")
    (walk / "worn ps1.raw").write_bytes(b"\xff" * 99 + b"\x00")
    (walk / "info.json").write_text('{"wearer_id": "w", "duration": 2000000000}')
    (walk / "wearer.json").write_text('{"uuid": "w", "name": "Ann"}')
    return walk


def write_calibration(folder, focal=760.0):
    data = np.zeros(1, CALIBRATION)
    data["matrix"] = [[focal, 0, 528], [0, 758, 534], [0, 0, 1]]
    data["distortion"] = np.arange(8) / 100
    data.tofile(folder / "calibration.bin")


def test_a_native_folder_opens_by_itself_and_by_its_video(invisible):
    for path in (invisible, invisible / f"{SCENE}.mp4"):
        recording = regard.open(path)
        assert (recording.subject, len(recording.gaze)) == ("Ann", 100)
    assert recording.gaze.valid.tolist() == [True] * 99 + [False]
    np.testing.assert_allclose(recording.gaze.point[0], (0.5, 0.25))
    np.testing.assert_allclose(recording.gaze.time_s[0], 0.1, atol=1e-4)
    assert "no calibration.bin: angles in degrees cannot be computed" in recording.notes
    assert "the video has 54 x 54 pixels; gaze and camera are of 1088 x 1080: scaled" in recording.notes


def test_its_calibration_is_read_by_its_length(invisible):
    write_calibration(invisible)
    camera = regard.open(invisible).camera
    assert (camera.height, camera.width) == SCENE_SIZE
    np.testing.assert_allclose(camera.matrix, [[760, 0, 528], [0, 758, 534], [0, 0, 1]])
    np.testing.assert_allclose(camera.distortion, np.arange(8) / 100)
    write_calibration(invisible, focal=-1.0)
    with pytest.raises(FileError, match="focal length"):
        regard.open(invisible)
    content = (invisible / "calibration.bin").read_bytes()
    assert len(content) == 213
    (invisible / "calibration.bin").write_bytes(content[:100])
    with pytest.raises(FileError, match="100 bytes"):
        regard.open(invisible)


@pytest.mark.parametrize(
    ("name", "cut", "match"),
    [("gaze ps1.raw", 792, "99 measurements"), ("gaze ps1.time", 5, "5 bytes"), (f"{SCENE}.time", 0, "no frame times")],
)
def test_a_file_of_an_invisible_that_was_cut_off_is_named(invisible, name, cut, match):
    (invisible / name).write_bytes((invisible / name).read_bytes()[:cut])
    with pytest.raises(FileError, match=match) as error:
        regard.open(invisible)
    assert name in error.value.where


def test_times_that_go_back_or_of_another_recording_are_refused(invisible):
    times = np.fromfile(invisible / "gaze ps1.time", "<i8")
    (times + 10**12).tofile(invisible / "gaze ps1.time")
    with pytest.raises(ClockError, match="another recording"):
        regard.open(invisible)
    times[7] = times[6]
    times.tofile(invisible / "gaze ps1.time")
    with pytest.raises(ClockError, match="measurement 7"):
        regard.open(invisible)
