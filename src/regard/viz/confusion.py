"""Which classes are taken for which: a confusion table as a picture."""

from pathlib import Path

import numpy as np
import pandas as pd

from regard.io import writing

CLASS_INCH, MARGIN_INCH = 0.16, 3.0
"""Room for one class, and for the names beside the picture."""


def confusion_picture(counts: pd.DataFrame, path: Path) -> None:
    """Write a PNG: a row for each class that occurs, with its number of items, and where its answers went.

    `counts` has a column a class, and a last column with the name of each row's class. A cell is the share of the row's
    items, so that rare classes can be read too; right answers lie on the diagonal. Raises FileError where `path` cannot
    be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    *classes, label = counts.columns
    items = counts[classes].to_numpy(np.float64)
    shown = np.flatnonzero((items.sum(axis=1) > 0) | (items.sum(axis=0) > 0))
    shares = items[np.ix_(shown, shown)] / np.maximum(items[shown].sum(axis=1, keepdims=True), 1)
    side = MARGIN_INCH + max(2.0, CLASS_INCH * len(shown))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="viridis", vmin=0, vmax=1)
    axes.set_xticks(range(len(shown)), [str(classes[k]) for k in shown], rotation=90, fontsize=7)
    names = [f"{counts[label].iloc[k]}  ({items[k].sum():.0f})" for k in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=7)
    axes.set_xlabel(f"{label} answered")
    axes.set_ylabel(f"{label} (clips)")
    figure.colorbar(image, label="share of the row's clips", shrink=0.6)
    with writing(path) as part:
        figure.savefig(part, dpi=110)
