"""The synthetic world: a seeded kitchen with known causes, written as ordinary recordings.

script (what happens) -> eyes, motion (who looks where) -> solid, shapes, things, stage, camera, draw (pictures)
and hear (sound) -> files (one recording) -> dataset (splits).
"""

from regard.datasets.synthetic.dataset import Synthetic
from regard.datasets.synthetic.files import World, write_world
from regard.datasets.synthetic.script import ACTIONS, NOUNS, VERBS

__all__ = ["ACTIONS", "NOUNS", "VERBS", "Synthetic", "World", "write_world"]
