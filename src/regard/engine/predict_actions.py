"""A recognition model's answers about one whole recording: what the wearer does, window after window."""

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from regard.batch import Batch
from regard.clips.dataset import ClipDataset
from regard.clips.load import loader
from regard.clips.sampling.window import EveryClip, Window
from regard.engine.answerer import ACTION_MODELS
from regard.engine.arithmetic import autocast, quick_float32
from regard.engine.predict import require_one_grid, usable
from regard.errors import RecipeError
from regard.models.backbones import RandomWeightsWarning
from regard.models.egohar import EgoHAR
from regard.models.gaze_attention import GazeAttention
from regard.models.grad_cam import grad_cam
from regard.prepare.flow import FlowSettings
from regard.recipe.training import Precision
from regard.run.folder import best_weights
from regard.run.weights import locate, with_weights
from regard.tasks.action.task import ActionRecognition, in_picture
from regard.transforms.colour import Normalise
from regard.transforms.flow import ScaleFlow
from regard.transforms.place import Transform
from regard.types import ActionPrediction, MediaStream, Recording

_Network = TypeVar("_Network", bound=nn.Module)

HOP_S = 0.5
"""From one window to the next."""
SIDE = 224
"""Of the pictures that both were trained on. The whole picture is squeezed into it: a crop would not see all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recogniser:
    """A task with its model, and how a recording is put to it."""

    name: str
    task: ActionRecognition
    sampler: EveryClip
    transforms: tuple[Transform, ...]
    decode_size: int | tuple[int, int] | None
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def predict_actions(
    recording: Recording,
    *,
    model: str | Path,
    weights: str | Path | None = None,
    device: str = "cpu",
    precision: Precision = "32-true",
    trust: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> ActionPrediction:
    """What the wearer does over the whole recording, in windows half a second apart.

    `model` is "gaze-attention", "egohar" or a folder that `regard train` wrote. `weights` are a checkpoint, or for
    gaze-attention a folder with its three published files; without, they are random and a warning says so. Optical flow
    is computed where the model reads it. Gaze-Attention's answer carries evidence (Grad-CAM) beside its attention.
    """
    asked, place = _recogniser(model, weights, trust), usable(device)
    with tempfile.TemporaryDirectory() as folder:
        if "flow" in asked.task.inputs and recording.flow is None:
            recording = _with_flow(recording, Path(folder) / "flow.mp4", asked.decode_size)
        dataset = ClipDataset(
            (recording,),
            asked.sampler,
            needs=asked.task.inputs,
            transforms=asked.transforms,
            decode_size=asked.decode_size,
        )
        asked.task.model.to(place).eval()
        answers: list[ActionPrediction] = []
        with torch.inference_mode(), quick_float32(asked.task.model):
            for done, batch in enumerate(loader(dataset, batch_size=1, shuffle=False, num_workers=0), start=1):
                on_device = batch.to(place)
                with autocast(precision, place):
                    answer = asked.task.answer(on_device)
                (said,) = asked.task.predictions(answer, on_device)
                answers.append(replace(said, evidence=_evidence(asked.task.model, on_device, said)))
                if progress is not None:
                    progress(done / len(dataset))
    return _joined(answers, asked)


def action_table(prediction: ActionPrediction) -> pd.DataFrame:
    """A row a window: when it begins and ends, the likeliest class of each label, its probability, all logits."""
    columns: dict[str, object] = {"start_s": prediction.start_s, "end_s": prediction.end_s}
    for label, logits in prediction.logits.items():
        best, names = logits.argmax(axis=1), prediction.class_names.get(label, ())
        share = torch.from_numpy(logits).softmax(dim=1).numpy()
        columns |= {label: best, f"{label}_probability": share.max(axis=1)}
        columns |= {f"{label}_name": [names[k] for k in best]} if names else {}
        columns |= {f"{label}@{k}": logits[:, k] for k in range(logits.shape[1])}
    return pd.DataFrame(columns)


def _recogniser(model: str | Path, weights: str | Path | None, trust: Sequence[str]) -> Recogniser:
    if model not in ACTION_MODELS:
        return _of_run(Path(model), trust)
    name = str(model) if weights else f"{model}, random weights"
    if model == "egohar":
        network = _egohar(weights)
        length, transforms = network.num_frames, (Normalise(),)
    else:
        network = _gaze_attention(weights)
        length, half = network.num_frames, (0.5, 0.5, 0.5)
        transforms = (Normalise(half, half), ScaleFlow())
    return Recogniser(
        name=name,
        task=ActionRecognition(network),
        sampler=EveryClip(num_frames=length, interval_s=1 / 24, hop_s=HOP_S, short="repeat", avoid=()),
        transforms=transforms,
        decode_size=(SIDE, SIDE),
    )


def _of_run(run: Path, trust: Sequence[str]) -> Recogniser:
    """A trained model with its best weights, asked as its recipe's test part asks, but about windows everywhere."""
    from regard.recipe.data import ready
    from regard.recipe.read import read_recipe

    recipe = read_recipe(run, trust=trust)
    task, data = recipe.task, recipe.data
    part = data.predict or data.require_eval()
    if not isinstance(task, ActionRecognition) or not isinstance(part.sampler, Window):
        raise RecipeError(
            run,
            found=f"a run of {type(task).__name__} with {type(part.sampler).__name__}",
            wanted="a run of ActionRecognition whose test clips are windows",
            do="take another run, or leave prediction to its own task",
        )
    task.model = with_weights(task.model, best_weights(run))
    window = part.sampler
    return Recogniser(
        name=run.resolve().name,
        task=task,
        sampler=EveryClip(
            num_frames=window.num_frames, interval_s=window.interval_s, hop_s=HOP_S, short="repeat", avoid=()
        ),
        transforms=ready(part, task.model),
        decode_size=data.decode_size,
        class_names=getattr(data.dataset, "classes", {}),
    )


def _egohar(weights: str | Path | None) -> EgoHAR:
    if weights is None:
        return _random(EgoHAR(weights="random"))
    return with_weights(EgoHAR(weights="random"), locate(weights))  # pyright: ignore[reportReturnType]


def _gaze_attention(weights: str | Path | None) -> GazeAttention:
    if weights is None:
        return _random(GazeAttention())
    return with_weights(GazeAttention(), locate(weights))  # pyright: ignore[reportReturnType]


def _random(model: _Network) -> _Network:
    warnings.warn(
        f"{type(model).__name__} has RANDOM weights: its answers mean nothing. Give a checkpoint with --weights",
        RandomWeightsWarning,
        stacklevel=5,
    )
    return model


def _with_flow(recording: Recording, film: Path, size: int | tuple[int, int] | None) -> Recording:
    """The recording with its flow, computed at the size at which its pictures are read."""
    facts = FlowSettings(size=SIDE if size is None else size).make(recording, film)
    return replace(recording, flow=MediaStream(path=film, start_s=float(str(facts["start_s"]))))


def _evidence(model: nn.Module, batch: Batch, said: ActionPrediction) -> np.ndarray | None:
    """Grad-CAM of the likeliest class, highest place 1; None for a model without I3D's pictures."""
    if not isinstance(model, GazeAttention):
        return None
    assert batch.video is not None
    assert batch.flow is not None
    logits = next(iter(said.logits.values()))
    label = torch.from_numpy(logits.argmax(axis=1)).to(batch.video.device)
    maps = grad_cam(model, model.evidence_layer, {"video": batch.video, "flow": batch.flow}, label)
    maps = in_picture(maps, batch, 0)
    return (maps / maps.nan_to_num(0.0).amax().clamp_min(1e-12)).numpy()


def _joined(answers: list[ActionPrediction], asked: Recogniser) -> ActionPrediction:
    """One prediction with all windows."""
    first = answers[0]

    def joined(maps: list[np.ndarray | None]) -> np.ndarray | None:
        known = [m for m in maps if m is not None]
        require_one_grid(known, model=asked.name)
        return np.concatenate(known) if known else None

    return ActionPrediction(
        recording=first.recording,
        model=asked.name,
        start_s=np.concatenate([a.start_s for a in answers]),
        end_s=np.concatenate([a.end_s for a in answers]),
        logits={name: np.concatenate([a.logits[name] for a in answers]) for name in first.logits},
        attention=joined([a.attention for a in answers]),
        evidence=joined([a.evidence for a in answers]),
        class_names=asked.class_names,
    )
