"""Which way of asking fits a model and a source."""

from collections.abc import Mapping

from regard.batch import Field
from regard.clips.sampling.everywhere import EveryFrame, EveryMoment
from regard.clips.sampling.faces import FaceStretches, FaceWindows
from regard.clips.sampling.window import HOP_S, EveryClip, Sampler, Window
from regard.engine.ask import Asked
from regard.engine.live.asking import Asking, Stepping, Windowed
from regard.engine.live.facing import Facing
from regard.engine.predict import CannotAnswerError
from regard.io.live.grabbed import LiveSource
from regard.recipe.training import Precision

LIVE: frozenset[Field] = frozenset({"video", "flow", "sound", "observed_gaze"})
"""What can be read while it happens."""
KINDS: Mapping[tuple[type[Sampler], ...], type[Windowed | Facing]] = {
    (Window, EveryFrame, EveryMoment): Windowed,
    (FaceStretches, FaceWindows): Facing,
}
"""By how a recipe cuts recordings; a model that streams is fed, whatever its windows."""


def asking_of(
    asked: Asked,
    source: LiveSource,
    *,
    every_s: float | None = None,
    device: str = "cpu",
    precision: Precision = "auto",
) -> tuple[Asking, tuple[str, ...]]:
    """How this model is asked about this source, and what is to be told of it.

    `every_s`: from one question to the next, in place of what the recipe says. Raises CannotAnswerError where the model
    reads what cannot be had live, and RecipeError where a recipe says no length of windows.
    """
    task, has_gaze = asked.task, source.gaze_between(0.0, 0.0) is not None
    spared = getattr(task.model, "does_without", frozenset())
    kind = next((kind for samplers, kind in KINDS.items() if isinstance(asked.sampler, samplers)), None)
    known = LIVE | {"faces"} if kind is Facing else LIVE
    lacking = sorted(task.inputs - known | ({"observed_gaze"} & task.inputs - spared if not has_gaze else set()))
    if lacking or kind is None:
        raise CannotAnswerError(
            asked.name,
            found=f"a model that reads {', '.join(lacking).replace('_', ' ') or type(asked.sampler).__name__}, "
            "which nobody has live here",
            wanted="a model that reads pictures, and sound or the gaze so far where the source has them",
            do="save the pictures with --save, and ask it about them with regard predict",
        )
    told = ()
    if "sound" in task.inputs and source.heard() is None:
        told = (f"{asked.name} also listens, and this source has no sound that can be heard",)
    kind = Stepping if task.streams else kind
    pace_s = _hop_s(asked.sampler, steps=task.streams) if every_s is None else every_s
    return kind(asked, source, every_s=pace_s, device=device, precision=precision), told


def _hop_s(sampler: Sampler, *, steps: bool) -> float:
    """From one question to the next, as a recipe says it."""
    if isinstance(sampler, EveryMoment):
        return sampler.interval_s if steps else sampler.every_s
    if isinstance(sampler, Window) and steps:
        return sampler.interval_s
    if isinstance(sampler, EveryClip):
        return sampler.hop_s
    return HOP_S if isinstance(sampler, Window) else 0.0
