"""EgoHAR: what the wearer does, from single pictures seen through a gaze-like attention and read in order.

A ResNet looks at each picture by itself; a convolution says how much each place matters, and is trained to say where
the wearer looked; a small transformer reads what is left of each picture in order. Gaze is never an input.
Source: YZ-26/EgoHAR@55f08ef (thesis code, 2025).
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from regard.errors import RecipeError, WeightsError
from regard.models.backbones import ResNetName, Weights, resnet_maps
from regard.models.positions import sinusoids
from regard.models.published import SHOWN, Rules, bare_state, built_from
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["EgoHAR", "EgoHARAnswer", "EgoHARState"]

PUBLISHED_RULES: Rules = (
    (r"^frames\.trunk\.conv1\.", "encoder.features.0."),
    (r"^frames\.trunk\.bn1\.", "encoder.features.1."),
    *((rf"^frames\.trunk\.layer{i}\.", f"encoder.features.{3 + i}.") for i in range(1, 5)),
    (r"^frames\.attend\.", "encoder.attention_conv."),
    (r"^frames\.reduce\.", "encoder.channel_reduction.0."),
    (r"^frames\.norm\.", "encoder.channel_reduction.1."),
    (r"^frames\.(verb|noun)\.", r"encoder.classification_\1.2."),
    (r"^project\.", "transformer.input_proj.0."),
    (r"^reader\.positions$", "transformer.pos_encoder.pe"),
    (r"^reader\.queries_keys_values\.", "transformer.layers.0.attn.in_proj_"),
    (r"^reader\.merge\.", "transformer.layers.0.attn.out_proj."),
    (r"^reader\.(norm\d|linear\d)\.", r"transformer.layers.0.\1."),
    (r"^reader\.summary\.", "transformer.classifier.0."),
    (r"^reader\.classify\.", "transformer.classifier.2."),
)
"""The two published states in one, their names after "encoder." and "transformer."."""
CHECKPOINT = {"encoder.": "feature_encoder_state_dict", "transformer.": "transformer_classifier_state_dict"}
"""Where a published checkpoint keeps them."""


class EgoHARAnswer(NamedTuple):
    """What the wearer does, said of the clip as a whole and of each frame, and where the model looked."""

    action: Float[Tensor, "b k"]
    verb: Float[Tensor, "b t v"]
    """Logits from each frame alone, before attention."""
    noun: Float[Tensor, "b t n"]
    attention: Float[Tensor, "b t h w"]
    """How much each place matters, in (0, 1), by the model's own judgement."""

    @property
    def gaze_logits(self) -> Float[Tensor, "b t h w"]:
        """Where the wearer looks, as far as that is what the attention was taught: unnormalised log probability."""
        return self.attention.clamp_min(1e-12).log()


class EgoHARLook(NamedTuple):
    """What EgoHAR makes of each of n pictures; see EgoHARState."""

    token: Float[Tensor, "n e"]
    verb: Float[Tensor, "n v"]
    noun: Float[Tensor, "n m"]
    attention: Float[Tensor, "n h w"]


class EgoHARState(NamedTuple):
    """All that streaming keeps of the last frames, oldest first: no pictures and no feature maps."""

    token: Float[Tensor, "b t e"]
    """What the transformer reads of each frame."""
    verb: Float[Tensor, "b t v"]
    noun: Float[Tensor, "b t n"]
    attention: Float[Tensor, "b t h w"]


class EgoHAR(nn.Module):
    """Action, verb and noun of a clip. 62.3 million parameters with ResNet-152, the published backbone.

    `video` is RGB normalised by ImageNet's mean and standard deviation, up to `num_frames` frames of `size` (height,
    width), which must be the multiples of 32 (of 16 with `stages=3`, which leaves out the ResNet's last stage and
    makes the attention finer). `channels` are kept of each picture's places, `width` is the transformer's.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)
    exported: ClassVar[str] = "look"

    def __init__(
        self,
        *,
        actions: int = 106,
        verbs: int = 19,
        nouns: int = 53,
        num_frames: int = 16,
        size: tuple[int, int] = (224, 224),
        backbone: ResNetName = "resnet152",
        stages: Literal[3, 4] = 4,
        weights: Weights = "imagenet",
        channels: int = 100,
        width: int = 512,
        hidden: int = 100,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        stride = 2 ** (1 + stages)
        if size[0] % stride or size[1] % stride or min(size) <= 0:
            raise RecipeError(
                "EgoHAR",
                found=f"size {size[0]}x{size[1]}",
                wanted=f"a height and a width that are multiples of {stride}",
                do="choose another size",
            )
        self.num_frames, self.size, self.grid = num_frames, size, (size[0] // stride, size[1] // stride)
        self.frames = FrameEncoder(
            backbone=backbone, stages=stages, weights=weights, channels=channels, verbs=verbs, nouns=nouns
        )
        self.project = nn.Linear(channels * self.grid[0] * self.grid[1], width)
        self.reader = Reader(num_frames, width=width, hidden=hidden, classes=actions, dropout=dropout)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        attention: Float[Tensor, "b t h w"] | None = None,
    ) -> EgoHARAnswer:
        """The answer; what it says of a frame that is not valid means nothing, and no other number depends on one.

        Valid frames come first. An `attention` map is looked through in place of the model's own: of recorded gaze, of
        the centre, of another clip.
        """
        self._check(video)
        if frame_valid is None or bool(frame_valid.all()):
            pictures = video.flatten(0, 1)
            looked = self.look(pictures) if attention is None else self._look(pictures, attention.flatten(0, 1))
            return self._answer(EgoHARState(*(part.unflatten(0, video.shape[:2]) for part in looked)))
        pictures = video[frame_valid]
        looked = self.look(pictures) if attention is None else self._look(pictures, attention[frame_valid])
        empty = (part.new_zeros(*frame_valid.shape, *part.shape[1:]) for part in looked)
        spread = (e.index_put((frame_valid,), part) for e, part in zip(empty, looked, strict=True))
        return self._answer(EgoHARState(*spread), frame_valid)

    def begin(self, b: int = 1) -> EgoHARState:
        """Before the first frame of b films."""
        like = self.project.weight
        widths = (self.project.out_features,), (self.frames.verb.out_features,), (self.frames.noun.out_features,)
        return EgoHARState(*(like.new_zeros(b, 0, *width) for width in (*widths, self.grid)))

    def step(self, frame: Float[Tensor, "b 3 h_in w_in"], state: EgoHARState) -> tuple[EgoHARAnswer, EgoHARState]:
        """The answer about the last `num_frames` frames (fewer at the start), of which this is the newest.

        Equal to that of these frames as one clip, at the price of looking at one picture.
        """
        self._check(frame[:, None])
        both = zip(state, self.look(frame), strict=True)
        state = EgoHARState(*(torch.cat([old, new[:, None]], dim=1)[:, -self.num_frames :] for old, new in both))
        return self._answer(state), state

    def _answer(self, state: EgoHARState, frame_valid: Tensor | None = None) -> EgoHARAnswer:
        return EgoHARAnswer(self.reader(state.token, frame_valid), state.verb, state.noun, state.attention)

    def look(self, image: Float[Tensor, "n 3 h_in w_in"]) -> EgoHARLook:
        """What is made of each picture by itself: nearly all of the work."""
        return self._look(image, None)

    def _look(self, image: Tensor, attention: Tensor | None) -> EgoHARLook:
        seen, own, verb, noun = self.frames(image, attention)
        token = functional.dropout(functional.relu(self.project(seen.flatten(1))), self.reader.dropout, self.training)
        return EgoHARLook(token, verb, noun, own)

    def _check(self, video: Tensor) -> None:
        t, _, h, w = video.shape[1:]
        if not 1 <= t <= self.num_frames or (h, w) != self.size:
            raise RecipeError(
                "EgoHAR",
                found=f"{t} frames of {h}x{w}",
                wanted=f"1 to {self.num_frames} frames of {self.size[0]}x{self.size[1]} (height x width)",
                do="cut and scale the clips so, or build the model with their num_frames and size",
            )

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "EgoHAR":
        """The model with published weights: a checkpoint of the training script, by its names.

        Raises WeightsError where one of its two states is absent, and lists what does not fit.
        """
        state: dict[str, Tensor] = {}
        for prefix, key in CHECKPOINT.items():
            part = checkpoint.get(key)
            if not isinstance(part, Mapping):
                names, more = list(map(str, checkpoint)), len(checkpoint) - SHOWN
                raise WeightsError(
                    "EgoHAR",
                    found=f"a checkpoint of {', '.join(names[:SHOWN]) or 'nothing'}{f' and {more} more' * (more > 0)}",
                    wanted=" and ".join(CHECKPOINT.values()),
                    do="give the whole checkpoint, with both states",
                )
            state |= {prefix + name: value for name, value in bare_state(part, where=f"EgoHAR, {key}").items()}
        return built_from(lambda: cls(weights="random"), state, PUBLISHED_RULES, where="EgoHAR")


class FrameEncoder(nn.Module):
    """One picture: its verb and its noun, how much each place matters, and what is seen there in a few channels."""

    def __init__(
        self, *, backbone: ResNetName, stages: int, weights: Weights, channels: int, verbs: int, nouns: int
    ) -> None:
        super().__init__()
        self.trunk, wide = resnet_maps(backbone, weights=weights, stages=stages)
        self.attend = nn.Conv2d(wide, 1, 1)
        self.reduce = nn.Conv2d(wide, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        self.verb = nn.Linear(wide, verbs)
        self.noun = nn.Linear(wide, nouns)

    def forward(
        self, image: Float[Tensor, "n 3 h_in w_in"], attention: Float[Tensor, "n h w"] | None = None
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n h w"], Float[Tensor, "n v"], Float[Tensor, "n m"]]:
        """Seen, own attention, verb logits, noun logits."""
        return self.head(self.trunk(image.contiguous(memory_format=torch.channels_last)), attention)

    def head(
        self, features: Float[Tensor, "n f h w"], attention: Float[Tensor, "n h w"] | None = None
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n h w"], Float[Tensor, "n v"], Float[Tensor, "n m"]]:
        """The same from the trunk's features: these, and once more where attention is."""
        own = torch.sigmoid(self.attend(features))
        through = own if attention is None else attention[:, None]
        seen = functional.relu(self.norm(self.reduce(features * (1 + through))))
        everywhere = features.mean(dim=(2, 3))
        return seen, own[:, 0], self.verb(everywhere), self.noun(everywhere)


class Reader(nn.Module):
    """One transformer layer over the frames of a clip, their mean, and its class."""

    positions: Tensor

    def __init__(self, num_frames: int, *, width: int, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.register_buffer("positions", sinusoids(num_frames, width))
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.summary = nn.Linear(width, width // 2)
        self.classify = nn.Linear(width // 2, classes)

    def forward(
        self, token: Float[Tensor, "b t e"], frame_valid: Bool[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b k"]:
        """Logits of the clip; the frames that are not valid are neither read nor counted."""
        x = token + self.positions[:, : token.shape[1]]
        q, k, v = self.queries_keys_values(x).chunk(3, dim=-1)
        readable = None if frame_valid is None else frame_valid[:, None].expand(-1, token.shape[1], -1)
        drop = self.dropout if self.training else 0.0
        read = functional.scaled_dot_product_attention(q, k, v, attn_mask=readable, dropout_p=drop)
        x = self.norm1(x + self.merge(read))
        x = self.norm2(x + self.linear2(functional.relu(self.linear1(x))))
        return self.classify(functional.relu(self.summary(masked_mean(x, frame_valid))))


def masked_mean(x: Float[Tensor, "b t e"], valid: Bool[Tensor, "b t"] | None) -> Float[Tensor, "b e"]:
    """Over the valid frames; over all where nothing is said."""
    if valid is None:
        return x.mean(dim=1)
    return torch.where(valid[..., None], x, 0).sum(dim=1) / valid.sum(dim=1, keepdim=True)
