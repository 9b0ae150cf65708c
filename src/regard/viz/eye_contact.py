"""Eye contact over time: who looked at the wearer when, whom the wearer looked at, and when both did."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from typing_extensions import override

from regard.io.predictions import Answers
from regard.ops.episodes import Stretch, stretches
from regard.ops.mutual_gaze import LOOKS_FROM, Episode, gaze_error, mutual_gaze
from regard.types import Recording
from regard.viz.draw import PREDICTED_COLOUR
from regard.viz.faces import AWAY_COLOUR, LOOKS_COLOUR, by_face
from regard.viz.telling import Telling
from regard.viz.timeline import MANY, TEXT, as_svg, hex_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from regard.prediction import Prediction

__all__ = ["EyeContact"]

WEARER_COLOUR = "#0072B2"
"""Okabe and Ito's blue."""
MOST_ROWS = 40
"""Of a table in the report; the csv has all."""


class EyeContact(Telling):
    """Episodes in which a face looks at the wearer, and with the wearer's gaze, mutual gaze; a timeline a person."""

    reads: ClassVar[str] = "looking"

    def __init__(self, recording: Recording, answers: Answers) -> None:
        self._model = answers.model
        self._faces = by_face(answers)
        self._looks = {name: _looks(face) for name, face in self._faces.items()}
        self._mutual: dict[str, list[Episode]] = {}
        if recording.gaze is not None:
            error = gaze_error(recording.camera)
            self._mutual = {
                name: mutual_gaze(
                    face.time_s,
                    face["box"].astype(np.float64),
                    face["looking"].astype(np.float64),
                    recording.gaze,
                    error=error,
                    raw=face["looking_raw" if "looking_raw" in face.names else "looking"].astype(np.float64),
                )
                for name, face in self._faces.items()
            }
        self._has_gaze = recording.gaze is not None

    @override
    def tables(self) -> dict[str, pd.DataFrame]:
        contact = [
            {"person": name, "start_s": s.start_s, "end_s": s.end_s, "score": _mean(self._faces[name], s)}
            for name, looks in self._looks.items()
            for s in looks
        ]
        tables = {"eye_contact": pd.DataFrame(contact, columns=["person", "start_s", "end_s", "score"])}
        if self._has_gaze:
            rows = [{"person": name, **e._asdict()} for name, episodes in self._mutual.items() for e in episodes]
            tables["mutual_gaze"] = pd.DataFrame(rows, columns=["person", *Episode._fields])
        return {name: _in_order(table) for name, table in tables.items()}

    @override
    def section(self, *, end_s: float) -> tuple[str, str]:
        key = [(hex_of(LOOKS_COLOUR), "looks at the wearer"), (hex_of(AWAY_COLOUR), "in view")]
        if self._has_gaze:
            key += [(WEARER_COLOUR, "wearer looks at the face"), (hex_of(PREDICTED_COLOUR), "both")]
        spans = "".join(f'<span><i style="background: {colour}"></i>{escape(name)}</span>' for colour, name in key)
        line = f"<span>line: probability that the face looks ({escape(self._model)})</span>"
        about = f'<p class="key dim">{spans}{line}</p>'
        tables = "".join(_html(table) for table in self.tables().values())
        return "Eye contact over time", f'<div class="scroll">{self._timeline(end_s)}</div>{about}{tables}'

    def _timeline(self, end_s: float) -> str:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        num = max(1, len(self._faces))
        figure = Figure(figsize=(10, 0.6 + 1.1 * num), layout="constrained")
        FigureCanvasSVG(figure)
        rows = figure.subplots(num, 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, face) in zip(rows, self._faces.items(), strict=False):
            _line(axes, face)
            bands: list[tuple[float, str, Sequence[Stretch | Episode]]] = [
                (-0.12, hex_of(AWAY_COLOUR), stretches(face.time_s, np.ones(len(face), bool), min_s=0.0))
            ]
            bands.append((-0.12, hex_of(LOOKS_COLOUR), self._looks[name]))
            for kind, place, colour in (
                ("wearer looks at face", -0.24, WEARER_COLOUR),
                ("mutual", -0.36, hex_of(PREDICTED_COLOUR)),
            ):
                bands.append((place, colour, [e for e in self._mutual.get(name, []) if e.kind == kind]))
            for place, colour, spans in bands:
                axes.broken_barh([(s.start_s, s.end_s - s.start_s) for s in spans], (place, 0.09), facecolor=colour)
            axes.set(ylim=(-0.4 if self._has_gaze else -0.16, 1.05), yticks=[0, 0.5, 1], ylabel=name)
            axes.grid(color=TEXT, alpha=0.12, linewidth=0.6)
        rows[-1].set(xlim=(0, max(end_s, 1e-3)), xlabel="time in seconds")
        return as_svg(figure, label="eye contact over time")


def _looks(face: "Prediction") -> list[Stretch]:
    return stretches(face.time_s, np.nan_to_num(face["looking"]) >= LOOKS_FROM)


def _mean(face: "Prediction", stretch: Stretch) -> float:
    return float(np.nanmean(face["looking"][stretch.first : stretch.last + 1]))


def _line(axes: "Axes", face: "Prediction") -> None:
    """The probability, broken where the face is not in view."""
    step_s = float(np.median(np.diff(face.time_s))) if len(face) > 1 else 0.0
    gap = np.flatnonzero(np.diff(face.time_s) > 3 * step_s) + 1
    value = np.insert(face["looking"].astype(np.float64), gap, np.nan)
    time_s = np.insert(face.time_s, gap, face.time_s[gap])
    axes.plot(time_s, value, color=TEXT, linewidth=1, rasterized=len(value) > MANY)


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    numbers = {column: 4 for column in table.columns if table[column].dtype.kind == "f"}
    return table.sort_values(["start_s", "end_s"], kind="stable", ignore_index=True).round(numbers)


def _html(table: pd.DataFrame) -> str:
    """The first rows, with numbers to two places."""
    if table.empty:
        return "<p>No episode.</p>"
    head = "".join(f"<th>{escape(str(name))}</th>" for name in table.columns)
    lines = [
        "".join(f"<td>{escape(f'{cell:.2f}' if isinstance(cell, float) else str(cell))}</td>" for cell in row)
        for row in table.head(MOST_ROWS).itertuples(index=False)
    ]
    more = f'<p class="dim">{len(table) - MOST_ROWS} more</p>' if len(table) > MOST_ROWS else ""
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
