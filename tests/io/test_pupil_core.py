import numpy as np
import pytest

from regard.errors import ClockError, FileError, TableError
from regard.io import check_recording, open_recording
from regard.io.devices.pupil_core import frame_clock_s, open_pupil_core
from regard.io.media.video import Video

FIRST_S = 9403.5


def write_gaze(folder, lines):
    rows = "".join(f"{FIRST_S + t!r},0,{c},{x},{y},text\n" for t, c, x, y in lines)
    (folder / "gaze_positions.csv").write_text(
        "gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data\n" + rows
    )


@pytest.fixture
def core(walk):
    """An export whose own clock runs one in a thousand faster than the video's."""
    (walk / "walk.mp4").rename(walk / "world.mp4")
    with Video(walk / "world.mp4") as video:
        stamps = FIRST_S + video.times_s * 1.001
    rows = "".join(f"{t!r},{i}\n" for i, t in enumerate(stamps.tolist()))
    (walk / "world_timestamps.csv").write_text("# timestamps [seconds],pts\n" + rows)
    write_gaze(walk, [(0.0, 1.0, 0.5, 0.25), (1.001, 0.7, 0.5, 1.0), (1.95195, 0.5, 0.5, 0.5)])
    return walk


def test_the_origin_moves_from_the_bottom_left_to_the_top_left(core):
    points = open_pupil_core(core).gaze.point
    np.testing.assert_allclose(points[:2], [[0.5, 0.75], [0.5, 0.0]])


def test_gaze_follows_the_frames_where_the_clocks_drift(core):
    gaze = open_pupil_core(core).gaze
    np.testing.assert_allclose(gaze.time_s, [0.0, 1.0, 1.95], atol=1e-6)
    stamped_s = frame_clock_s(core / "world.mp4")
    assert stamped_s[-1] == pytest.approx(1.95 * 1.001, abs=1e-4)


def test_doubtful_gaze_is_lost_and_the_note_says_how_much(core):
    recording = open_recording(core, min_confidence=0.6)
    assert recording.gaze.valid.tolist() == [True, True, False]
    np.testing.assert_allclose(recording.gaze.confidence, [1.0, 0.7, 0.5])
    assert "1 of 3 gaze samples have a confidence below 0.6 and count as lost" in recording.notes
    assert open_recording(core, min_confidence=0.0).gaze.valid.all()
    assert open_recording(core, min_confidence=0.9).gaze.valid.tolist() == [True, False, False]


def test_of_two_measurements_at_one_time_the_more_confident_stays(core):
    write_gaze(core, [(0.0, 0.7, 0.1, 0.1), (0.5, 0.9, 0.2, 0.2), (0.5, 0.8, 0.3, 0.3)])
    recording = open_pupil_core(core)
    np.testing.assert_allclose(recording.gaze.point[:, 0], [0.1, 0.2])
    assert any(note.startswith("1 gaze samples share their time") for note in recording.notes)


def test_times_that_go_back_are_an_error(core):
    write_gaze(core, [(0.5, 1.0, 0.5, 0.5), (0.0, 1.0, 0.5, 0.5)])
    with pytest.raises(ClockError, match="line 3"):
        open_pupil_core(core)


def test_gaze_of_another_recording_is_refused(core):
    write_gaze(core, [(500.0, 1.0, 0.5, 0.5)])
    with pytest.raises(ClockError, match="another recording"):
        open_pupil_core(core)


@pytest.mark.parametrize(("name", "kind"), [("world.mp4", FileError), ("world_timestamps.csv", FileError)])
def test_a_missing_companion_is_named(core, name, kind):
    (core / name).unlink()
    with pytest.raises(kind, match=name):
        open_pupil_core(core)


def test_tables_of_another_kind_are_refused(core):
    (core / "world_timestamps.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="timestamps"):
        open_pupil_core(core)
    (core / "world_timestamps.csv").write_text("# timestamps [seconds],pts\n")
    with pytest.raises(FileError, match="no lines"):
        open_pupil_core(core)


def test_blinks_that_the_player_found_are_segments_on_the_video_clock(core):
    table = "id,start_timestamp,duration,end_timestamp,confidence\n1,{},0.2002,{},0.8\n"
    (core / "blinks.csv").write_text(table.format(FIRST_S + 1.001, FIRST_S + 1.2012))
    blink, *more = open_pupil_core(core).segments
    assert (blink.kind, more) == ("blink", [])
    assert (blink.start_s, blink.end_s) == (pytest.approx(1.0, abs=1e-6), pytest.approx(1.2, abs=1e-6))
    (core / "blinks.csv").write_text(table.format(FIRST_S + 1.2, FIRST_S + 1.1))
    with pytest.raises(TableError, match="line 2: a blink that ends"):
        open_pupil_core(core)


def test_an_export_of_an_older_pupil_player_is_read_by_its_own_names(core):
    table = (core / "gaze_positions.csv").read_text()
    (core / "gaze_positions.csv").write_text(table.replace("gaze_timestamp,world_index", "timestamp,index"))
    np.testing.assert_allclose(open_pupil_core(core).gaze.time_s, [0.0, 1.0, 1.95], atol=1e-6)
    (core / "world_timestamps.csv").unlink()
    np.save(core / "world_timestamps.npy", FIRST_S + np.arange(45) / 10)
    recording = open_pupil_core(core)
    np.testing.assert_allclose(recording.gaze.time_s, [0.0, 1.001, 1.95195], atol=1e-6)
    assert "frame times are from world_timestamps.npy" in recording.notes


def test_a_blink_far_from_the_film_is_told(core):
    for start_s, end_s in ((FIRST_S + 1, 1e30), (-1e30, FIRST_S + 1), (FIRST_S + 500, FIRST_S + 501)):
        table = f"id,start_timestamp,duration,end_timestamp,confidence\n1,{start_s},0.2,{end_s},0.8\n"
        (core / "blinks.csv").write_text(table)
        (found,) = (f for f in check_recording(core).findings if f.name == "segments")
        assert (found.level, found.text) == (
            "warning",
            "1 labelled segments, 1 of them outside the video or far beyond it",
        )


def test_a_confidence_above_one_is_refused(core):
    write_gaze(core, [(0.0, 1.0, 0.5, 0.25), (1.0, 70.0, 0.5, 1.0)])
    with pytest.raises(TableError, match="70 in column 'confidence', line 3"):
        open_pupil_core(core)
