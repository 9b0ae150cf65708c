import numpy as np
import pytest
import torch

from gaze_only.trajectory import VIEW_DEG, channels, filled, parts, statistics


def wander(b: int = 3, t: int = 60, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    steps = 0.02 * torch.randn(b, t, 2, generator=generator)
    return (0.5 + steps.cumsum(dim=1)).clamp(0, 1)


def all_of(point: torch.Tensor) -> torch.Tensor:
    return torch.ones(point.shape[:2], dtype=torch.bool)


def test_gaps_are_filled_on_lines_as_numpy_does():
    point = wander()
    valid = torch.rand(3, 60, generator=torch.Generator().manual_seed(1)) < 0.5
    whole = filled(point.masked_fill(~valid[..., None], torch.nan), valid, all_of(point), max_samples=99).point
    at = np.arange(60)
    for row in range(3):
        for k in range(2):
            expected = np.interp(at, at[valid[row]], point[row, :, k][valid[row]])
            np.testing.assert_allclose(whole[row, :, k], expected, atol=1e-6)


def test_of_a_long_trajectory_the_middle_is_taken():
    point = torch.arange(10.0)[None, :, None].expand(1, 10, 2) / 10
    frame_valid = torch.tensor([[True] * 8 + [False] * 2])
    gaze = filled(point, all_of(point), frame_valid, max_samples=4)
    np.testing.assert_allclose(gaze.point[0, :, 0], [0.2, 0.3, 0.4, 0.5])
    assert gaze.real.all()
    assert gaze.length.tolist() == [4]


def test_without_any_measurement_gaze_rests_and_says_so():
    gaze = filled(
        torch.full((1, 5, 2), torch.nan),
        torch.zeros(1, 5, dtype=torch.bool),
        all_of(torch.zeros(1, 5, 2)),
        max_samples=9,
    )
    np.testing.assert_allclose(gaze.point[0], [[0.5, 0.7]] * 5)
    assert not gaze.measured.any()
    assert torch.isfinite(statistics(gaze)).all()
    assert torch.isfinite(channels(gaze)).all()


@pytest.mark.parametrize("t", [1, 2, 7, 60])
def test_padding_and_masked_samples_have_no_influence(t):
    point = wander(3, t)
    valid = torch.rand(3, t, generator=torch.Generator().manual_seed(2)) < 0.7
    alone = filled(point, valid, all_of(point), max_samples=50)
    padded = torch.cat([point.masked_fill(~valid[..., None], 7.0), torch.full((3, 20, 2), torch.nan)], dim=1)
    more = torch.cat([valid, torch.ones(3, 20, dtype=torch.bool)], dim=1)
    frame_valid = torch.arange(t + 20)[None] < torch.full((3, 1), t)
    beside = filled(padded, more, frame_valid, max_samples=50)
    torch.testing.assert_close(statistics(alone), statistics(beside))
    kept = alone.real.shape[1]
    torch.testing.assert_close(channels(alone), channels(beside)[..., :kept])


def test_weights_are_means_over_the_whole_and_its_thirds():
    real = torch.tensor([[True] * 6 + [False] * 3])
    expected = torch.tensor([[1 / 6] * 6, [0.5, 0.5, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0, 0], [0, 0, 0, 0, 0.5, 0.5]])
    torch.testing.assert_close(parts(real)[0, :6].T, expected)
    assert not parts(real)[0, 6:].any()


def test_movement_is_in_degrees_of_the_picture_and_starts_at_nought():
    point = torch.tensor([[[0.1, 0.2], [0.2, 0.2], [0.2, 0.4]]])
    moved = filled(point, all_of(point), all_of(point), max_samples=9).moved_deg[0]
    torch.testing.assert_close(moved, torch.tensor([[0.0, 0.0], [0.1 * VIEW_DEG[0], 0.0], [0.0, 0.2 * VIEW_DEG[1]]]))


def test_statistics_of_two_fixations_count_two_fixations():
    point = torch.tensor([[0.2, 0.5]] * 10 + [[0.6, 0.5]] * 20)[None]
    found = statistics(filled(point, all_of(point), all_of(point), max_samples=99))[0, -20:]
    longest, count, right, to_the_right = found[5], found[6], found[12], found[16]
    torch.testing.assert_close(longest.expm1(), torch.tensor(19.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(count, torch.tensor(2 / 30))
    torch.testing.assert_close(right, torch.tensor(0.4))
    assert to_the_right == 1
