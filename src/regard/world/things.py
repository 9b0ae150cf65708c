"""What stands on the counter, the hands that act on it and the person across it, as solids."""

from functools import lru_cache

import numpy as np

from regard.world.bodies import hand_parts, person_parts
from regard.world.shapes import (
    box,
    capsule,
    cut_across,
    ellipsoid,
    revolved,
    ring,
    union,
)
from regard.world.solid import Colour, Distance, Part, Sprite, Trace, coloured, trace

COUNTER_PITCH_DEG = 44.0
"""How steeply the wearer looks down at the counter."""
PERSON_PITCH_DEG = 4.0
FRONT_LIGHT = (-0.62, 0.52, 0.58)
"""Towards a lamp above the wearer, for the face across the counter."""
HAND_WINDOW = (-0.26, 0.42, -0.95, 0.30)
PERSON_WINDOW = (-0.30, 0.30, -0.02, 0.46)
THING_WINDOWS = {
    "cup": (-0.20, 0.22, -0.16, 0.24),
    "bottle": (-0.12, 0.30, -0.12, 0.34),
    "tomato": (-0.14, 0.20, -0.14, 0.18),
    "bread": (-0.22, 0.26, -0.14, 0.18),
    "bowl": (-0.18, 0.28, -0.18, 0.22),
    "pan": (-0.20, 0.34, -0.18, 0.20),
    "plate": (-0.20, 0.24, -0.16, 0.16),
    "kettle": (-0.22, 0.30, -0.16, 0.30),
    "jar": (-0.12, 0.24, -0.12, 0.26),
}
CUTS = {"tomato": (-0.03, 0.008, 0.042), "bread": (-0.07, -0.03, 0.01, 0.05)}
"""Where along x the knife goes through."""

POTTERY: tuple[Colour, ...] = ((0.24, 0.47, 0.68), (0.85, 0.82, 0.76), (0.62, 0.30, 0.24), (0.30, 0.52, 0.43))
SKIN: tuple[Colour, ...] = ((0.93, 0.72, 0.59), (0.80, 0.57, 0.42), (0.56, 0.37, 0.26), (0.38, 0.25, 0.18))
SLEEVES: tuple[Colour, ...] = ((0.25, 0.35, 0.52), (0.47, 0.50, 0.53), (0.50, 0.25, 0.26), (0.28, 0.42, 0.34))
HAIR: tuple[Colour, ...] = ((0.13, 0.09, 0.07), (0.22, 0.20, 0.20), (0.35, 0.22, 0.12), (0.62, 0.45, 0.24))
FIXED: dict[str, Colour] = {
    "tea": (0.36, 0.18, 0.08), "soup": (0.86, 0.50, 0.14), "egg": (0.92, 0.76, 0.26), "iron": (0.16, 0.16, 0.18),
    "glass": (0.16, 0.38, 0.22), "paper": (0.93, 0.90, 0.80), "cork": (0.74, 0.58, 0.40), "red": (0.84, 0.13, 0.09),
    "flesh": (0.93, 0.40, 0.28), "leaf": (0.22, 0.45, 0.14), "crust": (0.72, 0.44, 0.19), "crumb": (0.95, 0.86, 0.66),
    "steel": (0.78, 0.79, 0.81), "black": (0.08, 0.08, 0.09), "wood": (0.55, 0.36, 0.20), "sponge": (0.96, 0.80, 0.20),
    "scrub": (0.22, 0.52, 0.25), "white": (0.96, 0.95, 0.93), "lip": (0.68, 0.30, 0.28), "nail": (0.90, 0.68, 0.60),
    "honey": (0.98, 0.74, 0.05), "lid": (0.90, 0.10, 0.30),
}  # fmt: skip


def _cup() -> tuple[Part, ...]:
    wall = revolved(((0, 0.006), (0.046, 0.006), (0.058, 0.12)), 0.006)
    ear = ring((0.078, 0.066, 0), 0.03, 0.0085)
    return (
        Part(distance=union(wall, ear, blend=0.01), colour="pottery", gloss=0.55, paint=_band),
        Part(distance=revolved(((0, 0.095), (0.052, 0.095)), 0.003), colour="tea", gloss=0.5),
    )


def _bottle() -> tuple[Part, ...]:
    outline = ((0, 0.008), (0.044, 0.008), (0.046, 0.15), (0.018, 0.21), (0.016, 0.265), (0, 0.265))
    return (
        Part(distance=revolved(outline, 0.006), colour="glass", gloss=0.95),
        Part(distance=revolved(((0.048, 0.045), (0.048, 0.12)), 0.0055), colour="paper", gloss=0.1, paint=_label),
        Part(distance=revolved(((0, 0.285), (0.012, 0.285), (0.012, 0.26)), 0.006), colour="cork"),
    )


def _tomato(cut: bool) -> tuple[Part, ...]:
    body = ellipsoid((0, 0.058, 0), (0.072, 0.060, 0.068))
    leaves = [
        capsule((0, 0.116, 0), (0.036 * np.cos(a), 0.112, 0.036 * np.sin(a)), 0.0055, 0.002)
        for a in np.arange(5) * 1.257 + 0.4
    ]
    leaf = Part(distance=union(*leaves, capsule((0, 0.115, 0), (0.006, 0.132, 0), 0.005)), colour="leaf")
    body = cut_across(body, CUTS["tomato"], 0.014) if cut else body
    return (Part(distance=body, colour="red", gloss=0.6, paint=_flesh if cut else None), leaf)


def _bread(cut: bool) -> tuple[Part, ...]:
    loaf = union(
        ellipsoid((0, 0.045, 0), (0.145, 0.06, 0.068)), box((0, 0.035, 0), (0.10, 0.035, 0.055), 0.03), blend=0.02
    )
    loaf = cut_across(loaf, CUTS["bread"], 0.013) if cut else loaf
    return (Part(distance=loaf, colour="crust", gloss=0.08, paint=_crumb if cut else _slashes),)


def _bowl() -> tuple[Part, ...]:
    outline = ((0, 0.008), (0.04, 0.008), (0.075, 0.028), (0.098, 0.058), (0.108, 0.088))
    return (
        Part(distance=revolved(outline, 0.0055), colour="pottery", gloss=0.5),
        Part(distance=revolved(((0, 0.062), (0.096, 0.062)), 0.003), colour="soup", gloss=0.45, paint=_swirl),
    )


def _pan() -> tuple[Part, ...]:
    wall = revolved(((0, 0.006), (0.098, 0.006), (0.112, 0.042)), 0.006)
    return (
        Part(distance=wall, colour="iron", gloss=0.4),
        Part(distance=capsule((0.115, 0.04, 0), (0.25, 0.062, 0.03), 0.011, 0.014), colour="black", gloss=0.35),
        Part(distance=ellipsoid((-0.02, 0.012, 0.0), (0.055, 0.008, 0.05)), colour="white", gloss=0.5),
        Part(distance=ellipsoid((-0.015, 0.018, 0.0), (0.022, 0.013, 0.022)), colour="egg", gloss=0.7),
    )


def _plate() -> tuple[Part, ...]:
    outline = ((0, 0.006), (0.075, 0.006), (0.10, 0.014), (0.13, 0.022))
    return (Part(distance=revolved(outline, 0.0045), colour="white", gloss=0.55, paint=_rim),)


def _kettle() -> tuple[Part, ...]:
    outline = ((0, 0.008), (0.082, 0.008), (0.086, 0.04), (0.066, 0.115), (0.03, 0.138), (0, 0.14))
    return (
        Part(
            distance=union(
                revolved(outline, 0.006), capsule((-0.065, 0.07, 0), (-0.125, 0.125, 0), 0.02, 0.011), blend=0.015
            ),
            colour="steel",
            gloss=0.95,
        ),
        Part(distance=_above(ring((0.0, 0.125, 0), 0.07, 0.0085), 0.115), colour="black", gloss=0.3),
        Part(distance=ellipsoid((0, 0.155, 0), (0.013, 0.013, 0.013)), colour="black", gloss=0.4),
    )


def _jar() -> tuple[Part, ...]:
    return (
        Part(
            distance=revolved(((0, 0.006), (0.052, 0.006), (0.054, 0.11), (0.04, 0.125)), 0.006),
            colour="honey",
            gloss=0.9,
        ),
        Part(
            distance=revolved(((0, 0.15), (0.045, 0.15), (0.045, 0.128)), 0.006), colour="lid", gloss=0.5, paint=_checks
        ),
    )


THINGS = {
    "cup": _cup, "bottle": _bottle, "bowl": _bowl, "pan": _pan, "plate": _plate, "kettle": _kettle, "jar": _jar,
}  # fmt: skip


def _parts(kind: str, state: str) -> tuple[Part, ...]:
    if kind == "tomato":
        return _tomato(state == "cut")
    return _bread(state == "cut") if kind == "bread" else THINGS[kind]()


@lru_cache(maxsize=64)
def traced(kind: str, state: str, scale: float) -> Trace:
    """The trace of ("hand", grip), ("person", yaw in degrees) or (noun, "cut" or "whole")."""
    if kind == "hand":
        return trace(hand_parts(state), HAND_WINDOW, scale=min(scale, 450), pitch_deg=COUNTER_PITCH_DEG)
    if kind == "person":
        parts, scale = person_parts(float(state)), min(1.5 * scale, 500)
        return trace(parts, PERSON_WINDOW, scale=scale, pitch_deg=PERSON_PITCH_DEG, light=FRONT_LIGHT)
    return trace(_parts(kind, state), THING_WINDOWS[kind], scale=min(2 * scale, 560), pitch_deg=COUNTER_PITCH_DEG)


def sprites(kind: str, state: str, colours: dict[str, Colour], *, scale: float) -> tuple[Sprite, Sprite]:
    """(solid, shadow); `colours` adds the world's own "pottery", "skin", "sleeve" and "hair"."""
    return coloured(traced(kind, state, scale), FIXED | colours, scale=scale)


def _above(shape: Distance, height: float) -> Distance:
    return lambda x, y, z: np.maximum(shape(x, y, z), np.float32(height) - y)


def _mix(base: np.ndarray, other: Colour, share: np.ndarray) -> np.ndarray:
    return base + np.clip(share, 0, 1)[:, None] * (np.array(other, np.float32) - base)


def _band(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return _mix(base, (0.96, 0.94, 0.90), ((np.abs(y - 0.085) < 0.010) & (np.hypot(x, z) > 0.05)).astype(np.float32))


def _label(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    stripe = (np.abs(y - 0.10) < 0.008) | ((np.abs(np.arctan2(x, z)) < 0.5) & (np.abs(y - 0.07) < 0.014))
    return _mix(base, (0.60, 0.14, 0.14), stripe.astype(np.float32))


def _flesh(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return _mix(base, FIXED["flesh"], _near_cut(x, CUTS["tomato"]))


def _crumb(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return _mix(base, FIXED["crumb"], _near_cut(x, CUTS["bread"]))


def _near_cut(x: np.ndarray, planes: tuple[float, ...]) -> np.ndarray:
    return (np.min([np.abs(x - plane) for plane in planes], axis=0) < 0.0095).astype(np.float32)


def _slashes(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    slash = (np.abs(((x + 0.6 * z + 0.02) / 0.055) % 1 - 0.5) < 0.13) & (y > 0.075)
    return _mix(_mix(base, (0.5, 0.27, 0.10), (y - 0.06) / 0.06), (0.93, 0.80, 0.56), slash * 0.8)


def _swirl(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    wave = np.sin(3 * np.arctan2(z, x) + 95 * np.hypot(x, z))
    return _mix(base, (0.95, 0.84, 0.55), 0.45 * (wave > 0.55))


def _rim(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    r = np.hypot(x, z)
    return _mix(
        base, (0.20, 0.34, 0.58), (np.abs(r - 0.118) < 0.0045).astype(np.float32) + 0.6 * (np.abs(r - 0.105) < 0.002)
    )


def _checks(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return _mix(base, (1.0, 1.0, 1.0), ((np.floor(x / 0.018) + np.floor(z / 0.018)) % 2 == 0).astype(np.float32))
