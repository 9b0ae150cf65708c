"""Optical flow, computed once for each video and kept as a film of numbers.

From each frame to the next, by dense inverse search (Kroeger et al., Fast optical flow using dense inverse search, ECCV
2016; OpenCV's `DISOpticalFlow`, preset medium): 10 to 50 times as fast as TV-L1, which the published systems used, and
kept up in OpenCV's main part, whereas TV-L1 is only in its contributed part. The last frame repeats the flow before it.

    PREPARED/flow/
      kitchen-3f2a9c10.mp4      grey H.264: u above v, one byte 128 + 127 flow / 20 px, cut at +-20 px, as published
      kitchen-3f2a9c10.json     what it was made from and how; written after the film
      manifest.json             all of them, the bound among the settings; written last
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from typing_extensions import override

from regard.batch import Field
from regard.clips.flow import encoded
from regard.errors import FileError
from regard.io import FilmWriter, open_video
from regard.prepare.film import GOP, check_size, even_size, facts, shown
from regard.prepare.making import Making, Size
from regard.transforms.flow import BOUND_PX
from regard.types import MediaStream, Recording

__all__ = ["FlowSettings"]

SIDE = 256
"""Short side in pixels at which flow is computed for a recipe that reads frames as recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings(Making):
    """How flow is made: at which size (short side or height and width in pixels), and cut at which component."""

    what: ClassVar[str] = "optical flow"
    supplies: ClassVar[frozenset[Field]] = frozenset({"flow"})
    folder: ClassVar[str] = "flow"

    size: Size
    bound_px: float = BOUND_PX
    method: Literal["dis"] = "dis"
    gop: int = GOP

    def __post_init__(self) -> None:
        check_size(self.size, self.gop)

    @classmethod
    @override
    def sized(cls, size: Size | None) -> "FlowSettings":
        return cls(size=size or SIDE)

    @classmethod
    @override
    def lacks(cls, recording: Recording) -> bool:
        return recording.flow is None

    @override
    def make(self, recording: Recording, file: Path) -> dict[str, object]:
        video = open_video(recording.require_video())
        h, w = even_size(video.size, self.size)
        with FilmWriter(file, size=(2 * h, w), gop=self.gop) as writer:
            for flow, time_s in _flows(shown(video, (h, w))):
                writer.write(encoded(flow, bound_px=self.bound_px), time_s)
        video.close()
        return facts(video, (h, w))

    @classmethod
    @override
    def use(cls, recording: Recording, file: Path, facts: dict[str, Any]) -> Recording:
        if facts["settings"]["bound_px"] != BOUND_PX:
            raise FileError(
                file,
                found=f"flow cut at {facts['settings']['bound_px']} pixels",
                wanted=f"flow cut at {BOUND_PX:g} pixels",
                do="delete this folder and run regard prepare again",
            )
        return replace(recording, flow=MediaStream(path=file, start_s=facts["start_s"]))


class DenseFlow:
    """The flow from one grey picture to another, in pixels to the right and down; for one thread."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(
        self, before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]
    ) -> Float32[np.ndarray, "2 h w"]:
        """Where each place of `before` is in `after`, less where it was."""
        flow = self._method.calc(before, after, None)  # pyright: ignore[reportArgumentType, reportCallIssue]
        return np.ascontiguousarray(flow.transpose(2, 0, 1))


def _flows(
    frames: Iterator[tuple[UInt8[np.ndarray, "h w 3"], float]],
) -> Iterator[tuple[Float32[np.ndarray, "2 h w"], float]]:
    """The flow from each frame to the next, with the first one's time."""
    between = DenseFlow()
    before, since_s, flow = None, 0.0, None
    for frame, time_s in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None:
            flow = between(before, grey)
            yield flow, since_s
        before, since_s = grey, time_s
    if before is not None:
        yield (np.zeros((2, *before.shape), np.float32) if flow is None else flow), since_s
