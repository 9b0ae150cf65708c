"""Marks lie where the gaze is, in the colour of its state, and what is unknown is not drawn."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.io.following import Following
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack
from regard.viz import STATE_COLOURS, contact_sheet, gaze, moment
from regard.viz.density import DENSITY_COLOURS, density
from regard.viz.draw import PREDICTED_COLOUR, Moments
from regard.viz.drawing import drawing_of

SIZES = [(240, 320), (480, 640), (1200, 1600)]


def grey(size: tuple[int, int] = (240, 320)) -> np.ndarray:
    return np.full((*size, 3), 90, np.uint8)


def track(points: list[tuple[float, float]], states: list[int], *, step_s: float = 0.05) -> GazeTrack:
    return GazeTrack(
        time_s=np.arange(len(points)) * step_s, point=np.array(points, float), state=np.array(states, np.int8)
    )


def centroid(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float]:
    """(x, y) in normalised coordinates of the pixels that have this colour."""
    y, x = np.nonzero(np.abs(picture.astype(int) - colour).max(-1) < 12)
    assert len(x) > 0
    return (x.mean() + 0.5) / picture.shape[1], (y.mean() + 0.5) / picture.shape[0]


def counted(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(-1) < 12).sum())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", [s for s in GazeState if s != GazeState.LOST])
def test_the_ring_is_where_the_gaze_is_in_the_colour_of_its_state(size, state):
    drawn = gaze(grey(size), track([(0.3, 0.62)], [state]), 0.0)
    assert centroid(drawn, STATE_COLOURS[state]) == pytest.approx((0.3, 0.62), abs=0.5 / size[0])


@given(column=st.integers(8, 55), row=st.integers(8, 50))
def test_the_diamond_is_where_the_prediction_is(column: int, row: int):
    drawn = moment(grey(), 0.0, predicted=answers(1, cell=(row, column), cells=64))
    at = (column + 0.5) / 64, (row + 0.5) / 64
    assert centroid(drawn[:215], PREDICTED_COLOUR) == pytest.approx((at[0], at[1] * 240 / 215), abs=1 / 240)


def test_drawing_leaves_the_given_frame_alone():
    frame = grey()
    kept = frame.copy()
    moment(frame, 0.0, recorded=track([(0.3, 0.6)], [1]), predicted=answers(1))
    assert np.array_equal(frame, kept)


def test_lost_gaze_draws_nothing():
    lost = track([(np.nan, np.nan)] * 3, [0, 0, 0])
    assert np.array_equal(gaze(grey(), lost, 0.05), grey())
    assert np.array_equal(gaze(grey(), GazeTrack.lost(np.zeros(0)), 0.05), grey())


def test_the_trail_has_the_colours_of_its_states_where_they_were():
    points = [(0.1, 0.5), (0.2, 0.5), (0.3, 0.5), (0.6, 0.5), (0.9, 0.5)]
    drawn = gaze(grey(), track(points, [2, 2, 2, 3, 3], step_s=0.001), 0.004, trail_s=1.0)
    fixation, saccade = np.array(STATE_COLOURS[GazeState.FIXATION]), np.array(STATE_COLOURS[GazeState.SACCADE])
    line = drawn[119:121].mean(0)
    nearer_fixation = np.abs(line - fixation).sum(-1) < np.abs(line - saccade).sum(-1)
    assert nearer_fixation[40:90].all()
    assert not nearer_fixation[105:260].any()


def test_the_trail_fades_with_age_and_ends_after_its_length():
    n = 41
    line = track([(0.1 + 0.02 * k, 0.5) for k in range(n)], [1] * n)
    drawn = gaze(grey(), line, 2.0, trail_s=1.0)
    strength = drawn[119:121, :, 0].astype(int).mean(0) - 90
    assert strength[250] > strength[210] > strength[175] > 0
    assert np.array_equal(drawn[:, :150], grey()[:, :150])


def test_the_trail_is_not_drawn_across_a_blink_or_a_gap():
    blink = track([(0.1, 0.5), (0.2, 0.5), (np.nan, np.nan), (0.8, 0.5), (0.9, 0.5)], [1, 1, 0, 1, 1])
    gap = GazeTrack(time_s=np.array([0.0, 0.05, 0.75, 0.8]), point=blink.point[[0, 1, 3, 4]], state=np.ones(4, np.int8))
    for broken, now_s in ((blink, 0.2), (gap, 0.8)):
        drawn = gaze(grey(), broken, now_s)
        assert np.array_equal(drawn[:, 80:240], grey()[:, 80:240])
        assert not np.array_equal(drawn[:, 30:70], grey()[:, 30:70])


@pytest.mark.parametrize(("point", "side"), [((1.4, 0.5), "right"), ((-0.3, 0.4), "left"), ((0.5, 2.0), "bottom")])
def test_off_screen_gaze_is_an_arrow_at_the_border_where_it_left(point, side):
    drawn = gaze(grey(), track([point], [2]), 0.0)
    x, y = centroid(drawn, STATE_COLOURS[GazeState.FIXATION])
    inside = np.clip(point, 0, 1)
    assert abs(x - inside[0]) < 0.06
    assert abs(y - inside[1]) < 0.08
    columns = np.nonzero((drawn != 90).any((0, 2)))[0] if side != "bottom" else np.nonzero((drawn != 90).any((1, 2)))[0]
    assert {"right": columns[-1] > 310, "left": columns[0] < 10, "bottom": columns[-1] > 230}[side]


@pytest.mark.parametrize("size", [*SIZES, (640, 480)])
def test_the_density_is_strongest_at_its_peak_and_clear_far_from_it(size):
    y, x = (np.mgrid[0:64, 0:64] + 0.5) / 64
    logs = (-0.5 * (((x - 0.7) / 0.06) ** 2 + ((y - 0.3) / 0.06) ** 2)).astype(np.float32)
    drawn = density(grey(size), logs)
    change = np.abs(drawn.astype(int) - 90).sum(-1)
    strong_y, strong_x = np.nonzero(change >= change.max() - 6)
    assert (strong_x.mean() + 0.5) / size[1] == pytest.approx(0.7, abs=0.02)
    assert (strong_y.mean() + 0.5) / size[0] == pytest.approx(0.3, abs=0.02)
    assert change[int(0.9 * size[0]), int(0.1 * size[1])] == 0


def test_a_density_that_is_zero_in_places_stays_clear_there():
    logs = np.full((8, 8), -np.inf, np.float32)
    logs[2, 5] = 0.0
    change = np.abs(density(grey(), logs).astype(int) - 90).sum(-1)
    assert change[75, 220] > 100
    assert change[200, 40] == 0


def test_a_density_that_is_zero_everywhere_leaves_the_picture_as_it_is():
    np.testing.assert_array_equal(density(grey(), np.full((8, 8), -np.inf, np.float32)), grey())


def answers(n: int, *, ahead_s: float = 0.0, cell: tuple[int, int] = (12, 3), cells: int = 16) -> Prediction:
    time_s = np.arange(n) * 0.5
    logs = np.full((n, cells, cells), np.log(1e-4), np.float32)
    logs[:, *cell] = 0.0
    values = {"log_density": logs}
    return Prediction(recording="r", model="m", time_s=time_s, seen_until_s=time_s - ahead_s, values=values)


def test_no_colour_of_a_density_is_like_one_of_the_gaze():
    densities, states = np.array(DENSITY_COLOURS)[:, None], np.array([*STATE_COLOURS.values(), PREDICTED_COLOUR])
    between = np.linspace(densities[:-1], densities[1:], 9)
    assert np.linalg.norm(between - states, axis=-1).min() > 80


def test_what_draws_many_frames_draws_each_as_if_it_were_the_only_one():
    line = track([(0.1 + 0.02 * k, 0.5) for k in range(40)], [1] * 20 + [2] * 20)
    shown = Moments(recorded=line, predicted=answers(4))
    for size, time_s in (((240, 320), 0.4), ((240, 320), 1.5), ((480, 640), 1.0), ((240, 320), 0.4)):
        assert np.array_equal(
            shown.draw(grey(size), time_s), moment(grey(size), time_s, recorded=line, predicted=answers(4))
        )


def test_a_tremor_within_the_trail_s_width_changes_nothing_that_can_be_seen():
    rng = np.random.default_rng(0)
    walk = np.linspace(0.2, 0.8, 200)[:, None] * [1, 0] + [0, 0.5]
    still, trembling = (
        gaze(grey(), track([*map(tuple, walk + shake)], [2] * 200, step_s=0.005), 0.995)
        for shake in (0, rng.uniform(-0.001, 0.001, (200, 2)))
    )
    assert np.abs(still.astype(int) - trembling).mean() < 0.3


def near(n: int, time_s: float) -> float | None:
    """What the answer shown at a moment is about, in half seconds."""
    answer = Following(answers(n)).near(time_s)
    return None if answer is None else answer.time_s[0] / 0.5


def test_the_answer_shown_is_the_one_about_the_nearest_moment():
    assert [near(3, t) for t in (-0.1, 0.2, 0.3, 0.9, 1.2)] == [0, 0, 1, 2, 2]
    assert near(3, 1.5) is None
    assert near(1, 0.01) == 0
    assert near(1, 0.1) is None
    assert near(0, 0.0) is None


def test_a_moment_shows_both_points_and_says_lost():
    recorded = track([(0.7, 0.3), (np.nan, np.nan)], [1, 0], step_s=0.5)
    seen = moment(grey(), 0.0, recorded=recorded, predicted=answers(2))
    assert counted(seen[:200], PREDICTED_COLOUR) > 20
    assert counted(seen[30:], STATE_COLOURS[GazeState.TRACKED]) > 20
    lost = moment(grey(), 0.5, recorded=recorded)
    words = moment(grey(), 0.5)
    assert counted(lost[-40:, :160], (255, 255, 255)) > counted(words[-40:, :160], (255, 255, 255))
    assert np.array_equal(lost[:190], grey()[:190])


def test_an_anticipation_says_how_far_ahead():
    now, ahead = (moment(grey(), 0.0, predicted=answers(2, ahead_s=a)) for a in (0.0, 0.8))
    boxes = [np.nonzero((picture[220] != 90).any(-1))[0] for picture in (now, ahead)]
    assert len(boxes[1]) > len(boxes[0])


@pytest.mark.parametrize("size", [(2, 2), (16, 24), (17, 31), (90, 1000)])
def test_tiny_and_long_frames_can_be_drawn_on(size):
    drawn = moment(grey(size), 0.0, recorded=track([(0.5, 0.5)], [2]), predicted=answers(2))
    assert drawn.shape == (*size, 3)


def test_a_sheet_holds_every_frame_in_reading_order_with_words_below():
    frames = [np.full((60, 80, 3), 40 * k + 10, np.uint8) for k in range(5)]
    sheet = contact_sheet(frames, [f"{k} s" for k in range(5)], columns=3)
    places = [np.argwhere((sheet == 40 * k + 10).all(-1)).mean(0) for k in range(5)]
    assert places[0][0] == pytest.approx(places[2][0], abs=3)
    assert places[0][1] < places[1][1] < places[2][1]
    assert places[3][0] > places[0][0] + 60
    assert places[3][1] == pytest.approx(places[0][1], abs=3)
    with pytest.raises(ValueError, match="as many captions"):
        contact_sheet(frames, ["one"], columns=1)


def as_coded(picture: np.ndarray) -> np.ndarray:
    rgb = av.VideoFrame.from_ndarray(picture)
    return rgb.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG").to_ndarray()


@pytest.mark.parametrize("size", [(240, 320), (90, 1000)])
def test_a_film_s_own_picture_is_drawn_on_as_an_rgb_one(size):
    line = track([(0.1 + 0.02 * k, 0.3 + 0.01 * k) for k in range(40)], [1] * 20 + [2] * 20)
    shown = Moments(recorded=line, predicted=answers(4))
    planar = as_coded(grey(size))
    assert shown.draw(planar, 1.45) is planar
    wanted = as_coded(shown.draw(grey(size), 1.45))
    apart = np.abs(planar.astype(int) - wanted)
    assert apart.mean() < 0.3
    assert np.quantile(apart, 0.995) <= 4
    assert not np.array_equal(planar, as_coded(grey(size)))


def test_a_path_without_a_density_is_drawn_as_its_points():
    point = np.array([[0.25, 0.5], [0.75, 0.5]])
    time_s = np.array([0.0, 0.1])
    path = Prediction(recording="r", model="m", time_s=time_s, seen_until_s=time_s, values={"point": point})
    drawn = moment(np.zeros((120, 160, 3), np.uint8), 0.1, predicted=path)
    assert tuple(drawn[60, 120]) == PREDICTED_COLOUR
    assert not drawn[60, 40].any()
    assert isinstance(drawing_of(None, path), Moments)
