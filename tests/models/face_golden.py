"""What the goldens of the models of faces share: their inputs, their loss, and how they are compared."""

import numpy as np
import torch
from gaze_golden import CLOSE, assert_close_to_largest
from torch import Tensor, nn
from torch.nn import functional

from golden_rule import Golden, golden_input
from regard.models.published import Rules, published_names

WEIGHT = torch.tensor([0.136, 0.864])
"""Of not looking and looking in the published loss."""
GRADIENT = 1e-5
"""Stored norms are float64 norms of float32 gradients; an independent form agreed to 2.2e-6."""


def noise(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(golden_input(name).standard_normal(shape).astype(np.float32))


def faces() -> Tensor:
    """Two windows of seven pictures."""
    return noise("video", 2, 7, 3, 224, 224)


def looking_loss(logits: Tensor) -> Tensor:
    """Of a window that does not look and one that does."""
    return functional.cross_entropy(logits, torch.tensor([0, 1]), weight=WEIGHT)


def assert_answers(golden: Golden, logits: Tensor) -> None:
    assert_close_to_largest(logits, golden.arrays["logits"])
    assert_close_to_largest(logits.softmax(dim=1)[:, 1], golden.arrays["prob_looking"])


def assert_sample(golden: Golden, name: str, found: Tensor, stride: int) -> None:
    """Every stride-th value, mean and deviation, as the golden keeps large outputs."""
    assert list(found.shape) == golden.about["outputs"][name]["shape"]
    assert_close_to_largest(found.flatten()[::stride], golden.arrays[f"{name}__sample"])
    mean, deviation = golden.arrays[f"{name}__meanstd"]
    assert abs(found.double().mean() - mean) < CLOSE * deviation
    assert abs(found.double().std(correction=0) - deviation) < CLOSE * deviation


def assert_loss_and_gradients(
    golden: Golden, model: nn.Module, loss: Tensor, rules: Rules, *, first: float = GRADIENT
) -> None:
    """The one loss, and the norms of its gradients by published names; None is no gradient.

    `first` is for the layer before the max-pool, where rounding decides which of two nearly equal cells is followed.
    """
    (wanted,) = golden.about["losses"].values()
    assert abs(loss.item() - wanted) <= CLOSE * abs(wanted)
    loss.backward()
    names, own = published_names(model, rules), dict(model.named_parameters())
    for name, norm in golden.about["grad_norms"].items():
        gradient = own[names[name]].grad
        if norm is None:
            assert gradient is None, name
        else:
            assert gradient is not None, name
            within = first if name == "conv1.weight" else GRADIENT
            assert abs(gradient.double().norm().item() - norm) <= within * norm, name
    model.zero_grad()
