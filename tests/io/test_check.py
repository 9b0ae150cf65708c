import wave
from dataclasses import replace

import numpy as np
import pytest

from regard.io import check_recording, open_recording
from regard.ops.states import runs
from regard.types import FaceTrack, GazeState, MediaStream, Segment

HEAD = "timestamp_s,x,y,valid\n"


def gaze_lines(times_s, x=0.5, valid=1):
    return HEAD + "".join(f"{t!r},{x},0.5,{valid}\n" for t in np.asarray(times_s).tolist())


@pytest.fixture
def checked(walk):
    """Check the plain film with this gaze table."""

    def check(table):
        (walk / "gaze.csv").write_text(table)
        return check_recording(open_recording(walk))

    return check


def test_a_sound_recording_has_no_warnings(checked):
    check = checked(gaze_lines(np.arange(0, 2, 0.005)))
    assert check.verdict == "usable"
    assert {f.level for f in check.findings} <= {"ok", "note"}
    assert check["picture"].text == "64 x 48 pixels, upright"
    assert check["frames"].value == 45
    assert check["gaze"].value == pytest.approx(200)
    assert check["gaze lost"].value == 0
    assert check["gaze off screen"].value == 0
    assert check["frames without gaze"].value == 0
    assert check["camera"].level == "note"
    with pytest.raises(KeyError):
        check["gaze gaps"]


def test_a_changing_frame_rate_is_noted(checked):
    finding = checked(gaze_lines([0.1]))["frame rate"]
    assert finding.level == "note"
    assert "40.0 to 50.0 ms" in finding.text


def test_pauses_in_the_gaze_are_counted_and_the_longest_placed(checked):
    times = np.concatenate([np.arange(0, 0.5, 0.01), np.arange(1.0, 1.2, 0.01), np.arange(1.3, 2, 0.01)])
    finding = checked(gaze_lines(times))["gaze gaps"]
    assert finding.value == 2
    assert "the longest is 0.51 s at 0.49 s" in finding.text


def test_lost_gaze_is_a_share_of_the_samples_and_of_the_frames(checked):
    table = gaze_lines(np.arange(0, 0.5, 0.01)) + gaze_lines(np.arange(0.5, 2, 0.01), valid=0)[len(HEAD) :]
    check = checked(table)
    assert check["gaze lost"].value == pytest.approx(145 / 195)
    assert check["gaze lost"].level == "warning"
    assert check["frames without gaze"].value == pytest.approx(32 / 45)
    assert check.usable


def test_gaze_outside_the_picture_asks_about_the_videos_size(checked):
    check = checked(gaze_lines([0.1, 0.2], x=1.5) + gaze_lines([0.3])[len(HEAD) :])
    assert (check["gaze off screen"].level, check["gaze off screen"].value) == ("warning", pytest.approx(2 / 3))
    assert check.verdict == "usable with warnings"


def test_gaze_in_pixels_of_a_larger_copy_is_mended_as_the_check_says(checked):
    x_px = [90, 100, 110]
    table = "timestamp_s,x_px,y_px\n" + "".join(f"0.{k},{x},30\n" for k, x in enumerate(x_px))
    finding = checked(table)["gaze off screen"]
    assert finding.level == "unusable"
    assert "of another size? Divide those of a gaze.csv by its width and height, and name the columns x and y" in (
        finding.text
    )
    shares = "timestamp_s,x,y\n" + "".join(f"0.{k},{x / 128},{30 / 96}\n" for k, x in enumerate(x_px))
    assert checked(shares)["gaze off screen"].value == 0


def test_gaze_that_is_never_on_the_picture_is_not_usable(checked):
    check = checked(gaze_lines(np.arange(0, 2, 0.005), x=1.5))
    assert check["gaze off screen"].level == "unusable"
    assert check.verdict == "not usable"


def test_the_time_without_gaze_is_the_grey_of_the_timeline(checked, walk):
    check = checked(gaze_lines(np.arange(0.5, 1.5, 0.01)) + gaze_lines(np.arange(1.5, 1.8, 0.01), valid=0)[len(HEAD) :])
    gaze = open_recording(walk).gaze
    grey_s = sum(min(e, 1.95) - s for s, e, state in runs(gaze, end_s=1.95) if state == GazeState.LOST)
    assert check["gaze lost"].value == pytest.approx(grey_s / 1.95)
    assert check["gaze lost"].value == pytest.approx((0.5 + 0.45) / 1.95, abs=1e-3)


def test_many_samples_in_the_very_corner_are_a_warning(checked):
    corner = "".join(f"{t!r},0,0,1\n" for t in np.arange(0.005, 0.6, 0.01).tolist())
    lines = (gaze_lines(np.arange(0, 2, 0.01)) + corner).splitlines()
    table = "\n".join([lines[0], *sorted(lines[1:], key=lambda line: float(line.split(",")[0]))]) + "\n"
    finding = checked(table)["gaze at zero"]
    assert (finding.level, finding.value) == ("warning", pytest.approx(60 / 260))
    with pytest.raises(KeyError):
        checked(gaze_lines(np.arange(0, 2, 0.01)) + "2.5,0,0,1\n")["gaze at zero"]


def test_gaze_that_goes_on_long_after_the_video_is_a_warning(checked, walk):
    check = checked(gaze_lines(np.arange(0, 5, 0.01)))
    finding = check["gaze after the video"]
    assert (finding.level, finding.value) == ("warning", pytest.approx(4.99 - 1.95))
    assert open_recording(walk).notes == (finding.text,)
    assert sum(f.text == finding.text for f in check.findings) == 1
    assert checked(gaze_lines(np.arange(4.0))).verdict == "usable", "two labels of one a second are no longer than that"


@pytest.mark.parametrize("table", [HEAD, gaze_lines([0.1, 0.2], valid=0)])
def test_gaze_without_one_valid_moment_is_unusable(checked, table):
    check = checked(table)
    assert not check.usable
    assert check["gaze"].level == "unusable"


def test_valid_gaze_only_after_the_video_is_unusable(checked):
    check = checked(gaze_lines([0.1, 0.2], valid=0) + gaze_lines([5.0, 5.1])[len(HEAD) :])
    assert not check.usable
    assert check["overlap"].level == "unusable"


def test_a_video_without_gaze_or_sound_stays_usable(walk):
    check = check_recording(open_recording(walk))
    assert check.usable
    assert check["gaze"].level == "note"
    assert check["sound"].text == "none"


def test_a_video_that_vanished_is_unusable_rather_than_an_exception(walk):
    recording = open_recording(walk)
    (walk / "walk.mp4").unlink()
    check = check_recording(recording)
    assert not check.usable
    assert "no such file" in check["picture"].text


def test_labels_outside_the_video_are_a_warning(walk):
    inside, outside = Segment(start_s=0.0, end_s=1.0, kind="action"), Segment(start_s=5.0, end_s=6.0, kind="action")
    face = FaceTrack(
        person="ann",
        time_s=np.zeros(1),
        box=np.array([[0.1, 0.1, 0.2, 0.2]]),
        looking=np.zeros(1, bool),
        looking_known=np.zeros(1, bool),
    )
    recording = replace(open_recording(walk), segments=(inside,), faces=(face,))
    assert check_recording(recording)["segments"].level == "ok"
    assert check_recording(recording)["faces"].value == 1
    finding = check_recording(replace(recording, segments=(inside, outside)))["segments"]
    assert finding.level == "warning"
    assert "1 of them" in finding.text


def test_sound_that_ends_early_or_cannot_be_read_is_a_warning(walk):
    with wave.open(str(walk / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    recording = open_recording(walk)
    short = check_recording(replace(recording, audio=MediaStream(path=walk / "tone.wav")))
    assert (short["sound"].level, short["sound"].value) == ("warning", 1.0)
    long_enough = check_recording(replace(recording, audio=MediaStream(path=walk / "tone.wav", start_s=0.9)))
    assert long_enough["sound"].level == "ok"
    none = check_recording(replace(recording, audio=MediaStream(path=walk / "walk.mp4")))
    assert none["sound"].level == "warning"
    assert "no sound stream" in none["sound"].text


@pytest.mark.parametrize(("rate", "level"), [(1.0, "ok"), (1.005, "note"), (1.1, "warning")])
def test_the_devices_clock_is_compared_with_the_videos(walk, walk_times_s, rate, level):
    stamps = "".join(f"{5 + t * rate!r},0\n" for t in walk_times_s.tolist())
    (walk / "world_timestamps.csv").write_text("# timestamps [seconds],pts\n" + stamps)
    check = check_recording(open_recording(walk))
    assert check["clocks"].level == level
    assert check["clocks"].value == pytest.approx(1.95 * (rate - 1), abs=1e-4)
    assert check["clock drift"].value == pytest.approx(rate - 1, abs=1e-4)


def test_frames_that_the_device_did_not_stamp_are_a_warning(walk):
    (walk / "world_timestamps.csv").write_text("# timestamps [seconds],pts\n5,0\n5.1,0\n")
    finding = check_recording(open_recording(walk))["clocks"]
    assert (finding.level, finding.value) == ("warning", 2 - 45)


def test_a_broken_stamp_table_is_a_warning(walk):
    (walk / "world_timestamps.csv").write_text("# timestamps [seconds],pts\nfive,0\n")
    assert check_recording(open_recording(walk))["clocks"].level == "warning"


def test_a_real_neon_recording_checks_out(real_data):
    check = check_recording(open_recording(real_data / "neon_window" / "raw"))
    assert check.usable
    assert check["clocks"].level == "ok"
    assert check["clocks"].value < 0.001
    assert check["frames without gaze"].value == pytest.approx(32 / 144)
    assert check["sound"].level == "ok"


def test_gaze_of_a_larger_copy_of_the_video_is_noticed(real_data):
    check = check_recording(open_recording(real_data / "neon_window"))
    assert check["gaze off screen"].level == "unusable"


def test_a_turned_video_is_noted(real_data):
    check = check_recording(open_recording(real_data / "video_files" / "nasa_13013_rotated.mp4"))
    assert check["rotation"].level == "note"
    assert check["picture"].text == "270 x 480 pixels, upright"


def test_a_damaged_end_is_a_warning(real_data):
    check = check_recording(open_recording(real_data / "video_files" / "decord_corrupted.mp4"))
    assert check["last frame"].level == "warning"


def test_a_real_aria_recording_checks_out(real_data):
    pytest.importorskip("projectaria_tools")
    check = check_recording(open_recording(real_data / "aria_everyday"))
    assert check.usable
    assert check["rotation"].level == "note"
    assert check["frame rate"].value == pytest.approx(20, abs=0.01)
    assert check["sound"].value == pytest.approx(0.3648, abs=1e-4)


def test_faces_and_hands_at_times_of_another_clock_are_a_warning(walk):
    (walk / "faces.csv").write_text(
        "person,timestamp_s,x0,y0,x1,y1,looking\n" + "".join(f"ann,{ms},0.2,0.2,0.4,0.5,1\n" for ms in (0, 40, 80))
    )
    (walk / "hands.csv").write_text("timestamp_s,left_x,left_y,right_x,right_y\n0,0.1,0.2,,\n40,0.1,0.2,,\n")
    found = check_recording(walk)
    assert (found["faces"].level, found["hands"].level) == ("warning", "warning")
    assert found["faces"].text == "1 people in view; 2 of 3 moments are outside the video"
