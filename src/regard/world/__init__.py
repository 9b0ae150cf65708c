"""The synthetic world: a seeded kitchen with known causes, written as ordinary recordings.

script (what happens) -> eyes, motion (who looks where) -> solid, shapes, things, stage, camera, draw (pictures)
and hear (sound) -> files (one recording); `regard.datasets.Synthetic` has its splits.
"""

from regard.world.files import World, write_world
from regard.world.script import ACTIONS, NOUNS, VERBS

__all__ = ["ACTIONS", "NOUNS", "VERBS", "World", "write_world"]
