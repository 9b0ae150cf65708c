"""Optical flow, computed once for each video and kept as a film of numbers, and what recipes do with it.

From each frame to the next, by dense inverse search (Kroeger et al., Fast optical flow using dense inverse search, ECCV
2016; OpenCV's `DISOpticalFlow`, preset medium): 10 to 50 times as fast as TV-L1, which the published systems used, and
kept up in OpenCV's main part, whereas TV-L1 is only in its contributed part. The last frame repeats the flow before it.

    PREPARED/flow/
      kitchen-3f2a9c10.mp4      grey H.264: u above v, one byte 128 + 127 flow / 20 px, cut at +-20 px, as published
      kitchen-3f2a9c10.json     what it was made from and how; written after the film
      manifest.json             all of them, the bound among the settings; written last
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from regard.clips.flow import encoded
from regard.errors import FileError
from regard.io import FilmWriter, open_video
from regard.prepare.film import GOP, check_size, even_size, facts, shown
from regard.prepare.folder import MANIFEST, film_of, read_manifest
from regard.transforms.flow import BOUND_PX
from regard.types import MediaStream, Recording

FOLDER = "flow"
"""Beside the prepared films."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSettings:
    """How flow is made: at which size (short side or height and width in pixels), and cut at which component."""

    size: int | tuple[int, int]
    bound_px: float = BOUND_PX
    method: Literal["dis"] = "dis"
    gop: int = GOP

    def __post_init__(self) -> None:
        check_size(self.size, self.gop)

    def make(self, recording: Recording, film: Path) -> dict[str, object]:
        """Write one recording's flow; what is to be known about it. Raises FileError where its video is unreadable."""
        video = open_video(recording.require_video())
        h, w = even_size(video.size, self.size)
        with FilmWriter(film, size=(2 * h, w), gop=self.gop) as writer:
            for flow, time_s in _flows(shown(video, (h, w))):
                writer.write(encoded(flow, bound_px=self.bound_px), time_s)
        video.close()
        return facts(video, (h, w))


def use_flow(recordings: Sequence[Recording], prepared: Path | str) -> tuple[Recording, ...]:
    """The recordings with the flow that lies beside their prepared films; as they are where none was made (to the end).

    Raises FileError where a film of flow is cut short or was made from another file.
    """
    root = Path(prepared) / FOLDER
    if not (root / MANIFEST).is_file():
        return tuple(recordings)
    manifest = read_manifest(root)
    if manifest["settings"]["bound_px"] != BOUND_PX:
        raise FileError(
            root / MANIFEST,
            found=f"flow cut at {manifest['settings']['bound_px']} pixels",
            wanted=f"flow cut at {BOUND_PX:g} pixels",
            do="delete this folder and run regard prepare again",
        )
    return tuple(_with_flow(r, film_of(r, root, manifest)) if r.id in manifest["recordings"] else r for r in recordings)


def _flows(
    frames: Iterator[tuple[UInt8[np.ndarray, "h w 3"], float]],
) -> Iterator[tuple[Float32[np.ndarray, "2 h w"], float]]:
    """The flow from each frame to the next, with the first one's time."""
    cv2.setNumThreads(1)
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before, since_s, flow = None, 0.0, None
    for frame, time_s in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None:
            flow = np.ascontiguousarray(method.calc(before, grey, None).transpose(2, 0, 1))  # pyright: ignore[reportArgumentType, reportCallIssue]
            yield flow, since_s
        before, since_s = grey, time_s
    if before is not None:
        yield (np.zeros((2, *before.shape), np.float32) if flow is None else flow), since_s


def _with_flow(recording: Recording, film: tuple[Path, dict] | None) -> Recording:
    if film is None:
        return recording
    return replace(recording, flow=MediaStream(path=film[0], start_s=film[1]["start_s"]))
