"""One page about one recording: what it is, what is wrong with it, where its wearer looked, how well that was told.

The page is a single HTML file that needs nothing else: pictures and styles are inside, and no script is.
"""

import base64
import io
import re
from collections.abc import Callable, Mapping
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from regard.io import writing
from regard.io.following import has_points_in
from regard.io.given import answers_of, recording_of
from regard.io.predictions import Answers
from regard.io.recording import open_video
from regard.ops.states import lost_share, off_screen_share, runs
from regard.sources import FrameSource
from regard.types import GazeState, Recording
from regard.viz.draw import PREDICTED_COLOUR, STATE_COLOURS, contact_sheet
from regard.viz.drawing import drawing_of
from regard.viz.heatmap import heatmap, looks
from regard.viz.in_words import Scored, in_a_sentence, movements_in_words, scores_html
from regard.viz.ink import Colour
from regard.viz.style import STYLE
from regard.viz.telling import tellings_of
from regard.viz.timeline import X_COLOUR, Y_COLOUR, timeline

if TYPE_CHECKING:
    import pandas as pd

UNIT = re.compile(r"(?<=\d) (?=(?:x \d|s|ms|Hz|pixels|%|degrees)\b)|(?<=\d x) (?=\d)")
"""A space within a number and its unit."""
SHEET_FRAMES = 8
SHEET_HEIGHT, SHEET_WIDTH = 300, 1200
"""A frame of the contact sheet fills one of the two, whatever its shape."""
STRIP = (21, 24, 28)
"""Ground of the contact sheet, a film strip on light and dark pages alike."""


def report(
    recording: Recording | Path | str,
    path: Path | str,
    *,
    prediction: Answers | Path | str | None = None,
    findings: "pd.DataFrame | None" = None,
    movements: "pd.DataFrame | None" = None,
    scores: "Scored | Mapping[str, Scored] | pd.DataFrame | None" = None,
    film: Path | str | None = None,
    command: str = "",
    look: str = "",
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write a one-page HTML report of a recording; returns its path. Recording and prediction may be paths.

    `scores` are what `regard.evaluate` returned, or several of these by the model's name: the page reads them in a
    sentence, and says unit, direction, interval and protocol. `movements` is the summary of `regard.eye_movements`.
    `findings`, and any other table as `scores`, are shown as they are. `film` is played in the page,
    which names it from its own folder. `command` is what made the page, `look` what shows the recording frame by frame.
    `progress` is told the share done. Nothing is left under `path` when writing fails, which raises FileError.

    Examples:
        >>> regard.report("my_recording/", "report.html").name
        'report.html'
    """
    path, recording = Path(path), recording_of(recording)
    prediction = None if prediction is None else answers_of(prediction)
    source = open_video(recording.require_video())
    sheet, mean = _sheet(recording, source, prediction, progress)
    scored = _by_model(scores, prediction)
    parts = [
        _section("Recording", _facts_table(_facts(recording, source))),
        _section("Check", "" if findings is None else html_table(findings)),
        _section("Gaze over time", _gaze_over_time(recording, prediction, source)),
        *(_section(*t.section(end_s=float(source.times_s[-1]))) for t in tellings_of(recording, prediction)),
        _section("Eye movements", _moved(recording, movements, end_s=float(source.times_s[-1]))),
        _section("At a glance", sheet),
        _section("Where gaze rested", _rested(recording, mean)),
        _section("Scores", scores_html(scored) if scored else _as_it_is(scores)),
        _section("Notes", "".join(f"<p>{escape(note)}</p>" for note in recording.notes)),
    ]
    made = f"made by regard {escape(version('regard'))}" + (f" with <code>{escape(command)}</code>" if command else "")
    title = escape(recording.id)
    frame_by_frame = f'<p class="dim">Frame by frame: <code>{escape(look)}</code></p>\n' if look else ""
    lead = f'<p class="lead">{escape(said)}</p>\n' if (said := in_a_sentence(scored)) else ""
    body = "".join([lead, "" if film is None else _film(Path(film), path), *parts])
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title} &middot; regard</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f'<body>\n<h1>{title}</h1>\n<p class="dim">worn by {escape(recording.subject)}</p>\n{frame_by_frame}'
        f"{body}<footer>{made}</footer>\n</body>\n</html>\n"
    )
    with writing(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def _facts(recording: Recording, source: FrameSource) -> list[tuple[str, str]]:
    h, w = source.size
    times_s = source.times_s
    duration_s = float(times_s[-1])
    rate = f", {(len(times_s) - 1) / duration_s:.2f} a second on average" if duration_s > 0 else ""
    audio, gaze, camera = recording.audio, recording.gaze, recording.camera
    rows = [
        ("video", f"{recording.require_video().path.name}, {w} x {h} pixels"),
        ("frames", f"{len(times_s)} in {duration_s:.2f} s{rate}"),
        ("sound", "none" if audio is None else audio.path.name),
    ]
    if gaze is None:
        rows.append(("gaze", "none"))
    elif len(gaze) == 0:
        rows.append(("gaze", "no measurements"))
    else:
        often = f", {1 / gaze.interval_s:.0f} a second" if len(gaze) > 1 else ""
        lost, outside = lost_share(gaze, end_s=duration_s), off_screen_share(gaze, end_s=duration_s)
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


def _gaze_over_time(recording: Recording, prediction: Answers | None, source: FrameSource) -> str:
    has_points = prediction is not None and has_points_in(prediction)
    if recording.gaze is None and not has_points:
        return ""
    end_s = float(source.times_s[-1])
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
    """Frames spread evenly over the recording, the middles of as many equal parts, with gaze and prediction; and their
    mean, without.
    """
    times_s = source.times_s
    count = min(SHEET_FRAMES, len(times_s))
    picked_s = times_s[((np.arange(count) + 0.5) / count * len(times_s)).astype(int)]
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
    alt = escape("; ".join([f"{count} frames of the recording", *marks]))
    mean = np.rint(total / count).astype(np.uint8)
    return f'<div class="scroll">{_img(picture, alt)}</div><p class="key dim">{key}</p>', mean


def _rested(recording: Recording, mean: UInt8[np.ndarray, "h w 3"]) -> str:
    """How long gaze rested where, over the mean of some of the recording's frames."""
    if looks([recording], size=(1, 1)) is None:
        return ""
    text = (
        f"The brighter the glow, the longer gaze rested there; over the mean of {SHEET_FRAMES} frames, as what lies "
        "there changes when the head turns."
    )
    return f'<div class="small">{_img(heatmap(recording, over=mean), text)}</div><p class="dim">{text}</p>'


def _moved(recording: Recording, movements: "pd.DataFrame | None", *, end_s: float) -> str:
    """How the eye moved, in a sentence and a table."""
    if movements is None:
        return ""
    lost = float("nan") if recording.gaze is None else lost_share(recording.gaze, end_s=end_s)
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


def _film(film: Path, page: Path) -> str:
    """A film that plays in the page, and a link to it for where it does not."""
    try:
        address = quote(film.resolve().relative_to(page.resolve().parent).as_posix())
    except ValueError:  # elsewhere
        address = film.resolve().as_uri()
    link = f'<a href="{address}">{escape(film.name)}</a>'
    return f'<video controls preload="metadata" src="{address}"></video>\n<p class="dim">Film: {link}</p>\n'


def _img(picture: UInt8[np.ndarray, "h w 3"], alt: str) -> str:
    code = io.BytesIO()
    Image.fromarray(picture).save(code, "JPEG", quality=88)
    return f'<img alt="{alt}" src="data:image/jpeg;base64,{base64.b64encode(code.getvalue()).decode()}">'


def _section(name: str, inside: str) -> str:
    return f"<h2>{escape(name)}</h2>\n{inside}\n" if inside else ""


def _facts_table(rows: list[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{_kept(value)}</td></tr>" for name, value in rows)
    return f"<table><tbody>{lines}</tbody></table>"


def html_table(frame: "pd.DataFrame") -> str:
    """A data frame as an HTML table; NaN is a dash, and everything that is text is escaped."""
    from pandas.api.types import is_numeric_dtype

    kinds = [' class="number"' if is_numeric_dtype(frame.dtypes.iloc[k]) else "" for k in range(frame.shape[1])]
    head = "".join(f"<th{kind}>{escape(str(name))}</th>" for kind, name in zip(kinds, frame.columns, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{_cell(value)}</td>" for kind, value in zip(kinds, row, strict=True)) + "</tr>"
        for row in frame.itertuples(index=False, name=None)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.3f}"
    return "-" if value is None else _kept(str(value))


def _kept(text: str) -> str:
    """Escaped, with numbers and their units on one line."""
    return UNIT.sub("&nbsp;", escape(text))
