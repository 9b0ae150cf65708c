from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from gaze_golden import assert_close_to_largest
from torch import Tensor

from golden_rule import Golden, golden_input
from regard.errors import RecipeError, WeightsError
from regard.models.published import published_names
from regard.models.stam import PUBLISHED_RULES, STAM, STAMAnswer, Stream
from regard.tasks.action.losses.base import GazeTargets, Targets
from regard.tasks.action.losses.stam import STAMLoss

SMALL = {"actions": 5, "width": 4, "depths": (1, 1, 1), "dropout": 0.0}
GRADIENT = 2e-2
"""Two threads give norms up to 9.6e-3 from the stored ones, near a max-pool whose cells are nearly equal."""
ZERO_IN_THEORY = "attention_pred.bn.bias"
"""The smallest value of a map is taken off it, with its gradient."""


def golden_state(golden: Golden) -> dict[str, Tensor]:
    """Not by the rule alone, whose weights make a map that is 0 everywhere."""
    state = {name: 1.5 * value if value.ndim == 5 else value for name, value in golden.state().items()}
    own = {"attention_pred.bn.weight": torch.full((1,), 0.3), "attention_pred.bn.bias": torch.full((1,), 4.0)}
    return state | own


@dataclass(frozen=True)
class Published:
    """The whole stream with the golden's weights, and what it answers about the golden's clips."""

    golden: Golden
    model: STAM
    answer: STAMAnswer
    middle: dict[str, Tensor]


@pytest.fixture(scope="module")
def published() -> Published:
    golden = Golden.read("stam_i3d_rgb")
    model = STAM.from_published({f"module.{n}": v for n, v in golden_state(golden).items()}).eval()
    clip = torch.from_numpy(golden_input("stam_rgb").standard_normal((2, 3, 16, 224, 224)).astype(np.float32))
    clip[1] *= 0.3
    stream, middle = model.streams["rgb"], {}
    places = {
        **{"Conv3d_1a_7x7": stream.trunk.first, "attention_inc": stream.attend[0]},
        **dict(zip(("Mixed_3c", "Mixed_4f", "Mixed_5c"), stream.trunk.stages, strict=True)),
    }
    handles = [m.register_forward_hook(lambda *call, n=n: middle.update({n: call[2]})) for n, m in places.items()]
    answer = model(clip.clamp(-1, 1).transpose(1, 2))
    for handle in handles:
        handle.remove()
    return Published(golden, model, answer, middle)


def targets(label: list[int], point: Tensor) -> Targets:
    b, t = point.shape[:2]
    gaze = GazeTargets(point=point, state=torch.full((b, t), 2, dtype=torch.int8))
    valid = torch.ones(b, t, dtype=torch.bool)
    return Targets(label={"action": torch.tensor(label)}, main="action", frame_valid=valid, gaze=gaze)


def test_the_whole_stream_is_the_published_one(published: Published) -> None:
    answer, wanted, about = published.answer, published.golden.arrays, published.golden.about["samples"]
    assert_close_to_largest(answer.logits, wanted["logits"][..., 0])
    assert_close_to_largest(answer.attention, wanted["a_map"][:, 0])
    for name, found in published.middle.items():
        assert list(found.shape) == about[name]["shape"]
        assert_close_to_largest(found.flatten()[:: about[name]["stride"]], wanted[f"mid_{name}"])
    stream = published.model.streams["rgb"]
    with torch.no_grad():
        raw = stream.attend[1](published.middle["attention_inc"])
        assert_close_to_largest(raw, wanted["attention_pred"])
        stretched = Stream(3, actions=2, scaling="min_max", width=4)
        stretched.attend = stream.attend
        assert_close_to_largest(stretched.map(published.middle["Mixed_5c"]), wanted["a_map_minmax"][:, 0])


def test_the_published_loss_and_gradients(published: Published) -> None:
    golden = published.golden
    gaze = torch.from_numpy(golden_input("stam_gaze_rgb").random((2, 16, 2)).astype(np.float32))
    gaze[1, 3] = torch.tensor([-0.4, 0.0])
    told, loss = targets(golden.about["labels"], gaze), STAMLoss(target="published")
    assert_close_to_largest(loss.maps(gaze, torch.Size((2, 7, 7))), golden.arrays["gaze_target"])
    parts = loss(published.answer, told)
    about = golden.about["losses"]
    assert parts["action"].item() / 4 == pytest.approx(about["ce_div4"], rel=1e-5)
    assert parts["gaze"].item() / 4 == pytest.approx(about["gaze_mse_div4"], rel=1e-5)
    total = parts["loss"] / 4
    assert total.item() == pytest.approx(about["total"], rel=1e-5)
    stream = published.model.streams["rgb"]
    own, names = dict(stream.named_parameters()), published_names(stream, PUBLISHED_RULES)
    wanted = golden.about["grad_norms"]
    found = torch.autograd.grad(total, [own[names[name]] for name in wanted])
    for (name, norm), gradient in zip(wanted.items(), found, strict=True):
        within = {"abs": 1e-5} if name == ZERO_IN_THEORY else {"rel": GRADIENT}
        assert gradient.double().norm().item() == pytest.approx(norm, **within), name


def test_has_the_published_weights() -> None:
    with torch.device("meta"):
        rgb, flow = STAM(), STAM(streams="flow")
    listed = [name for name, _ in Golden.read("stam_i3d_rgb").about["params"]]
    assert sorted(published_names(rgb.streams["rgb"], PUBLISHED_RULES)) == sorted(listed)
    assert [sum(p.numel() for p in m.parameters()) for m in (rgb, flow)] == [15_326_060, 15_304_108]


def empty_state(stream: str, *, attends: bool = True, classes: int = 106) -> dict[str, Tensor]:
    """Published names and shapes, each number 1."""
    with torch.device("meta"):
        own = Stream({"rgb": 3, "flow": 2}[stream], actions=classes, attends=attends)
    names = published_names(own, PUBLISHED_RULES)
    return {name: torch.ones(()).expand(own.state_dict()[ours].shape) for name, ours in names.items()}


def test_stream_classes_and_attention_are_read_off_the_tensors() -> None:
    flow = STAM.from_published(empty_state("flow", classes=7))
    assert (list(flow.streams), flow.streams["flow"].classify.out_features) == (["flow"], 7)
    assert flow.ignores == {"video"}
    plain = STAM.from_published(empty_state("rgb", attends=False))
    assert plain.streams["rgb"].attend is None
    both = STAM.from_published(rgb=empty_state("rgb"), flow=empty_state("flow"))
    assert list(both.streams) == ["rgb", "flow"]
    assert both.published_parts == {"rgb": "rgb_a.pt", "flow": "flow_a.pt"}


def test_weights_of_another_stream_stage_or_model_are_explained() -> None:
    rgb, flow = empty_state("rgb"), empty_state("flow")
    with pytest.raises(WeightsError, match="weights of the flow stream as those of rgb"):
        STAM.from_published(rgb=flow, flow=rgb)
    with pytest.raises(WeightsError, match="streams that differ in classes or attention"):
        STAM.from_published(rgb=empty_state("rgb", attends=False), flow=flow)
    with pytest.raises(WeightsError, match="weights for nothing"):
        STAM.from_published()
    with pytest.raises(WeightsError, match="no Conv3d_1a_7x7"):
        STAM.from_published({"conv1.conv.weight": torch.zeros(3)})
    with pytest.raises(WeightsError, match=r"missing Mixed_5c\.b0"):
        STAM.from_published({n: v for n, v in rgb.items() if "Mixed_5c" not in n})
    with torch.device("meta"):
        one, two = STAM(), STAM(streams="both")
    with pytest.raises(WeightsError, match=r"Conv3d_1a_7x7.conv3d.weight is \(64, 2, 7, 7, 7\)"):
        one.init_from(flow)
    with pytest.raises(WeightsError, match="weights for rgb\n  wanted: weights for rgb and flow"):
        two.init_from(rgb=rgb)


def test_starts_from_kinetics_from_the_plain_i3d_or_from_a_run_of_its_own() -> None:
    plain = empty_state("rgb", attends=False)
    kinetics = plain | {"logits.conv3d.weight": torch.zeros(400, 1024, 1, 1, 1), "logits.conv3d.bias": torch.zeros(400)}
    model = STAM()
    stream = model.streams["rgb"]
    drawn = stream.classify.weight.clone(), stream.attend[1].convolution.weight.clone()
    model.init_from(kinetics)
    assert stream.trunk.first.convolution.weight.min() == 1
    torch.testing.assert_close((stream.classify.weight, stream.attend[1].convolution.weight), drawn)
    model.init_from({f"module.{n}": v for n, v in plain.items()})
    assert stream.classify.weight.min() == 1
    torch.testing.assert_close(stream.attend[1].convolution.weight, drawn[1])
    small, other = STAM(**SMALL, attends=False), STAM(**SMALL)
    other.init_from(small.state_dict())
    torch.testing.assert_close(other.streams["rgb"].classify.weight, small.streams["rgb"].classify.weight)


def clips(b: int = 2, t: int = 16) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(b)
    return torch.rand(b, t, 3, 64, 96, generator=g) * 2 - 1, torch.rand(b, t, 2, 64, 96, generator=g) * 2 - 1


@torch.no_grad()
def test_both_streams_add_up_their_log_probabilities_and_share_a_given_map() -> None:
    torch.manual_seed(0)
    model = STAM(streams="both", **SMALL).eval()
    answer = model(*clips())
    assert answer.stream_attention.shape == (2, 2, 2, 2, 3)
    torch.testing.assert_close(answer.logits, answer.stream_logits.log_softmax(dim=-1).sum(dim=1))
    torch.testing.assert_close(answer.attention, answer.stream_attention.mean(dim=1))
    given = torch.rand(2, 2, 2, 3)
    fed = model(*clips(), attention=given)
    torch.testing.assert_close((fed.attention, fed.gaze_logits), (given, answer.gaze_logits))
    alone = model.streams["flow"](clips()[1], given)[0]
    torch.testing.assert_close(fed.stream_logits[:, 1], alone)
    with pytest.raises(RecipeError, match="flow stream\n  found:  nothing to look at"):
        model(clips()[0])
    with pytest.raises(RecipeError, match="15 moments of flow"):
        model(clips()[0], clips()[1][:, :15], torch.ones(2, 16, dtype=torch.bool))


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 8, 15, 24])
def test_a_clip_of_another_length_is_answered_about_as_if_it_were_alone(frames: int) -> None:
    torch.manual_seed(0)
    model = STAM(**SMALL).eval()
    video, _ = clips(3, 24)
    valid = torch.arange(24) < torch.tensor([24, frames, 24])[:, None]
    video[1, frames:] = torch.nan
    found, alone = model(video, frame_valid=valid), model(video[1:2, :frames])
    torch.testing.assert_close(found.logits[1], alone.logits[0])
    slots = alone.attention.shape[1]
    torch.testing.assert_close(found.attention[1, :slots], alone.attention[0])
    assert found.attention[1, slots:].eq(0).all()


def test_a_map_lies_in_0_to_1_by_min_max_and_is_flat_where_nothing_differs() -> None:
    torch.manual_seed(0)
    stream = Stream(3, actions=2, scaling="min_max", width=4, depths=(1, 1, 1))
    found = stream.map(torch.rand(2, 64, 2, 3, 3))
    assert found.amin(dim=(1, 2, 3)).eq(0).all()
    assert found.amax(dim=(1, 2, 3)).eq(1).all()
    with torch.no_grad():
        stream.attend[1].norm.bias.fill_(-100.0)
    assert stream.map(torch.rand(2, 64, 2, 3, 3)).eq(0).all()


def test_the_map_is_taught_the_mean_of_what_is_known_of_a_slots_gaze() -> None:
    point = torch.full((1, 16, 2), torch.nan)
    point[0, 0], point[0, 1] = torch.tensor([0.25, 0.25]), torch.tensor([0.75, 0.25])
    maps = STAMLoss().maps(point, torch.Size((2, 2, 3)))
    assert maps[0, 0].argmax() == 1
    assert maps[0, 0].max() == 1
    assert maps[0, 1].isnan().all()
    torch.manual_seed(0)
    answer = STAM(**SMALL)(clips(1)[0])
    parts = STAMLoss()(answer, targets([3], point))
    assert parts["gaze"].item() == pytest.approx((answer.attention[0, 0] - maps[0, 0]).square().mean().item())
    unknown = STAMLoss()(answer, targets([3], torch.full((1, 16, 2), torch.nan)))
    assert unknown["gaze"] == 0
    assert unknown["loss"] == unknown["action"]


def test_recorded_gaze_is_fed_as_the_map_that_was_taught_and_the_own_one_where_none_is_known() -> None:
    torch.manual_seed(0)
    point = torch.full((1, 16, 2), torch.nan)
    point[0, :8] = 0.5
    own = STAM(**SMALL)(clips(1)[0])
    fed = STAMLoss().fed(own, point)["attention"]
    torch.testing.assert_close(fed[0, 0], STAMLoss().maps(point, torch.Size((2, 2, 3)))[0, 0])
    torch.testing.assert_close(fed[0, 1], own.attention[0, 1])
    plain = STAM(**SMALL, attends=False)(clips(1)[0])
    assert "gaze" not in STAMLoss()(plain, targets([3], point))
    with pytest.raises(RecipeError, match="does not attend"):
        STAMLoss().fed(plain, point)


def test_learns_two_clips_and_where_to_look_by_heart() -> None:
    torch.manual_seed(0)
    model, video = STAM(**SMALL), clips()[0][..., :32, :64]
    told = targets([3, 1], torch.tensor([[0.1, 0.2], [0.9, 0.8]])[:, None].expand(2, 16, 2))
    optimizer, history = torch.optim.Adam(model.parameters(), lr=3e-3), []
    for _ in range(25):
        parts = replace(STAMLoss(), gaze=1.0)(model(video), told)
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
        history.append(parts["loss"].item())
    assert history[-1] < 0.5 * history[0]
