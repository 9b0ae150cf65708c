"""The parts of a page: its frame, sections, tables and pictures, in one HTML file that needs nothing else.

Pictures and styles are inside, and no script is. Films and tables are linked from the page's own folder.
"""

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from regard.io import writing
from regard.types import Recording
from regard.viz.style import STYLE

if TYPE_CHECKING:
    import pandas as pd

UNIT = re.compile(r"(?<=\d) (?=(?:x \d|s|ms|Hz|pixels|%|degrees)\b)|(?<=\d x) (?=\d)")
"""A space within a number and its unit."""


def write_page(
    path: Path | str,
    *,
    title: str,
    body: str,
    under: str = "",
    command: str = "",
    look: str = "",
    then: str = "",
    style: str = "",
) -> Path:
    """Write a page with this body of HTML; returns its path. Raises FileError, and leaves nothing then.

    `under` is a line below the title, `command` what made the page, `look` what shows the recording frame by frame,
    `then` what to do next.
    """
    made = f"made by regard {escape(version('regard'))}" + (f" with <code>{escape(command)}</code>" if command else "")
    below = f'<p class="dim">{escape(under)}</p>\n' if under else ""
    said = {"Frame by frame": look, "Next": then}
    below += "".join(f'<p class="dim">{k}: <code>{escape(words)}</code></p>\n' for k, words in said.items() if words)
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)} &middot; regard'
        f'</title>\n<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}{style}</style>'
        f"\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{below}{body}<footer>{made}</footer>\n</body>\n</html>\n"
    )
    with writing(Path(path)) as part:
        part.write_text(page, encoding="utf-8")
    return Path(path)


def section(name: str, inside: str) -> str:
    """A heading with what is below it; nothing where that is empty."""
    return f"<h2>{escape(name)}</h2>\n{inside}\n" if inside else ""


def folded(name: str, inside: str) -> str:
    """What opens on a click on its name."""
    return f"<details><summary>{escape(name)}</summary>{inside}</details>\n"


def picture_html(picture: UInt8[np.ndarray, "h w 3"], alt: str) -> str:
    """A picture in the page itself, as JPEG; `alt` says in words what it shows."""
    code = io.BytesIO()
    Image.fromarray(picture).save(code, "JPEG", quality=88)
    return f'<img alt="{escape(alt)}" src="data:image/jpeg;base64,{base64.b64encode(code.getvalue()).decode()}">'


def address(file: Path, page: Path) -> str:
    """The address of a file for a page: from the page's own folder where it lies in there."""
    try:
        return quote(file.resolve().relative_to(page.resolve().parent).as_posix())
    except ValueError:  # elsewhere
        return file.resolve().as_uri()


def links_html(files: Sequence[Path], page: Path) -> str:
    """A list of files that open on a click, by their names, and those of pictures below it; nothing of none."""
    items = "".join(f'<li><a href="{address(file, page)}">{escape(file.name)}</a></li>' for file in files)
    pictures = "".join(
        f'<div class="small"><img alt="{escape(file.stem)}" src="{address(file, page)}"></div>'
        for file in files
        if file.suffix == ".png"
    )
    return f"<ul>{items}</ul>{pictures}" if items else ""


def film_html(film: Path, page: Path) -> str:
    """A film that plays in the page, and a link to it for where it does not."""
    at = address(film, page)
    link = f'<a href="{at}">{escape(film.name)}</a>'
    return f'<video controls preload="metadata" src="{at}"></video>\n<p class="dim">Film: {link}</p>\n'


def whose(recording: Recording) -> str:
    """Who wore the glasses, or whose gaze it is; empty where nobody knows."""
    is_worn = recording.video is not None or recording.gaze is None
    known = recording.subject not in ("", "unknown")
    return f"{'worn by' if is_worn else 'gaze of'} {recording.subject}" if known else ""


def facts_html(rows: Sequence[tuple[str, str]]) -> str:
    """A row a fact: its name, and what it is."""
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
