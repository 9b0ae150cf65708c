"""One page about a recording's areas of interest: which were looked at, how long and when, with figure and film."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from regard.metrics.by_condition import hint_of_few
from regard.types import Recording
from regard.viz.in_words import areas_in_words
from regard.viz.page import film_html, folded, links_html, section, whose, write_page
from regard.viz.score_tables import LONG

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["areas_page"]

COLUMNS = ("time", "fixa&shy;tions", "first after", "visits")
COUNTS = ("fixations", "visits")
LEGEND = (
    "Time: share of that in which gaze was measured, and seconds. First after: seconds to the first fixation. Below "
    "the numbers of fixations and visits: how long one lasts on average.",
    "In the figure a lane is an area, a bar a fixation on it; grey: gaze was not measured; hatched: the area was not "
    "there. The matrix says how often gaze went from one (row) to another (column); darker is a larger share.",
)


def areas_page(
    recording: Recording,
    path: Path | str,
    *,
    table: "pd.DataFrame",
    protocol: str,
    figure: Path,
    film: Path | None = None,
    files: Sequence[Path] = (),
    command: str = "",
    look: str = "",
) -> Path:
    """Write it: the result in a sentence, a row an area, the figure, the film, and links to `files`; returns its path.

    `table` is that of `regard.areas`, `protocol` says how it was counted, `figure` is an SVG. `command` is what made
    the page, `look` what shows the recording frame by frame. Raises FileError.
    """
    path = Path(path)
    code = base64.b64encode(figure.read_bytes()).decode()
    picture = f'<img alt="when each area was looked at" src="data:image/svg+xml;base64,{code}">'
    hints = "".join(f'<p class="dim">{escape(line)}</p>' for line in (LEGEND[1], protocol))
    body = [
        f'<p class="lead">{escape(areas_in_words(table))}</p>\n<p class="dim">{hint_of_few(1).capitalize()}.</p>\n',
        section("Areas", f'{_rows(table)}<p class="dim">{LEGEND[0]}</p>'),
        section("When, and from where to where", f'<div class="scroll">{picture}</div>{hints}'),
        "" if film is None else film_html(film, path),
        section("Files", links_html(files, path)),
        section("Notes", "".join(f"<p>{escape(note)}</p>" for note in recording.notes if note not in protocol)),
    ]
    return write_page(path, title=recording.id, under=whose(recording), look=look, command=command, body="".join(body))


def _rows(table: "pd.DataFrame") -> str:
    head = "".join(f'<th class="number">{name}</th>' for name in COLUMNS)
    lines = []
    for row in table.astype(dict.fromkeys(COUNTS, float)).to_dict("records"):
        segment = f'<br><small class="dim">{escape(str(row["segment"]))}</small>' if row["segment"] else ""
        lines.append(
            f"<tr><td>{escape(str(row['area']))}{segment}</td>"
            + _cell(row["dwell_share"], "{:.1%}", row["dwell_s"], "{:.2f} s")
            + _cell(row["fixations"], "{:.0f}", row["mean_fixation_s"], "{:.2f} s")
            + _cell(row["first_fixation_s"], "{:.2f} s")
            + _cell(row["visits"], "{:.0f}", row["mean_visit_s"], "{:.2f} s")
            + "</tr>"
        )
    rows = (
        f'<div class="scroll"><table class="scores"><thead><tr><th>area</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
    return rows if len(lines) <= LONG else folded(f"{len(lines)} rows", rows)


def _cell(value: float, form: str, small: float = float("nan"), small_form: str = "") -> str:
    """A number, and another one below it; a dash for what is not known."""
    below = "" if np.isnan(small) else f'<br><small class="dim">{small_form.format(small)}</small>'
    return f'<td class="number">{"-" if np.isnan(value) else form.format(value)}{below}</td>'
