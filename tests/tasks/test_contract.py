"""What every task owes: what it predicts is saved, read in pieces, scored and drawn, whatever the question."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import regard
from regard import tasks
from regard.clips.sampling import everywhere, successive, window
from regard.clips.sampling.faces import FaceStretches
from regard.engine import predict as engine
from regard.engine.ask import Asked
from regard.engine.evaluate import evaluate
from regard.io.predictions import open_prediction
from regard.models import FPNRIM, CentrePrior, EgoHAR, GazeMixture, GazeStays
from regard.tasks.base import Task
from regard.transforms import FaceCrop, ToFloat
from regard.types import FaceTrack, Recording, Segment
from regard.viz.film import film
from regard.viz.report import report


def egohar() -> nn.Module:
    """Small, with the synthetic world's classes."""
    sizes = {"actions": 8, "verbs": 6, "nouns": 8, "num_frames": 4, "size": (64, 96), "channels": 4, "width": 16}
    return EgoHAR(**sizes, backbone="resnet18", stages=3, weights="random")


class Brightness(nn.Module):
    """A face looks, the brighter it is."""

    preprocess = (FaceCrop(8), ToFloat())

    def forward(self, video: Tensor, asked: Tensor | None = None) -> Tensor:
        assert asked is not None
        bright = video.mean(dim=(2, 3, 4)).gather(1, asked) - 0.5
        return torch.stack([-bright, bright], dim=-1)


ASKED = {
    "GazeEstimation": lambda: (tasks.GazeEstimation(CentrePrior()), everywhere.EveryFrame(), None),
    "GazeAnticipation": lambda: (
        tasks.GazeAnticipation(GazeStays()),
        window.EveryClip(num_frames=4, interval_s=0.1, hop_s=0.2, ahead_s=(0.3,)),
        None,
    ),
    "NextGaze": lambda: (tasks.NextGaze(GazeMixture(width=8)), successive.SuccessiveMoments(num_moments=16), None),
    "ActionRecognition": lambda: (
        tasks.ActionRecognition(egohar(), scoring=tasks.LabelScoring(labels=("noun",))),
        window.EveryClip(num_frames=4, interval_s=0.1, hop_s=0.2, short="repeat", avoid=()),
        (64, 96),
    ),
    "ScanpathPrediction": lambda: (
        tasks.ScanpathPrediction(
            FPNRIM(backbone="mobilenet_v3_small", weights="random", size=(64, 96), hidden=8, phases="scores")
        ),
        everywhere.EveryFrame(),
        (64, 96),
    ),
    "LookingAtMe": lambda: (tasks.LookingAtMe(Brightness()), FaceStretches(num_frames=16), None),
}


@pytest.fixture(scope="module")
def recording(tiny_world: Path) -> Recording:
    labelled = Segment(start_s=0.2, end_s=1.5, kind="action", labels={"noun": 2})
    face = FaceTrack(
        person="visitor",
        time_s=np.arange(20) / 24,
        box=np.tile([0.4, 0.2, 0.6, 0.5], (20, 1)),
        looking=np.arange(20) > 12,
        looking_known=np.ones(20, bool),
    )
    return replace(regard.open(tiny_world), segments=(labelled,), faces=(face,))


def test_every_task_is_held_to_the_contract():
    kinds = (getattr(tasks, name) for name in tasks.__all__)
    assert {k.__name__ for k in kinds if isinstance(k, type) and issubclass(k, Task)} - {"Task"} == set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_what_is_predicted_is_saved_read_scored_and_drawn(name, recording, tmp_path, monkeypatch):
    task, sampler, size = ASKED[name]()
    preprocess = getattr(task.model, "preprocess", ())
    asked = Asked(name="m", task=task, sampler=sampler, transforms=preprocess, decode_size=size)
    monkeypatch.setattr(engine, "ask", lambda *_, **__: asked)
    whole = engine.predict(recording)
    saved = engine.predict(recording, out=tmp_path / "p.parquet")
    again = open_prediction(tmp_path / "p.parquet").load()
    assert saved.names == whole.names == again.names
    np.testing.assert_array_equal(again.time_s, whole.time_s)
    for array in whole.names:
        np.testing.assert_allclose(again[array], whole[array], rtol=1e-5, atol=1e-6)
    scores = evaluate(recording, saved, scoring=task.scoring)
    assert {"score", "value", "low", "high", "num_items"} <= set(scores.summary)
    assert len(scores.items)
    assert film(recording, saved, tmp_path / "film.mp4").stat().st_size > 10_000
    told = report(recording, tmp_path / "r.html", prediction=saved).read_text()
    assert any(said in told for said in ("predicted by m", "m says", "does not (m)"))
