"""Small solids, seen and lit once: signed distance functions -> sprites with shadows.

A solid is a tuple of parts, each a distance function with a colour. Axes: x right, y up from the counter, z towards the
viewer; the unit is the one of the counter (tangent of the viewing angle). The camera is orthographic, looks down by
`pitch_deg`, and the solid's own origin, on the counter, is the sprite's anchor. Rays are followed by sphere tracing
(Hart, 1996).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

Points = tuple[np.ndarray, np.ndarray, np.ndarray]
Distance = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Colour = tuple[float, float, float]
Paint = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]

LIGHT = (-0.55, 0.78, -0.30)
"""Towards the window, which is on the left and a little behind the counter."""
NUM_STEPS = 44
HIT = 0.0012
FAR = 2.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One material of a solid. `paint` changes the base colour [n, 3] by where the surface point (x, y, z) lies."""

    distance: Distance
    colour: str
    gloss: float = 0.2
    paint: Paint | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """A solid without its colours, so that one trace serves many worlds."""

    parts: tuple[Part, ...]
    shape: tuple[int, int]
    anchor: tuple[float, float]
    scale: float
    pixel: np.ndarray
    part: np.ndarray
    point: Points
    light: np.ndarray
    shine: np.ndarray
    shadow: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """A picture with transparency; `anchor` is the pixel of the solid's origin and `scale` its pixels per unit."""

    image: Image.Image
    anchor: tuple[float, float]
    scale: float


def trace(
    parts: tuple[Part, ...],
    window: tuple[float, float, float, float],
    *,
    scale: float,
    pitch_deg: float,
    light: tuple[float, float, float] = LIGHT,
) -> Trace:
    """What of the solid is seen, and how it is lit, in `window` (left, right, below, above) around its origin."""
    left, right, below, above = window
    towards = (np.array(light) / np.linalg.norm(light)).astype(np.float32)
    width, height = round((right - left) * scale), round((above - below) * scale)
    u, v = np.meshgrid(
        (left + (np.arange(width) + 0.5) / scale).astype(np.float32),
        (above - (np.arange(height) + 0.5) / scale).astype(np.float32),
    )
    u, v = u.ravel(), v.ravel()
    sin, cos = np.float32(np.sin(np.deg2rad(pitch_deg))), np.float32(np.cos(np.deg2rad(pitch_deg)))
    start = (u, v * cos + 1.2 * sin, -v * sin + 1.2 * cos)
    ray = (np.float32(0), -sin, -cos)

    depth, alive, hit = np.zeros(u.size, np.float32), np.arange(u.size), np.zeros(u.size, bool)
    for _ in range(NUM_STEPS):
        near = _nearest(parts, *(s[alive] + r * depth[alive] for s, r in zip(start, ray, strict=True)))
        depth[alive] += near * 0.92
        hit[alive[near < HIT]] = True
        alive = alive[(near >= HIT) & (depth[alive] < FAR)]
    pixel = np.flatnonzero(hit)
    x, y, z = (s[pixel] + r * depth[pixel] for s, r in zip(start, ray, strict=True))
    point = (x, y, z)
    each = np.stack([part.distance(*point) for part in parts])
    normal = _normal(parts, point)

    facing = np.clip(normal @ towards, 0, 1)
    open_sky = 0.5 + 0.5 * normal[:, 1]
    crevice = _openness(parts, point, normal)
    x, y, z = (p + np.float32(0.012) * n for p, n in zip(point, normal.T, strict=True))
    sun = 0.35 + 0.65 * _lit(parts, (x, y, z), towards)
    arriving = crevice * (0.34 + 0.30 * open_sky) + 0.62 * facing * sun
    half = towards + np.array([0, sin, cos])
    shine = np.clip(normal @ (half / np.linalg.norm(half)).astype(np.float32), 0, 1)

    shadow = np.zeros(u.size, np.float32)
    if sin > 0.3:
        ground = (u, np.full_like(u, 0.001), -v / sin)
        contact = np.clip(1 - _nearest(parts, *ground) / 0.05, 0, 1)
        edge = np.clip(np.minimum(np.minimum(u - left, right - u), np.minimum(v - below, above - v)) / 0.05, 0, 1)
        shadow = edge * np.clip(0.62 * (1 - _lit(parts, ground, towards)) + 0.30 * contact**2, 0, 0.75)
    anchor = (-left * scale, above * scale)
    return Trace(
        parts=parts, shape=(height, width), anchor=anchor, scale=scale, pixel=pixel, part=each.argmin(axis=0),
        point=point, light=arriving, shine=shine, shadow=shadow.reshape(height, width),
    )  # fmt: skip


def coloured(traced: Trace, colours: dict[str, Colour], *, scale: float) -> tuple[Sprite, Sprite]:
    """(the solid, its shadow on the counter) at `scale` pixels per unit."""
    height, width = traced.shape
    rgba = np.zeros((height * width, 4), np.float32)
    for number, part in enumerate(traced.parts):
        mine = traced.part == number
        x, y, z = (p[mine] for p in traced.point)
        base = np.broadcast_to(np.array(colours[part.colour], np.float32), (x.size, 3))
        if part.paint is not None:
            base = part.paint(base, x, y, z)
        lit = base * traced.light[mine, None] * np.array([1.06, 1.0, 0.93])
        lit = lit + part.gloss * (0.75 * traced.shine[mine, None] ** 40 + 0.16 * traced.shine[mine, None] ** 6)
        rgba[traced.pixel[mine], :3] = lit
        rgba[traced.pixel[mine], 3] = 1
    shadow = np.zeros((height, width, 4), np.float32)
    shadow[..., 0], shadow[..., 3] = 0.05, traced.shadow
    return _sprite(rgba.reshape(height, width, 4), traced, scale), _sprite(shadow, traced, scale)


def _sprite(rgba: np.ndarray, traced: Trace, scale: float) -> Sprite:
    image = Image.fromarray((np.clip(rgba, 0, 1) * 255).astype(np.uint8))
    ratio = scale / traced.scale
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    image = image.resize(size, Image.Resampling.BOX if ratio < 1 else Image.Resampling.BICUBIC)
    return Sprite(image=image, anchor=(traced.anchor[0] * ratio, traced.anchor[1] * ratio), scale=scale)


def _nearest(parts: tuple[Part, ...], x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    near = parts[0].distance(x, y, z)
    for part in parts[1:]:
        near = np.minimum(near, part.distance(x, y, z))
    return near


def _normal(parts: tuple[Part, ...], point: Points) -> np.ndarray:
    total = np.zeros((point[0].size, 3), np.float32)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        near = _nearest(parts, *(p + np.float32(0.0015 * c) for p, c in zip(point, corner, strict=True)))
        total += near[:, None] * np.array(corner, np.float32)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)


def _openness(parts: tuple[Part, ...], point: Points, normal: np.ndarray) -> np.ndarray:
    """1 where nothing stands in front of the surface, less in creases and near the counter."""
    shut = np.zeros(point[0].size, np.float32)
    for reach in (0.012, 0.035, 0.07):
        x, y, z = (p + np.float32(reach) * n for p, n in zip(point, normal.T, strict=True))
        shut += np.clip(reach - np.minimum(_nearest(parts, x, y, z), np.maximum(y, 0)), 0, reach) / reach / 3
    return 1 - 0.75 * shut


def _lit(parts: tuple[Part, ...], point: Points, towards: np.ndarray) -> np.ndarray:
    """Share of the window's light that arrives at each point, with soft edges."""
    share, along = np.ones(point[0].size, np.float32), np.full(point[0].size, 0.015, np.float32)
    for _ in range(12):
        near = _nearest(parts, *(p + np.float32(d) * along for p, d in zip(point, towards, strict=True)))
        share = np.minimum(share, np.clip(7 * near / along, 0, 1))
        along += np.clip(near, 0.012, 0.08)
    return share
