"""Optical flow kept as a film of numbers: its bytes and back, and opening it beside its video.

A grey picture holds u above v, one byte each: 128 + 127 flow / 20 px, cut at +-20 px as the published systems do.
"""

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from regard.clips.sampling.window import TOLERANCE_S
from regard.errors import FileError
from regard.io import open_video
from regard.sources import FrameSource
from regard.transforms.flow import BOUND_PX
from regard.transforms.place import scale_flow
from regard.types import Recording

ZERO, STEPS = 128, 127
"""The byte of no motion, and of how many more the bound is; no motion is then kept exactly."""


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
