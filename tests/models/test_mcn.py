"""MCN (our reading): the properties that the reading has, each by hand; there is no published code to compare with."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError
from regard.models.mcn import MCN, ActionGaze, neighbourhoods, smoothed, two_ways
from regard.ops.action_losses import cell_kl

SMALL = {"actions": 5, "width": 4, "depths": (1, 1, 1)}


def small(**choices) -> MCN:
    torch.manual_seed(0)
    return MCN(**SMALL | choices)


def clips(b: int = 2, *, frames: int = 16, size: tuple[int, int] = (64, 96)) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(b)
    return torch.randn(b, frames, 3, *size, generator=g), torch.randn(b, frames, 2, *size, generator=g)


def test_beside_the_trunk_it_has_the_parameters_of_the_reading() -> None:
    with torch.device("meta"):
        model = MCN()
    beside = {name: value for name, value in model.named_parameters() if not name.startswith(("rgb.", "flow."))}
    assert sum(p.numel() for p in beside.values()) == 3_518_877
    assert sum(not name.startswith(("rgb.", "flow.")) for name in model.state_dict()) == 35


@torch.no_grad()
def test_kernels_of_each_clip_are_what_a_loop_over_clips_and_a_grouped_convolution_give() -> None:
    torch.manual_seed(0)
    branch = ActionGaze(12, 6, actions=5, hidden=7, kernels=4).eval()
    features, likelihood = torch.randn(3, 12, 2, 4, 5), torch.rand(3, 5).softmax(-1)
    found = branch(likelihood, branch.neighbourhoods(features)).view(3, 2, 4, 5)
    reduced = branch.reduce(features)
    kernels = branch.generate(likelihood).view(3, 4, 6, 1, 3, 3) / (6 * 9) ** 0.5
    pad = (0, 1, 1)
    looped = torch.cat([functional.conv3d(reduced[i : i + 1], kernels[i], padding=pad) for i in range(3)])
    grouped = functional.conv3d(reduced.flatten(0, 1)[None], kernels.flatten(0, 1), padding=pad, groups=3)
    torch.testing.assert_close(grouped.view_as(looped), looped)
    combined = functional.conv3d(looped.relu(), branch.combine.weight[..., None, None], branch.combine.bias)
    torch.testing.assert_close(found, combined[:, 0], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_two_actions_search_for_gaze_with_different_kernels() -> None:
    torch.manual_seed(0)
    branch = ActionGaze(12, 6, actions=5, hidden=7, kernels=4).eval()
    around = branch.neighbourhoods(torch.randn(1, 12, 2, 4, 5))
    one, other = (branch(torch.eye(5)[i : i + 1], around) for i in (0, 3))
    assert not torch.allclose(one, other)


@torch.no_grad()
def test_neighbours_lie_in_the_same_slot_and_beyond_the_picture_are_zeros() -> None:
    x = torch.arange(1.0, 13.0).view(1, 1, 2, 2, 3)
    around = neighbourhoods(x).view(9, 2, 2, 3)
    assert torch.equal(around[4], x[0, 0])
    assert around[0, :, 0].abs().max() == 0
    assert around[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 1, 2, 0, 4, 5]


@torch.no_grad()
def test_without_the_second_layer_of_the_generator_gaze_is_the_saliency() -> None:
    model = small().eval()
    last = model.action_gaze.generate[2]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    answer = model(*clips())
    wanted = answer.saliency.flatten(-2).softmax(-1).view_as(answer.attention)
    torch.testing.assert_close(answer.attention, wanted)


@torch.no_grad()
def test_gaze_in_one_cell_gathers_it_and_the_mean_of_all_others() -> None:
    features = torch.randn(2, 4, 3, 2, 3)
    gaze = torch.zeros(2, 3, 2, 3)
    gaze[:, :, 1, 2] = 1
    gathered, beside = two_ways(features, gaze).chunk(2, dim=1)
    torch.testing.assert_close(gathered, features[..., 1, 2].mean(dim=2))
    others = (features.sum(dim=(-2, -1)) - features[..., 1, 2]) / 5
    torch.testing.assert_close(beside, others.mean(dim=2))


@torch.no_grad()
def test_what_is_not_looked_at_sums_to_1_whatever_the_gaze() -> None:
    gaze = torch.randn(2, 3, 20).softmax(-1).view(2, 3, 4, 5)
    looked_at, beside = two_ways(torch.ones(2, 1, 3, 4, 5), gaze).unbind(1)
    torch.testing.assert_close(looked_at, torch.ones(2))
    torch.testing.assert_close(beside, torch.ones(2))


@torch.no_grad()
def test_a_second_pass_tells_gaze_from_the_action_of_the_first() -> None:
    twice, once = small().eval(), small(passes=1).eval()
    once.load_state_dict(twice.state_dict())
    answer, first = twice(*clips()), once(*clips())
    torch.testing.assert_close(answer.passes[:, 0], first.logits)
    torch.testing.assert_close(answer.gaze_passes[:, 0], first.gaze_logits)
    assert torch.equal(answer.passes[:, 1], answer.logits)
    assert torch.equal(answer.gaze_passes[:, 1], answer.gaze_logits)
    assert not torch.equal(answer.gaze_passes[:, 0], answer.gaze_passes[:, 1])
    told = twice(*clips(), attention=first.attention)
    torch.testing.assert_close(told.passes[:, 0], told.passes[:, 1])
    with pytest.raises(RecipeError, match="at least 1"):
        small(passes=0)


def test_gradients_flow_through_all_passes() -> None:
    model = small(dropout=0.0).train()
    answer = model(*clips())
    answer.logits.square().sum().backward()
    assert model.prior.weight.grad is not None
    assert model.prior.weight.grad.abs().max() > 0


@torch.no_grad()
def test_a_slot_of_unknown_attention_keeps_its_own_and_a_told_action_makes_the_kernels() -> None:
    model = small().eval()
    own = model(*clips())
    fed = torch.full_like(own.attention, torch.nan)
    torch.testing.assert_close(model(*clips(), attention=fed).logits, own.logits)
    fed[0, 0] = 0
    fed[0, 0, 1, 1] = 1
    answer = model(*clips(), attention=fed)
    assert torch.equal(answer.attention[0, 0], fed[0, 0])
    assert not torch.equal(answer.logits[0], own.logits[0])
    torch.testing.assert_close(answer.logits[1], own.logits[1])
    told = [model(*clips(), action=torch.tensor([a, a])).gaze_passes for a in (0, 3)]
    torch.testing.assert_close(told[0][:, 0], told[0][:, 1])
    assert not torch.equal(told[0], told[1])
    assert smoothed(torch.tensor([1]), 4)[0].tolist() == pytest.approx([0.025, 0.925, 0.025, 0.025])


@torch.no_grad()
@pytest.mark.parametrize(("frames", "size"), [(1, (32, 64)), (9, (40, 40)), (24, (64, 96))])
def test_takes_any_number_of_frames_and_any_size_of_more_than_one_cell(frames: int, size: tuple[int, int]) -> None:
    answer = small().eval()(*clips(1, frames=frames, size=size))
    assert answer.logits.isfinite().all()
    torch.testing.assert_close(answer.attention.sum(dim=(-2, -1)), torch.ones(1, -(-frames // 8)))


def test_flow_of_another_length_and_pictures_of_one_cell_are_explained() -> None:
    video, flow = clips()
    with pytest.raises(RecipeError, match=r"(?s)MCN: flow.*15 frames of 64x96.*wanted: 16 frames of 64x96"):
        small()(video, flow[:, 1:])
    with pytest.raises(RecipeError, match="more than one cell"):
        small()(video[..., :32, :32], flow[..., :32, :32])


def test_learns_two_clips_and_where_to_look_by_heart() -> None:
    model, (video, flow) = small(dropout=0.0).train(), clips(size=(32, 64))
    label, gaze = torch.tensor([3, 1]), torch.zeros(2, 2, 1, 2)
    gaze[0, :, 0, 0] = gaze[1, :, 0, 1] = 1
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    history = []
    for _ in range(25):
        answer = model(video, flow)
        loss = functional.cross_entropy(answer.logits, label) + cell_kl(answer.gaze_logits, gaze).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.5 * history[0]
    assert all(p.grad is not None for p in model.parameters())
