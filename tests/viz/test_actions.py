"""Films of actions: the right window's answer, the right part's map, bars that are as long as they say."""

from dataclasses import replace

import numpy as np
import pytest

from regard.io.following import Following
from regard.prediction import Prediction
from regard.viz.actions import BAR_COLOUR, Windows, likeliest
from regard.viz.draw import PREDICTED_COLOUR


def prediction(*, evidence: bool = False, names: tuple[str, ...] = ()) -> Prediction:
    attention = np.full((2, 2, 3, 4), 0.1, np.float32)
    attention[0, 0, 0, 0] = attention[0, 1, 2, 3] = attention[1, :, 1, 1] = 1.0
    return Prediction(
        recording="r",
        model="m",
        start_s=np.array([0.0, 1.0]),
        time_s=np.array([1.0, 2.0]),
        seen_until_s=np.array([1.0, 2.0]),
        values={
            "logits/action": np.log(np.array([[0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], np.float32)),
            "attention": attention,
            **({"evidence": attention} if evidence else {}),
        },
        class_names={"action": names} if names else {},
    )


def drawn_at(time_s: float, answers: Prediction) -> np.ndarray:
    return Windows(predicted=answers).draw(FRAME, time_s)


FRAME = np.full((240, 320, 3), 90, np.uint8)


def test_a_frame_belongs_to_the_window_whose_middle_is_nearest():
    assert [Following(prediction()).near(t).begun_s[0] for t in (0.0, 0.9, 1.1, 5.0)] == [0, 0, 1, 1]


def test_classes_are_named_where_their_names_are_known():
    assert likeliest(prediction(), 2) == [("action 0", pytest.approx(0.6)), ("action 1", pytest.approx(0.3))]
    second = prediction(names=("cut", "stir", "pour")).rows(slice(1, 2))
    assert [name for name, _ in likeliest(second)] == ["pour", "cut", "stir"]


def test_the_map_is_that_of_the_moments_part_of_the_window():
    early, late = (drawn_at(t, prediction()).astype(int) for t in (0.1, 0.9))
    changed = np.abs(early - late).sum(axis=2)
    assert changed[:60, :60].max() > 60
    assert changed[-60:-25, -60:].max() > 60
    assert changed[100:140, 250:].max() < 30


def test_a_bar_is_as_long_as_its_class_is_likely():
    drawn = drawn_at(0.2, prediction())
    lengths = (drawn == np.array(BAR_COLOUR)).all(axis=2).sum(axis=1)
    longest = 0.3 * 320
    found = sorted({int(n) for n in lengths if n > 2}, reverse=True)
    assert found[0] == pytest.approx(0.6 * longest, abs=4)
    assert found[1] == pytest.approx(0.3 * longest, abs=4)


def test_where_the_wearer_is_said_to_look_is_marked_in_the_moments_part_of_the_window():
    gaze = np.array([[[0.7, 0.2], [0.7, 0.8]]] * 2, np.float32)
    answers = replace(prediction(), values={**prediction().values, "gaze": gaze})
    for time_s, there, elsewhere in ((0.1, 0.2, 0.8), (0.9, 0.8, 0.2)):
        changed = np.abs(drawn_at(time_s, answers).astype(int) - drawn_at(time_s, prediction()).astype(int)).sum(axis=2)
        at, other = (changed[int(240 * y) - 4 : int(240 * y) + 5, 220:229] for y in (there, elsewhere))
        assert at.max() > 100
        assert other.max() == 0
    assert (drawn_at(0.1, answers) == np.array(PREDICTED_COLOUR)).all(axis=2).any()


def test_evidence_stands_beside_the_attention():
    assert drawn_at(0.2, prediction(evidence=True)).shape == (240, 640, 3)
    assert (FRAME == 90).all(), "the frame handed in stays as it is"


def test_what_the_model_was_not_shown_stays_clear_and_takes_no_contrast_away():
    seen = np.array([[[[0.9, 1.0], [0.9, 0.9]]]], np.float32)
    around = np.full((2, 1, 2, 4), np.nan, np.float32)
    around[..., 1:3] = seen
    drawn = drawn_at(0.5, replace(prediction(), values={**prediction().values, "attention": around})).astype(int)
    changed = np.abs(drawn - FRAME).sum(axis=2)[:, 150:]  # right of the bars
    assert changed[30:60, 40:60].min() > 60
    assert changed[170:200].max() < 30
    assert changed[:200, 140:].max() < 30


def test_a_map_in_which_nothing_stands_out_is_not_drawn():
    flat = np.zeros((2, 1, 2, 3), np.float32)
    drawn = drawn_at(0.5, replace(prediction(), values={**prediction().values, "attention": flat}))
    np.testing.assert_array_equal(drawn[60:200, 150:], FRAME[60:200, 150:])
