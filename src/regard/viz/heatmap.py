"""Where gaze went over a whole recording, or over many: a glow over one picture."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from regard.errors import NothingToScoreError
from regard.io.given import recording_of
from regard.types import Recording
from regard.viz.density import density, glow
from regard.viz.figure_file import image, require_picture, save_picture
from regard.viz.scanpath import mean_frame

__all__ = ["heatmap"]

CELLS = 180
"""Lines of the map; it is smooth, so more would show nothing new."""
FLOOR = 1e-5
"""Of the highest place: what nobody looked at is next to it in the logarithm, and nothing to see."""


def heatmap(
    recordings: Recording | Path | str | Sequence[Recording | Path | str],
    *,
    over: UInt8[np.ndarray, "h w 3"] | None = None,
    spread: float = 0.03,
    path: Path | str | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with how long gaze rested where, of one recording or of many: regard.heatmap.

    Each measurement counts until the next one, each recording as much as any other; gaze that is lost or off the
    picture does not count. `over` is the picture in RGB; None: the mean of the first recording's frames. `spread`
    is the deviation of the glow, in shares of the picture's height. With `path` the picture is saved there, as PNG,
    JPEG or, picture and glow apart, as SVG by its name. Raises NothingToScoreError where nobody's gaze lies on the
    picture, and FileError where `over` is none or the path has another suffix.

    Examples:
        >>> regard.heatmap("my_recording/", path="heatmap.png").shape
        (540, 720, 3)
    """
    if over is not None:
        require_picture(over)
    given = [recordings] if isinstance(recordings, Recording | Path | str) else list(recordings)
    opened = [recording_of(one) for one in given]
    picture = mean_frame(opened[0]) if over is None and opened else over
    looked = (
        None if picture is None else looks(opened, size=(CELLS, round(CELLS * picture.shape[1] / picture.shape[0])))
    )
    if picture is None or looked is None:
        raise NothingToScoreError(
            ", ".join(r.id for r in opened[:3]) or "heatmap",
            found="no measured gaze on the picture" if opened else "no recording",
            wanted="recordings with gaze",
            do="see what `regard check` says about their gaze",
        )
    blurred = cv2.GaussianBlur(looked, (0, 0), spread * CELLS, borderType=cv2.BORDER_CONSTANT)
    logs = np.log(blurred / blurred.max() + FLOOR)
    drawn = density(picture, logs)
    if path is not None:
        size = (picture.shape[0], picture.shape[1])
        save_picture(path, drawn, below=picture, shapes=[image(glow(size, logs), size=size, name="glow")])
    return drawn


def looks(recordings: Iterable[Recording], *, size: tuple[int, int]) -> Float32[np.ndarray, "h w"] | None:
    """The share of time that gaze rested in each cell, mean over recordings; None where it never lay on the picture."""
    height, width = size
    total = np.zeros(size, np.float32)
    for recording in recordings:
        gaze = recording.gaze
        if gaze is None or not len(gaze):
            continue
        lasts_s = np.minimum(np.diff(gaze.time_s, append=np.inf), 2 * np.nan_to_num(gaze.interval_s, nan=1.0))
        place = np.floor(np.nan_to_num(gaze.point, nan=-1.0) * (width, height)).astype(int)
        on = (place >= 0).all(1) & (place[:, 0] < width) & (place[:, 1] < height)
        own = np.zeros(size)
        np.add.at(own, (place[on, 1], place[on, 0]), lasts_s[on])
        if own.any():
            total += (own / own.sum()).astype(np.float32)
    return total if total.any() else None
