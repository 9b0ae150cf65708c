"""A model's answers about one whole recording."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from regard.clips.dataset import ClipDataset
from regard.clips.load import loader
from regard.clips.sampling.window import Window
from regard.engine.answerer import Answerer, answerer
from regard.engine.arithmetic import autocast, quick_float32
from regard.errors import RegardError
from regard.io import open_video
from regard.recipe.training import Precision
from regard.types import ActionPrediction, Prediction, Recording


class CannotAnswerError(RegardError):
    """A recording that lacks what a model has to be told, or ends before what it is asked about."""


class DeviceError(RegardError):
    """A device that this machine does not have."""


def predict(
    recording: Recording,
    *,
    model: str | Path = "saliency",
    horizon_s: float | None = None,
    weights: str | Path | None = None,
    device: str = "cpu",
    precision: Precision = "32-true",
    trust: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> Prediction:
    """Where the wearer looks (or will look) over the whole recording, as one density for each moment.

    `model` is a baseline ("centre-prior", "saliency", "gaze-stays"), a network ("glc" estimates, "csts" anticipates) or
    a folder that `regard train` wrote. `horizon_s` is how far ahead one that anticipates is asked. `weights` are a
    network's: a file, or a name that `regard weights` lists; random ones, with a warning, without. `precision` is that
    of the model's products; "bf16-mixed" is about twice as fast on a processor that has it. `trust` names
    packages whose classes a run may name. `progress` is told the share done. Raises a RegardError where the recording
    lacks what the model reads.
    """
    asked, place = answerer(model, horizon_s=horizon_s, weights=weights, trust=trust), usable(device)
    _require_answerable(recording, asked)
    dataset = ClipDataset(
        (recording,),
        asked.sampler,
        needs=asked.task.inputs if recording.audio is not None else asked.task.inputs - {"sound"},
        transforms=asked.transforms,
        decode_size=asked.decode_size,
        sound=asked.sound,
    )
    asked.task.model.to(place).eval()
    answers: list[Prediction] = []
    with torch.inference_mode(), quick_float32(asked.task.model):
        for done, batch in enumerate(loader(dataset, batch_size=1, shuffle=False, num_workers=0), start=1):
            on_device = batch.to(place)
            with autocast(precision, place):
                answer = asked.task.answer(on_device)
            answers += [_about_gaze(said, asked) for said in asked.task.predictions(answer, on_device)]
            if progress is not None:
                progress(done / len(dataset))
    return _joined(answers, model=asked.name)


def _about_gaze(said: Prediction | ActionPrediction, asked: Answerer) -> Prediction:
    if isinstance(said, Prediction):
        return said
    raise CannotAnswerError(
        asked.name,
        found="a model that says what the wearer does",
        wanted="one that says where the wearer looks",
        do=f"regard evaluate {asked.name}",
    )


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


def require_one_grid(maps: Sequence[np.ndarray], *, model: str) -> None:
    """Raises CannotAnswerError where the answers' maps over the picture have several sizes."""
    if len({m.shape[-2:] for m in maps}) > 1:
        raise CannotAnswerError(
            model,
            found="pictures that are cut to parts of several sizes",
            wanted="parts of one size, so that all maps have one grid",
            do="let data.eval.transforms cut all pictures alike, as CentreCrop does",
        )


def _require_answerable(recording: Recording, asked: Answerer) -> None:
    if "observed_gaze" in asked.task.inputs and recording.gaze is None:
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


def _joined(answers: list[Prediction], *, model: str) -> Prediction:
    """One prediction in time order; of several answers about one moment, the one that has seen most, else the first."""
    require_one_grid([a.log_density for a in answers], model=model)
    time_s = np.concatenate([a.time_s for a in answers])
    seen_until_s = np.concatenate([a.seen_until_s for a in answers])
    order = np.lexsort((-seen_until_s, time_s))
    _, first = np.unique(time_s[order], return_index=True)
    keep = order[first]
    return Prediction(
        recording=answers[0].recording,
        model=model,
        time_s=time_s[keep],
        seen_until_s=seen_until_s[keep],
        log_density=np.concatenate([a.log_density for a in answers])[keep],
        temperature=answers[0].temperature,
    )
