"""Clips of different lengths in one batch, for a network that folds all frames together and so takes one length."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor


def by_length(
    look: Callable[..., tuple[Tensor, ...]],
    *inputs: Shaped[Tensor, "b _ ..."],
    frame_valid: Bool[Tensor, "b t"] | None,
) -> tuple[Tensor, ...]:
    """What `look` says of the inputs, the clips of each length by themselves and without their padding.

    Valid frames come first. An input with no more entries than a clip has frames is given whole. Answers of three axes
    and more run along the frames, so those of shorter clips are filled up with zeros along their second axis.
    """
    if frame_valid is None or bool(frame_valid.all()):
        return look(*inputs)
    lengths = frame_valid.sum(dim=1)
    clips = {length: (lengths == length).nonzero()[:, 0] for length in torch.unique(lengths).tolist()}
    parts = [look(*(x[index, :length] for x in inputs)) for length, index in clips.items()]
    order = torch.cat(list(clips.values())).argsort()
    return tuple(torch.cat(_filled(answers))[order] for answers in zip(*parts, strict=True))


def _filled(answers: tuple[Tensor, ...]) -> list[Tensor]:
    """All as long as the longest along their second axis, where they have more than two."""
    if answers[0].ndim < 3:
        return list(answers)
    longest = max(answer.shape[1] for answer in answers)
    return [torch.cat([a, a.new_zeros(len(a), longest - a.shape[1], *a.shape[2:])], dim=1) for a in answers]
