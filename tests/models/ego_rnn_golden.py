"""How the goldens of ego-rnn and LSTA are read and compared."""

from collections.abc import Mapping

import numpy as np
import torch
from gaze_golden import CLOSE, assert_close_to_largest
from torch import Tensor, nn

from golden_rule import Golden, golden_input
from regard.models.published import Rules, load_published, published_names

DEEP = 3e-5
"""Of the largest value, for what a softmax makes of a whole ResNet's maps: convolutions in another memory layout than
the published one differ by 1.3e-6 in them, and by 1.1e-5 after it."""
GRADIENT = 5e-3
"""Of a stored norm, which is a float32 sum; without oneDNN a norm differs by 2.7e-3."""


def drawn(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(golden_input(name).standard_normal(shape).astype(np.float32))


def clips_first(x: Tensor) -> Tensor:
    """(t, b, ...), as the goldens have it, to (b, t, ...); and back."""
    return x.transpose(0, 1)


def golden_state(golden: Golden) -> dict[str, Tensor]:
    """The weights; a tensor under two names has the later name's numbers."""
    state = golden.state()
    for name, twin in golden.about.get("aliases", []):
        state[name] = state[twin]
    return state


def load_some(model: nn.Module, golden: Golden, rules: Rules) -> None:
    """Put weights into the parts of a model that the golden has; the others are as they were."""
    state, names = golden_state(golden), published_names(model, rules)
    held = {published: own for published, own in names.items() if published in state}
    load_published(model, {name: state[name] for name in held}, held, where="golden")


def assert_matches(golden: Golden, name: str, found: Tensor, *, within: float = CLOSE) -> None:
    """An output over moments, or every stride-th of its numbers; `found` has clips first, the golden moments."""
    found, about = clips_first(found), golden.about["samples"].get(name)
    if about is None:
        return assert_close_to_largest(found, golden.arrays[name], within=within)
    assert list(found.shape) == about["full_shape"]
    return assert_close_to_largest(found.flatten()[:: about["stride"]], golden.arrays[name], within=within)


def assert_norms_match(model: nn.Module, rules: Rules, golden: Golden, which: str = "grad_norms") -> None:
    """Every stored gradient norm of a parameter; None: no gradient may come there."""
    names, own = published_names(model, rules), dict(model.named_parameters())
    twins = dict(golden.about.get("aliases", []))
    wanted: Mapping[str, float | None] = golden.about[which]
    assert len(wanted) > 10
    for name, norm in wanted.items():
        if name.startswith("input "):
            continue
        gradient = own[names[twins.get(name, name)]].grad
        if norm is None:
            assert gradient is None, name
        else:
            assert gradient is not None, name
            assert abs(gradient.norm().item() - norm) <= GRADIENT * norm, name
