"""The scene camera on the wearer's head: from the counter to the picture."""

import numpy as np
from jaxtyping import Float

from regard.types import Camera
from regard.world.motion import Head
from regard.world.script import Visit
from regard.world.stage import EDGE_Y

FOCAL_WIDTHS = 0.75
"""Focal length in image widths: 67 degrees across."""
PERSON_SIZE = 0.95
FACE_BOX = (-0.092, 0.168, 0.092, 0.385)
"""Left, chin, right, crown of the person's head, in units of its sprite, up from the counter's far edge."""


class SceneCamera:
    """A pinhole camera of (height, width) pixels that turns with the head."""

    def __init__(self, head: Head, size: tuple[int, int]) -> None:
        self.head, self.size, self.focal_px = head, size, FOCAL_WIDTHS * size[1]

    @property
    def calibration(self) -> Camera:
        """What camera.json says."""
        height, width = self.size
        matrix = [[self.focal_px, 0, (width - 1) / 2], [0, self.focal_px, (height - 1) / 2], [0, 0, 1]]
        return Camera(height=height, width=width, matrix=np.array(matrix, np.float64))

    @property
    def degree(self) -> float:
        """One degree in the middle of the picture, in image widths."""
        return FOCAL_WIDTHS * float(np.deg2rad(1))

    def pixel(self, rotation: Float[np.ndarray, "3 3"], x: float, y: float) -> Float[np.ndarray, "2"]:
        """Where a tangent position of the world lies in the picture, in pixels from its top-left corner."""
        across, down, ahead = rotation @ (x, y, 1.0)
        return np.array(
            [self.focal_px * across / ahead + self.size[1] / 2, self.focal_px * down / ahead + self.size[0] / 2]
        )

    def normalised(self, point: Float[np.ndarray, "n 2"], time_s: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 2"]:
        """Where tangent positions of the world appear at their moments, normalised to the image."""
        rays = np.concatenate([point, np.ones((len(point), 1))], axis=1)
        across, down, ahead = np.einsum("nij,nj->in", self.head.rotations(time_s), rays)
        height, width = self.size
        seen = np.stack([self.focal_px * across / ahead, self.focal_px * down / ahead], axis=1)
        return seen / [width, height] + 0.5

    def to_world(self, rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
        """The homography from pixels to tangent positions of the world."""
        height, width = self.size
        ray = [
            [1 / self.focal_px, 0, -width / 2 / self.focal_px],
            [0, 1 / self.focal_px, -height / 2 / self.focal_px],
            [0, 0, 1],
        ]
        return rotation.T @ np.array(ray)

    def box(self, x0: float, y0: float, x1: float, y1: float, time_s: float) -> tuple[float, float, float, float]:
        """The smallest normalised box around an upright rectangle of the world: (left, top, right, bottom)."""
        corners = np.array([(x, y) for x in (x0, x1) for y in (y0, y1)])
        seen = self.normalised(corners, np.full(4, time_s))
        (x0, y0), (x1, y1) = seen.min(axis=0), seen.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    def face_box(self, visit: Visit, time_s: float) -> tuple[float, float, float, float] | None:
        """The visitor's head in the image; None while nobody is there or its middle is out of the picture."""
        if not visit.start_s <= time_s <= visit.end_s:
            return None
        left, chin, right, crown = (PERSON_SIZE * side for side in FACE_BOX)
        x = walked(visit, time_s)
        x0, y0, x1, y1 = self.box(x + left, EDGE_Y - crown, x + right, EDGE_Y - chin, time_s)
        return (x0, y0, x1, y1) if 0 < (x0 + x1) / 2 < 1 and 0 < (y0 + y1) / 2 < 1 else None


def walked(visit: Visit, time_s: float) -> float:
    """Where the person stands: they come from the nearer side, and leave to it."""
    side = np.sign(visit.x) or 1.0
    away = max(1 - (time_s - visit.start_s), 1 - (visit.end_s - time_s), 0.0)
    return float(visit.x + side * 1.3 * away**2 * (3 - 2 * away))
