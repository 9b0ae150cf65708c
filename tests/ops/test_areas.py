"""Which area gaze is in, and what follows from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon

from regard.area import ALWAYS_S, Area
from regard.errors import AreaError
from regard.ops.areas import inside_area, lasts_s, rests_on, there_s, transitions_of, visits_of
from regard.types import GazeTrack


def star(num: int, seed: int) -> np.ndarray:
    """A polygon that goes round the middle once, so it never crosses itself."""
    rng = np.random.default_rng(seed)
    angle = (np.arange(num) + rng.uniform(0, 0.4, num)) * 2 * np.pi / num
    return 0.5 + rng.uniform(0.1, 0.45, num)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@given(st.integers(3, 40), st.integers(0, 10_000))
def test_points_are_inside_where_an_independent_polygon_says_so(num: int, seed: int):
    corners = star(num, seed)
    point = np.random.default_rng(seed + 1).uniform(-0.2, 1.2, (300, 2))
    area = Area.polygon("a", corners)
    assert np.array_equal(inside_area(area, np.zeros(300), point), Polygon(corners).contains_points(point))


def test_of_its_border_the_left_and_the_upper_side_belong_to_a_box():
    point = np.array([[0.2, 0.5], [0.5, 0.2], [0.8, 0.5], [0.5, 0.8], [np.nan, np.nan]])
    found = inside_area(Area.box("a", 0.2, 0.2, 0.8, 0.8), np.zeros(5), point)
    assert found.tolist() == [True, True, False, False, False]


def test_an_area_moves_in_straight_lines_and_is_there_only_between_its_keyframes_and_its_end():
    box = Area.box("a", 0.0, 0.0, 0.2, 0.2).corners[0]
    area = Area(name="a", time_s=np.array([1.0, 3.0, 5.0]), corners=(box, box + 0.4, np.zeros((0, 2))))
    time_s = np.array([0.9, 1.0, 2.0, 2.0, 3.0, 4.99, 5.0])
    point = np.array([[0.1, 0.1], [0.1, 0.1], [0.3, 0.3], [0.1, 0.1], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    assert inside_area(area, time_s, point).tolist() == [False, True, True, False, True, True, False]
    np.testing.assert_allclose(area.at(2.0), box + 0.2)
    assert len(area.at(0.5)) == len(area.at(6.0)) == 0
    assert there_s(area, 0.0, 10.0) == [(1.0, 5.0)]


def test_between_shapes_of_unlike_corners_an_area_stays_as_it_was():
    triangle = np.array([[0.0, 0.0], [0.4, 0.0], [0.0, 0.4]])
    area = Area(name="a", time_s=np.array([0.0, 2.0]), corners=(triangle, Area.box("b", 0.6, 0.6, 0.9, 0.9).corners[0]))
    assert np.array_equal(area.at(1.9), triangle)
    found = inside_area(area, np.array([1.9, 1.9, 2.0]), np.array([[0.1, 0.1], [0.7, 0.7], [0.7, 0.7]]))
    assert found.tolist() == [True, False, True]


@given(st.integers(0, 1000), st.floats(0, 4))
def test_a_moving_area_holds_the_points_of_its_own_shape_at_that_moment(seed: int, time_s: float):
    area = Area(name="a", time_s=np.array([0.0, 1.5, 4.0]), corners=(star(7, seed), star(7, seed + 1), star(5, seed)))
    point = np.random.default_rng(seed).uniform(0, 1, (100, 2))
    still = Area.polygon("a", area.at(time_s))
    assert np.array_equal(inside_area(area, np.full(100, time_s), point), inside_area(still, np.zeros(100), point))


def test_a_measurement_lasts_until_the_next_one_unless_that_is_long_in_coming():
    time_s = np.array([0.0, 0.1, 0.2, 1.2, 1.3])
    track = GazeTrack(time_s=time_s, point=np.full((5, 2), 0.5), state=np.ones(5, np.int8))
    np.testing.assert_allclose(lasts_s(track), [0.1, 0.1, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(lasts_s(track, start_s=0.15, end_s=1.25), [0, 0.05, 0.1, 0.05, 0])
    assert len(lasts_s(GazeTrack.lost(np.zeros(0)))) == 0


def test_a_rest_is_on_an_area_that_holds_more_than_half_of_it():
    track = GazeTrack(time_s=np.arange(10) / 10, point=np.full((10, 2), 0.5), state=np.ones(10, np.int8))
    hits = np.array([[True] * 6 + [False] * 4, [False] * 5 + [True] * 5])
    on = rests_on(hits, track, np.array([0.0, 0.5]), np.array([1.0, 1.0]))
    assert on.tolist() == [[True, False], [False, True]]


def test_visits_end_with_a_rest_elsewhere_and_with_a_long_gap():
    start_s = np.array([0.0, 1.0, 2.0, 3.0, 5.0])
    end_s = start_s + 0.9
    visits = visits_of(np.array([True, True, False, True, True]), start_s, end_s)
    np.testing.assert_allclose(visits.start_s, [0.0, 3.0, 5.0])
    np.testing.assert_allclose(visits.end_s, [1.9, 3.9, 5.9])
    assert len(visits_of(np.zeros(0, bool), np.zeros(0), np.zeros(0)).start_s) == 0


def test_ways_are_counted_where_an_area_is_left_and_another_entered():
    start_s = np.arange(6.0)
    on = np.array([[1, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]], bool)
    counts = transitions_of(on, start_s, start_s + 0.9)
    assert counts.tolist() == [[0, 2, 0], [0, 0, 1], [1, 0, 0]]
    with_a_gap = transitions_of(on, start_s + 2 * (start_s > 4), start_s + 0.9 + 2 * (start_s > 4))
    assert with_a_gap.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_between_an_area_and_one_around_it_there_is_no_way():
    start_s = np.arange(3.0)
    page, title = [1, 1, 0], [1, 0, 0]
    counts = transitions_of(np.array([page, title], bool), start_s, start_s + 0.9)
    assert counts.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("corners", "found"),
    [
        ([[0, 0], [1, 1]], "a polygon of 2 corners"),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "crosses itself: the lines after its corners 1 and 3"),
        ([[0, 0], [1.2, 0], [0, 1]], "a corner at (1.2, 0), outside the picture"),
        ([[0, 0], [0.5, 0.5], [1, 1]], "without any area"),
        ([[0, 0], [np.nan, 0], [0, 1]], "a corner without a number"),
    ],
)
def test_a_shape_that_is_none_is_refused(corners: list, found: str):
    with pytest.raises(AreaError) as caught:
        Area.polygon("sign", corners)
    assert found in caught.value.found
    assert "sign" in caught.value.where


@pytest.mark.parametrize("time_s", [[1.0, 1.0], [2.0, 1.0], [ALWAYS_S, 1.0], [0.0, np.nan]])
def test_times_that_do_not_increase_are_refused(time_s: list[float]):
    box = Area.box("a", 0.0, 0.0, 1.0, 1.0).corners[0]
    with pytest.raises(AreaError):
        Area(name="a", time_s=np.array(time_s), corners=(box, box))


@pytest.mark.parametrize("name", ["", "  ", " a", "elsewhere", "a\nb"])
def test_a_name_that_cannot_be_told_apart_is_refused(name: str):
    with pytest.raises(AreaError):
        Area.box(name, 0.0, 0.0, 1.0, 1.0)


@given(st.integers(3, 60), st.integers(0, 1000))
def test_a_polygon_that_goes_round_once_is_never_said_to_cross_itself(num: int, seed: int):
    assert len(Area.polygon("a", star(num, seed)).corners[0]) == num


@pytest.mark.parametrize(
    "box", [(0.5, 0.1, 0.2, 0.6), (0.1, 0.6, 0.2, 0.1), (0.1, 0.1, 0.1, 0.6), (np.nan, 0.1, 0.2, 0.6)]
)
def test_a_box_the_wrong_way_round_is_refused_in_python_too(box: tuple[float, ...]):
    with pytest.raises(AreaError, match="a box from"):
        Area.box("phone", *box)
