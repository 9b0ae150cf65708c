import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regard.ops.heatmap import (
    argmax_point,
    density_onto_whole,
    gaussian_maps,
    log_density,
    min_max,
    onto_whole,
    published_label_maps,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "gaze_antic_misc"
SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN.with_suffix(".npz")) as arrays:
        return dict(arrays)


def random_density(*shape: int) -> torch.Tensor:
    logits = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return log_density(logits).exp()


def test_gaussian_map_worked_by_hand():
    # Cell centres lie at 0.25 and 0.75: distances 0 and 1 cell from x = 0.25, and half a cell each from y = 0.5.
    density = gaussian_maps(torch.tensor([0.25, 0.5]), (2, 2), sigma_cells=1.0)
    far = np.exp(-0.5)
    expected = torch.tensor([[1.0, far], [1.0, far]]) / (2 * (1 + far))
    torch.testing.assert_close(density, expected.to(torch.float32))


def test_gaussian_map_is_the_sampled_normal_density():
    density = gaussian_maps(torch.tensor([0.3, 0.6], dtype=torch.float64), (40, 50), sigma_cells=(2.0, 3.0)).numpy()
    x, y = (np.arange(50) + 0.5), (np.arange(40) + 0.5)
    expected = np.exp(-0.5 * ((x[None] - 15) / 2) ** 2 - 0.5 * ((y[:, None] - 24) / 3) ** 2)
    np.testing.assert_allclose(density, expected / expected.sum(), rtol=1e-12)


@given(st.floats(-3, 4), st.floats(-3, 4), SIZES, st.floats(0.1, 5))
def test_gaussian_maps_always_hold_mass_one(x: float, y: float, size: tuple[int, int], sigma: float):
    density = gaussian_maps(torch.tensor([x, y], dtype=torch.float64), size, sigma_cells=sigma)
    assert density.sum() == pytest.approx(1.0)


def test_mirroring_the_point_mirrors_the_map():
    point = torch.tensor([[0.2, 0.7]])
    there = gaussian_maps(point, (9, 16), sigma_cells=1.5)
    back = gaussian_maps(torch.tensor([[1.0, 0.0]]) + torch.tensor([[-1.0, 1.0]]) * point, (9, 16), sigma_cells=1.5)
    torch.testing.assert_close(there.flip(-1), back)


def test_gaze_far_off_the_image_puts_its_mass_on_the_nearest_border():
    density = gaussian_maps(torch.tensor([30.0, 0.5]), (5, 5), sigma_cells=1.0)
    assert density[:, -1].sum() == pytest.approx(1.0)


def test_a_nan_point_gives_a_nan_map_and_leaves_its_neighbours_alone():
    point = torch.tensor([[0.5, 0.5], [np.nan, 0.5]])
    for maps in (gaussian_maps(point, (64, 64), sigma_cells=2.0), published_label_maps(point)):
        assert maps[1].isnan().all()
        assert maps[0].sum() == pytest.approx(1.0)


def test_no_points_give_no_maps():
    assert gaussian_maps(torch.zeros(0, 2), (4, 5), sigma_cells=1.0).shape == (0, 4, 5)
    assert published_label_maps(torch.zeros(0, 2)).shape == (0, 64, 64)


def test_published_label_maps_equal_the_golden_ones(golden: dict[str, np.ndarray]):
    maps = published_label_maps(torch.from_numpy(golden["hm_points"]))
    np.testing.assert_allclose(maps.numpy(), golden["hm_norm"], atol=2e-8)
    assert maps.dtype == torch.float32
    facts = json.loads(GOLDEN.with_suffix(".json").read_text())["heatmap"]
    assert (maps > 0.001).sum((-2, -1)).tolist() == facts["pixels_over_0_001_normalised"]


def test_published_label_maps_equal_the_golden_ones_in_batches_and_with_another_kernel(golden: dict[str, np.ndarray]):
    maps = published_label_maps(torch.from_numpy(golden["met_labels"][..., :2]))
    np.testing.assert_allclose(maps.numpy(), golden["met_label_hm"], atol=2e-8)
    small = published_label_maps(torch.tensor([[19, 38], [1, 63]]) / 64, kernel_cells=15)
    np.testing.assert_allclose(small.numpy(), golden["hm_kernel15_norm"], atol=2e-8)


def test_published_label_maps_round_halves_to_the_even_cell():
    peaks = published_label_maps(torch.tensor([[0.5, 1.5], [2.5, 3.5]]) / 64, kernel_cells=3).flatten(1).argmax(1)
    assert peaks.tolist() == [2 * 64 + 0, 4 * 64 + 2]


def test_log_density_is_normalised_and_keeps_what_is_normalised():
    logits = torch.randn(2, 3, 4, 5)
    density = log_density(logits)
    torch.testing.assert_close(density.exp().sum((-2, -1)), torch.ones(2, 3))
    torch.testing.assert_close(log_density(density), density)
    torch.testing.assert_close(log_density(logits, temperature=2.0), log_density(logits / 2))


def test_argmax_point_is_the_centre_of_the_highest_cell():
    density = torch.zeros(3, 2, 4)
    density[0, 1, 3] = 1.0
    density[2, 0, 0] = torch.nan
    point = argmax_point(density)
    torch.testing.assert_close(point[0], torch.tensor([3.5 / 4, 1.5 / 2]))
    torch.testing.assert_close(point[1], torch.tensor([0.5 / 4, 0.5 / 2]))
    assert point[2].isnan().all()


def test_min_max_reaches_nearly_one_and_leaves_flat_maps_at_zero():
    maps = torch.stack([torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 2.0]])])
    torch.testing.assert_close(min_max(maps), torch.tensor([[[0.0, 2 / (2 + 1e-6)]], [[0.0, 0.0]]]))


def test_a_map_of_a_part_lies_where_the_part_lies():
    maps = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    right = torch.tensor([[0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 3.0, 4.0]])
    torch.testing.assert_close(onto_whole(maps, (0.5, 0.0, 1.0, 1.0)), right)
    torch.testing.assert_close(onto_whole(maps, (1.0, 0.0, 0.5, 1.0)), right[:, [0, 1, 3, 2]])
    torch.testing.assert_close(onto_whole(maps, (0.0, 0.5, 1.0, 1.0)), torch.cat([torch.zeros(2, 2), maps]))
    # A quarter of the first new cell is beside the part, and half a cell of each neighbour lies in the others.
    torch.testing.assert_close(onto_whole(maps[:1], (0.125, 0.0, 0.625, 1.0)), torch.tensor([[0.5, 1.5, 1.0, 0.0]]))


@given(h=st.integers(1, 9), w=st.integers(1, 9), side=st.integers(3, 9), start=st.floats(0, 1))
def test_laid_over_the_whole_a_density_keeps_its_mass_and_its_order(h: int, w: int, side: int, start: float):
    left, top = start * (1 - side / 9), (1 - start) * (1 - side / 9)
    part = (left, top, left + side / 9, top + side / 9)
    seen = random_density(h, w)
    whole = density_onto_whole(seen.log(), part).exp()
    assert float(whole.sum()) == pytest.approx(1)
    in_cells = onto_whole(seen, part)
    assert float(in_cells.sum() / in_cells.numel()) == pytest.approx(float(seen.sum() / seen.numel()) * (side / 9) ** 2)
    assert whole.min() >= whole.max() * seen.min() / seen.max() * (1 - 1e-9)


def test_a_moment_that_was_seen_whole_stays_as_it_was():
    logs = random_density(5, 7).log()
    torch.testing.assert_close(density_onto_whole(logs, (0.0, 0.0, 1.0, 1.0)), logs)
