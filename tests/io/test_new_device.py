"""A device in one file, as CONTRIBUTING shows it, and what keeps one device's folders from being another's."""

import re
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError, TableError
from regard.io import devices
from regard.io.devices.device import Container, Device
from regard.io.media.looks import look_at_many
from regard.io.media.sound import Sound
from regard.io.media.video import Video
from regard.io.recording import is_recording, open_video
from regard.types import MediaStream, Recording

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lorgnette(walk, tmp_path, monkeypatch) -> Path:
    """A folder of the device that is shown there, whose module lies among the others while the test runs."""
    (block,) = re.findall(r"```python\n(\"\"\"Lorgnette.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "lorgnette.py").write_text(block)
    monkeypatch.setattr(devices, "__path__", [*devices.__path__, str(tmp_path / "more")])
    devices.devices.cache_clear()
    (walk / "walk.mp4").rename(walk / "scene.mp4")
    (walk / "eye.tsv").write_text("time_ms\tx\ty\tsure\n0\t32\t12\t1.0\n10\t\t\t0.0\n20\t70.4\t-4.8\t0.5\n")
    yield walk
    devices.devices.cache_clear()


def test_a_device_is_one_file(lorgnette):
    assert is_recording(lorgnette)
    for path in (lorgnette, lorgnette / "scene.mp4"):
        recording = regard.open(path)
        np.testing.assert_allclose(recording.gaze.time_s, [0.0, 0.01, 0.02])
        np.testing.assert_allclose(recording.gaze.point[0], [0.5, 0.25])
        assert recording.gaze.valid.tolist() == [True, False, False]
        assert recording.notes[0].startswith("1 of 3 gaze samples have a confidence below 0.6")
        assert recording.notes[-1] == "recognised as Lorgnette"
    assert regard.open(lorgnette, min_confidence=0.5).gaze.valid.sum() == 2
    with pytest.raises(FileError, match=r"Lorgnette \(scene\.mp4, eye\.tsv\)"):
        regard.open(lorgnette.parent / "more")


def test_what_is_wrong_with_its_files_is_told(lorgnette):
    (lorgnette / "eye.tsv").write_text("time_ms\tx\ty\tsure\n0\t32\t12\t1\n0\t32\t12\t1\n")
    with pytest.raises(ClockError, match="repeats"):
        regard.open(lorgnette)
    (lorgnette / "eye.tsv").write_text("time_ms\tx\ty\n")
    with pytest.raises(TableError, match="sure"):
        regard.open(lorgnette)
    (lorgnette / "scene.mp4").unlink()
    with pytest.raises(FileError, match=r"scene\.mp4"):
        regard.open(lorgnette)


def test_a_folder_that_two_devices_claim_is_refused_and_neither_is_read_silently(lorgnette):
    (lorgnette / "gaze_positions.csv").touch()
    for path in (lorgnette, lorgnette / "scene.mp4"):
        with pytest.raises(FileError, match="files of Lorgnette and of Pupil Player's export of Pupil Core"):
            regard.open(path)
    assert is_recording(lorgnette), "a broken one"


def test_the_page_of_devices_names_each_as_errors_do():
    page = (ROOT / "docs" / "devices.md").read_text()
    assert not [device.name for device in devices.devices() if device.name not in page]


def test_a_folder_of_each_device_is_nobody_elses(tmp_path):
    made = {
        "Neon": ["Neon Scene Camera v1 ps1.mp4", "gaze ps1.raw"],
        "Pupil Invisible": ["PI world v1 ps1.mp4", "gaze ps1.raw"],
        "Pupil Cloud's export": ["gaze.csv", "world_timestamps.csv", "walk.mp4"],
        "Pupil Core": ["gaze.pldata", "world.mp4", "world_timestamps.npy"],
        "Pupil Player's export of Pupil Core": ["gaze_positions.csv", "world_timestamps.csv", "world.mp4"],
        "Project Aria": ["recording.vrs", "general_eye_gaze.csv"],
        "Project Aria without VRS": ["preview_rgb.mp4", "general_eye_gaze.csv"],
        "Tobii Pro Glasses 3": ["recording.g3", "gazedata.gz", "scenevideo.mp4"],
        "Tobii Pro Glasses 2": ["segments/1/livedata.json.gz", "segments/1/fullstream.mp4"],
        "glassesTools": ["gazeData.tsv", "worldCamera.mp4"],
        "SMI BeGaze": ["001-2-recording.txt", "001-2-export.avi"],
    }
    first_line = {"gaze.csv": "timestamp [ns]", "general_eye_gaze.csv": "tracking_timestamp_us"}
    for number, (name, files) in enumerate(made.items()):
        for file in files:
            path = tmp_path / str(number) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(first_line.get(file, "-" * 100))
        found = devices.device_of(tmp_path / str(number))
        assert found is not None
        assert found.name == name


def test_a_vrs_among_several_films_and_a_table_that_is_no_text_are_recordings(tmp_path, walk):
    for name in ("recording.vrs", "a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    assert is_recording(tmp_path)
    (walk / "gaze.csv").write_text("timestamp_s,x,y\n", encoding="utf-16")
    assert is_recording(walk), "a broken one"


def test_a_gaze_table_of_ones_own_that_is_not_read_is_named(lorgnette):
    assert not any("gaze.csv" in note for note in regard.open(lorgnette).notes)
    (lorgnette / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.5,0.5\n")
    assert "not read: gaze of your own (gaze.csv)" in regard.open(lorgnette).notes


def test_a_container_that_ffmpeg_does_not_read_is_shown_by_its_device(walk, monkeypatch):
    (walk / "walk.mp4").rename(walk / "hidden")
    (walk / "walk.box").touch()

    def film(path: Path) -> Video:
        return Video(path.with_name("hidden"))

    def opened(path: Path) -> Recording:
        return Recording(id="boxed", subject="Ann", video=MediaStream(path=walk / "walk.box"))

    def is_box(path: Path) -> bool:
        return path.suffix == ".box"

    box = Device(
        name="Box",
        files="*.box",
        is_folder=lambda folder: any(folder.glob("*.box")),
        open=opened,
        takes=is_box,
        container=Container(suffix=".box", video=film, sound=lambda path: Sound(path.with_name("hidden"))),
    )
    monkeypatch.setattr(devices, "devices", lambda: (box,))
    monkeypatch.setattr("regard.io.recording.devices", lambda: (box,))
    for path in (walk, walk / "walk.box"):
        assert is_recording(path)
        recording = regard.open(path)
        assert recording.notes == ("recognised as Box",)
        assert regard.check(recording)["picture"].text == "64 x 48 pixels, upright"
    look_at_many([recording.require_video()])
    with pytest.raises(FileError, match=r"from a \.box file"):
        open_video(MediaStream(path=walk / "walk.box", index=1))
