"""A model's answers about one whole recording."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from regard.clips.dataset import ClipDataset
from regard.clips.load import loader
from regard.engine.answerer import answerer
from regard.types import Prediction, Recording


def predict(
    recording: Recording,
    *,
    model: str | Path = "saliency",
    horizon_s: float | None = None,
    device: str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> Prediction:
    """Where the wearer looks (or will look) over the whole recording, as one density for each moment.

    `model` is a baseline ("centre-prior", "saliency", "gaze-stays") or a folder that `regard train` wrote. `horizon_s`
    is how far ahead an anticipating baseline is asked. `progress` is told the share done. Raises a RegardError where
    the recording lacks what the model reads.
    """
    asked = answerer(model, horizon_s=horizon_s)
    dataset = ClipDataset(
        (recording,),
        asked.sampler,
        needs=asked.task.inputs,
        transforms=asked.transforms,
        decode_size=asked.decode_size,
        sound=asked.sound,
    )
    asked.task.model.to(device).eval()
    answers: list[Prediction] = []
    with torch.inference_mode():
        for done, batch in enumerate(loader(dataset, batch_size=1, shuffle=False, num_workers=0), start=1):
            on_device = batch.to(device)
            answers += asked.task.predictions(asked.task.answer(on_device), on_device)
            if progress is not None:
                progress(done / len(dataset))
    return _joined(answers, model=asked.name)


def _joined(answers: list[Prediction], *, model: str) -> Prediction:
    """One prediction in time order; of several answers about one moment, the one that has seen most."""
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
    )
