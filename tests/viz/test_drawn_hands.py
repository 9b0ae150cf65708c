"""Hands on a frame: where they are, which is which, nothing where they were not seen, on films of either kind."""

from dataclasses import replace

import numpy as np
import pytest

from regard.io import FilmWriter, Video
from regard.types import HandTrack, MediaStream, Recording
from regard.viz.film import film
from regard.viz.hands import COLOURS, Hands

TRACK = HandTrack(
    time_s=np.array([0.0, 0.1, 0.2]),
    point=np.array([[[0.25, 0.5], [0.75, 0.5]], [[0.25, 0.5], [np.nan, np.nan]], [[0.25, 1.4], [0.75, 0.5]]]),
)


def drawn_at(time_s: float) -> np.ndarray:
    frame = np.full((240, 320, 3), 90, np.uint8)
    Hands(TRACK).draw(frame, time_s)
    return frame


def coloured(frame: np.ndarray, side: int) -> np.ndarray:
    """Rows and columns below the words in the colour of a hand, [2, n]."""
    return np.stack(np.nonzero((np.abs(frame[40:].astype(int) - np.array(COLOURS[side])) < 6).all(axis=2)))


@pytest.mark.parametrize("side", [0, 1])
def test_each_hand_is_a_square_whose_own_half_is_filled_with_its_colour(side: int) -> None:
    drawn, middle = drawn_at(0.0), int(320 * (0.25, 0.75)[side])
    rows, columns = np.nonzero((drawn[40:] != 90).any(axis=2) & (np.abs(np.arange(320) - middle) < 40))
    assert abs((columns.min() + columns.max() + 1) / 2 - middle) < 1
    assert abs((rows.min() + rows.max() + 1) / 2 + 40 - 120) < 1
    own = [(drawn[118:123, middle + at] == COLOURS[side]).all() for at in (-3, 3)]
    assert own == [side == 0, side == 1]


def test_a_hand_that_is_not_seen_is_not_drawn_and_one_beside_the_picture_stands_at_its_border() -> None:
    assert coloured(drawn_at(0.1), 1).size == 0
    rows, columns = coloured(drawn_at(0.2), 0)
    assert rows.max() + 40 == 239
    assert abs(np.median(columns) - 80) < 6
    assert coloured(drawn_at(5.0), 0).size == 0


def test_a_film_shows_the_hands_of_its_recording(tmp_path) -> None:
    with FilmWriter(tmp_path / "in.mp4", size=(240, 320)) as writer:
        for time_s in TRACK.time_s:
            writer.write(np.full((240, 320, 3), 90, np.uint8), time_s)
    plain = Recording(id="r", subject="s", video=MediaStream(path=tmp_path / "in.mp4"))
    shown = []
    for name, of in (("without.mp4", plain), ("with.mp4", replace(plain, hands=TRACK))):
        with Video(film(of, None, tmp_path / name)) as video:
            shown.append(video.frames_at(np.array([0.0]))[0].astype(int))
    apart = np.abs(shown[1] - shown[0]).sum(axis=2)
    assert apart[110:130, 70:90].max() > 60
    assert apart[180:200, 150:170].max() < 30
