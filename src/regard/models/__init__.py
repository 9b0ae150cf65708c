"""What learns: modules with numbers in the constructor, tensors in and tensors out."""

from regard.models.backbones import RandomWeightsWarning, ensure_torchvision
from regard.models.baselines import CentrePrior, GazeStays, Saliency
from regard.models.causal_anticipation import CausalAnticipation
from regard.models.causal_gaze import CausalGaze, CausalState
from regard.models.csts import CSTS, CSTSFeatures
from regard.models.egohar import EgoHAR, EgoHARAnswer, EgoHARState
from regard.models.gaze_attention import GazeAttention, GazeAttentionAnswer
from regard.models.gaze_only import GazeOnly, GazeOnlyAnswer
from regard.models.glc import GLC, GLCFeatures
from regard.models.grad_cam import grad_cam
from regard.models.i3d import I3D, I3DFeatures
from regard.models.mvit_gaze import MViTGaze

__all__ = [
    "CSTS",
    "GLC",
    "I3D",
    "CSTSFeatures",
    "CausalAnticipation",
    "CausalGaze",
    "CausalState",
    "CentrePrior",
    "EgoHAR",
    "EgoHARAnswer",
    "EgoHARState",
    "GLCFeatures",
    "GazeAttention",
    "GazeAttentionAnswer",
    "GazeOnly",
    "GazeOnlyAnswer",
    "GazeStays",
    "I3DFeatures",
    "MViTGaze",
    "RandomWeightsWarning",
    "Saliency",
    "ensure_torchvision",
    "grad_cam",
]
