"""A light anticipation model: where somebody will look, from what they saw, heard and looked at so far.

It shares the features, the memory and the decoder of `causal_gaze`. Sound tells *what* comes next, pictures tell where
that is: the last heard window is compared with how every place of the last frame looks from close up, and places that
fit gain density directly. How much they gain depends on the asked horizon, so that one model answers all horizons.
Where the gaze so far is known, the answer is a mixture: the eye stays near it, or goes where the decoder says.
0.6 million parameters (1.2 with the large backbone).
"""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.models.backbones import MobileNetName, Weights
from regard.models.causal_gaze import ConvGRU, DensityDecoder, FrameEncoder
from regard.ops.heatmap import gaussian_maps, log_density
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["CausalAnticipation"]

LOUDER_NATS = 2.0
"""The unit in which a frequency's power is above or below its own mean over the window: a sound over a hum."""

STAY_SPREAD = 0.03
"""Standard deviation, as a share of the picture, of where the eye is when it stays; training goes on from here."""

MATCH_WIDTH = 16
"""Length of the vectors by which sounds and places are compared: long enough to tell kinds of objects apart, too short
to learn single scenes by heart, as 256 numbers from features with a wide view did."""

MATCH_STRENGTH = 0.5
"""By how many nats a place that fits gains at first: enough to learn from the first step on."""

SOUND_CELLS = (8, 8)
"""Bands of frequency and of time that are told apart in a window: what it sounds like, and how long ago."""


class SoundEncoder(nn.Module):
    """One vector for each spectrogram window of log power (nats), whatever its size.

    What is steady over the window, such as the hum of a room and the colouring of a microphone, is taken away first:
    new sounds are then told apart after a quarter of the examples.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.listen = nn.Sequential(
            nn.Conv2d(1, 16, 7, stride=4, padding=3),
            nn.GroupNorm(2, 16),
            nn.Hardswish(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.GroupNorm(4, 32),
            nn.Hardswish(),
            nn.Conv2d(32, 16, 3, stride=2, padding=1),
            nn.GroupNorm(2, 16),
            nn.Hardswish(),
            nn.AdaptiveAvgPool2d(SOUND_CELLS),
            nn.Flatten(),
            nn.Linear(16 * SOUND_CELLS[0] * SOUND_CELLS[1], width),
            nn.LayerNorm(width),
        )

    def forward(self, sound: Float[Tensor, "n f k"]) -> Float[Tensor, "n c"]:
        """The windows' vectors."""
        change = sound - sound.mean(dim=-1, keepdim=True)
        return self.listen(change[:, None] / LOUDER_NATS)


class Glimpses(nn.Module):
    """A vector for each place of a picture that says how the next 12 x 12 pixels look, and nothing of what is around.

    Without a wide view and without normalisation over the picture, a thing looks the same wherever it stands, and few
    examples are enough to know it by its sound.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(3, 24, 3, padding=1),
            nn.Hardswish(),
            nn.Conv2d(24, 32, 4, stride=4),
            nn.Hardswish(),
            nn.Conv2d(32, width, 1),
        )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h8 w8"]:
        """The vectors, at an eighth of the picture's size."""
        return self.look(image)


class CausalAnticipation(nn.Module):
    """Gaze at moments `ahead_s` after the last shown frame, from the frames, sounds and gaze up to it.

    `video` is RGB normalised by ImageNet's mean and standard deviation. `sound` holds log-power windows in nats, one
    for each frame, which may hold nothing later than it; the last valid one is heard. With `use_sound` or `use_gaze`
    off, the model has the same parameters and does not read that input, which may then be None, just as it does not
    read frames, windows and points that are not valid.

    In training, the gaze so far is hidden from the share `drop_gaze` of the clips. The answer then has to come from
    pictures and sound also where the eye has arrived already, which is when a sound tells most about what it sees.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)

    def __init__(
        self,
        *,
        size: tuple[int, int] = (64, 64),
        width: int = 64,
        backbone: MobileNetName = "mobilenet_v3_small",
        weights: Weights = "imagenet",
        use_sound: bool = True,
        use_gaze: bool = True,
        drop_gaze: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.size = width, size
        self.use_sound, self.use_gaze, self.drop_gaze = use_sound, use_gaze, drop_gaze
        self.frames = FrameEncoder(width=width, backbone=backbone, weights=weights)
        self.memory = ConvGRU(width + 1, width)
        self.hear = SoundEncoder(width)
        self.horizon = nn.Sequential(nn.Linear(1, width), nn.Hardswish(), nn.Linear(width, width))
        self.query = nn.Linear(width, MATCH_WIDTH)
        self.key = Glimpses(MATCH_WIDTH)
        self.strength = nn.Linear(3 * width, 1)
        nn.init.constant_(self.strength.bias, MATCH_STRENGTH)
        self.modulate = nn.Linear(2 * width, 2 * width)
        self.stay = nn.Sequential(nn.Linear(3 * width + 2, width), nn.Hardswish(), nn.Linear(width, 5))
        self.decoder = DensityDecoder(coarse=width, fine=width // 2 + 1, width=width // 2, size=size)
        if not use_sound:
            self.hear.requires_grad_(False)
        if not use_gaze:
            self.stay.requires_grad_(False)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        ahead_s: Float[Tensor, "b u"],
        *,
        sound: Float[Tensor, "b t f k"] | None = None,
        sound_valid: Bool[Tensor, "b t"] | None = None,
        observed_point: Float[Tensor, "b t 2"] | None = None,
        observed_valid: Bool[Tensor, "b t"] | None = None,
        frame_valid: Bool[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b u h w"]:
        """Unnormalised log density for each asked moment."""
        b, t = video.shape[:2]
        if frame_valid is None:
            frame_valid = video.new_ones(b, t, dtype=torch.bool)
        fine, coarse = self.frames(video, frame_valid)
        point, known = self._observed(observed_point, observed_valid, frame_valid, like=video)
        seen = self._seen(coarse, point, known, frame_valid)
        heard = self._heard(sound, sound_valid, frame_valid, like=video)
        told = torch.cat([heard[:, None].expand(-1, ahead_s.shape[1], -1), self.horizon(ahead_s[..., None])], dim=-1)

        last, looked = _at_last(point, known), known.any(dim=1)
        places = torch.cat(
            [_at_last(fine, frame_valid), gaze_map(last, looked, (fine.shape[-2], fine.shape[-1]))], dim=1
        )
        match = self._match(heard, _at_last(video, frame_valid))
        elsewhere = self._elsewhere(seen, told, places, match)
        return torch.where(looked[:, None, None, None], self._mixed(elsewhere, seen, told, last), elsewhere)

    def _elsewhere(
        self,
        seen: Float[Tensor, "b c h16 w16"],
        told: Float[Tensor, "b u d"],
        places: Float[Tensor, "b f h8 w8"],
        match: Float[Tensor, "b h w"],
    ) -> Float[Tensor, "b u h w"]:
        """What the decoder says of each asked moment, raised where the picture fits the sound."""
        gain, shift = self.modulate(told)[..., None, None].chunk(2, dim=2)
        answers = [self.decoder(seen * (1 + gain[:, i]) + shift[:, i], places) for i in range(told.shape[1])]
        strength = self.strength(torch.cat([told, _over_all(seen, told)], dim=-1))[..., None]
        return torch.stack(answers, dim=1) + strength * match[:, None]

    def _mixed(
        self,
        elsewhere: Float[Tensor, "b u h w"],
        seen: Tensor,
        told: Float[Tensor, "b u d"],
        last: Float[Tensor, "b 2"],
    ) -> Float[Tensor, "b u h w"]:
        """Log density of the mixture: the eye stays near its last point, or goes where the decoder says."""
        known = torch.cat([told, _over_all(seen, told), last[:, None].expand(-1, told.shape[1], -1)], dim=-1)
        share, spread, shift = self.stay(known).split([1, 2, 2], dim=-1)
        size = (elsewhere.shape[-2], elsewhere.shape[-1])
        stays = _log_gaussian(last[:, None] + STAY_SPREAD * shift, STAY_SPREAD * spread.exp(), size)
        share, goes = share[..., None], log_density(elsewhere)
        return torch.logaddexp(functional.logsigmoid(share) + stays, functional.logsigmoid(-share) + goes)

    def _observed(
        self, point: Tensor | None, valid: Tensor | None, frame_valid: Tensor, *, like: Tensor
    ) -> tuple[Float[Tensor, "b t 2"], Bool[Tensor, "b t"]]:
        """Gaze that may be used, in the middle where there is none, and where there is some."""
        if not self.use_gaze or point is None or valid is None:
            return like.new_full((*frame_valid.shape, 2), 0.5), torch.zeros_like(frame_valid)
        known = valid & frame_valid
        if self.training and self.drop_gaze > 0:
            known = known & (torch.rand(len(known), 1, device=known.device) >= self.drop_gaze)
        return torch.where(known[..., None], point, 0.5), known

    def _seen(self, coarse: Tensor, point: Tensor, known: Tensor, frame_valid: Tensor) -> Float[Tensor, "b c h16 w16"]:
        """The memory after the last valid frame."""
        b, t, _, h, w = coarse.shape
        hidden = coarse.new_zeros(b, self.width, h, w)
        for i in range(t):
            looked = gaze_map(point[:, i], known[:, i], (h, w))
            new = self.memory(torch.cat([coarse[:, i], looked], dim=1), hidden)
            hidden = torch.where(frame_valid[:, i, None, None, None], new, hidden)
        return hidden

    def _heard(
        self, sound: Tensor | None, valid: Tensor | None, frame_valid: Tensor, *, like: Tensor
    ) -> Float[Tensor, "b c"]:
        """What the last window that can be heard told; zeros where there is none."""
        if not self.use_sound or sound is None or valid is None:
            return like.new_zeros(len(like), self.width)
        valid = valid & frame_valid
        audible = valid.any(dim=1)
        window = torch.where(audible[:, None, None], _at_last(sound, valid), 0.0)
        return torch.where(audible[:, None], self.hear(window), 0.0)

    def _match(self, heard: Float[Tensor, "b c"], image: Float[Tensor, "b 3 h_in w_in"]) -> Float[Tensor, "b h w"]:
        """How well each place fits what was heard: cosines, scaled to variance 1 for unrelated vectors."""
        query = functional.normalize(self.query(heard), dim=-1)
        key = functional.normalize(self.key(image), dim=1)
        match = torch.einsum("bd,bdhw->bhw", query, key) * MATCH_WIDTH**0.5
        return functional.interpolate(match[:, None], self.size, mode="bilinear")[:, 0]


def gaze_map(
    point: Float[Tensor, "b 2"], known: Bool[Tensor, "b"], grid: tuple[int, int]
) -> Float[Tensor, "b 1 h8 w8"]:
    """A bump of one cell's width and height 1 where somebody looked; zeros where that is not known."""
    bump = 2 * torch.pi * gaussian_maps(point, grid, sigma_cells=1.0)
    return torch.where(known[:, None, None], bump, 0.0)[:, None]


def _over_all(seen: Float[Tensor, "b c h16 w16"], told: Float[Tensor, "b u d"]) -> Float[Tensor, "b u c"]:
    """The memory's mean over all places, once for each asked moment."""
    return seen.mean(dim=(2, 3))[:, None].expand(-1, told.shape[1], -1)


def _at_last(values: Float[Tensor, "b t *s"], valid: Bool[Tensor, "b t"]) -> Float[Tensor, "b *s"]:
    """Each example's value at its last valid moment; at the first moment where there is none."""
    order = torch.arange(1, valid.shape[1] + 1, device=valid.device)
    return values[torch.arange(len(values), device=valid.device), (valid * order).argmax(dim=1)]


def _log_gaussian(mean: Float[Tensor, "b u 2"], spread: Float[Tensor, "b u 2"], size: tuple[int, int]) -> Tensor:
    """Log density over the cells; `mean` and `spread` are (x, y), as shares of the picture."""
    along = [
        -0.5 * (((torch.arange(n, device=mean.device) + 0.5) / n - mean[..., i, None]) / spread[..., i, None]) ** 2
        for i, n in enumerate(reversed(size))
    ]
    return log_density(along[1][..., :, None] + along[0][..., None, :])
