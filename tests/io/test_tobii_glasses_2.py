import gzip
import json
import shutil
import struct

import made_media as made
import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError
from regard.io import FilmWriter, Sound, open_sound, open_video

FIRST_US = 85_374_512


def write_live(folder, lines):
    with gzip.open(folder / "livedata.json.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def sample(ms, x=0.5, y=0.25, *, s=0, eyes=("left", "right"), zero_us=FIRST_US):
    """Lines of one measurement, so many milliseconds after the first frame."""
    one = {"ts": zero_us + ms * 1000, "s": s, "gidx": ms}
    return [one | {"gd": [0, 0, 1], "eye": eye} for eye in eyes] + [
        one | {"gp3": [1, 2, 5e6]},
        one | {"gp": [x, y]},
    ]


def video_line(ms, *, vts_us=None, zero_us=FIRST_US):
    return {"ts": zero_us + ms * 1000, "s": 0, "vts": ms * 1000 if vts_us is None else vts_us}


def write_camera(path, *, resolution=(64, 48), focal=60.0):
    values = [1, 0, *[0.0] * 12, focal, 61.0, 0.5, 33.0, 23.0, 0.1, -0.2, 0.3, 0.01, -0.02, 0.0, *resolution]
    camera = struct.pack("<HHI2b2x3f9f2ff2f3f3f2h", 300, 0, 100, *values)
    other = struct.pack("<HHI", 2, 0, 5) + b"hello\0\0\0"
    with gzip.open(path, "wb") as file:
        file.write(other + camera + other)


def write_segment(recording, number, film, lines):
    folder = recording / "segments" / str(number)
    folder.mkdir(parents=True)
    shutil.copy(film, folder / "fullstream.mp4")
    write_live(folder, lines)
    write_camera(folder / "et.tslv.gz")
    (folder / "segment.json").write_text('{"seg_length_us": 2500000}')
    return folder


LINES = [
    *sample(-960),
    *sample(40, eyes=("left",)),
    *sample(20, -0.1, 1.1),  # out of the order of time
    *sample(60, 0, 0, s=1),
    video_line(-3000, vts_us=0),
    video_line(0),
    video_line(1000),
    {"ts": FIRST_US, "s": 0, "ac": [0.1, -9.8, 0.3]},
]


@pytest.fixture
def glasses(walk_film, tmp_path):
    """A recording of one segment in a project, with gaze before the first frame."""
    folder = tmp_path / "project" / "recordings" / "t3ic6aq"
    write_segment(folder, 1, walk_film, LINES)
    (tmp_path / "project" / "project.json").write_text("{}")
    (folder / "participant.json").write_text('{"pa_info": {"Name": "Ann"}}')
    return folder


def test_a_glasses_2_recording_opens_by_its_project_its_folder_its_segment_and_its_video(glasses):
    segment = glasses / "segments" / "1"
    for path in (glasses.parents[1], glasses, segment, segment / "fullstream.mp4"):
        recording = regard.open(path)
        assert (recording.subject, len(recording.gaze)) == ("Ann", 4)
        assert recording.id.startswith("t3ic6aq")


def test_gaze_is_in_the_order_of_time_and_begins_before_the_first_frame(glasses):
    gaze = regard.open(glasses).gaze
    np.testing.assert_allclose(gaze.time_s, [-0.96, 0.02, 0.04, 0.06])
    np.testing.assert_array_equal(gaze.point[:3], [[0.5, 0.25], [-0.1, 1.1], [0.5, 0.25]])


def test_zeros_of_an_invalid_sample_are_lost(glasses):
    assert regard.open(glasses).gaze.valid.tolist() == [True, True, True, False]


def test_one_eyed_gaze_is_counted_and_the_rest_of_the_file_is_named(glasses):
    notes = regard.open(glasses).notes
    assert "1 of 3 gaze points are of one eye alone" in notes
    assert "not read: pupil sizes, each eye's direction, IMU, sync port, events (segments/1/livedata.json.gz)" in notes


def test_the_camera_comes_from_its_record(glasses):
    camera = regard.open(glasses).camera
    np.testing.assert_allclose(camera.matrix, [[60, 0.5, 33], [0, 61, 23], [0, 0, 1]])
    np.testing.assert_allclose(camera.distortion, [0.1, -0.2, 0.01, -0.02, 0.3])
    (glasses / "segments" / "1" / "et.tslv.gz").write_bytes(gzip.compress(b""))
    recording = regard.open(glasses)
    assert recording.camera is None
    assert any("no camera" in note for note in recording.notes)


def test_gaze_follows_the_videos_clock_where_it_drifts(glasses):
    write_live(
        glasses / "segments" / "1", [*sample(0), *sample(1000), video_line(0), video_line(2000, vts_us=2_010_000)]
    )
    recording = regard.open(glasses)
    np.testing.assert_allclose(recording.gaze.time_s, [0, 1.005])
    assert any("10.0 ms" in note for note in recording.notes)


def test_all_segments_are_one_recording_on_the_devices_clock(glasses, walk_film):
    later_us = FIRST_US + 3_000_000
    lines = [*sample(0, 0.7, zero_us=later_us), video_line(0, zero_us=later_us)]
    write_segment(glasses, 2, walk_film, lines)
    write_segment(glasses, 10, walk_film, [*sample(0, 0.8, zero_us=10), video_line(0, zero_us=10)])
    recording = regard.open(glasses)
    np.testing.assert_allclose(recording.gaze.time_s[[3, 4]], [0.06, 3.0])
    assert any("began anew in segment 3" in note for note in recording.notes)
    video = open_video(recording.video)
    times_s = video.times_s
    assert len(times_s) == 3 * 45
    np.testing.assert_allclose(times_s[[0, 45]], [0, 3.0])
    assert times_s[89] < times_s[90] < times_s[89] + 0.1
    frames = video.frames_at(np.array([0.0, 0.5, 2.5, 3.0, 3.5, times_s[90]]))
    np.testing.assert_array_equal(frames[3:5], frames[:2])
    np.testing.assert_array_equal(frames[5], frames[0])
    np.testing.assert_array_equal(frames[2], video.frames_at(times_s[44:45])[0])
    with pytest.raises(ClockError):
        video.frames_at(times_s[-1:] + 1)
    alone = regard.open(glasses / "segments" / "2")
    assert len(alone.gaze) == 1
    assert "segment 2 alone is shown, of 3" in alone.notes


def test_the_sound_of_each_segment_is_heard_in_its_place(glasses, tmp_path):
    tone = made.encode_sound(
        tmp_path / "tone.m4a", np.full((1, 16_000), 0.5, np.float32), 16_000, codec="aac", form="fltp"
    )
    with FilmWriter(tmp_path / "both.mp4", size=(48, 64), sound=Sound(tone)) as film:
        for number in range(30):
            film.write(made.picture(number), number / 30)
    shutil.copy(tmp_path / "both.mp4", glasses / "segments" / "1" / "fullstream.mp4")
    later_us = FIRST_US + 3_000_000
    write_segment(glasses, 2, tmp_path / "both.mp4", [*sample(0, zero_us=later_us), video_line(0, zero_us=later_us)])
    sound = open_sound(regard.open(glasses).audio)
    heard = np.abs(sound.samples_between(0.0, 4.5, rate_hz=8000)[0]).reshape(-1, 400).mean(axis=1) > 0.25  # 50 ms each
    assert sound.duration_s == pytest.approx(4.0, abs=0.1)
    assert heard[2:18].all()
    assert not heard[23:59].any()
    assert heard[62:78].all()
    assert not heard[83:].any()


@pytest.mark.parametrize("name", ["livedata.json.gz", "fullstream.mp4"])
def test_a_segment_that_lacks_a_file_is_named(glasses, walk_film, name):
    write_segment(glasses, 2, walk_film, LINES)
    (glasses / "segments" / "2" / name).unlink()
    with pytest.raises(FileError, match=f"no {name}") as error:
        regard.open(glasses)
    assert error.value.where.endswith("2")


def test_a_missing_segment_is_told(glasses):
    (glasses / "recording.json").write_text('{"rec_segments": 2}')
    with pytest.raises(FileError, match="all 2 of the recording"):
        regard.open(glasses)


@pytest.mark.parametrize(("name", "cut"), [("livedata.json.gz", 60), ("et.tslv.gz", 30), ("segment.json", 5)])
def test_a_file_that_was_cut_is_named(glasses, name, cut):
    file = glasses / "segments" / "1" / name
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(FileError) as error:
        regard.open(glasses)
    assert name in error.value.where


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ({"ts": 1, "s": 0, "gp": [1]}, "of another form"),
        ({"ts": 1, "s": 0, "gp": ["a", 1]}, "of another form"),
        ({"ts": 1.5, "s": 0, "vts": 0}, "of another form"),
        ({"ts": True, "s": 0, "vts": 0}, "of another form"),
        ({"ts": 1, "s": False, "vts": 0}, "of another form"),
        ({"ts": FIRST_US + 2_400_000, "s": 0, "vts": 1_000_001}, "leaves the device's by 1.4 s"),
        ({"ts": 2**70, "s": 0, "vts": 0}, "of another form"),
        ({"ts": FIRST_US - 960_000, "s": 0, "gp": [0.1, 0.1]}, "a second gaze point"),
        ({"ts": FIRST_US + 900_000_000, "s": 0, "gp": [0.1, 0.1]}, "its clock jumps"),
        ({"ts": FIRST_US + 3000, "s": 0, "vts": 0} | {}, None),
        ({"ts": FIRST_US + 1_500_000, "s": 0, "vts": 1}, "does not increase"),
    ],
)
def test_lines_that_make_no_sense_are_refused(glasses, line, match):
    write_live(glasses / "segments" / "1", [*LINES, line])
    if match is None:  # the video began again: the last beginning counts
        assert regard.open(glasses).gaze.time_s[0] == pytest.approx(-0.963)
        return
    with pytest.raises((FileError, ClockError), match=match):
        regard.open(glasses)


def test_another_recordings_gaze_video_or_camera_is_refused(glasses):
    segment = glasses / "segments" / "1"
    write_camera(segment / "et.tslv.gz", resolution=(128, 48), focal=60)
    with pytest.raises(FileError, match="128 x 48"):
        regard.open(glasses)
    write_camera(segment / "et.tslv.gz", focal=0)
    with pytest.raises(FileError, match="focal length"):
        regard.open(glasses)
    (segment / "segment.json").write_text('{"seg_length_us": 500000}')
    with pytest.raises(ClockError, match="video is of another recording"):
        regard.open(glasses)
    (segment / "segment.json").unlink()
    write_live(segment, [*sample(100_000), video_line(0)])
    with pytest.raises(ClockError, match="gaze is of another recording"):
        regard.open(glasses)
    write_live(segment, sample(0))
    with pytest.raises(ClockError, match="no line in which the video begins"):
        regard.open(glasses)


def test_a_project_of_two_recordings_asks_for_one(glasses):
    shutil.copytree(glasses, glasses.with_name("other"))
    with pytest.raises(FileError, match="of one recording"):
        regard.open(glasses.parents[1])


def test_a_real_recording_of_glasses_2_has_the_numbers_that_are_known_of_it(real_data, tmp_path):
    folder = tmp_path / "real"
    shutil.copytree(real_data / "tobii_glasses_2" / "recordings", folder, copy_function=shutil.copyfile)
    (recording,) = folder.iterdir()
    segment = recording / "segments" / "1"
    segment.chmod(0o755)
    made.encode(segment / "fullstream.mp4", range(0, 18 * made.TICKS, made.TICKS))
    (segment / "et.tslv.gz").unlink()  # of another shape than the stand-in
    gaze = regard.open(recording).gaze
    assert (len(gaze), int((~gaze.valid).sum())) == (965, 5)
    assert 1 / gaze.interval_s == pytest.approx(50.04, abs=0.01)
    assert gaze.time_s[0] == pytest.approx(-0.96, abs=1e-3)
    assert not (gaze.point == 0).any()
