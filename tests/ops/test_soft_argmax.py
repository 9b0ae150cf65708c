import numpy as np
import pytest
import torch
from torch import Tensor

from golden_rule import Golden, golden_input
from regard.ops.action_losses import slot_points
from regard.ops.heatmap import gaussian_maps, log_density
from regard.ops.soft_argmax import bells, js_divergence, mean_point, point_loss


def known(name: str, golden: Golden) -> Tensor:
    return torch.from_numpy(golden.arrays[name])


def test_points_distances_and_divergences_are_the_published_ones_also_far_beside_the_picture() -> None:
    golden = Golden.read("mfnet_coord_loss")
    drawn = golden_input("mfnet_dsnt_logits").standard_normal((2, 8, 3, 7, 7)).astype(np.float32)
    logits = 2 * torch.from_numpy(drawn).requires_grad_()
    maps, point = log_density(logits), (known("target", golden) + 1) / 2
    torch.testing.assert_close(maps.exp(), known("heatmaps", golden))
    torch.testing.assert_close(2 * mean_point(maps) - 1, known("coords", golden), atol=1e-6, rtol=0)
    torch.testing.assert_close(bells(point, (7, 7)), known("gauss", golden), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(js_divergence(maps.exp(), bells(point, (7, 7))), known("js", golden), atol=1e-6, rtol=0)
    each = point_loss(maps, point)
    torch.testing.assert_close(each, known("euclidean", golden) + known("js", golden), atol=1e-5, rtol=1e-6)
    assert each.mean().item() == pytest.approx(golden.about["losses"]["mean"], rel=1e-6)
    counted = known("mask", golden) > 0
    masked = point_loss(maps, torch.where(counted[..., None], point, torch.nan))
    assert masked[counted].mean().item() == pytest.approx(golden.about["losses"]["masked"], rel=1e-6)
    assert masked[~counted].isnan().all()
    (gradient,) = torch.autograd.grad(each.mean(), logits)
    torch.testing.assert_close(gradient, known("grad_logits", golden), atol=1e-7, rtol=1e-4)


def test_a_map_of_one_cell_has_its_mean_at_the_cells_centre() -> None:
    maps = torch.full((4, 6), -torch.inf)
    maps[1, 4] = 0
    torch.testing.assert_close(mean_point(maps), torch.tensor([4.5 / 6, 1.5 / 4]))


def test_a_bell_inside_the_picture_is_a_gaussian_of_one_cell() -> None:
    point = torch.rand(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(bells(point, (5, 8)), gaussian_maps(point, (5, 8), sigma_cells=1.0))
    assert bells(torch.tensor([40.0, 40.0]), (7, 7)).eq(0).all()


def test_divergence_is_0_for_the_same_and_ln_2_for_what_shares_nothing() -> None:
    p = torch.zeros(2, 2, 2)
    p[0, 0, 0] = p[1, 1, 1] = 1
    assert js_divergence(p[0], p[0]) == 0
    assert js_divergence(p[0], p[1]).item() == pytest.approx(np.log(2))


def test_no_gradient_comes_from_a_point_that_is_not_known_nor_a_nan_from_one_that_is_hit() -> None:
    logits = torch.zeros(2, 3, 3, requires_grad=True)
    point = torch.tensor([[0.5, 0.5], [torch.nan, 0.2]])
    each = point_loss(log_density(logits), point)
    assert each.isnan().tolist() == [False, True]
    each[0].backward()
    assert logits.grad[0].isfinite().all()
    assert logits.grad[1].eq(0).all()


def test_a_slots_point_is_the_mean_of_what_is_known_in_it() -> None:
    point = torch.arange(10.0).reshape(1, 5, 2)
    point[0, 1, 0] = torch.nan
    point[0, 2:4] = torch.nan
    found = slot_points(point, 3)
    torch.testing.assert_close(found[0], torch.tensor([[0.0, 1], [torch.nan, torch.nan], [8, 9]]), equal_nan=True)
    first = slot_points(point[:, 1:], 2, use="first")
    torch.testing.assert_close(first[0], torch.tensor([[torch.nan, 3], [torch.nan, torch.nan]]), equal_nan=True)
    hands = slot_points(point[:, :, None].expand(1, 5, 2, 2), 3)
    torch.testing.assert_close(hands[:, :, 1], found, equal_nan=True)
