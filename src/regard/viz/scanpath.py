"""A scanpath as a picture: fixations as numbered circles, as large as they are long, joined by the saccades between."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8

from regard.errors import NothingToScoreError
from regard.io.given import recording_of
from regard.io.recording import open_video
from regard.ops.events import label_idt
from regard.ops.states import runs
from regard.types import Camera, GazeState, GazeTrack, Recording
from regard.viz.draw import STATE_COLOURS
from regard.viz.figure_file import require_picture, save_picture
from regard.viz.ink import BLACK, WHITE, Colour, Layer, ink, unit_of, words
from regard.viz.spread import spread_s

__all__ = ["mean_frame", "scanpath", "scanpath_figure"]

MEAN_FRAMES = 24
"""Of a mean picture: what stands still is sharp with these, and what moves is a shade."""
SECOND_RADIUS = 5.0
"""Of a rest that lasts a second, in hundredths of the picture's shorter side; areas go with time."""
FIELD_OF_VIEW_DEG = 48.0, 27.0
"""Of a picture without a camera, where nobody told what the eye did: GazeCom's screen."""
MIN_NUMBERED_S = 0.1


class Rest(NamedTuple):
    """A fixation, or a pursuit: from when to when, where on average, and which."""

    start_s: float
    end_s: float
    point: Float64[np.ndarray, "2"]
    state: GazeState


def rests_of(track: GazeTrack, *, camera: Camera | None = None) -> list[Rest]:
    """Fixations and pursuits in time order: as the track says, or by dispersion (I-DT) where nobody named any."""
    if not (track.state >= GazeState.FIXATION).any():
        track = label_idt(track, FIELD_OF_VIEW_DEG if camera is None else camera)
    end_s = float(track.time_s[-1]) + float(np.nan_to_num(track.interval_s)) if len(track) else 0.0
    found = []
    for start_s, stop_s, state in runs(track, end_s=end_s):
        during = (track.time_s >= start_s) & (track.time_s < stop_s) & track.valid
        if state in (GazeState.FIXATION, GazeState.PURSUIT) and during.any():
            found.append(Rest(start_s, min(stop_s, end_s), track.point[during].mean(axis=0), state))
    return found


def scanpath(
    frame: UInt8[np.ndarray, "h w 3"], track: GazeTrack, *, camera: Camera | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """The frame with a track's rests as circles, whose area goes with their length, and lines from one to the next.

    Numbers say the order; colours are those of fixation and pursuit. Rests off the picture are left out, and lines that
    lead there too. `camera` tells angles where nobody named the eye's movements.
    """
    drawn = frame.copy()
    size = np.array(frame.shape[1::-1])
    layer, unit = Layer((frame.shape[0], frame.shape[1])), unit_of((frame.shape[0], frame.shape[1]))
    found = rests_of(track, camera=camera)
    shown = _on_picture(found)
    line = max(1, round(0.35 * unit))
    for (before, start), (after, end) in pairwise(shown):
        if after == before + 1:
            ends = np.stack([start.point, end.point]) * size
            layer.lines(ends, [(slice(None), line + 2, ink(BLACK, 0.5)), (slice(None), line, ink(WHITE, 0.85))])
    layer.blend(drawn)
    numbered = enumerate((rest for _, rest in shown), 1)
    for number, rest in sorted(numbered, key=lambda of: of[1].start_s - of[1].end_s):
        _circle(layer, drawn, rest, number, radius=SECOND_RADIUS * unit * np.sqrt(rest.end_s - rest.start_s))
    return drawn


def scanpath_figure(
    recording: Recording | Path | str,
    *,
    over: UInt8[np.ndarray, "h w 3"] | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    path: Path | str | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """The recording's scanpath over one picture: regard.scanpath.

    Rests that begin from `start_s` until before `end_s` (None: to the end of the video, or of the gaze) are circles, as
    `regard.viz.scanpath.scanpath` draws them. `over` is the picture in RGB; None: the mean of the recording's frames.
    With `path` it is saved there, as PNG, JPEG or, with lines, circles and numbers as shapes over the picture, as SVG
    by its name. Raises NothingToScoreError where no rest lies on the picture.

    Examples:
        >>> regard.scanpath("my_recording/", path="scanpath.png").shape
        (540, 720, 3)
    """
    if over is not None:
        require_picture(over)
    recording = recording_of(recording)
    if end_s is None and recording.video is not None:
        with closing(open_video(recording.video)) as video:
            end_s = float(video.times_s[-1])
    track = GazeTrack.lost(np.zeros(0)) if recording.gaze is None else recording.gaze
    during = (track.time_s >= start_s) & (track.time_s < (np.inf if end_s is None else end_s))
    track = GazeTrack(time_s=track.time_s[during], point=track.point[during], state=track.state[during])
    shown = _on_picture(rests_of(track, camera=recording.camera))
    if not shown:
        raise NothingToScoreError(
            recording.id,
            found=f"no fixation on the picture from {start_s:g} s to {'its end' if end_s is None else f'{end_s:g} s'}",
            wanted="gaze in that stretch",
            do="choose another stretch, or see what `regard check` says about its gaze",
        )
    picture = mean_frame(recording) if over is None else over
    drawn = scanpath(picture, track, camera=recording.camera)
    if path is not None:
        save_picture(path, drawn, below=picture, shapes=_shapes(shown, (picture.shape[0], picture.shape[1])))
    return drawn


def _shapes(shown: list[tuple[int, Rest]], size: tuple[int, int]) -> list[str]:
    """Lines, circles and numbers as SVG; each circle says when its rest was when one points at it."""
    (h, w), unit = size, unit_of(size)
    places = [rest.point * (w, h) for _, rest in shown]
    line = max(1, round(0.35 * unit))
    parts = []
    for colour, width, opacity in (("black", line + 2, 0.5), ("white", line, 0.85)):
        parts.append(f'<g stroke="{colour}" stroke-width="{width}" stroke-opacity="{opacity}" stroke-linecap="round">')
        for ((a, _), (b, _)), (p, q) in zip(pairwise(shown), pairwise(places), strict=True):
            if b == a + 1:
                parts.append(f'<line x1="{p[0]:.1f}" y1="{p[1]:.1f}" x2="{q[0]:.1f}" y2="{q[1]:.1f}"/>')
        parts.append("</g>")
    size_px = max(9, round(2.0 * unit))
    parts.append(
        f'<g font-family="DejaVu Sans, sans-serif" font-size="{size_px}" text-anchor="middle" stroke-opacity="0.7" '
        f'stroke-width="{max(1, round(0.2 * unit))}">'
    )
    numbered = sorted(
        enumerate(zip(shown, places, strict=True), 1), key=lambda of: of[1][0][1].start_s - of[1][0][1].end_s
    )
    for number, ((_, rest), (x, y)) in numbered:
        long_s = rest.end_s - rest.start_s
        fill = "#{:02x}{:02x}{:02x}".format(*STATE_COLOURS[rest.state])
        said = f"{number}: {rest.state.name.lower()}, {rest.start_s:.3f} to {rest.end_s:.3f} s"
        circle = f'cx="{x:.1f}" cy="{y:.1f}" r="{SECOND_RADIUS * unit * np.sqrt(long_s):.1f}"'
        parts.append(
            f'<circle {circle} fill="{fill}" fill-opacity="0.55" stroke="black"><title>{said}</title></circle>'
        )
        if long_s >= MIN_NUMBERED_S:
            parts.append(f'<text x="{x:.1f}" y="{y:.1f}" dy="0.36em" fill="white">{number}</text>')
    return [*parts, "</g>"]


def _on_picture(found: list[Rest]) -> list[tuple[int, Rest]]:
    """Those on the picture, each with its number among all."""
    return [(k, rest) for k, rest in enumerate(found) if ((rest.point >= 0) & (rest.point <= 1)).all()]


def _circle(layer: Layer, drawn: np.ndarray, rest: Rest, number: int, *, radius: float) -> None:
    """With its number inside, where it is long enough to be read as one."""
    h, w = layer.size
    centre, colour = rest.point * (w, h), STATE_COLOURS[rest.state]
    layer.circle(centre, ink(colour, 0.55), radius=radius)
    layer.circle(centre, ink(BLACK, 0.7), radius=radius, width=max(1, round(0.2 * unit_of((h, w)))))
    layer.blend(drawn)
    if rest.end_s - rest.start_s < MIN_NUMBERED_S:
        return
    size_px = max(9, round(2.0 * unit_of((h, w))))
    _number(drawn, str(number), centre, size_px=size_px, colour=WHITE)


def _number(drawn: np.ndarray, text: str, centre: Float64[np.ndarray, "2"], *, size_px: int, colour: Colour) -> None:
    """A few letters whose middle is at a place, as far as the picture goes."""
    left = max(0, round(centre[0] - 0.31 * size_px * len(text) - 0.5 * size_px))
    top = max(0, round(centre[1] - 0.82 * size_px))
    part = drawn[top : top + 2 * size_px, left : left + size_px * (len(text) + 2)]
    if part.size:
        words(part, [(text, colour)], top=0, size_px=size_px, boxed=False)


def mean_frame(recording: Recording, *, height: int = 540) -> UInt8[np.ndarray, "h w 3"]:
    """The mean of frames spread evenly over the recording, on which its whole path can be drawn."""
    source = open_video(recording.require_video())
    h, w = source.size
    size = (height, max(2, round(w * height / h)))
    picked_s = spread_s(source, MEAN_FRAMES)
    total = np.zeros((*size, 3))
    for k in range(len(picked_s)):
        total += source.frames_at(picked_s[k : k + 1], size=size)[0]
    source.close()
    return np.rint(total / len(picked_s)).astype(np.uint8)
