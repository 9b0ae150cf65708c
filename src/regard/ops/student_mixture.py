"""Mixtures of Student-t distributions over the picture: where gaze goes next, from still to far, with heavy tails.

A component is seven numbers: the logarithm of its weight, its middle (x, y) and its scales along x and y, all
normalised, the correlation of the two, and its degrees of freedom.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

PARAMETERS = 7


def component_log_density(mixture: Float[Tensor, "*b k 7"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b k"]:
    """Natural logarithm of each component's density times its weight at a point, over a unit of normalised area."""
    log_weight, x, y, scale_x, scale_y, correlation, freedom = mixture.unbind(-1)
    across, down = (point[..., :1] - x) / scale_x, (point[..., 1:] - y) / scale_y
    squeezed = 1 - correlation.square()
    distance = (across.square() - 2 * correlation * across * down + down.square()) / squeezed
    half = (freedom + 2) / 2
    normal = torch.lgamma(half) - torch.lgamma(freedom / 2) - (freedom * math.pi).log()
    spread = scale_x.log() + scale_y.log() + 0.5 * squeezed.log()
    return log_weight + normal - spread - half * torch.log1p(distance / freedom)


def log_density(mixture: Float[Tensor, "*b k 7"], point: Float[Tensor, "*b 2"]) -> Float[Tensor, "*b"]:
    """Log-likelihood of a point in nats; 0 is that of a uniform density over the picture. NaN for a NaN point."""
    return component_log_density(mixture, point).logsumexp(-1)


def draw(
    mixture: Float[Tensor, "*b k 7"], *, generator: torch.Generator
) -> tuple[Float[Tensor, "*b 2"], Int64[Tensor, "*b"]]:
    """A point from each mixture, and the component that it came from."""
    batch = mixture.shape[:-2]
    flat = mixture.reshape(-1, *mixture.shape[-2:])
    chosen = torch.multinomial(flat[..., 0].softmax(-1), 1, generator=generator)[:, 0]
    _, x, y, scale_x, scale_y, correlation, freedom = flat[torch.arange(len(flat)), chosen].unbind(-1)
    u, v = torch.randn(2, len(flat), generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    draws = np.random.default_rng(seed).chisquare(freedom.cpu().numpy())  # torch draws gamma without a generator only
    tail = (freedom / torch.from_numpy(draws).to(freedom)).sqrt()
    across = tail * u
    down = tail * (correlation * u + (1 - correlation.square()).sqrt() * v)
    point = torch.stack([x + scale_x * across, y + scale_y * down], -1)
    return point.reshape(*batch, 2), chosen.reshape(batch)
