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
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from regard.batch import Sample
from regard.clips.films import GOP, check_size, even_size, facts, shown
from regard.clips.prepare import MANIFEST, film_of, read_manifest
from regard.clips.sampling import TOLERANCE_S
from regard.clips.transforms import mirrored, scale_flow, uniform, video_of
from regard.errors import FileError, MissingExtraError, RecipeError
from regard.io import FilmWriter, open_video
from regard.sources import FrameSource
from regard.types import MediaStream, Recording

FOLDER = "flow"
"""Beside the prepared films."""

BOUND_PX = 20.0
"""Longer components are cut, as the published systems do (yjxiong/dense_flow's default)."""

ZERO, STEPS = 128, 127
"""The byte of no motion, and of how many more the bound is; no motion is then kept exactly."""


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


def open_flow(recording: Recording) -> FrameSource:
    """The film of a recording's flow, to be read with `decoded`. Raises FileError where it is not that of its video."""
    assert recording.flow is not None
    flow, video = open_video(recording.flow), open_video(recording.require_video())
    apart = len(flow.times_s) != len(video.times_s) or np.abs(flow.times_s - video.times_s).max() > TOLERANCE_S
    if apart:
        raise FileError(
            recording.flow.path,
            found=f"flow for {len(flow.times_s)} frames until {flow.times_s[-1]:.3f} s",
            wanted=f"flow for the {len(video.times_s)} frames of {recording.id}, until {video.times_s[-1]:.3f} s",
            do="delete it and run regard prepare again",
        )
    video.close()
    return flow


def encoded(flow: Float32[np.ndarray, "2 h w"], *, bound_px: float = BOUND_PX) -> UInt8[np.ndarray, "h2 w 3"]:
    """One picture that holds u above v."""
    level = np.rint(ZERO + flow.clip(-bound_px, bound_px) * (STEPS / bound_px)).astype(np.uint8)
    return np.repeat(level.reshape(-1, flow.shape[2], 1), 3, axis=2)


def decoded(
    pictures: UInt8[np.ndarray, "n h2 w2 3"], *, size: tuple[int, int], bound_px: float = BOUND_PX
) -> Float32[np.ndarray, "n 2 h w"]:
    """The flow of such pictures; scaled to another size, in that size's pixels."""
    n, twice, w, _ = pictures.shape
    level = torch.from_numpy(np.ascontiguousarray(pictures[..., 1])).view(n, 2, twice // 2, w).float()
    return scale_flow((level - ZERO) * (bound_px / STEPS), size).numpy()


@dataclass(frozen=True, slots=True)
class ScaleFlow:
    """Pixels to [-1, 1]: divided by `bound_px` and cut there; the models that read flow were trained so."""

    bound_px: float = BOUND_PX

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        """The sample with its flow scaled. Raises RecipeError where it has none."""
        if sample.flow is None:
            raise RecipeError(
                "ScaleFlow",
                found=f"a sample without flow ({sample.clip})",
                wanted="optical flow, because this transform scales it",
                do="remove the transform from the recipe, or choose a model that reads flow",
            )
        return replace(sample, flow=(sample.flow / self.bound_px).clamp(-1, 1))


@dataclass(frozen=True, slots=True)
class PublishedFlip:
    """Mirror left and right with probability `p`, but leave as it was what a published code forgot to change.

    "flow_sign": flow is mirrored, and still tells motion to the right as motion to the right (Min & Corso, WACV 2021;
    MichiganCOG/Gaze-Attention@def72a1). "gaze": the gaze stays where it was (YZ-26/EgoHAR@55f08ef).
    """

    forgets: Literal["flow_sign", "gaze"]
    p: float = 0.5

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        """The sample, mirrored or not."""
        video_of(sample, self)
        if uniform(0.0, 1.0, generator) >= self.p:
            return sample
        turned = mirrored(sample)
        if self.forgets == "gaze":
            return replace(turned, gaze_point=sample.gaze_point, observed_point=sample.observed_point)
        return replace(turned, flow=None if sample.flow is None else sample.flow.flip(-1))


def _flows(
    frames: Iterator[tuple[UInt8[np.ndarray, "h w 3"], float]],
) -> Iterator[tuple[Float32[np.ndarray, "2 h w"], float]]:
    """The flow from each frame to the next, with the first one's time."""
    cv2 = _opencv()
    method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before, since_s, flow = None, 0.0, None
    for frame, time_s in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if before is not None:
            flow = np.ascontiguousarray(method.calc(before, grey, None).transpose(2, 0, 1))
            yield flow, since_s
        before, since_s = grey, time_s
    if before is not None:
        yield (np.zeros((2, *before.shape), np.float32) if flow is None else flow), since_s


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError.of("optical flow", package="opencv-python-headless", extra="flow") from error
    cv2.setNumThreads(1)
    return cv2


def _with_flow(recording: Recording, film: tuple[Path, dict] | None) -> Recording:
    if film is None:
        return recording
    return replace(recording, flow=MediaStream(path=film[0], start_s=film[1]["start_s"]))
