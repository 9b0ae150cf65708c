"""Published checkpoints under our names: strictly, so that what does not fit is named and never ignored."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from regard.errors import WeightsError

Rules = Sequence[tuple[str, str]]
"""(regular expression, replacement) pairs, applied in order: from our names to the published ones."""

_Model = TypeVar("_Model", bound=nn.Module)

WRAPPERS = ("model_state", "state_dict", "module", "model")
"""What training scripts (SlowFast's, most, DeepSpeed's, MAE's) call the state in a checkpoint."""

BY_HAND = "no address of the file is known, and it was not fetched by us; put the file here by hand"
"""The note of a checkpoint that its authors keep where no program can fetch it."""

SHOWN = 8
"""How many wrong names an error lists before it says "and n more"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One file that others have trained and published. A model's class lists its own as `published`.

    `page` is for people, `address` for machines; None where nobody has published the file itself. `sha256` None: nobody
    has recorded it. `fits` raises WeightsError for the content of another checkpoint; `names` are what it calls its
    tensors. `recipe` is the packaged recipe that predicts with it; None for what training starts from.
    """

    name: str
    about: str
    file: str
    page: str
    fits: Callable[[Mapping[str, object]], object]
    names: Callable[[], tuple[str, ...]]
    address: str | None = None
    licence: str = "none stated"
    sha256: str | None = None
    note: str = ""
    recipe: str | None = None


def google_drive(file: str) -> dict[str, str]:
    """Page and address of a file there. The page is as its authors link it; the address is from memory."""
    return {
        "page": f"https://drive.google.com/file/d/{file}/view",
        "address": f"https://drive.usercontent.google.com/download?id={file}&export=download&confirm=t",
    }


def tensor_names(build: Callable[[], nn.Module], rules: Rules) -> tuple[str, ...]:
    """What a published state calls the tensors of a module, buffers and all."""
    with torch.device("meta"):
        return tuple(published_names(build(), rules))


def published_names(model: nn.Module, rules: Rules) -> dict[str, str]:
    """Published name -> our name of everything in the model's state."""
    names = {}
    for own in model.state_dict():
        published = own
        for pattern, replacement in rules:
            published = re.sub(pattern, replacement, published)
        names[published] = own
    return names


def bare_state(checkpoint: Mapping[str, object], *, where: str) -> dict[str, Tensor]:
    """A checkpoint's tensors by name, without what training puts round them.

    Takes a state or a whole checkpoint that holds one under a name of WRAPPERS, and removes a leading "module.". Raises
    WeightsError for anything that is not a tensor, and where two names become the same.
    """
    state = checkpoint.get(next((name for name in WRAPPERS if name in checkpoint), ""), checkpoint)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(
            where,
            found="values that are not tensors",
            wanted="a state: a tensor for each name",
            do=f"give the checkpoint's state, or a file that holds it as {' or '.join(map(repr, WRAPPERS))}",
        )
    bare = {name.removeprefix("module."): value for name, value in state.items()}
    if len(bare) < len(state):
        twice = [name for name in state if name.startswith("module.") and name.removeprefix("module.") in state]
        raise _wrong_names(where, [f"{n} and {n.removeprefix('module.')}" for n in twice], wanted="each name once")
    return bare


def load_published(model: nn.Module, state: Mapping[str, Tensor], names: Mapping[str, str], *, where: str) -> None:
    """Copy a published state into a model. `names` is published name -> our name.

    A convolution over all that there is, which is a linear layer here, has its axes after the first flattened. Raises
    WeightsError that lists missing and left-over names and other shapes.
    """
    _check_fit(model, state, names, where=where)
    own = model.state_dict()
    with torch.no_grad():
        for name, ours in names.items():
            own[ours].copy_(state[name].reshape(own[ours].shape))


def built_from(build: Callable[[], _Model], state: Mapping[str, Tensor], rules: Rules, *, where: str) -> _Model:
    """A new model out of a published state: its tensors become the model's own, neither drawn nor copied first."""
    with torch.device("meta"):
        model = build()
    names = published_names(model, rules)
    _check_fit(model, state, names, where=where)
    own = model.state_dict()
    loaded = {ours: state[n].reshape(own[ours].shape).to(own[ours].dtype).contiguous() for n, ours in names.items()}
    model.load_state_dict(loaded, assign=True)
    return model


def _check_fit(model: nn.Module, state: Mapping[str, Tensor], names: Mapping[str, str], *, where: str) -> None:
    own = model.state_dict()
    wrong = [f"missing {name}" for name in names if name not in state]
    wrong += [f"left over {name}" for name in state if name not in names]
    wrong += [
        f"{name} is {tuple(state[name].shape)} and not {tuple(own[names[name]].shape)}"
        for name in names
        if name in state and not _same_content(state[name], own[names[name]])
    ]
    if wrong:
        raise _wrong_names(where, wrong, wanted=f"the {len(names)} tensors of a published {where}")


def _same_content(published: Tensor, own: Tensor) -> bool:
    return published.shape == own.shape or (published.ndim > own.ndim > 1 and published.flatten(1).shape == own.shape)


def _wrong_names(where: str, wrong: Sequence[str], *, wanted: str) -> WeightsError:
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return WeightsError(
        where,
        found="; ".join(wrong[:SHOWN]) + more,
        wanted=wanted,
        do="check that the file belongs to this model and is whole",
    )
