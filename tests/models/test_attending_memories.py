"""What holds for every memory that attends by ImageNet's objects, whatever its cell."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from regard.models.ego_rnn import EgoRNN
from regard.models.lsta import LSTA

SMALL = {"actions": 5, "backbone": "resnet18", "stages": 2, "weights": "random"}

each = pytest.mark.parametrize(
    ("model_class", "own", "unreached"),
    [
        (EgoRNN, {"hidden": 6}, {"trunk.objects.bias"}),
        (LSTA, {"pooled": 7}, {"trunk.objects.bias", "cell.couple.weight"}),
    ],
    ids=["ego-rnn", "lsta"],
)


def small(model_class: Callable[..., nn.Module], own: dict[str, int]) -> nn.Module:
    torch.manual_seed(0)
    return model_class(**SMALL, **own)


def clips() -> Tensor:
    return torch.randn(2, 4, 3, 32, 48, generator=torch.Generator().manual_seed(2))


@each
@torch.no_grad()
def test_frames_that_are_not_valid_change_nothing(model_class, own, unreached) -> None:
    model, video = small(model_class, own).eval(), clips()
    valid = torch.tensor([[True, True, True, False], [True, True, True, True]])
    answer = model(video, valid)
    torch.testing.assert_close(answer.logits[0], model(video[:1, :3]).logits[0])
    torch.testing.assert_close(answer.logits[1], model(video).logits[1])
    changed = video.clone()
    changed[0, 3] = 7
    assert torch.equal(model(changed, valid).logits, answer.logits)


@each
@torch.no_grad()
def test_one_frame_of_any_size_is_answered_about_and_attended_to(model_class, own, unreached) -> None:
    answer = small(model_class, own).eval()(torch.randn(1, 1, 3, 40, 64))
    assert answer.attention.shape == (1, 1, 5, 8)
    torch.testing.assert_close(answer.attention.sum(dim=(2, 3)), torch.ones(1, 1))
    assert torch.isfinite(answer.logits).all()


@each
def test_learns_two_clips_by_heart_by_all_but_what_no_gradient_reaches(model_class, own, unreached) -> None:
    model, video, label = small(model_class, own), clips(), torch.tensor([3, 1])
    model.get_submodule("dropout").p = 0.0  # pyright: ignore[reportAttributeAccessIssue]
    optimizer, history = torch.optim.Adam(model.parameters(), lr=3e-3), []
    for _ in range(12):
        loss = functional.cross_entropy(model(video).logits, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.3 * history[0]
    assert {name for name, p in model.named_parameters() if p.grad is None} == unreached
