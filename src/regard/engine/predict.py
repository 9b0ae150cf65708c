"""A model's answers about one whole recording, of any length and to any question."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
import torch
from jaxtyping import Float64

from regard.batch import Field
from regard.clips.dataset import ClipDataset
from regard.clips.load import loader
from regard.clips.sampling.window import Window
from regard.engine.arithmetic import autocast, chosen, quick_float32
from regard.engine.ask import Asked, ask
from regard.engine.export.folder import Choice
from regard.errors import DeviceError, RegardError
from regard.io import open_video
from regard.io.fingerprint import fingerprint
from regard.io.given import recording_of
from regard.io.predictions import PredictionFile, open_prediction, prediction_writer
from regard.prediction import Prediction, joined
from regard.prepare.making import completed
from regard.recipe.training import Precision
from regard.types import Recording


class CannotAnswerError(RegardError):
    """A recording that lacks what a model has to be told, or ends before what it is asked about."""


@overload
def predict(
    recording: Recording | Path | str,
    *,
    model: str | Path = ...,
    horizon_s: float | None = ...,
    weights: str | Path | None = ...,
    overrides: Sequence[str] = ...,
    device: str = ...,
    precision: Precision = ...,
    trust: Sequence[str] = ...,
    runtime: Choice = ...,
    out: None = ...,
    progress: Callable[[float], None] | None = ...,
) -> Prediction: ...
@overload
def predict(
    recording: Recording | Path | str,
    *,
    model: str | Path = ...,
    horizon_s: float | None = ...,
    weights: str | Path | None = ...,
    overrides: Sequence[str] = ...,
    device: str = ...,
    precision: Precision = ...,
    trust: Sequence[str] = ...,
    runtime: Choice = ...,
    out: Path | str,
    progress: Callable[[float], None] | None = ...,
) -> PredictionFile: ...
def predict(
    recording: Recording | Path | str,
    *,
    model: str | Path = "saliency",
    horizon_s: float | None = None,
    weights: str | Path | None = None,
    overrides: Sequence[str] = (),
    device: str = "cpu",
    precision: Precision = "auto",
    trust: Sequence[str] = (),
    runtime: Choice = "auto",
    out: Path | str | None = None,
    progress: Callable[[float], None] | None = None,
) -> Prediction | PredictionFile:
    """What a model says over the whole recording, or that at a path: where the wearer looks, what they do, ...

    `model` is a name that `regard recipes` lists ("saliency", "glc"), a recipe's file, or a folder that `regard
    train` wrote. `horizon_s` is how far ahead one that anticipates is asked. `weights` are a network's: a file, or
    a name that `regard weights` lists; random ones, with a warning, without. `overrides` change the recipe, as
    ["--task.smooth_s=0.3"] does. `precision` is that of the model's products; "auto" tries which is faster here.
    `trust` names packages whose classes a recipe may name. `runtime` runs a model that was exported. With `out`, a
    parquet file, answers go there as they are made, and what is returned reads them in pieces: an hour takes no more
    memory than a minute. `progress` is told the share done. What the model reads, the recording lacks and regard can
    make, such as optical flow, is made first. Raises a RegardError where the recording lacks what the model reads.

    Examples:
        >>> prediction = regard.predict("my_recording/", model="centre-prior")
        >>> prediction
        Prediction of centre-prior about my_recording: 46 answers, 0.00 to 1.99 s; log_density [64, 64]
        >>> prediction.point[0]
        array([0.5078125, 0.6953125])
    """
    recording = recording_of(recording)
    asked = ask(
        model,
        horizon_s=horizon_s,
        weights=weights,
        overrides=overrides,
        trust=trust,
        runtime=runtime_on(device, runtime),
    )
    answers = asked.task.settled(_answers(recording, asked, usable(device), precision, progress or (lambda _: None)))
    if out is None:
        return joined(list(answers))
    with prediction_writer(out) as writer:
        for piece in answers:
            writer.write(piece)
    return open_prediction(out)


def runtime_on(device: str, runtime: Choice) -> Choice:
    """The runtime for a model on this device. Raises DeviceError where exported files do not run there."""
    if device == "cpu" or runtime == "torch":
        return runtime
    if runtime != "auto":
        raise DeviceError(
            f"--runtime {runtime}",
            found=f"device {device!r}",
            wanted="the processor, by which regard runs exported models",
            do="leave the device out, or take --runtime torch",
        )
    return "torch"


def usable(device: str) -> torch.device:
    """The device of that name, which can hold a number and give it back."""
    try:
        place = torch.device(device)
        torch.zeros(1, device=place).cpu()
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(
            f"device {device!r}",
            found=str(error).splitlines()[0],
            wanted="a device of this machine; `regard info` lists them",
            do="leave the device out, and the processor computes",
        ) from error
    return place


def _answers(
    recording: Recording, asked: Asked, place: torch.device, precision: Precision, progress: Callable[[float], None]
) -> Iterator[Prediction]:
    """Pieces in time order, each answer once: of several about one time, the one that has seen most."""
    _require_answerable(recording, asked)
    asked.task.model.to(place).eval()
    source = None if recording.video is None else fingerprint(recording.video.path)
    with tempfile.TemporaryDirectory() as folder:
        recording = completed(recording, asked.task.inputs, Path(folder), size=asked.decode_size, own=asked.makings)
        dataset = ClipDataset(
            (recording,),
            asked.sampler,
            needs=asked.task.inputs - _done_without(recording, asked),
            transforms=asked.transforms,
            decode_size=asked.decode_size,
            sound=asked.sound,
        )
        later_s = _earliest_later(dataset)
        products = chosen(precision, asked.task.model, place)
        waiting: list[Prediction] = []
        shapes: dict[str, tuple[int, ...]] = {}
        for number, batch in enumerate(loader(dataset, batch_size=1, shuffle=False, num_workers=0)):
            with torch.inference_mode(), quick_float32(asked.task.model):
                on_device = batch.to(place)
                with autocast(products, place):
                    answer = asked.task.answer(on_device)
                said = asked.task.predictions(answer, on_device)
            waiting += [
                replace(piece, model=asked.name, class_names=asked.class_names, source=source) for piece in said
            ]
            _require_one_grid(waiting[-len(said) :], shapes, asked)
            known = joined(waiting)
            is_final = known.time_s < later_s[number]
            if is_final.any():
                yield known.rows(is_final)
            waiting = [known.rows(~is_final)] if not is_final.all() else []
            progress((number + 1) / len(dataset))


def _earliest_later(dataset: ClipDataset) -> Float64[np.ndarray, "n"]:
    """Of each clip, the earliest moment that a later clip may answer about; infinity for the last."""
    begun_s = [min(float(c.frame_s.min()), float(c.gaze_s.min())) for c in map(dataset.clip, range(len(dataset)))]
    return np.append(np.minimum.accumulate(begun_s[::-1])[::-1][1:], np.inf)


def _require_one_grid(said: list[Prediction], shapes: dict[str, tuple[int, ...]], asked: Asked) -> None:
    """Raises CannotAnswerError where answers' maps over the picture have several sizes; `shapes` are those so far."""
    for piece in said:
        for name, value in piece.values.items():
            if shapes.setdefault(name, value.shape[1:]) != value.shape[1:]:
                raise CannotAnswerError(
                    asked.name,
                    found="pictures that are cut to parts of several sizes",
                    wanted="parts of one size, so that all maps have one grid",
                    do="let the recipe's transforms cut all pictures alike, as CentreCrop does",
                )


def _done_without(recording: Recording, asked: Asked) -> frozenset[Field]:
    """What the recording lacks and the model answers without: sound, and what the model lists in `does_without`."""
    lacks: dict[Field, bool] = {"sound": recording.audio is None, "observed_gaze": recording.gaze is None}
    spared = {"sound", *getattr(asked.task.model, "does_without", ())}
    return frozenset(field for field, is_lacking in lacks.items() if is_lacking and field in spared)


def _require_answerable(recording: Recording, asked: Asked) -> None:
    if "observed_gaze" in asked.task.inputs - _done_without(recording, asked) and recording.gaze is None:
        raise CannotAnswerError(
            recording.require_video().path,
            found="a recording without gaze",
            wanted=f"the gaze so far, which {asked.name} goes on from",
            do="put a gaze.csv beside the video, or take a model that needs none, such as saliency",
        )
    if not isinstance(asked.sampler, Window) or asked.sampler.asked_after_s == 0:
        return
    video = open_video(recording.require_video())
    last_s = float(video.times_s[-1])
    video.close()
    if last_s < asked.sampler.asked_after_s:
        raise CannotAnswerError(
            recording.require_video().path,
            found=f"a video whose last frame is shown at {last_s:.3f} s",
            wanted=f"more than {asked.sampler.asked_after_s:g} s, which is how far ahead {asked.name} is asked",
            do="ask less far ahead, or take a longer recording",
        )
