"""Faces are followed: ids are stable, holes are filled by the rule, and nothing is invented."""

import numpy as np
import pytest

from regard.ops.tracking import Found, overlap, tracks

RATE_HZ = 30.0


def found(*boxes: tuple[float, float, float, float], score: float = 0.9) -> Found:
    k = len(boxes)
    return Found(np.array(boxes, np.float64).reshape(k, 4), np.full(k, score), np.full((k, 5, 2), 0.5))


def square(x: float, y: float, side: float = 0.1) -> tuple[float, float, float, float]:
    return (x, y, x + side, y + side)


def times(n: int) -> np.ndarray:
    return np.arange(n) / RATE_HZ


def test_overlap_of_boxes_worked_by_hand():
    a = np.array([[0, 0, 2, 2], [0, 0, 0, 0]], np.float64)
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]], np.float64)
    assert overlap(a, b) == pytest.approx(np.array([[1 / 7, 1, 0], [0, 0, 0]]))


def test_two_faces_that_pass_each_other_keep_their_tracks_with_three_of_five_boxes_lost():
    rng = np.random.default_rng(0)
    way = np.linspace(0, 1, 120)
    truth = np.stack([np.stack([0.2 + 0.4 * way, 0.3 + 0 * way], 1), np.stack([0.6 - 0.4 * way, 0.38 + 0 * way], 1)])
    frames = []
    for t in range(120):
        kept = [k for k in (0, 1) if rng.random() > 0.6]
        frames.append(found(*(square(*truth[k, t]) for k in rng.permutation(kept))))
    made = tracks(frames, times(120))
    assert len(made) == 2
    for track in made:
        whose = np.abs(track.box[:, None, :2] - truth[:, track.frame].transpose(1, 0, 2)).sum(2).argmin(1)
        assert len(set(whose.tolist())) == 1
        assert len(track.frame) > 90


def test_a_short_hole_is_filled_on_the_straight_line_and_says_that_nothing_was_seen():
    frames = [found(square(0.01 * t, 0.5)) if t not in (4, 5) else found() for t in range(10)]
    (track,) = tracks(frames, times(10))
    assert track.frame.tolist() == list(range(10))
    assert track.box[4, 0] == pytest.approx(0.04)
    assert np.isnan(track.score[[4, 5]]).all()
    assert np.isnan(track.landmarks[[4, 5]]).all()
    assert np.isfinite(track.score[[3, 6]]).all()


def test_a_face_that_returns_to_its_place_is_the_same_and_the_hole_stays():
    seen = [*range(10), *range(30, 40)]
    frames = [found(square(0.5, 0.5)) if t in seen else found() for t in range(40)]
    (track,) = tracks(frames, times(40))
    assert track.frame.tolist() == seen


@pytest.mark.parametrize(("gone", "x"), [(60, 0.5), (10, 0.8)])
def test_a_face_that_returns_late_or_elsewhere_is_a_new_one(gone: int, x: float):
    frames = [*[found(square(0.5, 0.5))] * 5, *[found()] * gone, *[found(square(x, 0.5))] * 5]
    assert [t.frame[0] for t in tracks(frames, times(len(frames)))] == [0, 5 + gone]


def test_of_two_faces_in_one_box_the_better_covered_one_gets_it_and_the_other_waits():
    apart = found(square(0.30, 0.5), square(0.42, 0.5))
    one = found((0.31, 0.5, 0.45, 0.6))
    first, second = tracks([apart, apart, apart, one, *[apart] * 3], times(7), filled_s=0.0)
    assert 3 in first.frame
    assert 3 not in second.frame
    assert first.box[-1, 0] == pytest.approx(0.30)
    assert second.box[-1, 0] == pytest.approx(0.42)


def test_boxes_without_area_or_number_and_what_is_found_only_twice_are_no_faces():
    nothing = found((0.5, 0.5, 0.5, 0.6), (np.nan, 0.1, 0.2, 0.3))
    twice = [found(square(0.1, 0.1))] * 2
    assert tracks([nothing] * 5 + twice, times(7)) == []
    assert tracks([], times(0)) == []


def test_tracks_are_in_the_order_in_which_faces_appear_from_the_left():
    both = found(square(0.7, 0.1), square(0.2, 0.1))
    assert [t.box[0, 0] for t in tracks([both] * 3, times(3))] == [0.2, 0.7]
