"""The screen of a BIDS dataset that somebody looked at: how many pixels it has, and how wide it is for the eye."""

from collections.abc import Mapping

import numpy as np

from regard.io.json_text import finite
from regard.ops.screen import screen_camera
from regard.types import Camera

WIDEST_DEG, NARROWEST_DEG = 150.0, 2.0
"""Beyond these a screen's size and distance are in two units: a phone at arm's length is 6 degrees wide."""

SQUARE = 1.3
"""Pixels whose sides differ by more come from numbers in another order; those of old monitors did by 1.07."""


def screen_told(physio: Mapping[str, object], events: Mapping[str, object]) -> dict[str, object]:
    """What the metadata say of the screen: in StimulusPresentation, or else beside the gaze."""
    told = events.get("StimulusPresentation")
    told = told if isinstance(told, dict) else {}
    return {name: value for name, value in ({**physio, **told}).items() if name.startswith("Screen")}


def sides_of(told: object) -> tuple[float, float] | None:
    """Two numbers above 0; None for anything else."""
    sides = [finite(side) for side in told] if isinstance(told, list | tuple) else []
    if len(sides) != 2 or sides[0] is None or sides[1] is None or min(sides[0], sides[1]) <= 0:
        return None
    return sides[0], sides[1]


def camera_of_screen(screen: Mapping[str, object], size_px: tuple[int, int]) -> tuple[Camera | None, str]:
    """The screen as a camera, and how it was known; or None, and why degrees are not."""
    missing = [name for name in ("ScreenSize", "ScreenDistance") if screen.get(name, "n/a") == "n/a"]
    size_m, distance_m = sides_of(screen.get("ScreenSize")), _distance_m(screen.get("ScreenDistance"))
    if missing:
        why = f"{' and '.join(missing)} missing in StimulusPresentation"
    elif size_m is None:
        why = f"ScreenSize {screen['ScreenSize']} is not its width and height in metres"
    elif distance_m is None:
        why = f"ScreenDistance {screen['ScreenDistance']} is not one number of metres, right before its middle"
    else:
        wide_deg, high_deg = (float(2 * np.degrees(np.arctan(side / 2 / distance_m))) for side in size_m)
        ratio = size_m[0] * size_px[1] / (size_m[1] * size_px[0])
        told = f"a screen {wide_deg:.1f} x {high_deg:.1f} degrees wide and high, by its ScreenSize and ScreenDistance"
        if not NARROWEST_DEG <= wide_deg <= WIDEST_DEG:
            why = f"{told}: not both in metres"
        elif not 1 / SQUARE <= ratio <= SQUARE:
            why = f"ScreenSize {list(size_m)} gives pixels {ratio:.2g} times as wide as high"
        else:
            return screen_camera(size_px, size=size_m, distance=distance_m), told
    return None, f"angles in degrees cannot be computed: {why}"


def _distance_m(told: object) -> float | None:
    """From the eye to the screen, also as three coordinates of which two are 0: else it is not before the eye."""
    parts = [finite(part) for part in told] if isinstance(told, list) else [finite(told)]
    off = [part for part in parts if part != 0]
    known = off[0] if len(off) == 1 else None
    return abs(known) if known is not None and (known > 0 or len(parts) == 3) else None
