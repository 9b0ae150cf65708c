"""Who looked: each dataset is a RecordingSet that yields recordings by split, and nothing else."""

from regard.datasets.aria_everyday import AriaEveryday
from regard.datasets.ego4d_gaze import Ego4DGaze
from regard.datasets.egtea import Egtea, EgteaGaze
from regard.datasets.synthetic import Synthetic, write_world

__all__ = ["AriaEveryday", "Ego4DGaze", "Egtea", "EgteaGaze", "Synthetic", "write_world"]
