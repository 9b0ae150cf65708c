"""A short plain video for the readers, and the folder around it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from regard.io.media.writer import FilmWriter

WALK_TIMES_S = np.concatenate([np.arange(25) * 0.04, 1.0 + np.arange(20) * 0.05])
"""45 frames at a rate that changes after a second; the last is shown from 1.95 s on."""


@pytest.fixture(scope="session")
def walk_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A silent video of 48 x 64 (height x width) pixels."""
    path = tmp_path_factory.mktemp("film") / "walk.mp4"
    rng = np.random.default_rng(0)
    with FilmWriter(path, size=(48, 64)) as film:
        for time_s in WALK_TIMES_S:
            film.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), float(time_s))
    return path


@pytest.fixture
def walk(walk_film: Path, tmp_path: Path) -> Path:
    """A fresh folder with that video as walk.mp4."""
    folder = tmp_path / "walk"
    folder.mkdir()
    shutil.copy(walk_film, folder / "walk.mp4")
    return folder


@pytest.fixture
def walk_times_s() -> np.ndarray:
    """When each frame of that video is shown."""
    return WALK_TIMES_S
