"""GLC: where somebody looks in every frame of a clip, from the pictures and one token that stands for the whole clip.

The global token goes through MViT with the cells. Then a second attention asks each cell how much of the global token
it wants instead of itself: this is the global-local correlation.
Source: Lai et al., In the eye of transformer: global-local correlation for egocentric gaze estimation, BMVC 2022;
BolinLai/GLC@0025371.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from regard.models.mvit import BLOCK_EPS, PREPROCESS, Block, Encoder, GazeDecoder, coarsest_grid, patch_grid
from regard.models.mvit_attention import CellPool, Grid, Tokens, linear
from regard.models.mvit_published import (
    BLOCK_RULES,
    DECODER_RULES,
    PositionEmbeddings,
    encoder_rules,
    init_from_k400,
)
from regard.models.published import Checkpoint, Rules, bare_state, built_from, google_drive, tensor_names
from regard.transforms.place import Transform

__all__ = ["GLC", "GLCFeatures"]

PUBLISHED_RULES: Rules = (
    *encoder_rules(r"encoder\."),
    *((rf"^global_embedding\.norms\.{i}\.", f"global_embed.bn_{i}.") for i in range(3)),
    *((rf"^global_embedding\.convolutions\.{i}\.", f"global_embed.proj_{i + 1}.") for i in range(3)),
    (r"^global_embedding\.merge\.", "global_embed.linear."),
    (r"^correlation\.", "global_fuse."),
    (r"^norm\.", "norm."),
    *DECODER_RULES,
    *BLOCK_RULES,
)
CORRELATION_DROP_PATH = 0.4


class GLCFeatures(NamedTuple):
    """What GLC answers, and what it looked at."""

    logits: Float[Tensor, "b t h w"]
    global_share: Float[Tensor, "b heads t2 h32 w32"]
    """How much of each cell's answer in the correlation comes from the global token; the rest is its own."""


class GLC(nn.Module):
    """Gaze in every frame of a clip. 70.2 million parameters.

    `video` is RGB less 0.45 over 0.225, `num_frames` frames of `size` (height, width); the published ones are 8 of
    256x256, 9 frames apart at 30 Hz. Clips of another length or size can be put to it too: position embeddings, and
    the map that the global token is made of, are then resampled. Frames must be even in number, height and width
    multiples of 32; the answer has a quarter of the height and width. `width` and `depths` (blocks per stage) make it
    smaller. With `checkpointing`, training keeps only what lies between blocks.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = tuple(
        Checkpoint(
            name=name,
            about=about,
            file=file,
            recipe="glc",
            fits=lambda content: GLC.from_published(content),  # noqa: PLW0108 - the class is not there yet
            names=lambda: tensor_names(GLC, PUBLISHED_RULES),
            **google_drive(address),
        )
        for name, about, file, address in (
            ("glc_ego4d", "GLC, Ego4D", "GLC_Ego4D.pyth", "1zQdZuV4OowEJxBZAAWr_MuZcN7LJujOw"),
            ("glc_egtea", "GLC, EGTEA Gaze+", "GLC_EGTEA.pyth", "15XVipU1CqoosyvPU1vfcG0w2LuLQecF1"),
        )
    )

    preprocess: ClassVar[tuple[Transform, ...]] = PREPROCESS
    exported: ClassVar[str] = "forward"

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
        self.global_embedding = GlobalEmbedding(width, coarsest_grid(patch_grid(num_frames, size)))
        self.correlation = Block(
            8 * width,
            8 * width,
            heads=8,
            hidden=32 * width,
            query=CellPool(width, stride=1),
            key_stride=1,
            drop_path=CORRELATION_DROP_PATH,
            attend=own_or_global,
        )
        self.norm = nn.LayerNorm(16 * width, eps=BLOCK_EPS)
        self.decoder = GazeDecoder(width_in=16 * width, width=width, checkpointing=checkpointing)

    def forward(self, video: Float[Tensor, "b t 3 h_in w_in"]) -> Float[Tensor, "b t h w"]:
        """Unnormalised log density for each frame; the published density is its softmax at temperature 2."""
        kept = self._encode(video)
        return self._decode(kept)

    def features(self, video: Float[Tensor, "b t 3 h_in w_in"]) -> GLCFeatures:
        """The same answer, and how much each cell took from the global token."""
        kept = self._encode(video)
        attention, normal = self.correlation.attention, self.correlation.normalised(kept[-1])
        queries, (k, _) = attention.queries(normal), attention.keys_and_values(normal)
        share = global_share(attention.split(queries.values, attention.query_norm), k)
        return GLCFeatures(self._decode(kept), share[:, :, 1:, 0].unflatten(-1, queries.grid))

    def _encode(self, video: Tensor) -> list[Tokens]:
        patches = self.encoder.patches(video)
        return self.encoder(patches, self.global_embedding(patches))

    def _decode(self, kept: list[Tokens]) -> Tensor:
        last = kept[-1]
        both = torch.cat([last.values, self.correlation(last).values], dim=-1)
        return self.decoder(Tokens(self.norm(both), last.grid), kept)

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "GLC":
        """The model with the authors' weights, by their names. Raises WeightsError that lists what does not fit."""
        return built_from(cls, bare_state(checkpoint, where="GLC"), PUBLISHED_RULES, where="GLC")

    def init_from(self, checkpoint: Mapping[str, object], *, position_embeddings: PositionEmbeddings = "2d") -> None:
        """Start the encoder from the Kinetics MViT-B, as `mvit_published.init_from_k400` says."""
        init_from_k400(self.encoder, checkpoint, position_embeddings=position_embeddings)


class GlobalEmbedding(nn.Module):
    """The whole clip in one token: three convolutions down to the coarsest `grid`, then one linear layer over it."""

    def __init__(self, width: int, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.norms = nn.ModuleList(nn.BatchNorm3d(width) for _ in range(3))
        self.convolutions = nn.ModuleList(nn.Conv3d(width, width, 3, stride=(1, 2, 2), padding=1) for _ in range(3))
        self.merge = linear(width * grid.t * grid.h * grid.w, width)

    def forward(self, patches: Float[Tensor, "b t h w c"]) -> Float[Tensor, "b 1 c"]:
        """The token; a map of another grid is first brought to the one the linear layer was made for."""
        volume = patches.permute(0, 4, 1, 2, 3)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            volume = convolution(functional.relu(norm(volume)))
        if volume.shape[2:] != self.grid:
            volume = functional.interpolate(volume, self.grid, mode="trilinear")
        return self.merge(volume.flatten(1))[:, None]


def own_or_global(
    q: Float[Tensor, "b heads n c"], k: Float[Tensor, "b heads n c"], v: Float[Tensor, "b heads n c"]
) -> Float[Tensor, "b heads n c"]:
    """Attention in which each token sees itself and the global token (number 0) alone.

    The published form masks an n x n softmax; a softmax over two is a sigmoid.
    """
    return torch.lerp(v, v[:, :, :1], global_share(q, k))


def global_share(q: Float[Tensor, "b heads n c"], k: Float[Tensor, "b heads n c"]) -> Float[Tensor, "b heads n 1"]:
    """How much each token attends to token 0 and not to itself; 0.5, and meaningless, for token 0."""
    return ((q * (k[:, :, :1] - k)).sum(dim=-1, keepdim=True) * q.shape[-1] ** -0.5).sigmoid()
