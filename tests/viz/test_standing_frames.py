from pathlib import Path

import numpy as np
import pytest

from regard.io import FilmWriter, Video
from regard.viz.spread import spread_s


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """100 frames, a key frame every ten."""
    with FilmWriter(tmp_path / "film.mp4", size=(32, 32), gop=10) as writer:
        for k in range(100):
            writer.write(np.full((32, 32, 3), 99, np.uint8), k / 25)
    return tmp_path / "film.mp4"


class Unkeyed:
    size = (32, 32)

    def __init__(self, count: int) -> None:
        self.times_s = np.arange(count) / 25

    def frames_at(self, times_s, *, size=None):
        return np.zeros((len(times_s), *self.size, 3), np.uint8)

    def close(self) -> None:
        pass


def test_key_frames_are_those_that_the_file_can_be_entered_at(film: Path):
    np.testing.assert_allclose(Video(film).key_s, np.arange(0, 100, 10) / 25, atol=1e-6)


def test_key_frames_stand_for_the_parts_in_whose_middle_they_lie(film: Path):
    with Video(film) as video:
        np.testing.assert_allclose(spread_s(video, 5) * 25, [10, 30, 50, 70, 90], atol=1e-4)
        np.testing.assert_allclose(spread_s(video, 1) * 25, [50], atol=1e-4)


def test_without_a_key_frame_near_it_the_middle_itself_is_taken(film: Path):
    with Video(film) as video:
        shown = (spread_s(video, 20) * 25).round().astype(int)
    assert shown.tolist() == [(2, 7)[k % 2] + k // 2 * 10 for k in range(20)]
    np.testing.assert_allclose(spread_s(Unkeyed(8), 4) * 25, [1, 3, 5, 7])


def test_there_are_no_more_frames_than_the_video_has():
    np.testing.assert_allclose(spread_s(Unkeyed(3), 8) * 25, [0, 1, 2])
