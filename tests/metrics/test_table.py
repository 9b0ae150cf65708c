import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from regard.errors import TableError
from regard.metrics.adaptive_f1 import ESTIMATION_THRESHOLDS, chosen, f1_of, recall_precision
from regard.metrics.table import (
    corpus_f1,
    corpus_f1_interval,
    f1_columns,
    groups_of,
    mean_over_runs,
    paired,
    paired_difference,
    paired_f1_difference,
    summarise,
)
from regard.ops.heatmap import gaussian_maps, published_label_maps


def scores(num_recordings: int, num_items: int, *, between: float, within: float, seed: int = 0) -> pd.DataFrame:
    """Items of several recordings, whose means differ by `between` and whose items differ by `within`."""
    rng = np.random.default_rng(seed)
    mean = np.repeat(rng.normal(0, between, num_recordings), num_items)
    return pd.DataFrame(
        {
            "recording": np.repeat([f"r{i}" for i in range(num_recordings)], num_items),
            "time_s": np.tile(np.arange(num_items) / 10, num_recordings),
            "nss": mean + rng.normal(0, within, num_recordings * num_items),
        }
    )


def f1_table(n: int) -> pd.DataFrame:
    """Every fifth item is not scored."""
    generator = torch.Generator().manual_seed(0)
    point = torch.rand(n, 2, generator=generator)
    logits = torch.randn(n, 16, 16, generator=generator) + 200 * gaussian_maps(point, (16, 16), sigma_cells=2.0)
    point[::5] = torch.nan
    rows = recall_precision(logits, published_label_maps(point, (16, 16)), ESTIMATION_THRESHOLDS)
    columns = {"recording": [f"r{i % 4}" for i in range(n)], "time_s": np.arange(n) / 10}
    return pd.DataFrame(columns | {k: v.numpy() for k, v in f1_columns(*rows, ESTIMATION_THRESHOLDS).items()})


def interval(values: np.ndarray, groups: np.ndarray | None = None, **options) -> tuple[float, float]:
    """Of the mean; without groups each value is its own."""
    groups = np.arange(len(values)) if groups is None else groups
    table = pd.DataFrame({"recording": groups, "time_s": 0.0, "value": values})
    row = summarise(table, ["value"], **options).iloc[0]
    return row["low"], row["high"]


def test_groups_are_recordings_or_blocks_of_them():
    table = pd.DataFrame({"recording": ["a", "a", "a", "b"], "time_s": [0.0, 4.9, 5.0, 0.0]})
    assert groups_of(table).tolist() == [0, 0, 0, 1]
    assert groups_of(table, block_s=5.0).tolist() == [0, 0, 1, 2]


def test_bootstrap_of_single_items_agrees_with_scipy():
    values = np.random.default_rng(0).exponential(size=60)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert interval(values, num_draws=4000) == pytest.approx(theirs, abs=0.02)


def test_bootstrap_of_groups_of_one_size_is_the_bootstrap_of_their_means():
    table = scores(12, 50, between=1.0, within=0.1)
    clustered = interval(table["nss"].to_numpy(), groups_of(table))
    of_means = interval(table.groupby("recording")["nss"].mean().to_numpy())
    # Groups are numbered in the order of their names, and so are the means.
    np.testing.assert_allclose(clustered, of_means)


def test_correlated_frames_make_the_honest_interval_much_wider():
    table = scores(10, 100, between=1.0, within=0.5)
    honest = interval(table["nss"].to_numpy(), groups_of(table))
    naive = interval(table["nss"].to_numpy())
    assert honest[1] - honest[0] > 5 * (naive[1] - naive[0])


def test_about_95_of_100_intervals_hold_the_truth():
    hits = 0
    for seed in range(100):
        table = scores(25, 4, between=1.0, within=1.0, seed=seed)
        low, high = interval(table["nss"].to_numpy(), groups_of(table), num_draws=300)
        hits += low <= 0 <= high
    assert 86 <= hits <= 99


@given(st.integers(0, 1000), st.floats(-5, 5), st.floats(0.1, 3))
def test_intervals_move_and_stretch_with_the_values(seed: int, shift: float, scale: float):
    values = np.random.default_rng(seed).normal(size=20)
    plain = interval(values, num_draws=50)
    moved = interval(scale * values + shift, num_draws=50)
    np.testing.assert_allclose(moved, np.array(plain) * scale + shift, atol=1e-9)
    assert plain[0] <= plain[1]


def test_one_recording_alone_says_nothing_about_others_but_its_blocks_do():
    table = scores(1, 200, between=1.0, within=1.0)
    alone = summarise(table, ["nss"])
    assert np.isnan([alone["low"][0], alone["high"][0]]).all()
    blocks = summarise(table, ["nss"], block_s=2.0)
    assert blocks["low"][0] < blocks["value"][0] < blocks["high"][0]


def test_unscored_items_are_left_out_and_counted():
    table = scores(5, 10, between=1.0, within=1.0)
    table["kl"] = table["nss"].where(table["time_s"] < 0.5)
    table["nothing"] = np.nan
    rows = summarise(table, ["nss", "kl", "nothing"]).set_index("score")
    assert rows["num_items"].tolist() == [50, 25, 0]
    assert rows.loc["kl", "value"] == pytest.approx(table["kl"].mean())
    assert rows.loc["nothing"].drop("num_items").isna().all()


def test_an_empty_table_has_empty_scores():
    rows = summarise(scores(0, 0, between=1.0, within=1.0), ["nss"])
    assert rows["num_items"].tolist() == [0]
    assert np.isnan(rows["value"][0])


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).normal(size=30)
    assert interval(values, seed=3) == interval(values, seed=3)
    assert interval(values, seed=3) != interval(values, seed=4)


def test_scores_of_the_same_items_share_their_draws_and_others_do_without_theirs():
    table = scores(6, 10, between=1.0, within=1.0)
    table["kl"], table["auc"] = table["nss"].where(table["recording"] != "r3"), 2 * table["nss"]
    rows = summarise(table, ["nss", "kl", "auc"])
    pd.testing.assert_frame_equal(rows[["low", "high"]][2:], 2 * rows[["low", "high"]][:1].set_axis([2]))
    without = table[table["recording"] != "r3"]
    pd.testing.assert_frame_equal(rows[1:2], summarise(without, ["kl"]).set_axis([1]))


def test_draws_are_the_same_however_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch):
    table = scores(7, 3, between=1.0, within=1.0)
    at_once = summarise(table, ["nss"])
    monkeypatch.setattr("regard.metrics.table.DRAWN_AT_ONCE", 30)
    pd.testing.assert_frame_equal(summarise(table, ["nss"]), at_once)


def test_the_corpus_f1_can_be_recomputed_from_the_table():
    table = f1_table(50)
    recall, precision = (
        np.array([table[f"{name}@{t:.10g}"].mean() for t in ESTIMATION_THRESHOLDS]) for name in ("recall", "precision")
    )
    f1 = f1_of(recall, precision)
    for policy in ("oracle", 0.004, 0.018):
        i = chosen(f1, ESTIMATION_THRESHOLDS, policy)
        assert corpus_f1(table, policy) == pytest.approx((ESTIMATION_THRESHOLDS[i], f1[i], recall[i], precision[i]))


def test_the_f1_interval_holds_the_f1_and_the_oracle_is_never_worse():
    table = f1_table(60)
    fixed, oracle = (corpus_f1_interval(table, p, num_draws=200) for p in (0.02, "oracle"))
    assert fixed.low <= corpus_f1(table, 0.02).f1 <= fixed.high
    assert oracle.low >= fixed.low
    assert oracle.high >= fixed.high


def test_a_table_without_f1_columns_says_so():
    with pytest.raises(ValueError, match="recall@"):
        corpus_f1(scores(2, 2, between=1.0, within=1.0), "oracle")


def test_a_paired_difference_finds_what_two_intervals_would_hide():
    table = scores(10, 20, between=3.0, within=1.0)
    better = table.assign(nss=table["nss"] + 0.2 + np.random.default_rng(5).normal(0, 0.05, len(table)))
    first, second = summarise(table, ["nss"]), summarise(better, ["nss"])
    assert second["low"][0] < first["high"][0]
    rows = paired_difference(table, better, ["nss"])
    assert rows["difference"][0] == pytest.approx(0.2, abs=0.02)
    assert rows["low"][0] > 0.15
    assert rows["num_items"][0] == 200


def test_only_items_in_both_tables_are_compared():
    table = scores(3, 10, between=1.0, within=1.0)
    other = table[table["recording"] != "r2"].assign(nss=lambda t: t["nss"].where(t["time_s"] > 0))
    rows = paired_difference(table, other.sample(frac=1, random_state=0), ["nss"])
    assert rows["num_items"][0] == 18
    assert rows["difference"][0] == 0


def test_tables_that_cannot_be_paired_are_refused():
    table = scores(2, 3, between=1.0, within=1.0)
    with pytest.raises(TableError, match="in both"):
        paired_difference(table, table.assign(recording="elsewhere", time_s=np.arange(6.0)), ["nss"])
    with pytest.raises(TableError, match="second score table"):
        paired_difference(table, pd.concat([table, table]), ["nss"])


def test_items_of_several_horizons_and_overlapping_clips_are_told_apart():
    times = {"recording": ["r"] * 4, "clip_s": [0.0, 0.0, 0.5, 0.5], "time_s": [1.0, 1.5, 1.0, 1.5]}
    table = pd.DataFrame({**times, "ahead_s": [0.5, 1.0, 0.1, 0.6], "nss": [1.0, 2.0, 3.0, 4.0]})
    single = table.assign(ahead_s=table["ahead_s"].astype("float32").astype(float), nss=table["nss"] + [1, 2, 3, 4])
    rows = paired_difference(table, single.sample(frac=1, random_state=1), ["nss"], block_s=0.1)
    assert rows["num_items"][0] == 4
    assert rows["difference"][0] == pytest.approx(2.5)
    without = single.drop(columns=["clip_s", "ahead_s"])
    with pytest.raises(TableError, match="repeat an earlier recording, time_s"):
        paired_difference(table, without, ["nss"])


def test_the_paired_f1_difference_is_that_of_the_two_corpus_scores_on_their_common_items():
    table = f1_table(80)
    blurred = table.copy()
    sweep = [c for c in table if c.startswith(("recall@", "precision@"))]
    blurred[sweep] = table[sweep] * 0.9
    found = paired_f1_difference(table, blurred.sample(frac=1, random_state=0), "oracle", num_draws=200)
    assert found.difference == pytest.approx(-0.1 * corpus_f1(table, "oracle").f1, rel=1e-5)
    assert found.num_items == 64
    # each draw loses a tenth, however good it is: far narrower than the interval of either score
    alone = corpus_f1_interval(table, "oracle", num_draws=200)
    assert found.low <= found.difference <= found.high < 0
    assert found.high - found.low == pytest.approx(0.1 * (alone.high - alone.low), rel=1e-4)
    common = paired_f1_difference(table, blurred[:40], 0.01)
    expected = corpus_f1(blurred[:40], 0.01).f1 - corpus_f1(table[:40], 0.01).f1
    assert common.difference == pytest.approx(expected)
    assert common.num_items == 32


def test_the_f1_of_a_table_against_itself_does_not_differ():
    table = f1_table(20)
    assert paired_f1_difference(table, table, "oracle")[:3] == (0.0, 0.0, 0.0)


def test_several_runs_are_averaged_score_by_score():
    tables = [pd.DataFrame({"score": ["a", "b"], "value": [v, 1.0]}) for v in (0.1, 0.2, 0.6)]
    mean = mean_over_runs([*tables[:2], tables[2][:1]]).set_index("score")
    assert mean.loc["a", "mean"] == pytest.approx(0.3)
    assert mean.loc["a", "spread"] == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1))
    assert mean["runs"].tolist() == [3, 2]


def test_two_people_seen_at_one_moment_are_two_items():
    both = pd.DataFrame({"recording": "walk", "person": ["anna", "bert"], "time_s": 1.0, "right": [1.0, 0.0]})
    other = both.assign(right=[0.0, 0.0])
    found = paired(both, other, ["right"])
    assert found["right"].tolist() == [1.0, 0.0]
    assert found["right of other"].tolist() == [0.0, 0.0]
