"""How the goldens of GLC and CSTS are compared, and how small models get published names."""

from collections.abc import Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from golden_rule import Golden, golden_input
from regard.models.mvit_attention import Tokens
from regard.models.published import Rules, published_names

CLOSE = 1e-5
"""Of the largest absolute value: an independent float32 form differs by 2.1e-6, another BLAS by a little more."""
NOISE = 1e-6
"""Stored gradient norms below this are zero in theory: a softmax does not see a shift of all its inputs."""

BEFORE_A_MAX_POOL = (
    *("pos_embed", "patch_embed", "global_embed"),
    *(f"blocks.{i}." for i in range(14)),
    *(f"blocks_audio.{i}." for i in range(3)),
)

TINY = {"num_frames": 4, "size": (64, 96), "width": 8, "depths": (1, 2, 2, 1)}


def assert_close_to_largest(found: Tensor, wanted: np.ndarray, *, within: float = CLOSE) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found.detach().numpy() - wanted).max() <= within * np.abs(wanted).max()


def assert_matches_sample(golden: Golden, name: str, found: Tensor) -> None:
    """Every stride-th value, mean and deviation of an activation (1, n, c), as the golden keeps them."""
    meta = golden.about["output_meta"][name]
    assert list(found.shape) == meta["shape"]
    assert_close_to_largest(found.flatten()[:: meta["stride"]], golden.arrays[f"act/{name}"].ravel())
    assert abs(found.double().mean() - meta["mean"]) < CLOSE
    assert abs(found.double().std(correction=0) - meta["std"]) < CLOSE * meta["std"]


def assert_norms_match(found: Mapping[str, float], wanted: Mapping[str, float]) -> None:
    """Every gradient norm, relative to the stored one: 2e-5, or 2e-3 before a max-pool.

    Where two cells are nearly equal, rounding decides which of them the pool's gradient goes to: the same published
    weights in double precision give norms 2.5e-4 from the stored float32 ones there, by 6e-6 in the middle. Half of
    all norms must be closer than 2e-5, so that no error common to all passes.
    """
    assert set(found) == set(wanted)
    errors = {name: abs(found[name] - norm) / norm for name, norm in wanted.items() if norm > NOISE}
    assert all(errors[name] < (2e-3 if name.startswith(BEFORE_A_MAX_POOL) else 2e-5) for name in errors), errors
    assert np.median(list(errors.values())) < 2e-5
    assert all(found[name] < 10 * NOISE for name in wanted.keys() - errors.keys())


def gradient_norms(model: nn.Module, rules: Rules) -> dict[str, float]:
    """By published name."""
    own = dict(model.named_parameters())
    names = {p: o for p, o in published_names(model, rules).items() if o in own}
    return {p: own[o].grad.double().norm().item() if own[o].grad is not None else 0.0 for p, o in names.items()}


def golden_video(name: str) -> Tensor:
    """(2, 8, 3, 256, 256), drawn channel first."""
    drawn = golden_input(name).standard_normal((2, 3, 8, 256, 256)).astype(np.float32)
    return torch.from_numpy(drawn).transpose(1, 2)


@contextmanager
def recorded(modules: Mapping[str, nn.Module]):
    """What each module gave for the first clip, as (1, n, c); tokens without their grid."""
    given: dict[str, Tensor] = {}

    def hook(name: str):
        def keep(_module, _inputs, output):
            values = output.values if isinstance(output, Tokens) else output
            given[name] = values[:1].detach()

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    yield given
    for handle in handles:
        handle.remove()


def published_state(model: nn.Module, rules: Rules) -> dict[str, Tensor]:
    """A small model's weights under published names and in published shapes."""
    own = model.state_dict()
    state = {published: own[ours].clone() for published, ours in published_names(model, rules).items()}
    for name, value in state.items():
        if name == "classifier.weight":
            state[name] = value[..., None, None, None]
    return state


@torch.no_grad()
def shaken(model: nn.Module) -> nn.Module:
    """A model whose every weight, also those that begin as 0 or 1, is its own; in double precision."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.add_(0.1 * noise if parameter.ndim == 1 else noise / parameter[0].numel() ** 0.5)
    return model.double().eval()
