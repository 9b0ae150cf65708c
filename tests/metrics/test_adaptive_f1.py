import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

from regard.metrics.adaptive_f1 import (
    ESTIMATION_THRESHOLDS,
    FORECAST_ARIA_THRESHOLDS,
    FORECAST_EGO4D_THRESHOLDS,
    AdaptiveF1,
    recall_precision,
    rescaled_published,
)
from regard.ops.heatmap import gaussian_maps, log_density, published_label_maps

GOLDEN = Path(__file__).parents[1] / "golden" / "gaze_antic_misc"
SWEEPS = {
    "sweep_ego4d_forecast": FORECAST_EGO4D_THRESHOLDS,
    "sweep_aria_forecast": FORECAST_ARIA_THRESHOLDS,
    "sweep_estimation": ESTIMATION_THRESHOLDS,
}


@pytest.fixture(scope="module")
def golden() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, label maps, gaze types and rescaled maps of 24 frames."""
    with np.load(GOLDEN.with_suffix(".npz")) as arrays:
        logits, labels = torch.from_numpy(arrays["met_logits"]), torch.from_numpy(arrays["met_labels"]).flatten(0, 1)
        rescaled = torch.from_numpy(arrays["met_rescaled"]).flatten(0, 2)
    return logits.flatten(0, 2), published_label_maps(labels[:, :2]).float(), labels[:, 2], rescaled


@pytest.fixture(scope="module")
def published() -> dict:
    return json.loads(GOLDEN.with_suffix(".json").read_text())["metrics"]["values"]


def frames(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    point = torch.rand(n, 2, generator=generator)
    noise = torch.randn(n, 16, 16, generator=generator)
    return noise + 200 * gaussian_maps(point, (16, 16), sigma_cells=2.0), published_label_maps(point, (16, 16))


def test_rescaled_maps_equal_the_golden_ones_from_logits_and_from_log_densities(golden):
    logits, _, _, rescaled = golden
    torch.testing.assert_close(rescaled_published(logits), rescaled, atol=1e-6, rtol=0)
    torch.testing.assert_close(rescaled_published(log_density(logits)), rescaled, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", SWEEPS)
def test_the_whole_sweep_equals_the_golden_one(golden, published: dict, name: str):
    logits, label_map, gaze_type, _ = golden
    score = AdaptiveF1(SWEEPS[name])
    for start in range(0, 24, 5):
        part = slice(start, start + 5)
        score.update(log_density(logits[part]), label_map[part], valid=gaze_type[part] == 0)
    found = [[s.threshold, s.recall, s.precision, s.f1] for s in score.sweep()]
    np.testing.assert_allclose(found, published[name], atol=1e-6, rtol=0)


def test_the_oracle_equals_the_published_choice(golden, published: dict):
    logits, label_map, gaze_type, _ = golden
    for key, thresholds, fixation in (
        ("csts/ego4d_av_gaze_forecast", FORECAST_EGO4D_THRESHOLDS, 0),
        ("csts/aria_av_gaze_forecast", FORECAST_ARIA_THRESHOLDS, 0),
        ("glc/adaptive_f1/egteagaze", ESTIMATION_THRESHOLDS, 1),
    ):
        score = AdaptiveF1(thresholds)
        score.update(logits, label_map, valid=gaze_type == fixation)
        best = score.score("oracle")
        found = [best.f1, best.recall, best.precision, best.threshold]
        assert found == pytest.approx(published[key], abs=1e-6)


def test_one_frame_worked_by_hand():
    # exp(logits / 2) is 1, 2, 3, 5 (times a constant): rescaled 0, 1/4, 1/2, 1.
    logits = 2 * torch.tensor([[[1.0, 2.0], [3.0, 5.0]]]).log()
    label_map = torch.tensor([[[0.0, 0.5], [0.0, 0.5]]])
    recall, precision = recall_precision(logits, label_map, (0.1, 0.3, 0.9))
    torch.testing.assert_close(recall, torch.tensor([[1.0, 0.5, 0.5]]), atol=2e-6, rtol=0)
    torch.testing.assert_close(precision, torch.tensor([[2 / 3, 0.5, 1.0]]), atol=2e-6, rtol=0)


def test_recall_and_precision_agree_with_sklearn():
    logits, label_map = frames(6)
    recall, precision = recall_precision(logits, label_map, FORECAST_EGO4D_THRESHOLDS)
    for i, predicted in enumerate(rescaled_published(logits).numpy()):
        truth = label_map[i].numpy().ravel() > 0.001
        for k, threshold in enumerate(FORECAST_EGO4D_THRESHOLDS):
            above = predicted.ravel() > np.float32(threshold)
            assert recall[i, k].item() == pytest.approx(recall_score(truth, above), abs=1e-5)
            assert precision[i, k].item() == pytest.approx(precision_score(truth, above), abs=1e-5)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), st.integers(1, 3))
def test_the_score_does_not_depend_on_how_the_frames_arrive(sizes: list[int], workers: int):
    logits, label_map = frames(sum(sizes), seed=len(sizes))
    whole = AdaptiveF1(ESTIMATION_THRESHOLDS)
    whole.update(logits, label_map)
    parts = [AdaptiveF1(ESTIMATION_THRESHOLDS) for _ in range(workers)]
    for i, (p, q) in enumerate(zip(logits.split(sizes), label_map.split(sizes), strict=True)):
        parts[i % workers].update(p, q)
    for other in parts[1:]:
        parts[0].merge(other)
    assert parts[0].num_frames == whole.num_frames
    np.testing.assert_allclose([s.f1 for s in parts[0].sweep()], [s.f1 for s in whole.sweep()], rtol=1e-6)


def test_a_threshold_chosen_elsewhere_is_not_chosen_again():
    validation, test = AdaptiveF1(FORECAST_EGO4D_THRESHOLDS), AdaptiveF1(FORECAST_EGO4D_THRESHOLDS)
    validation.update(*frames(20, seed=1))
    test.update(*frames(20, seed=2))
    chosen = validation.score("oracle").threshold
    assert test.score(chosen).threshold == chosen
    assert test.score(chosen).f1 <= test.score("oracle").f1
    with pytest.raises(ValueError, match="not in the sweep"):
        test.score(0.5)


def test_frames_that_do_not_count_are_nan_in_the_rows_and_absent_from_the_score():
    logits, label_map = frames(4)
    label_map[3] = torch.nan
    valid = torch.tensor([True, False, True, True])
    score, expected = AdaptiveF1(ESTIMATION_THRESHOLDS), AdaptiveF1(ESTIMATION_THRESHOLDS)
    recall, precision = score.update(logits, label_map, valid=valid)
    expected.update(logits[[0, 2]], label_map[[0, 2]])
    assert score.num_frames == 2
    assert score.sweep() == expected.sweep()
    assert recall.isnan().all(1).tolist() == [False, True, False, True]
    assert precision.isnan().all(1).tolist() == [False, True, False, True]


def test_a_nan_prediction_is_not_passed_over_in_silence():
    logits, label_map = frames(3)
    logits[1, 0, 0] = torch.nan
    score = AdaptiveF1(ESTIMATION_THRESHOLDS)
    score.update(logits, label_map)
    assert np.isnan(score.score(0.02).f1)


def test_nothing_scored_is_nan():
    score = AdaptiveF1(ESTIMATION_THRESHOLDS)
    score.update(torch.zeros(0, 8, 8), torch.zeros(0, 8, 8))
    assert np.isnan(score.score("oracle").f1)
    assert score.num_frames == 0


def test_a_flat_prediction_predicts_nothing():
    _, label_map = frames(2)
    recall, precision = recall_precision(torch.zeros(2, 16, 16), label_map, ESTIMATION_THRESHOLDS)
    assert not recall.any()
    assert not precision.any()


def test_thresholds_must_increase_and_agree():
    with pytest.raises(ValueError, match="increasing"):
        AdaptiveF1([0.2, 0.1])
    with pytest.raises(ValueError, match="at least one"):
        AdaptiveF1([])
    with pytest.raises(ValueError, match="differ"):
        AdaptiveF1([0.1]).merge(AdaptiveF1([0.2]))


def test_forty_thousand_maps_stay_under_200_mb():
    """A process of its own, because only a fresh peak of resident memory says what the maps took."""
    program = """
import resource, torch
torch.set_num_threads(1)
from regard.metrics.adaptive_f1 import FORECAST_EGO4D_THRESHOLDS, AdaptiveF1
from regard.ops.heatmap import published_label_maps
generator = torch.Generator().manual_seed(0)
score = AdaptiveF1(FORECAST_EGO4D_THRESHOLDS)
score.update(torch.zeros(1, 64, 64), published_label_maps(torch.full((1, 2), 0.5)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
noise = torch.randn(500, 64, 64, generator=generator)
for _ in range(80):
    score.update(noise, published_label_maps(torch.rand(500, 2, generator=generator)))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(score.num_frames, after - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    num_frames, grown = (int(n) for n in done.stdout.split())
    kilobyte = 1 if sys.platform == "darwin" else 1024
    assert num_frames == 40_001
    assert grown * kilobyte < 200e6, f"grew by {grown * kilobyte / 1e6:.0f} MB"
