"""Gaze as Pupil Core measures it, whether Pupil Capture or Pupil Player wrote it down."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.io.clock import onto_video_clock, require_increasing, require_overlap
from regard.io.devices.track import measured
from regard.types import GazeTrack


def core_track(
    path: Path,
    table: pd.DataFrame,
    stamps: Float64[np.ndarray, "m"],
    frame_s: Float64[np.ndarray, "k"],
    *,
    do: str,
) -> tuple[GazeTrack, list[str]]:
    """Gaze of gaze_timestamp (seconds of Pupil's clock), confidence, norm_pos_x, norm_pos_y; and notes.

    `stamps` are the frames' times on Pupil's clock, `frame_s` those on the video's. Of measurements with one time the
    most confident stays. Raises ClockError.
    """
    best = table.sort_values(["gaze_timestamp", "confidence"], kind="stable").groupby("gaze_timestamp").tail(1)
    kept = table.loc[sorted(best.index)]
    require_increasing(path, kept, "gaze_timestamp")
    time_s = on_video_clock(kept["gaze_timestamp"].to_numpy(), stamps, frame_s)
    require_overlap(path, time_s, float(frame_s[-1]), do=f"this gaze is of another recording: {do}")
    point = kept[["norm_pos_x", "norm_pos_y"]].to_numpy() * (1, -1) + (0, 1)
    notes = []
    if len(kept) < len(table):
        notes.append(
            f"{len(table) - len(kept)} gaze samples share their time with a more confident one and are left out"
        )
    return measured(time_s, point, confidence=kept["confidence"].to_numpy()), notes


def on_video_clock(
    pupil_s: Float64[np.ndarray, "n"], stamps: Float64[np.ndarray, "m"], frame_s: Float64[np.ndarray, "k"]
) -> Float64[np.ndarray, "n"]:
    """Seconds of Pupil's clock as seconds of the video, whose frames are at `stamps` and `frame_s` on the two."""
    return onto_video_clock(pupil_s - stamps[0], stamps - stamps[0], frame_s)
