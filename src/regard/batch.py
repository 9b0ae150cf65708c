"""Sample and Batch: the nouns that carry tensors. A Sample is one Clip made ready; a Batch is several of them stacked.

Every field that an example may lack is None as a whole, and every moment it may lack is False in a mask: no sentinel
numbers; invalid points are NaN. What a field runs along, how it is padded and what has it is said once, by its
declaration in Sample; stacking, masking and asking for it read that.

A Sample's points are normalised to the picture as it was recorded, whatever its pixels became; its `view` says which
part of that picture they show. A Batch's are normalised to what is seen, so a point outside [0, 1] lies beside it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int8, Int64, Shaped, UInt8
from torch import Tensor

from regard.types import Camera, Clip, GazeState

Field = Literal["video", "flow", "sound", "gaze", "observed_gaze", "label", "faces", "hands"]
"""What a task or a model may ask of the data."""

GAZE: frozenset[Field] = frozenset({"gaze", "observed_gaze"})
"""The fields that hold where somebody looked."""


class View(NamedTuple):
    """Which part of the recorded picture is seen: its sides there, normalised. Mirrored, left lies right of right."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def apply(self, point: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 2"]:
        """Points of the recorded picture, normalised to what is seen."""
        start, end = self._corners(point)
        return (point - start) / (end - start)

    def undo(self, point: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 2"]:
        """Points of what is seen, normalised to the recorded picture."""
        start, end = self._corners(point)
        return start + point * (end - start)

    def clamp(self, point: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 2"]:
        """Points of the recorded picture, those beside the view moved to its border, on which they lie exactly."""
        start, end = self._corners(point)
        return point.clamp(start.minimum(end), start.maximum(end))

    def cropped(self, *, left: float, top: float, right: float, bottom: float) -> "View":
        """A part of what is seen, whose sides are normalised to what is seen."""
        width, height = self.right - self.left, self.bottom - self.top
        return View(
            self.left + left * width, self.top + top * height, self.left + right * width, self.top + bottom * height
        )

    def mirrored(self) -> "View":
        """Left for right."""
        return self._replace(left=self.right, right=self.left)

    def camera(self, camera: Camera) -> Camera:
        """The camera of the view: it counts as many pixels as the whole picture did, and sees the same angles."""
        if self == View():
            return camera
        matrix = np.eye(3)
        sides = ((self.left, self.right, camera.width), (self.top, self.bottom, camera.height))
        for axis, (start, end, pixels) in enumerate(sides):
            scale = 1 / (end - start)
            matrix[axis, axis], matrix[axis, 2] = scale, scale / 2 - start * scale * pixels - 0.5
        return replace(camera, matrix=matrix @ camera.matrix)

    def _corners(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return like.new_tensor([self.left, self.top]), like.new_tensor([self.right, self.bottom])


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What a field of a Sample says of itself."""

    along: Literal["frames", "flow", "asked", "clip"]
    """Its first axis: the shown frames, the moments of the flow, the asked ones, or none: one thing a clip."""
    need: Field | None = None
    """What the data must have for it."""
    pad: float | bool | int | None = None
    """What stands where there is nothing; None repeats the last entry."""
    mask: str | None = None
    """The field that is True where this one is valid."""
    is_point: bool = False


def _is(spec: FieldSpec) -> Any:
    return field(default=None, metadata={"spec": spec})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One example: t shown frames, f moments of flow (the shown frames if `Clip.flow_s` is None), u asked moments.

    Examples:
        >>> recording = regard.open("my_recording/")
        >>> clip = regard.Clip(recording=recording, frame_s=np.array([0.0]), gaze_s=np.array([0.0]))
        >>> video = torch.from_numpy(np.stack([frame for _, frame in recording.frames(clip.frame_s)]))
        >>> regard.Sample(clip=clip, video=video.movedim(-1, 1)).video.shape
        torch.Size([1, 3, 96, 128])
    """

    clip: Clip
    video: UInt8[Tensor, "t 3 h w"] | Float[Tensor, "t 3 h w"] | None = _is(FieldSpec("frames", "video"))
    """RGB; uint8 as decoded, float once normalised."""
    flow: Float[Tensor, "f 2 h w"] | None = _is(FieldSpec("flow", "flow"))
    """Optical flow (u, v) from each moment's frame to the video's next, in pixels of this picture, right and down."""
    sound: Float[Tensor, "t f k"] | None = _is(FieldSpec("frames", "sound", mask="sound_valid"))
    """One log-power spectrogram window (f frequency bins, k time columns) for each shown frame."""
    sound_valid: Bool[Tensor, "t"] | None = _is(FieldSpec("frames", "sound", pad=False))
    """True where the recording has sound for that frame's window."""
    gaze_point: Float[Tensor, "u 2"] | None = _is(
        FieldSpec("asked", "gaze", pad=torch.nan, mask="gaze_valid", is_point=True)
    )
    """Where the wearer looked at the asked moments: the target."""
    gaze_valid: Bool[Tensor, "u"] | None = _is(FieldSpec("asked", "gaze", pad=False))
    gaze_state: Int8[Tensor, "u"] | None = _is(FieldSpec("asked", "gaze", pad=int(GazeState.LOST), mask="gaze_valid"))
    """GazeState of the asked moments."""
    observed_point: Float[Tensor, "t 2"] | None = _is(
        FieldSpec("frames", "observed_gaze", pad=torch.nan, mask="observed_valid", is_point=True)
    )
    """Where the wearer looked at the shown frames: an input, for models that are fed gaze."""
    observed_valid: Bool[Tensor, "t"] | None = _is(FieldSpec("frames", "observed_gaze", pad=False))
    observed_state: Int8[Tensor, "t"] | None = _is(
        FieldSpec("frames", "observed_gaze", pad=int(GazeState.LOST), mask="observed_valid")
    )
    """GazeState of the shown moments."""
    hand_point: Float[Tensor, "t 2 2"] | None = _is(FieldSpec("frames", "hands", pad=torch.nan, is_point=True))
    """Where the wearer's left and right hand are at the shown frames; NaN where that is not known."""
    label: dict[str, int] | None = _is(FieldSpec("clip", "label"))
    """Class of the clip by label name ("verb": 3)."""
    given: dict[str, Tensor] | None = _is(FieldSpec("clip"))
    """What transforms made of the clip for its model, by name; NaN where it is not known (see `Transform.gives`)."""
    view: View = field(default=View(), metadata={"spec": FieldSpec("clip")})

    def with_points(self, change: Callable[[Tensor], Tensor], *, of: Collection[Field] | None = None) -> "Sample":
        """The same sample with its points changed: all of them, or those of some fields only.

        Examples:
            >>> recording = regard.open("my_recording/")
            >>> clip = regard.Clip(recording=recording, frame_s=np.array([0.0]), gaze_s=np.array([0.0]))
            >>> sample = regard.Sample(clip=clip, gaze_point=torch.tensor([[0.2, 0.5]]))
            >>> sample.with_points(lambda point: 1 - point).gaze_point
            tensor([[0.8000, 0.5000]])
        """
        changed = {
            name: change(point)
            for name, spec in FIELDS.items()
            if spec.is_point and (of is None or spec.need in of) and (point := getattr(self, name)) is not None
        }
        return replace(self, **changed)


FIELDS: Mapping[str, FieldSpec] = {f.name: f.metadata["spec"] for f in fields(Sample) if f.metadata}
"""Every field that a Batch has of its Samples."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """b examples, padded at the end to the longest. `frame_valid` and `asked_valid` are False on padding.

    Examples:
        >>> recording = regard.open("my_recording/")
        >>> clip = regard.Clip(recording=recording, frame_s=np.array([0.0]), gaze_s=np.array([0.0]))
        >>> mask = torch.ones(1, 1, dtype=torch.bool)
        >>> batch = regard.Batch(clips=(clip,), frame_valid=mask, asked_valid=mask, ahead_s=torch.zeros(1, 1))
        >>> len(batch), batch.views[0].right
        (1, 1.0)
    """

    clips: tuple[Clip, ...]
    frame_valid: Bool[Tensor, "b t"]
    asked_valid: Bool[Tensor, "b u"]
    ahead_s: Float[Tensor, "b u"]
    """From the last shown frame to each asked moment: 0 and negative for estimation, positive for anticipation."""
    video: UInt8[Tensor, "b t 3 h w"] | Float[Tensor, "b t 3 h w"] | None = None
    flow: Float[Tensor, "b f 2 h w"] | None = None
    sound: Float[Tensor, "b t f k"] | None = None
    sound_valid: Bool[Tensor, "b t"] | None = None
    gaze_point: Float[Tensor, "b u 2"] | None = None
    gaze_valid: Bool[Tensor, "b u"] | None = None
    gaze_state: Int8[Tensor, "b u"] | None = None
    observed_point: Float[Tensor, "b t 2"] | None = None
    observed_valid: Bool[Tensor, "b t"] | None = None
    observed_state: Int8[Tensor, "b t"] | None = None
    hand_point: Float[Tensor, "b t 2 2"] | None = None
    label: dict[str, Int64[Tensor, "b"]] | None = None
    given: dict[str, Shaped[Tensor, "b ..."]] | None = None
    view: Float[Tensor, "b 4"] | None = None
    """The sides of each View; None where all see the whole picture."""
    skipped: tuple[str, ...] = ()
    """One line for each example that could not be read and was left out on the user's wish (`on_error="skip"`)."""

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def views(self) -> tuple[View, ...]:
        """What each example sees of its recorded picture."""
        return (View(),) * len(self) if self.view is None else tuple(View(*sides) for sides in self.view.tolist())

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """The same batch with every tensor on `device`.

        Examples:
            >>> recording = regard.open("my_recording/")
            >>> clip = regard.Clip(recording=recording, frame_s=np.array([0.0]), gaze_s=np.array([0.0]))
            >>> mask = torch.ones(1, 1, dtype=torch.bool)
            >>> batch = regard.Batch(clips=(clip,), frame_valid=mask, asked_valid=mask, ahead_s=torch.zeros(1, 1))
            >>> batch.to("meta").ahead_s.device.type
            'meta'
        """
        return self._with_tensors(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory, from which a GPU copies faster; a DataLoader calls this."""
        return self._with_tensors(Tensor.pin_memory)

    def _with_tensors(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors = {n: change(v) for n, v in values.items() if isinstance(v, Tensor)}
        dicts = {n: {k: change(t) for k, t in v.items()} for n, v in values.items() if isinstance(v, dict)}
        return replace(self, **tensors, **dicts)
