"""GazeViT: GazePose, and beside it a transformer that sees the seven pictures as a film.

Only the LSTM, the film's transformer and the last layers learn; the rest is a trained GazePose.
Source: `GazePoseViT` of ListenToWorld/GazeEnsemble@9473a97; the transformer is open-mmlab/mmaction2@4d6c934's.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from regard.models.backbones import ResNetName, Weights
from regard.models.face_trunk import FaceTrunk, read_window, window_reader
from regard.models.face_windows import WINDOW, in_place, shown, windows
from regard.models.gaze_pose import BRANCH_RULES, PREPROCESS, Priors, Questions, mirrored_face, priors_of
from regard.models.published import (
    BY_HAND,
    Checkpoint,
    Rules,
    bare_state,
    built_from,
    load_published,
    published_names,
    tensor_names,
)
from regard.models.video_vit import MMACTION, VideoViT, vit_rules, without_sines
from regard.transforms.place import Transform

__all__ = ["GazeViT"]

PUBLISHED_RULES: Rules = (
    *BRANCH_RULES,
    *vit_rules(MMACTION, ours=r"film\.", published="vit."),
    (r"^combine\.", "combine_layer_."),
    (r"^classify\.", "last_layer."),
)
VIT_RULES = vit_rules(MMACTION)
"""Of the film's transformer alone."""
VIT_PREFIX = "backbone."
"""What mmaction2 puts before the names of a transformer in a checkpoint, ..."""
VIT_HEAD = "cls_head."
"""... and before those of its classifier, which is not taken."""
POSE_PARTS = ("trunk.", "lstm.", "questions.")
"""What starts from a GazePose, ..."""
POSE_HEADS = ("combine_layer.", "last_layer.", "combine.", "classify.")
"""... and what of one is not taken: published names and ours."""
WINDOWS_AT_ONCE = 16
"""How many go through the film's transformer together: a window of pixels is seven pictures."""

Branch = Literal["still", "published"]
"""What the part that does not learn does in training. "still": nothing moves in it. "published": its weights stay, but
its normalisation statistics follow the training data and its dropout is on."""


class GazeViT(nn.Module):
    """Whether a face looks at the camera. 83.9 million parameters, of which 24.9 learn.

    `video` are pictures of one face as `GazeLSTM` takes them, of `size` (height, width). `width`, `depth` and `heads`
    are those of the film's transformer: 12 heads as published, 6 in mmaction2's own checkpoints. The film is seven
    frames, of which the transformer, which takes them two by two, never sees the last.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = (
        Checkpoint(
            name="vit-s",
            about="ViT-S of mmaction2, Kinetics-400: where GazeViT's transformer starts from",
            file="vit-small-p16.pth",
            page="https://github.com/open-mmlab/mmaction2/tree/main/configs/recognition/videomaev2",
            note=f"which of them the authors of GazeViT took is not known; {BY_HAND}",
            fits=lambda content: init_film(GazeViT.film_alone(), content),
            names=lambda: tuple(f"{VIT_PREFIX}{n}" for n in tensor_names(GazeViT.film_alone, VIT_RULES)),
        ),
    )

    def __init__(
        self,
        *,
        priors: Priors = "own",
        branch: Branch = "still",
        backbone: ResNetName = "resnet18",
        weights: Weights = "imagenet",
        face_width: int = 256,
        hidden: int = 1000,
        pose_width: int = 512,
        pose_depths: tuple[int, int] = (6, 6),
        size: tuple[int, int] = (224, 224),
        width: int = 384,
        depth: int = 12,
        heads: int = 12,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.branch: Branch = branch
        self.priors: Priors = priors
        self.preprocess: tuple[Transform, ...] = PREPROCESS[priors]
        self.trunk = FaceTrunk(backbone=backbone, weights=weights, width=face_width, hidden=hidden)
        self.questions = Questions(
            self.trunk.channels, priors=priors, width=pose_width, depths=pose_depths, dropout=dropout
        )
        for part in (self.trunk, self.questions):
            part.requires_grad_(False)
        self.lstm = window_reader(face_width)
        self.film = VideoViT(width=width, depth=depth, heads=heads, num_frames=WINDOW, size=size, dropout=dropout)
        self.combine = nn.Linear(2 * face_width + pose_width + width, 256)
        self.classify = nn.Linear(256, 2)
        self.train()

    @staticmethod
    def film_alone(heads: int = 6) -> VideoViT:
        """The film's transformer of the published width."""
        return VideoViT(width=384, depth=12, heads=heads, num_frames=WINDOW, size=(224, 224))

    def train(self, mode: bool = True) -> "GazeViT":
        """Training mode for what learns."""
        super().train(mode)
        if self.branch == "still":
            self.trunk.eval()
            self.questions.eval()
        return self

    def forward(
        self,
        video: Float[Tensor, "b t 3 h w"],
        frame_valid: Bool[Tensor, "b t"] | None = None,
        asked: Int64[Tensor, "b u"] | None = None,
        head_pose: Float[Tensor, "b t 3"] | None = None,
        landmarks: Float[Tensor, "b t 5 3"] | None = None,
    ) -> Float[Tensor, "b u 2"]:
        """Logits of not looking and looking for each asked frame; inputs as for `GazePose`."""
        seen = windows(video, frame_valid, asked)
        with torch.no_grad():
            parts = self.trunk(shown(video, frame_valid))
            vector, maps = (in_place(part, len(video), frame_valid) for part in parts)
            known = self.questions(seen.middles(maps), *priors_of(seen, head_pose, landmarks))
        films = torch.cat([self.film(part) for part in seen.pictures(video, frame_valid, at_once=WINDOWS_AT_ONCE)])
        read = torch.cat([read_window(self.lstm, seen.of(vector)), known, films], dim=1)
        return self.classify(self.combine(read)).unflatten(0, seen.known.shape)

    def mirrored(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """What `forward` would be told of the mirrored pictures."""
        return mirrored_face(told, priors=self.priors)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "GazeViT":
        """The model with published weights, by their names, and with the published priors.

        Raises WeightsError that lists what does not fit.
        """
        state = without_sines(bare_state(checkpoint, where="GazeViT"), "vit.pos_embed", where="GazeViT")
        return built_from(lambda: cls(priors="published", weights="random"), state, PUBLISHED_RULES, where="GazeViT")

    def init_from(
        self,
        checkpoint: Mapping[str, object] | None = None,
        *,
        pose: Mapping[str, object] | None = None,
        film: Mapping[str, object] | None = None,
    ) -> None:
        """Start from a GazePose, published or a run's, without its last layers; the film from a ViT-S of mmaction2.

        A `checkpoint` is one of the two, and its names tell which. Raises WeightsError that lists what is missing or
        left over.
        """
        if checkpoint is not None:
            is_film = any(name.startswith(VIT_PREFIX) for name in bare_state(checkpoint, where="GazeViT"))
            pose, film = (pose, checkpoint) if is_film else (checkpoint, film)
        if film is not None:
            init_film(self.film, film)
        if pose is not None:
            where = "GazePose, where GazeViT starts from"
            taken = {n: v for n, v in bare_state(pose, where=where).items() if not n.startswith(POSE_HEADS)}
            names = {p: o for p, o in published_names(self, PUBLISHED_RULES).items() if o.startswith(POSE_PARTS)}
            is_ours = any(n.startswith("trunk.") for n in taken)
            load_published(self, taken, {o: o for o in names.values()} if is_ours else names, where=where)


def init_film(film: VideoViT, checkpoint: Mapping[str, object]) -> None:
    """Start from a classifier of mmaction2, without its last layer.

    Its heads are cut anew where ours are of another number. Raises WeightsError that lists what does not fit.
    """
    where = "ViT of mmaction2"
    state = {n: v for n, v in bare_state(checkpoint, where=where).items() if not n.startswith(VIT_HEAD)}
    state = {n.removeprefix(VIT_PREFIX): v for n, v in state.items()}
    load_published(film, without_sines(state, "pos_embed", where=where), published_names(film, VIT_RULES), where=where)
