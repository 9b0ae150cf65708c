"""What becomes of gaze that a crop left outside the picture: unknown, or on the border, as systems differ."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from typing_extensions import override

from regard.batch import Sample
from regard.ops.geometry import inside
from regard.transforms.place import Transform
from regard.types import GazeState

__all__ = ["ClampGaze", "MaskGazeOutside"]


@dataclass(frozen=True, slots=True)
class MaskGazeOutside(Transform):
    """Gaze that lies outside the picture, for instance after a crop, counts as unknown."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        gaze_point, gaze_valid = _mask_outside(sample.gaze_point, sample.gaze_valid)
        observed_point, observed_valid = _mask_outside(sample.observed_point, sample.observed_valid)
        state = sample.gaze_state
        if state is not None and gaze_valid is not None:
            state = torch.where(gaze_valid, state, torch.full_like(state, GazeState.LOST))
        return replace(
            sample,
            gaze_point=gaze_point,
            gaze_valid=gaze_valid,
            gaze_state=state,
            observed_point=observed_point,
            observed_valid=observed_valid,
        )


@dataclass(frozen=True, slots=True)
class ClampGaze(Transform):
    """Gaze that lies outside the picture is moved to its border and stays valid, as GLC and CSTS were trained."""

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        gaze, observed = sample.gaze_point, sample.observed_point
        return replace(
            sample,
            gaze_point=None if gaze is None else gaze.clamp(0, 1),
            observed_point=None if observed is None else observed.clamp(0, 1),
        )


def _mask_outside(point: Tensor | None, valid: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    if point is None or valid is None:
        return point, valid
    seen = inside(point)
    return torch.where(seen[:, None], point, torch.nan), valid & seen
