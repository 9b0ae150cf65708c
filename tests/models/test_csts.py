import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from gaze_golden import (
    TINY,
    assert_close_to_largest,
    assert_matches_sample,
    assert_norms_match,
    golden_video,
    gradient_norms,
    published_state,
    recorded,
    shaken,
)
from plain_gaze import plain_csts
from torch import Tensor

from golden_rule import Golden, golden_input
from regard.engine.arithmetic import quick_float32
from regard.errors import RecipeError, WeightsError
from regard.models.csts import CSTS, PUBLISHED_RULES, CSTSFeatures
from regard.models.published import published_names
from regard.ops.heatmap import log_density, min_max
from regard.ops.published_losses import contrastive_loss, published_density, published_kl, similarity
from regard.ops.sound import SILENCE

POOLS = ("audio_pool", "audio_pool2", "vision_pool")


@dataclass
class GoldenRun:
    golden: Golden
    activations: dict[str, Tensor]
    features: CSTSFeatures
    losses: dict[str, float]
    norms: dict[str, dict[str, float]]
    names: list[str]


@pytest.fixture(scope="module")
def run() -> GoldenRun:
    """The published model, two clips forwards and backwards, once for all that is compared."""
    golden = Golden.read("csts_ego4d_forecast")
    model = CSTS.from_published(golden.state()).eval()
    parts = {
        "patch_embed": model.video_encoder.patches,
        "patch_embed_audio": model.sound_encoder.patches,
        **{f"blocks.{i}": model.video_encoder.blocks[i] for i in (0, 1, 2, 3, 13, 14, 15)},
        **{f"blocks_audio.{i}": block for i, block in enumerate(model.sound_encoder.blocks)},
        "audio_pool": model.space_sound_pool,
        "audio_pool2": model.time_sound_pool,
        "vision_pool": model.time_video_pool,
        "temporal_fusion": model.fusion_in_time,
        **{f"decode_block{i + 1}": block for i, block in enumerate(model.decoder.blocks)},
    }
    fused_moments: list[Tensor] = []
    model.fusion_in_space.register_forward_hook(lambda _m, _i, tokens: fused_moments.append(tokens.values[:4].detach()))
    sound = torch.from_numpy(golden_input("csts_audio_b2").standard_normal((2, 1, 8, 256, 256)).astype(np.float32))
    with quick_float32(model):
        with recorded(parts) as activations:
            features = model.features(golden_video("csts_video_b2"), sound[:, 0])
        kl = published_kl(features.logits, torch.from_numpy(golden.arrays["target_heatmaps_b2"])).mean()
        contrast = contrastive_loss(features.video_embedding, features.sound_embedding)
        kl.backward(retain_graph=True)
        norms = {"kldiv": gradient_norms(model, PUBLISHED_RULES)}
        (0.05 * contrast).backward()
    norms["total"] = gradient_norms(model, PUBLISHED_RULES)
    activations["spatial_fusion"] = torch.cat([fused_moments[0][:, 1:].flatten(0, 1), fused_moments[0][:, 0]])[None]
    return GoldenRun(
        golden,
        activations,
        CSTSFeatures(*(f.detach() for f in features)),
        {"kldiv": kl.item(), "egonce": contrast.item(), "total_alpha_0_05": (kl + 0.05 * contrast).item()},
        norms,
        list(published_names(model, PUBLISHED_RULES)),
    )


def test_has_the_published_weights(run: GoldenRun) -> None:
    assert sorted(run.names) == sorted(name for name, _ in run.golden.about["params"])
    assert len(run.names) == 524


def test_activations_are_the_published_ones(run: GoldenRun) -> None:
    assert len(run.activations) == 22
    for name, found in run.activations.items():
        if name in POOLS:
            assert_matches_sample(run.golden, name, found.transpose(1, 2)[..., None, None])
        else:
            assert_matches_sample(run.golden, name, found.flatten(1, -2))


def test_logits_and_densities_are_the_published_ones(run: GoldenRun) -> None:
    logits, wanted = run.features.logits, run.golden.arrays
    assert_close_to_largest(logits[:1], wanted["logits_b1"][:, 0])
    assert_close_to_largest(logits.flatten()[::8], wanted["logits_b2_sample"])
    density = published_density(logits[:1])
    assert_close_to_largest(density, wanted["softmax_b1"][:, 0])
    assert_close_to_largest(min_max(density), wanted["rescaled_b1"][:, 0])


def test_embeddings_are_the_published_ones(run: GoldenRun) -> None:
    video, sound, wanted = run.features.video_embedding, run.features.sound_embedding, run.golden.arrays
    assert video is not None
    assert sound is not None
    for batch in (1, 2):
        assert_close_to_largest(video[:batch], wanted[f"v_embed_b{batch}"])
        assert_close_to_largest(sound[:batch], wanted[f"a_embed_b{batch}"])
    assert_close_to_largest(similarity(video, sound), wanted["sim_b2"])


def test_attention_is_the_published_one(run: GoldenRun) -> None:
    assert_close_to_largest(run.features.time_attention[:1], run.golden.arrays["temporal_attn"])
    space = torch.zeros(8, 260, 260)
    for moment in range(4):
        tokens = [256 + moment, *range(64 * moment, 64 * moment + 64)]
        space[:, np.array(tokens)[:, None], tokens] = run.features.space_attention[0, moment]
    stride = run.golden.about["output_meta"]["spatial_attn"]["stride"]
    assert_close_to_largest(space.flatten()[::stride], run.golden.arrays["spatial_attn_sample"].ravel())


def test_losses_and_all_gradient_norms_are_the_published_ones(run: GoldenRun) -> None:
    assert run.losses == pytest.approx(run.golden.about["losses"], rel=1e-5)
    about = run.golden.about
    assert_norms_match(run.norms["total"], about["grad_norms_total_loss"])
    everything = sum(norm**2 for norm in run.norms["total"].values()) ** 0.5
    assert everything == pytest.approx(about["grad_norm_all"], rel=1e-5)
    # The golden has None for the two embedding layers, in which this loss takes no part.
    assert_norms_match(run.norms["kldiv"], {name: norm or 0.0 for name, norm in about["grad_norms_kldiv_only"].items()})


@pytest.fixture(scope="module")
def tiny() -> CSTS:
    torch.manual_seed(0)
    return shaken(CSTS(**TINY, sound_size=(32, 64), embedding_width=6))


def clip(frames: int = 4, h: int = 64, w: int = 96, b: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(frames + h + w)
    return torch.randn(b, frames, 3, h, w, generator=generator, dtype=torch.float64)


def noise(frames: int = 4, f: int = 32, k: int = 64, b: int = 2) -> Tensor:
    return torch.randn(b, frames, f, k, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def published_shapes(model: CSTS) -> dict[str, Tensor]:
    state = published_state(model, PUBLISHED_RULES)
    grids = {"audio_pool": (1, 2), "audio_pool2": (1, 2), "vision_pool": (2, 3)}
    for name, grid in grids.items():
        state[f"{name}.weight"] = state[f"{name}.weight"].unflatten(1, (-1, 1, *grid))
    return state


@torch.no_grad()
def test_equals_its_plain_form(tiny: CSTS) -> None:
    wanted = plain_csts(published_shapes(tiny), clip(), noise())
    torch.testing.assert_close(tiny(clip(), noise()), wanted, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_features_hold_the_same_answer(tiny: CSTS) -> None:
    features = tiny.features(clip(), noise())
    assert features.logits.equal(tiny(clip(), noise()))
    torch.testing.assert_close(features.space_attention.sum(dim=-1), torch.ones(2, 2, 8, 7, dtype=torch.float64))
    torch.testing.assert_close(features.time_attention.sum(dim=-1), torch.ones(2, 8, 4, dtype=torch.float64))
    silent_about_it = CSTS(**TINY, embedding_width=None)
    assert silent_about_it.features(clip().float(), None).video_embedding is None


@torch.no_grad()
def test_missing_sound_is_heard_as_silence_whatever_it_holds(tiny: CSTS) -> None:
    heard = noise()
    valid = torch.tensor([[True, True, False, True], [False, False, False, False]])
    silenced = heard.where(valid[..., None, None], SILENCE)
    broken = heard.where(valid[..., None, None], torch.nan)
    assert tiny(clip(), broken, valid).equal(tiny(clip(), silenced))
    assert tiny(clip()).equal(tiny(clip(), torch.full_like(heard, SILENCE)))
    assert not tiny(clip(), silenced).equal(tiny(clip(), heard))


@torch.no_grad()
@pytest.mark.parametrize(("frames", "size", "sound_size"), [(2, (32, 32), (64, 32)), (6, (96, 64), (32, 64))])
def test_takes_clips_of_other_lengths_and_sizes(tiny: CSTS, frames: int, size: tuple, sound_size: tuple) -> None:
    features = tiny.features(clip(frames, *size), noise(frames, *sound_size))
    assert features.logits.shape == (2, frames, size[0] // 4, size[1] // 4)
    assert features.logits.isfinite().all()
    assert features.space_attention.shape[1] == frames // 2


def test_sound_of_another_length_or_size_is_named(tiny: CSTS) -> None:
    with pytest.raises(RecipeError, match="6 windows of sound for 4 frames"):
        tiny(clip(), noise(frames=6))
    with pytest.raises(RecipeError, match="4 frames of 32x50"):
        tiny(clip(), noise(k=50))
    with pytest.raises(RecipeError, match="3 frames of 64x96"):
        tiny(clip(frames=3), noise(frames=3))


@torch.no_grad()
def test_a_published_state_loads_with_and_without_its_projections() -> None:
    golden = Golden.read("csts_ego4d_forecast")
    drawn = torch.Generator().manual_seed(3)
    state = {f"module.{name}": torch.rand(1, generator=drawn).expand(shape) for name, shape in golden.about["params"]}
    full = CSTS.from_published({"model_state": state, "epoch": 5})
    assert len(full.state_dict()) == 524
    qkv = full.video_encoder.blocks[7].attention.qkv.weight
    assert qkv[3, 4] == state["module.blocks.7.attn.qkv.weight"][3, 4]
    assert full.time_sound_pool.merge.weight[0, 9] == state["module.audio_pool2.weight"].flatten()[0]
    bare = {n.removeprefix("module."): v for n, v in state.items() if "_proj." not in n}
    assert CSTS.from_published(bare).video_embedding is None
    with pytest.raises(WeightsError, match=r"missing audio_proj\.weight; missing audio_proj\.bias"):
        CSTS.from_published({n: v for n, v in state.items() if "audio_proj" not in n})


def test_checkpointing_changes_no_gradient() -> None:
    def norms(checkpointing: bool) -> dict[str, float]:
        torch.manual_seed(0)
        model = shaken(CSTS(**TINY, sound_size=(32, 64), checkpointing=checkpointing)).train()
        torch.manual_seed(2)
        features = model.features(clip(b=3), noise(b=3))
        contrast = contrastive_loss(features.video_embedding, features.sound_embedding)
        (features.logits.square().mean() + contrast).backward()
        return gradient_norms(model, PUBLISHED_RULES)

    kept, recomputed = norms(checkpointing=False), norms(checkpointing=True)
    assert recomputed == pytest.approx(kept, rel=1e-9, abs=1e-15)
    assert all(n > 0 for name, n in kept.items() if "norm_k.bias" not in name)


def test_learns_from_sound_where_the_pictures_say_nothing() -> None:
    torch.manual_seed(0)
    model = CSTS(**(TINY | {"size": (32, 32), "drop_path": 0.0}), sound_size=(32, 64))
    video = clip(h=32, w=32)[:1].float().expand(2, -1, -1, -1, -1)
    sound = noise().float() - torch.tensor([0.0, 10.0])[:, None, None, None]
    target = torch.zeros(2, 4, 8, 8)
    target[0, :, 3, 4] = 1
    target[1, :, 6, 2] = 1
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    nats = []
    for _ in range(60):
        loss = -(target * log_density(model(video, sound))).sum(dim=(-2, -1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        nats.append(loss.item())
    # The two clips look the same: who does not listen cannot do better than ln 2.
    assert nats[-1] < 0.5 * math.log(2) < nats[0]
