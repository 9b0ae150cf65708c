import numpy as np
import pytest
import torch
from torch import nn

from golden_rule import Golden, golden_input
from regard.metrics.labels import class_accuracy, confusion, mean_class_accuracy
from regard.recipe.optimiser import Group, Optimiser


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_rates_go_up_and_down_as_kapidis_et_al_have_them_with_a_factor_for_each_group(mode: str) -> None:
    golden = Golden.read("mfnet_eval")
    about = golden.about["cyclic"]
    low, high = ([factor * about[end] for factor in about["lr_mult"]] for end in ("base_lr", "max_lr"))
    optimiser = Optimiser(
        rule=lambda groups: torch.optim.SGD(groups, lr=1.0, momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=lambda rule: torch.optim.lr_scheduler.CyclicLR(
            rule,
            base_lr=low,
            max_lr=high,
            step_size_up=about["step_size_up"],
            step_size_down=about["step_size_down"],
            mode=mode,
            gamma=about["gamma"],
            cycle_momentum=False,
        ),
        groups=(Group(pattern=r"^0\."),),
    )
    built = optimiser.build(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), num_steps=about["steps"])
    rule, schedule, rates = built["optimizer"], built["lr_scheduler"]["scheduler"], []
    for _ in range(about["steps"]):
        rates.append([group["lr"] for group in rule.param_groups])
        rule.step()
        schedule.step()
    np.testing.assert_allclose(rates, golden.arrays[f"lr_{mode}"], rtol=1e-9)


def test_a_class_that_never_occurs_counts_0_in_their_mean() -> None:
    golden, rng = Golden.read("mfnet_eval"), golden_input("mfnet_eval")
    label = rng.integers(0, 9, 200)
    predicted = np.where(rng.random(200) < 0.6, label, rng.integers(0, 10, 200))
    np.testing.assert_array_equal((label, predicted), (golden.arrays["labels"], golden.arrays["preds"]))
    counts = confusion(label, predicted, num_classes=golden.about["classes"])
    recall, precision = (np.nan_to_num(100 * class_accuracy(c)).round(2) for c in (counts, counts.T))
    for name, found in (("class_acc", recall), ("recall", recall), ("precision", precision)):
        np.testing.assert_allclose(found, golden.arrays[name])
    assert recall.mean() == pytest.approx(golden.about["mean_class_acc"])
    assert 100 * mean_class_accuracy(counts, empty="zero") == pytest.approx(golden.about["mean_class_acc"], abs=0.005)
    assert 100 * (label == predicted).mean() == pytest.approx(golden.about["top1"])
