"""A recogniser that sees nothing but where somebody looked: what they do, told from the gaze of a whole action.

    gaze -> whole trajectory -> statistics, random convolutions (fixed, remembered) -> several small networks -> mean

The networks, the model's members, are trained side by side, each by its own loss (`gaze_only.loss.MembersLoss`).
"""

from collections import OrderedDict
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from gaze_only.random_convolutions import RandomConvolutions
from gaze_only.trajectory import Trajectories, channels, filled, parts, statistics
from regard.errors import RecipeError

NUM_CHANNELS = 7
NUM_STATISTICS = 308
CHUNK = 32
"""Trajectories computed on together, of about one length, so that little of it is padding."""
LIMIT = 5.0
"""Standard deviations beyond which a feature says no more."""
INPUT_DROPOUT = 0.3
REMEMBERED = 20_000
"""Trajectories whose fixed features are kept: EGTEA's 10,252 with room, about 20 kB each."""


class GazeOnlyAnswer(NamedTuple):
    """Logits by label: the mean of the members' log-probabilities. `members` are their own, all labels side by side."""

    action: Float[Tensor, "b a"]
    verb: Float[Tensor, "b v"]
    noun: Float[Tensor, "b n"]
    members: Float[Tensor, "m b _"]


class GazeOnly(nn.Module):
    """Says action, verb and noun of a clip from its gaze at 24 Hz, of any length.

    Each of `num_members` networks has `layers` hidden layers of `width` units and reads a random `share` of the
    features. Gaps are filled and marked, and what is masked has no influence. Of more than `max_samples` samples the
    middle is looked at. `duration` gives the logarithm of the number of samples as an input; without it the length can
    still be guessed, as from the longest fixation.

    The fixed features of a trajectory are computed once and remembered, since training comes back to it in each epoch.
    """

    def __init__(
        self,
        *,
        num_actions: int = 106,
        num_verbs: int = 19,
        num_nouns: int = 53,
        num_kernels: int = 128,
        num_members: int = 8,
        share: float = 0.3,
        width: int = 512,
        layers: int = 2,
        dropout: float = 0.5,
        duration: bool = True,
        max_samples: int = 512,
    ) -> None:
        super().__init__()
        if min(num_kernels, num_members, width, layers) < 1 or not 0 < share <= 1:
            raise RecipeError(
                "GazeOnly",
                found=f"{num_kernels} kernels, {num_members} members, width {width}, layers {layers}, share {share}",
                wanted="at least 1 of each, and a share above 0 and up to 1",
                do="choose other numbers",
            )
        self.classes = (num_actions, num_verbs, num_nouns)
        self.duration, self.max_samples = duration, max_samples
        self.random = RandomConvolutions(NUM_CHANNELS, num_kernels)
        self.standard = Standardise(NUM_STATISTICS + duration + self.random.num_features)
        chosen = round(share * self.standard.num_features)
        self.members = nn.ModuleList(
            _Member(self.standard.num_features, chosen, [width] * layers, sum(self.classes), dropout, always=duration)
            for _ in range(num_members)
        )
        self._remembered: OrderedDict[bytes, Tensor] = OrderedDict()
        self.register_load_state_dict_post_hook(_forget)

    def forward(
        self,
        observed_point: Float[Tensor, "b t 2"],
        observed_valid: Bool[Tensor, "b t"],
        frame_valid: Bool[Tensor, "b t"],
    ) -> GazeOnlyAnswer:
        """Padding (`frame_valid` False) stands at the end; unmeasured samples (`observed_valid` False) anywhere."""
        order, chunks = self._chunks(observed_point, observed_valid, frame_valid)
        seen = [channels(gaze) for gaze in chunks]
        if self.training and not self.random.is_calibrated:
            self._calibrate(chunks, seen)
        described = torch.cat([self._describe(gaze, s) for gaze, s in zip(chunks, seen, strict=True)])
        if self.duration:
            length = (frame_valid.sum(dim=1)[order].clamp(min=1)).to(described.dtype)
            described = torch.cat([length.log()[:, None], described], dim=1)
        features = self.standard(described)
        members = torch.stack([member(features) for member in self.members])[:, order.argsort()]
        each = [logits.log_softmax(dim=-1).mean(dim=0) for logits in members.split(self.classes, dim=-1)]
        return GazeOnlyAnswer(each[0], each[1], each[2], members)

    def _chunks(
        self, point: Float[Tensor, "b t 2"], valid: Bool[Tensor, "b t"], frame_valid: Bool[Tensor, "b t"]
    ) -> tuple[Int64[Tensor, "b"], list[Trajectories]]:
        """The rows in order of length, and their trajectories, a few at a time."""
        length = frame_valid.sum(dim=1)
        order = length.argsort(stable=True)
        chunks = []
        for rows in order.split(CHUNK):
            n = max(int(length[rows[-1]]), 1)
            cut = point[rows, :n].float(), valid[rows, :n], frame_valid[rows, :n]
            chunks.append(filled(*cut, max_samples=self.max_samples))
        return order, chunks

    def _calibrate(self, chunks: list[Trajectories], seen: list[Tensor]) -> None:
        longest = max(s.shape[2] for s in seen)
        padded = [nn.functional.pad(s, (0, longest - s.shape[2])) for s in seen]
        real = [nn.functional.pad(gaze.real, (0, longest - gaze.real.shape[1])) for gaze in chunks]
        self.random.calibrate(torch.cat(padded), torch.cat(real))
        self._remembered.clear()

    @torch.no_grad()
    def _describe(self, gaze: Trajectories, seen: Float[Tensor, "b c t"]) -> Float[Tensor, "b k"]:
        """Statistics and random convolutions of each trajectory, from memory where they are known."""
        keys = _keys(gaze)
        new = [i for i, key in enumerate(keys) if key not in self._remembered]
        if new:
            some = Trajectories(*(field[new] for field in gaze))
            fixed = self.random(seen[new], some.real, parts(some.real))
            for i, row in zip(new, torch.cat([statistics(some), fixed], dim=1), strict=True):
                self._remembered[keys[i]] = row
        rows = torch.stack([self._remembered[key] for key in keys]).to(seen.device)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return rows


class Standardise(nn.Module):
    """Features with the mean and spread of all that were trained on so far taken out, limited to LIMIT."""

    count: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.register_buffer("count", torch.tensor(0.0))
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("square", torch.ones(num_features))

    def forward(self, features: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """In training, learns the mean and the spread first."""
        if self.training:
            self.count += len(features)
            step = len(features) / self.count
            self.mean += step * (features.mean(dim=0) - self.mean)
            self.square += step * ((features**2).mean(dim=0) - self.square)
        spread = (self.square - self.mean**2).clamp(min=1e-8).sqrt() + 1e-4
        return ((features - self.mean) / spread).clamp(-LIMIT, LIMIT)


class _Member(nn.Module):
    """A small network on a random choice of the features; the first of them is always chosen where it is to be."""

    index: Tensor

    def __init__(
        self, num_features: int, chosen: int, widths: list[int], out: int, dropout: float, *, always: bool
    ) -> None:
        super().__init__()
        index = torch.randperm(num_features - always)[:chosen] + always
        self.register_buffer("index", torch.cat([torch.zeros(int(always), dtype=torch.long), index]))
        hidden = [
            layer
            for before, width in pairwise([len(self.index), *widths])
            for layer in (nn.Linear(before, width), nn.BatchNorm1d(width), nn.GELU(), nn.Dropout(dropout))
        ]
        self.net = nn.Sequential(nn.Dropout(INPUT_DROPOUT), *hidden, nn.Linear(widths[-1], out))

    def forward(self, features: Float[Tensor, "b k"]) -> Float[Tensor, "b o"]:
        return self.net(features[:, self.index])


def _forget(model: nn.Module, _: object) -> None:
    """What was remembered belongs to the filters that the model had before it was loaded."""
    assert isinstance(model, GazeOnly)
    model._remembered.clear()


def _keys(gaze: Trajectories) -> list[bytes]:
    """What tells trajectories apart: their own samples, and which of them were measured."""
    point, measured = gaze.point.cpu().numpy(), gaze.measured.cpu().numpy()
    lengths = gaze.real.sum(dim=1).tolist()
    return [p[:n].tobytes() + m[:n].tobytes() for p, m, n in zip(point, measured, lengths, strict=True)]
