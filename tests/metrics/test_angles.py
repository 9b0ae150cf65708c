import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.metrics.angles import (
    centre_of_mass_angle_published,
    normalised_distance,
)
from regard.ops.geometry import visual_angle_deg
from regard.types import Camera

GOLDEN = Path(__file__).parents[1] / "golden" / "gaze_antic_misc"
CAMERA = Camera(height=100, width=200, matrix=np.array([[100.0, 0, 99.5], [0, 100.0, 49.5], [0, 0, 1]]))


def test_visual_angle_worked_by_hand():
    # The focal length is half the width: the right border lies at 45 degrees, the lower one at atan(50 / 100).
    middle, right, low = torch.tensor([[0.5, 0.5], [1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    assert visual_angle_deg(right, middle, CAMERA).item() == pytest.approx(45.0)
    assert visual_angle_deg(low, middle, CAMERA).item() == pytest.approx(math.degrees(math.atan(0.5)))
    off_image = torch.tensor([1.5, 0.5], dtype=torch.float64)
    assert visual_angle_deg(off_image, middle, CAMERA).item() == pytest.approx(math.degrees(math.atan(2)))


def test_normalised_distance_worked_by_hand():
    a = torch.tensor([[0.0, 0.0], [0.5, 0.5], [1.5, 0.5]])
    b = torch.tensor([[0.3, 0.4], [0.5, 0.5], [0.5, 0.5]])
    torch.testing.assert_close(normalised_distance(a, b), torch.tensor([0.5, 0.0, 1.0]))


def test_unknown_gaze_has_no_error_and_no_points_have_none():
    known, unknown = torch.tensor([[0.5, 0.5]]), torch.tensor([[math.nan, math.nan]])
    assert normalised_distance(known, unknown).isnan().all()
    assert visual_angle_deg(unknown, known, CAMERA).isnan().all()
    assert normalised_distance(torch.zeros(0, 2), torch.zeros(0, 2)).shape == (0,)
    assert visual_angle_deg(torch.zeros(0, 2), torch.zeros(0, 2), CAMERA).shape == (0,)


def test_centre_of_mass_angle_equals_the_golden_one():
    with np.load(GOLDEN.with_suffix(".npz")) as arrays:
        rescaled = torch.from_numpy(arrays["met_rescaled"][:, 0])
        labels = torch.from_numpy(arrays["met_labels"])
    published = json.loads(GOLDEN.with_suffix(".json").read_text())["metrics"]["values"]
    angle = centre_of_mass_angle_published(rescaled, labels[..., :2])
    for dataset, fixation in (("ego4dgaze", 0), ("egteagaze", 1)):
        expected = published[f"glc/average_angle_error/{dataset}"]
        assert angle[labels[..., 2] == fixation].mean().item() == pytest.approx(expected, abs=1e-5)


def test_centre_of_mass_angle_worked_by_hand():
    # All mass at cell (32, 32), where the map's middle is; the gaze at the right border of a 60 degree view.
    rescaled = torch.zeros(64, 64)
    rescaled[32, 32] = 1.0
    assert centre_of_mass_angle_published(rescaled, torch.tensor([1.0, 0.5])).item() == pytest.approx(30.0)
    assert centre_of_mass_angle_published(rescaled, torch.tensor([math.nan, 0.5])).isnan()
