import numpy as np
import pandas as pd
import pytest

from regard.metrics.by_condition import HINT, by_condition


def test_a_participants_recordings_count_once_and_nan_is_left_out():
    numbers = pd.DataFrame({"rate": [1.0, 3.0, 10.0, 5.0, np.nan], "never": [np.nan] * 5}, index=list("abcde"))
    table = by_condition(numbers, condition=["x", "x", "x", "y", "y"], participant=["p", "p", "q", "p", "q"])
    assert table["condition"].tolist() == ["x", "y"]
    assert table["median"].tolist() == [6.0, 5.0]  # of 2 (p's own median) and 10
    assert table["participants"].tolist() == [2, 1]
    assert table["recordings"].tolist() == [3, 1]
    assert (table.loc[0, "low"], table.loc[0, "high"]) == (2.0, 10.0)
    assert np.isnan(table.loc[1, "low"])
    assert table["reading"].tolist() == [HINT, HINT]
    assert set(table["measure"]) == {"rate"}


def test_the_interval_of_many_participants_is_that_of_order_statistics():
    values = np.random.default_rng(0).permutation(np.arange(101.0))
    table = by_condition(pd.DataFrame({"m": values}), condition=["x"] * 101, participant=range(101))
    # the binomial interval of the median's rank: 50 - 1.96 * sqrt(101) / 2 = 40 to 60
    assert table["median"].tolist() == [50.0]
    assert table.loc[0, "low"] == pytest.approx(40, abs=2)
    assert table.loc[0, "high"] == pytest.approx(60, abs=2)
    assert table["reading"].tolist() == [""]


def test_no_recordings_give_no_rows():
    assert by_condition(pd.DataFrame({"m": []}), condition=[], participant=[]).empty
