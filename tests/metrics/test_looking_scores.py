"""The official scores of "looking at me" against the golden ones, by hand and at their edges."""

import numpy as np
import pytest

from golden_rule import Golden
from regard.metrics.average_precision import interpolated
from regard.metrics.looking import (
    ap_looking,
    ap_looking_uninterpolated,
    ap_not_looking,
    mean_ap,
    official_differences,
    official_intervals,
)

GOLDEN = Golden.read("lam_map_metric")
CASES = GOLDEN.about["cases"]
UNTIED = ("random200", "small12_noties", "perfect", "inverted")


def case(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and who looks."""
    return GOLDEN.arrays[f"{name}__score"].astype(np.float64), GOLDEN.arrays[f"{name}__gt"].astype(bool)


@pytest.mark.parametrize("name", [name for name, about in CASES.items() if "mAP" in about])
def test_the_golden_order_gives_the_golden_average_precision(name: str):
    _, looking = case(name)
    for number, (positive, key) in enumerate(((~looking, "AP_not_looking"), (looking, "AP_looking"))):
        order = GOLDEN.arrays[f"{name}__order_class{number}"]
        assert interpolated(positive[order]) == pytest.approx(CASES[name][key], abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", CASES)
def test_equal_scores_stay_in_their_order(name: str):
    score, looking = case(name)
    wanted = CASES[name]
    assert ap_looking(score, looking) == pytest.approx(wanted["restated_stable_AP_looking"], abs=1e-12, nan_ok=True)
    assert ap_not_looking(score, looking) == pytest.approx(
        wanted["restated_stable_AP_not_looking"], abs=1e-12, nan_ok=True
    )
    if looking.any():
        assert ap_looking_uninterpolated(score, looking) == pytest.approx(wanted["sklearn_AP_looking"])


@pytest.mark.parametrize("name", UNTIED)
def test_the_mean_of_the_two_is_the_official_score(name: str):
    assert mean_ap(*case(name)) == pytest.approx(CASES[name]["mAP"], abs=1e-12)


@pytest.mark.parametrize("name", ["no_positive_looking", "no_negative", "single_row_positive"])
def test_a_class_without_a_face_gives_no_mean(name: str):
    assert np.isnan(mean_ap(*case(name)))


def test_a_paired_difference_is_nearer_than_two_intervals():
    rng = np.random.default_rng(0)
    looking = rng.random(600) < 0.2
    groups = np.repeat(np.arange(30), 20)
    first = looking * 0.2 + rng.random(600) * 0.6 + rng.normal(size=30)[groups] * 0.1
    other = first + looking * 0.1
    gain = official_differences(first, other, looking, groups=groups)["map"]
    assert gain.difference == pytest.approx(mean_ap(other, looking) - mean_ap(first, looking))
    assert 0 < gain.low < gain.difference < gain.high
    low, high = official_intervals(first, looking, groups=groups)["map"]
    assert gain.high - gain.low < high - low
    assert low < mean_ap(first, looking) < high
    assert official_differences(first, first, looking, groups=groups)["ap_looking"][:3] == (0, 0, 0)
