"""From what a user names ("saliency", "glc", a run folder) to something that can answer about a recording.

A model that has published or trained weights is one function here: it takes the file, or None for random weights.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from regard.clips.sampling.everywhere import EveryFrame, EveryMoment
from regard.clips.sampling.window import EveryClip, Sampler
from regard.clips.sound import Hearing, SoundWindows
from regard.errors import RegardError, WeightsError
from regard.models.backbones import RandomWeightsWarning
from regard.models.baselines import CentrePrior, GazeStays, Saliency
from regard.models.csts import CSTS
from regard.models.glc import GLC
from regard.models.mvit import COARSEST
from regard.recipe import RECIPE_FILE
from regard.run.folder import best_weights
from regard.run.weights import locate, read_weights, with_weights
from regard.tasks.base import Task
from regard.tasks.gaze.losses import GLCKL, DensityLoss, GazeKL
from regard.tasks.gaze.task import GazeAnticipation, GazeEstimation
from regard.transforms.colour import Normalise, ToFloat
from regard.transforms.place import ResizeToCells, Transform

BASELINES = ("centre-prior", "saliency", "gaze-stays")
ACTION_MODELS = ("gaze-attention", "egohar")
"""Networks that recognise actions; a run of that task is another."""

NETWORKS = ("glc", "csts")
"""Models that take weights."""

DEFAULT_HORIZON_S = 0.5
"""How far "gaze-stays" looks ahead when the user does not say: a fixation or two."""

PUBLISHED_SHORT_SIDE, PUBLISHED_INTERVAL_S = 256, 0.3
"""Of the pictures and clips that GLC and CSTS were trained on: 9 frames apart at 30 Hz."""
MOMENT_S = 0.1
"""From one moment that GLC is asked about to the next, to keep the number of its clips in bounds."""
CSTS_HOP_S = 0.2
"""From one clip that CSTS is asked about to the next, likewise."""
CSTS_HORIZONS_S = tuple(1 / 30 + PUBLISHED_INTERVAL_S * i for i in range(8))
"""What each of CSTS's eight answers is about, counted from the last frame, as it was trained on Ego4D."""
CSTS_DEFAULT = 2
"""0.63 s ahead: a fixation or two."""

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
    sound: Hearing | None = None


def recognises_actions(model: str | Path) -> bool:
    """True for the name of a network that recognises actions, and for the folder of such a run."""
    recipe = Path(model) / RECIPE_FILE
    return model in ACTION_MODELS or (recipe.exists() and "ActionRecognition" in recipe.read_text(encoding="utf-8"))


def answerer(
    model: str | Path,
    *,
    horizon_s: float | None = None,
    weights: str | Path | None = None,
    trust: Sequence[str] = (),
) -> Answerer:
    """The baseline, the network or the trained run of that name.

    Baselines answer for every shown frame. "gaze-stays" answers about `horizon_s` later than what it has seen, and
    cannot estimate: it would be told the answer. "csts" answers about `horizon_s` later than what it has seen and
    heard. Networks take `weights`, a file or a name that `regard weights` lists; without, their weights are random and
    RandomWeightsWarning says so. Raises UnknownModelError, WeightsError, or HorizonError for a `horizon_s` that is not
    ahead, or of a model that takes none.
    """
    if horizon_s is not None and model not in {"gaze-stays", "csts"}:
        raise HorizonError(
            "horizon_s",
            found=f"{horizon_s:g} s asked of {model}",
            wanted="a horizon only for gaze-stays and csts: estimation is about now, and a run asks as its recipe",
            do="leave the horizon out, or take the model gaze-stays",
        )
    if weights is not None and model not in NETWORKS:
        raise WeightsError(
            weights,
            found=f"weights for {model}",
            wanted=f"weights only for {' and '.join(NETWORKS)}: baselines have none, and a run has its own",
            do="leave the weights out",
        )
    file = None if weights is None else locate(weights)
    if model == "glc":
        return _glc(file)
    if model == "csts":
        return _csts(file, horizon_s)
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
    if model in ACTION_MODELS:
        raise UnknownModelError(
            f"model {str(model)!r}",
            found="a model that says what the wearer does",
            wanted=f"one that says where the wearer looks: {', '.join((*BASELINES, *NETWORKS))}, or a run's folder",
            do=f"regard predict RECORDING --model {model}; a recipe of actions is scored by regard evaluate RECIPE",
        )
    if (Path(model) / RECIPE_FILE).exists():
        return _of_run(Path(model), trust)
    raise UnknownModelError(
        f"model {str(model)!r}",
        found="no baseline of that name and no such run folder",
        wanted=f"one of {', '.join((*BASELINES, *NETWORKS))}, or a folder that `regard train` wrote",
        do="regard predict RECORDING --model saliency",
    )


def _glc(weights: Path | None) -> Answerer:
    """Asked about the whole picture, every `MOMENT_S`, in clips of the published spacing."""
    model, loss = _network(GLC, weights)
    return Answerer(
        name="glc" if weights else "glc, random weights",
        task=GazeEstimation(model, loss=loss),
        sampler=EveryMoment(num_frames=8, interval_s=PUBLISHED_INTERVAL_S, every_s=MOMENT_S),
        transforms=_published_pictures(),
        decode_size=PUBLISHED_SHORT_SIDE,
    )


def _csts(weights: Path | None, horizon_s: float | None) -> Answerer:
    """Asked about the whole picture at one of the horizons that it was trained for."""
    number = CSTS_DEFAULT if horizon_s is None else _number_of(horizon_s)
    model, loss = _network(CSTS, weights)
    return Answerer(
        name="csts" if weights else "csts, random weights",
        task=GazeAnticipation(_OneHorizon(model, number), loss=loss),
        sampler=EveryClip(
            num_frames=8, interval_s=PUBLISHED_INTERVAL_S, hop_s=CSTS_HOP_S, ahead_s=(CSTS_HORIZONS_S[number],)
        ),
        transforms=_published_pictures(),
        decode_size=PUBLISHED_SHORT_SIDE,
        sound=SoundWindows(),
    )


_Model = TypeVar("_Model", bound=nn.Module)


def _network(build: Callable[[], _Model], weights: Path | None) -> tuple[Any, DensityLoss]:
    """A network of its published size, with weights of ours, of its authors', or random; and what its logits mean."""
    if weights is None:
        model = build()
        warnings.warn(
            f"{type(model).__name__} has RANDOM weights: its answers mean nothing. `regard weights` lists published "
            "ones; give a file or a name with --weights",
            RandomWeightsWarning,
            stacklevel=4,
        )
        return model, GLCKL()
    model = with_weights(build(), weights)
    return model, GazeKL() if "state_dict" in read_weights(weights) else GLCKL()


class _OneHorizon(nn.Module):
    """CSTS, of whose answers only one is kept."""

    def __init__(self, model: CSTS, number: int) -> None:
        super().__init__()
        self.model, self.number = model, number

    def forward(self, video: Tensor, sound: Tensor | None = None, sound_valid: Tensor | None = None) -> Tensor:
        return self.model(video, sound, sound_valid)[:, self.number, None]


def _number_of(horizon_s: float) -> int:
    """Which of CSTS's answers is about `horizon_s` ahead."""
    near = min(range(len(CSTS_HORIZONS_S)), key=lambda i: abs(CSTS_HORIZONS_S[i] - horizon_s))
    if not abs(CSTS_HORIZONS_S[near] - horizon_s) < MOMENT_S / 2:
        raise HorizonError(
            "horizon_s",
            found=f"{horizon_s:g} s asked of csts",
            wanted=f"one of {', '.join(f'{h:.2f}' for h in CSTS_HORIZONS_S)} s, which it was made for",
            do=f"ask {CSTS_HORIZONS_S[near]:.2f} s ahead",
        )
    return near


def _published_pictures() -> tuple[Transform, ...]:
    """The whole picture at the published scale. (The published crop would say nothing about what lies beside it.)"""
    grey, contrast = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
    return (ResizeToCells(PUBLISHED_SHORT_SIDE, COARSEST), Normalise(grey, contrast))


def _of_run(run: Path, trust: Sequence[str]) -> Answerer:
    """A trained model with its best weights, asked as its recipe says, about what its transforms let it see."""
    from regard.recipe.data import ready
    from regard.recipe.read import read_recipe

    recipe = read_recipe(run, trust=trust)
    part = recipe.data.predict or recipe.data.require_eval()
    recipe.task.model = with_weights(recipe.task.model, best_weights(run))
    return Answerer(
        name=run.resolve().name,
        task=recipe.task,
        sampler=part.sampler,
        transforms=ready(part, recipe.task.model),
        decode_size=recipe.data.decode_size,
        sound=recipe.data.sound,
    )
