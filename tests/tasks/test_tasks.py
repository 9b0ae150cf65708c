"""A task puts the right fields to a model, learns and scores only where gaze is known, and says how it scored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import entropy
from torch import Tensor, nn

from regard.batch import Batch, Sample
from regard.errors import RecipeError
from regard.models.baselines import CentrePrior, GazeStays, Saliency
from regard.ops.heatmap import gaussian_maps
from regard.tasks import DensityScoring, GazeAnticipation, GazeEstimation, GazeKL
from regard.transforms import Transform
from regard.types import Clip, GazeState, MediaStream, Recording

NAN = float("nan")
CELLS = 16


def clip(name: str, frame_s: list[float], gaze_s: list[float]) -> Clip:
    recording = Recording(id=name, subject="s", video=MediaStream(path=Path(f"{name}.mp4")))
    return Clip(recording=recording, frame_s=np.array(frame_s), gaze_s=np.array(gaze_s))


@pytest.fixture
def batch() -> Batch:
    """Two clips of two frames, asked about three and two moments later: of a blink, beside the image, and padding."""
    seen = GazeState.FIXATION, GazeState.LOST, GazeState.SACCADE, GazeState.FIXATION, GazeState.TRACKED
    point = [[[0.25, 0.5], [NAN, NAN], [1.5, 0.5]], [[0.8, 0.2], [0.5, 0.5], [NAN, NAN]]]
    return Batch(
        clips=(clip("kitchen", [0.0, 0.1], [0.2, 0.3, 0.4]), clip("garden", [5.0, 5.1], [5.2, 5.3])),
        frame_valid=torch.ones(2, 2, dtype=torch.bool),
        asked_valid=torch.tensor([[True, True, True], [True, True, False]]),
        ahead_s=torch.tensor([[0.1, 0.2, 0.3], [0.1, 0.2, 0.2]]),
        gaze_point=torch.tensor(point),
        gaze_valid=torch.tensor([[True, False, True], [True, True, False]]),
        gaze_state=torch.tensor([[*seen[:3]], [*seen[3:], GazeState.LOST]], dtype=torch.int8),
    )


KNOWN = torch.tensor([[True, False, False], [True, True, False]])
"""Where that batch has gaze on the image that is asked about."""


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(2, 3, CELLS, CELLS, generator=torch.Generator().manual_seed(0))


TASKS = (GazeEstimation, GazeAnticipation)


class Unseeing(nn.Module):
    """Answers by a number of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.tensor(0.5))

    def forward(self, ahead_s: Tensor) -> Tensor:
        return self.number * torch.ones(*ahead_s.shape, CELLS, CELLS)


def gaussian_kl(logits: Tensor, point: Tensor, sigma: float) -> float:
    """KL from a Gaussian round the point to the softmax, by scipy, in nats."""
    centre = (np.arange(CELLS) + 0.5) / CELLS
    away = (centre[None, :] - float(point[0])) ** 2 + (centre[:, None] - float(point[1])) ** 2
    target = np.exp(-away / (2 * sigma**2)).ravel()
    return float(entropy(target, torch.softmax(logits.double().flatten(), 0).numpy()))


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_is_the_mean_over_the_known_moments(task, batch, logits):
    loss = task(Unseeing()).loss(logits, batch)["loss"]
    each = [gaussian_kl(logits[i, u], batch.gaze_point[i, u], 0.05) for i, u in KNOWN.nonzero().tolist()]
    assert len(each) == 3
    assert loss.item() == pytest.approx(np.mean(each), rel=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_unknown_gaze_teaches_nothing_and_spoils_nothing(task, batch, logits):
    logits.requires_grad_()
    task(Unseeing()).loss(logits, batch)["loss"].backward()
    assert logits.grad.isfinite().all()
    moved = logits.grad.abs().amax(dim=(-2, -1)) > 0
    assert moved.tolist() == KNOWN.tolist()


@pytest.mark.parametrize("task", TASKS)
def test_a_batch_without_known_gaze_has_a_loss_of_zero_that_can_be_differentiated(task, batch, logits):
    nothing = replace(batch, gaze_point=torch.full((2, 3, 2), NAN), gaze_valid=torch.zeros(2, 3, dtype=torch.bool))
    logits.requires_grad_()
    loss = task(Unseeing()).loss(logits, nothing)["loss"]
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_gaze_kl_is_zero_on_its_own_target_and_narrower_for_a_smaller_sigma():
    point = torch.tensor([0.4, 0.6])
    own = gaussian_maps(point, (CELLS, CELLS), sigma_cells=0.1 * CELLS).log()
    assert GazeKL(sigma=0.1)(own, point).item() == pytest.approx(0, abs=1e-5)
    assert GazeKL(sigma=0.05)(own, point).item() == pytest.approx(gaussian_kl(own, point, 0.05), rel=1e-4)


def test_a_model_names_the_fields_that_it_reads():
    assert GazeEstimation(Saliency()).inputs == {"video"}
    assert GazeEstimation(Saliency()).needs == {"video", "gaze"}
    assert GazeEstimation(CentrePrior()).inputs == frozenset()
    assert GazeAnticipation(GazeStays()).inputs == {"observed_gaze"}


def test_a_parameter_that_no_batch_has_is_an_error_of_the_model():
    class Misspelt(nn.Module):
        def forward(self, vidoe: Tensor, ahead_s: Tensor) -> Tensor:
            return vidoe

    with pytest.raises(TypeError, match=r"Misspelt\.forward asks for vidoe; a Batch has .*video"):
        GazeEstimation(Misspelt())


def test_parameters_with_defaults_and_the_state_are_the_models_own(batch):
    class Stateful(nn.Module):
        def forward(self, ahead_s: Tensor, state: Tensor | None = None, scale: float = 2.0) -> tuple[Tensor, Tensor]:
            assert state is None
            return scale * ahead_s, ahead_s

    answer = GazeEstimation(Stateful()).answer(batch)
    torch.testing.assert_close(answer, 2 * batch.ahead_s)


@pytest.mark.parametrize("task", TASKS)
def test_there_is_one_row_for_each_asked_moment(task, batch, logits):
    rows = task(Unseeing()).score(logits, batch)
    assert rows["recording"].tolist() == ["kitchen"] * 3 + ["garden"] * 2
    assert rows["time_s"].tolist() == [0.2, 0.3, 0.4, 5.2, 5.3]
    assert rows["clip_s"].tolist() == [0.0] * 3 + [5.0] * 2
    assert rows["ahead_s"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.1, 0.2])
    assert rows["counted"].tolist() == [True, False, False, True, True]
    scored = rows[["nss", "kl", "cc", "sim", "auc", "distance", "information_gain_bits", "x", "recall@0.02"]]
    assert scored.notna().all(axis=1).tolist() == rows["counted"].tolist()
    assert scored[~rows["counted"]].isna().all(axis=None)
    assert rows["angle_deg"].isna().all()


def test_only_the_wanted_states_are_counted(batch, logits):
    task = GazeEstimation(Unseeing(), scoring=DensityScoring(states=("tracked",)))
    assert task.score(logits, batch)["counted"].tolist() == [False, False, False, False, True]


def test_a_row_holds_the_score_of_its_own_moment(batch, logits):
    rows = GazeEstimation(Unseeing()).score(logits, batch)
    density = torch.softmax(logits[1, 0].flatten(), 0).view(CELLS, CELLS)
    at_gaze = density[int(0.2 * CELLS), int(0.8 * CELLS)]
    nss = (at_gaze - density.mean()) / density.std(correction=0)
    assert rows["nss"][3] == pytest.approx(nss.item(), rel=1e-3)
    best = density.argmax().item()
    assert rows["predicted_x"][3] == pytest.approx((best % CELLS + 0.5) / CELLS)
    assert rows["predicted_y"][3] == pytest.approx((best // CELLS + 0.5) / CELLS)


@pytest.fixture
def items() -> pd.DataFrame:
    """Rows of three recordings, asked at two horizons; the nearer one is answered better."""
    rng = np.random.default_rng(1)
    point = torch.from_numpy(rng.random((120, 2))).float()
    logits = torch.randn(120, CELLS, CELLS, generator=torch.Generator().manual_seed(1))
    near = torch.arange(120) < 60
    logits[near, (point[near, 1] * CELLS).long(), (point[near, 0] * CELLS).long()] += 9
    state = torch.full((120,), GazeState.FIXATION, dtype=torch.int8)
    about = {
        "recording": [f"r{i % 3}" for i in range(120)],
        "time_s": np.arange(120) / 10,
        "ahead_s": np.where(near, 0.1, 0.5),
    }
    scoring = DensityScoring(thresholds=(0.0, 0.02, 0.1, 0.5))
    columns = scoring.columns(logits, point, state, [None] * 120)
    return pd.DataFrame({**about, **columns})


def test_the_summary_is_the_mean_of_the_rows_with_an_interval_around_it(items):
    summary = GazeEstimation(Unseeing()).summarise(items).set_index("score")
    for score in ("nss", "information_gain_bits", "auc", "kl", "cc", "sim", "distance"):
        assert summary["value"][score] == pytest.approx(items[score].mean(), rel=1e-5)
        assert summary["low"][score] < summary["value"][score] < summary["high"][score]
    assert "angle_deg" not in summary.index
    assert list(summary.index[:3]) == ["f1", "recall", "precision"]
    recall, precision = summary["value"]["recall"], summary["value"]["precision"]
    assert summary["value"]["f1"] == pytest.approx(2 * recall * precision / (recall + precision), abs=1e-5)
    assert summary["policy"]["f1"].endswith("best on this data")


@pytest.mark.parametrize("thresholds", [(), (0.1, 0.1), (0.2, 0.1)])
def test_thresholds_that_do_not_increase_are_refused(thresholds: tuple[float, ...]):
    with pytest.raises(RecipeError, match="higher than the one before"):
        DensityScoring(thresholds=thresholds)


def test_a_given_threshold_is_used_and_said(items):
    task = GazeEstimation(Unseeing(), scoring=DensityScoring(policy=0.02))
    summary = task.summarise(items).set_index("score")
    assert summary["policy"]["f1"] == "threshold 0.02, given"
    assert summary["value"]["recall"] == pytest.approx(items["recall@0.02"].mean(), rel=1e-5)
    assert "F1 threshold 0.02, given" in task.protocol(items)
    oracle = GazeEstimation(Unseeing()).summarise(items).set_index("score")["value"]
    assert oracle["f1"] >= summary["value"]["f1"]


def test_the_protocol_says_what_was_counted_and_what_was_drawn(items):
    task = GazeAnticipation(Unseeing(), scoring=DensityScoring(states=("fixation",)))
    assert task.protocol(items) == (
        "120 of 120 moments counted (fixation gaze on the image); F1 threshold chosen on the scored data (oracle); "
        "intervals: 95 %, bootstrap over recordings"
    )
    assert "bootstrap over 1 s blocks" in task.protocol(items.assign(recording="alone"))


def test_each_horizon_is_scored_on_its_own(items):
    task = GazeAnticipation(Unseeing())
    parts = task.scoring.by_horizon(items).set_index(["ahead_s", "score"])
    assert parts["value"][0.1, "nss"] == pytest.approx(items["nss"][:60].mean(), rel=1e-5)
    assert parts["value"][0.5, "nss"] == pytest.approx(items["nss"][60:].mean(), rel=1e-5)
    assert parts["value"][0.1, "nss"] > 3 > parts["value"][0.5, "nss"]
    own = task.summarise(items[60:]).set_index("score")["value"]["f1"]
    assert parts["value"][0.5, "f1"] == pytest.approx(own)
    assert set(parts["num_items"]) == {60}
    pd.testing.assert_frame_equal(task.details(items, {})["by_horizon"], task.scoring.by_horizon(items))
    assert task.details(items[:60], {}) == {}, "one horizon is the summary itself"


@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_densities_of_each_clip_without_its_padding(task, batch, logits):
    answers = task(Unseeing()).predictions(logits, batch)
    assert [(a.recording, a.model) for a in answers] == [("kitchen", "Unseeing"), ("garden", "Unseeing")]
    assert [a.time_s.tolist() for a in answers] == [[0.2, 0.3, 0.4], [5.2, 5.3]]
    for i, answer in enumerate(answers):
        wanted = torch.softmax(logits[i, : len(answer.time_s)].flatten(1), 1).view(-1, CELLS, CELLS)
        np.testing.assert_allclose(np.exp(answer["log_density"]), wanted, rtol=1e-4)


def test_an_estimate_has_seen_its_moment_and_an_anticipation_only_the_last_frame(batch, logits):
    estimate, ahead = (task(Unseeing()).predictions(logits, batch)[1] for task in TASKS)
    np.testing.assert_array_equal(estimate.seen_until_s, estimate.time_s)
    np.testing.assert_array_equal(ahead.seen_until_s, [5.1, 5.1])


class Misnamed(DensityScoring):
    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        return super().summarise(items).rename(columns={"value": "mean"})


def test_a_summary_without_score_and_value_names_its_scoring(items):
    with pytest.raises(RecipeError, match=r"score, mean, .*Misnamed(?s:.*)score and value"):
        GazeEstimation(Unseeing(), scoring=Misnamed()).summarise(items)


class Gives(Transform):
    """Counts the frames of a clip."""

    gives = frozenset({"count"})

    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        return replace(sample, given={"count": torch.tensor(len(sample.clip.frame_s))})


class Counts(Unseeing):
    """Asks for what a transform of its own gives."""

    preprocess = (Gives(),)

    def forward(self, ahead_s: Tensor, count: Tensor) -> Tensor:
        return ahead_s * count[:, None]


def test_a_model_is_told_what_the_transforms_it_brings_along_have_given(batch: Batch):
    task = GazeAnticipation(Counts())
    assert task.inputs == frozenset()
    told = task.told(replace(batch, given={"count": torch.tensor([2, 3]), "other": torch.zeros(2)}))
    assert told.keys() == {"ahead_s", "count"}
    assert told["count"].tolist() == [2, 3]
    unprepared = Counts()
    unprepared.preprocess = ()
    with pytest.raises(TypeError, match="count"):
        GazeAnticipation(unprepared)
