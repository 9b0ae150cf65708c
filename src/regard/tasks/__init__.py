"""Questions about a clip: what goes in, how an answer is trained and scored."""

from regard.tasks.action import ActionAnswer, ActionRecognition
from regard.tasks.action_losses import ActionLoss, EgoHARLoss, GazeAttentionLoss, LabelLoss, Lesson, Looked
from regard.tasks.action_scoring import LabelScoring
from regard.tasks.anticipation import GazeAnticipation
from regard.tasks.base import Task
from regard.tasks.contrast import Contrast
from regard.tasks.density import DensityScoring
from regard.tasks.estimation import GazeEstimation
from regard.tasks.losses import GazeKL, PublishedKL
from regard.tasks.members_loss import MembersLoss

__all__ = [
    "ActionAnswer",
    "ActionLoss",
    "ActionRecognition",
    "Contrast",
    "DensityScoring",
    "EgoHARLoss",
    "GazeAnticipation",
    "GazeAttentionLoss",
    "GazeEstimation",
    "GazeKL",
    "LabelLoss",
    "LabelScoring",
    "Lesson",
    "Looked",
    "MembersLoss",
    "PublishedKL",
    "Task",
]
