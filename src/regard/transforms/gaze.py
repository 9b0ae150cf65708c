"""What becomes of gaze that a crop left outside the picture: unknown, or on the border, as systems differ."""

from dataclasses import dataclass, replace

import torch
from typing_extensions import override

from regard.batch import FIELDS, GAZE, Sample
from regard.ops.geometry import inside
from regard.transforms.place import Transform

__all__ = ["ClampGaze", "MaskGazeOutside"]


@dataclass(frozen=True, slots=True)
class MaskGazeOutside(Transform):
    """Gaze that lies outside the picture, for instance after a crop, counts as unknown."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        beside = {
            spec.mask: ~inside(sample.view.apply(point))
            for name, spec in FIELDS.items()
            if spec.is_point and spec.need in GAZE and (point := getattr(sample, name)) is not None
        }
        masked = {}
        for name, spec in FIELDS.items():
            value, outside = getattr(sample, name), beside.get(spec.mask or name)
            if value is not None and outside is not None:
                masked[name] = value.masked_fill(outside[:, None] if spec.is_point else outside, spec.pad)
        return replace(sample, **masked)


@dataclass(frozen=True, slots=True)
class ClampGaze(Transform):
    """Gaze that lies outside the picture is moved to its border and stays valid, as GLC and CSTS were trained."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return sample.with_points(sample.view.clamp, of=GAZE)
