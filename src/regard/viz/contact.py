"""The contact page of a study: a tile for each recording, with a picture of where its gaze was, linked to its pages."""

import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import cv2
import numpy as np
from jaxtyping import Float32
from PIL import Image

from regard.io import writing
from regard.io.recording import open_video
from regard.types import GazeTrack, Recording
from regard.viz.density import density
from regard.viz.page import folded, links_html, section, write_page
from regard.viz.score_tables import conditions_html
from regard.viz.spread import spread_s

if TYPE_CHECKING:
    import pandas as pd

PICTURE = "picture.jpg"

HEIGHT, WIDTH = 180, 320
"""A tile's picture fills one of the two."""

CELLS, SIGMA_CELLS = 64, 1.6
"""Of the map of gaze: cells along the picture's longer side, and the width of a measurement's bell."""

TILES = """
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(15.5rem, 1fr)); gap: 1rem; }
.tile { border: 1px solid var(--line); border-radius: 8px; overflow: hidden; display: flex; flex-direction: column; }
.tile .picture { background: #15181c; aspect-ratio: 16 / 9; display: flex; align-items: center; justify-content: center;
  color: #9aa3ad; position: relative; }
.tile img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; border-radius: 0; }
.tile div.about { padding: .6rem .8rem .7rem; font-size: .87rem; line-height: 1.42; }
.tile h3 { margin: 0; font-size: .98rem; overflow-wrap: anywhere; }
.tile ul { margin: .35rem 0 0; padding-left: 1.05rem; overflow-wrap: anywhere; }
.tile .links { margin-top: .4rem; } .tile .links a { margin-right: .8rem; }
.tile.warned { border-color: #e69f00; } .tile.failed { border-color: #d55e00; }
.tile.warned h3::after, .tile.failed h3::after { content: attr(data-word); font-weight: 500; font-size: .78rem;
  margin-left: .5rem; padding: .05rem .45rem; border-radius: 1rem; color: #000; background: #e69f00; }
.tile.failed h3::after { background: #d55e00; color: #fff; }
a { color: inherit; }
@media print { .tile { break-inside: avoid; } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """What the page says of one recording. Paths are relative to the page's folder, `picture` None where there is none.

    `about` are lines of facts, `problems` sentences, `links` pages and films by what they are called.
    """

    name: str
    is_broken: bool = False
    picture: Path | None = None
    about: Sequence[str] = ()
    problems: Sequence[str] = ()
    links: Mapping[str, Path] = field(default_factory=dict)


def write_picture(recording: Recording, path: Path) -> Path:
    """A small JPEG of a frame of the recording's middle, with a glow where its valid gaze was. Raises FileError."""
    with closing(open_video(recording.require_video())) as source:
        h, w = source.size
        scale = min(HEIGHT / h, WIDTH / w, 1)
        end_s, size = float(source.times_s[-1]), (max(1, round(h * scale)), max(1, round(w * scale)))
        frame = source.frames_at(spread_s(source, 1), size=size)[0]
    if recording.gaze is not None:
        frame = density(frame, _log_density(recording.gaze, size, end_s=end_s))
    jpeg = io.BytesIO()
    Image.fromarray(frame).save(jpeg, "JPEG", quality=82)
    with writing(path) as part:
        part.write_bytes(jpeg.getvalue())
    return path


def _log_density(gaze: GazeTrack, size: tuple[int, int], *, end_s: float) -> Float32[np.ndarray, "gh gw"]:
    """Where the gaze was while the video lasted; -inf all over where it never was on the picture."""
    cells = [max(2, round(CELLS * side / max(size))) for side in size]
    seen = gaze.point[gaze.valid & (gaze.time_s >= 0) & (gaze.time_s <= end_s)]
    counts, _, _ = np.histogram2d(seen[:, 1], seen[:, 0], bins=cells, range=((0, 1), (0, 1)))
    smooth = cv2.GaussianBlur(counts.astype(np.float32), (0, 0), SIGMA_CELLS)
    with np.errstate(divide="ignore"):
        return np.log(smooth)


def contact_page(
    tiles: Sequence[Tile],
    path: Path,
    *,
    title: str,
    lead: str,
    conditions: "Mapping[str, pd.DataFrame] | None" = None,
    files: Sequence[Path] = (),
    notes: Sequence[str] = (),
    command: str = "",
) -> Path:
    """Write the page of all tiles, in their order, below a sentence that leads in and medians by condition.

    `conditions` are tables as `by_condition` makes them, by their headings; all but the first are folded. `files` are
    linked.
    """
    parts = [
        folded(name, conditions_html(table, first=len(table))) if k else section(name, conditions_html(table))
        for k, (name, table) in enumerate((conditions or {}).items())
    ]
    glow = "Each picture is a frame of the recording's middle; the glow is where gaze was all through."
    body = (
        f"<p>{escape(lead)}</p>\n{_dim(notes)}{''.join(parts)}"
        f'<h2>Recordings</h2>\n<div class="tiles">\n{"".join(map(_tile, tiles))}</div>\n'
        f"{_dim([glow] if any(tile.picture for tile in tiles) else [])}"
        f"{section('Tables of all recordings', links_html(files, path))}"
    )
    return write_page(path, title=title, body=body, command=command, style=TILES)


def _dim(sentences: Sequence[str]) -> str:
    return "".join(f'<p class="dim">{escape(sentence)}</p>\n' for sentence in sentences)


def _tile(tile: Tile) -> str:
    kind, word = ("failed", "broken") if tile.is_broken else ("warned", "look") if tile.problems else ("", "")
    inside = f'<img src="{_address(tile.picture)}" alt="" loading="lazy">' if tile.picture else "no picture"
    first = next(iter(tile.links.values()), None)
    picture = f'<a class="picture" href="{_address(first)}">{inside}</a>' if first else inside
    shown = picture if first else f'<div class="picture">{inside}</div>'
    about = "".join(f"<div>{escape(line)}</div>" for line in tile.about)
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in tile.problems)
    links = "".join(f'<a href="{_address(page)}">{escape(name)}</a>' for name, page in tile.links.items())
    return (
        f'<div class="tile {kind}">{shown}<div class="about"><h3 data-word="{word}">{escape(tile.name)}</h3>{about}'
        + (f"<ul>{problems}</ul>" if problems else "")
        + (f'<div class="links">{links}</div>' if links else "")
        + "</div></div>\n"
    )


def _address(path: Path) -> str:
    return quote(path.as_posix())
