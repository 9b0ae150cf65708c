"""The room: a kitchen counter with a blurred background, painted once per world on a wide canvas."""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

SPAN = (1.5, 0.95)
"""Half the canvas in tangents of the viewing angle: nothing outside is ever seen."""
EDGE_Y = -0.13
"""Where the counter ends and the room begins."""


def canvas_pixel(x: float, y: float, scale: float) -> tuple[float, float]:
    """Where a tangent position lies on the canvas of `scale` pixels per unit."""
    return (x + SPAN[0]) * scale, (y + SPAN[1]) * scale


def room(rng: np.random.Generator, scale: float) -> Image.Image:
    """Wall, window and shelf, out of focus; no counter yet."""
    width, height = round(2 * SPAN[0] * scale), round(2 * SPAN[1] * scale)
    wall = np.array([(0.90, 0.84, 0.73), (0.62, 0.74, 0.76), (0.88, 0.75, 0.65), (0.70, 0.78, 0.66)][rng.integers(4)])
    y = np.linspace(1.06, 0.92, height)[:, None, None]
    x = np.linspace(1.10, 0.74, width)[None, :, None]
    image = Image.fromarray((np.clip(wall * y * x, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)

    def block(x0: float, y0: float, x1: float, y1: float, colour: tuple[int, ...]) -> None:
        draw.rectangle((*canvas_pixel(x0, y0, scale), *canvas_pixel(x1, y1, scale)), fill=colour)

    shift = rng.uniform(-0.12, 0.12)
    block(-1.02 + shift, -0.95, -0.40 + shift, -0.20, (236, 232, 224))
    block(-0.99 + shift, -0.95, -0.73 + shift, -0.23, (250, 252, 253))
    block(-0.69 + shift, -0.95, -0.43 + shift, -0.23, (250, 252, 252))
    block(-0.99 + shift, -0.36, -0.73 + shift, -0.23, (196, 214, 184))
    block(-0.69 + shift, -0.33, -0.43 + shift, -0.23, (200, 216, 190))
    block(0.30 + shift, -0.34, 1.20 + shift, -0.315, (120, 86, 56))
    place = 0.34 + shift
    while place < 1.1 + shift:
        wide, tall = rng.uniform(0.03, 0.09), rng.uniform(0.06, 0.2)
        tint = rng.uniform(0.3, 0.85, 3)
        block(place, -0.34 - tall, place + wide, -0.34, tuple(int(255 * (0.5 * c + 0.5 * tint.mean())) for c in tint))
        place += wide + rng.uniform(0.01, 0.08)
    block(-1.5, EDGE_Y - 0.10, 1.5, EDGE_Y + 0.1, (120, 104, 88))
    return image.filter(ImageFilter.GaussianBlur(0.016 * scale))


def counter(rng: np.random.Generator, scale: float) -> Image.Image:
    """The counter's top as RGBA, transparent above its far edge: wooden planks or marble, lit from the left."""
    width, height = round(2 * SPAN[0] * scale), round(2 * SPAN[1] * scale)
    top = round((EDGE_Y + SPAN[1]) * scale)
    rows = (np.arange(top, height) + 0.5) / scale - SPAN[1]
    x = ((np.arange(width) + 0.5) / scale - SPAN[0])[None, :]
    far = (1 / (rows + 0.95))[:, None]
    across, along = x * far, np.broadcast_to(1.6 * far, (rows.size, width))
    wooden = rng.random() < 0.6
    colour = (_wood if wooden else _marble)(rng, across, along)
    glow = np.exp(-(((x + 0.75) / 0.6) ** 2) - ((rows[:, None] - 0.02) / 0.22) ** 2)
    shade = 1.02 - 0.16 * x / SPAN[0] - 0.10 * np.clip(rows[:, None] - 0.3, 0, 1)
    lit = colour * shade[..., None] * [1.03, 1.0, 0.95] + 0.20 * glow[..., None]
    lit[: max(2, round(0.012 * scale))] *= 1.12
    rgba = np.zeros((height, width, 4), np.uint8)
    rgba[top:, :, :3] = np.clip(lit, 0, 1) * 255
    rgba[top:, :, 3] = 255
    return Image.fromarray(rgba)


def _wood(rng: np.random.Generator, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    base = np.array([(0.66, 0.47, 0.30), (0.55, 0.37, 0.24), (0.74, 0.58, 0.41)][rng.integers(3)])
    row = along / 0.145
    plank = np.floor(row).astype(int)
    tone = rng.uniform(0.88, 1.08, 64)[plank % 64]
    offset = rng.uniform(0, 40, 64)[plank % 64]
    bend = _noise(rng, across * 2.2 + offset, along * 9)
    grain = np.sin(2 * np.pi * (along * 34 + 2.6 * bend + 0.35 * np.sin(across * 3 + offset)))
    fine = _noise(rng, across * 14 + offset, along * 260)
    seam = np.exp(-((np.minimum(row % 1, 1 - row % 1) / 0.018) ** 2))
    shade = tone * (1 + 0.055 * grain + 0.10 * (bend - 0.5) + 0.16 * (fine - 0.5)) * (1 - 0.45 * seam)
    return base * shade[..., None]


def _marble(rng: np.random.Generator, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    base = np.array([(0.86, 0.85, 0.83), (0.34, 0.36, 0.38), (0.78, 0.74, 0.68)][rng.integers(3)])
    cloud = sum(_noise(rng, across * 3 * 2**i, along * 4 * 2**i) / 2**i for i in range(4)) / 1.875
    veins = np.exp(-np.abs(np.sin(2.4 * across + 3.1 * along + 7 * cloud)) / 0.05)
    speck = _noise(rng, across * 120, along * 150)
    shade = (
        0.93 + 0.14 * (cloud - 0.5) - 0.22 * veins * (0.4 + cloud) * np.sign(base.mean() - 0.5) + 0.06 * (speck - 0.5)
    )
    return base * shade[..., None]


def _noise(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Float[np.ndarray, "h w"]:
    """Value noise in [0, 1] with a period of 64 cells."""
    table = rng.random((64, 64), np.float32)
    cell_x, cell_y = np.floor(x), np.floor(y)
    fx, fy = (x - cell_x).astype(np.float32), (y - cell_y).astype(np.float32)
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    i, j = cell_x.astype(np.int64) % 64, cell_y.astype(np.int64) % 64
    k, m = (i + 1) % 64, (j + 1) % 64
    upper = table[j, i] + fx * (table[j, k] - table[j, i])
    lower = table[m, i] + fx * (table[m, k] - table[m, i])
    return upper + fy * (lower - upper)
