"""What GazeCom calls things, and what is known of its videos and its screen."""

from regard.ops.screen import screen_camera
from regard.types import Camera

VIDEOS = (
    "beach",
    "breite_strasse",
    "bridge_1",
    "bridge_2",
    "bumblebee",
    "doves",
    "ducks_boat",
    "ducks_children",
    "golf",
    "holsten_gate",
    "koenigstrasse",
    "puppies",
    "roundabout",
    "sea",
    "st_petri_gate",
    "st_petri_market",
    "st_petri_mcdonalds",
    "street",
)

HELD_OUT = ("doves", "ducks_children", "holsten_gate", "puppies")
"""The videos on which the FPN + RIM thesis tested."""

SIZE_PX = (1280, 720)
"""Width and height of the videos, in whose pixels gaze is given."""

FRAME_HZ = 30000 / 1001
SAMPLE_HZ = 250.0

SCREEN_MM = (400.0, 225.0, 450.0)
"""Width, height and distance of the screen."""


def screen() -> Camera:
    """The screen as a camera: which directions the eye sees its pixels in, from the middle before it."""
    return screen_camera(SIZE_PX, size=SCREEN_MM[:2], distance=SCREEN_MM[2])


def trial_of(stem: str) -> tuple[str, str] | None:
    """(observer, video) of a file name without suffix, "AAF_beach"; None where it is none."""
    observer, _, video = stem.partition("_")
    return (observer, video) if observer and video in VIDEOS else None


def is_trial(stem: str) -> bool:
    """True for the name of a file about one person and video."""
    return trial_of(stem) is not None
