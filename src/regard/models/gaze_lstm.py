"""GazeLSTM: whether a face looks at the camera, from seven pictures of it.

A ResNet looks at each picture by itself and an LSTM reads seven of them both ways. Made for gaze directions (Gaze360)
and taken over by the baselines of Ego4D's "looking at me".
Source: Kellnhofer et al., Gaze360, ICCV 2019, erkil1452/gaze360@a5a1b89; EGO4D/social-interactions@5c7ca0f, branch lam;
ListenToWorld/GazeEnsemble@9473a97.
"""

from collections.abc import Callable, Mapping
from math import pi
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from regard.errors import WeightsError
from regard.models.backbones import ResNetName, Weights
from regard.models.face_trunk import (
    TRUNK_RULES,
    FaceTrunk,
    read_window,
    start_trunk_and_lstm,
    window_reader,
)
from regard.models.face_windows import in_place, shown, windows
from regard.models.published import BY_HAND, Checkpoint, Rules, bare_state, built_from, tensor_names
from regard.transforms.colour import Normalise
from regard.transforms.place import Transform

__all__ = ["GazeDirection", "GazeLSTM"]

Head = Literal["gaze_ensemble", "ego4d", "gaze360"]
"""Whose last layers: those of GazeEnsemble answer in one layer, those of Ego4D's baselines in two with nothing between
them; those of Gaze360 say a direction and how sure it is."""

HEADS: Mapping[Head, Callable[[int], nn.Sequential]] = {
    "gaze_ensemble": lambda width: nn.Sequential(nn.Linear(width, 2)),
    "ego4d": lambda width: nn.Sequential(nn.Linear(width, width // 4), nn.Linear(width // 4, 2)),
    "gaze360": lambda width: nn.Sequential(nn.Linear(width, 3)),
}
PUBLISHED_RULES: Mapping[Head, Rules] = {
    "gaze_ensemble": (*TRUNK_RULES, (r"^head\.0\.", "last_layer.")),
    "ego4d": (*TRUNK_RULES, (r"^head\.0\.", "last_layer1."), (r"^head\.1\.", "last_layer2.")),
    "gaze360": (*TRUNK_RULES, (r"^head\.0\.", "last_layer.")),
}


class GazeDirection(NamedTuple):
    """Where a face looks as seen from the camera, in radians; (0, 0) is into the camera."""

    angle: Float[Tensor, "*b 2"]
    """Yaw in (-pi, pi) and pitch in (-pi / 2, pi / 2)."""
    spread: Float[Tensor, "*b"]
    """The distance from the answer to its 10 % and 90 % quantiles, in (0, pi)."""


def _checkpoint(name: str, about: str, file: str, page: str, *, head: Head, recipe: str | None = None) -> Checkpoint:
    return Checkpoint(
        name=name,
        about=about,
        file=file,
        page=page,
        note=BY_HAND,
        recipe=recipe,
        fits=lambda content: GazeLSTM.from_published(content),  # noqa: PLW0108 - the class is not there yet
        names=lambda: tensor_names(lambda: GazeLSTM(head=head, weights="random"), PUBLISHED_RULES[head]),
    )


class GazeLSTM(nn.Module):
    """Whether a face looks at the camera. 14.6 million parameters.

    `video` are pictures of one face, RGB normalised by ImageNet's mean and standard deviation; the published ones are
    seven tight crops squashed to 224x224, at 30 Hz. `width` is that of a picture's vector and of the LSTM, `hidden`
    that of the layer before it.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = (
        _checkpoint(
            "gaze360",
            "GazeLSTM of Gaze360: gaze directions; to start from",
            "gaze360_model.pth.tar",
            "https://github.com/erkil1452/gaze360",
            head="gaze360",
        ),
        _checkpoint(
            "lam-gaze360",
            "GazeLSTM, Ego4D looking at me, started from Gaze360",
            "lam-gaze360-best.pth",
            "https://github.com/EGO4D/social-interactions/tree/lam",
            head="ego4d",
            recipe="gaze-lstm",
        ),
    )

    preprocess: ClassVar[tuple[Transform, ...]] = (Normalise(),)
    exported: ClassVar[str] = "per_frame"

    def __init__(
        self,
        *,
        head: Head = "gaze_ensemble",
        backbone: ResNetName = "resnet18",
        weights: Weights = "imagenet",
        width: int = 256,
        hidden: int = 1000,
    ) -> None:
        super().__init__()
        self.trunk = FaceTrunk(backbone=backbone, weights=weights, width=width, hidden=hidden)
        self.lstm = window_reader(width)
        self.head = HEADS[head](2 * width)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        asked: Int64[Tensor, "b u"] | None = None,
    ) -> Float[Tensor, "b u k"]:
        """Logits of not looking and looking, or what `direction` reads, for each asked frame.

        `asked` are frame numbers; None asks about the middle one. Each frame that is valid is looked at once. Frames
        that are missing in the window of an asked one are stood in for, see `Windows`; where all are, the answer means
        nothing.
        """
        seen = windows(video, frame_valid, asked)
        vectors = in_place(self.per_frame(shown(video, frame_valid)), len(video), frame_valid)
        return self.per_window(seen.of(vectors)).unflatten(0, seen.known.shape)

    def per_frame(self, faces: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c"]:
        """A vector for each picture, by itself."""
        return self.trunk(faces).vector

    def per_window(self, vectors: Float[Tensor, "m w c"]) -> Float[Tensor, "m k"]:
        """The answer about the middle frame of each window of seven vectors."""
        return self.head(read_window(self.lstm, vectors))

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "GazeLSTM":
        """The model with published weights, by their names, which tell whose last layers they are.

        Raises WeightsError that lists what does not fit.
        """
        state = bare_state(checkpoint, where="GazeLSTM")
        head = _head_of(state)
        return built_from(lambda: cls(head=head, weights="random"), state, PUBLISHED_RULES[head], where="GazeLSTM")

    def init_from(self, checkpoint: Mapping[str, object]) -> None:
        """Start the trunk and the LSTM from a published GazeLSTM of any kind, or GazePose; the last layers stay."""
        start_trunk_and_lstm(self, checkpoint, where="GazeLSTM")


def direction(answer: Float[Tensor, "*b 3"]) -> GazeDirection:
    """What the head of Gaze360 says, in radians."""
    yaw, pitch, spread = answer.unbind(dim=-1)
    return GazeDirection(torch.stack([pi * yaw.tanh(), pi / 2 * pitch.tanh()], dim=-1), pi * spread.sigmoid())


def _head_of(state: Mapping[str, Tensor]) -> Head:
    if "last_layer1.weight" in state:
        return "ego4d"
    last = state.get("last_layer.weight")
    if last is None:
        raise WeightsError(
            "GazeLSTM",
            found="neither last_layer.weight nor last_layer1.weight",
            wanted="the last layer of Gaze360 or GazeEnsemble, or the two of Ego4D's baseline",
            do="check that the file is a GazeLSTM; to start from what has no last layer, use training.pretrained",
        )
    return "gaze360" if len(last) == 3 else "gaze_ensemble"
