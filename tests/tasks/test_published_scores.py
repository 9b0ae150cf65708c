"""The published losses and scores as a recipe names them: what is taught, at which temperature, what is reported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from test_contrast import batch
from torch import Tensor, nn

from regard.batch import Batch
from regard.engine.evaluate import evaluate
from regard.io.predictions import read_prediction, write_prediction
from regard.metrics.adaptive_f1 import ESTIMATION_THRESHOLDS, recall_precision
from regard.metrics.heatmaps import centre_of_mass_auc_published
from regard.models import CSTS
from regard.ops.heatmap import log_density, min_max, published_label_maps
from regard.ops.published_losses import published_density, published_kl
from regard.ops.sound import SILENCE
from regard.tasks import GLCKL, DensityScoring, GazeAnticipation, GazeEstimation, GazeKL
from regard.types import GazeState, GazeTrack, Recording

CELLS = 16


class Fixed(nn.Module):
    """Answers the same, whatever it is asked."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, ahead_s: Tensor) -> Tensor:
        return self.logits


def logits(n: int = 3) -> Tensor:
    return 3 * torch.randn(n, 2, CELLS, CELLS, generator=torch.Generator().manual_seed(0))


def partly_unknown() -> Batch:
    """Of six moments, the first is unknown, the second beside the picture and the third on its border."""
    point = batch().gaze_point.clone()
    point[0, 0], point[0, 1], point[1, 0] = torch.nan, torch.tensor([1.4, 0.5]), torch.tensor([1.0, 0.3])
    valid = torch.ones(3, 2, dtype=torch.bool)
    valid[0, 0] = False
    state = batch().gaze_state.clone()
    state[0, 0] = GazeState.LOST
    return replace(batch(), gaze_point=point, gaze_valid=valid, gaze_state=state)


def test_unknown_gaze_is_left_out_or_taught_as_a_flat_map():
    asked = partly_unknown()
    known = [(1, 0), (1, 1), (2, 0), (2, 1)]
    answer = logits()
    rows, cols = zip(*known, strict=True)
    labels = published_label_maps(asked.gaze_point[rows, cols], (CELLS, CELLS), kernel_cells=7)
    each = published_kl(answer[rows, cols], labels)
    left_out = GazeEstimation(Fixed(answer), loss=GLCKL(kernel_cells=7))
    torch.testing.assert_close(left_out.loss(answer, asked)["loss"], each.mean())
    flat = published_kl(answer[0], torch.full((2, CELLS, CELLS), CELLS**-2))
    uniform = GazeEstimation(Fixed(answer), loss=GLCKL(kernel_cells=7, unknown="uniform"))
    torch.testing.assert_close(uniform.loss(answer, asked)["loss"], torch.cat([each, flat]).mean())


@pytest.mark.parametrize("unknown", ["leave_out", "uniform"])
def test_nan_gaze_spoils_no_gradient(unknown):
    model = Fixed(logits())
    task = GazeEstimation(model, loss=GLCKL(kernel_cells=7, unknown=unknown))
    task.loss(model(batch().ahead_s), partly_unknown())["loss"].backward()
    assert model.logits.grad.isfinite().all()
    assert (model.logits.grad[0].abs().sum(dim=(1, 2)) > 0).tolist() == [unknown == "uniform"] * 2


def test_answers_are_densities_at_the_temperature_of_their_loss():
    for loss, wanted in ((GLCKL(), published_density(logits())), (GazeKL(), log_density(logits()).exp())):
        for task in (GazeEstimation(Fixed(logits()), loss=loss), GazeAnticipation(Fixed(logits()), loss=loss)):
            said = task.predictions(logits(), batch())
            np.testing.assert_allclose(np.exp(said[1]["log_density"]), wanted[1], rtol=1e-4)
            assert said[1].temperature == loss.temperature


def test_nss_depends_on_the_temperature_and_the_published_f1_does_not():
    rows = [GazeEstimation(Fixed(logits()), loss=loss).score(logits(), batch()) for loss in (GLCKL(), GazeKL())]
    assert not np.allclose(rows[0]["nss"], rows[1]["nss"])
    f1 = [c for c in rows[0] if c.startswith(("recall@", "precision@"))]
    pd.testing.assert_frame_equal(rows[0][f1], rows[1][f1])
    labels = published_label_maps(batch().gaze_point.flatten(0, 1), (CELLS, CELLS))
    recall, _ = recall_precision(logits().flatten(0, 1), labels, ESTIMATION_THRESHOLDS)
    np.testing.assert_allclose(rows[0]["recall@0.02"], recall[:, 10], rtol=1e-6)


def test_glcs_centre_of_mass_scores_are_reported_where_they_are_asked_for():
    scoring = DensityScoring(centre_of_mass=True)
    task = GazeEstimation(Fixed(logits()), loss=GLCKL(), scoring=scoring)
    rows = task.score(logits(), batch())
    rescaled = min_max(published_density(logits().flatten(0, 1)))
    wanted = centre_of_mass_auc_published(rescaled, batch().gaze_point.flatten(0, 1))
    np.testing.assert_allclose(rows["auc_of_centre"], wanted, rtol=1e-5)
    assert {"auc_of_centre", "angle_of_centre_deg"} <= set(task.summarise(rows)["score"])
    assert "auc_of_centre" not in GazeEstimation(Fixed(logits())).score(logits(), batch())


def test_scores_of_a_saved_prediction_are_those_of_the_logits(tmp_path: Path):
    """F1 at the published temperature, and everything else of the density that was saved."""
    task = GazeEstimation(Fixed(logits()), loss=GLCKL())
    said = task.predictions(logits(), batch())[0]
    write_prediction(said, tmp_path / "said.parquet")
    said = read_prediction(tmp_path / "said.parquet")
    assert said.temperature == 2.0
    point = batch().gaze_point[0].double().numpy()
    gaze = GazeTrack(time_s=said.time_s, point=point, state=np.full(2, GazeState.FIXATION, np.int8))
    recording = Recording(id="r", subject="s", video=batch().clips[0].recording.video, gaze=gaze)
    rows, items = task.score(logits(), batch())[:2], evaluate(recording, said).items
    for score in ("nss", "auc", "recall@0.006", "precision@0.02", "recall@0.51"):
        np.testing.assert_allclose(items[score], rows[score], rtol=1e-4)


def test_silence_and_missing_sound_give_finite_answers_and_gradients():
    torch.manual_seed(0)
    model = CSTS(num_frames=2, size=(32, 32), sound_size=(32, 32), width=8, depths=(1,) * 4, drop_path=0.0)
    task = GazeAnticipation(model, loss=GLCKL(kernel_cells=5))
    silent = replace(batch(), sound=torch.full((3, 2, 32, 32), SILENCE))
    missing = replace(batch(), sound_valid=torch.zeros(3, 2, dtype=torch.bool))
    answers = [task.answer(b) for b in (silent, missing)]
    torch.testing.assert_close(*answers)
    task.loss(answers[1], missing)["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
