"""Losses on predicted gaze paths: near the true gaze, still while it is still, moving while it jumps, phases named.

All is measured in half pictures: the picture's borders lie at -1 and 1. Source: spreeni/thesis_gaze_prediction@63eb1dc.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Float, Int8
from torch import Tensor
from torch.nn import functional

from regard.ops.geometry import inside
from regard.types import GazeState

__all__ = ["ScanpathLoss", "SteadyPath", "ThesisPath"]

Distance = Literal["mse", "l1", "smooth_l1"]

DISTANCES: Mapping[Distance, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "smooth_l1": functional.smooth_l1_loss,
}
"""Means over points and coordinates."""

Pairs = tuple[Float[Tensor, "p 2"], Float[Tensor, "p 2"]]


@dataclass(frozen=True, kw_only=True)
class ScanpathLoss(ABC):
    """The distance to the true gaze, times (1 / `stillness` + how far the answer moves in fixations and pursuit), over
    (1 / `motion` + how far it moves in saccades), plus `phase_weight` times the cross-entropy of the phases, if told.

    Movement is from a frame to the next: its mean square in fixations and pursuit, its mean size in saccades.
    """

    distance: Distance = "mse"
    stillness: float = 1000.0
    motion: float = 10.0
    phase_weight: float = 1.0

    def __call__(
        self,
        answer: Float[Tensor, "b t k"],
        point: Float[Tensor, "b t 2"],
        state: Int8[Tensor, "b t"],
        known: Bool[Tensor, "b t"],
    ) -> dict[str, Tensor]:
        """Of gaze in normalised coordinates, then scores of PHASES, if any: "loss", and "path" and "phase" apart."""
        taught = self.teaches(point, state, known)
        said, is_saccade = 2 * answer[..., :2] - 1, state == GazeState.SACCADE
        still = self.movement(said, taught & (state >= GazeState.FIXATION) & ~is_saccade, functional.mse_loss)
        moving = self.movement(said, taught & is_saccade, functional.l1_loss)
        base = DISTANCES[self.distance](said[taught], 2 * point[taught] - 1) if taught.any() else answer.sum() * 0.0
        path = base * (1 / self.stillness + still) / (1 / self.motion + moving)
        phased = taught & (state >= GazeState.FIXATION)
        if answer.shape[-1] == 2 or not phased.any():
            return {"loss": path}
        phase = functional.cross_entropy(answer[..., 2:][phased], phase_of(state[phased]))
        return {"loss": path + self.phase_weight * phase, "path": path, "phase": phase}

    @abstractmethod
    def teaches(
        self, point: Float[Tensor, "b t 2"], state: Int8[Tensor, "b t"], known: Bool[Tensor, "b t"]
    ) -> Bool[Tensor, "b t"]:
        """True for the frames that take part, of those whose gaze is known."""

    @abstractmethod
    def movement(
        self, said: Float[Tensor, "b t 2"], which: Bool[Tensor, "b t"], size: Callable[[Tensor, Tensor], Tensor]
    ) -> Float[Tensor, ""]:
        """How far the answer moves on its way to these frames."""


class SteadyPath(ScanpathLoss):
    """Every frame with gaze on the picture takes part; each frame is compared with the one before it, and where there
    is none, nothing moves.
    """

    def teaches(self, point: Tensor, state: Tensor, known: Tensor) -> Tensor:
        """Known gaze on the picture, its border included."""
        return known & inside(point)

    def movement(self, said: Tensor, which: Tensor, size: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """From the frame before, within the same clip."""
        moved = which[:, 1:]
        return size(said[:, 1:][moved], said[:, :-1][moved]) if moved.any() else said.sum() * 0.0


class ThesisPath(ScanpathLoss):
    """As published: frames of no phase are left out, and movement is counted between frames that do not follow.

    The frames before those of a phase are found by rolling each clip's mask back, whose first entry so comes to its
    end; read in order, all pairs of that clip then stand one off. Only the batch's first frame is kept out. A clip that
    is of one phase throughout is compared with itself; a batch without one of the phases gives NaN.
    """

    def teaches(self, point: Tensor, state: Tensor, known: Tensor) -> Tensor:
        """Known gaze of a known phase, wherever it is."""
        return known & (state >= GazeState.FIXATION)

    def movement(self, said: Tensor, which: Tensor, size: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Between the frames of a phase and those that a rolled mask finds."""
        which = which.clone()
        which[0, 0] = False
        return size(said[which], said[which.roll(-1, dims=1)])


def phase_of(state: Int8[Tensor, "*b"]) -> Tensor:
    """The number of a gaze state's phase in PHASES; what is lost or unnamed is noise."""
    return (state.long() - (GazeState.FIXATION - 1)).clamp_min(0)
