import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.errors import FileError
from regard.types import MIN_GAP_S, Camera, Clip, FaceTrack, GazeState, GazeTrack, HandTrack, Recording, Segment

LOST, TRACKED, FIXATION, SACCADE = GazeState.LOST, GazeState.TRACKED, GazeState.FIXATION, GazeState.SACCADE


@st.composite
def moments(draw: st.DrawFn, *, max_size: int = 20) -> np.ndarray:
    """Strictly increasing times, with and without gaps, before and after zero."""
    steps = draw(arrays(np.float64, st.integers(0, max_size), elements=st.floats(1e-3, 2.0)))
    return draw(st.floats(-10, 10)) + np.cumsum(steps)


@st.composite
def tracks(draw: st.DrawFn) -> GazeTrack:
    time_s = draw(moments())
    n = len(time_s)
    state = draw(arrays(np.int8, n, elements=st.integers(0, 4)))
    point = draw(arrays(np.float64, (n, 2), elements=st.floats(-2, 3)))
    return GazeTrack(
        time_s=time_s,
        point=np.where((state == LOST)[:, None], np.nan, point),
        state=state,
        confidence=draw(st.none() | arrays(np.float64, n, elements=st.floats(0, 1))),
    )


def ramp(times: list[float], *, state: list[int] | None = None) -> GazeTrack:
    """x is the time itself, y is half of it."""
    time_s = np.array(times)
    states = np.array([TRACKED] * len(times) if state is None else state, np.int8)
    point = np.where((states == LOST)[:, None], np.nan, np.stack([time_s, time_s / 2], axis=1))
    return GazeTrack(time_s=time_s, point=point, state=states)


def test_the_nearest_measurement_worked_by_hand():
    found = ramp([0.0, 0.1, 0.2], state=[FIXATION, SACCADE, LOST]).at(np.array([-0.05, 0.04, 0.07, 0.19, 0.5]))
    # The default gap is the track's interval, 0.1 s.
    assert found.state.tolist() == [FIXATION, FIXATION, SACCADE, LOST, LOST]
    np.testing.assert_array_equal(found.point[:, 0], [0.0, 0.0, 0.1, np.nan, np.nan])
    np.testing.assert_array_equal(found.time_s, [-0.05, 0.04, 0.07, 0.19, 0.5])


def test_a_fast_track_may_be_half_a_frame_away():
    track = ramp([0.0, 0.005, 0.010])
    found = track.at(np.array([0.010 + 0.99 * MIN_GAP_S, 0.010 + 1.01 * MIN_GAP_S]))
    assert found.valid.tolist() == [True, False]
    assert not track.at(np.array([0.02]), max_gap_s=0.005).valid[0]


@given(tracks(), moments(), st.floats(1e-3, 3))
def test_at_agrees_with_looking_at_every_measurement(track: GazeTrack, asked: np.ndarray, gap: float):
    found = track.at(asked, max_gap_s=gap)
    for i, moment in enumerate(asked):
        distance = np.abs(track.time_s - moment)
        if len(track) == 0 or distance.min() > gap:
            assert found.state[i] == LOST
        else:
            # Two measurements may be equally near.
            nearest = np.flatnonzero(distance <= distance.min() + 1e-12)
            assert found.state[i] in track.state[nearest]
            assert any(np.array_equal(found.point[i], p, equal_nan=True) for p in track.point[nearest])


@given(tracks())
def test_asking_for_its_own_times_gives_the_track_itself(track: GazeTrack):
    for found in (track.at(track.time_s), track.interpolated(track.time_s)):
        np.testing.assert_array_equal(found.point, track.point)
        np.testing.assert_array_equal(found.state, track.state)


@given(tracks(), st.lists(st.integers(-5000, 5000), unique=True).map(sorted), st.integers(-100, 100))
def test_moving_the_clock_moves_nothing_else(track: GazeTrack, asked_ms: list[int], shift_s: int):
    # Times in 1/1024 s, so that adding whole seconds is exact.
    time_s, asked = np.arange(len(track)) * 31 / 1024, np.array(asked_ms) / 1024
    here = GazeTrack(time_s=time_s, point=track.point, state=track.state)
    there = GazeTrack(time_s=time_s + shift_s, point=track.point, state=track.state)
    for ask in (GazeTrack.at, GazeTrack.interpolated):
        before, after = ask(here, asked, max_gap_s=0.125), ask(there, asked + shift_s, max_gap_s=0.125)
        np.testing.assert_array_equal(before.state, after.state)
        np.testing.assert_allclose(before.point, after.point, atol=1e-12)


def test_interpolation_worked_by_hand():
    track = ramp([0.0, 0.1, 0.2, 0.3], state=[FIXATION, SACCADE, LOST, TRACKED])
    found = track.interpolated(np.array([0.02, 0.08, 0.1, 0.15, 0.25, 0.3]))
    assert found.state.tolist() == [FIXATION, SACCADE, SACCADE, LOST, LOST, TRACKED]
    np.testing.assert_allclose(found.point[[0, 1, 2, 5]], [[0.02, 0.01], [0.08, 0.04], [0.1, 0.05], [0.3, 0.15]])


def test_nothing_is_interpolated_over_a_gap_or_beyond_the_ends():
    track = ramp([0.0, 0.1, 0.9, 1.0])
    found = track.interpolated(np.array([-0.01, 0.05, 0.5, 0.95, 1.01]), max_gap_s=0.3)
    assert found.valid.tolist() == [False, True, False, True, False]


@given(tracks(), moments(), st.floats(1e-3, 3))
def test_interpolated_points_lie_between_their_neighbours(track: GazeTrack, asked: np.ndarray, gap: float):
    found = track.interpolated(asked, max_gap_s=gap)
    for moment, point in zip(asked[found.valid], found.point[found.valid], strict=True):
        after = min(int(np.searchsorted(track.time_s, moment)), len(track) - 1)
        before = after if track.time_s[after] == moment else after - 1
        assert track.time_s[before] <= moment <= track.time_s[after]
        pair = track.point[[before, after]]
        assert (pair.min(axis=0) - 1e-9 <= point).all()
        assert (point <= pair.max(axis=0) + 1e-9).all()


def test_a_lost_track_knows_nothing_and_has_no_interval():
    lost = GazeTrack.lost(np.array([0.0, 1.0]))
    assert not lost.valid.any()
    assert np.isnan(lost.point).all()
    assert np.isnan(GazeTrack.lost(np.zeros(0)).interval_s)
    assert ramp([0.0, 0.1, 0.2, 5.0]).interval_s == pytest.approx(0.1)


def test_an_empty_track_answers_lost():
    empty = GazeTrack.lost(np.zeros(0))
    for ask in (empty.at, empty.interpolated):
        assert not ask(np.array([0.0, 1.0])).valid.any()


def test_a_track_refuses_what_cannot_be_one():
    point, state = np.zeros((2, 2)), np.full(2, TRACKED, np.int8)
    for wrong in ([0.0, 0.0], [1.0, 0.0], [0.0, np.nan], [0.0, np.inf]):
        with pytest.raises(ValueError, match="strictly increasing"):
            GazeTrack(time_s=np.array(wrong), point=point, state=state)
    with pytest.raises(ValueError, match="NaN exactly where"):
        GazeTrack(time_s=np.arange(2.0), point=np.full((2, 2), np.nan), state=state)
    with pytest.raises(ValueError, match="NaN exactly where"):
        GazeTrack(time_s=np.arange(2.0), point=point, state=np.full(2, LOST, np.int8))


def face(times_s: list[float], **more) -> FaceTrack:
    n = len(times_s)
    return FaceTrack(
        person="ann",
        time_s=np.array(times_s),
        box=np.arange(4.0 * n).reshape(n, 4),
        looking=np.arange(n) % 2 == 0,
        looking_known=np.arange(n) > 0,
        **more,
    )


def test_a_frame_without_a_box_does_not_get_its_neighbours():
    track = face([0.0, 1 / 30, 3 / 30], known={"quality": np.array([0.5, np.nan, 0.25])})
    found = track.at(np.array([0.001, 2 / 30, 3 / 30, 3 / 30, 9.0]))
    assert found["box"][:, 0].tolist() == pytest.approx([0, np.nan, 8, 8, np.nan], nan_ok=True)
    assert found["looking"].tolist() == pytest.approx([np.nan, np.nan, 1, 1, np.nan], nan_ok=True)
    assert found["quality"].tolist() == pytest.approx([0.5, np.nan, 0.25, 0.25, np.nan], nan_ok=True)
    assert np.isnan(face([]).at(np.array([1.0]))["box"]).all()
    assert face([1.0]).at(np.array([1.01]))["box"][0, 0] == 0
    assert face([0.0, 0.01]).at(np.array([0.005, 0.016]))["box"][:, 0].tolist() == pytest.approx(
        [0, np.nan], nan_ok=True
    )


def test_a_face_track_with_two_boxes_at_one_moment_is_refused():
    with pytest.raises(ValueError, match="ann-2 must be finite and strictly increasing"):
        face([0.0, 0.0], track="ann-2")


def test_a_clip_finds_its_face_by_the_tracks_name():
    recording = Recording(id="r", subject="s", faces=(face([0.0]), face([5.0], track="ann-2")))
    moment = np.zeros(1)
    assert Clip(recording=recording, frame_s=moment, gaze_s=moment, person="ann").face.time_s[0] == 0
    assert Clip(recording=recording, frame_s=moment, gaze_s=moment, person="ann-2").face.time_s[0] == 5
    with pytest.raises(FileError, match="there are ann, ann-2"):
        _ = Clip(recording=recording, frame_s=moment, gaze_s=moment).face


def test_a_light_recording_has_no_tracks_but_those_that_are_kept():
    gaze = GazeTrack.lost(np.zeros(1))
    hands = HandTrack(time_s=np.zeros(1), point=np.full((1, 2, 2), 0.5))
    recording = Recording(id="r", subject="s", gaze=gaze, faces=(face([0.0]),), hands=hands, others={"o": gaze})
    light = recording.light()
    assert (light.gaze, light.segments, light.faces, light.hands, light.others) == (None, (), None, None, {})
    assert recording.light("hands").hands is hands
    assert recording.light("faces").faces == recording.faces


def test_hands_are_found_by_the_nearest_row_and_unknown_far_from_all():
    point = np.array([[[0.1, 0.2], [np.nan, np.nan]], [[0.3, 0.4], [0.7, 0.8]]])
    track = HandTrack(time_s=np.array([0.0, 0.1]), point=point)
    found = track.at(np.array([-0.01, 0.04, 0.06, 0.06, 0.2, 0.21]))
    np.testing.assert_array_equal(found[:, 0, 0], [0.1, 0.1, 0.3, 0.3, 0.3, np.nan])
    np.testing.assert_array_equal(found[:, 1, 1], [np.nan, np.nan, 0.8, 0.8, 0.8, np.nan])
    assert np.isnan(track.at(np.array([0.02]), max_gap_s=0.01)).all()
    alone = HandTrack(time_s=np.zeros(1), point=point[1:])
    assert alone.at(np.array([0.01, 0.02]))[:, 0, 0].tolist() == pytest.approx([0.3, np.nan], nan_ok=True)
    nobody = HandTrack(time_s=np.zeros(0), point=np.zeros((0, 2, 2)))
    assert np.isnan(nobody.at(np.array([0.0]))).all()


def test_hands_refuse_what_cannot_be_a_track():
    with pytest.raises(ValueError, match="strictly increasing"):
        HandTrack(time_s=np.zeros(2), point=np.zeros((2, 2, 2)))


def test_what_holds_arrays_equals_itself_alone_and_can_be_looked_up():
    def opened() -> tuple[object, ...]:
        gaze = GazeTrack(time_s=np.arange(3.0), point=np.full((3, 2), 0.5), state=np.ones(3, np.int8))
        recording = Recording(id="ann", subject="ann", gaze=gaze, others={"ben": gaze})
        clip = Clip(recording=recording, frame_s=np.arange(2.0), gaze_s=np.arange(2.0), labels={"verb": 1})
        return gaze, recording, clip, Camera(height=96, width=128, matrix=np.eye(3))

    for one, again in zip(opened(), opened(), strict=True):
        assert one != again
        assert one in [again, one]
        assert again not in {one}


def test_segments_are_compared_by_their_values():
    one, again = (Segment(start_s=0.0, end_s=1.0, kind="action", labels={"verb": 1}) for _ in range(2))
    assert one in {again}
    assert one != Segment(start_s=0.0, end_s=1.0, kind="action", labels={"verb": 2})
