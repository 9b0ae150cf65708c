"""hands.csv of a plain folder."""

import numpy as np
import pytest

from regard.errors import ClockError, TableError
from regard.io.check import check_recording
from regard.io.devices.folder import open_folder

HEAD = "timestamp_s,left_x,left_y,right_x,right_y\n"


def hands_of(folder, lines: str):
    (folder / "hands.csv").write_text(HEAD + lines)
    return open_folder(folder).hands


def test_hands_are_read_and_empty_ones_were_not_seen(walk):
    hands = hands_of(walk, "0.0,0.25,0.5,0.75,0.5\n0.1,,,0.7,1.2\n0.2,nan,NaN,,\n")
    assert hands.time_s.tolist() == [0.0, 0.1, 0.2]
    np.testing.assert_array_equal(hands.point[0], [[0.25, 0.5], [0.75, 0.5]])
    np.testing.assert_array_equal(hands.point[1], [[np.nan, np.nan], [0.7, 1.2]])
    assert np.isnan(hands.point[2]).all()
    assert open_folder(walk / "walk.mp4").hands is not None


def test_a_folder_without_hands_has_none(walk):
    assert open_folder(walk).hands is None


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("0.0,0.2,,0.5,0.5\n", "only one of left_x and left_y in line 2"),
        ("0.0,0.2,0.3,0.5,0.5\n0.1,,,,0.5\n", "only one of right_x and right_y in line 3"),
        ("0.0,320,240,400,300\n", "divide them by the picture's width and height"),
        ("0.0,left,240,400,300\n", "left"),
    ],
)
def test_half_points_pixels_and_words_are_refused(walk, lines, found):
    with pytest.raises(TableError, match=found):
        hands_of(walk, lines)


def test_hands_that_run_backwards_and_tables_of_other_columns_are_refused(walk):
    with pytest.raises(ClockError, match="line 3"):
        hands_of(walk, "0.1,0.2,0.2,0.5,0.5\n0.0,0.2,0.2,0.5,0.5\n")
    (walk / "hands.csv").write_text("timestamp_s,x,y\n")
    with pytest.raises(TableError, match="left_x"):
        open_folder(walk)


def test_check_notes_hands_that_are_never_seen(walk):
    hands_of(walk, "0.0,,,,\n")
    recording = open_folder(walk)
    (finding,) = (found for found in check_recording(recording).findings if found.name == "hands")
    assert (finding.level, finding.value) == ("note", 0.0)
    hands_of(walk, "")
    recording = open_folder(walk)
    (finding,) = (found for found in check_recording(recording).findings if found.name == "hands")
    assert (finding.level, finding.value) == ("note", 0.0)
