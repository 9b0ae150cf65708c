"""From scores to episodes: medians over seconds, and stretches of them."""

import numpy as np
import pytest

from regard.ops.episodes import median_over_time, stretches


def test_a_median_over_time_takes_one_flicker_away_and_counts_seconds_and_not_frames():
    time_s = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 2.0])
    value = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    assert median_over_time(time_s, value, window_s=0.2).tolist() == [1, 1, 1, 1, 1, 0]
    assert median_over_time(time_s, value, window_s=0.0) is value


def test_unknown_values_count_nowhere_and_take_the_median_of_those_around_them():
    smooth = median_over_time(np.arange(5) / 10, np.array([0.2, np.nan, 0.4, np.nan, np.nan]), window_s=0.2)
    assert smooth[:4] == pytest.approx([0.2, 0.3, 0.4, 0.4])
    assert np.isnan(smooth[4])


def test_stretches_end_where_their_last_moment_ends_and_not_in_a_hole():
    time_s = np.array([0.0, 0.1, 0.2, 1.0, 1.1])
    found = stretches(time_s, np.array([True, True, True, True, False]), min_s=0.05)
    assert [(round(s.start_s, 3), round(s.end_s, 3)) for s in found] == [(0.0, 0.3), (1.0, 1.1)]


def test_a_short_break_does_not_end_a_stretch_and_a_short_stretch_is_none():
    time_s = np.arange(40) / 20
    holds = np.zeros(40, bool)
    holds[[*range(2, 8), *range(10, 16), 30]] = True
    (found,) = stretches(time_s, holds, min_s=0.1, max_gap_s=0.1)
    assert (found.first, found.last) == (2, 15)
    assert len(stretches(time_s, holds, min_s=0.05, max_gap_s=0.05)) == 3


def test_nothing_and_a_single_moment_are_no_trouble():
    assert stretches(np.zeros(0), np.zeros(0, bool)) == []
    assert stretches(np.zeros(1), np.ones(1, bool), min_s=0.0)[0].end_s == 0.0
    assert len(median_over_time(np.zeros(0), np.zeros(0), window_s=1.0)) == 0
