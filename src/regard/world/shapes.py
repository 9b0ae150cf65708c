"""Distance functions: the vocabulary in which cups, hands and heads are said."""

from itertools import pairwise

import numpy as np

from regard.world.solid import Distance

Number = float | int
Spot = tuple[Number, Number, Number]


def revolved(outline: tuple[tuple[Number, Number], ...], thickness: Number) -> Distance:
    """A wall of revolution around the y axis: the polyline of (radius, height) turned, `thickness` to each side."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        r = np.sqrt(x * x + z * z)
        near = np.full_like(r, 9.0)
        for (ar, ay), (br, by) in pairwise(outline):
            dr, dy = br - ar, by - ay
            share = np.clip(((r - ar) * dr + (y - ay) * dy) / (dr * dr + dy * dy), 0, 1)
            near = np.minimum(near, (r - ar - share * dr) ** 2 + (y - ay - share * dy) ** 2)
        return np.sqrt(near) - np.float32(thickness)

    return distance


def capsule(a: Spot, b: Spot, radius: Number, end_radius: float | None = None) -> Distance:
    """A rod with round ends from `a` to `b`; the radius changes linearly to `end_radius`."""
    axis = [q - p for p, q in zip(a, b, strict=True)]
    length2 = sum(d * d for d in axis)
    growth = (radius if end_radius is None else end_radius) - radius

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        px, py, pz = x - np.float32(a[0]), y - np.float32(a[1]), z - np.float32(a[2])
        share = np.clip((px * axis[0] + py * axis[1] + pz * axis[2]) / np.float32(length2), 0, 1)
        px, py, pz = px - share * axis[0], py - share * axis[1], pz - share * axis[2]
        return np.sqrt(px * px + py * py + pz * pz) - (radius + growth * share)

    return distance


def ellipsoid(centre: Spot, radii: Spot) -> Distance:
    """Not an exact distance, but never one that oversteps by much for modest radii."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        scaled = [(p - np.float32(c)) / np.float32(r) for p, c, r in zip((x, y, z), centre, radii, strict=True)]
        return (np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2) - 1) * np.float32(min(radii))

    return distance


def box(centre: Spot, halves: Spot, rounding: Number) -> Distance:
    """A box with rounded edges."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        outside = [
            np.abs(p - np.float32(c)) - np.float32(h - rounding)
            for p, c, h in zip((x, y, z), centre, halves, strict=True)
        ]
        beyond = np.sqrt(sum(np.maximum(o, 0) ** 2 for o in outside))
        return beyond + np.minimum(np.maximum(np.maximum(*outside[:2]), outside[2]), 0) - np.float32(rounding)

    return distance


def ring(centre: Spot, radius: Number, thickness: Number) -> Distance:
    """A torus that stands upright in the x-y plane, like the ear of a cup."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        around = np.sqrt((x - np.float32(centre[0])) ** 2 + (y - np.float32(centre[1])) ** 2) - np.float32(radius)
        return np.sqrt(around * around + (z - np.float32(centre[2])) ** 2) - np.float32(thickness)

    return distance


def union(*shapes: Distance, blend: Number = 0.0) -> Distance:
    """All of the shapes; `blend` rounds the seams between them (polynomial smooth minimum, Quilez)."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        near = shapes[0](x, y, z)
        for shape in shapes[1:]:
            other = shape(x, y, z)
            if blend:
                mix = np.maximum(blend - np.abs(near - other), 0) / np.float32(blend)
                near = np.minimum(near, other) - mix * mix * np.float32(blend / 4)
            else:
                near = np.minimum(near, other)
        return near

    return distance


def cut_across(shape: Distance, at: tuple[float, ...], gap: Number) -> Distance:
    """The shape sliced by planes of constant x, each `gap` wide."""

    def distance(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        near = shape(x, y, z)
        for plane in at:
            near = np.maximum(near, np.float32(gap / 2) - np.abs(x - np.float32(plane)))
        return near

    return distance


def turned(shape: Distance, yaw_deg: Number) -> Distance:
    """The shape turned about the y axis; positive turns its front towards +x."""
    sin, cos = np.float32(np.sin(np.deg2rad(yaw_deg))), np.float32(np.cos(np.deg2rad(yaw_deg)))
    return lambda x, y, z: shape(cos * x - sin * z, y, sin * x + cos * z)
