"""Maps over the image: from a gaze point to a density, from logits to a density, from a density back to a point.

An h x w map lies over the whole image: column c covers x in [c / w, (c + 1) / w] and its centre is (c + 0.5) / w;
rows go the same way. A *density* holds the probability mass of each cell, so it sums to 1; a *log density* is its
natural logarithm. Only the functions called `published_...` follow another convention, and they say which.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def gaussian_maps(
    point: Float[Tensor, "*b 2"], size: tuple[int, int], *, sigma_cells: float | tuple[float, float]
) -> Float[Tensor, "*b h w"]:
    """One Gaussian density of mass 1 per point, on a grid of (height, width) `size`.

    `sigma_cells` is the standard deviation in cells: one number, or one along x and one along y. The Gaussian is taken
    at each cell's centre and divided by its sum, so a point outside the image keeps the tail that reaches the image,
    and a point far outside puts nearly all mass on the border next to it. A NaN point gives a NaN map.
    """
    sigma_x, sigma_y = sigma_cells if isinstance(sigma_cells, tuple) else (sigma_cells, sigma_cells)
    columns = _bell(point[..., 0], size[1], sigma_x)
    rows = _bell(point[..., 1], size[0], sigma_y)
    return rows[..., :, None] * columns[..., None, :]


def published_label_maps(
    point: Float[Tensor, "*b 2"], size: tuple[int, int] = (64, 64), *, kernel_cells: int = 19
) -> Float[Tensor, "*b h w"]:
    """The label maps on which the published egocentric gaze models were trained and scored; mass 1, float32.

    The centre is the *corner* nearest to the point, round(x * w) with halves to the even number, which lies half a cell
    right of and below where `gaussian_maps` puts it (x = 1 is off the map). The bell is OpenCV's Gaussian of
    `kernel_cells` taps with its default sigma (3.2 cells for 19 taps), cut at the map's border and divided by its sum.
    A bell that touches fewer than two rows or two columns counts as absent: the map is uniform. NaN gives NaN.
    Source: Lai et al., GLC, BMVC 2022 (BolinLai/GLC@0025371) and CSTS, ECCV 2024 (BolinLai/CSTS@8b94eec).
    """
    h, w = size
    columns, on_columns = _cut_kernel(point[..., 0] * w, w, kernel_cells)
    rows, on_rows = _cut_kernel(point[..., 1] * h, h, kernel_cells)
    on_map = (on_columns & on_rows)[..., None]
    rows, columns = torch.where(on_map, rows, 1 / h), torch.where(on_map, columns, 1 / w)
    rows = torch.where(point.isnan().any(-1)[..., None], torch.nan, rows)
    maps = rows[..., :, None] * columns[..., None, :]
    return maps / maps.sum(dim=(-2, -1), keepdim=True)


def log_density(logits: Float[Tensor, "*b h w"], *, temperature: float = 1.0) -> Float[Tensor, "*b h w"]:
    """Log-softmax of each map over its cells. A log density is itself a valid logit map, and stays as it is."""
    return (logits / temperature).flatten(-2).log_softmax(-1).reshape(logits.shape)


def argmax_point(density: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b 2"]:
    """Centre of each map's highest cell, normalised; the first in reading order where several are equal.

    Works on any increasing function of the density (logits, log density). A map with NaN gives a NaN point.
    """
    h, w = density.shape[-2:]
    highest, best = density.flatten(-2).max(-1)
    point = torch.stack([(best % w + 0.5) / w, (best // w + 0.5) / h], dim=-1).to(density.dtype)
    return torch.where(highest.isnan()[..., None], torch.nan, point)


def onto_whole(
    maps: Float[Tensor, "*b h w"], part: tuple[float, float, float, float]
) -> Float[Tensor, "*b new_h new_w"]:
    """Maps over a part of a picture on a grid over all of it, with cells of about the same size; 0 beside the part.

    `part` is the (left, top, right, bottom) of the maps in the whole, normalised; where it is mirrored, left lies right
    of right. Each new cell is the mean over its area.
    """
    rows = _cover(maps.shape[-2], part[1], part[3], like=maps)
    columns = _cover(maps.shape[-1], part[0], part[2], like=maps)
    return rows @ maps @ columns.T


def density_onto_whole(
    log_density: Float[Tensor, "*b h w"], part: tuple[float, float, float, float]
) -> Float[Tensor, "*b new_h new_w"]:
    """The log density over the whole picture of somebody who saw only a part of it; see `onto_whole`.

    What was not seen is as unlikely as the least likely cell that was.
    """
    density = log_density.exp()
    seen = onto_whole(torch.ones_like(density), part)
    everywhere = onto_whole(density, part) + (1 - seen) * density.amin(dim=(-2, -1), keepdim=True)
    logs = everywhere.clamp_min(torch.finfo(everywhere.dtype).tiny).log()
    return logs.flatten(-2).log_softmax(-1).reshape(logs.shape)


def min_max(maps: Float[Tensor, "*b h w"]) -> Float[Tensor, "*b h w"]:
    """Each map stretched to [0, 1] as the published gaze scores do: (p - min) / (max - min + 1e-6).

    The 1e-6 shrinks maps that are nearly flat, and is part of the published numbers.
    """
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low + 1e-6)


def mirrored_blur(n: int, *, like: Tensor, sigma_cells: float) -> Float[Tensor, "n n"]:
    """Column c is a unit at c, blurred; what leaves the border is mirrored back in, edge cell included.

    A Gaussian cut at four deviations, as scipy's `gaussian_filter` in its mode "reflect".
    """
    radius = int(4 * sigma_cells + 0.5)
    offset = torch.arange(-radius, radius + 1, device=like.device)
    precise = torch.promote_types(like.dtype, torch.float32)
    kernel = torch.softmax(-0.5 * (offset.to(precise) / sigma_cells) ** 2, dim=0).to(like.dtype)
    source = (torch.arange(n, device=like.device)[:, None] + offset) % (2 * n)
    source = torch.where(source >= n, 2 * n - 1 - source, source)
    return like.new_zeros(n, n).scatter_add(1, source, kernel.expand(n, -1).contiguous())


def _centres(n: int, *, like: Tensor) -> Float[Tensor, "n"]:
    return (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) / n


def _bell(x: Float[Tensor, "*b"], n: int, sigma_cells: float) -> Float[Tensor, "*b n"]:
    distance_cells = (x[..., None] - _centres(n, like=x)) * n
    return torch.softmax(-0.5 * (distance_cells / sigma_cells) ** 2, dim=-1)


def _cover(n: int, start: float, end: float, *, like: Tensor) -> Float[Tensor, "m n"]:
    """Share of each cell of the whole side that each of n cells from `start` to `end` covers."""
    m = max(1, round(n / abs(end - start)))
    edges = start + (end - start) * torch.arange(n + 1, device=like.device, dtype=torch.float64) / n
    low, high = torch.minimum(edges[:-1], edges[1:]) * m, torch.maximum(edges[:-1], edges[1:]) * m
    new = torch.arange(m, device=like.device)[:, None]
    return (torch.minimum(high, new + 1) - torch.maximum(low, new)).clamp_min(0).to(like.dtype)


def _cut_kernel(centre: Float[Tensor, "*b"], n: int, taps: int) -> tuple[Float[Tensor, "*b n"], Bool[Tensor, "*b"]]:
    """OpenCV's Gaussian around the rounded centre along one axis, and whether at least two cells of it are on it."""
    sigma = 0.3 * ((taps - 1) * 0.5 - 1) + 0.8
    offset = torch.arange(taps, device=centre.device) - taps // 2
    kernel = torch.softmax(-0.5 * (offset / sigma) ** 2, dim=0)
    centre = centre.nan_to_num().round().clamp(-taps, n + taps).long()
    tap = torch.arange(n, device=centre.device) - centre[..., None] + taps // 2
    inside = (tap >= 0) & (tap < taps)
    return torch.where(inside, kernel[tap.clamp(0, taps - 1)], 0), inside.sum(-1) > 1
