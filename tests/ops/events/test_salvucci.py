from itertools import pairwise

import numpy as np
import pymovements
import pytest

from regard.ops.events import label_idt, label_ivt
from regard.ops.events.stretches import MAX_GAP_S, runs_of, stretches
from regard.types import Camera, GazeState, GazeTrack

LOST, TRACKED, FIXATION, SACCADE = GazeState.LOST, GazeState.TRACKED, GazeState.FIXATION, GazeState.SACCADE
FIELD_DEG = (50.0, 40.0)


def track_of(point: np.ndarray, *, rate_hz: float = 200.0, time_s: np.ndarray | None = None) -> GazeTrack:
    lost = np.isnan(point).any(axis=1)
    return GazeTrack(
        time_s=np.arange(len(point)) / rate_hz if time_s is None else time_s,
        point=np.where(lost[:, None], np.nan, point).astype(np.float64),
        state=np.where(lost, LOST, TRACKED).astype(np.int8),
    )


def steps(seed: int) -> np.ndarray:
    """Fixations of 100 to 400 ms with tremor, joined by saccades of 30 ms."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0.1, 0.9, (12, 2))
    parts = []
    for here, there in pairwise(places):
        parts.append(np.repeat(here[None], rng.integers(20, 80), axis=0))
        parts.append(here + np.linspace(0, 1, 8)[1:-1, None] * (there - here))
    point = np.concatenate(parts)
    return point + rng.normal(0, 2e-4, point.shape)


def fixations_s(track: GazeTrack) -> list[tuple[float, float]]:
    """First and last measurement of each run of FIXATION without a gap."""
    return [
        (float(track.time_s[start + first]), float(track.time_s[start + after - 1]))
        for start, end in stretches(track, max_gap_s=MAX_GAP_S)
        for first, after in runs_of(track.state[start:end] == FIXATION)
    ]


def spans_ms(track: GazeTrack) -> list[tuple[int, int]]:
    return [(round(start_s * 1000), round(end_s * 1000)) for start_s, end_s in fixations_s(track)]


def test_ivt_worked_by_hand():
    # 10 still measurements, one jump of a tenth of the width (5 degrees), 10 still ones; at 100 Hz.
    point = np.array([[0.4, 0.5]] * 10 + [[0.5, 0.5]] * 10)
    found = label_ivt(track_of(point, rate_hz=100), FIELD_DEG)
    # Measurements 9 and 10 see 5 degrees in 20 ms = 250 deg/s.
    assert found.state.tolist() == [FIXATION] * 9 + [SACCADE] * 2 + [FIXATION] * 9
    assert spans_ms(found) == [(0, 80), (110, 190)]


@pytest.mark.parametrize("seed", range(5))
def test_ivt_agrees_with_pymovements(seed: int):
    point = steps(seed)
    position_deg = point * FIELD_DEG
    velocity = np.zeros_like(position_deg)
    velocity[1:-1] = (position_deg[2:] - position_deg[:-2]) * 200 / 2
    velocity[0], velocity[-1] = np.diff(position_deg[:2], axis=0) * 200, np.diff(position_deg[-2:], axis=0) * 200
    theirs = pymovements.events.ivt(
        velocity, np.arange(len(point)) * 5, minimum_duration=60, velocity_threshold=30.0
    ).frame
    ours = label_ivt(track_of(point), FIELD_DEG, velocity_threshold_deg_s=30.0, min_fixation_s=0.0599)
    assert spans_ms(ours) == list(zip(theirs["onset"], theirs["offset"], strict=True))
    assert len(theirs) == 11


@pytest.mark.parametrize("seed", range(5))
def test_idt_agrees_with_pymovements_but_for_the_measurement_that_breaks_the_box(seed: int):
    point = steps(seed)
    theirs = pymovements.events.idt(
        point * FIELD_DEG, np.arange(len(point)) * 5, minimum_duration=60, dispersion_threshold=0.5
    ).frame
    # Its 60 ms are 12 measurements, 55 ms from first to last; and it counts the first measurement outside the box as
    # the fixation's last, unless the track ends before.
    ours = spans_ms(label_idt(track_of(point), FIELD_DEG, dispersion_threshold_deg=0.5, min_fixation_s=0.055))
    assert [start for start, _ in ours] == list(theirs["onset"])
    last = (len(point) - 1) * 5
    assert [min(end + 5, last) for _, end in ours] == list(theirs["offset"])


def test_idt_worked_by_hand():
    x = np.array([0.1, 0.1, 0.1, 0.3, 0.5, 0.5, 0.505, 0.5])
    found = label_idt(
        track_of(np.stack([x, np.full(8, 0.5)], axis=1), rate_hz=50),
        FIELD_DEG,
        dispersion_threshold_deg=0.5,
        min_fixation_s=0.04,
    )
    assert found.state.tolist() == [FIXATION] * 3 + [SACCADE] + [FIXATION] * 4


def test_the_camera_measures_true_angles_where_a_field_of_view_guesses():
    camera = Camera(height=100, width=100, matrix=np.array([[50.0, 0, 49.5], [0, 50.0, 49.5], [0, 0, 1]]))
    # 1 % of a 90 degree picture is 1.15 degrees in its middle and 0.58 near its border: 115 and 58 deg/s.
    middle = np.stack([0.4 + 0.01 * np.arange(20), np.full(20, 0.5)], axis=1)
    border = middle + np.array([0.4, 0.0])
    label = {"velocity_threshold_deg_s": 90.0, "min_fixation_s": 0.01}
    assert (label_ivt(track_of(middle, rate_hz=100), camera, **label).state == SACCADE).all()
    assert (label_ivt(track_of(border, rate_hz=100), camera, **label).state == FIXATION).all()


@pytest.mark.parametrize("label", [label_ivt, label_idt])
def test_lost_stays_lost_and_no_fixation_crosses_it(label):
    point = np.full((60, 2), 0.5)
    point[30:32] = np.nan
    found = label(track_of(point), FIELD_DEG)
    assert found.state.tolist() == [FIXATION] * 30 + [LOST] * 2 + [FIXATION] * 28
    assert len(fixations_s(found)) == 2


@pytest.mark.parametrize("label", [label_ivt, label_idt])
def test_a_gap_in_time_ends_a_fixation(label):
    time_s = np.concatenate([np.arange(30) / 200, 1 + np.arange(30) / 200])
    found = label(track_of(np.full((60, 2), 0.5), time_s=time_s), FIELD_DEG)
    assert [start_s for start_s, _ in fixations_s(found)] == [0.0, 1.0]


@pytest.mark.parametrize("label", [label_ivt, label_idt])
def test_what_is_too_short_to_judge_is_only_tracked(label):
    point = np.full((12, 2), np.nan)
    point[3], point[6:9] = 0.5, 0.5
    found = label(track_of(point), FIELD_DEG)
    assert found.state.tolist() == [LOST] * 3 + [TRACKED] + [LOST] * 2 + [TRACKED] * 3 + [LOST] * 3


@pytest.mark.parametrize("label", [label_ivt, label_idt])
def test_empty_and_lost_tracks_have_no_fixation(label):
    assert len(label(GazeTrack.lost(np.zeros(0)), FIELD_DEG)) == 0
    found = label(GazeTrack.lost(np.arange(5.0)), FIELD_DEG)
    assert not found.valid.any()
    assert fixations_s(found) == []


@pytest.mark.parametrize("label", [label_ivt, label_idt])
def test_labels_do_not_depend_on_where_the_clock_starts(label):
    point = steps(9)
    now, later = track_of(point), track_of(point, time_s=1000 + np.arange(len(point)) / 200)
    np.testing.assert_array_equal(label(now, FIELD_DEG).state, label(later, FIELD_DEG).state)
