"""One page about one recording: what it is, what is wrong with it, where its wearer looked, how well that was told."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from regard.io.following import has_points_in
from regard.io.given import answers_of, called_as, path_of, recording_of
from regard.io.predictions import Answers
from regard.io.recording import open_video
from regard.ops.states import lost_share, off_screen_share, runs, span_of
from regard.sources import FrameSource
from regard.types import GazeState, Recording
from regard.viz.draw import PREDICTED_COLOUR, STATE_COLOURS, contact_sheet
from regard.viz.drawing import drawing_of
from regard.viz.heatmap import heatmap, looks
from regard.viz.in_words import Scored, movements_in_words
from regard.viz.ink import Colour
from regard.viz.page import facts_html, film_html, html_table, links_html, picture_html, section, whose, write_page
from regard.viz.score_tables import details_html, lead_html, scores_html
from regard.viz.spread import spread_s
from regard.viz.telling import tellings_of
from regard.viz.timeline import X_COLOUR, Y_COLOUR, timeline

if TYPE_CHECKING:
    import pandas as pd

SHEET_FRAMES = 8
SHEET_HEIGHT, SHEET_WIDTH = 300, 1200
"""A frame of the contact sheet fills one of the two, whatever its shape."""
STRIP = (21, 24, 28)
"""Ground of the contact sheet, a film strip on light and dark pages alike."""


@called_as("regard.report(recording, path, prediction=prediction)")
def report(
    recording: Recording | Path | str,
    path: Path | str,
    *,
    prediction: Answers | Path | str | None = None,
    findings: "pd.DataFrame | None" = None,
    movements: "pd.DataFrame | None" = None,
    scores: "Scored | Mapping[str, Scored] | pd.DataFrame | None" = None,
    film: Path | str | None = None,
    files: Sequence[Path | str] = (),
    command: str = "",
    look: str = "",
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write a one-page HTML report of a recording; returns its path. Recording and prediction may be paths.

    Of gaze without a video, the page has no pictures.

    `scores` are what `regard.evaluate` returned, or several of these by the model's name: the page reads them in a
    sentence, and says unit, direction, interval and protocol. `movements` is the summary of `regard.eye_movements`;
    without such scores the page begins with it.
    `findings`, and any other table as `scores`, are shown as they are. `film` is played in the page, which names it
    from its own folder; `files` are linked. `command` is what made the page, `look` what shows the recording frame by
    frame. `progress` is told the share done. Nothing is left under `path` when writing fails, which raises FileError.

    Examples:
        >>> regard.report("my_recording/", "report.html").name
        'report.html'
    """
    path, recording = path_of(path, ".html"), recording_of(recording)
    prediction = None if prediction is None else answers_of(prediction)
    source = open_video(recording.require_video()) if recording.gaze is None or recording.video else None
    sheet, mean = ("", None) if source is None else _sheet(recording, source, prediction, progress)
    scored = _by_model(scores, prediction)
    start_s, end_s = _span_s(recording, source)
    moved = section("Eye movements", _moved(recording, movements, start_s=start_s, end_s=end_s))
    parts = [
        lead_html(scored),
        "" if scored else moved + section("Scores", _as_it_is(scores)),
        "" if film is None else film_html(Path(film), path),
        section("Scores", scores_html(scored) if scored else ""),
        details_html(scored),
        section("Recording", facts_html(_facts(recording, source, start_s, end_s))),
        section("Check", "" if findings is None else html_table(findings)),
        section("Gaze over time", _gaze_over_time(recording, prediction, end_s=end_s)),
        *(section(*t.section(end_s=end_s)) for t in tellings_of(recording, prediction)),
        moved if scored else "",
        section("At a glance", sheet),
        section("Where gaze rested", _rested(recording, mean)),
        section("Files", links_html([Path(file) for file in files], path)),
        section("Notes", "".join(f"<p>{escape(note)}</p>" for note in recording.notes)),
    ]
    return write_page(path, title=recording.id, under=whose(recording), look=look, command=command, body="".join(parts))


def _span_s(recording: Recording, source: FrameSource | None) -> tuple[float, float]:
    """From when to when there are pictures, or without any, measurements."""
    if source is None and recording.gaze is not None:
        return span_of(recording.gaze)
    assert source is not None
    return 0.0, float(source.times_s[-1])


def _facts(recording: Recording, source: FrameSource | None, start_s: float, end_s: float) -> list[tuple[str, str]]:
    audio, gaze, camera = recording.audio, recording.gaze, recording.camera
    rows = [("video", "none")] if source is None else _of_video(recording, source)
    rows.append(("sound", "none" if audio is None else audio.path.name))
    if gaze is None:
        rows.append(("gaze", "none"))
    elif len(gaze) == 0:
        rows.append(("gaze", "no measurements"))
    else:
        often = f", {1 / gaze.interval_s:.0f} a second" if len(gaze) > 1 else ""
        lost, outside = (share(gaze, start_s=start_s, end_s=end_s) for share in (lost_share, off_screen_share))
        rows += [
            ("gaze", f"{len(gaze)} measurements from {gaze.time_s[0]:.2f} to {gaze.time_s[-1]:.2f} s{often}"),
            ("lost, off screen", f"{lost:.1%} of the time lost, {outside:.1%} of the valid measurements off screen"),
        ]
    rows.append(("camera", "not calibrated" if camera is None else camera.model))
    if recording.segments:
        kinds = sorted({segment.kind for segment in recording.segments})
        rows.append(("labelled stretches", f"{len(recording.segments)} ({', '.join(kinds)})"))
    if recording.faces is not None:
        rows.append(("faces", ", ".join(face.person for face in recording.faces) or "nobody in view"))
    return rows


def _of_video(recording: Recording, source: FrameSource) -> list[tuple[str, str]]:
    (h, w), times_s = source.size, source.times_s
    duration_s = float(times_s[-1])
    rate = f", {(len(times_s) - 1) / duration_s:.2f} a second on average" if duration_s > 0 else ""
    return [
        ("video", f"{recording.require_video().path.name}, {w} x {h} pixels"),
        ("frames", f"{len(times_s)} in {duration_s:.2f} s{rate}"),
    ]


def _gaze_over_time(recording: Recording, prediction: Answers | None, *, end_s: float) -> str:
    has_points = prediction is not None and has_points_in(prediction)
    if recording.gaze is None and not has_points:
        return ""
    key = []
    if recording.gaze is not None:
        lines = ((X_COLOUR, "line: gaze x, 0 left, 1 right"), (Y_COLOUR, "line: gaze y, 0 top, 1 bottom"))
        key += [f'<span><i class="line" style="background: {c}"></i>{name}</span>' for c, name in lines]
    if prediction is not None and has_points:
        key.append(_dot(PREDICTED_COLOUR, f"dots: predicted by {prediction.model}"))
    if recording.gaze is not None:
        present = {state for _, _, state in runs(recording.gaze, end_s=end_s)}
        key.append("<span>the band below:</span>")
        key += [_dot(STATE_COLOURS[s], s.name.lower() + " (shaded above)" * (s == 0)) for s in sorted(present)]
    spans = "".join(key)
    drawing = timeline(recording.gaze, predicted=prediction if has_points else None, end_s=end_s)
    return f'<div class="scroll">{drawing}</div><p class="key dim">{spans}</p>'


def _dot(colour: Colour, name: str) -> str:
    return f'<span><i style="background: rgb{colour}"></i>{escape(name)}</span>'


def _sheet(
    recording: Recording,
    source: FrameSource,
    prediction: Answers | None,
    progress: Callable[[float], None] | None,
) -> tuple[str, UInt8[np.ndarray, "h w 3"]]:
    """Frames spread over the recording, with gaze and prediction; and their mean, without."""
    picked_s = spread_s(source, SHEET_FRAMES)
    count = len(picked_s)
    h, w = source.size
    scale = min(SHEET_HEIGHT / h, SHEET_WIDTH / w)
    size = (max(1, round(h * scale)), max(1, round(w * scale)))
    drawing, frames = drawing_of(recording.gaze, prediction, said=False), []
    total = np.zeros((*size, 3))
    for k, time_s in enumerate(picked_s.tolist()):
        frame = source.frames_at(picked_s[k : k + 1], size=size)[0]
        total += frame
        frames.append(drawing.draw(frame, time_s))
        if progress is not None:
            progress((k + 1) / count)
    states = [""] * count
    if recording.gaze is not None:
        states = [f"  {GazeState(k).name.lower()}" for k in recording.gaze.at(picked_s).state.tolist()]
    captions = [f"{int(t // 60)}:{t % 60:05.2f}{state}" for t, state in zip(picked_s.tolist(), states, strict=True)]
    picture = contact_sheet(frames, captions, columns=4, background=STRIP)
    marks = [] if recording.gaze is None else ["\u25cb recorded gaze, in the colour of its state"]
    marks += [] if prediction is None else [drawing.legend.format(model=prediction.model)]
    key = "".join(f"<span>{escape(mark)}</span>" for mark in marks)
    alt = "; ".join([f"{count} frames of the recording", *marks])
    mean = np.rint(total / count).astype(np.uint8)
    return f'<div class="scroll">{picture_html(picture, alt)}</div><p class="key dim">{key}</p>', mean


def _rested(recording: Recording, mean: UInt8[np.ndarray, "h w 3"] | None) -> str:
    """How long gaze rested where, over the mean of some of the recording's frames; nothing without any."""
    if mean is None or looks([recording], size=(1, 1)) is None:
        return ""
    text = (
        f"The brighter the glow, the longer gaze rested there; over the mean of {SHEET_FRAMES} frames, as what lies "
        "there changes when the head turns."
    )
    return f'<div class="small">{picture_html(heatmap(recording, over=mean), text)}</div><p class="dim">{text}</p>'


def _moved(recording: Recording, movements: "pd.DataFrame | None", *, start_s: float, end_s: float) -> str:
    """How the eye moved, in a sentence and a table."""
    if movements is None:
        return ""
    lost = float("nan") if recording.gaze is None else lost_share(recording.gaze, start_s=start_s, end_s=end_s)
    note = "Durations, amplitudes and peak speeds are medians; share is of the measured time."
    said = escape(movements_in_words(movements, lost=lost))
    return f'<p>{said}</p>{html_table(movements)}<p class="dim">{note}</p>'


def _by_model(scores: object, prediction: Answers | None) -> dict[str, Scored]:
    """Scores by the model's name; none where they are another table."""
    if isinstance(scores, Scored):
        return {"the model" if prediction is None else prediction.model: scores}
    return dict(scores) if isinstance(scores, Mapping) else {}


def _as_it_is(scores: object) -> str:
    import pandas as pd

    return html_table(scores) if isinstance(scores, pd.DataFrame) else ""
