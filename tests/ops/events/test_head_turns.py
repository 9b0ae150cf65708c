"""The turn between two pictures of a textured world, drawn through a camera with a lens."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

from regard.ops.events import turns_between
from regard.ops.geometry import camera_rays
from regard.types import Camera

CAMERA = Camera(
    height=240,
    width=320,
    matrix=np.array([[180.0, 0, 159.5], [0, 180.0, 119.5], [0, 0, 1]]),
    distortion=np.array([-0.12, 0.02, 0.0, 0.0]),
)


def picture(turn_rad: np.ndarray) -> np.ndarray:
    """The world's texture (yaw, pitch) as the camera sees it after it turned: what it sees moved by `turn_rad`."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (900, 1400), np.uint8), (0, 0), 2.5)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    y, x = np.mgrid[0:240, 0:320]
    point = np.stack([(x + 0.5) / 320, (y + 0.5) / 240], axis=-1)
    ray = camera_rays(torch.from_numpy(point), CAMERA).numpy()
    rotation, _ = cv2.Rodrigues(turn_rad)
    ray = ray @ rotation  # back to where the world was seen before
    yaw, pitch = np.arctan2(ray[..., 0], ray[..., 2]), np.arctan2(ray[..., 1], np.hypot(ray[..., 0], ray[..., 2]))
    at = np.stack([700 + 400 * yaw, 450 + 400 * pitch], axis=-1).astype(np.float32)
    return cv2.remap(texture, at, None, cv2.INTER_LINEAR)


@pytest.mark.parametrize("turn_deg", [(0.0, 1.0, 0.0), (-0.8, 0.3, 0.5), (0.0, 0.0, 0.0), (0.5, -2.5, 0.2)])
def test_a_turn_is_found_to_a_few_hundredths_of_a_degree(turn_deg: tuple[float, float, float]):
    turn_rad = np.deg2rad(turn_deg)
    found = turns_between([picture(np.zeros(3)), picture(turn_rad)], CAMERA)[0]
    np.testing.assert_allclose(np.rad2deg(found), turn_deg, atol=0.03)


def test_a_thing_that_moves_by_itself_is_not_the_heads_turn():
    before, after = picture(np.zeros(3)), picture(np.deg2rad([0.0, 1.0, 0.0]))
    patch = np.random.default_rng(1).integers(0, 256, (80, 80), np.uint8)
    before[80:160, 60:140], after[80:160, 80:160] = patch, patch
    np.testing.assert_allclose(np.rad2deg(turns_between([before, after], CAMERA)[0]), [0, 1, 0], atol=0.05)


def test_pictures_that_say_nothing_are_unknown():
    blank, world = np.full((240, 320), 128, np.uint8), picture(np.zeros(3))
    cut = np.random.default_rng(2).integers(0, 256, (240, 320), np.uint8)
    for before, after in ((blank, blank), (blank, world), (world, cut)):
        assert np.isnan(turns_between([before, after], CAMERA)[0]).all()


def test_turns_of_a_chain_of_pictures_are_those_of_each_pair():
    chain = [picture(np.deg2rad([0.0, angle, 0.0])) for angle in (0.0, 0.5, 1.5)]
    chain.append(np.full((240, 320), 128, np.uint8))
    found = turns_between(chain, CAMERA)
    alone = [turns_between(list(pair), CAMERA)[0] for pair in pairwise(chain)]
    np.testing.assert_allclose(found, alone, atol=1e-12)
    assert np.isnan(found).any(axis=1).tolist() == [False, False, True]
    assert turns_between(chain[:1], CAMERA).shape == (0, 3)
