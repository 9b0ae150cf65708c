"""What EGTEA's text files say: names of clips, annotation lists, names of classes, gaze as BeGaze exports it."""

import fake_roots as fake
import numpy as np
import pytest

from regard.datasets.egtea.begaze import read_gaze
from regard.datasets.egtea.labels import read_classes, read_list
from regard.datasets.egtea.names import parse_clip
from regard.errors import FileError, TableError
from regard.types import GazeState

# ---- names and lists


def test_a_clips_name_says_where_it_lies_and_names_it_again():
    text = "P21-R04-ContinentalBreakfast-291175-294945-F006979-F007088"
    name = parse_clip(f"some/folder/{text}.mp4")
    assert name.session == "P21-R04-ContinentalBreakfast"
    assert (name.start_ms, name.end_ms, name.num_frames) == (291175, 294945, 110)
    assert str(name) == text


def test_a_padded_name_has_the_key_of_the_official_one():
    official, padded = "OP01-R01-PastaSalad-100-600-F000010-F000028", "OP01-R01-PastaSalad-100-600-F000007-F000031"
    assert parse_clip(official).key == parse_clip(padded).key


@pytest.mark.parametrize(
    "text",
    [
        "OP01-R01-PastaSalad",
        "OP01-R01-PastaSalad-100-600-F000010",
        "XX01-R01-PastaSalad-100-600-F000010-F000028",
        "OP01-R01-PastaSalad-100-600-F000010-F000028-copy",
        "OP01-R01-PastaSalad-600-100-F000010-F000028",
        "OP01-R01-PastaSalad-100-600-F000028-F000010",
        "",
    ],
)
def test_a_name_of_another_form_is_an_error(text):
    with pytest.raises(FileError):
        parse_clip(text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("OP01-R01-PastaSalad-100-600-F000010-F000028 107 1 1", "action 107"),
        ("OP01-R01-PastaSalad-100-600-F000010-F000028 1 20 1", "verb 20"),
        ("OP01-R01-PastaSalad-100-600-F000010-F000028 1 1 54", "noun 54"),
        ("OP01-R01-PastaSalad-100-600-F000010-F000028 0 1 1", "action 0"),
        ("OP01-R01-PastaSalad-100-600-F000010-F000028 1 1", "1 1"),
        ("OP01-R01-PastaSalad-100-600-F000010-F000028 one 1 1", "one 1 1"),
        ("nonsense 1 1 1", "nonsense"),
    ],
)
def test_a_broken_line_of_a_list_is_named(tmp_path, line, found):
    path = tmp_path / "train_split1.txt"
    path.write_text(f"OP01-R01-PastaSalad-700-900-F000010-F000028 1 1 1 2 3\n{line}\n")
    with pytest.raises((TableError, FileError), match="line 2") as error:
        read_list(path)
    assert found in error.value.found


def test_a_clip_listed_twice_and_an_empty_list_are_errors(tmp_path):
    path = tmp_path / "train_split1.txt"
    path.write_text("OP01-R01-PastaSalad-1-9-F000010-F000028 1 1 1\nOP01-R01-PastaSalad-1-9-F000009-F000033 1 1 1\n")
    with pytest.raises(TableError, match="a second time"):
        read_list(path)
    path.write_text("\n")
    with pytest.raises(TableError, match="no line"):
        read_list(path)


def test_classes_are_read_from_the_official_index(tmp_path):
    path = tmp_path / "verb_idx.txt"
    path.write_text("\n".join(f"Turn on {n}" if n == 5 else f"verb-{n} {n}" for n in range(1, 20)))
    assert read_classes(path, "verb")[4] == "Turn on"
    with pytest.raises(TableError, match="actions 1 to 106"):
        read_classes(path, "action")


# ---- raw gaze text


@pytest.mark.parametrize("later", [False, True])
def test_both_layouts_of_begaze_say_the_same(tmp_path, later):
    rows = [(0, "640.0", "480.0", "Fixation"), (1, "320.0", "240.0", "Saccade"), (30, "1290.0", "-10.0", "-")]
    path = fake.begaze(tmp_path / "a.txt", [fake.begaze_line(*row, later=later) for row in rows])
    track = read_gaze(path)
    assert len(track) == 31
    np.testing.assert_allclose(track.time_s, np.arange(31) / 24)
    np.testing.assert_allclose(track.point[[0, 1]], [[0.5, 0.5], [0.25, 0.25]])
    np.testing.assert_allclose(track.point[30], [1290 / 1280, -10 / 960])
    assert track.state[[0, 1, 2, 30]].tolist() == [2, 3, 0, 1]


def test_blinks_zeros_and_missing_values_are_lost_and_published_keeps_them(tmp_path):
    rows = [
        (0, "640.0", "480.0", "Blink"),
        (1, "0.0", "0.0", "Fixation"),
        (2, "nan", "nan", "Fixation"),
        (3, "-", "-", "-"),
        (4, "2000.0", "-50.0", "Saccade"),
    ]
    path = fake.begaze(tmp_path / "a.txt", [fake.begaze_line(*row, later=False) for row in rows])
    assert read_gaze(path).valid.tolist() == [False] * 4 + [True]
    published = read_gaze(path, published=True)
    assert published.valid.all()
    np.testing.assert_allclose(published.point, [[0.5, 0.5], [0, 0], [0, 0], [0, 0], [1279 / 1280, 0]])
    assert published.state.tolist() == [1, 2, 2, 1, 3]


@pytest.mark.parametrize(("x", "y", "event"), [("-", "-", "Fixation"), ("0", "0", "-"), ("640", "480", "Blink")])
def test_a_session_without_one_valid_sample_is_lost_throughout(tmp_path, x, y, event):
    path = fake.begaze(tmp_path / "a.txt", [fake.begaze_line(f, x, y, event, later=False) for f in range(5)])
    track = read_gaze(path)
    assert len(track) == 5
    assert not track.valid.any()
    assert np.isnan(track.point).all()


def test_samples_that_share_a_frame_are_averaged_fairly_and_pairwise_as_published(tmp_path):
    x_px = ("128.0", "256.0", "384.0")
    path = fake.begaze(tmp_path / "a.txt", [fake.begaze_line(5, x, "96.0", "Fixation", later=False) for x in x_px])
    assert read_gaze(path).point[5].tolist() == pytest.approx([0.2, 0.1])
    # ((128 + 256) / 2 + 384) / 2 = 288
    assert read_gaze(path, published=True).point[5].tolist() == pytest.approx([288 / 1280, 0.1])
    assert read_gaze(path).state[:5].tolist() == [GazeState.LOST] * 5


def test_a_frame_shared_by_a_fixation_and_a_saccade_takes_the_last_ones_point(tmp_path):
    rows = [(0, "128.0", "96.0", "Fixation"), (0, "1152.0", "96.0", "Saccade"), (0, "640.0", "96.0", "Blink")]
    path = fake.begaze(tmp_path / "a.txt", [fake.begaze_line(*row, later=False) for row in rows])
    track = read_gaze(path)
    assert track.state[0] == GazeState.SACCADE
    assert track.point[0, 0] == pytest.approx(0.9)


def test_a_cut_off_line_an_empty_file_and_no_file_are_errors(tmp_path):
    good = fake.begaze_line(0, "1.0", "1.0", "Fixation", later=False)
    with pytest.raises(TableError, match="line 36"):
        read_gaze(fake.begaze(tmp_path / "cut.txt", [good, good[:20]]))
    with pytest.raises(TableError, match="no sample"):
        read_gaze(fake.begaze(tmp_path / "empty.txt", []))
    with pytest.raises(TableError, match="could not convert"):
        read_gaze(fake.begaze(tmp_path / "word.txt", [good.replace("1.0", "left", 1)]))
    with pytest.raises(FileError):
        read_gaze(tmp_path / "none.txt")


def test_nothing_of_the_header_reaches_an_error(tmp_path):
    with pytest.raises(TableError) as error:
        read_gaze(fake.begaze(tmp_path / "a.txt", ["1 SMP 1"]))
    assert "Jane" not in str(error.value)
