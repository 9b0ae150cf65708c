"""FPN-RIM: what the published one computes with the goldens' weights, and what holds of any."""

import re

import numpy as np
import pytest
import torch
from fpn_rim_golden import GOLDENS, golden_labels, golden_state, golden_video, of_golden
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden, golden_input
from regard.errors import RecipeError, WeightsError
from regard.models import rim_cell
from regard.models.feature_pyramid import Pyramid
from regard.models.fpn_rim import FPNRIM, observer_seed
from regard.models.path_head import from_line
from regard.models.published import published_names
from regard.models.rim import RIMState
from regard.tasks.scanpath.losses import ThesisPath
from regard.tracks import PHASES
from regard.types import GazeState

CLOSE = 1e-6
SMALL = {"backbone": "mobilenet_v3_small", "weights": "random", "size": (32, 64), "channels": 3, "hidden": 6}
SMALL |= {"copies": 3, "units": 4, "active": 2}
VARIANTS = (
    {},
    {"memory": "lstm"},
    {"answers": "steps"},
    {"places": "once", "scales": "every"},
    {"attend": "channels", "phases": "squashed"},
    {"cell": "gru", "layers": 2, "phases": "scores"},
    {"copies": 0},
)
"""Each choice of the constructor, once."""


@pytest.mark.parametrize("name", GOLDENS)
def test_points_masks_loss_and_gradients_are_the_published_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In scanpath_full_* units differ by less than rounding in how much they look at nothing: their masks are given."""
    golden = Golden.read(f"scanpath_{name}")
    model, (label, phase) = of_golden(golden), golden_labels(golden)
    dead = 2 * model.memory.width * (model.memory.width + 1) * (model.head.value.in_features == model.memory.width)
    unread = sum(p.numel() for p in model.pyramid.smooth[0].parameters()) * (4 - len(model.pyramid.smooth))
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_params"] - dead - unread
    state, masks = model.begin(2), []
    if "lstm" in name:
        drawn = (
            golden_input(f"scanpath.lstm_{n}").standard_normal((1, 2, 400)).astype(np.float32) for n in ("h0", "c0")
        )
        state = state._replace(memory=RIMState(*((torch.from_numpy(part),) for part in drawn)))
    stored = iter(torch.from_numpy(golden.arrays.get("rim_mask", np.zeros(0))) > 0)
    found = rim_cell.active_units

    def noted(null: Tensor, count: int) -> Tensor:
        masks.append(next(stored) if name.startswith("full") else found(null, count))
        return masks[-1]

    monkeypatch.setattr(rim_cell, "active_units", noted)
    teacher = None
    if "forced to 1" in golden.about["teacher"]:
        teacher = torch.cat([(label + 1) / 2, functional.one_hot(phase, 4)], -1)[..., : model.width]
    out, _ = model(golden_video(golden), state=state, teacher=teacher)
    wanted = golden.arrays["out"].copy()
    wanted[..., :2] = (wanted[..., :2] + 1) / 2
    np.testing.assert_allclose(out.detach().numpy(), wanted, atol=CLOSE)
    if masks:
        of_last_layer = torch.stack(masks[len(model.memory.cells) - 1 :: len(model.memory.cells)])
        np.testing.assert_array_equal(of_last_layer.numpy(), golden.arrays["rim_mask"] > 0)
    if "loss" in golden.about:
        states = torch.tensor([GazeState.LOST, GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT])[phase]
        loss = ThesisPath()(out, (label + 1) / 2, states.to(torch.int8), torch.ones_like(phase, dtype=torch.bool))
        assert loss["loss"].item() == pytest.approx(golden.about["loss"]["loss(out,labels,em)"], rel=1e-5)
        loss["loss"].backward()
        assert_norms_match(model, golden.about["grad_norms"])


def assert_norms_match(model: FPNRIM, wanted: dict) -> None:
    own, names = dict(model.named_parameters()), published_names(model, model.published_rules)
    for name, norm in wanted.items():
        if name != "in_proj_grad_norm_q_k_v":
            assert own[names[name]].grad.norm().item() == pytest.approx(norm, rel=1e-4), name


@torch.no_grad()
def test_the_backbones_and_the_pyramids_maps_are_the_published_ones() -> None:
    golden = Golden.read("scanpath_fanin_clip5")
    pyramid = Pyramid("mobilenet_v3_large", weights="random", trunk="frozen", size=(224, 224), channels=8, every=True)
    state = golden_state(golden)
    own = {}
    for name in pyramid.state_dict():
        published = "backbone." + name.replace("body.", "body.features.")
        published = re.sub(r"backbone\.across\.(\d)", r"fpn.fpn.inner_blocks.\1.0", published)
        own[name] = state[re.sub(r"backbone\.smooth\.(\d)", r"fpn.fpn.layer_blocks.\1.0", published)]
    pyramid.load_state_dict(own)
    video = golden_video(golden).flatten(0, 1)
    looked = pyramid.look(video)
    for kind, maps in (("backbone", looked), ("fpn", pyramid.merge(looked))):
        for cut, level in zip((3, 6, 12, 16), maps, strict=True):
            wanted, found = golden.arrays.get(f"{kind}_{cut}"), level.flatten().numpy()
            if wanted is None:
                wanted, found = golden.arrays[f"{kind}_{cut}__sample"], found[::997]
            np.testing.assert_allclose(found, wanted.ravel(), atol=1e-5 * np.abs(wanted).max())


def small(seed: int = 0, **changed) -> FPNRIM:
    torch.manual_seed(seed)
    return FPNRIM(**SMALL | changed).eval()


def clip(t: int = 5, *, size: tuple[int, int] = (32, 64)) -> Tensor:
    return torch.randn(2, t, 3, *size, generator=torch.Generator().manual_seed(t))


@torch.no_grad()
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_step_by_step_and_in_parts_are_the_whole(options: dict) -> None:
    model, video = small(**options), clip()
    whole, _ = model(video)
    state, said = model.begin(2), []
    for frame in video.unbind(1):
        answer, state = model.step(frame, state)
        said.append(answer)
    torch.testing.assert_close(torch.stack(said, dim=1), whole, rtol=1e-4, atol=1e-5)
    teacher = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(1))
    taught, _ = model(video, teacher=teacher)
    first, state = model(video[:, :2], teacher=teacher[:, :2])
    then, _ = model(video[:, 2:], state=state, teacher=teacher[:, 2:])
    torch.testing.assert_close(torch.cat([first, then], dim=1), taught, rtol=1e-4, atol=1e-5)
    assert torch.equal(taught[:, 0], whole[:, 0])
    assert torch.allclose(taught, whole) == (options == {"copies": 0})


@torch.no_grad()
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_no_answer_depends_on_a_later_frame_or_on_its_own_frames_true_gaze(options: dict) -> None:
    model, video = small(**options), clip()
    changed, teacher = video.clone(), torch.rand(2, 5, 2)
    changed[:, 3:] = torch.randn_like(changed[:, 3:])
    later = teacher.clone()
    later[:, 3:] = torch.nan
    answer, _ = model(video, teacher=teacher)
    other, _ = model(changed, teacher=later)
    torch.testing.assert_close(other[:, :3], answer[:, :3], rtol=0, atol=0)
    assert not torch.equal(other[:, 3:], answer[:, 3:])


@torch.no_grad()
def test_units_that_are_not_told_and_gaze_that_is_not_known_leave_the_models_own_answer() -> None:
    model, video = small(phases="scores"), clip()
    own, _ = model(video)
    teacher = torch.rand(2, 5, 6)
    nobody, _ = model(video, teacher=teacher, taught=torch.zeros(2, 5, 4, dtype=torch.bool))
    unknown, _ = model(video, teacher=torch.full_like(teacher, torch.nan))
    torch.testing.assert_close(nobody, own)
    torch.testing.assert_close(unknown, own)
    some = torch.zeros(2, 5, 4, dtype=torch.bool)
    some[0, 1, 2] = True
    one_told, _ = model(video, teacher=teacher, taught=some)
    assert torch.equal(one_told[1], own[1])
    assert torch.equal(one_told[0, :2], own[0, :2])
    assert not torch.equal(one_told[0, 2:], own[0, 2:])


@torch.no_grad()
def test_steps_that_are_told_lead_to_the_true_gaze() -> None:
    model, gaze = small(answers="steps"), torch.tensor([[[0.2, 0.7], [0.0, 1.0], [0.5, 0.5]]])
    told = model._in_own_terms(gaze, torch.zeros(1, 2))
    torch.testing.assert_close(from_line(told[..., :2].cumsum(dim=1)), gaze, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_map_of_places_counts_twice_where_it_is_published_so() -> None:
    once, twice = small(places="once"), small(places="twice")
    twice.load_state_dict(once.state_dict())
    once.places[0].mul_(2)
    video = clip()
    torch.testing.assert_close(once(video)[0], twice(video)[0])


def test_a_frozen_backbone_stays_as_it_is_and_a_drifting_one_drifts() -> None:
    frozen, drifting, learned = (small(trunk=trunk).train() for trunk in ("frozen", "drifting", "learned"))
    for model in (drifting, learned):
        model.load_state_dict(frozen.state_dict())
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    for model in (frozen, drifting, learned):
        model(clip())[0].sum().backward()
    means = [name for name in before if name.endswith("running_mean")]
    assert all(torch.equal(frozen.state_dict()[name], before[name]) for name in means)
    assert all(torch.equal(learned.state_dict()[name], before[name]) for name in means)
    assert not any(torch.equal(drifting.state_dict()[name], before[name]) for name in means)
    assert [all(p.grad is None for p in m.pyramid.body.parameters()) for m in (frozen, drifting, learned)] == [
        True,
        True,
        False,
    ]
    assert all(p.grad is not None for name, p in frozen.named_parameters() if p.requires_grad), "what learns is used"


def test_seeds_of_observers_draw_the_same_memory_again_and_leave_torchs_generator_alone() -> None:
    model = small(layers=2)
    assert observer_seed("AAF", 12) == 656570 + 12
    torch.manual_seed(5)
    first, again, other = (model.begin(2, seeds=seeds) for seeds in ((1, 2), (1, 2), (1, 3)))
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)
    assert torch.equal(first.memory.hidden[0], again.memory.hidden[0])
    assert torch.equal(first.memory.hidden[0][:, 0], other.memory.hidden[0][:, 0])
    assert not torch.equal(first.memory.hidden[0][:, 1], other.memory.hidden[0][:, 1])
    assert not first.memory.hidden[1].any(), "the first layer alone"
    assert not torch.equal(first.memory.hidden[0], first.memory.memory[0])
    twins = model.begin(2, seeds=(1, 2), twin=True)
    assert torch.equal(twins.memory.hidden[0], twins.memory.memory[0])
    assert model.begin(1, seeds=(observer_seed("an observer with a very long name", 0),)) is not None
    with pytest.raises(ValueError, match="1 seeds for 2 videos"):
        model.begin(2, seeds=(1,))


def test_a_memory_begins_with_zeros_or_as_published_with_other_numbers_each_time() -> None:
    assert not small(memory="lstm").begin(2).memory.hidden[0].any()
    model, video = small(memory="lstm", begins="random"), clip()
    assert not torch.equal(model(video)[0], model(video)[0])


def test_clips_and_choices_that_do_not_fit_are_explained() -> None:
    with pytest.raises(RecipeError, match="5 frames of 64x64"):
        small()(clip(size=(64, 64)))
    with pytest.raises(RecipeError, match="0 frames of 32x64"):
        small()(clip(0))
    with pytest.raises(RecipeError, match="attend: channels, with scales: every"):
        small(attend="channels", scales="every")
    with pytest.raises(RecipeError, match="attend: channels, with memory: lstm"):
        small(attend="channels", memory="lstm")
    with pytest.raises(RecipeError, match="5 active of 4 units"):
        small(active=5)


def test_a_state_that_does_not_fit_is_explained() -> None:
    golden = Golden.read("scanpath_fanin_channelwise")
    state = {name: torch.empty(shape, device="meta") for name, shape in golden.about["state_dict"]}
    state["rim.rimcell.0.extra"] = state.pop("rim.rimcell.0.query.w")
    with pytest.raises(WeightsError, match=r"(?s)missing rim\.rimcell\.0\.query\.w; left over rim\.rimcell\.0\.extra"):
        FPNRIM.from_published(state, build=lambda: FPNRIM(weights="random", attend="channels", hidden=64, copies=0))


@pytest.mark.parametrize("options", [{}, {"memory": "lstm"}, {"answers": "steps", "phases": "scores"}], ids=str)
def test_learns_two_clips_by_heart(options: dict) -> None:
    model, video = small(hidden=16, **options).train(), clip(4)
    gaze = torch.rand(2, 4, 2, generator=torch.Generator().manual_seed(3))
    optimizer, losses = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3), []
    for _ in range(40):
        loss = functional.mse_loss(model(video)[0][..., :2], gaze)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert len(PHASES) == 4
