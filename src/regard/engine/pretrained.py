"""What was trained before, by others or in a run, as what a training begins with."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser
from torch import nn

from regard.errors import RecipeError
from regard.recipe.errors import recipe_error
from regard.recipe.training import Pretrained
from regard.run.weights import fits, is_ours, load_state, locate, read_weights, state_of

WHOLE = "checkpoint"
"""The parameter of `init_from` that takes the one file; those of several have names of their own."""


def init_from_pretrained(model: nn.Module, pretrained: Pretrained) -> None:
    """Call the model's own `init_from(checkpoint, *, option, ...)` with the weights and the options that are named.

    Several go by their names, `init_from(*, rgb=None, flow=None, option=2)`: what has the default None is a file. Of a
    run's checkpoint it is told the state, by the names of that run's model; one of the very same model is loaded as it
    is. Raises RecipeError for a model without that method, or a file or an option that it does not take, WeightsError
    where the weights are not here or do not fit.
    """
    start: Any = model
    is_whole = isinstance(pretrained.weights, str)
    given = {WHOLE: pretrained.weights} if isinstance(pretrained.weights, str) else pretrained.weights
    takes = inspect.signature(start.init_from).parameters if hasattr(model, "init_from") else {}
    files = {name: p.default is p.empty for name, p in takes.items() if name == WHOLE or p.default in (None, p.empty)}
    if takes and not is_whole:
        _require_taken(model, files, given)
    options = _options(model, pretrained.options, besides=files) if takes else {}
    places = {part: locate(weights) for part, weights in given.items()}
    states = {part: read_weights(place) for part, place in places.items()}
    states = {p: state_of(s, where=places[p]) if is_ours(s) else dict(s) for p, s in states.items()}
    if is_whole and not pretrained.options and fits(model, states[WHOLE]):
        return load_state(model, states[WHOLE], where=places[WHOLE])
    if not takes:
        raise RecipeError(
            "training.pretrained",
            found=f"{type(model).__name__}, which does not say how to start from {', '.join(given.values())}",
            wanted="a model with a method init_from(checkpoint), or a run of this very model",
            do="--training.pretrained null",
        )
    _require_taken(model, files, given)
    return start.init_from(**states, **options)


def _require_taken(model: nn.Module, files: Mapping[str, bool], given: Mapping[str, str]) -> None:
    """`files` are what `init_from` takes, True for what it does not do without."""
    if {*given} <= {*files} and all(name in given for name, is_needed in files.items() if is_needed):
        return
    raise RecipeError(
        "training.pretrained.weights",
        found=f"{', '.join(given)} for {type(model).__name__}",
        wanted="one name or file" if [*files] == [WHOLE] else f"{', '.join(files)}, each with its weights",
        do="correct the recipe",
    )


def _options(model: nn.Module, options: Mapping[str, Any], *, besides: Iterable[str]) -> dict[str, Any]:
    """Those of `init_from`, `besides` the files."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_method_arguments(type(model), "init_from", skip={*besides})
    try:
        return vars(parser.parse_object(dict(options)))
    except ArgumentError as error:
        raise recipe_error("training.pretrained.options", error, top=list(vars(parser.get_defaults()))) from error
