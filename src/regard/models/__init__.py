"""What learns: modules with numbers in the constructor, tensors in and tensors out."""

from regard.models.backbones import RandomWeightsWarning, ensure_torchvision
from regard.models.baselines import CentrePrior, GazeStays, Saliency
from regard.models.causal_anticipation import CausalAnticipation
from regard.models.causal_gaze import CausalGaze, CausalState
from regard.models.csts import CSTS, CSTSFeatures
from regard.models.glc import GLC, GLCFeatures
from regard.models.mvit_gaze import MViTGaze

__all__ = [
    "CSTS",
    "GLC",
    "CSTSFeatures",
    "CausalAnticipation",
    "CausalGaze",
    "CausalState",
    "CentrePrior",
    "GLCFeatures",
    "GazeStays",
    "MViTGaze",
    "RandomWeightsWarning",
    "Saliency",
    "ensure_torchvision",
]
