"""GLC and CSTS are trained with the published weight decay and, but for a step or two, the published learning rates."""

import pytest
import torch

from golden_rule import Golden
from regard.models import CSTS, GLC
from regard.recipe.optimiser import Optimiser

STEPS_PER_EPOCH = 200


@pytest.mark.parametrize(("model", "golden"), [(CSTS, "csts_ego4d_forecast"), (GLC, "glc_ego4d")])
def test_matrices_are_decayed_and_vectors_are_not_as_published(model, golden):
    groups = Golden.read(golden).about["optimizer_groups"]
    wanted = {decay: [0, 0] for decay in (0.05, 0.0)}
    for group in groups:
        wanted[group["weight_decay"]][0] += group["tensors"]
        wanted[group["weight_decay"]][1] += group["numel"]
    with torch.device("meta"):
        found = Optimiser(weight_decay=0.05).build(model(), 10)["optimizer"].param_groups
    assert {g["weight_decay"]: [len(g["params"]), sum(p.numel() for p in g["params"])] for g in found} == wanted


@pytest.mark.parametrize(
    ("golden", "key", "epochs", "warmup_epochs"),
    [
        ("csts_ego4d_forecast", "lr_at_epoch", 15, 0),
        ("glc_ego4d", "lr_at_epoch_ego4d", 15, 5),
        ("glc_ego4d", "lr_at_epoch_egtea", 25, 5),
    ],
)
def test_the_learning_rate_follows_the_published_one(golden, key, epochs, warmup_epochs):
    steps = epochs * STEPS_PER_EPOCH
    rule = Optimiser(lr=1e-4, final_lr=1e-6, warmup_steps=warmup_epochs * STEPS_PER_EPOCH)
    built = rule.build(torch.nn.Linear(2, 2), steps)
    rates = []
    for _ in range(steps):
        rates.append(built["optimizer"].param_groups[0]["lr"])
        built["optimizer"].step()
        built["lr_scheduler"]["scheduler"].step()
    # One step of the warm-up, which begins at 0 and not at 1e-6, is lr / steps; the cosine begins one step late.
    for epoch, wanted in Golden.read(golden).about[key].items():
        assert rates[int(float(epoch) * STEPS_PER_EPOCH)] == pytest.approx(wanted, abs=1.1e-6)
