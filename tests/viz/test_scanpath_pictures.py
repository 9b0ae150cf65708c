"""Scanpaths as pictures, and films and pages about all who watched."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.io import Video
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack, Recording
from regard.viz.observers import observers_film, observers_page
from regard.viz.scanpath import mean_frame, rests_of, scanpath

GREY = np.full((200, 300, 3), 90, np.uint8)


def track(*rests: tuple[float, float, int], state: GazeState = GazeState.FIXATION) -> GazeTrack:
    """x, y and so many hundredths of a second; a moment of saccade before each."""
    point = np.concatenate([np.tile([[x, y]], (n, 1)) for x, y, n in rests]).astype(np.float64)
    states = np.full(len(point), state, np.int8)
    for n in np.cumsum([n for *_, n in rests])[:-1]:
        states[n] = GazeState.SACCADE if state != GazeState.TRACKED else state
    return GazeTrack(time_s=np.arange(len(point)) / 100, point=point, state=states)


@pytest.fixture
def watched(tiny_world: Path) -> Recording:
    recording = regard.open(tiny_world)
    assert recording.gaze is not None
    moved = replace(recording.gaze, point=recording.gaze.point + 0.05)
    return replace(recording, others={"ann": recording.gaze, "bob": moved})


def test_rests_are_the_states_that_the_track_names_and_else_told_by_dispersion() -> None:
    found = rests_of(track((0.2, 0.3, 20), (0.7, 0.6, 40)))
    assert [round(r.end_s - r.start_s, 2) for r in found] == [0.2, 0.39]
    np.testing.assert_allclose(found[1].point, [0.7, 0.6])
    unnamed = rests_of(track((0.2, 0.3, 20), (0.7, 0.6, 40), state=GazeState.TRACKED))
    np.testing.assert_allclose([r.point for r in unnamed], [[0.2, 0.3], [0.7, 0.6]])


def test_circles_stand_where_the_eye_rested_and_longer_ones_are_larger() -> None:
    drawn = scanpath(GREY, track((0.2, 0.3, 20), (0.7, 0.6, 80)))
    changed = (drawn != GREY).any(axis=-1)
    assert changed[60, 60]
    assert changed[120, 210]
    assert not changed[150, 60]
    short, long = changed[40:80, 40:80].sum(), changed[90:150, 180:240].sum()
    assert long > 2 * short
    assert (drawn[np.round(np.linspace(60, 120, 9)).astype(int)[4], 135] != 90).any(), "the saccade's line"


def test_a_path_without_a_rest_leaves_the_frame_as_it_is() -> None:
    np.testing.assert_array_equal(scanpath(GREY, GazeTrack.lost(np.arange(5.0))), GREY)
    assert rests_of(GazeTrack.lost(np.zeros(0))) == []


def test_film_and_page_show_everybody_beside_a_prediction(watched: Recording, tmp_path: Path) -> None:
    times_s = np.arange(20) / 10
    logs = np.full((20, 6, 8), np.log(1 / 48), np.float32)
    said = Prediction(
        recording=watched.id, model="model<1>", time_s=times_s, seen_until_s=times_s, values={"log_density": logs}
    )
    film = observers_film(watched, tmp_path / "people.mp4", prediction=said, max_height=96)
    with Video(film) as video:
        assert video.size == (96, 256)
    page = observers_page(watched, tmp_path / "people.html", prediction=said).read_text()
    for word in ("Where everybody looked", "Scanpaths", "How gaze moves", "model&lt;1&gt;", "ann", "watched by 3"):
        assert word in page
    assert "<script" not in page


def test_the_mean_frame_has_the_films_shape(watched: Recording) -> None:
    assert mean_frame(watched, height=48).shape == (48, 64, 3)
