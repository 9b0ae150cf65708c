"""What learns: modules with numbers in the constructor, tensors in and tensors out."""

from regard.models.backbones import RandomWeightsWarning, ensure_torchvision
from regard.models.baselines import CentrePrior, GazeStays, Saliency
from regard.models.causal_anticipation import CausalAnticipation
from regard.models.causal_gaze import CausalGaze, CausalState

__all__ = [
    "CausalAnticipation",
    "CausalGaze",
    "CausalState",
    "CentrePrior",
    "GazeStays",
    "RandomWeightsWarning",
    "Saliency",
    "ensure_torchvision",
]
