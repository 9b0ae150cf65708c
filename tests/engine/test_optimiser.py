"""What a recipe says about the optimiser is what the weights get."""

from functools import partial

import pytest
import torch
from torch import nn

from regard.errors import RecipeError
from regard.recipe.optimiser import Group, Optimiser
from regard.recipe.training import Stage, Training


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


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.norm, self.head = nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 4)
        self.drop = nn.Dropout()


def sizes(optimiser: Optimiser, model: nn.Module) -> list[tuple[int, float, float]]:
    """Number of parameters, rate and decay of each group."""
    groups = optimiser.build(model, 10)["optimizer"].param_groups
    return [(sum(p.numel() for p in g["params"]), g["initial_lr"], g["weight_decay"]) for g in groups]


def test_parameters_whose_names_match_have_a_rate_and_a_decay_of_their_own_and_the_first_match_counts():
    groups = [Group(pattern="head", lr=0.1), Group(pattern="weight$", weight_decay=0.5)]
    found = sizes(Optimiser(lr=0.01, weight_decay=0.2, groups=groups), Net())
    assert found == [(12, 0.1, 0.2), (4, 0.1, 0.0), (6, 0.01, 0.5), (3, 0.01, 0.0), (6, 0.01, 0.0)]


def test_any_optimiser_and_schedule_of_torch_take_the_place_of_ours():
    rule = partial(torch.optim.Adam, lr=0.2, weight_decay=4e-5, eps=1e-4)
    schedule = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    optimiser = Optimiser(rule=rule, schedule=schedule, groups=[Group(pattern="head", lr=0.4, weight_decay=0.0)])
    assert sizes(optimiser, Net()) == [(16, 0.4, 0.0), (15, 0.2, 4e-5)]
    assert rates(Optimiser(rule=rule, schedule=schedule), 3) == pytest.approx([0.2, 0.1, 0.05])
    assert rates(Optimiser(rule=rule, drops=(2,)), 3) == pytest.approx([0.2, 0.2, 0.02])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"groups": [Group(pattern="haed")]}, "'haed', which matches none.*trunk.weight, .*head.bias"),
        ({"groups": [Group(pattern="head"), Group(pattern="head.bias")]}, "matches none of the parameters left"),
        ({"groups": [Group(pattern="(")]}, "wanted: a regular expression"),
        ({"rule": torch.optim.LBFGS, "groups": [Group(pattern="head")]}, "per-parameter options"),
        ({"schedule": torch.optim.lr_scheduler.ReduceLROnPlateau}, "waits for a score"),
    ],
)
def test_an_optimiser_that_does_not_fit_the_model_is_told(what: dict, said: str):
    with pytest.raises(RecipeError, match=f"(?s){said}"):
        Optimiser(**what).build(Net(), 10)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"rule": torch.optim.Adam, "lr": 0.1, "momentum": 0.9}, "lr, momentum beside rule"),
        ({"schedule": torch.optim.lr_scheduler.ConstantLR, "drops": (3,)}, "drops beside schedule"),
    ],
)
def test_what_would_not_be_read_is_refused(what: dict, said: str):
    with pytest.raises(RecipeError, match=said):
        Optimiser(**what)


def test_a_stage_freezes_what_it_says_and_no_more_and_the_next_begins_from_what_the_model_trains():
    model = Net()
    model.norm.bias.requires_grad_(False)
    trainable = [n for n, p in model.named_parameters() if p.requires_grad]
    first, second = Training(
        max_steps=9, frozen=["^trunk"], eval_mode=["norm", "drop"], stages=[Stage(from_step=4, frozen=["head"])]
    ).plan()
    assert (first.begin, first.end, second.begin, second.end) == (0, 4, 4, 9)
    assert first.freeze(model, trainable) == (model.norm, model.drop)
    assert [n for n, p in model.named_parameters() if p.requires_grad] == ["norm.weight", "head.weight", "head.bias"]
    second.freeze(model, trainable)
    assert [n for n, p in model.named_parameters() if p.requires_grad] == ["trunk.weight", "trunk.bias", "norm.weight"]
    assert second.eval_mode == ["norm", "drop"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"frozen": ["."]}, "match all parameters"),
        ({"frozen": ["tronk"]}, "training.frozen(?s:.*)'tronk', which matches none"),
        ({"eval_mode": ["dorp"]}, "training.eval_mode(?s:.*)a part of one of trunk, norm, head, drop"),
    ],
)
def test_a_pattern_that_freezes_all_or_nothing_is_refused(what: dict, said: str):
    model = Net()
    with pytest.raises(RecipeError, match=said):
        Training(**what).plan()[0].freeze(model, dict(model.named_parameters()))


def test_stages_begin_one_after_the_other_and_those_after_the_end_are_left_out():
    with pytest.raises(RecipeError, match="from_step 5, 5"):
        Training(stages=[Stage(from_step=5), Stage(from_step=5)])
    assert [s.end for s in Training(max_steps=7, stages=[Stage(from_step=5), Stage(from_step=7)]).plan()] == [5, 7]
