"""MViT with the gaze decoder and nothing else: what GLC is without its global token, and CSTS without ears.

Source: the baseline "MViT" (vision only) of Lai et al., GLC, BMVC 2022 and CSTS, ECCV 2024.
"""

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from regard.models.mvit import PREPROCESS, Encoder, GazeDecoder
from regard.models.mvit_published import K400_RULES, PositionEmbeddings, init_from_k400
from regard.models.published import Checkpoint, google_drive, tensor_names
from regard.transforms.place import Transform

__all__ = ["MViTGaze"]


class MViTGaze(nn.Module):
    """Gaze from a clip's pictures alone: one map for each frame, about that frame or about a later moment.

    `video` is RGB less 0.45 over 0.225. Sizes are as in GLC and CSTS. 49.3 million parameters. `width` and `depths`
    (blocks per stage) make it smaller. With `checkpointing`, training keeps only what lies between blocks.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = (
        Checkpoint(
            name="k400_mvit_b",
            about="MViT-B 16x4 (conv), Kinetics-400: where GLC, CSTS and MViTGaze start from",
            file="K400_MVIT_B_16x4_CONV.pyth",
            note="Kinetics checkpoint of SlowFast, whose code is Apache-2.0",
            fits=lambda content: MViTGaze().init_from(content),
            names=lambda: tensor_names(lambda: MViTGaze().encoder, K400_RULES),
            **google_drive("1cZjY9jK7urPxvZfYumIVVVvdXLmVsiJk"),
        ),
    )

    preprocess: ClassVar[tuple[Transform, ...]] = PREPROCESS

    def __init__(
        self,
        *,
        num_frames: int = 8,
        size: tuple[int, int] = (256, 256),
        width: int = 96,
        depths: tuple[int, int, int, int] = (1, 2, 11, 2),
        drop_path: float = 0.2,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(
            channels=3,
            depths=depths,
            num_frames=num_frames,
            size=size,
            width=width,
            drop_path=drop_path,
            checkpointing=checkpointing,
        )
        self.decoder = GazeDecoder(width_in=8 * width, width=width, checkpointing=checkpointing)

    def forward(self, video: Float[Tensor, "b t 3 h_in w_in"]) -> Float[Tensor, "b t h w"]:
        """Unnormalised log density for each moment; the answer has a quarter of the height and width."""
        kept = self.encoder(self.encoder.patches(video))
        return self.decoder(kept[-1], kept)

    def init_from(self, checkpoint: Mapping[str, object], *, position_embeddings: PositionEmbeddings = "2d") -> None:
        """Start the encoder from the Kinetics MViT-B, as `mvit_published.init_from_k400` says."""
        init_from_k400(self.encoder, checkpoint, position_embeddings=position_embeddings)
