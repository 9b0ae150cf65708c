"""How far a head is turned, from five points: angles that are known come back, whatever the box and the tilt."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from regard.models.face_frontality import EYES_MM, HEIGHT_MM, NOSE_DOWN, NOSE_OUT_MM, FaceFrontality, turned_deg


def head(*, yaw_deg: float = 0.0, pitch_deg: float = 0.0, tilt_deg: float = 0.0) -> Float[Tensor, "5 2"]:
    """Nose, eyes and corners of the mouth of a head that was turned, seen from far away; x right, y down."""
    half, up, down = EYES_MM / 2, -NOSE_DOWN * HEIGHT_MM, (1 - NOSE_DOWN) * HEIGHT_MM
    points = np.array(
        [[0, 0, NOSE_OUT_MM], [half, up, 0], [-half, up, 0], [0.7 * half, down, 0], [-0.7 * half, down, 0]]
    )
    yaw, pitch, tilt = np.deg2rad([yaw_deg, pitch_deg, tilt_deg])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    lean = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return torch.tensor((points @ (nod @ turn).T)[:, :2] @ lean.T, dtype=torch.float32)


@pytest.mark.parametrize("angle_deg", [0.0, 10.0, 25.0, 45.0, -45.0, 70.0])
def test_a_head_that_is_turned_or_nods_is_turned_by_that_angle(angle_deg: float):
    assert turned_deg(head(yaw_deg=angle_deg)).item() == pytest.approx(abs(angle_deg), abs=0.1)
    assert turned_deg(head(pitch_deg=angle_deg)).item() == pytest.approx(abs(angle_deg), abs=0.1)


def test_a_tilted_head_a_squashed_box_and_a_mirror_make_no_difference():
    plain = turned_deg(head(yaw_deg=20)).item()
    squashed = head(yaw_deg=20, tilt_deg=30) * torch.tensor([0.01, 0.03]) + 0.2
    assert turned_deg(squashed).item() == pytest.approx(plain, abs=0.01)
    mirrored = (head(yaw_deg=20) * torch.tensor([-1.0, 1.0]))[[0, 2, 1, 4, 3]]
    assert turned_deg(mirrored).item() == pytest.approx(plain, abs=0.01)


def test_unknown_points_are_unknown_and_points_on_one_line_are_a_profile():
    assert turned_deg(torch.full((5, 2), torch.nan)).isnan().item()
    line = torch.tensor([[0.5, 0.5], [0.5, 0.2], [0.5, 0.2], [0.5, 0.8], [0.5, 0.8]])
    assert turned_deg(line).item() == pytest.approx(90.0)


def test_a_face_looks_up_to_half_deg_and_the_less_the_farther_it_is_turned():
    angles = [0.0, 15.0, 30.0]
    points = torch.stack([head(yaw_deg=a) for a in angles])
    landmarks = torch.cat([points, torch.ones(3, 5, 1)], dim=-1)[None]
    logits = FaceFrontality(half_deg=15.0)(landmarks, torch.tensor([[0, 1, 2]]))
    share = logits.softmax(dim=-1)[0, :, 1]
    assert share[1].item() == pytest.approx(0.5, abs=0.02)
    assert share[0] > 0.9
    assert share[2] < 0.1
    assert FaceFrontality()(landmarks).shape == (1, 1, 2)


def test_what_is_not_asked_about_changes_nothing():
    landmarks = torch.rand(1, 4, 5, 3)
    other = landmarks.clone()
    other[:, 2:] = torch.nan
    asked = torch.tensor([[0, 1]])
    model = FaceFrontality()
    assert torch.equal(model(landmarks, asked), model(other, asked))
