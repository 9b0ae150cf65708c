import json
from pathlib import Path

import numpy as np
import pytest

from regard.errors import ClockError, FileError, TableError
from regard.io.devices.pupil_cloud import open_pupil_cloud
from regard.io.devices.scene_size import scene_size
from regard.io.media.video import Video
from regard.io.recording import open_recording
from regard.types import GazeState

FIRST_NS = 1_728_546_108_163_313_160
CLOUD_HEAD = "recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id,azimuth [deg]\n"


@pytest.fixture
def cloud(walk):
    """A Pupil Cloud export around the plain film, with one measurement of each kind."""
    with Video(walk / "walk.mp4") as video:
        frame_ns = FIRST_NS + np.round(video.times_s * 1e9).astype(np.int64)
    (walk / "world_timestamps.csv").write_text("recording id,timestamp [ns]\n" + "".join(f"a,{t}\n" for t in frame_ns))
    kinds = ["800,300,1,4,,0", "800,300,1,,,0", "800,300,1,4,1,0", "800,300,0,,,0", ",,1,,,0"]
    lines = (f"a,{FIRST_NS + i * 5_000_000},{kind}\n" for i, kind in enumerate(kinds))
    (walk / "gaze.csv").write_text(CLOUD_HEAD + "".join(lines))
    about = {"camera_matrix": [[890, 0, 800], [0, 890, 600], [0, 0, 1]], "distortion_coefficients": [[0.0] * 8]}
    (walk / "scene_camera.json").write_text(json.dumps(about))
    (walk / "info.json").write_text(json.dumps({"wearer_name": "Ann"}))
    return walk


def test_gaze_and_camera_of_the_full_picture_fit_a_smaller_copy(cloud):
    recording = open_pupil_cloud(cloud)
    assert (recording.camera.height, recording.camera.width) == (1200, 1600)
    assert any("1600 x 1200" in note and "64 x 48" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("size", "principal", "expected"),
    [
        ((1200, 1600), None, (1200, 1600)),
        ((1200, 1600), (810.0, 590.0), (1200, 1600)),
        ((600, 800), (800.0, 600.0), (1200, 1600)),
        ((600, 800), (400.0, 300.0), (600, 800)),  # camera and gaze were made for the smaller picture
        ((600, 800), None, (1200, 1600)),
        ((540, 544), None, (1080, 1088)),
        ((540, 544), (550.0, 530.0), (1080, 1088)),
        ((360, 640), None, None),
        ((360, 640), (800.0, 600.0), None),
        ((1200, 1600), (1600.0, 1200.0), None),
    ],
)
def test_the_picture_that_pixels_are_counted_in_is_the_makers_whose_middle_is_the_cameras(size, principal, expected):
    if expected is None:
        with pytest.raises(FileError, match="1600 x 1200"):
            scene_size(Path("v.mp4"), size, principal=principal, do="export again")
    else:
        assert scene_size(Path("v.mp4"), size, principal=principal, do="export again")[0] == expected


def test_an_export_from_pupil_cloud_knows_fixations_blinks_and_glasses_taken_off(cloud):
    recording = open_pupil_cloud(cloud)
    kinds = [GazeState.FIXATION, GazeState.TRACKED, GazeState.LOST, GazeState.LOST, GazeState.LOST]
    assert recording.gaze.state.tolist() == kinds
    np.testing.assert_allclose(recording.gaze.point[0], (0.5, 0.25))
    np.testing.assert_allclose(recording.gaze.time_s, np.arange(5) * 0.005, atol=1e-6)
    assert recording.camera.distortion.shape == (8,)
    assert recording.subject == "Ann"


def test_an_export_without_its_video_or_columns_says_so(cloud):
    (cloud / "gaze.csv").write_text("timestamp [ns],x\n1,1\n")
    with pytest.raises(TableError, match=r"gaze x \[px\]"):
        open_pupil_cloud(cloud)
    (cloud / "walk.mp4").unlink()
    with pytest.raises(FileError, match="0 videos"):
        open_pupil_cloud(cloud)


def test_an_export_whose_gaze_is_of_another_day_is_refused(cloud):
    (cloud / "gaze.csv").write_text(CLOUD_HEAD + f"a,{FIRST_NS + 86400 * 10**9},1,1,1,,,0\n")
    with pytest.raises(ClockError, match="another recording"):
        open_pupil_cloud(cloud)


def test_an_export_whose_gaze_is_gone_or_is_no_table_of_its_own_is_refused_as_one(cloud):
    (cloud / "gaze.csv").write_text((cloud / "gaze.csv").read_text().replace(",", ";"))
    with pytest.raises(TableError, match=r"gaze x \[px\], gaze y \[px\]\n.*separate the columns with commas"):
        open_recording(cloud)
    (cloud / "gaze.csv").unlink()
    with pytest.raises(FileError, match=r"gaze\.csv\n.*no such file(.|\n)*from Pupil Cloud again"):
        open_recording(cloud)
    (cloud / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.5,0.5\n")
    assert len(open_recording(cloud).gaze) == 1, "a table of one's own"


@pytest.mark.parametrize("coefficients", [None, True, -1, [[float("nan")] * 8], [[0.0] * 3]])
def test_coefficients_of_no_lens_in_an_export_are_refused(cloud, coefficients):
    about = json.loads((cloud / "scene_camera.json").read_text()) | {"distortion_coefficients": coefficients}
    (cloud / "scene_camera.json").write_text(json.dumps(about))
    with pytest.raises(FileError, match=r"scene_camera\.json"):
        open_pupil_cloud(cloud)


@pytest.mark.parametrize(
    ("about", "who"),
    [({"wearer_id": "5"}, "5"), ({"wearer_id": "00000000-0000-0000-0000-000000000000"}, "unknown"), ({}, "unknown")],
)
def test_a_blanked_wearer_is_unknown(cloud, about, who):
    (cloud / "info.json").write_text(json.dumps(about))
    assert open_pupil_cloud(cloud).subject == who
