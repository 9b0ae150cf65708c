"""A point as the mean over a map (soft-argmax), and how far map and point lie from a known one.

Source: Nibali et al., Numerical coordinate regression with convolutional neural networks, 2018 (dsntnn 0.5.3), as used
by Kapidis et al., ICCVW 2019 (georkap/hand_track_classification@962faa1).
"""

import torch
from jaxtyping import Float
from torch import Tensor

NEAR_ZERO = 1e-24
"""Added within the logarithms, as published; a map that is 0 everywhere then costs ln 2 / 2."""


def mean_point(log_density: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b 2"]:
    """The mean over the cells' centres, normalised; never nearer to the border than half a cell."""
    h, w = log_density.shape[-2:]
    density = log_density.exp()
    x, y = _centres(w, log_density), _centres(h, log_density)
    return torch.stack([density.sum(dim=-2) @ x, density.sum(dim=-1) @ y], dim=-1)


def bells(point: Float[Tensor, "*b 2"], size: tuple[int, int]) -> Float[Tensor, "*b h w"]:
    """A Gaussian of mass 1 and a standard deviation of one cell round each point, on a grid of (height, width) `size`.

    Unlike `regard.ops.heatmap.gaussian_maps`, that of a point far beside the picture fades to 0 everywhere.
    """
    rows, columns = (
        torch.exp(-((point[..., axis, None] - _centres(n, point)) ** 2) * n**2 / 2)
        for axis, n in ((1, size[0]), (0, size[1]))
    )
    maps = rows[..., :, None] * columns[..., None, :]
    return maps / (maps.sum(dim=(-2, -1), keepdim=True) + NEAR_ZERO)


def js_divergence(p: Float[Tensor, "*b h w"], q: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b"]:
    """Jensen-Shannon divergence of two densities, in nats; 0 is perfect, ln 2 the most."""
    middle = (p + q) / 2
    return (_kl(p, middle) + _kl(q, middle)) / 2


def point_loss(log_density: Float[Tensor, "*b h w"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Distance of the map's mean to the point, plus the divergence of the map from a bell round it; NaN for a NaN.

    The distance counts half the picture as 1, as published. No gradient comes from where the point is not known.
    """
    known = ~point.isnan().any(dim=-1)
    point = torch.where(known[..., None], point, 0.5)
    offset = 2 * (mean_point(log_density) - point)
    apart = torch.linalg.vector_norm(torch.where(known[..., None], offset, 1.0), dim=-1)
    each = apart + js_divergence(log_density.exp(), bells(point, (log_density.shape[-2], log_density.shape[-1])))
    return torch.where(known, each, torch.nan)


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * ((p + NEAR_ZERO).log() - (q + NEAR_ZERO).log())).sum(dim=(-2, -1))


def _centres(n: int, like: Tensor) -> Float[Tensor, "n"]:
    return (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) / n
