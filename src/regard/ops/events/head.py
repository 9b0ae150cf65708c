"""How far the head turned from one picture of the scene camera to the next: the rotation that most of it makes."""

import cv2
import numpy as np
import torch
from jaxtyping import Float64, UInt8

from regard.ops.geometry import camera_rays
from regard.types import Camera

PICTURE_HEIGHT = 240
"""Pixels; corners that are followed at this size are placed to a tenth of a pixel, 0.02 degrees of a usual camera."""
MOST_CORNERS, LEAST_CORNERS = 200, 12
CORNER_QUALITY = 0.01
"""Of the picture's best corner; OpenCV's usual choice."""
WINDOW_PX = 15
ROUNDS = 15
"""Of reweighting, after which the turn no longer changes."""
NEAR_RAD, NEAR_SHARE = np.deg2rad(0.15), 0.1
"""A corner goes with the turn when it misses it by less than this, and this share of the turn."""
LEAST_AGREEING = 0.5
"""Share of the corners that go with the turn, without which nobody knows how the head turned."""


def turn_between(
    before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"], camera: Camera
) -> Float64[np.ndarray, "3"]:
    """Rotation vector in camera axes (radians) by which the still world went from one grey picture to the next.

    A world point seen in direction r is seen in r + turn x r afterwards. NaN where too little can be followed (blank,
    blurred or cut) or less than half of it agrees. A moving camera that does not turn counts as turning, as far as what
    it passes is at one distance.
    Corners by Shi and Tomasi (1994) are followed by Lucas and Kanade's method in a pyramid; the turn is their robust
    least-squares fit (Geman-McClure weights).
    """
    unknown = np.full(3, np.nan)
    h, w = before.shape
    corner = cv2.goodFeaturesToTrack(before, MOST_CORNERS, CORNER_QUALITY, max(5, h // 30))
    if corner is None or len(corner) < LEAST_CORNERS:
        return unknown
    followed, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corner, np.zeros_like(corner), winSize=(WINDOW_PX,) * 2
    )
    pixel = np.concatenate([corner, followed], axis=1)[found[:, 0] == 1].astype(np.float64)
    ray = camera_rays(torch.from_numpy((pixel + 0.5) / [w, h]), camera).numpy()
    start, end = ray[np.isfinite(ray).all(axis=(1, 2))].transpose(1, 0, 2)
    if len(start) < LEAST_CORNERS:
        return unknown
    x, y, z = start.T
    none = np.zeros_like(x)
    # turn x start, as a matrix that multiplies the turn
    across = np.stack([none, z, -y, -z, none, x, y, -x, none], axis=1).reshape(-1, 3, 3)
    moved, missed, turn = end - start, none, np.zeros(3)
    for _ in range(ROUNDS):
        scale = max(1.5 * float(np.median(missed)), NEAR_RAD / 10)
        weight = 1 / (1 + (missed / scale) ** 2) ** 2
        turn = np.linalg.solve(
            np.einsum("n,nij,nik->jk", weight, across, across), np.einsum("n,nij,ni->j", weight, across, moved)
        )
        missed = np.linalg.norm(moved - across @ turn, axis=1)
    agreeing = np.mean(missed < NEAR_RAD + NEAR_SHARE * np.linalg.norm(turn))
    return turn if agreeing >= LEAST_AGREEING else unknown
