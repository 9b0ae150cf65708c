from dataclasses import dataclass

import numpy as np
import pytest
import torch
from gaze_golden import assert_close_to_largest
from torch import Tensor, nn
from torch.nn import functional

from golden_rule import Golden, filled, golden_input
from regard.errors import WeightsError
from regard.models.mfnet import PUBLISHED_RULES, MFNetAnswer, MFNetMultitask
from regard.models.published import published_names
from regard.ops.soft_argmax import point_loss
from regard.tasks.action.losses.base import GazeTargets, Targets
from regard.tasks.action.losses.mfnet import MFNetLoss

SMALL = {"actions": 5, "verbs": 3, "nouns": 4, "width": 8, "depths": (1, 1, 1, 1), "dropout": 0.0}
GRADIENT = 1e-3
"""The stored gradient norms are sums of float32, up to 8.2e-5 off."""
LABELS = ("action", "verb", "noun")


@dataclass(frozen=True)
class Published:
    """The whole network with the golden's weights, and what it answers about the golden's clip."""

    golden: Golden
    model: MFNetMultitask
    answer: MFNetAnswer
    middle: dict[str, Tensor]


@pytest.fixture(scope="module")
def published() -> Published:
    golden = Golden.read("mfnet_multitask")
    state = {f"module.{name}": value for name, value in golden.state().items()}
    model = MFNetMultitask.from_published({"state_dict": state, "epoch": 3, "top1_0": 1.0}).eval()
    clip = drawn("mfnet_clip", 2, 3, 16, 224, 224).transpose(1, 2)
    places = {
        **{"maxpool": model.stem, "conv2.B01": model.stages[0][0], "conv4.B01": model.stages[2][0]},
        **{f"conv{i + 2}": stage[-1] for i, stage in enumerate(model.stages)},
    }
    middle: dict[str, Tensor] = {}
    handles = [m.register_forward_hook(lambda *call, n=n: middle.update({n: call[2]})) for n, m in places.items()]
    handles += [model.places.register_forward_pre_hook(lambda _module, given: middle.update(tail=given[0]))]
    answer = model(clip)
    for handle in handles:
        handle.remove()
    return Published(golden, model, answer, middle)


def drawn(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(golden_input(name).standard_normal(shape).astype(np.float32))


def losses(published: Published, golden: Golden, gaze: Tensor, hands: Tensor, *, successor: bool) -> dict[str, Tensor]:
    """Those of our loss, told what both papers' code is told: normalised points, at a slot's first frame."""
    labels = {name: torch.tensor(values) for name, values in golden.about["labels"].items()}
    shift = 0 if successor else 0.5 / 224
    points = [((p + 1) / 2 - shift).repeat_interleave(2, dim=1) for p in (gaze[:, :, 0], hands)]
    valid = torch.ones(2, 16, dtype=torch.bool)
    targets = Targets(
        label=labels,
        main="action",
        frame_valid=valid,
        gaze=GazeTargets(point=points[0], state=torch.full((2, 16), 2, dtype=torch.int8)),
        hands=points[1],
    )
    return MFNetLoss(points="known" if successor else "published")(published.answer, targets)


def assert_losses(found: dict[str, Tensor], wanted: dict[str, float]) -> None:
    total = wanted["total"]
    assert {n: v.item() for n, v in found.items()} == pytest.approx(
        {n: v for n, v in wanted.items() if n != "total"} | {"loss": total}, rel=1e-5
    )


def gradients(model: nn.Module, loss: Tensor) -> dict[str, float]:
    own = dict(model.named_parameters())
    names = {p: o for p, o in published_names(model, PUBLISHED_RULES).items() if o in own}
    found = torch.autograd.grad(loss, [own[o] for o in names.values()], retain_graph=True)
    return {p: g.double().norm().item() for p, g in zip(names, found, strict=True)}


def test_the_whole_is_the_published_one_from_the_stem_to_the_places(published: Published) -> None:
    answer, wanted, about = published.answer, published.golden.arrays, published.golden.about["samples"]
    for name, given in (("action", answer.logits), ("verb", answer.verb), ("noun", answer.noun)):
        assert_close_to_largest(given, wanted[name])
    points = torch.cat([answer.gaze_point[:, :, None], answer.hand_point], dim=2)
    assert_close_to_largest(2 * points - 1, wanted["coords"])
    maps = torch.cat([answer.gaze_logits[:, :, None], answer.hand_logits], dim=2).exp()
    assert_close_to_largest(maps, wanted["heatmaps"])
    assert_close_to_largest(published.middle["tail"].mean(dim=(2, 3, 4)), wanted["feature"])
    for name, found in published.middle.items():
        assert list(found.shape) == about[name]["shape"]
        assert_close_to_largest(found.flatten()[:: about[name]["stride"]], wanted[f"mid_{name}"])


def test_the_published_losses_and_gradients(published: Published) -> None:
    golden = published.golden
    gaze, hands = (0.6 * drawn(f"mfnet_{n}_target", 2, 8, k, 2) for n, k in (("gaze", 1), ("hand", 2)))
    found = losses(published, golden, gaze, hands, successor=False)
    assert_losses(found, golden.about["losses"])
    for name, norm in gradients(published.model, found["loss"]).items():
        assert norm == pytest.approx(golden.about["grad_norms"][name], rel=GRADIENT), name


def test_the_losses_of_the_successor_leave_out_what_lies_beside_the_picture(published: Published) -> None:
    golden = Golden.read("mfnet_v2_interp1")
    gaze, hands = (0.6 * drawn(f"mfnet_v2_{n}_target_1", 2, 8, k, 2) for n, k in (("gaze", 1), ("hand", 2)))
    np.testing.assert_array_equal((gaze[:, :, 0].abs() <= 1).all(dim=-1), golden.arrays["gaze_mask"] > 0)
    np.testing.assert_array_equal((hands.abs() <= 1).all(dim=-1), golden.arrays["hand_mask"] > 0)
    assert_close_to_largest(published.answer.logits, golden.arrays["action"])
    found = losses(published, golden, gaze, hands, successor=True)
    assert_losses(found, golden.about["losses"])
    norms = gradients(published.model, found["loss"])
    for name, norm in golden.about["grad_norms"].items():
        assert norm is None or norms[name] == pytest.approx(norm, rel=GRADIENT), name


def test_has_the_published_weights() -> None:
    with torch.device("meta"):
        model, alone = MFNetMultitask(), MFNetMultitask(verbs=0, nouns=0, gaze=False, hands=False)
    listed = [name for name, _ in Golden.read("mfnet_multitask").about["params"]]
    assert sorted(published_names(model, PUBLISHED_RULES)) == sorted(listed)
    assert sum(p.numel() for p in model.parameters()) == 7_827_954
    assert (sum(p.numel() for p in alone.parameters()), len(alone.state_dict())) == (7_770_282, 421)


def state(kept: tuple[str, ...] = ("",), golden: str = "mfnet_multitask") -> dict[str, Tensor]:
    listed = Golden.read(golden).about["params"]
    return {name: filled(name, shape) for name, shape in listed if name.startswith(kept)}


def test_what_was_asked_is_read_off_the_tensors_and_the_successors_unused_one_is_checked_and_left() -> None:
    network = ("conv", "tail")
    action = MFNetMultitask.from_published(state((*network, "classifier_list.classifier_list.0")))
    assert (action.labels, action.places) == (["action"], None)
    pair = state((*network, "coord", "classifier_list.classifier_list.0", "classifier_list.classifier_list.1"))
    pair["coord_layers.hm_conv.weight"] = torch.ones(2, 768, 1, 1, 1)
    two = MFNetMultitask.from_published(pair)
    assert (two.labels, two.gaze, two.hands) == (["verb", "noun"], False, True)
    later = state(golden="mfnet_v2_interp1")
    assert MFNetMultitask.from_published(later).labels == list(LABELS)
    with pytest.raises(WeightsError, match=r"probability.weight is \(1, 3\) and not \(1, 768\)"):
        MFNetMultitask.from_published(later | {"coord_layers.probability.weight": torch.zeros(1, 3)})
    with pytest.raises(WeightsError, match="0 classifiers and 0 places"):
        MFNetMultitask.from_published(state(network))
    with pytest.raises(WeightsError, match="4 classifiers"):
        MFNetMultitask.from_published(state() | {"classifier_list.classifier_list.3.weight": torch.zeros(2, 768)})
    with pytest.raises(WeightsError, match=r"missing tail\.bn\.weight.*left over more"):
        MFNetMultitask.from_published(
            {n: v for n, v in state().items() if n != "tail.bn.weight"} | {"more": torch.zeros(1)}
        )


def test_starts_from_kinetics_without_its_classifier() -> None:
    model = MFNetMultitask(verbs=0, nouns=0, hands=False)
    classes, place = model.classifiers[0].weight.clone(), model.places.weight.clone()
    kinetics = {f"module.{n}": v for n, v in state(("conv", "tail")).items()}
    model.init_from({"state_dict": kinetics | {"module.classifier.weight": torch.zeros(400, 768)}})
    torch.testing.assert_close(model.last_norm.weight, state(("tail",))["tail.bn.weight"])
    torch.testing.assert_close((model.classifiers[0].weight, model.places.weight), (classes, place))
    with pytest.raises(WeightsError, match="left over Conv3d_1a_7x7"):
        model.init_from(kinetics | {"Conv3d_1a_7x7.conv3d.weight": torch.zeros(64, 3, 7, 7, 7)})


def small(**more: object) -> MFNetMultitask:
    torch.manual_seed(0)
    return MFNetMultitask(**SMALL | more)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


@torch.no_grad()
def test_a_clip_of_any_length_and_size_has_a_slot_for_two_frames_or_with_interpolation_for_one() -> None:
    for frames, slots in ((1, 1), (2, 1), (5, 3), (16, 8)):
        assert small().eval()(noise(1, frames, 3, 64, 96)).gaze_logits.shape == (1, slots, 2, 3)
    fine = small(finer=2).eval()(noise(1, 16, 3, 64, 96))
    assert fine.hand_point.shape == (1, 16, 2, 2)
    assert fine.hand_point.min() >= 0.5 / 3
    plain = small().eval()(noise(1, 16, 3, 64, 96))
    torch.testing.assert_close(fine.logits, plain.logits)


@torch.no_grad()
def test_nothing_depends_on_a_frame_that_is_not_valid() -> None:
    model, clips = small().eval(), noise(3, 16, 3, 64, 64)
    valid = torch.arange(16) < torch.tensor([16, 5, 16])[:, None]
    clips[1, 5:] = torch.nan
    found = model(clips, valid)
    alone = [model(clips[:1]), model(clips[1:2, :5]), model(clips[2:])]
    for i, one in enumerate(alone):
        torch.testing.assert_close(found.logits[i], one.logits[0])
        slots = one.gaze_point.shape[1]
        torch.testing.assert_close(found.gaze_point[i, :slots], one.gaze_point[0])


def test_recomputing_what_lies_within_units_changes_neither_gradients_nor_statistics() -> None:
    kept, recomputed = small(), small(checkpointing=True)
    for model in (kept, recomputed):
        model.train()(noise(2, 4, 3, 32, 32)).logits.sum().backward()
    for a, b in zip(kept.parameters(), recomputed.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad)
    for (name, a), b in zip(kept.named_buffers(), recomputed.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_learns_two_clips_and_where_gaze_and_hands_are_by_heart() -> None:
    model, clips, gaze = small(), noise(2, 4, 3, 64, 64), torch.tensor([[0.3, 0.4], [0.7, 0.6]])
    optimizer, history = torch.optim.Adam(model.parameters(), lr=3e-3), []
    for _ in range(25):
        answer = model(clips)
        loss = functional.cross_entropy(answer.logits, torch.tensor([3, 1]))
        loss = loss + point_loss(answer.gaze_logits, gaze[:, None].expand(2, 2, 2)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.6 * history[0]
