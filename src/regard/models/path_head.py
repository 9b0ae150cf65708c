"""How a memory's content becomes a gaze point, and points become steps along a line without ends and back."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

MARGIN = 1e-3 / 224
"""By which share of the picture its borders are moved out, so that a point on them stays finite on the line; published:
a thousandth of a pixel of 224."""


class PathHead(nn.Module):
    """Two linear layers from what a memory holds to its answer, with nothing between them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.value = nn.Linear(inputs, inputs)
        self.out = nn.Linear(inputs, outputs)
        # as the value's third of an attention's projection begins
        bound = math.sqrt(6 / (4 * inputs))
        nn.init.uniform_(self.value.weight, -bound, bound)
        nn.init.zeros_(self.value.bias)
        nn.init.zeros_(self.out.bias)

    def folded(self) -> tuple[Float[Tensor, "k i"], Float[Tensor, "k"]]:
        """Weight and bias of the one layer that the two are."""
        return self.out.weight @ self.value.weight, self.out.weight @ self.value.bias + self.out.bias


def onto_line(point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b 2"]:
    """A point of the picture, or the nearest to one beside it, on a line without ends; its centre is 0."""
    return torch.atanh(2 * (point.clamp(0, 1) + MARGIN) / (1 + 2 * MARGIN) - 1)


def from_line(line: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b 2"]:
    """The way back."""
    return (line.tanh() + 1) / 2 * (1 + 2 * MARGIN) - MARGIN
