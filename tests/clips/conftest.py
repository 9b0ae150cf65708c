"""A film and recordings of it. Lets the tests of clips import what they share: `clip_films`."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from regard.types import MediaStream, Recording, Segment

sys.path.insert(0, str(Path(__file__).parent))
from clip_films import film, gaze_track


@pytest.fixture(scope="session")
def five_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5 s at 10 frames a second."""
    return film(tmp_path_factory.mktemp("film") / "five.mp4", np.arange(50) / 10)


@pytest.fixture
def recording(five_seconds: Path) -> Callable[..., Recording]:
    """Recordings of that film, with gaze and two labelled actions."""

    def make(name: str = "kitchen", **changes: object) -> Recording:
        fields: dict = {
            "id": name,
            "subject": "P1",
            "video": MediaStream(path=five_seconds),
            "gaze": gaze_track(5.0),
            "segments": (
                Segment(start_s=0.5, end_s=2.5, kind="action", name="wash", labels={"verb": 1}),
                Segment(start_s=3.0, end_s=3.4, kind="action", name="cut", labels={"verb": 2}),
            ),
        }
        return Recording(**{**fields, **changes})

    return make
