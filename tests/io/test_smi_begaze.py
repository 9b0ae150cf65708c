import made_media as made
import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError, TableError

HEAD = "## [BeGaze]\n## Date:\t01.02.2013\n#\nTime\tType\tTrial\tB POR X [px]\tB POR Y [px]\tFrame\n"


def write_gaze(folder, rows, head=HEAD):
    lines = [f"{1000 + 16 * i}\tSMP\t1\t{x}\t{y}\t{frame}\n" for i, (x, y, frame) in enumerate(rows)]
    (folder / "001-2-recording.txt").write_text(head + "".join(lines))


ROWS = [
    (32, 12, "00:00:05:22"),
    (32, 12, "00:00:05:23"),
    (16, 12, "00:00:05:23"),
    (0.0, 0.0, "00:00:06:00"),
    ("-", "-", "00:00:06:02"),
]


@pytest.fixture
def begaze(tmp_path):
    """An export of 48 frames, 24 a second; samples of the second frame come in two, and one frame has none."""
    folder = tmp_path / "smi"
    folder.mkdir()
    made.encode(folder / "001-2-export.avi", range(made.NUM_FRAMES), codec="mpeg4", ticks_per_s=24)
    write_gaze(folder, ROWS)
    return folder


def test_gaze_is_placed_by_its_frame_alone_and_that_is_said(begaze):
    for path in (begaze, begaze / "001-2-export.avi"):
        recording = regard.open(path)
        np.testing.assert_allclose(recording.gaze.time_s * 24, [0, 1, 1.5, 2, 4], atol=1e-6)
    np.testing.assert_allclose(recording.gaze.point[[0, 2]], [[0.5, 0.25], [0.25, 0.25]])
    assert recording.gaze.valid.tolist() == [True, True, True, False, False]
    assert recording.id == "001-2"
    assert "by BeGaze's Frame column alone" in recording.notes[0]
    assert "2 of 5 gaze samples are (0, 0) or empty" in recording.notes[1]
    assert any("pupil sizes" in note for note in recording.notes)


def test_messages_between_the_samples_are_passed_over(begaze):
    text = (begaze / "001-2-recording.txt").read_text().splitlines(keepends=True)
    text.insert(6, "1010\tMSG\t1\t# Message: start\n")
    (begaze / "001-2-recording.txt").write_text("".join(text))
    assert len(regard.open(begaze).gaze) == 5


@pytest.mark.parametrize(
    ("rows", "kind", "match"),
    [
        ([(1, 1, "00:00:05:24")], ClockError, "another recording"),
        ([(1, 1, "00:00:05:03"), (1, 1, "00:00:05:02")], ClockError, "a Frame that repeats or goes back, in line 6"),
        ([(1, 1, "17")], TableError, "hours:minutes:seconds:frame"),
        ([("x", 1, "00:00:05:03")], TableError, "line 5"),
        ([], TableError, "no samples"),
    ],
)
def test_samples_that_make_no_sense_are_refused(begaze, rows, kind, match):
    write_gaze(begaze, rows)
    with pytest.raises(kind, match=match):
        regard.open(begaze)


def test_other_columns_cut_lines_and_times_that_repeat_are_refused(begaze):
    write_gaze(begaze, ROWS, head=HEAD.replace("Frame", "Aux1"))
    with pytest.raises(TableError, match="column each of Frame"):
        regard.open(begaze)
    write_gaze(begaze, ROWS)
    text = (begaze / "001-2-recording.txt").read_text()
    (begaze / "001-2-recording.txt").write_text(text[:-14])
    with pytest.raises(TableError, match="cut off"):
        regard.open(begaze)
    (begaze / "001-2-recording.txt").write_text(text.replace("\n1016", "\n1000"))
    with pytest.raises(ClockError, match="a Time that repeats"):
        regard.open(begaze)


def test_a_missing_video_and_two_recordings_are_told(begaze):
    (begaze / "001-3-recording.txt").touch()
    with pytest.raises(FileError, match="2 recordings"):
        regard.open(begaze)
    (begaze / "001-3-recording.txt").unlink()
    (begaze / "001-2-export.avi").unlink()
    with pytest.raises(FileError, match=r"no 001-2-export\.avi"):
        regard.open(begaze)


def test_frames_far_after_the_video_are_told(begaze):
    write_gaze(begaze, [*ROWS, (1, 1, "99:00:00:00")])
    assert any("gaze goes on" in note for note in regard.open(begaze).notes)


def test_text_of_two_bytes_a_letter_is_read_and_a_column_that_comes_twice_refused(begaze):
    path = begaze / "001-2-recording.txt"
    text = path.read_text()
    path.write_text(text, encoding="utf-16")
    assert len(regard.open(begaze).gaze) == 5
    path.write_text(text.replace("Trial", "Frame"))
    with pytest.raises(TableError, match="one column each of Frame"):
        regard.open(begaze)
