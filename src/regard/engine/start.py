"""What a training begins with that others have trained."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import nn

from regard.engine.weights import locate, read_weights
from regard.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Start:
    """Start the encoder from a Kinetics MViT-B: `weights` is a name that `regard weights` lists, or a file.

    Its position embeddings are made for another picture size and brought to the model's: "2d" over rows and columns, or
    "published_1d" as GLC and CSTS did it.
    """

    weights: str
    position_embeddings: Literal["2d", "published_1d"] = "2d"


@runtime_checkable
class StartsFromK400(Protocol):
    """A model whose encoder is that MViT."""

    def init_from_k400(self, checkpoint: dict, position_embeddings: Literal["2d", "published_1d"] = "2d") -> None:
        """Take its weights."""
        ...


def begin_from(model: nn.Module, start: Start) -> None:
    """Put the weights into the model. Raises WeightsError or RecipeError where they do not go together."""
    if not isinstance(model, StartsFromK400):
        raise RecipeError(
            "training.start",
            found=f"{type(model).__name__}, which has no encoder for {start.weights}",
            wanted="a model with a method `init_from_k400`, such as GLC",
            do="--training.start null",
        )
    model.init_from_k400(dict(read_weights(locate(start.weights))), start.position_embeddings)
