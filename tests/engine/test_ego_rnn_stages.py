"""The recipes of ego-rnn and LSTA train in each stage exactly what the published code trains, at its rates."""

import pytest
import torch
from torch import nn

from golden_rule import Golden
from regard.models.ego_rnn_published import LSTA_RULES, RGB_RULES, TWO_STREAM_RULES
from regard.models.published import Rules, published_names
from regard.recipe.read import Recipe, read_recipe
from regard.recipe.training import PlannedStage

IN_TRAINING = (nn.Dropout, nn.BatchNorm2d)


def recipe_of(model: str) -> Recipe:
    with torch.device("meta"):
        return read_recipe(f"action_egtea_{model}_published", ["--task.model.weights", "random"])


def staged(recipe: Recipe, stage: PlannedStage, rules: Rules) -> tuple[set[str], set[str]]:
    """By published names, what a stage trains, and which dropouts and normalisations are in training mode."""
    model = recipe.task.model
    names = {own: published for published, own in published_names(model, rules).items()}
    still = stage.freeze(model, [name for name, _ in model.named_parameters()])
    model.train()
    for module in still:
        module.eval()
    trained = {names[name] for name, p in model.named_parameters() if p.requires_grad}
    return trained, {name for name, m in model.named_modules() if isinstance(m, IN_TRAINING) and m.training}


@pytest.mark.parametrize(("name", "rules"), [("ego_rnn", RGB_RULES), ("lsta", LSTA_RULES)])
def test_both_stages_of_the_rgb_streams_train_what_is_published(name: str, rules: Rules) -> None:
    recipe = recipe_of(name)
    first, second = recipe.training.plan()
    golden = Golden.read("lsta_rgb").about
    layers = {n for n in golden["stage2_trainable"] if n.startswith("resNet.")}
    cell = {n for n in published_names(recipe.task.model, rules) if not n.startswith("resNet.")}
    if name == "lsta":
        assert cell == set(golden["stage1_trainable"])
    assert staged(recipe, first, rules) == (cell, {"dropout"})
    assert staged(recipe, second, rules) == (cell | layers, {"dropout"})
    decay = {"ego_rnn": 4e-5, "lsta": 5e-4}[name]
    for stage, lr in ((first, 1e-3), (second, 1e-4)):
        rule = stage.optimiser.build(recipe.task.model, 10)["optimizer"]
        assert isinstance(rule, torch.optim.Adam)
        assert {(g["lr"], g["weight_decay"], g["eps"]) for g in rule.param_groups} == {(lr, decay, 1e-4)}


def test_the_joint_model_trains_what_is_published() -> None:
    recipe = recipe_of("ego_rnn_two_stream")
    (stage,) = recipe.training.plan()
    golden = Golden.read("egornn_twostream").about
    trained, in_training = staged(recipe, stage, TWO_STREAM_RULES)
    assert trained == {*golden["stage3_params"], *golden["stage3_base_params"]}
    layer4 = {n for n, m in recipe.task.model.named_modules() if "flow.maps.layer4" in n and isinstance(m, IN_TRAINING)}
    assert in_training == {"dropout"} | layer4
    slow, fast = stage.optimiser.build(recipe.task.model, 10)["optimizer"].param_groups
    assert len(slow["params"]) == len(golden["stage3_base_params"])
    assert (slow["lr"], fast["lr"], slow["momentum"], fast["weight_decay"]) == (1e-4, 1e-2, 0.9, 5e-4)


def test_rates_fall_at_the_published_epochs_of_259_steps() -> None:
    """Of 8,299 clips, 32 a step; a stage counts its steps from its own beginning."""
    first, second = recipe_of("ego_rnn").training.plan()
    assert [(s.end - s.begin) // 259 for s in (first, second)] == [300, 150]
    assert [m // 259 for s in (first, second) for m in milestones(s)] == [25, 75, 150, 25, 75]
    first, second = recipe_of("lsta").training.plan()
    assert [(s.end - s.begin) // 259 for s in (first, second)] == [200, 150]
    assert [m // 259 for s in (first, second) for m in milestones(s)] == [25, 75, 150, 25, 75]
    (flow,) = recipe_of("ego_rnn_flow").training.plan()
    assert [flow.end // 259, *(m // 259 for m in milestones(flow))] == [750, 150, 300, 500]
    (joint,) = recipe_of("ego_rnn_two_stream").training.plan()
    assert joint.end // 259 == 250


def milestones(stage: PlannedStage) -> list[int]:
    schedule = stage.optimiser.build(nn.Linear(1, 1), stage.end - stage.begin)["lr_scheduler"]["scheduler"]
    assert all(step % 259 == 0 for step in schedule.milestones)
    return sorted(schedule.milestones)
