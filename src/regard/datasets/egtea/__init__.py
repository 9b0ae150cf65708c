"""EGTEA Gaze+: names (what a clip is called) -> labels (lists), begaze (gaze text) -> dataset (recordings by split)."""

from regard.datasets.egtea.dataset import Egtea
from regard.datasets.egtea.gaze_extract import EgteaGaze
from regard.datasets.egtea.names import NUM_CLASSES, RATE_HZ, ClipName, parse_clip

__all__ = ["NUM_CLASSES", "RATE_HZ", "ClipName", "Egtea", "EgteaGaze", "parse_clip"]
