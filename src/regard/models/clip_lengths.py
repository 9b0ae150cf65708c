"""Clips of different lengths in one batch, for a network that folds all frames together and so takes one length."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor


def by_length(
    look: Callable[..., tuple[Tensor, ...]],
    *inputs: Shaped[Tensor, "b _ ..."],
    frame_valid: Bool[Tensor, "b t"] | None,
    slots: int,
) -> tuple[Tensor, ...]:
    """What `look` says of the inputs, the clips of each length by themselves and without their padding.

    Valid frames come first. An input with no more entries than a clip has frames is given whole. Answers of three axes
    and more run along the frames, and have `slots` entries for a clip of t frames: those of shorter ones are filled up
    with zeros.
    """
    if frame_valid is None or bool(frame_valid.all()):
        return look(*inputs)
    lengths = frame_valid.sum(dim=1)
    clips = {length: (lengths == length).nonzero()[:, 0] for length in torch.unique(lengths).tolist()}
    parts = [look(*(x[index, :length] for x in inputs)) for length, index in clips.items()]
    order = torch.cat(list(clips.values())).argsort()
    return tuple(torch.cat([_filled(a, slots) for a in answers])[order] for answers in zip(*parts, strict=True))


def _filled(answer: Tensor, slots: int) -> Tensor:
    if answer.ndim < 3:
        return answer
    lacking = answer.new_zeros(len(answer), slots - answer.shape[1], *answer.shape[2:])
    return torch.cat([answer, lacking], dim=1)
