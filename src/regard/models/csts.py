"""CSTS: where somebody will look next, from what they saw and heard.

Pictures and sound each go through an MViT of their own. Then the sound is brought in twice: in space, where each
frame's cells attend to each other and to that frame's sound, and in time, where a summary of each frame and of each
moment of sound attend to each other and so weigh the frames.
Source: Lai et al., Listen to look into the future: audio-visual egocentric gaze anticipation, ECCV 2024;
BolinLai/CSTS@8b94eec.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from regard.errors import HorizonError, RecipeError
from regard.models.csts_fusion import GridPool, attention_of, moments_apart
from regard.models.mvit import PREPROCESS, Block, Encoder, GazeDecoder, coarsest_grid, patch_grid
from regard.models.mvit_attention import Grid, Tokens, linear
from regard.models.mvit_published import (
    BLOCK_RULES,
    DECODER_RULES,
    PositionEmbeddings,
    encoder_rules,
    init_from_k400,
)
from regard.models.published import Checkpoint, Rules, bare_state, built_from, tensor_names
from regard.ops.sound import SILENCE
from regard.transforms.place import Transform

__all__ = ["CSTS", "CSTSFeatures"]

PUBLISHED_RULES: Rules = (
    *encoder_rules(r"video_encoder\."),
    *encoder_rules(r"sound_encoder\.", "_audio"),
    (r"^video_embedding\.", "vision_proj."),
    (r"^sound_embedding\.", "audio_proj."),
    (r"^space_sound_pool\.merge\.", "audio_pool."),
    (r"^time_sound_pool\.merge\.", "audio_pool2."),
    (r"^time_video_pool\.merge\.", "vision_pool."),
    (r"^fusion_in_space\.", "spatial_fusion."),
    (r"^fusion_in_time\.", "temporal_fusion."),
    *DECODER_RULES,
    *BLOCK_RULES,
)
SOUND_DEPTHS = (1, 1, 1, 1)
HORIZONS_S = tuple(1 / 30 + 0.3 * i for i in range(8))
"""What each of the eight answers is about, counted from the last frame, as it was trained on Ego4D."""
NEAR_S = 0.05
"""A horizon this near to one of them means that one."""


class Embedded(NamedTuple):
    """What CSTS answers, and what its contrastive loss compares; None in a model without embeddings."""

    logits: Float[Tensor, "b t h w"]
    video_embedding: Float[Tensor, "b e"] | None
    sound_embedding: Float[Tensor, "b e"] | None


class CSTSFeatures(NamedTuple):
    """What CSTS answers, what its contrastive loss compares, and what its two fusions looked at.

    Moments t2 are half of the frames. Embeddings are None in a model without them.
    """

    logits: Float[Tensor, "b t h w"]
    video_embedding: Float[Tensor, "b e"] | None
    sound_embedding: Float[Tensor, "b e"] | None
    space_attention: Float[Tensor, "b t2 heads n n"]
    """Within each moment: its sound first, then its cells."""
    time_attention: Float[Tensor, "b heads m m"]
    """Between the pictures of all moments, then the sounds of all moments."""


class CSTS(nn.Module):
    """Gaze at moments after a clip, from its frames and a window of sound round each. 188.2 million parameters.

    `video` is RGB less 0.45 over 0.225, `num_frames` frames of `size` (height, width); `sound` a log-power spectrogram
    window of `sound_size` (frequencies, columns) for each frame. The answer has as many moments as there are frames.
    Clips of another length or size can be put to it too: position embeddings, and the maps that are summed up per
    moment, are then resampled. Frames must be even in number, heights and widths multiples of 32.

    A window that is not `sound_valid` is heard as silence, whatever it holds; this is what the published model hears
    of a recording whose sound is missing. Without `sound`, all of it is silent.

    With `use_sound` off, a model of the same size hears silence and reads no sound; compare with it to learn what sound
    is worth. It has no embeddings, as there is nothing to compare. (`MViTGaze` has no ears at all.)
    `embedding_width` None leaves out the two layers that only the contrastive loss uses. `width` and `depths` (blocks
    per stage of the video's MViT) make it smaller. With `checkpointing`, training keeps only what lies between blocks.
    """

    published: ClassVar[tuple[Checkpoint, ...]] = tuple(
        Checkpoint(
            name=name,
            about=about,
            file=file,
            page="https://huggingface.co/bolinlai/CSTS",
            recipe="csts",
            note="seen there in November 2026 and not fetched by us; put the file here by hand",
            fits=lambda content: CSTS.from_published(content),  # noqa: PLW0108 - the class is not there yet
            names=lambda: tensor_names(CSTS, PUBLISHED_RULES),
        )
        for name, about, file in (
            ("csts_ego4d", "CSTS, Ego4D", "CSTS_Ego4D.pyth"),
            ("csts_aria", "CSTS, Aria Everyday Activities", "CSTS_Aria.pyth"),
        )
    )

    preprocess: ClassVar[tuple[Transform, ...]] = PREPROCESS
    exported: ClassVar[str] = "from_both"

    def __init__(
        self,
        *,
        num_frames: int = 8,
        size: tuple[int, int] = (256, 256),
        sound_size: tuple[int, int] = (256, 256),
        width: int = 96,
        depths: tuple[int, int, int, int] = (1, 2, 11, 2),
        use_sound: bool = True,
        embedding_width: int | None = 256,
        drop_path: float = 0.2,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.sound_size, self.use_sound = sound_size, use_sound
        self.video_encoder = Encoder(
            channels=3,
            depths=depths,
            num_frames=num_frames,
            size=size,
            width=width,
            drop_path=drop_path,
            checkpointing=checkpointing,
        )
        self.sound_encoder = Encoder(
            channels=1,
            depths=SOUND_DEPTHS,
            num_frames=num_frames,
            size=sound_size,
            width=width,
            drop_path=0.0,
            checkpointing=checkpointing,
        )
        wide = 8 * width
        seen_grid, heard_grid = (coarsest_grid(patch_grid(num_frames, s)) for s in (size, sound_size))
        self.space_sound_pool = GridPool(wide, heard_grid)
        self.fusion_in_space = Block(wide, wide, heads=8, hidden=4 * wide)
        self.time_video_pool = GridPool(wide, seen_grid)
        self.time_sound_pool = GridPool(wide, heard_grid)
        self.fusion_in_time = Block(wide, wide, heads=8, hidden=4 * wide)
        self.video_embedding, self.sound_embedding = None, None
        if use_sound and embedding_width is not None:
            self.video_embedding, self.sound_embedding = (linear(wide, embedding_width) for _ in range(2))
        self.decoder = GazeDecoder(width_in=wide, width=width, checkpointing=checkpointing)

    def at_horizon(self, horizon_s: float) -> tuple[nn.Module, float]:
        """A model that gives only the answer about `horizon_s` after the last frame, and what that is exactly.

        Raises HorizonError for what none of the answers is about.
        """
        near = min(range(len(HORIZONS_S)), key=lambda i: abs(HORIZONS_S[i] - horizon_s))
        if not abs(HORIZONS_S[near] - horizon_s) < NEAR_S:
            raise HorizonError(
                "horizon_s",
                found=f"{horizon_s:g} s asked of CSTS",
                wanted=f"one of {', '.join(f'{h:.2f}' for h in HORIZONS_S)} s, which it was made for",
                do=f"ask {HORIZONS_S[near]:.2f} s ahead",
            )
        return OneHorizon(self, near), HORIZONS_S[near]

    @property
    def ignores(self) -> frozenset[str]:
        """Inputs that the model as it was made does not read."""
        return frozenset() if self.use_sound else frozenset({"sound", "sound_valid"})

    @property
    def embeds(self) -> bool:
        """True where what was seen and heard can be contrasted."""
        return self.video_embedding is not None

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        sound: Float[Tensor, "b windows f k"] | None = None,
        sound_valid: Bool[Tensor, "b windows"] | None = None,
    ) -> Float[Tensor, "b t h w"]:
        """Unnormalised log density for each asked moment; the published density is its softmax at temperature 2."""
        return self.from_both(video, self._heard(video, sound, sound_valid))

    def from_both(
        self, video: Float[Tensor, "b t 3 h_in w_in"], sound: Float[Tensor, "b t f k"]
    ) -> Float[Tensor, "b t h w"]:
        """The same where all sound is there."""
        return self.embedded(video, sound).logits

    def embedded(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        sound: Float[Tensor, "b windows f k"] | None = None,
        sound_valid: Bool[Tensor, "b windows"] | None = None,
    ) -> Embedded:
        """The same answer, and what was seen and what was heard as one vector each."""
        kept, heard = self._encode(video, sound, sound_valid)
        seen, weighed_sound = self._fuse(kept[-1], heard)
        return Embedded(
            logits=self.decoder(kept[-1].with_cells(seen), kept),
            video_embedding=_embedded(seen, self.video_embedding),
            sound_embedding=_embedded(weighed_sound, self.sound_embedding),
        )

    def features(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        sound: Float[Tensor, "b windows f k"] | None = None,
        sound_valid: Bool[Tensor, "b windows"] | None = None,
    ) -> CSTSFeatures:
        """The same answer, the two embeddings and the attention of the two fusions."""
        kept, heard = self._encode(video, sound, sound_valid)
        seen, weighed_sound = self._fuse(kept[-1], heard)
        in_space = attention_of(self.fusion_in_space, moments_apart(kept[-1], heard, self.space_sound_pool))
        return CSTSFeatures(
            logits=self.decoder(kept[-1].with_cells(seen), kept),
            video_embedding=_embedded(seen, self.video_embedding),
            sound_embedding=_embedded(weighed_sound, self.sound_embedding),
            space_attention=in_space.unflatten(0, (len(video), -1)),
            time_attention=attention_of(self.fusion_in_time, self._summaries(kept[-1], heard)),
        )

    def _encode(self, video: Tensor, sound: Tensor | None, sound_valid: Tensor | None) -> tuple[list[Tokens], Tokens]:
        sound = self._heard(video, sound, sound_valid)
        kept = self.video_encoder(self.video_encoder.patches(video))
        heard = self.sound_encoder(self.sound_encoder.patches(sound[:, :, None]))
        return kept, heard[-1]

    def _heard(self, video: Tensor, sound: Tensor | None, sound_valid: Tensor | None) -> Tensor:
        """A window of sound for each frame, silent where there is none to hear."""
        if sound is None or not self.use_sound:
            sound_valid = None
            sound = video.new_full((*video.shape[:2], *self.sound_size), SILENCE)
        if sound.shape[:2] != video.shape[:2]:
            raise RecipeError(
                "sound",
                found=f"{sound.shape[1]} windows of sound for {video.shape[1]} frames",
                wanted="one window for each frame",
                do="cut the sound with regard.clips.SoundWindows at the clip's own frames",
            )
        return sound if sound_valid is None else torch.where(sound_valid[..., None, None], sound, SILENCE)

    def _fuse(self, seen: Tokens, heard: Tokens) -> tuple[Tensor, Tensor]:
        """The cells of the pictures, having heard, and those of the sound, each moment weighed."""
        moments = seen.grid.t
        in_space = self.fusion_in_space(moments_apart(seen, heard, self.space_sound_pool)).cells
        weights = self.fusion_in_time(self._summaries(seen, heard)).values[:, :, None, None]
        return in_space.reshape(seen.cells.shape) * weights[:, :moments], heard.cells * weights[:, moments:]

    def _summaries(self, seen: Tokens, heard: Tokens) -> Tokens:
        """One token for the pictures of each moment, then one for its sound."""
        both = torch.cat([self.time_video_pool(seen.cells), self.time_sound_pool(heard.cells)], dim=1)
        return Tokens(both, Grid(both.shape[1], 1, 1))

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> "CSTS":
        """The model with published weights, by their names; with or without the two projection layers.

        A checkpoint has them where it was trained with the contrastive loss. Raises WeightsError that lists what does
        not fit.
        """
        state = bare_state(checkpoint, where="CSTS")
        projects = any(name.startswith(("vision_proj.", "audio_proj.")) for name in state)
        build = cls if projects else partial(cls, embedding_width=None)
        return built_from(build, state, PUBLISHED_RULES, where="CSTS")

    def init_from(self, checkpoint: Mapping[str, object], *, position_embeddings: PositionEmbeddings = "2d") -> None:
        """Start the video's encoder from the Kinetics MViT-B, as `mvit_published.init_from_k400` says."""
        init_from_k400(self.video_encoder, checkpoint, position_embeddings=position_embeddings)


class OneHorizon(nn.Module):
    """CSTS, of whose answers only one is kept."""

    def __init__(self, model: CSTS, number: int) -> None:
        super().__init__()
        self.model, self.number = model, number

    def forward(
        self,
        video: Float[Tensor, "b t 3 h_in w_in"],
        sound: Float[Tensor, "b windows f k"] | None = None,
        sound_valid: Bool[Tensor, "b windows"] | None = None,
    ) -> Float[Tensor, "b 1 h w"]:
        """Unnormalised log density for the one moment."""
        return self.model(video, sound, sound_valid)[:, self.number, None]


def _embedded(cells: Tensor, layer: nn.Linear | None) -> Tensor | None:
    return None if layer is None else layer(cells.flatten(1, 3).mean(dim=1))
