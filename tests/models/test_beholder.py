"""Beholder: the group's own head to the letter, and what each choice that the paper leaves open changes."""

from math import log

import numpy as np
import pytest
import torch
from gaze_golden import assert_close_to_largest
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden, golden_input
from regard.errors import RecipeError, WeightsError
from regard.models.beholder import BEHOLDER_RULES, Beholder, BeholderAnswer, over_cells
from regard.models.i3d import I3D, PUBLISHED_RULES
from regard.models.published import load_published, published_names
from regard.ops.action_losses import reverse_kl
from regard.ops.direct_optimisation import gumbel_noise

SMALL = {"actions": 5, "num_frames": 16, "size": (64, 96), "width": 4, "depths": (1, 1, 1)}
GRADIENT = 5e-3
"""The stored gradient norms are float32 sums."""


def small(**choices) -> Beholder:
    torch.manual_seed(0)
    return Beholder(**SMALL | choices)


def small_clips(b: int = 2) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(b)
    return torch.randn(b, 16, 3, 64, 96, generator=g), torch.randn(b, 16, 2, 64, 96, generator=g)


def noise(model: Beholder, b: int = 2) -> Tensor:
    return gumbel_noise(torch.rand(b, *model.noise_shape, generator=torch.Generator().manual_seed(7)))


def drawn(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(golden_input(name).standard_normal(shape).astype(np.float32))


def test_the_head_its_losses_and_their_gradients_are_the_published_ones() -> None:
    golden = Golden.read("beholder_head_i3d")
    wanted, stored = golden.arrays, golden.about["grad_norms"]
    model = Beholder(depths=(1, 1, 1), dropout=0.0)
    names = {p: o for p, o in published_names(model, BEHOLDER_RULES).items() if not o.startswith(("rgb.", "flow."))}
    load_published(model, golden.state(), names, where="Beholder, head")
    fine = drawn("beholder_i3d_x3", 2, 832, 6, 14, 14).clamp_min(0)
    features = drawn("beholder_i3d_x4", 2, 1024, 3, 7, 7).clamp_min(0)
    uniform = torch.from_numpy(golden_input("beholder_i3d_u").random(features.shape).astype(np.float32))
    published_noise = -(-(uniform + 1e-6).log() + 1e-6).log()

    gaze_logits = model.gaze(fine)
    attention = over_cells(gaze_logits)
    assert_close_to_largest(attention[:, None], wanted["attention_test"])
    assert_close_to_largest(model.classified(features, attention[:, None]), wanted["logits_test"])
    weights = over_cells(gaze_logits[:, None] + published_noise)
    assert_close_to_largest(weights.flatten()[::39], wanted["sampled_attention"])
    answer = BeholderAnswer(torch.empty(0), gaze_logits, attention, features)
    logits = model.redrawn(answer, published_noise)
    assert_close_to_largest(logits, wanted["logits_train"])
    assert_close_to_largest(attention[:, None], wanted["attention_train"])

    target = torch.from_numpy(wanted["target"])[:, 0]
    losses = {
        "ce": functional.cross_entropy(logits, torch.tensor([3, 7])),
        "kl_target": reverse_kl(gaze_logits, target).mean() / log(49),
        "kl_uniform": reverse_kl(gaze_logits, torch.full_like(target, 1 / 49)).mean() / log(49),
    }
    own = dict(model.named_parameters())
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(golden.about["losses"][name], rel=1e-5)
        model.zero_grad()
        loss.backward(retain_graph=True)
        for published, norm in stored[name].items():
            found = own[names[published]].grad
            if norm is None:
                assert found is None
            else:
                assert found.norm().item() == pytest.approx(norm, rel=GRADIENT), (name, published)


@torch.no_grad()
def test_test_mode_draws_nothing_and_weighs_by_the_map_itself() -> None:
    model = small().eval()
    answer = model(*small_clips())
    assert torch.equal(answer.logits, model(*small_clips()).logits)
    torch.testing.assert_close(answer.attention.sum(dim=(-2, -1)), torch.ones(2, 2))
    pooled = (answer.attention[:, None] * answer.features).sum(dim=(-2, -1)).mean(dim=2)
    torch.testing.assert_close(answer.logits, model.classify(pooled))


@torch.no_grad()
def test_noise_draws_for_each_channel_or_for_all_and_the_clip_need_not_be_looked_at_again() -> None:
    for choice, count in (("channel", 64), ("clip", 1)):
        model = small(draws=choice).eval()
        assert model.noise_shape == (count, 2, 2, 3)
        given = noise(model)
        answer = model(*small_clips(), noise=given)
        plain = model(*small_clips())
        torch.testing.assert_close(model.redrawn(plain, given), answer.logits)
        torch.testing.assert_close(answer.attention, plain.attention)
        assert not torch.equal(answer.logits, plain.logits)


@torch.no_grad()
def test_fixed_draws_at_test_are_the_same_each_time_and_for_each_clip_alone() -> None:
    model = small(test_draws=3).eval()
    whole = model(*small_clips()).logits
    alone = model(*(part[1:] for part in small_clips())).logits
    torch.testing.assert_close(alone, whole[1:], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(whole, model(*small_clips()).logits)
    assert not torch.allclose(whole, small().eval()(*small_clips()).logits)


@torch.no_grad()
def test_every_way_to_the_map_lies_on_the_grid_of_the_features() -> None:
    for size, frames in (((64, 96), 16), ((72, 80), 20)):
        for choice in ({}, {"reduction": "max_pool"}, {"tap": "after_pool"}):
            model = small(size=size, num_frames=frames, **choice).eval()
            clip, flow = torch.randn(1, frames, 3, *size), torch.randn(1, frames, 2, *size)
            answer = model(clip, flow)
            assert answer.gaze_logits.shape[1:] == answer.features.shape[2:] == model.grid


@torch.no_grad()
def test_a_higher_temperature_flattens_the_map() -> None:
    cold, warm = (small(temperature=t).eval()(*small_clips()).gaze_logits for t in (1.0, 4.0))
    torch.testing.assert_close(cold, 4 * warm)
    with pytest.raises(RecipeError, match="more than 0"):
        small(temperature=0.0)


@torch.no_grad()
def test_attention_that_is_given_is_weighed_by_in_place_of_the_models_own() -> None:
    model = small().eval()
    own = model(*small_clips())
    torch.testing.assert_close(model(*small_clips(), attention=own.attention).logits, own.logits)
    corner = torch.zeros_like(own.attention)
    corner[:, :, 0, 0] = 1
    fed = model(*small_clips(), attention=corner)
    torch.testing.assert_close(fed.logits, model.classify(own.features[..., 0, 0].mean(dim=2)))
    torch.testing.assert_close(fed.gaze_logits, own.gaze_logits)


@pytest.mark.parametrize(
    ("clip", "flow", "what"),
    [
        ((16, 3, 64, 64), (16, 2, 64, 96), "pictures.*16 frames of 64x64"),
        ((1, 3, 64, 96), (16, 2, 64, 96), "pictures.*1 frames of 64x96"),
        ((16, 3, 64, 96), (15, 2, 64, 96), "flow.*15 frames of 64x96"),
    ],
)
def test_a_clip_or_flow_of_another_length_or_size_is_explained(clip, flow, what: str) -> None:
    with pytest.raises(RecipeError, match=f"(?s)Beholder: {what}.*wanted: 16 frames of 64x96"):
        small()(torch.zeros(1, *clip), torch.zeros(1, *flow))


def test_a_map_of_one_cell_is_explained() -> None:
    with pytest.raises(RecipeError, match="one cell"):
        small(size=(32, 32))


def test_starts_from_kinetics_by_a_file_a_stream() -> None:
    def file(channels: int) -> dict[str, Tensor]:
        names = published_names_of_stream(channels)
        return {name: torch.full(shape, float(channels)) for name, shape in names.items()}

    model = small(depths=(2, 5, 2))
    untrained = model.score.weight.clone()
    model.init_from(rgb=file(3) | {"logits.conv3d.bias": torch.zeros(400)}, flow=file(2))
    assert model.rgb.first.convolution.weight.min() == 3
    assert model.flow.stages[2][1].pooled.norm.bias.min() == 2
    torch.testing.assert_close(model.score.weight, untrained)
    with pytest.raises(WeightsError, match="weights for rgb"):
        model.init_from(rgb=file(3))
    with pytest.raises(WeightsError, match=r"(?s)Beholder, streams, rgb.*Conv3d_1a_7x7.*\(4, 2, 7, 7, 7\)"):
        model.init_from(rgb=file(2), flow=file(3))


def published_names_of_stream(channels: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of what Kinetics' file of a stream holds, at the small width."""
    stream = I3D(channels, width=4)
    own = stream.state_dict()
    return {published: tuple(own[ours].shape) for published, ours in published_names(stream, PUBLISHED_RULES).items()}


def test_learns_two_clips_and_where_to_look_by_heart() -> None:
    model = small(size=(32, 64), dropout=0.0).train()
    clip, flow = (part[..., :32, :64] for part in small_clips())
    label, prior = torch.tensor([3, 1]), torch.full((2, 2, 1, 2), 0.03)
    prior[0, :, 0, 0] = prior[1, :, 0, 1] = 0.97
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    history = []
    for _ in range(25):
        answer = model(clip, flow, noise=noise(model))
        kl = reverse_kl(answer.gaze_logits, prior).mean()
        loss = functional.cross_entropy(answer.logits, label) + kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.5 * history[0]
    assert all(p.grad is not None for p in model.parameters())
