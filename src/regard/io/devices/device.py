"""What a device's module says of itself, in `DEVICE`: how its recordings are recognised and opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.sources import FrameSource, SoundSource
from regard.types import Recording

Times = Float64[np.ndarray, "m"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Files that FFmpeg does not read: their suffix, in small letters, and who shows and plays them."""

    suffix: str
    video: Callable[[Path], FrameSource]
    sound: Callable[[Path], SoundSource]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The folders of one device, or of the software that exported its recordings.

    `name` is what users call it, `files` what such a folder holds. `is_folder` recognises one by names and first lines,
    and `open` reads it, whatever it is damaged by: it raises RegardError. No folder may be two devices'.
    """

    name: str
    files: str
    is_folder: Callable[[Path], bool]
    open: Callable[[Path], Recording]
    takes: Callable[[Path], bool] | None = None
    """Whether `open` takes this file; None: a folder's recording also opens by the file that is its video."""
    yields: bool = False
    """Where a gaze.csv lies beside the files, that is read in their place, as beside any video."""
    stamped_s: Callable[[Path], Times | None] = lambda _: None
    """When the device says it took each frame of a video, from the first; None for any other video."""
    shown_s: Callable[[Path], Times | None] = lambda _: None
    """When each frame of a video is shown, from the first, where its file is wrong about it; None for any other."""
    container: Container | None = None
