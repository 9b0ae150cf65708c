"""Scores of recognised classes, by hand, against scikit-learn, and at their edges."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, top_k_accuracy_score

from golden_rule import Golden, golden_input
from regard.metrics.labels import (
    class_accuracy,
    class_table,
    confusion,
    implied,
    mean_class_accuracy,
    mean_class_interval,
    prior_corrected,
    shares_time,
    top_k_correct,
)

LABEL = np.array([0, 0, 0, 1, 1, 3])
ANSWER = np.array([0, 0, 1, 1, 0, 3])


def test_two_frequent_classes_and_a_rare_one_by_hand():
    counts = confusion(LABEL, ANSWER, num_classes=4)
    assert counts.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(class_accuracy(counts), [2 / 3, 1 / 2, np.nan, 1])
    assert mean_class_accuracy(counts) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert mean_class_accuracy(counts, empty="zero") == pytest.approx((2 / 3 + 1 / 2 + 1) / 4)


def test_nothing_scored_is_not_a_number():
    counts = confusion(np.zeros(0, np.int64), np.zeros(0, np.int64), num_classes=3)
    assert np.isnan(mean_class_accuracy(counts))


def test_scikit_learn_agrees():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 7))
    label = rng.integers(0, 7, 500)
    predicted = logits.argmax(axis=1)
    counts = confusion(label, predicted, num_classes=7)
    np.testing.assert_array_equal(counts, confusion_matrix(label, predicted, labels=range(7)))
    assert mean_class_accuracy(counts) == pytest.approx(balanced_accuracy_score(label, predicted))
    found = top_k_correct(logits, label, 3).mean()
    assert found == pytest.approx(top_k_accuracy_score(label, logits, k=3, labels=range(7)))


def test_the_published_accuracies_are_met():
    counts = golden_input("cm").integers(0, 9, (106, 106))
    counts[5] = 0
    golden = Golden.read("ga_utils").about["losses"]
    assert 100 * mean_class_accuracy(counts, empty="zero") == pytest.approx(golden["mean_class_acc"], rel=1e-6)
    assert 100 * np.trace(counts) / counts.sum() == pytest.approx(golden["overall"], rel=1e-6)


def test_an_answer_that_tells_nothing_apart_is_not_among_the_best():
    assert not top_k_correct(np.zeros((1, 6)), np.array([0]), 5)[0]
    assert top_k_correct(np.zeros((1, 6)), np.array([0]), 6)[0]


def test_the_interval_holds_the_mean_and_narrows_with_more_recordings():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 4, 2000)
    correct = (rng.random(2000) < 0.6) * 1.0
    few = mean_class_interval(correct[:100], label[:100], groups=np.arange(100) // 10)
    many = mean_class_interval(correct, label, groups=np.arange(2000) // 10)
    assert many.low < 0.6 < many.high
    assert many.high - many.low < few.high - few.low
    assert np.isnan(mean_class_interval(correct[:5], label[:5], groups=np.zeros(5, np.int64)).low)


def test_the_interval_of_equal_answers_difference_is_zero():
    interval = mean_class_interval(np.zeros(20), np.arange(20) % 3, groups=np.arange(20))
    assert interval == (0.0, 0.0)


def test_the_table_says_what_a_class_is_taken_for():
    table = class_table(LABEL, ANSWER, names=["cut", "stir", "wipe", "pour"])
    assert list(table["name"]) == ["cut", "stir", "pour"]
    assert list(table["taken_for"]) == ["stir", "cut", ""]
    np.testing.assert_allclose(table["taken_for_share"], [1 / 3, 1 / 2, 0])


def test_a_verb_is_read_off_the_action_where_actions_have_one():
    known, verb = np.array([0, 1, 2, 0]), np.array([5, 5, 6, 5])
    found = implied(np.array([2, 0, 9]), known, verb)
    assert found is not None
    assert found.tolist() == [6, 5, -1]
    assert implied(np.array([0]), np.array([0, 0]), np.array([1, 2])) is None


def test_stretches_that_only_touch_share_no_time():
    start, end = np.array([0.0, 2.0, 9.0]), np.array([1.0, 3.0, 10.0])
    assert shares_time(start, end, np.array([1.0, 2.9]), np.array([2.0, 3.5])).tolist() == [False, True, False]
    assert shares_time(start, end, np.zeros(0), np.zeros(0)).tolist() == [False] * 3


def test_of_egteas_test_clips_three_quarters_share_no_frame_with_training(real_data):
    with np.load(real_data / "egtea_gaze" / "egtea_gaze.npz") as extract:
        session, frames, has_gaze = extract["video"], extract["frames"], np.diff(extract["offsets"]) > 0
        is_test = extract["split"][:, 0] == 1
    clean = 0
    for name in np.unique(session):
        test, train = (frames[(session == name) & has_gaze & chosen] for chosen in (is_test, ~is_test))
        shared = shares_time(test[:, 0] * 1.0, test[:, 1] + 1.0, train[:, 0] * 1.0, train[:, 1] + 1.0)
        clean += int((~shared).sum())
    assert clean == 1462


def test_correcting_for_the_prior_divides_probabilities_by_the_classes_shares():
    logits = np.log(np.array([[0.6, 0.3, 0.1], [0.75, 0.05, 0.2]]))
    shares = np.array([6, 3, 1])
    corrected = np.exp(prior_corrected(logits, shares))
    np.testing.assert_allclose(corrected, [[1.0, 1.0, 1.0], [1.25, 1 / 6, 2.0]])
    np.testing.assert_array_equal(prior_corrected(logits, shares, strength=0.0), logits)
    half = np.exp(prior_corrected(logits, shares, strength=0.5))
    np.testing.assert_allclose(half[0], np.sqrt([0.6, 0.3, 0.1]))


def test_a_class_that_was_never_trained_on_is_never_answered():
    corrected = prior_corrected(np.zeros((1, 3)), np.array([4, 0, 4]), strength=0.5)
    assert corrected[0, 1] == -np.inf
    assert np.isfinite(corrected[0, [0, 2]]).all()
