from collections.abc import Mapping

import numpy as np
import pytest
import torch
from gaze_golden import assert_close_to_largest
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden, filled, golden_input
from regard.errors import RecipeError, WeightsError
from regard.models.gaze_attention import GAZE_ATTENTION_RULES, AttentionHead, GazeAttention, GazeBranch
from regard.models.published import load_published, published_names
from regard.ops.action_losses import cell_kl, slot_targets
from regard.ops.direct_optimisation import direct_loss, gumbel_noise, hard_sample

SMALL = {"actions": 5, "num_frames": 16, "size": (64, 96), "width": 4, "depths": (1, 1, 1)}
GRADIENT = 1e-3
"""The stored gradient norms are float32 sums and up to 1.4e-4 off."""


def states(golden: Golden) -> dict[str, dict[str, Tensor]]:
    """The three files, each as a process on several devices wrote it."""
    return {
        part: {f"module.{name}": filled(name, shape) for name, shape in params}
        for part, params in golden.about["params"].items()
    }


def drawn(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(golden_input(name).standard_normal(shape).astype(np.float32))


def small(seed: int = 0) -> GazeAttention:
    torch.manual_seed(seed)
    return GazeAttention(**SMALL)


def small_clips(b: int = 2) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(b)
    return torch.randn(b, 16, 3, 64, 96, generator=g), torch.randn(b, 16, 2, 64, 96, generator=g)


def test_the_whole_as_tested_is_the_published_one_and_so_are_its_losses_and_gradients() -> None:
    golden = Golden.read("ga_iga_testmode")
    parts = states(golden)
    model = GazeAttention.from_published(base=parts["base"], gaze=parts["gaze"], attn=parts["attn"]).eval()
    wanted = golden.arrays
    noise = gumbel_noise(torch.from_numpy(golden_input("gumbel_u").random((3, 49)).astype(np.float32)))
    clip, flow = drawn("rgb", 1, 3, 24, 224, 224).transpose(1, 2), drawn("flow", 1, 2, 24, 224, 224).transpose(1, 2)
    befores = []
    model.gaze.register_forward_pre_hook(lambda _module, given: befores.append(given[0]))
    answer = model(clip, flow, noise.reshape(1, 3, 7, 7))
    assert_close_to_largest(befores[0], wanted["x4_pool5a"])
    assert_close_to_largest(answer.features, wanted["x5_mixed5c"])
    assert_close_to_largest(answer.gaze_logits, wanted["pi"])
    assert_close_to_largest(answer.perturbed, wanted["pi_gumbel"])
    np.testing.assert_array_equal(answer.gaze_sample, wanted["z_hard"])
    assert_close_to_largest(answer.logits, wanted["logits"])
    with torch.no_grad():
        likeliest = model.head(answer.features, model.head.attention(hard_sample(answer.gaze_logits)))
    assert_close_to_largest(likeliest, wanted["logits_argmax"])

    label = torch.tensor([golden.about["loss_targets"]["label"]])
    gaze = torch.full((1, 24, 2), torch.nan)
    gaze[0, 0], gaze[0, 16] = torch.tensor([37.5 / 224, 100.5 / 224]), torch.tensor([220.5 / 224, 5.5 / 224])
    kl = cell_kl(answer.gaze_logits, slot_targets(gaze, model.grid, use="first"))
    losses = {
        "ce": functional.cross_entropy(answer.logits, label),
        "kl": kl.nanmean(),
        "attn": direct_loss(answer.perturbed, answer.features, label, model.head.weights(), epsilon=0.1).mean(),
    }
    total = torch.stack(list(losses.values())).sum()
    for about in golden.about["losses"].values():
        assert {name: loss.item() for name, loss in losses.items()} | {"total": total.item()} == pytest.approx(
            about, rel=1e-6, abs=1e-9
        )
    assert kl.isnan().tolist() == [[False, True, False]]
    total.backward()
    names, own = published_names(model, GAZE_ATTENTION_RULES), dict(model.named_parameters())
    for name, norm in golden.about["grad_norms"]["eps=0.1"].items():
        found = own[names[name.split(".", 1)[1]]].grad
        assert found.norm().item() == pytest.approx(norm, rel=GRADIENT), name


def test_the_gaze_branch_alone_is_the_published_one() -> None:
    golden = Golden.read("ga_gaze_branch")
    branch = GazeBranch(832, width=64, depth=2).eval()
    rules = ((r"^", "gaze."), *GAZE_ATTENTION_RULES)
    names = published_names(branch, rules)
    load_published(branch, golden.state(), names, where="gaze branch")
    found = branch(drawn("x4", 2, 832, 3, 7, 7))
    assert_close_to_largest(found, golden.arrays["pi"])
    loss = found.square().mean()
    loss.backward()
    (wanted,) = golden.about["losses"].values()
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    own = dict(branch.named_parameters())
    for name, norm in golden.about["grad_norms"].items():
        assert own[names[name]].grad.norm().item() == pytest.approx(norm, rel=GRADIENT), name


def test_the_head_alone_is_the_published_one() -> None:
    golden = Golden.read("ga_attn_head")
    head = AttentionHead(1024, actions=106, grid=(3, 7, 7), dropout=0.7).eval()
    names = published_names(head, ((r"^", "head."), *GAZE_ATTENTION_RULES))
    load_published(head, golden.state(), names, where="head")
    cells = torch.from_numpy(golden_input("zidx").integers(0, 49, (2, 3)))
    sample = functional.one_hot(cells, 49).reshape(2, 3, 7, 7).float()
    np.testing.assert_array_equal(sample, golden.arrays["z"])
    logits = head(drawn("h", 2, 1024, 3, 7, 7), head.attention(sample))
    assert_close_to_largest(logits, golden.arrays["logits"])
    loss = functional.cross_entropy(logits, torch.tensor([4, 99]))
    loss.backward()
    (wanted,) = golden.about["losses"].values()
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    own = dict(head.named_parameters())
    for name, norm in golden.about["grad_norms"].items():
        assert own[names[name]].grad.norm().item() == pytest.approx(norm, rel=GRADIENT), name


def test_has_the_published_weights() -> None:
    with torch.device("meta"):
        model = GazeAttention()
    names = published_names(model, GAZE_ATTENTION_RULES)
    listed = [name for part in Golden.read("ga_iga_testmode").about["params"].values() for name, _ in part]
    assert sorted(names) == sorted(listed)
    assert sum(p.numel() for p in model.parameters()) == 24_552_576 + 7_266_785 + 130_406


def test_a_file_that_is_not_given_must_be_said_to_be_absent() -> None:
    head = {"fc.weight": torch.zeros(147, 147), "fc.bias": torch.ones(147)}
    head |= {"fc_f.weight": torch.zeros(106, 1024, 1, 1, 1), "fc_f.bias": torch.zeros(106)}
    with pytest.raises(WeightsError, match="nothing for base, gaze"):
        GazeAttention.from_published(attn=head)
    with pytest.raises(WeightsError, match="nothing for gaze"):
        GazeAttention.from_published(base="random", attn=head)
    model = GazeAttention.from_published(base="random", gaze="random", attn=head)
    assert model.head.attend.bias.min() == 1


def test_a_file_in_the_wrong_place_or_with_other_names_is_explained() -> None:
    def given(part: str, state: Mapping[str, object]) -> None:
        GazeAttention.from_published(**{"base": "random", "gaze": "random", "attn": "random", part: state})

    head = {"fc.weight": torch.zeros(147, 147), "fc.bias": torch.zeros(147)}
    whole = head | {"fc_f.weight": torch.zeros(106, 1024, 1, 1, 1), "fc_f.bias": torch.zeros(106)}
    with pytest.raises(WeightsError, match=r"(?s)GazeAttention, base\n  found:  missing model_rgb.*and 680 more"):
        given("base", whole)
    with pytest.raises(WeightsError, match=r"missing fc_f\.weight; missing fc_f\.bias"):
        given("attn", head)
    with pytest.raises(WeightsError, match=r"left over fc_g\.bias"):
        given("attn", whole | {"fc_g.bias": torch.zeros(3)})
    with pytest.raises(WeightsError, match=r"fc\.bias is \(3,\) and not \(147,\)"):
        given("attn", whole | {"fc.bias": torch.zeros(3)})
    with pytest.raises(WeightsError, match="missing Mixed_5b"):
        given("gaze", {})
    with pytest.raises(WeightsError, match="not tensors"):
        given("gaze", {"iteration": 3})


def test_starts_from_kinetics_by_one_file_of_both_streams() -> None:
    listed = Golden.read("ga_iga_testmode").about["params"]["base"]
    base = {name: torch.full(shape, 2.0) for name, shape in listed}
    classifier = {f"model_{stream}.logits.conv3d.bias": torch.zeros(400) for stream in ("rgb", "flow")}
    model = GazeAttention()
    untrained = model.gaze.score.weight.clone()
    model.init_from(base | classifier)
    assert model.rgb.first.convolution.weight.min() == model.flow.stages[2][1].pooled.norm.bias.min() == 2
    torch.testing.assert_close(model.gaze.score.weight, untrained)
    with pytest.raises(WeightsError, match=r"left over fc\.bias"):
        model.init_from(base | {"fc.bias": torch.zeros(147)})
    streams = ({n.split(".", 1)[1]: 3 * v for n, v in base.items() if s in n} for s in ("model_rgb.", "model_flow."))
    model.init_from(**dict(zip(("rgb", "flow"), streams, strict=True)))
    assert model.rgb.first.convolution.weight.max() == model.flow.stages[2][1].pooled.norm.bias.max() == 6
    with pytest.raises(WeightsError, match=r"missing model_flow\.Conv3d_1a_7x7\.conv3d\.weight"):
        model.init_from({name: value for name, value in base.items() if "model_rgb" in name})


@pytest.mark.parametrize(
    ("clip", "flow", "what"),
    [
        ((16, 3, 64, 64), (16, 2, 64, 96), "pictures.*16 frames of 64x64"),
        ((15, 3, 64, 96), (16, 2, 64, 96), "pictures.*15 frames of 64x96"),
        ((16, 3, 64, 96), (15, 2, 64, 96), "flow.*15 frames of 64x96"),
        ((16, 3, 64, 96), (16, 2, 32, 48), "flow.*16 frames of 32x48"),
    ],
)
def test_a_clip_or_flow_of_another_length_or_size_is_explained(clip, flow, what: str) -> None:
    with pytest.raises(RecipeError, match=f"(?s){what}.*wanted: 16 frames of 64x96"):
        small()(torch.zeros(1, *clip), torch.zeros(1, *flow))


@torch.no_grad()
def test_a_gaze_that_is_given_is_attended_by_in_place_of_the_models_own() -> None:
    model = small().eval()
    own = model(*small_clips())
    torch.testing.assert_close(own.gaze_sample, hard_sample(own.gaze_logits))
    same = model(*small_clips(), gaze_sample=own.gaze_sample)
    torch.testing.assert_close(same.logits, own.logits)
    centre = torch.zeros_like(own.gaze_sample)
    centre[:, :, 1, 1] = 1
    fed = model(*small_clips(), gaze_sample=centre)
    torch.testing.assert_close(fed.attention, model.head.attention(centre))
    torch.testing.assert_close(fed.gaze_logits, own.gaze_logits)
    assert not torch.equal(fed.logits, own.logits)


@torch.no_grad()
def test_noise_decides_the_draw_and_no_noise_takes_the_likeliest_cell() -> None:
    model = small().eval()
    loud = torch.zeros(2, *model.grid)
    loud[0, 0, 1, 2], loud[1, 1, 0, 1] = 100, 100
    answer = model(*small_clips(), noise=loud)
    assert answer.gaze_sample[0, 0, 1, 2] == answer.gaze_sample[1, 1, 0, 1] == 1
    torch.testing.assert_close(answer.perturbed - answer.gaze_logits, loud, atol=1e-5, rtol=0)
    assert answer.attention.min() > 0
    assert answer.attention.max() < 1


def test_attention_weighs_places_by_hand() -> None:
    head = AttentionHead(1, actions=1, grid=(1, 1, 2), dropout=0.5).eval()
    with torch.no_grad():
        head.attend.weight.copy_(torch.tensor([[0.0, 0.0], [100.0, -100.0]]))
        head.attend.bias.zero_()
        head.classify.weight.fill_(1)
        head.classify.bias.zero_()
    features = torch.tensor([[[[[2.0, 6.0]]]]])
    left, right = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    assert head(features, head.attention(left)).item() == pytest.approx((2 * 1.5 + 6 * 2) / 2)
    assert head(features, head.attention(right)).item() == pytest.approx((2 * 1.5 + 6 * 1) / 2)


def test_learns_two_clips_and_where_to_look_by_heart() -> None:
    torch.manual_seed(0)
    model = GazeAttention(**SMALL | {"size": (32, 64)})
    clip, flow = (part[..., :32, :64] for part in small_clips())
    label = torch.tensor([3, 1])
    gaze = slot_targets(torch.tensor([[0.1, 0.2], [0.9, 0.8]])[:, None].expand(2, 16, 2), model.grid)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator, history = torch.Generator().manual_seed(1), []
    for _ in range(25):
        noise = gumbel_noise(torch.rand(2, *model.grid, generator=generator))
        answer = model(clip, flow, noise)
        direct = direct_loss(answer.perturbed, answer.features, label, model.head.weights(), epsilon=10.0)
        supervised = functional.cross_entropy(answer.logits, label) + cell_kl(answer.gaze_logits, gaze).mean()
        optimizer.zero_grad()
        (supervised + direct.mean()).backward()
        optimizer.step()
        history.append(supervised.item())
    assert history[-1] < 0.5 * history[0]
    assert all(p.grad is not None for p in model.parameters())
