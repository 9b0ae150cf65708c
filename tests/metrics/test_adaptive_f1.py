import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_score, recall_score

from regard.metrics.adaptive_f1 import (
    ESTIMATION_THRESHOLDS,
    FORECAST_ARIA_THRESHOLDS,
    FORECAST_EGO4D_THRESHOLDS,
    chosen,
    f1_of,
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


def sweep(logits: torch.Tensor, label_map: torch.Tensor, thresholds: tuple[float, ...]) -> tuple[np.ndarray, ...]:
    """Recall and precision averaged over frames, as the papers do, and the F1 of the two."""
    recall, precision = (r.double().mean(0).numpy() for r in recall_precision(logits, label_map, thresholds))
    return recall, precision, f1_of(recall, precision)


@pytest.mark.parametrize("name", SWEEPS)
def test_the_whole_sweep_equals_the_golden_one(golden, published: dict, name: str):
    logits, label_map, gaze_type, _ = golden
    fixation = gaze_type == 0
    found = np.stack([SWEEPS[name], *sweep(log_density(logits[fixation]), label_map[fixation], SWEEPS[name])], axis=1)
    np.testing.assert_allclose(found, published[name], atol=7e-8, rtol=0)


def test_the_oracle_equals_the_published_choice(golden, published: dict):
    logits, label_map, gaze_type, _ = golden
    for key, thresholds, fixation in (
        ("csts/ego4d_av_gaze_forecast", FORECAST_EGO4D_THRESHOLDS, 0),
        ("csts/aria_av_gaze_forecast", FORECAST_ARIA_THRESHOLDS, 0),
        ("glc/adaptive_f1/egteagaze", ESTIMATION_THRESHOLDS, 1),
    ):
        counted = gaze_type == fixation
        recall, precision, f1 = sweep(logits[counted], label_map[counted], thresholds)
        best = chosen(f1, thresholds, "oracle")
        assert [f1[best], recall[best], precision[best], thresholds[best]] == pytest.approx(published[key], abs=1e-6)


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


def test_frames_are_scored_one_by_one_however_they_arrive():
    logits, label_map = frames(150)
    whole = torch.stack(recall_precision(logits, label_map, ESTIMATION_THRESHOLDS))
    parts = [
        torch.stack(recall_precision(p, q, ESTIMATION_THRESHOLDS))
        for p, q in zip(logits.split([0, 1, 49, 100]), label_map.split([0, 1, 49, 100]), strict=True)
    ]
    assert torch.equal(torch.cat(parts, dim=1), whole)


@settings(max_examples=30)
@given(
    arrays(np.float32, (3, 5, 7), elements=st.sampled_from([-4.0, 0.0, 0.5, 1.0, 7.0])),
    arrays(np.float32, (3, 5, 7), elements=st.sampled_from([0.0, 0.001, 0.0011, 1.0])),
    st.sets(st.floats(0, 1, width=32), min_size=1, max_size=5).map(sorted),
)
def test_counts_are_those_of_a_pass_for_each_threshold(maps: np.ndarray, labels: np.ndarray, thresholds: list[float]):
    logits, label_map = torch.from_numpy(maps), torch.from_numpy(labels)
    recall, precision = recall_precision(logits, label_map, thresholds)
    gazed = label_map > 0.001
    for k, threshold in enumerate(thresholds):
        above = rescaled_published(logits) > threshold
        hit = (above & gazed).sum((1, 2))
        torch.testing.assert_close(recall[:, k], hit / (gazed.sum((1, 2)) + 1e-6))
        torch.testing.assert_close(precision[:, k], hit / (above.sum((1, 2)) + 1e-6))


def test_a_threshold_chosen_elsewhere_is_not_chosen_again():
    validation, test = (sweep(*frames(20, seed=seed), FORECAST_EGO4D_THRESHOLDS)[2] for seed in (1, 2))
    best = chosen(validation, FORECAST_EGO4D_THRESHOLDS, "oracle")
    assert chosen(test, FORECAST_EGO4D_THRESHOLDS, FORECAST_EGO4D_THRESHOLDS[best]) == best
    assert test[best] <= test[chosen(test, FORECAST_EGO4D_THRESHOLDS, "oracle")]
    with pytest.raises(ValueError, match="not in the sweep"):
        chosen(test, FORECAST_EGO4D_THRESHOLDS, 0.5)


def test_the_first_of_equally_good_thresholds_is_chosen_in_each_sweep():
    f1 = np.array([[0.1, 0.5, 0.5], [0.7, 0.2, 0.7]])
    assert chosen(f1, (0.1, 0.2, 0.3), "oracle").tolist() == [1, 0]
    assert chosen(f1, (0.1, 0.2, 0.3), 0.3).tolist() == [2, 2]


def test_a_nan_in_either_map_is_nan_and_leaves_its_neighbours_alone():
    logits, label_map = frames(4)
    logits[1, 0, 0], label_map[3, 0, 0] = torch.nan, torch.nan
    for score in recall_precision(logits, label_map, ESTIMATION_THRESHOLDS):
        assert score.isnan().all(1).tolist() == [False, True, False, True]
        assert not score[::2].isnan().any()


def test_no_maps_give_no_scores():
    recall, precision = recall_precision(torch.zeros(0, 8, 8), torch.zeros(0, 8, 8), ESTIMATION_THRESHOLDS)
    assert recall.shape == precision.shape == (0, len(ESTIMATION_THRESHOLDS))


def test_a_flat_prediction_predicts_nothing():
    _, label_map = frames(2)
    recall, precision = recall_precision(torch.zeros(2, 16, 16), label_map, ESTIMATION_THRESHOLDS)
    assert not recall.any()
    assert not precision.any()


def test_ten_thousand_maps_stay_under_100_mb():
    """A process of its own, because only a fresh peak of resident memory says what the maps took."""
    program = """
import resource, torch
torch.set_num_threads(1)
from regard.metrics.adaptive_f1 import FORECAST_EGO4D_THRESHOLDS, recall_precision
from regard.ops.heatmap import published_label_maps
generator = torch.Generator().manual_seed(0)
noise, label_map = torch.randn(64, 64, generator=generator), published_label_maps(torch.full((2,), 0.5))
recall_precision(noise[None], label_map[None], FORECAST_EGO4D_THRESHOLDS)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
recall, _ = recall_precision(noise.expand(10_000, 64, 64), label_map.expand(10_000, 64, 64), FORECAST_EGO4D_THRESHOLDS)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(recall), after - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    num_frames, grown = (int(n) for n in done.stdout.split())
    kilobyte = 1 if sys.platform == "darwin" else 1024
    assert num_frames == 10_000
    assert grown * kilobyte < 100e6, f"grew by {grown * kilobyte / 1e6:.0f} MB"
