"""What is good, odd or unusable about a recording, before anybody computes with it. Facts only; nothing is printed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import RegardError
from regard.io.clock import gaze_after_video
from regard.io.finding import Finding, Level, RecordingCheck
from regard.io.given import recording_of
from regard.io.labelled import labelled
from regard.io.media.video import Video
from regard.io.recording import device_frame_times_s, open_sound, open_video
from regard.io.thorough import all_sound, every_frame
from regard.ops.states import lost_share, off_screen_share, span_of
from regard.sources import FrameSource
from regard.types import GazeTrack, Recording

GAP_MEDIANS = 3.0
"""A pause is a gap when it lasts longer than this many usual intervals."""

STEADY = 0.05
"""Frame intervals that all lie this near to their median, relatively, are a constant frame rate."""

CLOCKS_AGREE_S = 0.001
"""Two clocks agree when no frame's times differ by more: a fifth of a 200 Hz gaze interval."""

CLOCKS_DIFFER_S = 0.02
"""Beyond this, about half a frame, a frame may show another moment than its stamp says."""

MUCH_LOST, MUCH_OFF_SCREEN = 0.5, 0.2
"""Shares of gaze samples beyond which a recording needs a look before its scores are believed."""

MUCH_AT_ZERO = 0.01
"""Share of valid samples in the picture's very corner beyond which they are a code rather than gaze."""

SOUND_SHORT_S = 0.5
"""Sound that ends this long before the last frame was cut off, or lags."""


def check_recording(recording: Recording | Path | str, *, thorough: bool = False) -> RecordingCheck:
    """Look at the pictures, times, clocks, sound and gaze of a recording, or of the one at a path.

    Of the frames, only the two ends are decoded; all of them, and all sound, if `thorough`. Without a video, gaze and
    labels are looked at alone. A file that cannot be read is a finding here, not an exception. Raises FileError for a
    recording of neither video nor gaze.

    Examples:
        >>> found = regard.check("my_recording/")
        >>> found.verdict
        'usable'
        >>> found["gaze"].text
        '400 samples at 200.0 Hz from 0.00 to 2.00 s; 399 during the video'
    """
    recording = recording_of(recording)
    findings = [Finding(level="note", name="reader", text=note) for note in recording.notes]
    if recording.video is None and recording.gaze is not None:
        return RecordingCheck(findings=(*findings, *_without_video(recording, recording.gaze)))
    stream = recording.require_video()
    try:
        with closing(open_video(stream)) as video:
            findings += _picture(video)
            times_s = video.times_s
            if thorough:
                findings += every_frame(video)
    except RegardError as problem:
        return RecordingCheck(findings=(*findings, _unreadable("picture", problem, "unusable")))
    findings += _frame_times(times_s)
    findings += _clocks(recording, times_s)
    findings += _sound(recording, float(times_s[-1]), thorough=thorough)
    findings += _gaze(recording.gaze, times_s)
    findings += labelled(recording, 0.0, float(times_s[-1]))
    found = {f.text for f in findings if f.name != "reader"}
    return RecordingCheck(findings=tuple(f for f in findings if f.name != "reader" or f.text not in found))


def _without_video(recording: Recording, gaze: GazeTrack) -> Iterator[Finding]:
    yield Finding(
        level="note",
        name="picture",
        text="none, there is no video: films, frames and all that looks at pictures are left out",
    )
    yield from _gaze(gaze, None)
    yield from labelled(recording, *span_of(gaze))


def _unreadable(name: str, problem: RegardError, level: Level) -> Finding:
    return Finding(level=level, name=name, text=f"{problem.where}: found {problem.found}; wanted {problem.wanted}")


def _picture(video: FrameSource) -> Iterator[Finding]:
    height, width = video.size
    video.frames_at(video.times_s[:1], size=(16, 16))
    yield Finding(level="ok", name="picture", text=f"{width} x {height} pixels, upright")
    if (lacks := getattr(video, "missing", None)) is not None:
        yield Finding(level="warning", name="missing part", text=lacks)
    if getattr(video, "is_turned", False):
        yield Finding(
            level="note", name="rotation", text="stored turned or mirrored; frames are turned upright on reading"
        )
    if isinstance(video, Video) and video.pixel_aspect != 1:
        yield Finding(
            level="note",
            name="pixel aspect",
            text=f"pixels are {video.pixel_aspect:.3f} times as wide as high",
            value=video.pixel_aspect,
        )
    try:
        video.frames_at(video.times_s[-1:], size=(16, 16))
    except RegardError as problem:
        yield _unreadable("last frame", problem, "warning")


def _frame_times(times_s: Float64[np.ndarray, "n"]) -> Iterator[Finding]:
    n = len(times_s)
    if n < 2:
        yield Finding(level="warning", name="frames", text=f"{n} frame: a picture rather than a video", value=float(n))
        return
    steps_s = np.diff(times_s)
    usual_s = float(np.median(steps_s))
    steady = bool((np.abs(steps_s - usual_s) <= STEADY * usual_s).all())
    yield Finding(level="ok", name="frames", text=f"{n} frames in {times_s[-1] + usual_s:.2f} s", value=float(n))
    yield Finding(
        level="ok" if steady else "note",
        name="frame rate",
        text=f"{1 / usual_s:.2f} Hz, constant"
        if steady
        else f"variable, usually {1 / usual_s:.2f} Hz; a frame lasts {steps_s.min() * 1e3:.1f} to "
        f"{steps_s.max() * 1e3:.1f} ms",
        value=1 / usual_s,
    )
    yield from _gaps("frame gaps", times_s, usual_s)


def _gaps(name: str, times_s: Float64[np.ndarray, "n"], usual_s: float) -> Iterator[Finding]:
    steps_s = np.diff(times_s)
    gaps = np.flatnonzero(steps_s > GAP_MEDIANS * usual_s)
    if len(gaps) == 0:
        return
    longest = gaps[np.argmax(steps_s[gaps])]
    yield Finding(
        level="note",
        name=name,
        text=f"{len(gaps)} pauses over {GAP_MEDIANS:g} intervals, {steps_s[gaps].sum():.2f} s in all; "
        f"the longest is {steps_s[longest]:.2f} s at {times_s[longest]:.2f} s",
        value=float(len(gaps)),
    )


def _clocks(recording: Recording, times_s: Float64[np.ndarray, "n"]) -> Iterator[Finding]:
    try:
        stamped_s = device_frame_times_s(recording.require_video())
    except RegardError as problem:
        yield _unreadable("clocks", problem, "warning")
        return
    if stamped_s is None:
        return
    if len(stamped_s) != len(times_s):
        yield Finding(
            level="warning",
            name="clocks",
            text=f"the device stamped {len(stamped_s)} frames, the video shows {len(times_s)}: "
            "gaze is placed by the first frame alone",
            value=float(len(stamped_s) - len(times_s)),
        )
        return
    ahead_s = stamped_s - times_s
    apart_s = float(np.abs(ahead_s).max())
    slope = float(np.polyfit(times_s, ahead_s, 1)[0]) if len(times_s) > 1 else 0.0
    level = "ok" if apart_s <= CLOCKS_AGREE_S else "note" if apart_s <= CLOCKS_DIFFER_S else "warning"
    yield Finding(
        level=level,
        name="clocks",
        text=f"device and video times of a frame differ by {apart_s * 1e3:.2f} ms at most "
        f"(median {np.median(ahead_s) * 1e3:+.2f} ms)",
        value=apart_s,
    )
    yield Finding(
        level=level,
        name="clock drift",
        text=f"the device's clock gains {slope * 6e4:+.2f} ms a minute on the video; gaze is placed frame by frame",
        value=slope,
    )


def _sound(recording: Recording, last_frame_s: float, *, thorough: bool) -> Iterator[Finding]:
    if recording.audio is None:
        yield Finding(level="note", name="sound", text="none")
        return
    try:
        with closing(open_sound(recording.audio)) as sound:
            end_s = sound.duration_s
            if thorough:
                yield from all_sound(sound)
    except RegardError as problem:
        yield _unreadable("sound", problem, "warning")
        return
    short = last_frame_s - end_s > SOUND_SHORT_S
    yield Finding(
        level="warning" if short else "ok",
        name="sound",
        text="silent: its track is empty"
        if end_s == 0
        else f"ends at {end_s:.2f} s; the last frame is shown from {last_frame_s:.2f} s",
        value=end_s,
    )


def _gaze(gaze: GazeTrack | None, times_s: Float64[np.ndarray, "n"] | None) -> Iterator[Finding]:
    """Of the time of the video's frames; of all of its own without them."""
    if gaze is None:
        yield Finding(level="note", name="gaze", text="none: predictions are possible, scores are not")
        return
    if len(gaze) == 0 or not gaze.valid.any():
        yield Finding(
            level="unusable", name="gaze", text=f"{len(gaze)} samples, none valid: there is nothing to score against"
        )
        return
    start_s, end_s = span_of(gaze) if times_s is None else (float(times_s[0]), float(times_s[-1]))
    during = (gaze.time_s >= start_s) & (gaze.time_s <= end_s)
    yield Finding(
        level="ok",
        name="gaze",
        text=f"{len(gaze)} samples"
        + (f" at {1 / gaze.interval_s:.1f} Hz" if len(gaze) > 1 else "")
        + f" from {gaze.time_s[0]:.2f} to {gaze.time_s[-1]:.2f} s"
        + ("" if times_s is None else f"; {during.sum()} during the video"),
        value=1 / gaze.interval_s,
    )
    if not (during & gaze.valid).any():
        yield Finding(
            level="unusable", name="overlap", text="no valid gaze during the video: other times, or another video"
        )
        return
    yield from _gaps("gaze gaps", gaze.time_s[during], gaze.interval_s)
    if end_s > start_s:
        lost = lost_share(gaze, start_s=start_s, end_s=end_s)
        of_what = "of the time have" if times_s is None else "of the video's time have"
        yield _share("gaze lost", lost, f"{of_what} no valid gaze", MUCH_LOST)
    if times_s is not None:
        without = float((~gaze.at(times_s).valid).mean())
        yield _share("frames without gaze", without, "of the frames have no valid gaze within one interval", MUCH_LOST)
    yield _share(
        "gaze off screen",
        off_screen_share(gaze, start_s=start_s, end_s=end_s),
        "of the valid samples lie outside the picture",
        MUCH_OFF_SCREEN,
        hint=f"; were the pixels measured {'on a screen' if times_s is None else 'in a video'} of another size? Divide "
        "those of a gaze.csv by its width and height, and name the columns x and y",
        all_is_unusable=True,
    )
    at_zero = gaze.valid & (gaze.point == 0).all(axis=1)
    if (zeros := float(at_zero.sum() / gaze.valid.sum())) > MUCH_AT_ZERO:
        text = f"{zeros:.1%} of the valid samples are exactly (0, 0), which many devices write for lost gaze"
        yield Finding(level="warning", name="gaze at zero", text=text, value=zeros)
    if times_s is not None and (late := gaze_after_video(gaze, end_s)) is not None:
        yield Finding(level="warning", name="gaze after the video", text=late, value=float(gaze.time_s[-1]) - end_s)


def _share(
    name: str, share: float, text: str, much: float, *, hint: str = "", all_is_unusable: bool = False
) -> Finding:
    unusable = all_is_unusable and share == 1
    return Finding(
        level="unusable" if unusable else "warning" if share > much else "ok",
        name=name,
        text=f"{share:.1%} {text}" + hint * (share > much),
        value=share,
    )
