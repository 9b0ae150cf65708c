"""Average precision of a yes-or-no question, by hand, against scikit-learn, and at its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from regard.metrics.average_precision import falling, interpolated, intervals, uninterpolated


def test_the_precision_at_a_recall_is_the_best_at_that_recall_or_a_higher_one():
    ordered = np.array([False, True, True, False, True])
    assert interpolated(ordered) == pytest.approx((2 / 3 + 2 / 3 + 3 / 5) / 3)


def test_uninterpolated_precision_is_that_at_the_recall_itself():
    score, positive = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([False, True, True, False, True])
    assert uninterpolated(score, positive) == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 3)


@given(seed=st.integers(0, 10_000), digits=st.integers(1, 4))
def test_scikit_learn_agrees_also_on_equal_scores(seed: int, digits: int):
    rng = np.random.default_rng(seed)
    score, positive = rng.random(50).round(digits), rng.random(50) < 0.3
    positive[0] = True
    assert uninterpolated(score, positive) == pytest.approx(average_precision_score(positive, score))


def test_equal_scores_stay_in_the_order_in_which_they_stand():
    assert falling(np.array([0.5, 0.7, 0.5, 0.7, 0.5])).tolist() == [1, 3, 0, 2, 4]


@given(seed=st.integers(0, 10_000))
def test_a_weight_counts_an_item_so_often(seed: int):
    rng = np.random.default_rng(seed)
    positive, weight = rng.random(30) < 0.4, rng.integers(0, 4, 30)
    repeated = interpolated(np.repeat(positive, weight))
    assert interpolated(positive, weight.astype(float)) == pytest.approx(repeated, nan_ok=True)


@pytest.mark.parametrize("positive", [np.zeros(0, bool), np.zeros(3, bool)])
def test_without_a_positive_there_is_no_average_precision(positive):
    assert np.isnan(interpolated(positive))
    assert np.isnan(uninterpolated(np.zeros(len(positive)), positive))


def test_the_interval_holds_what_most_draws_of_groups_say():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    values = rng.normal(size=40)[groups]
    ((low, high),) = intervals(lambda weight: [float(values @ weight / weight.sum())], groups)
    wanted = 1.96 * values[::10].std() / np.sqrt(40)
    assert (high - low) / 2 == pytest.approx(wanted, rel=0.15)


def test_one_group_gives_no_interval():
    assert np.isnan(intervals(lambda _: [1.0], np.zeros(5, np.int64))).all()
    assert np.isnan(intervals(lambda _: [float("nan")], np.arange(5))).all()
