import math

import pytest
import torch
from torch.nn import functional

from regard.ops.action_losses import (
    attention_kl,
    cell_kl,
    published_attention_kl,
    published_gaze_heat,
    reverse_kl,
    slot_targets,
)
from regard.ops.heatmap import gaussian_maps

NAN = float("nan")


def test_a_slots_target_is_the_share_of_its_gaze_in_each_cell() -> None:
    point = torch.tensor([[[0.1, 0.1], [0.9, 0.1], [0.9, 0.2], [NAN, NAN], [0.1, 0.9], [1.2, 0.5]]])
    found = slot_targets(point, (2, 2, 2))
    torch.testing.assert_close(found[0, 0], torch.tensor([[1 / 3, 2 / 3], [0, 0]]))
    torch.testing.assert_close(found[0, 1], torch.tensor([[0.0, 0], [1, 0]]))
    first = slot_targets(point, (2, 2, 2), use="first")
    torch.testing.assert_close(first[0, 0], torch.tensor([[1.0, 0], [0, 0]]))
    assert first[0, 1].isnan().all()


def test_a_slot_of_a_film_that_does_not_divide_evenly_takes_what_remains() -> None:
    point = torch.full((1, 10, 2), 0.1)
    point[0, 8:] = 0.9
    found = slot_targets(point, (2, 2, 2))
    torch.testing.assert_close(found[0, 1], torch.tensor([[0.6, 0], [0, 0.4]]))
    assert found[0, 0, 0, 0] == 1


def test_published_slots_are_the_pooled_maps_of_the_published_pixels() -> None:
    gaze = torch.tensor([[37, 100], [223, 0], [0, 223]])  # pixels (x, y) of a 224x224 crop, a slot each
    maps = torch.zeros(1, 3, 224, 224)
    for slot, (x, y) in enumerate(gaze.tolist()):
        maps[0, slot, y, x] = 1
    pooled = functional.max_pool2d(maps, 32)
    point = ((gaze + 0.5) / 224)[None].repeat_interleave(8, dim=1)
    torch.testing.assert_close(slot_targets(point, (3, 7, 7), use="first"), pooled)


def test_divergence_from_one_cell_is_its_cross_entropy() -> None:
    logits = torch.randn(3, 7, 7, generator=torch.Generator().manual_seed(0))
    target = functional.one_hot(torch.tensor([4, 0, 48]), 49).reshape(3, 7, 7).float()
    wanted = functional.cross_entropy(logits.flatten(1), torch.tensor([4, 0, 48]), reduction="none")
    torch.testing.assert_close(cell_kl(logits, target), wanted)
    soft = torch.rand(3, 7, 7).flatten(1).softmax(1).unflatten(1, (7, 7))
    kl = functional.kl_div(logits.flatten(1).log_softmax(1), soft.flatten(1), reduction="none").sum(1)
    torch.testing.assert_close(cell_kl(logits, soft), kl)


@pytest.mark.parametrize("loss", [cell_kl, attention_kl])
def test_an_unknown_gaze_gives_nan_and_no_gradient(loss) -> None:
    answer = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.full((2, 3, 3), 1 / 9)
    target[1] = NAN
    values = loss(answer, target)
    assert values.isnan().tolist() == [False, True]
    values.nanmean().backward()
    assert answer.grad is not None
    assert answer.grad[0].abs().sum() > 0
    assert (answer.grad[1] == 0).all()


def test_attention_is_perfect_when_its_shares_are_the_targets() -> None:
    target = gaussian_maps(torch.tensor([[0.3, 0.8], [0.5, 0.5]]), (7, 7), sigma_cells=1.5)
    torch.testing.assert_close(attention_kl(0.7 * target / target.max(), target), torch.zeros(2), atol=1e-6, rtol=0)
    even = attention_kl(torch.full((2, 7, 7), 0.9), target)
    wanted = math.log(49) + (target * target.clamp_min(1e-30).log()).sum(dim=(1, 2))
    torch.testing.assert_close(even, wanted)
    assert even.min() > 0.3


def test_attention_that_is_zero_at_the_gaze_costs_much_and_not_infinitely() -> None:
    target, attention = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    target[0, 0, 0], attention[0, 0, 0] = 1, 0
    assert 60 < attention_kl(attention, target).item() < 100


def test_published_heat_of_the_centre_lies_between_cells_3_and_4() -> None:
    heat = published_gaze_heat(torch.tensor([0.5, 0.5]))
    assert heat[3, 3] == heat[4, 4] == heat[3, 4]
    assert heat[3, 3].item() == pytest.approx(0.895, abs=1e-3)
    assert published_gaze_heat(torch.zeros(2)).argmax() == 0
    assert published_gaze_heat(torch.zeros(2))[0, 0] == 1
    across = published_gaze_heat(torch.tensor([3 / 5, 1 / 4]), (4, 5))
    assert across[1, 3] == across.max() == 1


def test_published_gaze_loss_can_hardly_tell_anything() -> None:
    point = torch.rand(1, 16, 2, generator=torch.Generator().manual_seed(0))
    heat = published_gaze_heat(point)
    constant, worst = torch.full((1, 16, 7, 7), 0.5), 1 - heat
    assert published_attention_kl(heat, heat).item() == pytest.approx(0, abs=1e-5)
    assert published_attention_kl(constant, heat).item() / 16 < 0.06
    assert published_attention_kl(worst, heat).item() / 16 < 0.2


def test_divergence_of_a_latent_gaze_is_that_from_its_prior_and_never_nan() -> None:
    prior = torch.tensor([[0.5, 0.25], [0.125, 0.125]])
    assert reverse_kl(prior.log() + 3, prior).item() == pytest.approx(0, abs=1e-6)
    certain = torch.tensor([[0.0, 1000.0], [0.0, 0.0]], requires_grad=True)
    nats = reverse_kl(certain, prior)
    assert nats.item() == pytest.approx(math.log(4))
    nats.backward()
    assert certain.grad is not None
    assert certain.grad.isfinite().all()
    uniform = torch.full((2, 2), 0.25)
    assert reverse_kl(certain, uniform).item() == pytest.approx(math.log(4)), "one cell against all of four"
