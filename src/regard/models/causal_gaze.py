"""A light causal gaze estimator: where somebody looks now, from what they have seen so far.

Pictures go through a truncated MobileNetV3, all at once. A convolutional memory then walks through time: at each frame
it takes the frame's features and the model's own last density, and a small decoder turns it into the next density. The
memory and the last density are an explicit state, so that a film can be fed frame by frame, live, with the same answers
as when it is fed whole. 0.5 million parameters (1.3 with the large backbone).
"""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.models.backbones import MobileNetFeatures, MobileNetName, Weights
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["CausalGaze", "CausalState"]

PRIOR_GRID = (16, 16)
"""Cells of the learned position prior: fine enough for "lower centre", too coarse to draw a single gaze point."""


class CausalState(NamedTuple):
    """All that a causal model keeps of the frames it has seen, for each of b films."""

    hidden: Float[Tensor, "b c h16 w16"]
    """The memory, at a sixteenth of the picture's size; before the first frame, of one place, for all."""
    logits: Float[Tensor, "b h w"]
    """The last answer; before the first frame, the position prior."""


class FrameEncoder(nn.Module):
    """Features of every shown frame, brought to the decoder's widths. A frame that is not valid gives zeros, unread."""

    def __init__(self, *, width: int, backbone: MobileNetName, weights: Weights) -> None:
        super().__init__()
        self.features = MobileNetFeatures(backbone, weights=weights)
        self.fine = nn.Conv2d(self.features.fine_channels, width // 2, 1)
        self.coarse = nn.Conv2d(self.features.coarse_channels, width, 1)

    def forward(
        self, video: Float[Tensor, "b t 3 h w"], frame_valid: Bool[Tensor, "b t"] | None = None
    ) -> tuple[Float[Tensor, "b t f h8 w8"], Float[Tensor, "b t c h16 w16"]]:
        """Maps at stride 8 and at stride 16."""
        if frame_valid is None or bool(frame_valid.all()):
            maps = self._encode(video.flatten(0, 1))
            return maps[0].unflatten(0, video.shape[:2]), maps[1].unflatten(0, video.shape[:2])
        shown = self._encode(video[frame_valid])
        empty = [m.new_zeros(*video.shape[:2], *m.shape[1:]) for m in shown]
        fine, coarse = (e.index_put((frame_valid,), m) for e, m in zip(empty, shown, strict=True))
        return fine, coarse

    def _encode(self, image: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, Tensor]:
        fine, coarse = self.features(image)
        return self.fine(fine), functional.hardswish(self.coarse(coarse))


class ConvGRU(nn.Module):
    """A gated recurrent unit whose weights are 3x3 convolutions: one step of a memory that has places.

    Source: Ballas et al., Delving deeper into convolutional networks for learning video representations, ICLR 2016.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(inputs + width, 2 * width, 3, padding=1)
        self.proposal = nn.Conv2d(inputs + width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "b i h w"], hidden: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The memory after it has taken x in."""
        update, reset = torch.sigmoid(self.gates(torch.cat([x, hidden], dim=1))).chunk(2, dim=1)
        proposal = torch.tanh(self.proposal(torch.cat([x, reset * hidden], dim=1)))
        return hidden + update * (proposal - hidden)


class DensityDecoder(nn.Module):
    """Memory (stride 16) and features (stride 8) to one logit map of `size` (height, width), over a position prior."""

    def __init__(self, *, coarse: int, fine: int, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.merge = nn.Conv2d(coarse + fine, width, 3, padding=1)
        self.refine = nn.Conv2d(width, width, 3, padding=1)
        self.answer = nn.Conv2d(width, 4, 1)
        self.prior = nn.Parameter(torch.zeros(1, 1, *PRIOR_GRID))

    def prior_logits(self) -> Float[Tensor, "1 h w"]:
        """The answer to a film of which nothing was seen."""
        return functional.interpolate(self.prior, self.size, mode="bilinear")[:, 0]

    def forward(self, coarse: Float[Tensor, "b c h16 w16"], fine: Float[Tensor, "b f h8 w8"]) -> Float[Tensor, "b h w"]:
        """Unnormalised log density."""
        coarse = functional.interpolate(coarse, fine.shape[-2:], mode="bilinear")
        merged = functional.hardswish(self.merge(torch.cat([coarse, fine], dim=1)))
        refined = functional.hardswish(merged + self.refine(merged))
        at_stride_4 = functional.pixel_shuffle(self.answer(refined), 2)
        return functional.interpolate(at_stride_4, self.size, mode="bilinear")[:, 0] + self.prior_logits()


class CausalGaze(nn.Module):
    """Gaze at every shown frame, from that frame and the ones before it.

    `video` is RGB normalised by ImageNet's mean and standard deviation, of any height and width; `size` is (height,
    width) of the answered maps; `width` is the number of channels of the memory. A frame that is not valid changes
    nothing: its answer is the last one again.

    The fed-back density is detached: it is an input like at inference, and the gradient through time takes the memory's
    gates, instead of pressing each answer to be useful to the next one. It also keeps training on long films truncated
    at the state the same as in one piece, up to the memory.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)
    exported: ClassVar[str] = "advance"

    def __init__(
        self,
        *,
        size: tuple[int, int] = (64, 64),
        width: int = 64,
        backbone: MobileNetName = "mobilenet_v3_small",
        weights: Weights = "imagenet",
    ) -> None:
        super().__init__()
        self.width = width
        self.frames = FrameEncoder(width=width, backbone=backbone, weights=weights)
        self.memory = ConvGRU(width + 1, width)
        self.decoder = DensityDecoder(coarse=width, fine=width // 2, width=width // 2, size=size)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        state: CausalState | None = None,
        frame_valid: Bool[Tensor, "b t"] | None = None,
    ) -> tuple[Float[Tensor, "b t h w"], CausalState]:
        """Unnormalised log density for each frame, and the state to go on from."""
        fine, coarse = self.frames(video, frame_valid)
        state = self.begin(len(video)) if state is None else state
        answers = []
        for i in range(video.shape[1]):
            new = self._next(coarse[:, i], fine[:, i], state)
            state = new if frame_valid is None else _advance(state, new, frame_valid[:, i])
            answers.append(state.logits)
        return torch.stack(answers, dim=1), state

    def begin(self, b: int = 1) -> CausalState:
        """Before the first frame of b films."""
        prior = self.decoder.prior_logits().expand(b, -1, -1)
        return CausalState(prior.new_zeros(b, self.width, 1, 1), prior)

    def step(
        self, frame: Float[Tensor, "b 3 h_in w_in"], state: CausalState
    ) -> tuple[Float[Tensor, "b h w"], CausalState]:
        """The answer about the next frame, and the state after it: equal to that of all frames at once."""
        logits, hidden = self.advance(frame, *state)
        return logits, CausalState(hidden, logits)

    def advance(
        self,
        frame: Float[Tensor, "b 3 h_in w_in"],
        hidden: Float[Tensor, "b c h16 w16"],
        logits: Float[Tensor, "b h w"],
    ) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b c h2 w2"]]:
        """The same of a state that is given in parts: the answer, which is also the next `logits`, and the memory."""
        fine, coarse = self.frames(frame[:, None])
        hidden, logits = self._next(coarse[:, 0], fine[:, 0], CausalState(hidden, logits))
        return logits, hidden

    def _next(self, coarse: Tensor, fine: Tensor, state: CausalState) -> CausalState:
        h, w = coarse.shape[-2:]
        last = relative_density(state.logits.detach(), (h, w))
        hidden = self.memory(torch.cat([coarse, last], dim=1), state.hidden.expand(-1, -1, h, w))
        return CausalState(hidden, self.decoder(hidden, fine))


def relative_density(logits: Float[Tensor, "b h w"], grid: tuple[int, int]) -> Float[Tensor, "b 1 h16 w16"]:
    """ln(1 + density relative to a flat one), averaged to a grid: ln 2 everywhere where nothing is known."""
    density = logits.flatten(1).softmax(dim=1).unflatten(1, logits.shape[1:])
    return torch.log1p(functional.adaptive_avg_pool2d(density[:, None], grid) * logits[0].numel())


def _advance(old: CausalState, new: CausalState, valid: Bool[Tensor, "b"]) -> CausalState:
    """The new state of the films whose frame is valid, the old one of the others."""
    hidden = torch.where(valid[:, None, None, None], new.hidden, old.hidden)
    return CausalState(hidden, torch.where(valid[:, None, None], new.logits, old.logits))
