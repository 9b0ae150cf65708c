"""What a recipe says about the optimiser is what the weights get."""

import pytest
import torch
from torch import nn

from regard.errors import RecipeError
from regard.recipe.optimiser import Optimiser


def rates(optimiser: Optimiser, steps: int) -> list[float]:
    built = optimiser.build(nn.Linear(2, 2), steps)
    rule, schedule = built["optimizer"], built["lr_scheduler"]["scheduler"]  # type: ignore[index]
    seen = []
    for _ in range(steps):
        seen.append(rule.param_groups[0]["lr"])  # type: ignore[attr-defined]
        rule.step()  # type: ignore[attr-defined]
        schedule.step()
    return seen


def test_the_rate_drops_to_a_tenth_at_the_named_steps():
    seen = rates(Optimiser(lr=1.0, drops=(3, 5)), 7)
    assert seen == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01, 0.01])


def test_momentum_means_sgd():
    built = Optimiser(lr=0.1, momentum=0.9, weight_decay=0.01).build(nn.Linear(2, 2), 5)
    rule = built["optimizer"]
    assert isinstance(rule, torch.optim.SGD)
    assert [g["momentum"] for g in rule.param_groups] == [0.9, 0.9]
    assert [g["weight_decay"] for g in rule.param_groups] == [0.01, 0.0]
    assert isinstance(Optimiser().build(nn.Linear(2, 2), 5)["optimizer"], torch.optim.AdamW)


def test_a_warm_up_does_not_go_with_drops():
    with pytest.raises(RecipeError, match="one or the other"):
        Optimiser(drops=(5,), warmup_steps=2)
