"""What others have trained, as what a training begins with."""

from jsonargparse import ArgumentError, ArgumentParser
from torch import nn

from regard.errors import RecipeError
from regard.recipe.errors import recipe_error
from regard.recipe.training import Pretrained
from regard.run.weights import locate, read_weights


def init_from_pretrained(model: nn.Module, pretrained: Pretrained) -> None:
    """Call the model's own `init_from(checkpoint, *, option, ...)` with the weights and the options that are named.

    Raises RecipeError for a model without that method or an option that it does not take, WeightsError where the
    weights are not here or do not fit.
    """
    init_from = getattr(model, "init_from", None)
    if init_from is None:
        raise RecipeError(
            "training.pretrained",
            found=f"{type(model).__name__}, which does not say how to start from {pretrained.weights}",
            wanted="a model with a method init_from(checkpoint)",
            do="--training.pretrained null",
        )
    takes = ArgumentParser(exit_on_error=False)
    takes.add_method_arguments(type(model), "init_from", skip={"checkpoint"})
    try:
        options = takes.parse_object(dict(pretrained.options))
    except ArgumentError as error:
        raise recipe_error("training.pretrained.options", error, top=list(vars(takes.get_defaults()))) from error
    init_from(dict(read_weights(locate(pretrained.weights))), **vars(options))
