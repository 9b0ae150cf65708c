"""ScanpathDensity: where somebody who watches a video looks in each frame, from the frames and their own path so far.

What stands out is read from the pictures as in `causal_gaze`, the same for everybody who watches. A small recurrent
network then reads one person's path, and the answer for a frame is a mixture: the eye stays or glides, narrowly about
its last place, or it goes, by what stands out and by how far and which way eyes go from there. So a density at frame t
knows the path up to t-1 alone, fixations are finer than the cells, and paths can be drawn that stop and jump as those
of people do (`sample`). 0.5 million parameters.
"""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.batch import Field
from regard.models.backbones import MobileNetName, Weights
from regard.models.causal_gaze import ConvGRU, DensityDecoder, FrameEncoder
from regard.ops.heatmap import log_density
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["ScanpathDensity"]

LAGS = (1, 2, 4)
"""Frames back to which the last steps are told."""
FINE = 200.0
"""Steps are told as asinh(FINE times their share of the picture): linear while the eye is still, then by size."""
SPREADS = (0.006, 0.04)
"""Of the two ways to stay before training, as shares of the picture: an eye at rest and its tracker, and a glide."""
GLIDE = 0.1
"""By how much of the picture a still eye's middle may move in a frame, where the network says 1."""
KERNELS, KERNEL_CELLS = 4, 15
"""Maps of where eyes go relative to where they are, over a picture in every direction, and how fine these are."""
STAYS = 1.0
"""By how many nats each way to stay is likelier than to go, before training."""


class ScanpathState(NamedTuple):
    """All that is kept of the frames and places so far, for each of b people."""

    seen: Float[Tensor, "b c h16 w16"]
    path: Float[Tensor, "b n"]
    recent: Float[Tensor, "b l 2"]
    """The last places, oldest first; the middle before any is known."""
    known: Bool[Tensor, "b"]
    """Whether any place was known so far."""


class Choice(NamedTuple):
    """A mixture for n answers: how likely each way is (go, stay, glide), the map of going, the places of staying."""

    log_share: Float[Tensor, "n 3"]
    goes: Float[Tensor, "n h w"]
    """Log density over the cells."""
    mean: Float[Tensor, "n 2 2"]
    scale: Float[Tensor, "n 2 2"]
    """Of logistic distributions along x and y."""


class ScanpathDensity(nn.Module):
    """The gaze of somebody who watches, at every shown frame, from that frame, those before it and gaze before it.

    `video` is RGB normalised by ImageNet's mean and standard deviation; `size` is (height, width) of the answered maps;
    `width` the number of channels of both memories. Without gaze it tells where people look whose path nobody knows, as
    it does before the first valid place; in training the path is hidden from the share `drop_path` of the clips, and so
    one network learns both. A frame that is not valid changes nothing, and its answer means nothing. Frames should be
    as far apart as those of the training.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)
    does_without: ClassVar[frozenset[Field]] = frozenset({"observed_gaze"})

    def __init__(
        self,
        *,
        size: tuple[int, int] = (64, 64),
        width: int = 64,
        backbone: MobileNetName = "mobilenet_v3_small",
        weights: Weights = "imagenet",
        drop_path: float = 0.25,
    ) -> None:
        super().__init__()
        self.size, self.width, self.drop_path = size, width, drop_path
        self.frames = FrameEncoder(width=width, backbone=backbone, weights=weights)
        self.memory = ConvGRU(width, width)
        self.decoder = DensityDecoder(coarse=width, fine=width // 2, width=width // 2, size=size)
        self.read = nn.Sequential(nn.Linear(2 + 3 * len(LAGS) + width // 2, width), nn.Hardswish())
        self.path = nn.GRUCell(width, width)
        self.ways = nn.Linear(2 * width, 3 + 8 + KERNELS)
        self.kernels = nn.Parameter(torch.zeros(KERNELS, KERNEL_CELLS, KERNEL_CELLS))
        nn.init.zeros_(self.ways.bias)
        nn.init.normal_(self.ways.weight, std=0.02)
        with torch.no_grad():
            self.ways.bias[1:3] = STAYS
            self.ways.bias[11:] = torch.linspace(-1, 1, KERNELS)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        observed_point: Float[Tensor, "b t 2"] | None = None,
        observed_valid: Bool[Tensor, "b t"] | None = None,
        frame_valid: Bool[Tensor, "b t"] | None = None,
        state: ScanpathState | None = None,
    ) -> tuple[Float[Tensor, "b t h w"], ScanpathState]:
        """Log density for each frame, and the state to go on from; gaze at a frame is for later ones alone."""
        b, t = video.shape[:2]
        if frame_valid is None:
            frame_valid = video.new_ones(b, t, dtype=torch.bool)
        fine, coarse = self.frames(video, frame_valid)
        if state is None:
            state = self._begin(coarse[:, 0])
        places, known = self._places(observed_point, observed_valid, frame_valid, state)
        lags, hidden, memory = state.recent.shape[1], state.seen, state.path
        seen, paths = [], []
        told = self._told(
            places[:, lags - 1 : -1].flatten(0, 1),
            torch.stack([places[:, lags - 1 - lag : t + lags - 1 - lag] for lag in LAGS], 2).flatten(0, 1),
            known[:, :-1].flatten(),
            fine.flatten(0, 1),
        ).unflatten(0, (b, t))
        for i in range(t):
            shown = frame_valid[:, i, None]
            hidden = torch.where(shown[..., None, None], self.memory(coarse[:, i], hidden), hidden)
            memory = torch.where(shown, self.path(told[:, i], memory), memory)
            seen.append(hidden)
            paths.append(memory)
        free = self.decoder(torch.stack(seen, 1).flatten(0, 1), fine.flatten(0, 1))
        before = places[:, lags - 1 : -1].flatten(0, 1)
        paths = torch.cat([told, torch.stack(paths, 1)], -1).flatten(0, 1)
        answer = self._density(self._choice(paths, before, known[:, :-1].flatten(), free))
        kept = ScanpathState(seen=hidden, path=memory, recent=places[:, -lags:], known=known[:, -1])
        return answer.unflatten(0, (b, t)), kept

    @torch.no_grad()
    def sample(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        *,
        paths: int = 1,
        start: Float[Tensor, "b p 2"] | None = None,
        generator: torch.Generator,
    ) -> Float[Tensor, "b p t 2"]:
        """Paths that so many people could have looked along, who begin at `start` or where the first frame draws them.

        All drawn places lie on the picture.
        """
        b, t = video.shape[:2]
        fine, coarse = self.frames(video)
        hidden = self._begin(coarse[:, 0]).seen
        n, memory = b * paths, coarse.new_zeros(b * paths, self.width)
        lags = max(LAGS) + 1
        recent = (torch.full_like(memory[:, :2], 0.5) if start is None else start.flatten(0, 1))[:, None]
        recent = recent.expand(n, lags, 2)
        known = torch.full((n,), start is not None, device=video.device)
        drawn = []
        for i in range(t):
            hidden = self.memory(coarse[:, i], hidden)
            free = self.decoder(hidden, fine[:, i]).repeat_interleave(paths, 0)
            before = recent[:, -1]
            earlier = torch.stack([recent[:, -1 - lag] for lag in LAGS], 1)
            told = self._told(before, earlier, known, fine[:, i].repeat_interleave(paths, 0))
            memory = self.path(told, memory)
            choice = self._choice(torch.cat([told, memory], -1), before, known, free)
            place = _draw(choice, self.size, generator=generator)
            recent = torch.cat([recent[:, 1:], place[:, None]], 1) if known.all() else place[:, None].expand(n, lags, 2)
            known = torch.ones_like(known)
            drawn.append(place)
        return torch.stack(drawn, 1).unflatten(0, (b, paths))

    def _begin(self, coarse: Float[Tensor, "b c h16 w16"]) -> ScanpathState:
        """Nothing seen, and nobody's path known."""
        b = len(coarse)
        return ScanpathState(
            seen=torch.zeros_like(coarse),
            path=coarse.new_zeros(b, self.width),
            recent=coarse.new_full((b, max(LAGS) + 1, 2), 0.5),
            known=torch.zeros(b, dtype=torch.bool, device=coarse.device),
        )

    def _places(
        self, point: Tensor | None, valid: Tensor | None, frame_valid: Bool[Tensor, "b t"], state: ScanpathState
    ) -> tuple[Float[Tensor, "b t_and_before 2"], Bool[Tensor, "b t_and_one"]]:
        """The last known place at each frame, after those of the state, and whether there is any, before it too."""
        b, t = frame_valid.shape
        if point is None or valid is None:
            point, valid = state.recent.new_zeros(b, t, 2), torch.zeros_like(frame_valid)
        valid = valid & frame_valid
        if self.training and self.drop_path > 0:
            valid = valid & (torch.rand(b, 1, device=valid.device) >= self.drop_path)
        newest = torch.where(valid, torch.arange(t, device=valid.device), -1).cummax(1).values
        index = newest.clamp_min(0)[..., None].expand(-1, -1, 2)
        held = torch.where(valid[..., None], point, 0.0).gather(1, index)
        held = torch.where((newest >= 0)[..., None], held, state.recent[:, -1:])
        first = held.gather(1, valid.int().argmax(1)[:, None, None].expand(-1, 1, 2))
        begun = valid.any(1) & ~state.known
        # Before the first known place, the eye is taken to have been there: no step leads to it from the middle.
        recent = torch.where(begun[:, None, None], first, state.recent)
        held = torch.where((begun[:, None] & (newest < 0))[..., None], recent[:, -1:], held)
        known = torch.cat([state.known[:, None], state.known[:, None] | (newest >= 0)], 1)
        return torch.cat([recent, held], 1), known

    def _told(
        self,
        before: Float[Tensor, "n 2"],
        earlier: Float[Tensor, "n l 2"],
        known: Bool[Tensor, "n"],
        fine: Float[Tensor, "n f h8 w8"],
    ) -> Float[Tensor, "n c"]:
        """The last place, the steps to it, and what the new frame shows there; zeros where no place is known."""
        steps = before[:, None] - earlier
        sizes = steps.norm(dim=-1, keepdim=True)
        path = (FINE * torch.cat([steps, sizes], -1)).asinh().flatten(1) / 4
        there = functional.grid_sample(fine, (2 * before - 1)[:, None, None], align_corners=False)[..., 0, 0]
        told = torch.where(known[:, None], torch.cat([2 * before - 1, path, there], -1), 0.0)
        return self.read(told)

    def _choice(
        self,
        paths: Float[Tensor, "n d"],
        before: Float[Tensor, "n 2"],
        known: Bool[Tensor, "n"],
        free: Float[Tensor, "n h w"],
    ) -> Choice:
        """What may come next; where no place is known, going by what stands out is all."""
        share, shift, spread, reach = self.ways(paths).split([3, 4, 4, KERNELS], dim=-1)
        nowhere = share.new_tensor([0.0, -torch.inf, -torch.inf])
        log_share = torch.where(known[:, None], share.log_softmax(-1), nowhere)
        reached = torch.where(known[:, None, None], self._reach(before, reach), 0.0)
        base = spread.new_tensor(SPREADS)[:, None]
        return Choice(
            log_share=log_share,
            goes=log_density(free + reached),
            mean=before[:, None] + GLIDE * shift.unflatten(-1, (2, 2)),
            scale=base * spread.unflatten(-1, (2, 2)).clamp(-4, 4).exp(),
        )

    def _reach(self, before: Float[Tensor, "n 2"], weight: Float[Tensor, "n k"]) -> Float[Tensor, "n h w"]:
        """How eyes go from where they are, in nats over what stands out: the kernels, laid about each place."""
        h, w = self.size
        y, x = ((torch.arange(k, device=before.device, dtype=before.dtype) + 0.5) / k for k in (h, w))
        off_x, off_y = x - before[:, :1], y - before[:, 1:]
        grid = torch.stack([off_x[:, None].expand(-1, h, -1), off_y[:, :, None].expand(-1, -1, w)], -1)
        laid = torch.einsum("nk,kij->nij", weight, self.kernels)[:, None]
        return functional.grid_sample(laid, grid, align_corners=True, padding_mode="border")[:, 0]

    def _density(self, choice: Choice) -> Float[Tensor, "n h w"]:
        """The mixture as a log density over the cells; staying is counted by its share of each cell, however narrow."""
        h, w = self.size
        along = [_log_cells(choice.mean[..., i], choice.scale[..., i], k) for i, k in enumerate((w, h))]
        stays = along[1][..., :, None] + along[0][..., None, :]
        return torch.logsumexp(torch.cat([choice.goes[:, None], stays], 1) + choice.log_share[..., None, None], 1)


def _log_cells(mean: Float[Tensor, "n k"], scale: Float[Tensor, "n k"], cells: int) -> Float[Tensor, "n k c"]:
    """Log mass of logistic distributions in so many cells from 0 to 1, of all that lies between them."""
    edge = torch.linspace(0, 1, cells + 1, device=mean.device, dtype=mean.dtype)
    z = (edge - mean[..., None]) / scale[..., None]
    low, high = z[..., :-1], z[..., 1:]
    return _log_between(low, high) - _log_between(z[..., :1], z[..., -1:])


def _log_between(low: Tensor, high: Tensor) -> Tensor:
    """log(sigmoid(high) - sigmoid(low)), exact in both tails."""
    return functional.logsigmoid(high) + functional.logsigmoid(-low) + torch.log(-torch.expm1(low - high))


def _draw(choice: Choice, size: tuple[int, int], *, generator: torch.Generator) -> Float[Tensor, "n 2"]:
    """One place from each mixture, anywhere within its cell."""
    n, (h, w) = len(choice.goes), size
    way = torch.multinomial(choice.log_share.exp(), 1, generator=generator)[:, 0]
    cell = torch.multinomial(choice.goes.flatten(1).exp(), 1, generator=generator)[:, 0]
    within = torch.rand(n, 2, generator=generator, device=cell.device)
    gone = (torch.stack([cell % w, cell // w], -1) + within) / within.new_tensor([w, h])
    which = (way - 1).clamp_min(0)[:, None, None].expand(-1, 1, 2)
    mean, scale = (x.gather(1, which)[:, 0] for x in (choice.mean, choice.scale))
    first, last = torch.sigmoid(-mean / scale), torch.sigmoid((1 - mean) / scale)
    share = torch.rand(n, 2, generator=generator, device=cell.device)
    stayed = (mean + scale * torch.logit(first + share * (last - first), eps=1e-6)).clamp(0, 1)
    return torch.where((way == 0)[:, None], gone, stayed)
