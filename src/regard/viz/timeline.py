"""Gaze over time as a drawing that can stand in a web page: x, y, and what the eye was doing."""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from regard.io.following import points_of
from regard.io.predictions import Answers
from regard.ops.states import runs
from regard.types import GazeState, GazeTrack
from regard.viz.draw import PREDICTED_COLOUR, STATE_COLOURS
from regard.viz.ink import Colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT = "#010203"
"""Stands for the page's own text colour until the drawing is finished."""
MANY = 4000
"""Points beyond which lines are kept as pixels: a drawing of each would make the page slow."""
X_COLOUR, Y_COLOUR = "#0072B2", "#CC79A7"
"""Okabe and Ito's blue and purple: told apart on white and on black."""


def timeline(track: GazeTrack | None, *, predicted: Answers | None = None, end_s: float) -> str:
    """An SVG element of gaze x and y from 0 to `end_s`, gaps shaded, with a band of states and the predicted points.

    Text takes the colour and the font of the page around it, so it suits light and dark ones. y grows downwards, as in
    the picture. Without track or prediction the axes stay empty.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2))
    FigureCanvasSVG(figure)
    points = None if predicted is None else points_of(predicted)
    edges = {"left": 0.05, "right": 0.99, "top": 0.98, "bottom": 0.13, "hspace": 0.12}
    x_axes, y_axes, band = figure.subplots(3, 1, sharex=True, height_ratios=[5, 5, 1], gridspec_kw=edges)
    for axes, column, colour, name in ((x_axes, 0, X_COLOUR, "x"), (y_axes, 1, Y_COLOUR, "y")):
        if track is not None:
            _line(axes, track, column, colour, end_s=end_s)
        if predicted is not None and points is not None:
            axes.plot(predicted.time_s, points[:, column], ".", color=hex_of(PREDICTED_COLOUR), ms=3, alpha=0.7,
                      rasterized=len(predicted.time_s) > MANY)  # fmt: skip
        axes.set(ylabel=name, ylim=(-0.05, 1.05), yticks=[0, 0.5, 1])
        axes.grid(color=TEXT, alpha=0.12, linewidth=0.6)
    y_axes.invert_yaxis()
    _band(band, track, end_s=end_s)
    band.set(xlim=(0, max(end_s, 1e-3)), xlabel="time in seconds", yticks=[], ylim=(0, 1))
    return as_svg(figure, bands=(band,), label="gaze over time")


def as_svg(figure: "Figure", *, bands: Sequence["Axes"] = (), label: str) -> str:
    """A finished figure as an SVG element for a page, whose text colour and font it takes; `bands` have no frame.

    Text and lines of the figure that should have the page's colour are of the colour TEXT.
    """
    import matplotlib

    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=TEXT)
        axes.xaxis.label.set_color(TEXT)
        axes.yaxis.label.set_color(TEXT)
        for side, spine in axes.spines.items():
            spine.set(color=TEXT, alpha=0.35, visible=side in ("left", "bottom") and axes not in bands)
    written = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "regard"}):
        figure.savefig(written, format="svg", transparent=True, dpi=160, metadata={"Date": None, "Creator": None})
    return _for_a_page(written.getvalue(), label)


def _line(axes: "Axes", track: GazeTrack, column: int, colour: str, *, end_s: float) -> None:
    """Gaze as a line that is broken where the gaze was lost or not measured."""
    value = np.where(track.valid, track.point[:, column], np.nan)
    gap = np.flatnonzero(np.diff(track.time_s) > 3 * np.nan_to_num(track.interval_s))
    time_s = np.insert(track.time_s, gap + 1, track.time_s[gap])
    value = np.insert(value, gap + 1, np.nan)
    axes.plot(time_s, value, color=colour, linewidth=1, rasterized=len(value) > MANY)
    for from_s, until_s, state in runs(track, end_s=end_s):
        if state == GazeState.LOST:
            axes.axvspan(from_s, until_s, color=hex_of(STATE_COLOURS[state]), alpha=0.18, linewidth=0)


def _band(axes: "Axes", track: GazeTrack | None, *, end_s: float) -> None:
    stretches = [] if track is None else runs(track, end_s=end_s)
    for state, colour in STATE_COLOURS.items():
        spans = [(from_s, until_s - from_s) for from_s, until_s, run in stretches if run == state]
        if spans:
            axes.broken_barh(spans, (0, 1), facecolor=hex_of(colour), linewidth=0, rasterized=len(spans) > MANY)


def hex_of(colour: Colour) -> str:
    """As SVG and matplotlib write a colour."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _for_a_page(svg: str, label: str) -> str:
    """The element alone, as wide as the page allows, in the page's text colour and font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt"', "", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="[\d.]+pt"', r"\1", svg, count=1)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", svg)
    return svg.replace(TEXT, "currentColor").replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
