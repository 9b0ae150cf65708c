import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance

from golden_rule import Golden, golden_input
from regard.datasets.gazecom.names import screen
from regard.metrics.scanpaths.baselines import nss_of_people, nss_of_simple_paths
from regard.metrics.scanpaths.gaze_change import circular_wasserstein, gaze_change, wasserstein
from regard.metrics.scanpaths.observers import ObserverDensity
from regard.metrics.scanpaths.published import (
    published_density,
    published_gaze_change,
    published_kde_nss,
    published_nss,
)

SIGMAS = (0.02625 * 30, 1.2 * 20 / 20, 1.2 * 24 / 40)


@pytest.fixture
def people() -> ObserverDensity:
    """Four people over ten frames of 20 x 24 cells, some of whose gaze does not count."""
    draw = torch.Generator().manual_seed(3)
    point = torch.rand(4, 10, 2, generator=draw, dtype=torch.float64) * 1.2 - 0.1
    counted = torch.rand(4, 10, generator=draw) > 0.2
    return ObserverDensity.of(point, counted, size=(20, 24), degrees=(20.0, 40.0), rate_hz=30.0)


def volume_of(density: ObserverDensity, people: list[int]) -> np.ndarray:
    """scipy's blur of the gaze points of some of the people."""
    counts = np.zeros(density.blur.size)
    for k in people:
        for t in range(counts.shape[0]):
            counts[t, density.row[k, t], density.column[k, t]] += float(density.counted[k, t])
    return gaussian_filter(counts, SIGMAS, mode="reflect", truncate=4)


def test_density_is_the_blur_of_everybodys_points(people: ObserverDensity) -> None:
    volume = volume_of(people, [0, 1, 2, 3])
    np.testing.assert_allclose(people.maps(0, 10), volume, atol=1e-12)
    np.testing.assert_allclose(people.maps(4, 6), volume[4:6], atol=1e-12)
    scored = people.standardised(people.maps(0, 10))
    np.testing.assert_allclose(scored, (volume - volume.mean()) / volume.std(), atol=1e-9)


def test_leave_one_out_is_the_score_in_the_density_of_the_others(people: ObserverDensity) -> None:
    scores = people.leave_one_out()
    for k in range(4):
        others = volume_of(people, [j for j in range(4) if j != k])
        z = (others - others.mean()) / others.std()
        wanted = [z[t, people.row[k, t], people.column[k, t]] for t in range(10)]
        np.testing.assert_allclose(scores[k], np.where(people.counted[k], wanted, np.nan), atol=1e-9, equal_nan=True)


def test_off_screen_gaze_neither_counts_nor_is_scored() -> None:
    point = torch.tensor([[[0.5, 0.5], [1.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]], dtype=torch.float64)
    density = ObserverDensity.of(
        point, torch.ones(2, 2, dtype=torch.bool), size=(20, 24), degrees=(20.0, 40.0), rate_hz=30.0
    )
    assert density.counted.tolist() == [[True, False], [True, True]]
    assert density.leave_one_out().isnan().tolist() == [[False, True], [False, False]]
    assert density.nss(point[:1]).isnan().tolist() == [[False, True]]


def test_one_person_alone_cannot_be_left_out() -> None:
    point = torch.full((1, 5, 2), 0.5, dtype=torch.float64)
    density = ObserverDensity.of(
        point, torch.ones(1, 5, dtype=torch.bool), size=(20, 24), degrees=(20.0, 40.0), rate_hz=30.0
    )
    assert density.leave_one_out().isnan().all()
    assert np.isnan(nss_of_people(density)["people"])


def test_simple_paths_are_bounded_by_the_best_place_of_each_frame(people: ObserverDensity) -> None:
    scores = nss_of_simple_paths(people, people.counted)
    assert all(value <= scores["best place of each frame"] + 1e-9 for value in scores.values())
    volume = volume_of(people, [0, 1, 2, 3])
    z = (volume - volume.mean()) / volume.std()
    assert scores["best place of the video"] == pytest.approx(z.mean(0).max())
    assert scores["centre"] == pytest.approx(z[:, 9, 11].mean())


def test_published_nss_is_that_of_the_thesis() -> None:
    golden = Golden.read("scanpath_nss_grid")
    gaze = torch.from_numpy(golden_input("nss.gaze_px").integers(-10, 240, (4, 10, 2)))
    query = torch.from_numpy(golden_input("nss.query_px").integers(-5, 235, (10, 2)))
    density = published_density(gaze, num_frames=12)
    scores = published_nss(density, query[None])[0]
    np.testing.assert_allclose(scores, golden.arrays["score_each"], atol=1e-6)
    assert float(scores.mean()) == pytest.approx(float(golden.arrays["score"]), abs=1e-6)
    assert float(published_nss(density, gaze[:1]).mean()) == pytest.approx(float(golden.arrays["score_self"]), abs=1e-6)
    centre = torch.full((1, 10, 2), 112)
    assert float(published_nss(density, centre).mean()) == pytest.approx(float(golden.arrays["score_mid"]), abs=1e-6)
    late = published_nss(density, query[None, :6], first_frame=4)
    assert float(late.mean()) == pytest.approx(float(golden.arrays["score_shift"]), abs=1e-6)
    maps = density.standardised(density.maps(5, 6))[0].T
    np.testing.assert_allclose(maps[::4, ::4], golden.arrays["density_frame5_stride4"], atol=1e-6)


def test_published_kernel_nss_is_that_of_the_thesis() -> None:
    golden = Golden.read("scanpath_nss_kde")
    gaze = torch.from_numpy(golden_input("kde.gaze_px").integers(0, 224, (4, 10, 2))).double()
    is_saccade = torch.from_numpy(golden_input("kde.em").integers(0, 4, (4, 10)) == 2)
    query = torch.from_numpy(golden_input("nss.query_px").integers(-5, 235, (10, 2))).double()
    each, whole = published_kde_nss(gaze, is_saccade, query)
    np.testing.assert_allclose(each, golden.arrays["score_each"], atol=1e-9)
    assert float(whole) == pytest.approx(float(golden.arrays["score_total"]), abs=1e-9)


def test_published_gaze_change_is_that_of_the_thesis() -> None:
    golden = Golden.read("scanpath_gaze_change").arrays
    a, b = (torch.from_numpy(golden_input(f"chg.{n}").uniform(0, 224, (40, 2))) for n in "ab")
    (length, way), (other_length, other_way) = published_gaze_change(a), published_gaze_change(b)
    np.testing.assert_allclose(length, golden["len_a"], atol=1e-9)
    np.testing.assert_allclose(way, golden["deg_a"], atol=1e-9)
    cut_length, cut_way = published_gaze_change(a.trunc(), in_whole_degrees=True)
    np.testing.assert_allclose(cut_length, golden["len_a_int"], atol=1e-9)
    np.testing.assert_allclose(cut_way, golden["deg_a_int"], atol=1e-9)
    distances = [
        wasserstein(length, other_length),
        wasserstein(way, other_way),
        wasserstein(length, torch.zeros(1)),
        wasserstein(way, torch.arange(360.0)),
    ]
    np.testing.assert_allclose(distances, golden["wasserstein"], rtol=1e-9)


def test_gaze_change_is_the_angle_between_two_frames() -> None:
    camera = screen()
    middle = [0.5, 0.5]
    point = torch.tensor([middle, [0.5, 0.25], [0.5, 0.25], [0.75, 0.25], middle], dtype=torch.float64)
    counted = torch.tensor([True, True, True, True, False])
    length, way = gaze_change(point, camera, counted=counted)
    assert length[0] == pytest.approx(np.degrees(np.arctan(112.5 / 2 / 450)), abs=1e-9)
    assert way[0] == pytest.approx(90)
    assert length[1] == pytest.approx(0, abs=1e-9)
    assert way[1].isnan()
    assert way[2] == pytest.approx(0, abs=1e-6)
    assert length[3].isnan()


def test_wasserstein_is_scipys() -> None:
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(n, generator=draw).double() for n in (30, 17))
    assert wasserstein(a, b) == pytest.approx(wasserstein_distance(a.numpy(), b.numpy()))
    assert wasserstein(a, a) == 0
    assert np.isnan(wasserstein(a, torch.tensor([torch.nan])))


@pytest.mark.parametrize(
    ("a", "b", "apart"), [([359.0], [1.0], 2.0), ([0.0], [180.0], 180.0), ([10.0, 350.0], [20.0, 0.0], 10.0)]
)
def test_directions_on_both_sides_of_zero_lie_near(a: list[float], b: list[float], apart: float) -> None:
    assert circular_wasserstein(torch.tensor(a), torch.tensor(b)) == pytest.approx(apart)
    turned = [(torch.tensor(x) + 77) % 360 for x in (a, b)]
    assert circular_wasserstein(*turned) == pytest.approx(apart)


def test_no_direction_is_no_distance() -> None:
    assert np.isnan(circular_wasserstein(torch.tensor([torch.nan]), torch.tensor([1.0])))
