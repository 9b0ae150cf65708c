"""VideoMAE-L for "looking at me": one large transformer that sees seven pictures of a face as a film.

Source: yinanhe/ego4d-look-at-me@d051db3 (Ego4D challenge 2022); Tong et al., VideoMAE, NeurIPS 2022.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from regard.models.face_windows import WINDOW, windows
from regard.models.mvit import resample_time
from regard.models.positions import sinusoids
from regard.models.published import Rules, bare_state, built_from, load_published, published_names
from regard.models.video_vit import PATCH, TUBELET, VIDEOMAE, VideoViT, vit_rules
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["VideoMAELooking"]

PUBLISHED_RULES: Rules = (*vit_rules(VIDEOMAE, ours=r"film\."), (r"^classify\.", "head."))
TRAINED_FRAMES = 16
"""Of the films on which VideoMAE was trained, whose table of positions is brought to seven frames."""
WINDOWS_AT_ONCE = 4
"""How many go through the transformer together."""
HEAD_STD = 0.02 * 0.001
"""Of the last layer's first weights, as published: nearly nothing."""


class VideoMAELooking(nn.Module):
    """Whether a face looks at the camera. 303.9 million parameters.

    `video` are pictures of one face as `GazeLSTM` takes them, of `size` (height, width). `width`, `depths` and `heads`
    are those of the transformer. Of a window's seven frames, which it takes two by two, it never sees the last.
    """

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)

    def __init__(
        self,
        *,
        size: tuple[int, int] = (224, 224),
        width: int = 1024,
        depths: tuple[int] = (24,),
        heads: int = 16,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        self.film = VideoViT(
            width=width,
            depth=depths[0],
            heads=heads,
            num_frames=WINDOW,
            size=size,
            positions=fewer_moments(size, width),
            drop_path=drop_path,
        )
        self.classify = nn.Linear(width, 2)
        nn.init.trunc_normal_(self.classify.weight, std=HEAD_STD)
        nn.init.zeros_(self.classify.bias)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        asked: Int64[Tensor, "b u"] | None = None,
    ) -> Float[Tensor, "b u 2"]:
        """Logits of not looking and looking for each asked frame; frames as for `GazeLSTM`."""
        seen = windows(video, frame_valid, asked)
        films = [self.film(part) for part in seen.pictures(video, frame_valid, at_once=WINDOWS_AT_ONCE)]
        return self.classify(torch.cat(films)).unflatten(0, seen.known.shape)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "VideoMAELooking":
        """The model with published weights, by their names. Raises WeightsError that lists what does not fit."""
        state = bare_state(checkpoint, where="VideoMAELooking")
        return built_from(cls, state, PUBLISHED_RULES, where="VideoMAELooking")

    def init_from(self, checkpoint: Mapping[str, object]) -> None:
        """Start from a classifier of VideoMAE, without its last layer.

        Raises WeightsError that lists what does not fit.
        """
        where = "VideoMAE"
        state = {n: v for n, v in bare_state(checkpoint, where=where).items() if not n.startswith("head.")}
        names = {p: o for p, o in published_names(self, PUBLISHED_RULES).items() if o.startswith("film.")}
        load_published(self, state, names, where=where)


def fewer_moments(size: tuple[int, int], width: int) -> Float[Tensor, "1 n c"]:
    """The sines of the films that VideoMAE was trained on, at the moments of a window, linear in time."""
    places, moments = size[0] // PATCH * (size[1] // PATCH), TRAINED_FRAMES // TUBELET
    table = sinusoids(moments * places, width).unflatten(1, (moments, places))
    in_time = resample_time(table.flatten(2), WINDOW // TUBELET)
    return in_time.unflatten(2, (places, width)).flatten(1, 2)
