"""Samples to one Batch: padded at the end to the longest, with masks that say what is padding.

Padding repeats the last real frame, flow, sound window and asked time, because those are harmless to every layer;
padded points are NaN. Nothing in a Batch is to be believed where its mask is False.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor
from torch.utils.data import get_worker_info

from regard.batch import FIELDS, Batch, Sample
from regard.errors import RecipeError
from regard.types import Clip

__all__ = ["Skipped"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Stands in for a Sample that could not be read; says which and why."""

    reason: str


def collate(samples: Sequence[Sample | Skipped]) -> Batch:
    """One Batch of all samples that could be read; the others are named in `Batch.skipped`."""
    read = [s.with_points(s.view.apply) for s in samples if isinstance(s, Sample)]
    skipped = tuple(s.reason for s in samples if isinstance(s, Skipped))
    if not read:
        none = torch.zeros(0, 0, dtype=torch.bool)
        return Batch(clips=(), frame_valid=none, asked_valid=none, ahead_s=none.float(), skipped=skipped)
    clips = tuple(s.clip for s in read)
    t, u = max(len(c.frame_s) for c in clips), max(len(c.gaze_s) for c in clips)
    f = max(len(c.frame_s if c.flow_s is None else c.flow_s) for c in clips)
    stacked = {
        "frames": lambda name, pad: _field(read, name, t, pad),
        "flow": lambda name, pad: _field(read, name, f, pad),
        "asked": lambda name, pad: _field(read, name, u, pad),
        "clip": lambda name, _: _facts(read, name),
    }
    return Batch(
        clips=clips,
        frame_valid=_stack([_frame_valid(c) for c in clips], t, False),
        asked_valid=_stack([_asked_valid(c) for c in clips], u, False),
        ahead_s=_stack([torch.from_numpy(c.gaze_s - c.frame_s[-1]).float() for c in clips], u),
        skipped=skipped,
        **{name: stacked[spec.along](name, spec.pad) for name, spec in FIELDS.items()},
    )


def _frame_valid(clip: Clip) -> Bool[Tensor, "t"]:
    valid = np.ones(len(clip.frame_s), bool) if clip.frame_valid is None else clip.frame_valid
    return torch.from_numpy(valid)


def _asked_valid(clip: Clip) -> Bool[Tensor, "u"]:
    """Where the frames themselves are asked about, a repeated frame is not asked about again."""
    is_estimation = np.array_equal(clip.gaze_s, clip.frame_s)
    return _frame_valid(clip) if is_estimation else torch.ones(len(clip.gaze_s), dtype=torch.bool)


def _field(samples: list[Sample], name: str, length: int, fill: float | bool | int | None = None) -> Tensor | None:
    rows = [getattr(s, name) for s in samples]
    if all(row is None for row in rows):
        return None
    if len({None if row is None else row.shape[1:] for row in rows}) > 1:
        raise _differ(samples, name, rows)
    return _stack(rows, length, fill)


def _differ(samples: list[Sample], name: str, rows: Sequence[Tensor | None]) -> RecipeError:
    shapes = {str(s.clip): None if r is None else tuple(r.shape) for s, r in zip(samples, rows, strict=True)}
    return RecipeError(
        "collate",
        found=f"{name} of different shapes in one batch: {shapes}",
        wanted="one shape, apart from the number of moments",
        do="bring all pictures to one size with a transform (Resize, CentreCrop, RandomResizedCrop)",
    )


def _stack(rows: list[Tensor], length: int, fill: float | bool | int | None = None) -> Shaped[Tensor, "b n ..."]:
    """Rows one above the other, padded to `length` with `fill`, or with their own last entry where it is None."""
    shape = (len(rows), length, *rows[0].shape[1:])
    out = _empty(shape, rows[0].dtype)
    for place, row in zip(out, rows, strict=True):
        n = len(row)
        place[:n] = row
        if n < length:
            place[n:] = row[-1] if fill is None else fill
    return out


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """In a loader's worker, memory that the main process shares, so that a batch crosses over without a copy."""
    out = torch.empty(0, dtype=dtype)
    if get_worker_info() is not None:
        numel = int(np.prod(shape))
        storage = out._typed_storage()._new_shared(numel)
        out = out.new(storage)
    return out.resize_(shape)


def _facts(samples: list[Sample], name: str) -> Tensor | dict[str, Tensor] | None:
    """What is one thing a clip; of a mapping, as labels are, each of its entries."""
    facts = [fact for s in samples if (fact := getattr(s, name)) is not None]
    if not facts:
        return None
    if not isinstance(facts[0], dict):
        return torch.tensor(facts)
    for sample in samples:
        own = getattr(sample, name) or {}
        if own.keys() != facts[0].keys():
            raise RecipeError(
                str(sample.clip),
                found=f"{name} {sorted(own)}",
                wanted=f"{sorted(facts[0])}, as the other clips of the batch have",
                do="let the dataset give every segment of a kind the same labels, and transforms the same to each clip",
            )
    return {key: _fact(samples, key, [torch.as_tensor(fact[key]) for fact in facts]) for key in facts[0]}


def _fact(samples: list[Sample], name: str, rows: list[Tensor]) -> Tensor:
    """One of a mapping: a number for each clip, or rows that are padded as frames are."""
    if len({row.shape[1:] for row in rows}) > 1 or len({row.dim() for row in rows}) > 1:
        raise _differ(samples, name, rows)
    return _stack(rows, max(map(len, rows))) if rows[0].dim() else torch.stack(rows)
