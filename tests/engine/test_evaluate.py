"""Scores compare an answer with the gaze at the same moment, count only what can count, and say how."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regard.engine.evaluate import evaluate as evaluate_all
from regard.errors import NothingToScoreError
from regard.prediction import PIECE, Prediction
from regard.tasks.gaze.scoring import DensityScoring
from regard.types import Camera, GazeState, GazeTrack, MediaStream, Recording

FEW = DensityScoring(thresholds=(0.0, 0.02, 0.5))

evaluate = partial(evaluate_all, scoring=FEW)
"""With few thresholds, which is quicker and all that these tests need."""

CAMERA = Camera(height=100, width=200, matrix=np.array([[100.0, 0, 99.5], [0, 100.0, 49.5], [0, 0, 1]]))


def recording(point: np.ndarray, state: np.ndarray | None = None, camera: Camera | None = None) -> Recording:
    """Gaze ten times a second; no video is looked at."""
    n = len(point)
    state = np.full(n, GazeState.FIXATION, np.int8) if state is None else state
    track = GazeTrack(time_s=np.arange(n) / 10, point=point, state=state)
    return Recording(id="r", subject="s", video=MediaStream(path=Path("none.mp4")), gaze=track, camera=camera)


def pointing(point: np.ndarray, *, cells: int = 20, ahead_s: float = 0.0) -> Prediction:
    """Densities that lie almost whole in the cell of each point."""
    n = len(point)
    column, row = np.clip((point * cells).astype(int), 0, cells - 1).T
    maps = np.full((n, cells, cells), -12, np.float32)
    maps[np.arange(n), row, column] = 0
    maps -= np.log(np.exp(maps).sum(axis=(1, 2), keepdims=True))
    time_s = np.arange(n) / 10
    return Prediction(
        recording="r", model="m", time_s=time_s, seen_until_s=time_s - ahead_s, values={"log_density": maps}
    )


@pytest.fixture
def points() -> np.ndarray:
    """The centres of 40 cells of 20 x 20."""
    return (np.random.default_rng(0).integers(0, 20, (40, 2)) + 0.5) / 20


def test_a_perfect_answer_scores_perfectly_and_a_wrong_one_does_not(points):
    scores = evaluate(recording(points, camera=CAMERA), pointing(points)).summary.set_index("score")["value"]
    assert scores["distance"] == pytest.approx(0, abs=1e-6)
    assert scores["angle_deg"] == pytest.approx(0, abs=0.05)
    assert scores["auc"] == pytest.approx(1, abs=1e-3)
    assert scores["nss"] > 15
    assert scores["information_gain_bits"] > 3
    wrong = evaluate(recording(points), pointing(1 - points)).summary.set_index("score")["value"]
    assert wrong["nss"] < 1
    assert wrong["auc"] < 0.7
    assert wrong["distance"] > 0.3
    assert wrong["f1"] < scores["f1"]


def test_each_row_is_the_nearest_measurement_at_its_moment(points):
    rec, answer = recording(points), pointing(points, ahead_s=0.3)
    items = evaluate(rec, replace(answer, time_s=answer.time_s + 0.02)).items
    np.testing.assert_allclose(items[["x", "y"]], points, atol=1e-6)
    np.testing.assert_allclose(items[["predicted_x", "predicted_y"]], points, atol=1e-6)
    np.testing.assert_allclose(items["time_s"], np.arange(40) / 10 + 0.02)
    np.testing.assert_allclose(items["ahead_s"], 0.32)
    assert set(items["recording"]) == {"r"}


def test_the_distance_and_the_angle_of_one_answer_worked_by_hand():
    target, told = np.array([[0.525, 0.525]] * 2), np.array([[0.775, 0.525]] * 2)
    items = evaluate(recording(target, camera=CAMERA), pointing(told)).items
    assert items["distance"].tolist() == pytest.approx([0.25, 0.25], abs=1e-6)
    first, second, down = (0.525 * 200 - 100) / 100, (0.775 * 200 - 100) / 100, (0.525 * 100 - 50) / 100
    a, b = np.array([first, down, 1]), np.array([second, down, 1])
    angle = np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    assert items["angle_deg"].tolist() == pytest.approx([angle, angle], abs=1e-3)


def test_without_a_camera_there_is_no_angle_in_the_table(points):
    scores = evaluate(recording(points), pointing(points))
    assert "angle_deg" not in set(scores.summary["score"])
    assert scores.items["angle_deg"].isna().all()
    assert {"f1", "nss", "distance"} <= set(scores.summary["score"])


def test_lost_gaze_and_gaze_off_the_image_do_not_count(points):
    state = np.full(40, GazeState.FIXATION, np.int8)
    looked = points.copy()
    state[:5], looked[:5] = GazeState.LOST, np.nan
    looked[5:8] = (1.2, 0.5)
    scores = evaluate(recording(looked, state), pointing(points))
    assert scores.items["counted"].tolist() == [False] * 8 + [True] * 32
    measured = scores.items.drop(columns=["recording", "time_s", "ahead_s", "counted", "predicted_x", "predicted_y"])
    assert measured.iloc[:8].isna().all(axis=None)
    assert set(scores.summary["num_items"]) == {32}
    assert scores.protocol.startswith("32 of 40 moments counted")


def test_moments_without_gaze_near_them_do_not_count(points):
    late = pointing(points)
    scores = evaluate(recording(points), replace(late, time_s=late.time_s + 2.0))
    assert int(scores.items["counted"].sum()) == 21


def test_only_the_wanted_states_count(points):
    state = np.tile([GazeState.FIXATION, GazeState.SACCADE], 20).astype(np.int8)
    scores = evaluate(recording(points, state), pointing(points), scoring=replace(FEW, states=("fixation",)))
    assert scores.items["counted"].tolist() == [True, False] * 20


def test_long_recordings_are_scored_in_pieces_as_in_one(monkeypatch, points):
    told: list[float] = []
    whole = evaluate(recording(points, camera=CAMERA), pointing(points))
    assert PIECE >= 40
    monkeypatch.setattr("regard.prediction.PIECE", 16)
    pieces = evaluate(recording(points, camera=CAMERA), pointing(points), progress=told.append)
    pd.testing.assert_frame_equal(pieces.items, whole.items)
    pd.testing.assert_frame_equal(pieces.summary, whole.summary)
    assert told == [0.4, 0.8, 1.0]


def test_what_cannot_be_scored_says_why(points):
    good = recording(points)
    cases = {
        "a prediction about 'other'": (replace(pointing(points), recording="other"), good),
        "a recording without gaze": (pointing(points), replace(good, gaze=None)),
        "at any of the 40 predicted moments": (pointing(points), recording(points + 2)),
        "at any of the 0 predicted moments": (pointing(points[:0]), good),
    }
    for found, (answer, rec) in cases.items():
        with pytest.raises(NothingToScoreError, match=found):
            evaluate(rec, answer)
