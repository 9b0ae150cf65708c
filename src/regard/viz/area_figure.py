"""Areas of interest as one figure: when each was looked at, where they are, and the ways between them."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, UInt8

from regard.area import ELSEWHERE, Area
from regard.io import writing
from regard.ops.areas import there_s
from regard.ops.states import runs
from regard.types import GazeState, GazeTrack
from regard.viz.areas import colour_of
from regard.viz.figure_file import figure_suffix
from regard.viz.ink import Colour
from regard.viz.timeline import MANY, hex_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LANE_IN = 0.3
"""Height of a lane, in inches."""
MOST_IN = 40.0
"""Height of all lanes, and of the matrix, however many there are."""
MOST_NUMBERED = 12
"""Areas up to which the matrix has its numbers written in."""
LONGEST = 24
"""Letters of a name that are shown."""
GREY: Colour = (153, 153, 153)
DARK = "#333333"
STEPS = 2000
"""Of time in which many bars are drawn."""


def areas_figure(
    path: Path | str,
    *,
    areas: Sequence[Area],
    fixations: "pd.DataFrame",
    transitions: "pd.DataFrame",
    gaze: GazeTrack,
    end_s: float,
    frame: UInt8[np.ndarray, "h w 3"] | None = None,
    frame_s: float = 0.0,
) -> Path:
    """Write it as PNG or SVG by the path's suffix: a lane an area with fixations as bars, a picture, a matrix.

    Grey in all lanes: gaze was not measured; hatched in one: the area is not there. `frame` is that of `frame_s`, on
    which the areas are outlined. Tables are those of `regard.areas`.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    suffix = figure_suffix(path)
    names = [*(area.name for area in areas), ELSEWHERE]
    lanes_in = min(LANE_IN * len(names) + 0.7, MOST_IN)
    matrix_in = min(max(3.4, 0.34 * len(names) + 1.2), MOST_IN)
    figure = Figure(figsize=(10, lanes_in + matrix_in), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[lanes_in, matrix_in], width_ratios=[1, 1.25])
    _lanes(figure.add_subplot(grid[0, :]), areas, fixations, gaze, end_s=end_s)
    matrix, picture = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    _matrix(matrix, names, transitions)
    picture.set_axis_off()
    if frame is not None:
        _picture(picture, areas, frame, frame_s)
    with (
        writing(Path(path)) as part,
        rc_context({"svg.fonttype": "none", "svg.hashsalt": "regard"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph")  # of names in letters that the font lacks, and browsers know
        nothing = {"Date": None, "Creator": None} if suffix == "svg" else {"Software": None}
        figure.savefig(part, format=suffix, dpi=160, metadata=nothing)
    return Path(path)


def _lanes(axes: "Axes", areas: Sequence[Area], fixations: "pd.DataFrame", gaze: GazeTrack, *, end_s: float) -> None:
    names = [*(area.name for area in areas), ELSEWHERE]
    lost = np.array([(s, e) for s, e, state in runs(gaze, end_s=end_s) if state == GazeState.LOST]).reshape(-1, 2)
    draw = _bars if len(fixations) + len(lost) <= MANY else _shares
    for row, name in enumerate(names):
        own = fixations.loc[fixations["area"] == name, ["start_s", "end_s"]].to_numpy(np.float64)
        draw(axes, own, (row - 0.4, row + 0.4), colour_of(row) if row < len(areas) else GREY, end_s=end_s)
        if row < len(areas):
            absent = _between(there_s(areas[row], 0.0, end_s), end_s)
            style = {"facecolor": "none", "edgecolor": "#bbbbbb", "hatch": "////", "linewidth": 0}
            axes.broken_barh(absent, (row - 0.4, 0.8), **style)
    draw(axes, lost, (-0.5, len(names) - 0.5), GREY, end_s=end_s, opacity=0.25)
    axes.set(xlim=(0, end_s), ylim=(len(names) - 0.5, -0.5), xlabel="seconds")
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color=DARK, alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title("fixations on each area; grey: gaze not measured, hatched: area not there", fontsize=9, color=DARK)


def _bars(
    axes: "Axes",
    spans: Float64[np.ndarray, "k 2"],
    rows: tuple[float, float],
    colour: Colour,
    *,
    end_s: float,
    opacity: float = 1.0,
) -> None:
    """Stretches of time as bars from one row to another."""
    spans = spans.clip(0, end_s)
    bars = list(zip(spans[:, 0], spans[:, 1] - spans[:, 0], strict=True))
    axes.broken_barh(bars, (rows[0], rows[1] - rows[0]), facecolor=hex_of(colour), alpha=opacity, linewidth=0)


def _shares(
    axes: "Axes",
    spans: Float64[np.ndarray, "k 2"],
    rows: tuple[float, float],
    colour: Colour,
    *,
    end_s: float,
    opacity: float = 1.0,
) -> None:
    """The same of so many that bars would be thinner than a pixel: the share of each step that they fill, as shade."""
    spans = spans.clip(0, end_s)
    if not len(spans):
        return
    edges_s = np.linspace(0, end_s, STEPS + 1)
    so_far_s = np.append(0.0, np.cumsum(spans[:, 1] - spans[:, 0]))
    covered_s = np.interp(edges_s, spans.ravel(), np.repeat(so_far_s, 2)[1:-1])
    strip = np.empty((1, STEPS, 4))
    strip[..., :3] = np.array(colour) / 255
    strip[..., 3] = opacity * (np.diff(covered_s) * STEPS / end_s).clip(0, 1)
    axes.imshow(strip, extent=(0, end_s, rows[1], rows[0]), aspect="auto", interpolation="antialiased", zorder=1)


def _picture(axes: "Axes", areas: Sequence[Area], frame: UInt8[np.ndarray, "h w 3"], frame_s: float) -> None:
    axes.imshow(frame, interpolation="antialiased")
    h, w = frame.shape[:2]
    for number, area in enumerate(areas):
        corners, colour = area.at(frame_s) * (w, h), hex_of(colour_of(number))
        if len(corners):
            for line, ink in ((3.0, "black"), (1.6, colour)):
                axes.fill(*corners.T, facecolor="none", edgecolor=ink, linewidth=line)
            box = {"facecolor": "black", "alpha": 0.7, "linewidth": 0, "pad": 1.5}
            left, top = corners.min(axis=0)
            axes.text(left, top, _short(area.name), va="top", fontsize=8, color="white", bbox=box, clip_on=True)
    axes.set(xlim=(0, w), ylim=(h, 0))
    axes.set_title(f"areas at {frame_s:.2f} s", fontsize=9, color=DARK)


def _matrix(axes: "Axes", names: list[str], transitions: "pd.DataFrame") -> None:
    if not transitions["count"].to_numpy().any():
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no transitions", ha="center", va="center", color=DARK, transform=axes.transAxes)
        return
    counts, shares = (np.full((len(names), len(names)), np.nan) for _ in range(2))
    number = {name: k for k, name in enumerate(names)}
    for source, target, count in zip(transitions["from"], transitions["to"], transitions["count"], strict=True):
        at = number[source], number[target]
        counts[at] = count + np.nan_to_num(counts[at])
    left = np.nansum(counts, axis=1, keepdims=True)
    np.divide(counts, left, out=shares, where=left > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if len(names) <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            if count > 0:
                ink = "white" if shares[row, column] > 0.6 else DARK
                axes.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=9, color=ink)
    axes.set_xticks(range(len(names)), [_short(name) for name in names], rotation=35, ha="right")
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set(xlabel="to", ylabel="from")
    axes.set_title("transitions: how many; darker: a larger share of those from there", fontsize=9, color=DARK)


def _between(there: list[tuple[float, float]], end_s: float) -> list[tuple[float, float]]:
    """Start and length of what lies between these stretches, from 0 to the end."""
    edges = [0.0, *(edge for stretch in there for edge in stretch), end_s]
    return [(a, b - a) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]


def _short(name: str) -> str:
    shown = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}\u2026"
    return shown.replace("$", r"\$")
