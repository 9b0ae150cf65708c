import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import rel_entr
from sklearn.metrics import roc_auc_score

from regard.metrics.heatmaps import (
    auc_judd,
    auc_judd_on_map,
    cc,
    centre_of_mass_auc_published,
    information_gain,
    kl,
    nss,
    nss_on_map,
    sim,
)
from regard.ops.heatmap import gaussian_maps, log_density, published_label_maps

GOLDEN = Path(__file__).parents[1] / "golden" / "gaze_antic_misc"
NAN = math.nan
HAND = torch.tensor([[0.1, 0.2], [0.3, 0.4]], dtype=torch.float64)
"""Four cells; mean 0.25, standard deviation sqrt(0.0125)."""
CORNERS = torch.tensor([[0.2, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.8]], dtype=torch.float64)


def maps(n: int, *, size: tuple[int, int] = (9, 12), seed: int = 0) -> torch.Tensor:
    """Log densities."""
    generator = torch.Generator().manual_seed(seed)
    return log_density(2 * torch.randn(n, *size, generator=generator, dtype=torch.float64))


def points(n: int) -> torch.Tensor:
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def cell(point: torch.Tensor, size: tuple[int, int] = (9, 12)) -> tuple[int, int]:
    return int(point[1] * size[0]), int(point[0] * size[1])


def test_nss_worked_by_hand():
    found = nss(HAND.log().expand(4, 2, 2), CORNERS)
    expected = torch.tensor([-0.15, -0.05, 0.05, 0.15], dtype=torch.float64) / math.sqrt(0.0125)
    torch.testing.assert_close(found, expected)


def test_nss_agrees_with_scipy():
    density, point = maps(20), points(20)
    expected = [stats.zscore(d.exp().numpy(), axis=None)[cell(p)] for d, p in zip(density, point, strict=True)]
    np.testing.assert_allclose(nss(density, point).numpy(), expected)


def test_nss_of_several_fixations_is_the_mean_of_each():
    density = maps(1)
    point = points(6)
    fixations = torch.zeros(1, 9, 12, dtype=torch.float64)
    for p in point:
        fixations[0][cell(p)] += 1
    each = nss(density.expand(6, 9, 12), point)
    torch.testing.assert_close(nss_on_map(density, fixations)[0], each.mean())
    assert nss_on_map(density, torch.zeros_like(fixations)).isnan().all()


def test_a_density_scores_zero_nss_against_chance():
    density = maps(5)
    torch.testing.assert_close(
        nss_on_map(density, torch.ones(5, 9, 12, dtype=torch.float64)), torch.zeros(5, dtype=torch.float64)
    )


def test_kl_worked_by_hand_runs_from_target_to_prediction():
    target = torch.tensor([[0.5, 0.5, 0.0]])
    predicted = torch.tensor([[0.25, 0.5, 0.25]])
    torch.testing.assert_close(kl(predicted.log(), target), torch.tensor(0.5 * math.log(2)))
    assert kl(target.log(), predicted).item() == math.inf


def test_kl_agrees_with_scipy_and_vanishes_on_itself():
    predicted, target = maps(10), maps(10, seed=1).exp()
    expected = rel_entr(target.numpy(), predicted.exp().numpy()).sum((1, 2))
    np.testing.assert_allclose(kl(predicted, target).numpy(), expected)
    torch.testing.assert_close(kl(predicted, predicted.exp()), torch.zeros(10, dtype=torch.float64))
    assert (kl(predicted, target) > 0).all()


def test_cc_agrees_with_scipy_and_is_one_on_itself():
    predicted, target = maps(10), maps(10, seed=1).exp()
    expected = [stats.pearsonr(p.exp().flatten(), t.flatten())[0] for p, t in zip(predicted, target, strict=True)]
    np.testing.assert_allclose(cc(predicted, target).numpy(), expected)
    torch.testing.assert_close(cc(predicted, 3 * predicted.exp() + 1), torch.ones(10, dtype=torch.float64))


def test_sim_worked_by_hand():
    other = torch.tensor([[0.4, 0.3], [0.2, 0.1]], dtype=torch.float64)
    assert sim(HAND.log(), other).item() == pytest.approx(0.1 + 0.2 + 0.2 + 0.1)
    assert sim(HAND.log(), HAND).item() == pytest.approx(1.0)


def test_sim_is_one_minus_half_the_absolute_difference():
    predicted, target = maps(10), maps(10, seed=1).exp()
    expected = 1 - 0.5 * (predicted.exp() - target).abs().sum((1, 2))
    torch.testing.assert_close(sim(predicted, target), expected)


def test_auc_worked_by_hand():
    density = torch.tensor([[0.1, 0.1], [0.4, 0.4]]).log().expand(4, 2, 2)
    # Against the three other cells: one tie (half) of a low cell; two beaten and one tie of a high cell.
    expected = torch.tensor([0.5, 0.5, 2.5, 2.5]) / 3
    torch.testing.assert_close(auc_judd(density, CORNERS.float()), expected)


def test_auc_agrees_with_sklearn_ties_included():
    coarse = (maps(20) * 2).round() / 2
    for density, point in zip(coarse, points(20), strict=True):
        fixated = np.zeros((9, 12))
        fixated[cell(point)] = 1
        expected = roc_auc_score(fixated.ravel(), density.numpy().ravel())
        assert auc_judd(density, point).item() == pytest.approx(expected, abs=1e-12)


def test_auc_of_several_fixated_cells_agrees_with_sklearn_ties_included():
    coarse = (maps(20) * 2).round() / 2
    fixated = torch.rand(20, 9, 12, generator=torch.Generator().manual_seed(3)) < 0.1
    expected = [roc_auc_score(f.flatten(), d.flatten()) for f, d in zip(fixated, coarse, strict=True)]
    np.testing.assert_allclose(auc_judd_on_map(coarse, fixated).numpy(), expected, atol=1e-12)


def test_auc_does_not_change_under_an_increasing_function():
    density, point = maps(10), points(10)
    torch.testing.assert_close(auc_judd(density, point), auc_judd(density.exp() ** 3, point))


def test_auc_without_fixated_or_without_other_cells_is_unknown():
    fixated = torch.stack([torch.zeros(9, 12), torch.ones(9, 12)]).bool()
    assert auc_judd_on_map(maps(2), fixated).isnan().all()


def test_information_gain_worked_by_hand_in_bits():
    uniform = torch.full((2, 2), 0.25, dtype=torch.float64).log()
    found = information_gain(HAND.log().expand(4, 2, 2), uniform.expand(4, 2, 2), CORNERS)
    expected = torch.tensor([0.4, 0.8, 1.2, 1.6], dtype=torch.float64).log2()
    torch.testing.assert_close(found, expected)


def test_mean_information_gain_over_the_truth_is_the_divergence():
    predicted, truth = maps(1)[0], maps(1, seed=1)[0]
    columns, rows = torch.meshgrid((torch.arange(12) + 0.5) / 12, (torch.arange(9) + 0.5) / 9, indexing="xy")
    centres = torch.stack([columns, rows], -1).double().reshape(-1, 2)
    n = len(centres)
    gain = information_gain(truth.expand(n, 9, 12), predicted.expand(n, 9, 12), centres)
    expected = kl(predicted, truth.exp()) / math.log(2)
    torch.testing.assert_close((gain * truth.exp().flatten()).sum(), expected)


def test_a_flat_map_is_chance_under_every_score():
    for dtype in (torch.float32, torch.float64):
        flat = log_density(torch.zeros(3, 64, 64, dtype=dtype))
        point = points(3).to(dtype)
        zero = torch.zeros(3, dtype=dtype)
        target = gaussian_maps(point, (64, 64), sigma_cells=2.0)
        assert torch.equal(nss(flat, point), zero)
        assert torch.equal(cc(flat, target), zero)
        torch.testing.assert_close(auc_judd(flat, point), zero + 0.5)
        torch.testing.assert_close(information_gain(flat, flat, point), zero)


def test_nearer_is_better_under_every_score():
    point = torch.tensor([[0.4, 0.5]] * 2)
    density = gaussian_maps(torch.tensor([[0.45, 0.5], [0.7, 0.8]]), (32, 32), sigma_cells=3.0).log()
    target = gaussian_maps(point, (32, 32), sigma_cells=3.0)
    uniform = log_density(torch.zeros(2, 32, 32))
    for near, far in (
        nss(density, point),
        auc_judd(density, point),
        information_gain(density, uniform, point),
        cc(density, target),
        sim(density, target),
        -kl(density, target),
    ):
        assert near > far


@pytest.mark.parametrize("point", [[NAN, NAN], [1.001, 0.5], [0.5, -0.2], [math.inf, 0.5]])
def test_gaze_that_is_unknown_or_off_the_image_has_no_score(point: list[float]):
    density, place = maps(1), torch.tensor([point], dtype=torch.float64)
    assert nss(density, place).isnan().all()
    assert auc_judd(density, place).isnan().all()
    assert information_gain(density, density, place).isnan().all()


def test_a_map_with_nan_has_no_score_and_leaves_its_neighbours_alone():
    density, point, target = maps(2), points(2), maps(2, seed=1).exp()
    density[0, 0, 0] = NAN
    uniform = log_density(torch.zeros_like(density))
    fixated = target > target.mean()
    for score in (
        nss(density, point),
        nss_on_map(density, fixated.double()),
        auc_judd(density, point),
        auc_judd_on_map(density, fixated),
        information_gain(density, uniform, point),
        information_gain(uniform, density, point),
        kl(density, target),
        cc(density, target),
        sim(density, target),
    ):
        assert score.isnan().tolist() == [True, False]


def test_no_maps_give_no_scores():
    density, point = torch.zeros(0, 4, 5), torch.zeros(0, 2)
    assert nss(density, point).shape == (0,)
    assert auc_judd(density, point).shape == (0,)
    assert kl(density, density).shape == (0,)


def test_batches_of_any_shape_are_scored_item_by_item():
    density, point = maps(6), points(6)
    torch.testing.assert_close(nss(density.reshape(2, 3, 9, 12), point.reshape(2, 3, 2)).flatten(), nss(density, point))


def test_centre_of_mass_auc_equals_the_golden_one():
    with np.load(GOLDEN.with_suffix(".npz")) as arrays:
        rescaled = torch.from_numpy(arrays["met_rescaled"][:, 0])
        labels = torch.from_numpy(arrays["met_labels"])
    published = json.loads(GOLDEN.with_suffix(".json").read_text())["metrics"]["values"]
    auc = centre_of_mass_auc_published(rescaled, labels[..., :2])
    for dataset, fixation in (("ego4dgaze", 0), ("egteagaze", 1)):
        assert auc[labels[..., 2] == fixation].mean().item() == pytest.approx(published[f"glc/auc/{dataset}"], abs=1e-7)


def test_centre_of_mass_auc_is_high_on_the_gaze_and_unknown_off_the_image():
    point = torch.tensor([[0.5, 0.5], [NAN, 0.5], [1.2, 0.5]])
    rescaled = published_label_maps(torch.tensor([[0.5, 0.5]] * 3))
    found = centre_of_mass_auc_published(rescaled, point)
    assert found[0] > 0.99
    assert found[1:].isnan().all()
