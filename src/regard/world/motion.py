"""Smooth motion between keyframes, and the head that turns after the eyes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

HEAD_FOLLOWS = 0.45
"""Share of a gaze shift that the head takes over; the eyes keep the rest."""
HEAD_LAG_S = 0.28
MAX_YAW_RAD = 0.32
MAX_PITCH_RAD = 0.13
MEAN_GAZE_Y = 0.12
"""Height on the counter at which the head is level: the middle of the working area."""


@dataclass(slots=True, eq=False)
class Path:
    """A thing's way through d numbers: it rests at each keyframe and moves between two with minimum jerk.

    Source: Flash and Hogan, The coordination of arm movements, 1985.
    """

    time_s: list[float]
    value: list[np.ndarray]

    @classmethod
    def resting(cls, *value: float) -> "Path":
        """Never anywhere else than here."""
        return cls([0.0], [np.array(value, np.float64)])

    def move(self, start_s: float, duration_s: float, to: Float[np.ndarray, "d"]) -> None:
        """From wherever it is at `start_s` to `to`; whatever was planned after `start_s` is dropped."""
        here = self.at(np.array([start_s]))[0]
        while self.time_s[-1] >= start_s and len(self.time_s) > 1:
            self.time_s.pop()
            self.value.pop()
        self.time_s += [start_s, start_s + duration_s]
        self.value += [here, np.asarray(to, np.float64)]

    def at(self, time_s: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n d"]:
        """Where it is at each moment."""
        times, values = np.array(self.time_s), np.array(self.value)
        after = np.clip(np.searchsorted(times, time_s, side="right"), 0, len(times) - 1)
        before = np.maximum(after - 1, 0)
        share = np.clip((time_s - times[before]) / np.maximum(times[after] - times[before], 1e-9), 0, 1)
        eased = (share**3 * (10 - 15 * share + 6 * share**2))[:, None]
        return values[before] + eased * (values[after] - values[before])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """Yaw, pitch and roll of the scene camera, sampled at `rate_hz` from time 0."""

    rate_hz: float
    angle_rad: Float[np.ndarray, "n 3"]

    def rotations(self, time_s: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 3 3"]:
        """Each turns a direction of the world (x right, y down, z ahead) into one of the camera at that moment."""
        clock = np.arange(len(self.angle_rad)) / self.rate_hz
        yaw, pitch, roll = (np.interp(time_s, clock, angle) for angle in self.angle_rad.T)
        one, zero = np.ones_like(yaw), np.zeros_like(yaw)
        cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
        about_y = np.array([[cy, zero, -sy], [zero, one, zero], [sy, zero, cy]])
        about_x = np.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
        about_z = np.array([[cr, sr, zero], [-sr, cr, zero], [zero, zero, one]])
        return np.einsum("ijn,jkn,kln->nil", about_z, about_x, about_y)
