"""Pupil Core's native folder, as Pupil Capture writes it: its world video, at the times that are kept beside it.

000/
├── world.mp4               frames stamped 30 a second, whatever the camera did
├── world_timestamps.npy    float64 seconds of Pupil's clock, one for each frame
└── gaze.pldata             gaze, which is not read: Pupil Player exports it as gaze_positions.csv
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import ClockError, FileError

COPY_AGAIN = "copy the whole recording folder again, or leave world_timestamps.npy out"


def native_times_s(video: Path) -> Float64[np.ndarray, "m"] | None:
    """When each frame of a native folder's world.mp4 was taken, from the first; the file itself says 30 a second.

    None where no world_timestamps.npy lies beside it. Raises FileError or ClockError where that is unusable.
    """
    path = video.with_name("world_timestamps.npy")
    is_export = video.with_name("world_timestamps.csv").exists()  # whose film has the frames' own times
    if video.name != "world.mp4" or is_export or not path.is_file():
        return None
    wanted = "the time of each frame, in seconds"
    try:
        stamps = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as problem:
        raise FileError(path, found=f"no numpy array ({problem})", wanted=wanted, do=COPY_AGAIN) from problem
    if stamps.ndim != 1 or len(stamps) == 0 or stamps.dtype.kind != "f" or not np.isfinite(stamps).all():
        raise FileError(path, found=f"{stamps.dtype} numbers of shape {stamps.shape}", wanted=wanted, do=COPY_AGAIN)
    if (np.diff(stamps) <= 0).any():
        raise ClockError(path, found="a time that does not increase", wanted=wanted, do=COPY_AGAIN)
    return (stamps - stamps[0]).astype(np.float64)
