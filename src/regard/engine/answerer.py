"""From what a user names ("saliency", a run folder) to something that can answer about a recording."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regard.clips.colours import ToFloat
from regard.clips.every_frame import EveryFrame
from regard.clips.hearing import SoundWindows
from regard.clips.sampling import EveryClip, Sampler
from regard.clips.transforms import Transform
from regard.engine.run import RECIPE_FILE, best_weights, recipe_of_run
from regard.errors import RegardError
from regard.models.baselines import CentrePrior, GazeStays, Saliency
from regard.tasks.anticipation import GazeAnticipation
from regard.tasks.base import Task
from regard.tasks.estimation import GazeEstimation

BASELINES = ("centre-prior", "saliency", "gaze-stays")

DEFAULT_HORIZON_S = 0.5
"""How far "gaze-stays" looks ahead when the user does not say: a fixation or two."""

SALIENCY_SHORT_SIDE = 144
"""Saliency is a coarse map; this many pixels hold all that its 64x64 cells can say."""


class UnknownModelError(RegardError):
    """A name that is neither a baseline nor a run folder."""


class HorizonError(RegardError):
    """A time ahead that a model cannot be asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """A task with its model, and how a recording is put to it."""

    name: str
    task: Task
    sampler: Sampler
    transforms: Sequence[Transform] = ()
    decode_size: int | None = None
    sound: SoundWindows | None = None


def answerer(model: str | Path, *, horizon_s: float | None = None) -> Answerer:
    """The baseline or the trained run of that name.

    Baselines answer for every shown frame. "gaze-stays" answers about `horizon_s` later than what it has seen, and
    cannot estimate: it would be told the answer. Raises UnknownModelError, or HorizonError for a `horizon_s` that is
    not ahead, or of a model that takes none.
    """
    if horizon_s is not None and model != "gaze-stays":
        raise HorizonError(
            "horizon_s",
            found=f"{horizon_s:g} s asked of {model}",
            wanted="a horizon only for gaze-stays: estimation is about the shown frame, and a run asks as its recipe",
            do="leave the horizon out, or take the model gaze-stays",
        )
    if model == "centre-prior":
        return Answerer(name=str(model), task=GazeEstimation(CentrePrior()), sampler=EveryFrame())
    if model == "saliency":
        return Answerer(
            name=str(model),
            task=GazeEstimation(Saliency()),
            sampler=EveryFrame(),
            transforms=(ToFloat(),),
            decode_size=SALIENCY_SHORT_SIDE,
        )
    if model == "gaze-stays":
        ahead_s = DEFAULT_HORIZON_S if horizon_s is None else horizon_s
        if not 0 < ahead_s < math.inf:
            raise HorizonError(
                "horizon_s",
                found=f"{ahead_s:g} s",
                wanted="more than 0 s: gaze-stays is told the gaze so far, and with it the answer to anything earlier",
                do=f"ask ahead, for example {DEFAULT_HORIZON_S:g} s",
            )
        return Answerer(
            name=str(model),
            task=GazeAnticipation(GazeStays()),
            sampler=EveryClip(num_frames=8, interval_s=1 / 30, hop_s=1 / 30, ahead_s=(ahead_s,)),
        )
    if (Path(model) / RECIPE_FILE).exists():
        return _of_run(Path(model))
    raise UnknownModelError(
        f"model {str(model)!r}",
        found="no baseline of that name and no such run folder",
        wanted=f"one of {', '.join(BASELINES)}, or a folder that `regard train` wrote",
        do="regard predict RECORDING --model saliency",
    )


def _of_run(run: Path) -> Answerer:
    """A trained model with its best weights, asked as its recipe's test part asks."""
    from regard.engine.checkpoints import load_weights

    recipe = recipe_of_run(run)
    load_weights(recipe.task.model, best_weights(run))
    return Answerer(
        name=run.resolve().name,
        task=recipe.task,
        sampler=recipe.data.test.sampler,
        transforms=recipe.data.test.transforms,
        decode_size=recipe.data.decode_size,
        sound=recipe.data.sound,
    )
