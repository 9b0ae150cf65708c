"""What a training begins with that others have trained."""

from typing import Literal, Protocol, runtime_checkable

from torch import nn

from regard.errors import RecipeError
from regard.recipe.training import Start
from regard.run.weights import locate, read_weights


@runtime_checkable
class StartsFromK400(Protocol):
    """A model whose encoder is that MViT."""

    def init_from_k400(self, checkpoint: dict, position_embeddings: Literal["2d", "published_1d"] = "2d") -> None:
        """Take its weights."""
        ...


@runtime_checkable
class StartsFromI3D(Protocol):
    """A model whose encoder is I3D for pictures and for flow."""

    def init_from_kinetics(self, checkpoint: dict) -> None:
        """Take the weights of both."""
        ...


def begin_from(model: nn.Module, start: Start) -> None:
    """Put the weights into the model. Raises WeightsError or RecipeError where they do not go together."""
    if isinstance(model, StartsFromK400):
        model.init_from_k400(dict(read_weights(locate(start.weights))), start.position_embeddings)
    elif not isinstance(model, StartsFromI3D):
        raise RecipeError(
            "training.start",
            found=f"{type(model).__name__}, which has no encoder for {start.weights}",
            wanted="a model that starts from Kinetics, such as GLC or GazeAttention",
            do="--training.start null",
        )
    elif start.position_embeddings != "2d":
        raise RecipeError(
            "training.start.position_embeddings",
            found=f"{start.position_embeddings} for {type(model).__name__}, which has no position embeddings",
            wanted="nothing said about them",
            do="--training.start.position_embeddings 2d",
        )
    else:
        model.init_from_kinetics(dict(read_weights(locate(start.weights))))
