"""Scores of densities and paths where several people watched."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from regard.engine.evaluate import evaluate
from regard.errors import NothingToScoreError
from regard.prediction import Prediction
from regard.tasks import ObserverScoring
from regard.types import Camera, GazeState, GazeTrack, Recording

T = 40
TIME_S = np.arange(T) / 20
CAMERA = Camera(height=90, width=160, matrix=np.array([[160.0, 0, 79.5], [0, 160.0, 44.5], [0, 0, 1]]))


def looked(point: np.ndarray, *, state: GazeState = GazeState.FIXATION) -> GazeTrack:
    return GazeTrack(time_s=TIME_S, point=point, state=np.full(T, state, np.int8))


@pytest.fixture
def watched() -> Recording:
    """Four people who look at one thing that wanders, and one who looks elsewhere in saccades alone."""
    rng = np.random.default_rng(0)
    target = 0.5 + 0.3 * np.stack([np.sin(TIME_S * 2), np.cos(TIME_S)], axis=1)
    people = [looked(target + rng.normal(0, 0.02, (T, 2))) for _ in range(4)]
    others = {f"p{k}": p for k, p in enumerate(people[1:])}
    others["lost"] = looked(np.full((T, 2), 0.05), state=GazeState.SACCADE)
    return Recording(id="film", subject="p", gaze=people[0], camera=CAMERA, others=others)


def said(**values: np.ndarray) -> Prediction:
    return Prediction(recording="film", model="m", time_s=TIME_S, seen_until_s=TIME_S, values=values)


def score(prediction: Prediction, recording: Recording):
    return evaluate(recording, prediction, scoring=ObserverScoring())


def test_a_path_that_goes_where_people_look_reaches_them_and_the_centre_does_not(watched: Recording) -> None:
    assert watched.gaze is not None
    values = score(said(point=watched.others["p1"].point), watched).summary.set_index("score")["value"]
    assert values["path_nss"] > values["person_nss"] > 5
    assert values["median_nss"] > values["person_nss"]
    assert values["centre_nss"] < values["person_nss"] / 2
    own = score(said(point=watched.gaze.point), watched).items
    np.testing.assert_allclose(own["path_nss"], own["person_nss"])


def test_a_density_is_scored_by_everybodys_fixations_and_pursuit(watched: Recording) -> None:
    assert watched.gaze is not None
    rng = np.random.default_rng(1)
    logs = (
        torch.from_numpy(rng.normal(size=(T, 9, 16)).astype(np.float32)).flatten(1).log_softmax(1).unflatten(1, (9, 16))
    )
    items = score(said(log_density=logs.numpy()), watched).items
    people = np.stack([watched.gaze.point[7], *(watched.others[f"p{k}"].point[7] for k in range(3))])
    cells = np.floor(people * [16, 9]).astype(int)
    density = logs[7].exp().numpy().astype(float)
    z = (density - density.mean()) / density.std()
    at = [z[row, column] for column, row in cells]
    assert items["nss"][7] == pytest.approx(np.mean(at), rel=1e-4)
    hit = np.zeros((9, 16))
    hit[cells[:, 1], cells[:, 0]] = 1
    assert items["auc"][7] == pytest.approx(roc_auc_score(hit.ravel(), density.ravel()), rel=1e-5)


def test_a_persons_own_way_of_moving_is_no_distance_away(watched: Recording) -> None:
    assert watched.gaze is not None
    own = score(said(point=watched.gaze.point), watched).summary.set_index("score")["value"]
    still = score(said(point=np.full((T, 2), 0.5)), watched).summary.set_index("score")["value"]
    assert own["step_wasserstein_deg"] == own["way_wasserstein_deg"] == 0
    assert still["step_wasserstein_deg"] > 1
    assert "way_wasserstein_deg" not in still


def test_saccades_neither_count_nor_make_a_density(watched: Recording) -> None:
    alone = replace(watched, others={k: t for k, t in watched.others.items() if k != "lost"})
    with_saccades, without = (score(said(point=np.full((T, 2), 0.4)), r).items for r in (watched, alone))
    np.testing.assert_allclose(with_saccades["path_nss"], without["path_nss"])


def test_a_video_that_one_person_alone_watched_has_no_others_to_be_scored_by(watched: Recording) -> None:
    with pytest.raises(NothingToScoreError, match="one person alone"):
        score(said(point=np.full((T, 2), 0.5)), replace(watched, others={}))


def test_details_have_a_row_a_recording_and_the_protocol_says_what_counts(watched: Recording) -> None:
    scores = score(said(point=np.full((T, 2), 0.5)), watched)
    (row,) = scores.details["by_recording"].to_dict("records")
    assert row["recording"] == "film"
    assert row["path_nss"] == row["centre_nss"]
    assert "fixations and pursuit" in scores.protocol
