"""Questions about a clip: what goes in, how an answer is trained and scored."""

from regard.tasks.anticipation import GazeAnticipation
from regard.tasks.base import Task
from regard.tasks.contrast import Contrast
from regard.tasks.density import DensityScoring
from regard.tasks.estimation import GazeEstimation
from regard.tasks.losses import GazeKL, PublishedKL

__all__ = ["Contrast", "DensityScoring", "GazeAnticipation", "GazeEstimation", "GazeKL", "PublishedKL", "Task"]
