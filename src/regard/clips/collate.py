"""Samples to one Batch: padded at the end to the longest, with masks that say what is padding.

Padding repeats the last real frame, sound window and asked time, because those are harmless to every layer; padded
points are NaN. Nothing in a Batch is to be believed where its mask is False.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from torch import Tensor
from torch.utils.data import get_worker_info

from regard.batch import Batch, Sample
from regard.errors import RecipeError
from regard.types import Clip, GazeState

__all__ = ["Skipped"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Stands in for a Sample that could not be read; says which and why."""

    reason: str


def collate(samples: Sequence[Sample | Skipped]) -> Batch:
    """One Batch of all samples that could be read; the others are named in `Batch.skipped`."""
    read = [s for s in samples if isinstance(s, Sample)]
    clips = tuple(s.clip for s in read)
    t = max((len(c.frame_s) for c in clips), default=0)
    u = max((len(c.gaze_s) for c in clips), default=0)
    ahead = [torch.from_numpy(c.gaze_s - c.frame_s[-1]).float() for c in clips]
    return Batch(
        clips=clips,
        frame_valid=_stack([_frame_valid(c) for c in clips], t, False)
        if clips
        else torch.zeros(0, 0, dtype=torch.bool),
        asked_valid=_stack([_asked_valid(c) for c in clips], u, False)
        if clips
        else torch.zeros(0, 0, dtype=torch.bool),
        ahead_s=_stack(ahead, u) if clips else torch.zeros(0, 0),
        video=_field(read, "video", t),
        flow=_field(read, "flow", t),
        sound=_field(read, "sound", t),
        sound_valid=_field(read, "sound_valid", t, False),
        gaze_point=_field(read, "gaze_point", u, torch.nan),
        gaze_valid=_field(read, "gaze_valid", u, False),
        gaze_state=_field(read, "gaze_state", u, int(GazeState.LOST)),
        observed_point=_field(read, "observed_point", t, torch.nan),
        observed_valid=_field(read, "observed_valid", t, False),
        label=_labels(read),
        part=_parts(read),
        skipped=tuple(s.reason for s in samples if isinstance(s, Skipped)),
    )


def _frame_valid(clip: Clip) -> Bool[Tensor, "t"]:
    valid = np.ones(len(clip.frame_s), bool) if clip.frame_valid is None else clip.frame_valid
    return torch.from_numpy(valid)


def _asked_valid(clip: Clip) -> Bool[Tensor, "u"]:
    """Where the frames themselves are asked about, a repeated frame is not asked about again."""
    is_estimation = np.array_equal(clip.gaze_s, clip.frame_s)
    return _frame_valid(clip) if is_estimation else torch.ones(len(clip.gaze_s), dtype=torch.bool)


def _field(samples: list[Sample], name: str, length: int, fill: float | bool | int | None = None) -> Tensor | None:
    rows = [row for s in samples if (row := getattr(s, name)) is not None]
    if not rows:
        return None
    if len(rows) < len(samples) or len({row.shape[1:] for row in rows}) > 1:
        shapes = {str(s.clip): None if (r := getattr(s, name)) is None else tuple(r.shape) for s in samples}
        raise RecipeError(
            "collate",
            found=f"{name} of different shapes in one batch: {shapes}",
            wanted="one shape, apart from the number of moments",
            do="bring all pictures to one size with a transform (Resize, CentreCrop, RandomResizedCrop)",
        )
    return _stack(rows, length, fill)


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


def _parts(samples: list[Sample]) -> Tensor | None:
    if all(s.part is None for s in samples):
        return None
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0])
    return torch.stack([whole if s.part is None else s.part for s in samples])


def _labels(samples: list[Sample]) -> dict[str, Tensor] | None:
    labels = [s.label for s in samples if s.label is not None]
    if not labels:
        return None
    names = labels[0].keys()
    for sample in samples:
        if sample.label is None or sample.label.keys() != names:
            raise RecipeError(
                str(sample.clip),
                found=f"labels {sorted(sample.label or ())}",
                wanted=f"{sorted(names)}, as the other clips of the batch have",
                do="let the dataset give every segment of a kind the same labels",
            )
    return {name: torch.tensor([label[name] for label in labels]) for name in names}
