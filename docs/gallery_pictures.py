"""Draws the pictures of docs/gallery.md by regard's own commands on the built-in world.

python docs/gallery_pictures.py [FOLDER]      works in FOLDER (default: a temporary one), writes docs/images/gallery
"""

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import regard
from regard.world import write_world

IMAGES = Path(__file__).parent / "images" / "gallery"
WIDTH = 480
"""Of each picture, in pixels."""
AT_S = 3.0


def keep(picture: np.ndarray, name: str) -> None:
    """As a small JPEG."""
    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((WIDTH, 2 * WIDTH))
    image.save(IMAGES / f"{name}.jpg", quality=82, optimize=True)


def run(*words: str) -> None:
    """One command of regard."""
    subprocess.run([sys.executable, "-m", "regard", *words], check=True)


def moment(film: Path, time_s: float = AT_S) -> np.ndarray:
    """One frame of a film."""
    with closing(regard.Video(film)) as video:
        return video.frames_at(np.array([time_s]))[0]


def main() -> None:
    """Every picture once."""
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    walk = place / "kitchen"
    if not walk.exists():
        write_world(walk, seed=7, duration_s=8.0)
    out = place / "out"
    run("show", str(walk), "--out", str(out / "show"))
    keep(moment(out / "show" / "gaze.mp4"), "show")
    for name in ("heatmap", "scanpath"):
        keep(np.asarray(Image.open(out / "show" / f"{name}.png").convert("RGB")), name)
    run("events", str(walk), "--out", str(out / "events"))
    keep(moment(out / "events" / "events.mp4", 4.5), "events")
    run("predict", str(walk), "--model", "saliency", "--out", str(out / "predict"))
    keep(moment(out / "predict" / "saliency.mp4"), "predict")
    run("predict", str(walk), "--model", "centre-prior", "--out", str(out / "centre"))
    keep(moment(out / "centre" / "centre-prior.mp4"), "centre")
    halves = [regard.Area.box("left", 0.0, 0.4, 0.5, 1.0), regard.Area.box("right", 0.5, 0.4, 1.0, 1.0)]
    regard.areas(walk, halves).figure(out / "areas.png")
    keep(np.asarray(Image.open(out / "areas.png").convert("RGB")), "areas")
    table: pd.DataFrame = regard.eye_movements(walk).table
    axes = table.query("kind == 'saccade'").plot.scatter(x="amplitude_deg", y="peak_deg_s", figsize=(4.8, 3.2))
    axes.set(xlabel="amplitude, degrees", ylabel="peak speed, degrees a second")
    axes.figure.tight_layout()
    axes.figure.savefig(out / "saccades.png", dpi=120)
    keep(np.asarray(Image.open(out / "saccades.png").convert("RGB")), "saccades")


if __name__ == "__main__":
    main()
