"""GazePose: whether a face looks at the camera, from seven pictures, its head pose and five landmarks.

GazeLSTM's trunk reads the window; beside it a transformer asks the middle picture eight questions, one for each angle
of the head and one for each landmark.
Source: GazePose, first in Ego4D's "looking at me" of 2023, lemon-prog123/GazePose@f4ce987; as in
ListenToWorld/GazeEnsemble@9473a97.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from regard.models.backbones import ResNetName, Weights
from regard.models.face_priors import BINS, QUESTIONS, Bins, PriorTables
from regard.models.face_trunk import (
    TRUNK_RULES,
    FaceFeatures,
    FaceTrunk,
    read_window,
    start_trunk_and_lstm,
    window_reader,
)
from regard.models.face_windows import Windows, in_place, shown, windows
from regard.models.positions import grid_waves
from regard.models.published import BY_HAND, Checkpoint, Rules, bare_state, built_from, tensor_names
from regard.models.query_transformer import Decoder, Encoder
from regard.transforms.colour import Normalise
from regard.transforms.face_priors import FacePriors, GazePosePriors, mirrored_priors
from regard.transforms.place import Transform

__all__ = ["GazePose"]

BRANCH_RULES: Rules = (
    *TRUNK_RULES,
    (r"^questions\.start$", "headpos_emeb"),
    (r"^questions\.tables\.(yaw|pitch|roll)\.", r"\1_embed."),
    (r"^questions\.tables\.place\.", "joint_embed."),
    (r"^questions\.tables\.visibility\.", "c_embed."),
    (r"^questions\.project\.", "input_proj."),
    (r"^questions\.(encoder|decoder)\.", r"transformer.\1."),
    (r"^questions\.merge\.", "fusion_layer."),
)
"""All but the last two layers: ours -> published."""
PUBLISHED_RULES: Rules = (*BRANCH_RULES, (r"^combine\.", "combine_layer."), (r"^classify\.", "last_layer."))

Priors = Literal["own", "published"]
"""How head pose and landmarks are read. "own": each place of a landmark has a vector of its own, which learns, and what
is not known is not asked about. "published": places share vectors, those of the landmarks stay as they were drawn, and
what is not known is a head turned by 90 degrees and landmarks in the middle of the eyes; a mirrored picture keeps the
head pose and landmarks of the unmirrored one. The published weights know nothing else."""
PREPROCESS: Mapping[Priors, tuple[Transform, ...]] = {
    "own": (Normalise(), FacePriors()),
    "published": (Normalise(), GazePosePriors()),
}


class GazePose(nn.Module):
    """Whether a face looks at the camera. 61.9 million parameters.

    `video` are pictures of one face as `GazeLSTM` takes them. `width` and `depths` (layers of the encoder and of the
    decoder) are those of the transformer; `face_width` is that of a picture's vector.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = (
        Checkpoint(
            name="gazepose",
            about="GazePose, Ego4D looking at me",
            file="GazePose.pth",
            page="https://github.com/lemon-prog123/GazePose",
            note=BY_HAND,
            recipe="gaze-pose",
            fits=lambda content: GazePose.from_published(content),  # noqa: PLW0108 - the class is not there yet
            names=lambda: tensor_names(lambda: GazePose(weights="random"), PUBLISHED_RULES),
        ),
    )

    def __init__(
        self,
        *,
        priors: Priors = "own",
        backbone: ResNetName = "resnet18",
        weights: Weights = "imagenet",
        face_width: int = 256,
        hidden: int = 1000,
        width: int = 512,
        depths: tuple[int, int] = (6, 6),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.priors: Priors = priors
        self.preprocess: tuple[Transform, ...] = PREPROCESS[priors]
        self.trunk = FaceTrunk(backbone=backbone, weights=weights, width=face_width, hidden=hidden)
        self.lstm = window_reader(face_width)
        self.questions = Questions(self.trunk.channels, priors=priors, width=width, depths=depths, dropout=dropout)
        self.combine = nn.Linear(2 * face_width + width, width // 2)
        self.classify = nn.Linear(width // 2, 2)

    def forward(
        self,
        video: Float[Tensor, "b t 3 h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        asked: Int64[Tensor, "b u"] | None = None,
        head_pose: Float[Tensor, "b t 3"] | None = None,
        landmarks: Float[Tensor, "b t 5 3"] | None = None,
    ) -> Float[Tensor, "b u 2"]:
        """Logits of not looking and looking for each asked frame; frames as for `GazeLSTM`.

        `head_pose` is yaw, pitch and roll in degrees; `landmarks` are nose, left eye, right eye, left and right corner
        of the mouth: x and y in [0, 1] of the picture, and visibility in [0, 1]. NaN is not known; the nearest frame of
        the window where it is known counts.
        """
        seen = windows(video, frame_valid, asked)
        vector, maps = (in_place(part, len(video), frame_valid) for part in self.per_frame(shown(video, frame_valid)))
        answer = self.per_window(seen.of(vector), seen.middles(maps), *priors_of(seen, head_pose, landmarks))
        return answer.unflatten(0, seen.known.shape)

    def per_frame(self, faces: Float[Tensor, "n 3 h w"]) -> FaceFeatures:
        """A vector and a map for each picture, by itself."""
        return self.trunk(faces)

    def per_window(
        self,
        vectors: Float[Tensor, "m w c"],
        middle: Float[Tensor, "m f h32 w32"],
        head_pose: Float[Tensor, "m 3"],
        landmarks: Float[Tensor, "m 5 3"],
    ) -> Float[Tensor, "m 2"]:
        """The answer about the middle frame of each window of seven vectors, of which this is the map."""
        read = [read_window(self.lstm, vectors), self.questions(middle, head_pose, landmarks)]
        return self.classify(self.combine(torch.cat(read, dim=1)))

    def mirrored(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """What `forward` would be told of the mirrored pictures."""
        return mirrored_face(told, priors=self.priors)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "GazePose":
        """The model with published weights, by their names, and with the published priors.

        Raises WeightsError that lists what does not fit.
        """
        state = bare_state(checkpoint, where="GazePose")
        return built_from(lambda: cls(priors="published", weights="random"), state, PUBLISHED_RULES, where="GazePose")

    def init_from(self, checkpoint: Mapping[str, object]) -> None:
        """Start the trunk and the LSTM from a published GazeLSTM of any kind, or GazePose; the rest stays."""
        start_trunk_and_lstm(self, checkpoint, where="GazePose")


class Questions(nn.Module):
    """A picture's map, asked about each angle of the head and each landmark."""

    def __init__(self, channels: int, *, priors: Priors, width: int, depths: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.bins = BINS[priors]
        self.tables = PriorTables(width)
        if priors == "published":
            self.tables.place.requires_grad_(False)
            self.tables.visibility.requires_grad_(False)
        self.project = nn.Linear(channels, width)
        self.encoder = Encoder(depths[0], width, 4 * width, dropout=dropout)
        self.decoder = Decoder(depths[1], width, 4 * width, dropout=dropout)
        for weight in (*self.encoder.parameters(), *self.decoder.parameters()):
            if weight.ndim > 1:
                nn.init.xavier_uniform_(weight)
        self.start = nn.Parameter(torch.randn(QUESTIONS, width))
        self.merge = nn.Linear(QUESTIONS * width, width)

    def forward(
        self, maps: Float[Tensor, "m f h w"], head_pose: Float[Tensor, "m 3"], landmarks: Float[Tensor, "m 5 3"]
    ) -> Float[Tensor, "m c"]:
        """All that was answered; nothing about what is not known."""
        return self.merge(self.answers(*self.cells(maps), self.bins(head_pose, landmarks)).flatten(1))

    def cells(self, maps: Float[Tensor, "m f h w"]) -> tuple[Float[Tensor, "m n c"], Float[Tensor, "n c"]]:
        """What the encoder makes of each cell, and where each is."""
        cells = self.project(maps.flatten(2).transpose(1, 2))
        place = grid_waves(maps.shape[2], maps.shape[3], cells.shape[-1], device=cells.device).flatten(0, 1)
        return self.encoder(cells, place), place

    def answers(self, cells: Float[Tensor, "m n c"], place: Float[Tensor, "n c"], bins: Bins) -> Float[Tensor, "m 8 c"]:
        """What each question is answered; zeros where it was not asked."""
        told = self.decoder(self.start.expand(len(cells), -1, -1), self.tables(bins), cells, place, bins.known)
        return told if bins.known is None else told * bins.known[..., None]


def priors_of(
    seen: Windows, head_pose: Float[Tensor, "b t 3"] | None, landmarks: Float[Tensor, "b t 5 3"] | None
) -> tuple[Float[Tensor, "m 3"], Float[Tensor, "m 5 3"]]:
    """What is known nearest to the middle of each window; NaN where nothing is."""
    unknown = torch.full((seen.known.numel(), 5, 3), torch.nan, device=seen.known.device)
    head = unknown[:, 0] if head_pose is None else seen.nearest(head_pose)
    return head, unknown if landmarks is None else seen.nearest(landmarks)


def mirrored_face(told: Mapping[str, Any], *, priors: Priors) -> dict[str, Any]:
    """Pictures mirrored, and with them what is known of the face, unless the published code leaves that as it is."""
    turned = {**told, "video": told["video"].flip(-1)}
    if priors == "published":
        return turned
    head_pose, landmarks = mirrored_priors(told["head_pose"], told["landmarks"])
    return {**turned, "head_pose": head_pose, "landmarks": landmarks}
