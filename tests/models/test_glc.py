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
from plain_gaze import plain_glc
from torch import Tensor

from golden_rule import Golden
from regard.engine.arithmetic import quick_float32
from regard.errors import RecipeError, WeightsError
from regard.models.glc import GLC, PUBLISHED_RULES, GLCFeatures, own_or_global
from regard.models.published import published_names
from regard.ops.published_losses import published_density, published_kl


@dataclass
class GoldenRun:
    golden: Golden
    activations: dict[str, Tensor]
    features: GLCFeatures
    loss: float
    norms: dict[str, float]
    names: list[str]


@pytest.fixture(scope="module")
def run() -> GoldenRun:
    """The published model, two clips forwards and backwards, once for all that is compared."""
    golden = Golden.read("glc_ego4d")
    model = GLC.from_published(golden.state()).eval()
    parts = {
        "patch_embed": model.encoder.patches,
        "global_embed": model.global_embedding,
        **{f"blocks.{i}": model.encoder.blocks[i] for i in (0, 1, 2, 3, 13, 14, 15)},
        "global_fuse": model.correlation,
        "norm": model.norm,
        **{f"decode_block{i + 1}": block for i, block in enumerate(model.decoder.blocks)},
    }
    with quick_float32(model):
        with recorded(parts) as activations:
            features = model.features(golden_video("glc_video_b2"))
        loss = published_kl(features.logits, torch.from_numpy(golden.arrays["target_heatmaps_b2"])).mean()
        loss.backward()
    names = list(published_names(model, PUBLISHED_RULES))
    norms = gradient_norms(model, PUBLISHED_RULES)
    return GoldenRun(golden, activations, GLCFeatures(*(f.detach() for f in features)), loss.item(), norms, names)


def test_has_the_published_weights(run: GoldenRun) -> None:
    assert sorted(run.names) == sorted(name for name, _ in run.golden.about["params"])


def test_activations_are_the_published_ones(run: GoldenRun) -> None:
    run.activations["patch_embed"] = run.activations["patch_embed"].flatten(1, 3)
    assert len(run.activations) == 15
    for name, values in run.activations.items():
        assert_matches_sample(run.golden, name, values)


def test_logits_and_densities_are_the_published_ones(run: GoldenRun) -> None:
    logits, wanted = run.features.logits, run.golden.arrays
    assert_close_to_largest(logits[:1], wanted["logits_b1"][:, 0])
    assert_close_to_largest(published_density(logits[:1]), wanted["softmax_b1"][:, 0])
    assert_close_to_largest(logits.flatten()[::8], wanted["logits_b2_sample"])


def test_global_shares_are_the_published_attention(run: GoldenRun) -> None:
    share = run.features.global_share[0].flatten(1)
    column = run.golden.arrays["glc_attn_global_column"]
    np.testing.assert_allclose(column[:, 0], 1)
    assert_close_to_largest(share, column[:, 1:])
    attention = torch.zeros(8, 257, 257)
    attention[:, 0, 0] = 1
    attention[:, 1:, 0] = share
    attention[:, range(1, 257), range(1, 257)] = 1 - share
    stride = run.golden.about["output_meta"]["glc_attn"]["stride"]
    assert_close_to_largest(attention.flatten()[::stride], run.golden.arrays["glc_attn_sample"].ravel())


def test_loss_and_all_gradient_norms_are_the_published_ones(run: GoldenRun) -> None:
    assert run.loss == pytest.approx(run.golden.about["losses"]["kldiv"], rel=1e-6)
    assert_norms_match(run.norms, run.golden.about["grad_norms"])
    everything = sum(norm**2 for norm in run.norms.values()) ** 0.5
    assert everything == pytest.approx(run.golden.about["grad_norm_all"], rel=1e-4)


@pytest.fixture(scope="module")
def tiny() -> GLC:
    torch.manual_seed(0)
    return shaken(GLC(**TINY))


def clip(frames: int = 4, h: int = 64, w: int = 96, b: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(frames + h + w)
    return torch.randn(b, frames, 3, h, w, generator=generator, dtype=torch.float64)


@torch.no_grad()
def test_equals_its_plain_form(tiny: GLC) -> None:
    wanted = plain_glc(published_state(tiny, PUBLISHED_RULES), clip())
    torch.testing.assert_close(tiny(clip()), wanted, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_two_way_softmax_equals_the_masked_one() -> None:
    q, k, v = torch.randn(3, 2, 3, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mask = torch.full((7, 7), -1e8, dtype=torch.float64).fill_diagonal_(0)
    mask[:, 0] = 0
    plain = (q @ k.transpose(-2, -1) * 5**-0.5 + mask).softmax(dim=-1) @ v
    torch.testing.assert_close(own_or_global(q, k, v), plain)


@torch.no_grad()
@pytest.mark.parametrize(("frames", "h", "w"), [(2, 32, 32), (6, 96, 64), (4, 64, 96)])
def test_takes_clips_of_other_lengths_and_sizes(tiny: GLC, frames: int, h: int, w: int) -> None:
    features = tiny.features(clip(frames, h, w))
    assert features.logits.shape == (2, frames, h // 4, w // 4)
    assert features.global_share.shape == (2, 8, frames // 2, h // 32, w // 32)
    assert features.logits.isfinite().all()


@pytest.mark.parametrize(("frames", "h", "w"), [(3, 64, 96), (4, 60, 96), (4, 64, 16)])
def test_a_clip_that_cannot_be_halved_and_doubled_is_named(tiny: GLC, frames: int, h: int, w: int) -> None:
    with pytest.raises(RecipeError, match=f"{frames} frames of {h}x{w}"):
        tiny(clip(frames, h, w))
    with pytest.raises(RecipeError, match=f"{frames} frames of {h}x{w}"):
        GLC(num_frames=frames, size=(h, w), width=8)


def test_checkpointing_changes_no_gradient() -> None:
    def norms(checkpointing: bool) -> dict[str, float]:
        torch.manual_seed(0)
        model = shaken(GLC(**TINY, checkpointing=checkpointing)).train()
        torch.manual_seed(2)
        model(clip(b=3)).square().mean().backward()
        return gradient_norms(model, PUBLISHED_RULES)

    kept, recomputed = norms(checkpointing=False), norms(checkpointing=True)
    assert recomputed == pytest.approx(kept, rel=1e-9, abs=1e-15)
    assert min(n for name, n in kept.items() if "norm_k.bias" not in name) > 0


def test_learns_two_clips_by_heart() -> None:
    torch.manual_seed(0)
    model = GLC(**(TINY | {"size": (64, 64), "drop_path": 0.0}))
    video = clip(h=64, w=64).float()
    target = torch.zeros(2, 4, 16, 16)
    target[0, :, 3, 4] = 1
    target[1, :, 12, 9] = 1
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = published_kl(model(video), target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_checkpoint_that_does_not_fit_is_explained_by_name() -> None:
    golden = Golden.read("glc_ego4d")
    state = {name: torch.empty(shape, device="meta") for name, shape in golden.about["params"]}
    with pytest.raises(WeightsError, match=r"missing blocks\.0\.norm1\.weight"):
        GLC.from_published({n: v for n, v in state.items() if n != "blocks.0.norm1.weight"})
    with pytest.raises(WeightsError, match="left over vision_pool"):
        GLC.from_published(state | {"vision_pool.weight": torch.empty(1)})
    with pytest.raises(WeightsError, match=r"norm\.weight is \(3,\) and not \(1536,\)"):
        GLC.from_published(state | {"norm.weight": torch.empty(3)})
    with pytest.raises(WeightsError, match=r"module\.norm\.weight and norm\.weight"):
        GLC.from_published(state | {"module.norm.weight": torch.empty(1536)})
    with pytest.raises(WeightsError, match="not tensors"):
        GLC.from_published({"cfg": "text", "epoch": 3})
