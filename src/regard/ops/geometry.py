"""Where things are: pixels, cells and upright points; directions and the angles between them; cameras.

Points are normalised (x, y) with (0, 0) the image's top-left corner. A *pixel* position has (0, 0) at the **centre** of
the first pixel, as OpenCV's calibrations do, so x = 0 is pixel -0.5. Camera axes: x right, y down, z forward.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from regard.types import Camera

NEWTON_STEPS = 20
"""At most. Newton's method doubles the digits with each step once it is near, so a small step is the last."""
MAX_STEP = 0.3
"""In the plane at distance 1: a longer leap could land beyond the place where a lens polynomial turns back."""

Convention = Literal["spherical", "tangent"]


def to_pixel(point: Float[Tensor, "*b 2"], size: tuple[int, int]) -> Float[Tensor, "*b 2"]:
    """Normalised point -> pixel position in an image of (height, width) `size`; (0, 0) is the first pixel's centre."""
    return point * point.new_tensor([size[1], size[0]]) - 0.5


def from_pixel(pixel: Float[Tensor, "*b 2"], size: tuple[int, int]) -> Float[Tensor, "*b 2"]:
    """Pixel position -> normalised point; the inverse of `to_pixel`."""
    return (pixel + 0.5) / pixel.new_tensor([size[1], size[0]])


def inside(point: Float[Tensor, "*b 2"]) -> Bool[Tensor, "*b"]:
    """True where a point lies on the image, its border included; False for NaN."""
    return ((point >= 0) & (point <= 1)).all(-1)


def cell_of(point: Float[Tensor, "*b 2"], size: tuple[int, int]) -> Int64[Tensor, "*b 2"]:
    """(column, row) of the cell that holds each point, on a grid of (height, width) `size`.

    x = 1 belongs to the last column. A point off the image gets the nearest cell and NaN gets the first:
    ask `inside` whether the answer means something.
    """
    last = torch.tensor([size[1] - 1, size[0] - 1], device=point.device)
    cell = (point.nan_to_num() * point.new_tensor([size[1], size[0]])).floor()
    return torch.minimum(cell.clamp_min(0), last).long()


def yaw_pitch_to_direction(yaw_pitch: Float[Tensor, "*b 2"], *, convention: Convention) -> Float[Tensor, "*b 3"]:
    """(yaw, pitch) in radians -> unit direction; z forward, yaw turns towards +x and pitch towards +y.

    "spherical": (cos p sin y, sin p, cos p cos y), so pitch is the height above the x-z plane.
    "tangent": along (tan y, tan p, 1), so pitch is measured in the y-z plane whatever the yaw; Project Aria's gaze
    files use it, with x left and y up. The two agree where one of the angles is 0.
    """
    yaw, pitch = yaw_pitch.unbind(-1)
    if convention == "tangent":
        return torch.nn.functional.normalize(torch.stack([yaw.tan(), pitch.tan(), torch.ones_like(yaw)], -1), dim=-1)
    return torch.stack([pitch.cos() * yaw.sin(), pitch.sin(), pitch.cos() * yaw.cos()], -1)


def direction_to_yaw_pitch(direction: Float[Tensor, "*b 3"], *, convention: Convention) -> Float[Tensor, "*b 2"]:
    """Direction of any length -> (yaw, pitch) in radians; the inverse of `yaw_pitch_to_direction` for z > 0."""
    x, y, z = direction.unbind(-1)
    depth = z if convention == "tangent" else torch.hypot(x, z)
    return torch.stack([torch.atan2(x, z), torch.atan2(y, depth)], -1)


def angle_between_deg(a: Float[Tensor, "*b 3"], b: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    """Angle between two directions in degrees, 0 to 180, whatever their lengths; NaN for a zero vector.

    atan2 of cross and dot product: acos loses half of the digits, and its gradient, near 0.
    """
    angle = torch.atan2(torch.linalg.vector_norm(torch.linalg.cross(a, b), dim=-1), (a * b).sum(-1)).rad2deg()
    nowhere = (a == 0).all(-1) | (b == 0).all(-1)
    return torch.where(nowhere, torch.nan, angle)


def visual_angle_deg(a: Float[Tensor, "*b 2"], b: Float[Tensor, "*b 2"], camera: Camera) -> Float[Tensor, "*b"]:
    """Angle in degrees between two normalised image points as the camera sees them; 0 for the same.

    Points off the image too, as far as the camera's calibration reaches; NaN beyond.
    """
    return angle_between_deg(*camera_rays(torch.stack(torch.broadcast_tensors(a, b)), camera))


def camera_rays(point: Float[Tensor, "*b 2"], camera: Camera) -> Float[Tensor, "*b 3"]:
    """Unit direction in camera axes seen at each normalised image point.

    The lens is inverted by Newton's method and the result is projected back: NaN where it does not meet the point
    (outside the field that the calibration describes), and for NaN points.
    """
    bent = _from_plane(to_pixel(point, (camera.height, camera.width)), camera)
    straight, found = bent, bent
    for _ in range(NEWTON_STEPS):
        found, slope = _bend(straight, camera)
        step = _solve(slope, found - bent)
        length = torch.linalg.vector_norm(step, dim=-1, keepdim=True)
        straight = straight - step * (MAX_STEP / length).clamp_max(1)
        if not (length.square() > torch.finfo(length.dtype).eps).any():
            break
    found, slope = _bend(straight, camera)
    # Beyond the lens's true field the polynomial turns back, and shows the picture mirrored or upside down.
    upright = (_determinant(slope) > 0) & (slope.diagonal(dim1=-2, dim2=-1).sum(-1) > 0)
    met = ((found - bent).abs().amax(-1) < 1e-5) & upright
    if camera.model == "pinhole":
        ray = torch.cat([straight, torch.ones_like(straight[..., :1])], dim=-1)
        ray = torch.nn.functional.normalize(ray, dim=-1)
    else:
        theta = torch.linalg.vector_norm(straight, dim=-1, keepdim=True)
        ray = torch.cat([straight * torch.sinc(theta / torch.pi), theta.cos()], dim=-1)
        met = met & (theta[..., 0] < torch.pi / 2)
    return torch.where(met[..., None], ray, torch.nan)


def _solve(matrix: Float[Tensor, "*b 2 2"], vector: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b 2"]:
    """Cramer's rule; not finite where the matrix is singular."""
    (a, b), (c, d) = (row.unbind(-1) for row in matrix.unbind(-2))
    x, y = vector.unbind(-1)
    return torch.stack([d * x - b * y, a * y - c * x], dim=-1) / _determinant(matrix)[..., None]


def _determinant(matrix: Float[Tensor, "*b 2 2"]) -> Float[Tensor, "*b"]:
    (a, b), (c, d) = (row.unbind(-1) for row in matrix.unbind(-2))
    return a * d - b * c


def project(ray: Float[Tensor, "*b 3"], camera: Camera) -> Float[Tensor, "*b 2"]:
    """Normalised image point at which a direction (of any length, in camera axes) is seen.

    NaN behind the camera (z <= 0). The point may lie off the image; far beyond the field that the calibration
    describes, the lens polynomial means nothing.
    """
    xy, z = ray[..., :2], ray[..., 2:]
    if camera.model == "pinhole":
        straight = xy / z
    else:
        sine = torch.linalg.vector_norm(xy, dim=-1, keepdim=True)
        straight = xy * torch.where(sine > 0, torch.atan2(sine, z) / sine, 1 / z)
    bent, _ = _bend(straight, camera)
    matrix = _matrix(camera, bent)
    pixel = _times(matrix[:2, :2], bent) + matrix[:2, 2]
    return torch.where(z > 0, from_pixel(pixel, (camera.height, camera.width)), torch.nan)


def _matrix(camera: Camera, like: Tensor) -> Float[Tensor, "3 3"]:
    return torch.as_tensor(camera.matrix, dtype=like.dtype, device=like.device)


def _from_plane(pixel: Float[Tensor, "*b 2"], camera: Camera) -> Float[Tensor, "*b 2"]:
    """Undo the pinhole matrix (skew included): pixels -> the plane at distance 1."""
    matrix = _matrix(camera, pixel)
    return _times(torch.linalg.inv(matrix[:2, :2]), pixel - matrix[:2, 2])


def _times(matrix: Float[Tensor, "2 2"], vector: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b 2"]:
    """The product for each vector. One so small is not worth a thread, of which torch's own takes several."""
    return (vector[..., None, :] * matrix).sum(-1)


def _bend(q: Float[Tensor, "*b 2"], camera: Camera) -> tuple[Float[Tensor, "*b 2"], Float[Tensor, "*b 2 2"]]:
    """What the lens does in the plane at distance 1, and its 2x2 derivative.

    Pinhole: q is (x, y) / z, and OpenCV's rational model bends it. FISHEYE624: q is the angle from the axis (radians)
    along the direction of (x, y), and radial, tangential and thin-prism terms bend it. Both are smooth at the centre.
    Sources: OpenCV's calib3d documentation; Project Aria's documentation of camera intrinsic models.
    """
    k = [float(c) for c in camera.distortion]
    r2 = (q * q).sum(-1)[..., None]
    if camera.model == "pinhole":
        if len(k) not in (0, 4, 5, 8):
            raise ValueError(f"a pinhole camera has 0, 4, 5 or 8 distortion coefficients, got {len(k)}")
        k1, k2, p1, p2, k3, k4, k5, k6 = k + [0.0] * (8 - len(k))
        top, top_slope = _polynomial([1.0, k1, k2, k3], r2)
        bottom, bottom_slope = _polynomial([1.0, k4, k5, k6], r2)
        scale_slope = (top_slope * bottom - top * bottom_slope) / bottom**2
        bent, slope = _radial(q, top / bottom, scale_slope)
        shift, shift_slope = _tangential(q, p2, p1)
        return bent + shift, slope + shift_slope
    if len(k) != 12:
        raise ValueError(f"a fisheye624 camera has 12 distortion coefficients, got {len(k)}")
    u, u_slope = _radial(q, *_polynomial([1.0, *k[:6]], r2))
    d2 = (u * u).sum(-1)[..., None]
    shift, shift_slope = _tangential(u, k[6], k[7])
    prism_x, prism_x_slope = _polynomial([0.0, k[8], k[9]], d2)
    prism_y, prism_y_slope = _polynomial([0.0, k[10], k[11]], d2)
    prism_slope = torch.stack([prism_x_slope * 2 * u, prism_y_slope * 2 * u], dim=-2)
    unit = torch.eye(2, dtype=q.dtype, device=q.device)
    return u + shift + torch.cat([prism_x, prism_y], -1), (unit + shift_slope + prism_slope) @ u_slope


def _polynomial(coefficients: list[float], r2: Float[Tensor, "*b 1"]) -> tuple[Tensor, Tensor]:
    """c0 + c1 r2 + c2 r2^2 + ..., and its derivative by r2."""
    value, slope = torch.zeros_like(r2), torch.zeros_like(r2)
    for c in reversed(coefficients):
        slope = slope * r2 + value
        value = value * r2 + c
    return value, slope


def _radial(
    q: Float[Tensor, "*b 2"], scale: Float[Tensor, "*b 1"], scale_slope: Float[Tensor, "*b 1"]
) -> tuple[Float[Tensor, "*b 2"], Float[Tensor, "*b 2 2"]]:
    """Scale q by a function of r2 whose derivative by r2 is `scale_slope`."""
    unit = torch.eye(2, dtype=q.dtype, device=q.device)
    slope = scale[..., None] * unit + 2 * scale_slope[..., None] * q[..., :, None] * q[..., None, :]
    return q * scale, slope


def _tangential(
    q: Float[Tensor, "*b 2"], along_x: float, along_y: float
) -> tuple[Float[Tensor, "*b 2"], Float[Tensor, "*b 2 2"]]:
    """Shift of a lens that is tilted against the sensor."""
    x, y = q.unbind(-1)
    r2 = x * x + y * y
    shift = [along_x * (r2 + 2 * x * x) + 2 * along_y * x * y, along_y * (r2 + 2 * y * y) + 2 * along_x * x * y]
    mixed = 2 * along_x * y + 2 * along_y * x
    slope_x = torch.stack([6 * along_x * x + 2 * along_y * y, mixed], -1)
    slope_y = torch.stack([mixed, 2 * along_x * x + 6 * along_y * y], -1)
    return torch.stack(shift, -1), torch.stack([slope_x, slope_y], -2)
