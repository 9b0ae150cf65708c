from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regard

STATE = np.ones(4, np.int8)


def watched(points: list[tuple[float, float]], name: str = "walk") -> regard.Recording:
    time_s = np.arange(len(points)) * 0.1
    point = np.array(points, float)
    state = np.isfinite(point).all(1).astype(np.int8)
    return regard.Recording(id=name, subject="ann", gaze=regard.GazeTrack(time_s=time_s, point=point, state=state))


def glow(picture: np.ndarray) -> np.ndarray:
    """How much was drawn in each pixel of what was black."""
    return picture.astype(int).sum(-1)


BLACK = np.zeros((90, 160, 3), np.uint8)


def test_the_glow_lies_where_gaze_rested_and_nowhere_else():
    drawn = glow(regard.heatmap(watched([(0.25, 0.5)] * 4), over=BLACK))
    rows, columns = np.indices(drawn.shape)
    assert np.average(rows, weights=drawn) == pytest.approx(45, abs=2)
    assert np.average(columns, weights=drawn) == pytest.approx(40, abs=2)
    assert drawn[:, 80:].max() == 0


def test_time_counts_and_not_the_number_of_measurements():
    track = regard.GazeTrack(
        time_s=np.array([0.0, 0.4, 0.5, 0.6, 0.7, 1.1]),
        point=np.array([[0.2, 0.5]] + [[0.8, 0.5]] * 4 + [[0.2, 0.5]]),
        state=np.ones(6, np.int8),
    )
    slow = regard.GazeTrack(time_s=track.time_s * 3, point=track.point, state=track.state)
    once, thrice = (regard.heatmap(regard.Recording(id="a", subject="a", gaze=t), over=BLACK) for t in (track, slow))
    assert np.array_equal(once, thrice)


def test_each_recording_counts_alike_however_long_it_is():
    long, short = watched([(0.2, 0.5)] * 400, "long"), watched([(0.8, 0.5)] * 4, "short")
    drawn = glow(regard.heatmap([long, short], over=BLACK))
    assert drawn[:, :80].max() == pytest.approx(drawn[:, 80:].max(), rel=0.02)


def test_lost_gaze_and_gaze_off_the_picture_do_not_count():
    with_more = watched([(0.5, 0.5)] * 3 + [(np.nan, np.nan), (1.5, 0.5), (0.5, -0.2)])
    assert np.array_equal(regard.heatmap(with_more, over=BLACK), regard.heatmap(watched([(0.5, 0.5)] * 4), over=BLACK))


@pytest.mark.parametrize("recordings", [[], [watched([(np.nan, np.nan)] * 3)], [watched([(2.0, 2.0)] * 3)]])
def test_without_gaze_on_the_picture_there_is_nothing_to_show(recordings):
    with pytest.raises(regard.RegardError, match="recordings with gaze"):
        regard.heatmap(recordings, over=BLACK)


def test_a_path_is_opened_and_the_mean_of_its_frames_is_drawn_on(tiny_world: Path, tmp_path: Path):
    drawn = regard.heatmap(str(tiny_world), path=tmp_path / "heat.png")
    with Image.open(tmp_path / "heat.png") as saved:
        assert np.array_equal(np.asarray(saved), drawn)
    regard.heatmap(regard.open(tiny_world), over=drawn, path=tmp_path / "heat.jpg")
    with Image.open(tmp_path / "heat.jpg") as saved:
        assert saved.format == "JPEG"
