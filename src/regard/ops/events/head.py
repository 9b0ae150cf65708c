"""How far the head turned from one picture of the scene camera to the next: the rotation that most of it makes."""

from collections.abc import Sequence
from itertools import pairwise

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
WINDOW_PX = 11
ENOUGH = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
"""Steps, and pixels a step, after which a corner counts as followed."""
ROUNDS = 10
"""Of reweighting, after which the turn changes by no more than 0.003 degrees."""
NEAR_RAD, NEAR_SHARE = np.deg2rad(0.15), 0.1
"""A corner goes with the turn when it misses it by less than this, and this share of the turn."""
LEAST_AGREEING = 0.5
"""Share of the corners that go with the turn, without which nobody knows how the head turned."""


def turns_between(pictures: Sequence[UInt8[np.ndarray, "h w"]], camera: Camera) -> Float64[np.ndarray, "k 3"]:
    """Rotation vectors in camera axes (radians) by which the still world went from each grey picture to the next one.

    A world point seen in direction r is seen in r + turn x r afterwards. NaN where too little can be followed (blank,
    blurred or cut) or less than half of it agrees. A moving camera that does not turn counts as turning, as far as what
    it passes is at one distance.
    Corners by Shi and Tomasi (1994) are followed by Lucas and Kanade's method in a pyramid; the turn is their robust
    least-squares fit (Geman-McClure weights).
    """
    followed = [_followed(before, after) for before, after in pairwise(pictures)]
    turns = np.full((len(followed), 3), np.nan)
    if not followed:
        return turns
    ray = camera_rays(torch.from_numpy(np.concatenate(followed)), camera).numpy()
    parts = np.split(ray, np.cumsum([len(pair) for pair in followed])[:-1])
    seen = [part[np.isfinite(part).all(axis=(1, 2))] for part in parts]
    told = np.array([len(part) >= LEAST_CORNERS for part in seen], bool)
    if told.any():
        turns[told] = _fitted([part for part, is_told in zip(seen, told, strict=True) if is_told])
    return turns


def _followed(before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"]) -> Float64[np.ndarray, "n 2 2"]:
    """Where corners are before and after, normalised; none where there are too few."""
    h, w = before.shape
    corner = cv2.goodFeaturesToTrack(before, MOST_CORNERS, CORNER_QUALITY, max(5, h // 30))
    if corner is None or len(corner) < LEAST_CORNERS:
        return np.zeros((0, 2, 2))
    followed, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corner, np.zeros_like(corner), winSize=(WINDOW_PX,) * 2, criteria=ENOUGH
    )
    pixel = np.concatenate([corner, followed], axis=1)[found[:, 0] == 1].astype(np.float64)
    return (pixel + 0.5) / [w, h]


def _fitted(rays: Sequence[Float64[np.ndarray, "_ 2 3"]]) -> Float64[np.ndarray, "k 3"]:
    """The turn between each pair of pictures from unit directions before and after; NaN where too few agree."""
    count = np.array([len(ray) for ray in rays])
    is_ray = np.arange(count.max()) < count[:, None]
    before, moved = np.zeros((2, *is_ray.shape, 3))
    before[is_ray], after = np.concatenate([ray[:, 0] for ray in rays]), np.concatenate([ray[:, 1] for ray in rays])
    moved[is_ray] = after - before[is_ray]
    pulled, pair = np.cross(before, moved), np.arange(len(rays))
    missed, turn = np.where(is_ray, 0.0, np.inf), np.zeros((len(rays), 3))
    for _ in range(ROUNDS):
        ordered = np.sort(missed, axis=1)
        median = (ordered[pair, (count - 1) // 2] + ordered[pair, count // 2]) / 2
        scale = np.maximum(1.5 * median, NEAR_RAD / 10)
        weight = 1 / (1 + (missed / scale[:, None]) ** 2) ** 2
        # of a unit direction r, the matrix that makes turn x r has the square 1 - r r'
        square = weight.sum(axis=1)[:, None, None] * np.eye(3)
        square -= (before * weight[..., None]).transpose(0, 2, 1) @ before
        turn = np.linalg.solve(square, (weight[:, None] @ pulled).transpose(0, 2, 1))[..., 0]
        missed = np.where(is_ray, np.linalg.norm(moved - before @ _across(turn), axis=-1), np.inf)
    near = NEAR_RAD + NEAR_SHARE * np.linalg.norm(turn, axis=1)
    agreeing = (missed < near[:, None]).sum(axis=1) / count
    return np.where(agreeing[:, None] >= LEAST_AGREEING, turn, np.nan)


def _across(turn: Float64[np.ndarray, "k 3"]) -> Float64[np.ndarray, "k 3 3"]:
    """The matrices M for which r M = turn x r."""
    x, y, z = turn.T
    none = np.zeros_like(x)
    return np.stack([none, z, -y, -z, none, x, y, -x, none], axis=1).reshape(-1, 3, 3)
