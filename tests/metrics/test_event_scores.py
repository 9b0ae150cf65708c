import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from regard.metrics.events import event_f1, sample_f1


def spans(*pairs: tuple[float, float]) -> np.ndarray:
    return np.array(pairs, np.float64).reshape(-1, 2)


def test_samples_agree_with_sklearn():
    rng = np.random.default_rng(0)
    found, labelled = rng.random(500) < 0.4, rng.random(500) < 0.6
    assert sample_f1(found, labelled).f1 == pytest.approx(f1_score(labelled, found))


def test_events_worked_by_hand():
    labelled = spans((0, 1), (2, 3), (4, 5))
    # 0.9 of 1.1; 0.5 of 1.0, which is not more than half; none
    found = spans((0.1, 1.1), (2.5, 3.0), (6, 7), (8, 9))
    score = event_f1(found, labelled)
    assert (score.found, score.labelled, score.right) == (4, 3, 1)
    assert score.f1 == pytest.approx(2 / 7)


def test_one_long_event_is_no_two_short_ones_and_the_other_way_round():
    one, two = spans((0, 2)), spans((0, 0.9), (1.1, 2))
    assert event_f1(one, two).right == event_f1(two, one).right == 0


def test_nothing_found_is_0_and_nothing_to_find_or_found_is_unknown():
    some, none = spans((0, 1)), spans()
    assert event_f1(none, some).f1 == event_f1(some, none).f1 == 0
    assert np.isnan(event_f1(none, none).f1)
    assert np.isnan(sample_f1(np.zeros(3, bool), np.zeros(3, bool)).f1)


times = st.lists(st.integers(0, 200), min_size=0, max_size=24, unique=True).map(sorted)


@given(times, times)
def test_found_and_labelled_may_change_places_and_each_pair_is_found(a: list[int], b: list[int]):
    first, second = (np.array(x[: len(x) // 2 * 2], np.float64).reshape(-1, 2) for x in (a, b))
    right = sum(
        min(e, v) - max(s, u) > 0.5 * (max(e, v) - min(s, u)) for s, e in first.tolist() for u, v in second.tolist()
    )
    assert event_f1(first, second).right == event_f1(second, first).right == right


def test_overlapping_events_and_a_small_share_are_refused():
    with pytest.raises(ValueError, match="overlap"):
        event_f1(spans((0, 2), (1, 3)), spans())
    with pytest.raises(ValueError, match="at least"):
        event_f1(spans(), spans(), min_iou=0.3)
