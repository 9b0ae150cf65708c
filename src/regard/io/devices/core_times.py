"""When Pupil Core took the frames of its world video, where the film's own times say 30 a second whatever happened."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import ClockError, FileError

VIDEO, FRAMES = "world.mp4", "world_timestamps.npy"

COPY_AGAIN = "copy the whole recording folder again, or export it in Pupil Player"


def native_times_s(video: Path) -> Float64[np.ndarray, "m"] | None:
    """When each frame of a native folder's world.mp4 was taken, from the first; the file itself says 30 a second.

    None where no world_timestamps.npy lies beside it. Raises FileError or ClockError where that is unusable.
    """
    path = video.with_name(FRAMES)
    is_export = video.with_name("world_timestamps.csv").exists()  # whose film has the frames' own times
    if video.name != VIDEO or is_export or not path.is_file():
        return None
    stamps = read_frame_times(path)
    return stamps - stamps[0]


def read_frame_times(path: Path) -> Float64[np.ndarray, "m"]:
    """world_timestamps.npy: seconds of Pupil's clock. Raises FileError or ClockError."""
    wanted = "the time of each frame, in seconds"
    stamps = read_seconds(path, wanted)
    if len(stamps) == 0:
        raise FileError(path, found="no times", wanted=wanted, do=COPY_AGAIN)
    if (np.diff(stamps) <= 0).any():
        raise ClockError(path, found="a time that does not increase", wanted=wanted, do=COPY_AGAIN)
    return stamps


def read_seconds(path: Path, wanted: str) -> Float64[np.ndarray, "n"]:
    """An array of times. Raises FileError."""
    try:
        numbers = np.load(path, allow_pickle=False)
    except FileNotFoundError as problem:
        raise FileError(path, found="no such file", wanted=wanted, do=COPY_AGAIN) from problem
    except (OSError, ValueError, EOFError, MemoryError) as problem:
        raise FileError(path, found=f"no numpy array ({problem})", wanted=wanted, do=COPY_AGAIN) from problem
    if numbers.ndim != 1 or numbers.dtype.kind != "f" or not np.isfinite(numbers).all():
        raise FileError(path, found=f"{numbers.dtype} numbers of shape {numbers.shape}", wanted=wanted, do=COPY_AGAIN)
    return numbers.astype(np.float64)
