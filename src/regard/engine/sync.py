"""Whether gaze and scene video are in step, told from the recording itself."""

from collections.abc import Callable

import numpy as np

from regard.engine.events import camera_of
from regard.engine.head import head_turns
from regard.io.check import Finding
from regard.ops.events import gaze_lag
from regard.types import Recording

NAME = "gaze and video"


def lag_finding(recording: Recording, *, progress: Callable[[int, int], None] | None = None) -> Finding | None:
    """How late the gaze's times are on the video's clock, by what the eye does while the head turns.

    A warning where that is more than a frame, a note where nobody can tell; None without gaze. `progress` is told the
    pictures done, and of how many. Raises FileError where the video cannot be read. Source of the idea: eye and head
    turn against each other by the vestibulo-ocular reflex, by which gazeMapper has people align signals by hand.
    """
    if recording.gaze is None or not recording.gaze.valid.any():
        return None
    camera, _ = camera_of(recording, None)
    head = head_turns(recording, camera, progress=progress)
    lag = gaze_lag(recording.gaze, camera, head)
    if lag is None:
        text = "cannot tell whether they are in step: too little gaze while the pictures can be followed"
        return Finding(level="note", name=NAME, text=text)
    between = f"95 % of the draws from {1e3 * lag.low_s:+.0f} to {1e3 * lag.high_s:+.0f} ms"
    if not lag.is_told:
        why = "the head turns too little, or they do not belong together"
        text = f"cannot tell whether they are in step: {why} ({between})"
        return Finding(level="note", name=NAME, text=text)
    frame_s = float(np.median(np.diff(head.time_s)))
    apart = abs(lag.lag_s) > frame_s
    text = f"in step to within a frame: gaze is {1e3 * lag.lag_s:+.0f} ms late ({between})"
    if apart:
        text = f"gaze is {1e3 * lag.lag_s:+.0f} ms late ({between}): subtract that from its times"
    return Finding(level="warning" if apart else "ok", name=NAME, text=text, value=lag.lag_s)
