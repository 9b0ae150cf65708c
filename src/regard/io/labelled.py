"""What a check says of camera, segments, faces and hands, and whether their times are those of the video."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from regard.io.clock import LATE_S, LATE_SHARE
from regard.io.finding import Finding, Level
from regard.types import TRAINED, Recording


def labelled(recording: Recording, start_s: float, end_s: float) -> Iterator[Finding]:
    """Of a recording whose video, or gaze where there is none, is from `start_s` to `end_s`."""
    if recording.camera is None:
        yield Finding(level="note", name="camera", text="unknown: errors in pixels, not in degrees")
    what = "gaze" if recording.video is None else "video"
    far_s = max(LATE_S, LATE_SHARE * (end_s - start_s))
    own = [s for s in recording.segments if s.kind != TRAINED]
    if own:
        first_s, last_s = start_s - far_s, end_s + far_s
        late = sum(s.start_s > end_s or s.end_s <= start_s or s.start_s < first_s or s.end_s > last_s for s in own)
        yield Finding(
            level="warning" if late else "ok",
            name="segments",
            text=f"{len(own)} labelled segments" + f", {late} of them outside the {what} or far beyond it" * bool(late),
            value=float(len(own)),
        )

    def checked(moments_s: Float64[np.ndarray, "n"]) -> tuple[Level, str]:
        late = int(((moments_s < start_s - far_s) | (moments_s > end_s + far_s)).sum())
        return ("warning", f"; {late} of {len(moments_s)} moments are outside the {what}") if late else ("ok", "")

    if recording.faces is not None:
        num = len(recording.faces)
        level, late = checked(np.concatenate([np.zeros(0), *(face.time_s for face in recording.faces)]))
        yield Finding(level=level, name="faces", text=f"{num or 'no'} people in view{late}", value=float(num))
    if recording.hands is not None:
        seen = ~np.isnan(recording.hands.point[..., 0])
        num, (left, right) = len(seen), seen.mean(axis=0) if len(seen) else (0.0, 0.0)
        level, late = checked(recording.hands.time_s)
        yield Finding(
            level=level if seen.any() else "note",
            name="hands",
            text=f"the left one seen in {left:.0%} of {num} moments, the right one in {right:.0%}{late}",
            value=float(seen.any(axis=1).mean()) if num else 0.0,
        )
