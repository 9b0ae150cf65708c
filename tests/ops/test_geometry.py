from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from regard.batch import View
from regard.ops.geometry import (
    angle_between_deg,
    camera_rays,
    cell_of,
    direction_to_yaw_pitch,
    from_pixel,
    inside,
    project,
    to_pixel,
    visual_angle_deg,
    yaw_pitch_to_direction,
)
from regard.types import Camera

POINTS = arrays(np.float64, (5, 2), elements=st.floats(-2, 3)).map(torch.from_numpy)
ANGLES = arrays(np.float64, (5, 2), elements=st.floats(-1.4, 1.4)).map(torch.from_numpy)
VECTORS = arrays(np.float64, (4, 3), elements=st.floats(-1, 1)).filter(
    lambda v: (np.linalg.norm(v, axis=1) > 0.1).all()
)
MATRIX = np.array([[890.0, 0.0, 805.5], [0.0, 892.0, 590.25], [0.0, 0.0, 1.0]])
PINHOLE = Camera(height=1200, width=1600, matrix=MATRIX)
WIDE = Camera(
    height=1200,
    width=1600,
    matrix=MATRIX,
    distortion=np.array([-0.13, 0.11, 0.0005, -0.0007, 0.002, 0.17, 0.05, 0.015]),
)
ARIA_LIKE = Camera(
    height=1408,
    width=1408,
    matrix=np.array([[610.0, 0.0, 715.0], [0.0, 610.0, 704.0], [0.0, 0.0, 1.0]]),
    distortion=np.array([0.4, -0.5, 0.24, 1.0, -1.57, 0.61, -4e-4, -7e-4, -6e-4, -2e-4, 2e-4, -2e-4]),
    model="fisheye624",
)


def points(n: int, *, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    return low + (high - low) * torch.rand(n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_first_pixel_s_centre_is_half_a_pixel_from_the_corner():
    point = torch.tensor([[0.0, 0.0], [0.125, 0.25], [1.0, 1.0]])
    expected = torch.tensor([[-0.5, -0.5], [0.0, 0.0], [3.5, 1.5]])
    torch.testing.assert_close(to_pixel(point, (2, 4)), expected)


@given(POINTS)
def test_pixels_and_back_is_where_it_started(point: torch.Tensor):
    torch.testing.assert_close(from_pixel(to_pixel(point, (480, 640)), (480, 640)), point)


def test_cells_hold_their_points_and_the_border_belongs_to_the_last():
    point = torch.tensor([[0.0, 0.0], [0.25, 0.49], [0.999, 0.5], [1.0, 1.0], [-3.0, 2.0], [np.nan, 0.5]])
    assert cell_of(point, (2, 4)).tolist() == [[0, 0], [1, 0], [3, 1], [3, 1], [0, 1], [0, 1]]
    assert inside(point).tolist() == [True, True, True, True, False, False]


def test_yaw_and_pitch_worked_by_hand():
    both = torch.tensor([np.pi / 4, np.pi / 4])
    spherical = yaw_pitch_to_direction(both, convention="spherical")
    torch.testing.assert_close(spherical, torch.tensor([0.5, np.sqrt(0.5), 0.5], dtype=torch.float32))
    tangent = yaw_pitch_to_direction(both, convention="tangent")
    torch.testing.assert_close(tangent, torch.full((3,), 1 / np.sqrt(3)))


@given(ANGLES)
def test_yaw_and_pitch_survive_the_way_there_and_back(yaw_pitch: torch.Tensor):
    for convention in ("spherical", "tangent"):
        direction = yaw_pitch_to_direction(yaw_pitch, convention=convention)
        torch.testing.assert_close(direction.norm(dim=-1), torch.ones(5, dtype=torch.float64))
        torch.testing.assert_close(direction_to_yaw_pitch(3 * direction, convention=convention), yaw_pitch)


@given(ANGLES)
def test_spherical_directions_agree_with_scipy(yaw_pitch: torch.Tensor):
    turned = Rotation.from_euler("YX", yaw_pitch.numpy() * [1, -1]).apply([0.0, 0.0, 1.0])
    np.testing.assert_allclose(yaw_pitch_to_direction(yaw_pitch, convention="spherical").numpy(), turned, atol=1e-12)


def test_angles_worked_by_hand():
    x, z = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 5.0])
    a = torch.stack([x, x, x, x, torch.zeros(3)])
    b = torch.stack([z, x, -x, x + z / 5, x])
    torch.testing.assert_close(angle_between_deg(a, b), torch.tensor([90.0, 0, 180, 45, np.nan]), equal_nan=True)


@given(VECTORS, VECTORS)
def test_angles_agree_with_the_arc_cosine_and_are_symmetric(a: np.ndarray, b: np.ndarray):
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    found = angle_between_deg(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(found.numpy(), np.rad2deg(np.arccos(cosine.clip(-1, 1))), atol=2e-6)
    torch.testing.assert_close(found, angle_between_deg(torch.from_numpy(b), torch.from_numpy(a)))


def test_a_tiny_angle_is_exact_and_has_a_gradient():
    a = torch.tensor([0.0, 0.0, 1.0], requires_grad=True)
    angle = angle_between_deg(a, torch.tensor([1e-6, 0.0, 1.0]))
    assert angle.item() == pytest.approx(np.rad2deg(1e-6), rel=1e-6)
    angle.backward()
    assert a.grad.isfinite().all()


def test_visual_angle_of_a_pinhole_worked_by_hand():
    # 90 degrees from border to border; the centres of the outer pixels lie half a pixel inside.
    camera = Camera(height=2, width=100, matrix=np.array([[50.0, 0, 49.5], [0, 50.0, 0.5], [0, 0, 1]]))
    borders = torch.tensor([[0.0, 0.5], [1.0, 0.5]])
    torch.testing.assert_close(visual_angle_deg(borders[0], borders[1], camera), torch.tensor(90.0))


def test_the_principal_point_looks_straight_ahead():
    for camera in (PINHOLE, WIDE, ARIA_LIKE):
        middle = from_pixel(torch.from_numpy(camera.matrix[:2, 2]), (camera.height, camera.width))
        ahead = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
        torch.testing.assert_close(camera_rays(middle, camera), ahead)
        torch.testing.assert_close(project(ahead, camera), middle)


@pytest.mark.parametrize("camera", [PINHOLE, WIDE, ARIA_LIKE], ids=["pinhole", "rational", "fisheye624"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_projecting_a_ray_meets_its_point(camera: Camera, dtype: torch.dtype):
    point = points(500, low=0.06, high=0.94).to(dtype)
    ray = camera_rays(point, camera)
    torch.testing.assert_close(ray.norm(dim=-1), torch.ones(500, dtype=dtype))
    torch.testing.assert_close(project(7 * ray, camera), point, atol=1e-12 if dtype == torch.float64 else 1e-5, rtol=0)


def test_the_rational_model_follows_its_formula():
    k1, k2, p1, p2, k3, k4, k5, k6 = WIDE.distortion
    for direction in np.random.default_rng(0).normal(size=(20, 3)) * [0.4, 0.4, 0.0] + [0, 0, 1]:
        x, y = direction[:2]
        r2 = x**2 + y**2
        radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
        bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
        bent_y = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
        pixel = MATRIX @ [bent_x, bent_y, 1]
        found = to_pixel(project(torch.from_numpy(direction), WIDE), (1200, 1600))
        np.testing.assert_allclose(found.numpy(), pixel[:2], atol=1e-9)


@pytest.mark.parametrize("camera", [PINHOLE, WIDE, ARIA_LIKE], ids=["pinhole", "rational", "fisheye624"])
@pytest.mark.parametrize("view", [View(0.2, 0.1, 0.7, 0.5), View().mirrored(), View(0.7, 0.1, 0.2, 0.5)], ids=str)
def test_a_part_of_the_picture_sees_the_same_angles(camera: Camera, view: View):
    a, b = points(20, low=0.3, high=0.45), points(20, low=0.25, high=0.4).flip(0)
    expected = visual_angle_deg(a, b, camera)
    assert expected.isfinite().all()
    found = visual_angle_deg(view.apply(a), view.apply(b), view.camera(camera))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_pinhole_rays_agree_with_opencv():
    import cv2

    pixel = to_pixel(points(200), (1200, 1600)).numpy()
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-12)
    theirs = cv2.undistortPointsIter(pixel[:, None], MATRIX, WIDE.distortion, np.eye(3), np.eye(3), stop)[:, 0]
    ray = camera_rays(points(200), WIDE).numpy()
    np.testing.assert_allclose(ray[:, :2] / ray[:, 2:], theirs, atol=1e-7)


def aria_calibration(camera: Camera):
    calibration = pytest.importorskip("projectaria_tools.core.calibration")
    sophus = pytest.importorskip("projectaria_tools.core.sophus")
    parameters = np.concatenate([[camera.matrix[0, 0], *camera.matrix[:2, 2]], camera.distortion])
    size = camera.width, camera.height
    kind = calibration.CameraModelType.FISHEYE624
    return calibration.CameraCalibration("camera-rgb", kind, parameters, sophus.SE3(), *size, None, 1.5, "")


def assert_agrees_with_projectaria(camera: Camera, theirs) -> None:
    size = camera.height, camera.width
    point = points(300, low=0.15, high=0.85)
    rays = np.stack([theirs.unproject_no_checks(p) for p in to_pixel(point, size).numpy()])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    np.testing.assert_allclose(camera_rays(point, camera).numpy(), rays, atol=1e-9)
    pixels = np.stack([theirs.project_no_checks(r) for r in rays])
    np.testing.assert_allclose(to_pixel(project(torch.from_numpy(rays), camera), size).numpy(), pixels, atol=1e-9)


def test_fisheye624_agrees_with_projectaria_tools():
    assert_agrees_with_projectaria(ARIA_LIKE, aria_calibration(ARIA_LIKE))


def test_a_real_aria_camera_agrees_with_projectaria_tools(real_data: Path):
    pytest.importorskip("projectaria_tools")
    from projectaria_tools.core import data_provider

    vrs = data_provider.create_vrs_data_provider(str(real_data / "aria_everyday" / "recording.vrs"))
    theirs = vrs.get_device_calibration().get_camera_calib("camera-rgb")
    f, u, v, *distortion = theirs.get_projection_params()
    width, height = (int(n) for n in theirs.get_image_size())
    matrix = np.array([[f, 0, u], [0, f, v], [0, 0, 1]])
    camera = Camera(height=height, width=width, matrix=matrix, distortion=np.array(distortion), model="fisheye624")
    assert_agrees_with_projectaria(camera, theirs)


def test_what_no_ray_can_explain_is_nan():
    # x (1 - x^2) never exceeds 0.385, so this lens shows nothing beyond.
    turning = Camera(
        height=100,
        width=100,
        matrix=np.array([[50.0, 0, 49.5], [0, 50, 49.5], [0, 0, 1]]),
        distortion=np.array([-1.0, 0, 0, 0]),
    )
    rays = camera_rays(torch.tensor([[0.6, 0.5], [1.0, 0.5], [np.nan, 0.5]]), turning)
    assert rays.isfinite().all(-1).tolist() == [True, False, False]


def test_nothing_behind_the_camera_is_seen():
    for camera in (PINHOLE, WIDE, ARIA_LIKE):
        assert project(torch.tensor([[0.1, 0.1, -1.0], [1.0, 0.0, 0.0]]), camera).isnan().all()


def test_a_wrong_number_of_coefficients_is_refused():
    for model in ("pinhole", "fisheye624"):
        camera = Camera(height=2, width=2, matrix=np.eye(3), distortion=np.zeros(3), model=model)
        with pytest.raises(ValueError, match="got 3"):
            camera_rays(torch.zeros(1, 2), camera)


def test_no_points_give_no_rays():
    assert camera_rays(torch.zeros(0, 2), WIDE).shape == (0, 3)
    assert project(torch.zeros(0, 3), ARIA_LIKE).shape == (0, 2)


def test_a_lens_that_turns_back_never_answers_from_its_far_side():
    # This lens, like a real one, turns back inside the picture's corners.
    corners = Camera(
        height=1200,
        width=1600,
        matrix=MATRIX,
        distortion=np.array([-0.13, 0.11, 0, 0, -3e-5, 0.17, 0.05, 0.026]),
    )
    point = points(2000)
    ray = camera_rays(point, corners)
    outward = to_pixel(point, (1200, 1600)) - torch.from_numpy(MATRIX[:2, 2])
    seen = ray.isfinite().all(-1)
    assert 0.97 < seen.double().mean() < 1
    assert (torch.nn.functional.cosine_similarity(ray[seen, :2], outward[seen]) > 0.999).all()
    assert (ray[seen, 2] > np.cos(np.deg2rad(68))).all()
