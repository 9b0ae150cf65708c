"""Spatio-temporal NSS: how well a path over a video goes where other people looked at that moment.

Everybody's gaze, blurred over space and time, is a density over the whole video; a path's score is that density along
it, in standard deviations over the mean of the video. Source: Dorr et al., Variability of eye movements when viewing
dynamic natural scenes, Journal of Vision, 2010.

The volume is never made: a density at a point, its mean and its deviation are sums over pairs of gaze points, and so
is each person's score in the density of all others. 50 people and 600 frames take well under a second.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from regard.ops.geometry import cell_of, inside
from regard.ops.heatmap import mirrored_blur

SIGMA_DEG = 1.2
SIGMA_S = 0.02625
"""Standard deviations of the blur, over space and over time: Dorr et al., 2010."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Blur:
    """What a gaze point becomes: a Gaussian over frames, rows and columns; what leaves the video is mirrored back in.

    `frames`, `rows` and `columns` are one matrix each; column j is what lies where of one unit at j.
    """

    frames: Float[Tensor, "t t"]
    rows: Float[Tensor, "h h"]
    columns: Float[Tensor, "w w"]

    @classmethod
    def of(
        cls,
        size: tuple[int, int, int],
        *,
        degrees: tuple[float, float],
        rate_hz: float,
        sigma_deg: float = SIGMA_DEG,
        sigma_s: float = SIGMA_S,
    ) -> "Blur":
        """The blur on a grid of `size` (frames, rows, columns), of a video seen under `degrees` (height, width)."""
        sigmas = (sigma_s * rate_hz, *(sigma_deg * n / deg for n, deg in zip(size[1:], degrees, strict=True)))
        like = torch.zeros((), dtype=torch.float64)
        return cls(
            **{
                name: mirrored_blur(n, like=like, sigma_cells=sigma)
                for name, n, sigma in zip(("frames", "rows", "columns"), size, sigmas, strict=True)
            }
        )

    @property
    def size(self) -> tuple[int, int, int]:
        """Frames, rows and columns."""
        return len(self.frames), len(self.rows), len(self.columns)

    @cached_property
    def reach(self) -> int:
        """Frames between a gaze point and the last frame that it adds to."""
        frame = torch.arange(len(self.frames))
        return int((frame[:, None] - frame)[self.frames > 0].max())

    def squared(self) -> "Blur":
        """What two blurred units have in common, by how they lie to each other."""
        return Blur(**{name: m.T @ m for name, m in vars(self).items() if isinstance(m, Tensor)})


class ObserverDensity:
    """Where k people looked in each of t frames of a video, as a blurred density over all of it.

    `column` and `row` are cells of the blur's grid, and mean something only where `counted`.
    """

    def __init__(
        self, column: Int64[Tensor, "k t"], row: Int64[Tensor, "k t"], counted: Bool[Tensor, "k t"], *, blur: Blur
    ) -> None:
        if column.shape[1] != blur.size[0]:
            raise ValueError(f"gaze in {column.shape[1]} frames, and a blur over {blur.size[0]}")
        self.blur, self.counted = blur, counted
        self.column, self.row = (torch.where(counted, cells, 0) for cells in (column, row))

    @classmethod
    def of(
        cls,
        point: Float[Tensor, "k t 2"],
        counted: Bool[Tensor, "k t"],
        *,
        size: tuple[int, int],
        degrees: tuple[float, float],
        rate_hz: float,
    ) -> "ObserverDensity":
        """Of normalised points over a grid of `size` (height, width); those off the picture do not count."""
        blur = Blur.of((point.shape[1], *size), degrees=degrees, rate_hz=rate_hz)
        counted = counted & inside(point)
        column, row = cell_of(point, size).unbind(-1)
        return cls(column, row, counted, blur=blur)

    def nss(self, point: Float[Tensor, "m t 2"]) -> Float[Tensor, "m t"]:
        """Of m paths, frame by frame; higher is better, 0 is chance; NaN off the picture."""
        column, row = cell_of(point, self.blur.size[1:]).unbind(-1)
        there = torch.where(inside(point), self.at(column, row), torch.nan)
        return self.standardised(there)

    def at(self, column: Int64[Tensor, "m t"], row: Int64[Tensor, "m t"]) -> Float[Tensor, "m t"]:
        """The density, in gaze points a voxel, at a cell of each frame for m paths."""
        return self._pairs(self.blur, column, row).sum(-1)

    def standardised(self, density: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Densities in standard deviations over the mean of the video."""
        mean = self.counted.sum().double() / self._voxels
        return (density - mean) / (self._squares.sum() / self._voxels - mean**2).sqrt()

    def leave_one_out(self) -> Float[Tensor, "k t"]:
        """Each person's NSS in the density of all the others, frame by frame; NaN where their gaze does not count.

        NaN everywhere for a person beside whom nobody looked at the video.
        """
        own = self._pairs(self.blur, self.column, self.row)
        density = own.sum(-1) - torch.diagonal(own, dim1=0, dim2=2).T
        mean = (self.counted.sum() - self.counted.sum(1)).double() / self._voxels
        squares = self._squares.sum() - 2 * self._squares.sum(1) + self._squares.diagonal()
        variance = squares / self._voxels - mean**2
        score = (density - mean[:, None]) / variance.clamp_min(0).sqrt()[:, None]
        return torch.where(self.counted & (mean > 0)[:, None], score, torch.nan)

    def maps(self, start: int, end: int) -> Float[Tensor, "n h w"]:
        """The density over frames `start` to `end` in gaze points a voxel, each frame a map over the picture."""
        first, last = max(0, start - self.blur.reach), min(self.blur.size[0], end + self.blur.reach)
        rows = self.blur.rows[self.row[:, first:last].T] * self.counted[:, first:last].T[..., None]
        apart = rows.mT @ self.blur.columns[self.column[:, first:last].T]
        return torch.einsum("nf,fhw->nhw", self.blur.frames[start:end, first:last], apart)

    @property
    def _voxels(self) -> int:
        frames, rows, columns = self.blur.size
        return frames * rows * columns

    @cached_property
    def _squares(self) -> Float[Tensor, "k k"]:
        """What the blurred gaze of every two people has in common: together, the sum of the density's squares."""
        return torch.where(self.counted[..., None], self._pairs(self.blur.squared(), self.column, self.row), 0.0).sum(1)

    def _pairs(self, blur: Blur, column: Int64[Tensor, "m t"], row: Int64[Tensor, "m t"]) -> Float[Tensor, "m t k"]:
        """What each person adds at a cell of each frame."""
        t = self.column.shape[1]
        added = blur.frames.new_zeros(*column.shape, len(self.column))
        for shift in range(-blur.reach, blur.reach + 1):
            here, there = slice(max(0, -shift), min(t, t - shift)), slice(max(0, shift), min(t, t + shift))
            weight = blur.frames.diagonal(shift)[:, None] * self.counted[:, there].T
            across = blur.columns[column[:, here, None], self.column[:, there].T]
            down = blur.rows[row[:, here, None], self.row[:, there].T]
            added[:, here] += weight * across * down
        return added
