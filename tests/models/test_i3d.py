from math import ceil

import numpy as np
import pytest
import torch
from gaze_golden import assert_close_to_largest
from torch import Tensor

from golden_rule import Golden, golden_input
from regard.errors import RecipeError, WeightsError
from regard.models.i3d import I3D, PUBLISHED_RULES, Unit, grid_of, pooled, same_padding
from regard.models.published import built_from, published_names

GRADIENT = 1e-3
"""The stored gradient norms are float32 sums; another library of convolutions gives the first layer's 2.9e-4 less."""


def published_i3d(state: dict[str, Tensor]) -> I3D:
    return built_from(lambda: I3D(3), state, PUBLISHED_RULES, where="I3D").eval()


def test_features_and_gradients_of_an_odd_size_are_the_published_ones() -> None:
    golden = Golden.read("ga_i3d_rgb_oddsize")
    model = published_i3d(golden.state())
    names = published_names(model, PUBLISHED_RULES)
    assert sorted(names) == sorted(name for name, _ in golden.about["params"])
    drawn = golden_input("i3d_rgb_small").standard_normal((2, 3, 10, 100, 90)).astype(np.float32)
    _, before, last = model(torch.from_numpy(drawn).transpose(1, 2))
    assert_close_to_largest(before, golden.arrays["pool5a"])
    assert_close_to_largest(last, golden.arrays["mixed5c"])
    loss = before.square().mean() + last.square().mean()
    loss.backward()
    (wanted,) = golden.about["losses"].values()
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    own = dict(model.named_parameters())
    for name, norm in golden.about["grad_norms"].items():
        assert own[names[name]].grad.norm().item() == pytest.approx(norm, rel=GRADIENT), name


@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (2, 2), (3, 1), (1, 1), (1, 2)])
def test_padding_is_what_tensorflow_says_of_same(kernel: int, stride: int) -> None:
    for size in range(1, 40):
        front, back = same_padding(size, kernel, stride)
        answers = ceil(size / stride)
        total = max((answers - 1) * stride + kernel - size, 0)
        assert (front, back) == (total // 2, total - total // 2)


def test_odd_padding_goes_to_the_end_and_counts_as_zero() -> None:
    below_zero = -torch.arange(1.0, 5.0).reshape(1, 1, 1, 1, 4)
    assert pooled(below_zero, kernel=(1, 1, 3), stride=(1, 1, 2)).flatten().tolist() == [-1.0, 0.0]
    assert pooled(below_zero, kernel=(1, 1, 3), stride=(1, 1, 1)).flatten().tolist() == [0.0, -1.0, -2.0, 0.0]


@torch.no_grad()
@pytest.mark.parametrize(("frames", "h", "w"), [(1, 1, 1), (8, 32, 64), (9, 33, 65), (24, 40, 50)])
def test_a_small_model_answers_on_the_grid_it_promises(frames: int, h: int, w: int) -> None:
    _, before, last = I3D(2, width=4, depths=(1, 1, 1)).eval()(torch.randn(1, frames, 2, h, w))
    assert before.shape[2:] == last.shape[2:] == grid_of(frames, (h, w))
    assert before.shape[1] == 832 * 4 / 64
    assert last.shape[1] == 1024 * 4 / 64


def test_two_moments_have_the_gradient_in_bfloat16_that_they_have_in_float32() -> None:
    torch.manual_seed(0)
    unit = Unit(32, 64, kernel=(3, 3, 3))
    x = torch.randn(4, 32, 2, 7, 7)
    up = torch.randn(4, 64, 2, 7, 7)

    def gradient() -> Tensor:
        return torch.autograd.grad((unit(x).float() * up).sum(), unit.convolution.weight)[0]

    exact = gradient()
    for _ in range(10):
        unwritten = torch.full((200_000,), torch.nan)
        del unwritten
        with torch.autocast("cpu", torch.bfloat16):
            rounded = gradient()
        assert (rounded - exact).norm() < 0.1 * exact.norm()


def test_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in I3D(3).parameters()) == 12_287_264
        assert sum(p.numel() for p in I3D(2).parameters()) == 12_265_312


def test_starts_from_kinetics_without_its_classifier() -> None:
    golden = Golden.read("ga_i3d_rgb_oddsize")
    state = golden.state()
    classifier = {"logits.conv3d.weight": torch.zeros(400, 1024, 1, 1, 1), "logits.conv3d.bias": torch.zeros(400)}
    model = I3D(3)
    model.init_from(state | classifier)
    torch.testing.assert_close(model.first.convolution.weight.detach(), state["Conv3d_1a_7x7.conv3d.weight"])
    with pytest.raises(WeightsError, match=r"left over Logits\.weight"):
        model.init_from(state | {"Logits.weight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"Conv3d_1a_7x7\.conv3d\.weight is \(64, 3, 7, 7, 7\) and not"):
        I3D(2).init_from(state)


@pytest.mark.parametrize("depths", [(0, 5, 2), (2, 6, 2), (2, 5, 3)])
def test_more_or_fewer_blocks_than_there_are_is_explained(depths: tuple[int, int, int]) -> None:
    with pytest.raises(RecipeError, match="blocks for stage"):
        I3D(3, width=4, depths=depths)
