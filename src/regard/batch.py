"""Sample and Batch: the nouns that carry tensors. A Sample is one Clip made ready; a Batch is several of them stacked.

Every field that an example may lack is None as a whole, and every moment it may lack is False in a mask: no sentinel
numbers. Points are normalised to the picture *as it now is*: a transform that crops the video moves the points too, so
a point outside [0, 1] lies outside the crop. Invalid points are NaN.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int8, Int64, UInt8
from torch import Tensor

from regard.types import Clip

Field = Literal["video", "flow", "sound", "gaze", "observed_gaze", "label"]
"""What a task or a model may ask of the data."""

FIELDS: tuple[Field, ...] = get_args(Field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One example: t shown frames, u asked moments."""

    clip: Clip
    video: UInt8[Tensor, "t 3 h w"] | Float[Tensor, "t 3 h w"] | None = None
    """RGB; uint8 as decoded, float once normalised."""
    flow: Float[Tensor, "t 2 h w"] | None = None
    """Optical flow (u, v) from each shown frame to the video's next, in pixels of this picture, right and down."""
    sound: Float[Tensor, "t f k"] | None = None
    """One log-power spectrogram window (f frequency bins, k time columns) for each shown frame."""
    sound_valid: Bool[Tensor, "t"] | None = None
    """True where the recording has sound for that frame's window."""
    gaze_point: Float[Tensor, "u 2"] | None = None
    """Where the wearer looked at the asked moments: the target."""
    gaze_valid: Bool[Tensor, "u"] | None = None
    gaze_state: Int8[Tensor, "u"] | None = None
    """GazeState of the asked moments."""
    observed_point: Float[Tensor, "t 2"] | None = None
    """Where the wearer looked at the shown frames: an input, for models that are fed gaze."""
    observed_valid: Bool[Tensor, "t"] | None = None
    label: dict[str, int] | None = None
    """Class of the clip by label name ("verb": 3)."""
    part: Float[Tensor, "4"] | None = None
    """Which part of the recorded picture this one is: its (left, top, right, bottom) there; None for all of it.

    Normalised. Where it is mirrored, left lies right of right.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """b examples, padded at the end to the longest. `frame_valid` and `asked_valid` are False on padding."""

    clips: tuple[Clip, ...]
    frame_valid: Bool[Tensor, "b t"]
    asked_valid: Bool[Tensor, "b u"]
    ahead_s: Float[Tensor, "b u"]
    """From the last shown frame to each asked moment: 0 and negative for estimation, positive for anticipation."""
    video: UInt8[Tensor, "b t 3 h w"] | Float[Tensor, "b t 3 h w"] | None = None
    flow: Float[Tensor, "b t 2 h w"] | None = None
    sound: Float[Tensor, "b t f k"] | None = None
    sound_valid: Bool[Tensor, "b t"] | None = None
    gaze_point: Float[Tensor, "b u 2"] | None = None
    gaze_valid: Bool[Tensor, "b u"] | None = None
    gaze_state: Int8[Tensor, "b u"] | None = None
    observed_point: Float[Tensor, "b t 2"] | None = None
    observed_valid: Bool[Tensor, "b t"] | None = None
    label: dict[str, Int64[Tensor, "b"]] | None = None
    part: Float[Tensor, "b 4"] | None = None
    skipped: tuple[str, ...] = ()
    """One line for each example that could not be read and was left out on the user's wish (`on_error="skip"`)."""

    def __len__(self) -> int:
        return len(self.clips)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """The same batch with every tensor on `device`."""
        moved = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Tensor):
                moved[f.name] = value.to(device, non_blocking=non_blocking)
            elif f.name == "label" and value is not None:
                moved[f.name] = {k: v.to(device, non_blocking=non_blocking) for k, v in value.items()}
        return replace(self, **moved)

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory, from which a GPU copies faster; a DataLoader calls this."""
        tensors = {f.name: v.pin_memory() for f in fields(self) if isinstance(v := getattr(self, f.name), Tensor)}
        label = None if self.label is None else {k: v.pin_memory() for k, v in self.label.items()}
        return replace(self, **tensors, label=label)
