"""The wearer's hands with their tools, and the person across the counter, as solids."""

import numpy as np

from regard.world.shapes import Spot, box, capsule, ellipsoid, turned, union
from regard.world.solid import Distance, Part

PALM: Spot = (0.003, 0.106, 0.115)
"""Middle of a right hand's palm, between its wrist and its knuckles."""


def hand_parts(grip: str) -> tuple[Part, ...]:
    """A right hand seen from behind its wrist: "open", "hold", or with "knife", "spoon", "sponge"."""
    closed = grip != "open"
    fingers, nails = [], []
    for x, reach in ((-0.042, 0.92), (-0.013, 1.0), (0.016, 0.95), (0.042, 0.78)):
        if closed:
            joints = (
                (x, 0.115, 0.05),
                (x * 1.02, 0.118, 0.05 - 0.055 * reach),
                (x, 0.082, -0.035 * reach),
                (x * 0.95, 0.05, -0.012),
            )
        else:
            joints = (
                (x, 0.105, 0.05),
                (x * 1.25, 0.108, 0.05 - 0.05 * reach),
                (x * 1.42, 0.088, 0.05 - 0.092 * reach),
                (x * 1.5, 0.06, 0.05 - 0.118 * reach),
            )
        fingers.append(union(*_chain(joints, (0.0165, 0.0150, 0.0135, 0.0115)), blend=0.004))
        (_, ay, az), (bx, by, bz) = joints[2], joints[3]
        if not closed:
            nails.append(ellipsoid((bx, by * 0.8 + ay * 0.2 + 0.009, bz * 0.95 + az * 0.05), (0.0078, 0.0055, 0.0105)))
    thumb_tip = (-0.035, 0.055, -0.005) if closed else (-0.085, 0.062, -0.005)
    thumb = union(
        *_chain(((-0.03, 0.10, 0.13), (-0.068, 0.092, 0.065), thumb_tip), (0.022, 0.0175, 0.0125)), blend=0.01
    )
    wrist: Spot = (0.008, 0.108, 0.18)
    palm = [capsule(wrist, (x, 0.105, 0.055), 0.026, 0.0205) for x in (-0.034, -0.006, 0.02, 0.038)]
    arm = capsule(wrist, (0.05, 0.105, 0.36), 0.029, 0.038)
    skin = union(union(*palm, arm, thumb, blend=0.024), union(*fingers), blend=0.008)
    sleeve = capsule((0.035, 0.105, 0.29), (0.20, 0.06, 1.25), 0.050, 0.085)
    parts = [
        Part(distance=skin, colour="skin", gloss=0.10, paint=_skin),
        Part(distance=_folded(sleeve), colour="sleeve", gloss=0.0),
    ]
    if nails:
        parts.append(Part(distance=union(*nails), colour="nail", gloss=0.15))
    return (*parts, *_tool(grip))


def person_parts(yaw_deg: float) -> tuple[Part, ...]:
    """Head and shoulders behind the counter; at yaw 0 the eyes meet the wearer's."""
    face = union(
        ellipsoid((0, 0.27, 0), (0.078, 0.104, 0.088)), ellipsoid((0, 0.215, 0.018), (0.055, 0.062, 0.066)), blend=0.03
    )
    nose = union(capsule((0, 0.285, 0.088), (0, 0.250, 0.108), 0.010, 0.014), blend=0)
    ears = union(
        ellipsoid((-0.08, 0.265, -0.005), (0.012, 0.026, 0.018)),
        ellipsoid((0.08, 0.265, -0.005), (0.012, 0.026, 0.018)),
    )
    head = union(face, nose, ears, blend=0.012)
    hair = _hairline(ellipsoid((0, 0.285, -0.008), (0.088, 0.108, 0.097)))
    aside = yaw_deg / 45 * 0.35
    eyes = union(
        ellipsoid((-0.031, 0.282, 0.072), (0.0165, 0.0125, 0.0145)),
        ellipsoid((0.031, 0.282, 0.072), (0.0165, 0.0125, 0.0145)),
    )
    brows = union(
        capsule((-0.047, 0.306, 0.073), (-0.018, 0.308, 0.085), 0.005),
        capsule((0.047, 0.306, 0.073), (0.018, 0.308, 0.085), 0.005),
    )
    lips = capsule((-0.020, 0.211, 0.087), (0.020, 0.211, 0.087), 0.0065)
    neck = capsule((0, 0.10, -0.01), (0, 0.20, -0.01), 0.042)
    shirt = union(
        capsule((-0.13, 0.06, -0.02), (0.13, 0.06, -0.02), 0.058), box((0, -0.1, -0.02), (0.17, 0.19, 0.07), 0.06),
        capsule((-0.165, 0.05, -0.01), (-0.205, -0.2, 0.03), 0.052),
        capsule((0.165, 0.05, -0.01), (0.205, -0.2, 0.03), 0.052),
        blend=0.03,
    )  # fmt: skip

    def gaze(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        sin, cos = np.sin(np.deg2rad(yaw_deg)), np.cos(np.deg2rad(yaw_deg))
        across = np.abs(cos * x - sin * z) - 0.031
        side = np.sign(cos * x - sin * z)
        off = np.hypot(across - aside * side * 0.02, y - 0.282)
        return np.where(
            off[:, None] < 0.0045, 0.02, np.where(off[:, None] < 0.0088, np.array([0.22, 0.16, 0.10]), base)
        )

    return (
        Part(distance=turned(head, yaw_deg), colour="skin", gloss=0.08, paint=_skin),
        Part(distance=turned(hair, yaw_deg), colour="hair", gloss=0.25),
        Part(distance=turned(eyes, yaw_deg), colour="white", gloss=0.3, paint=gaze),
        Part(distance=turned(brows, yaw_deg), colour="hair"),
        Part(distance=turned(lips, yaw_deg), colour="lip", gloss=0.3),
        Part(distance=neck, colour="skin"),
        Part(distance=shirt, colour="sleeve"),
    )


def _tool(grip: str) -> tuple[Part, ...]:
    if grip == "knife":
        blade = capsule((0.0, 0.062, -0.03), (-0.035, 0.030, -0.225), 0.024, 0.012)
        return (
            Part(distance=_flattened(blade, (0.80, 0.58, -0.14), (-0.0175, 0.046, -0.1275)), colour="steel", gloss=0.8),
            Part(distance=capsule((0.0, 0.066, -0.03), (0.008, 0.085, 0.075), 0.0135), colour="black", gloss=0.3),
        )
    if grip == "spoon":
        handle = capsule((0.02, 0.18, 0.07), (-0.05, 0.03, -0.13), 0.008)
        return (
            Part(
                distance=union(handle, ellipsoid((-0.055, 0.022, -0.15), (0.026, 0.012, 0.034)), blend=0.01),
                colour="wood",
            ),
        )
    if grip == "sponge":
        return (
            Part(distance=box((-0.01, 0.036, -0.055), (0.075, 0.024, 0.062), 0.014), colour="sponge", gloss=0.0),
            Part(distance=box((-0.01, 0.011, -0.055), (0.075, 0.010, 0.062), 0.006), colour="scrub", gloss=0.0),
        )
    return ()


def _flattened(shape: Distance, normal: Spot, through: Spot) -> Distance:
    """The slice of the shape within 3 mm of a plane: a blade."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        off = sum(n * (p - c) for p, n, c in zip((x, y, z), normal, through, strict=True))
        return np.maximum(shape(x, y, z), np.abs(off) - np.float32(0.003)) * np.float32(0.9)

    return distance


def _chain(joints: tuple[Spot, ...], radii: tuple[float, ...]) -> list[Distance]:
    ends = zip(joints, joints[1:], radii, radii[1:], strict=False)
    return [capsule(a, b, radius, end_radius) for a, b, radius, end_radius in ends]


def _hairline(shape: Distance) -> Distance:
    return lambda x, y, z: np.maximum(shape(x, y, z), np.float32(0.325) - y + 0.9 * np.minimum(z, 0.03))


def _folded(shape: Distance) -> Distance:
    return lambda x, y, z: 0.8 * (shape(x, y, z) + 0.0022 * np.sin(38 * z + 9 * x) + 0.0018 * np.sin(71 * z - 30 * x))


def _skin(base: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    blotch = 0.5 + 0.5 * np.sin(61 * x + 40 * z) * np.sin(53 * z - 31 * x + 17 * y)
    knuckle = np.exp(-(((z - 0.05) / 0.012) ** 2)) + 0.7 * np.exp(-((z / 0.012) ** 2))
    return base * (
        1 + np.stack([0.05 * blotch, -0.05 * knuckle - 0.02 * blotch, -0.07 * knuckle - 0.03 * blotch], axis=1)
    )
