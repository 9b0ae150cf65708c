"""Rests, jumps, and MultiMatch between sequences of fixations."""

import math

import numpy as np
import pytest
import torch

from regard.errors import MissingExtraError
from regard.metrics.scanpaths.movements import distances, leave_one_out, movements, pooled
from regard.metrics.scanpaths.multimatch import Fixations, multimatch
from regard.types import Camera

CAMERA = Camera(height=100, width=100, matrix=np.array([[100.0, 0, 49.5], [0, 100.0, 49.5], [0, 0, 1]]))
RIGHT_DEG = math.degrees(2 * math.atan(0.3))


def path(*places: tuple[float, float, int]) -> torch.Tensor:
    """x, y and so many frames."""
    return torch.cat([torch.tensor([[x, y]], dtype=torch.float64).expand(n, 2) for x, y, n in places])


def of(points: torch.Tensor, resting: torch.Tensor | None = None):
    return movements(
        points[None], torch.ones(1, len(points), dtype=torch.bool) if resting is None else resting, CAMERA, rate_hz=10.0
    )


def test_rests_and_jumps_are_counted_by_hand() -> None:
    found = of(path((0.2, 0.5, 4), (0.8, 0.5, 3), (0.8, 0.2, 6), (0.8, 0.8, 2)))
    assert found.fixation_s.tolist() == pytest.approx([0.3, 0.6])
    assert found.amplitude_deg[0].item() == pytest.approx(RIGHT_DEG)
    assert found.way_deg.tolist() == pytest.approx([0, 90, 270])


def test_saccades_between_rests_make_one_jump_and_lost_gaze_makes_none() -> None:
    points = path((0.2, 0.5, 4), (0.4, 0.5, 1), (0.8, 0.5, 4), (0.8, 0.1, 3))
    resting = torch.ones(1, 12, dtype=torch.bool)
    resting[0, 4] = False
    found = of(points, resting)
    assert found.way_deg.tolist() == pytest.approx([0, 90])
    assert found.fixation_s.tolist() == pytest.approx([0.4])
    points[9] = torch.nan
    lost = of(points, resting)
    assert len(lost.fixation_s) == 0
    points[8:11] = torch.nan
    assert of(points, resting).way_deg.tolist() == pytest.approx([0])


def test_a_path_without_jumps_has_no_distance_in_them() -> None:
    still, moving = of(path((0.5, 0.5, 9))), of(path((0.2, 0.5, 4), (0.8, 0.5, 3), (0.8, 0.2, 6)))
    told = distances(still, moving)
    assert all(math.isnan(told[name]) for name in ("fixation_s", "amplitude_deg", "way_deg"))


def test_each_person_is_compared_with_all_others() -> None:
    one, other = (of(path((0.2, 0.5, 4), (0.8, 0.5, n), (0.8, 0.2, 6))) for n in (3, 5))
    assert leave_one_out([one, other, other])[0]["fixation_s"] == pytest.approx(0.2)
    assert leave_one_out([one, other])[1] == distances(other, pooled([one]))
    with pytest.raises(ValueError, match="undefined"):
        leave_one_out([one])


def fixations(*places: tuple[float, float, float]) -> Fixations:
    x, y, seconds = np.array(places).T
    return Fixations(np.stack([x, y], axis=1), seconds)


def test_a_path_matches_itself_in_everything_and_another_by_what_differs() -> None:
    a = fixations((0.2, 0.5, 0.3), (0.8, 0.5, 0.2), (0.8, 0.2, 0.4), (0.2, 0.2, 0.3))
    same = multimatch(a, a, size=(100, 100))
    assert same[:5] == pytest.approx((1, 1, 1, 1, 1))
    shifted = multimatch(a, Fixations(a.point + np.array([0.1, 0.0]), a.duration_s), size=(100, 100))
    assert shifted[:3] == pytest.approx((1, 1, 1))
    assert shifted.position == pytest.approx(1 - 10 / math.hypot(100, 100))
    assert shifted.duration == pytest.approx(1)
    assert multimatch(a, Fixations(a.point, 2 * a.duration_s), size=(100, 100)).duration == pytest.approx(0.5)


@pytest.mark.parametrize("few", [1, 2])
def test_a_path_of_too_few_fixations_has_no_similarity_and_says_why(few: int) -> None:
    a = fixations((0.2, 0.5, 0.3), (0.8, 0.5, 0.2), (0.8, 0.2, 0.4))
    said = multimatch(Fixations(a.point[:few], a.duration_s[:few]), a, size=(100, 100))
    assert all(math.isnan(s) for s in said[:5])
    assert "in the first path" in said.undefined


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "multimatch_gaze", None)
    a = fixations((0.2, 0.5, 0.3), (0.8, 0.5, 0.2), (0.8, 0.2, 0.4))
    with pytest.raises(MissingExtraError, match="scanpaths"):
        multimatch(a, a, size=(100, 100))
