from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from PIL import Image

from regard.errors import FileError
from regard.viz.confusion import confusion_picture

COUNTS = pd.DataFrame({"cup": [9, 10, 0], "pan": [1, 10, 0], "never": [0, 0, 0], "noun": ["cup", "pan", "never"]})


def test_cells_show_shares_of_their_row_and_classes_without_items_are_left_out(tmp_path: Path):
    confusion_picture(COUNTS, tmp_path / "confusion.png")
    with Image.open(tmp_path / "confusion.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)

    def area(share: float) -> int:
        colour = np.array(colormaps["viridis"](share)[:3]) * 255
        return int((np.abs(pixels - colour).max(axis=1) <= 3).sum())

    right_cups, wrong_cups, pans = area(0.9), area(0.1), area(0.5)
    assert min(right_cups, wrong_cups) > 10_000
    assert pans == pytest.approx(right_cups + wrong_cups, rel=0.05)


def test_a_picture_that_cannot_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError):
        confusion_picture(COUNTS, tmp_path / "file" / "confusion.png")
