"""Action recognition: which gaze supervises and which is fed, drawn gaze, schedules."""

from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from action_batch import FRAMES, Constant, batch, egohar, gaze_attention, recording
from torch import Tensor, nn

from regard.clips.fields import check_fields
from regard.errors import RecipeError
from regard.ops.direct_optimisation import published_epsilon
from regard.ops.heatmap import gaussian_maps
from regard.tasks import ActionRecognition, EgoHARLoss, GazeAttentionLoss, LabelLoss
from regard.tasks.action.losses.base import Targets
from regard.types import GazeState


@pytest.mark.parametrize("gaze", ["none", "train", "test", "shuffled", "centre"])
def test_what_is_asked_of_the_data_follows_from_the_ablation(gaze):
    task = ActionRecognition(egohar(), loss=EgoHARLoss(), gaze=gaze)
    assert task.needs == {"video", "label"} | ({"gaze"} if gaze in {"train", "test", "shuffled"} else set())
    losses = task.loss(task.answer(batch()), batch())
    assert ("gaze" in losses) == (gaze != "none")
    assert torch.isfinite(losses["loss"])


def test_a_recording_without_gaze_is_told_where_gaze_supervises_and_taken_where_it_does_not():
    without = (recording(),)
    for gaze in ("train", "test", "shuffled"):
        with pytest.raises(RecipeError, match=r"kitchen(?s:.*)no gaze track(?s:.*)'gaze'"):
            check_fields(without, ActionRecognition(egohar(), gaze=gaze).needs, None)
    for gaze in ("none", "centre"):
        check_fields(without, ActionRecognition(egohar(), gaze=gaze).needs, None)


def test_the_loss_is_the_sum_of_its_parts_and_reaches_every_weight():
    task = ActionRecognition(gaze_attention(), loss=GazeAttentionLoss())
    task.model.train()
    given = batch(size=64)
    losses = task.loss(task.answer(given), given)
    parts = losses["action"] + losses["direct"] + losses["gaze"]
    torch.testing.assert_close(losses["loss"], parts)
    losses["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in task.model.parameters())


def test_a_loss_that_is_made_for_another_model_says_what_it_misses():
    task = ActionRecognition(egohar(), loss=GazeAttentionLoss())
    with pytest.raises(RecipeError, match="GazeAttentionLoss for EgoHAR, which does not answer with features, head"):
        task.loss(task.answer(batch()), batch())


def test_gaze_is_fed_only_to_a_model_that_takes_it():
    with pytest.raises(RecipeError, match="no attention of its own to replace"):
        ActionRecognition(Constant([0.0, 1.0]), gaze="test")


def test_lost_gaze_supervises_nothing():
    for task, given in (
        (ActionRecognition(egohar(), loss=EgoHARLoss()), batch(lost=True)),
        (ActionRecognition(gaze_attention(), loss=GazeAttentionLoss()), batch(lost=True, size=64)),
    ):
        losses = task.loss(task.answer(given), given)
        assert float(losses["gaze"].detach()) == 0
        losses["loss"].backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in task.model.parameters())


def test_only_fixations_supervise_where_the_recipe_says_so():
    given = batch(size=64)
    assert given.gaze_state is not None
    moving = replace(given, gaze_state=torch.full_like(given.gaze_state, GazeState.SACCADE))
    task = ActionRecognition(gaze_attention(), loss=GazeAttentionLoss(states=("fixation",), slots="first"))
    assert float(task.loss(task.answer(given), given)["gaze"].detach()) > 0
    assert float(task.loss(task.answer(moving), moving)["gaze"].detach()) == 0


def test_shuffled_gaze_is_another_clips_and_centre_is_nobodys():
    point = torch.full((3, FRAMES, 2), 0.5)
    point[0], point[1], point[2] = 0.1, 0.5, 0.9
    given = batch(point=point)
    shuffled = ActionRecognition(egohar(), gaze="shuffled")._looked(given)
    centre = ActionRecognition(egohar(), gaze="centre")._looked(given)
    assert shuffled is not None
    assert centre is not None
    assert shuffled.point[:, 0, 0].tolist() == pytest.approx([0.9, 0.1, 0.5])
    assert (centre.point == 0.5).all()


def test_one_clip_alone_has_no_other_clips_gaze():
    task = ActionRecognition(egohar(), loss=EgoHARLoss(), gaze="shuffled")
    task.model.train()
    one = batch(1)
    with pytest.raises(RecipeError, match="one clip a batch"):
        task.loss(task.answer(one), one)


def test_fed_gaze_takes_the_place_of_the_models_own_only_at_test_and_only_where_it_is_known():
    corner = torch.full((3, FRAMES, 2), 0.01)
    given = batch(size=64, point=corner)
    known = replace(given, gaze_valid=given.gaze_valid & (torch.arange(3) > 0)[:, None])  # type: ignore[operator]
    model = gaze_attention()
    own = ActionRecognition(model.eval()).answer(given).own.gaze_sample
    fed = ActionRecognition(model, gaze="test").answer(known).own.gaze_sample
    assert torch.equal(fed[0], own[0])
    assert (fed[1:, :, 0, 0] == 1).all()
    assert (fed.sum(dim=(-2, -1)) == 1).all()


def test_gaze_fed_to_the_attention_map_changes_the_answer():
    model = egohar().eval()
    one, other = (batch(point=torch.full((3, FRAMES, 2), at)) for at in (0.05, 0.95))
    task = ActionRecognition(model, gaze="test")
    assert not torch.equal(task.answer(one).own.action, task.answer(other).own.action)
    plain = ActionRecognition(model)
    assert torch.equal(plain.answer(one).own.action, plain.answer(other).own.action)


@pytest.mark.parametrize("sigma_cells", [0.7, 1.5])
def test_gaze_is_fed_as_wide_as_the_loss_taught_the_attention(sigma_cells):
    model, given = egohar().eval(), batch()
    task = ActionRecognition(model, loss=EgoHARLoss(sigma_cells=sigma_cells), gaze="test")
    assert given.gaze_point is not None
    maps = gaussian_maps(given.gaze_point, (2, 2), sigma_cells=sigma_cells)
    expected = model(given.video, attention=maps / maps.amax(dim=(-2, -1), keepdim=True))
    torch.testing.assert_close(task.answer(given).own.action, expected.action)


class Taught(nn.Module):
    """Attends in two slots of a clip, to where its loss tells it to in training."""

    def forward(self, video: Tensor, attention: Tensor | None = None) -> "TaughtAnswer":
        own = torch.full((len(video), 2, 2, 2), 0.25)
        return TaughtAnswer(video.mean(dim=(1, 3, 4)), own if attention is None else attention)


class TaughtAnswer(NamedTuple):
    logits: Tensor
    attention: Tensor


class TeachesForAWhile(LabelLoss):
    wants = frozenset({"faces"})

    def taught(self, targets: Targets) -> dict[str, Tensor]:
        known = targets.gaze is not None and targets.step < 10
        return {"attention": torch.full((len(targets.frame_valid), 2, 2, 2), 0.5)} if known else {}


def test_a_loss_teaches_in_training_only_and_asks_for_what_it_wants():
    task = ActionRecognition(Taught().train(), loss=TeachesForAWhile())
    assert "faces" in task.needs
    assert float(task.answer(batch()).own.attention[0, 0, 0, 0]) == 0.5
    task.step = 10
    assert float(task.answer(batch()).own.attention[0, 0, 0, 0]) == 0.25
    task.step = 0
    task.model.eval()
    assert float(task.answer(batch()).own.attention[0, 0, 0, 0]) == 0.25


def test_a_slot_of_several_frames_is_fed_the_mean_of_their_gaze_and_its_own_where_there_is_none():
    point = torch.full((1, FRAMES, 2), 0.25)
    point[:, 1:4] = torch.tensor([0.75, 0.25])
    given = batch(1, point=point)
    late = replace(given, gaze_valid=torch.arange(FRAMES)[None] < 4)
    fed = ActionRecognition(Taught().eval(), gaze="test").answer(late).own.attention
    left, right = gaussian_maps(torch.tensor([[0.25, 0.25], [0.75, 0.25]]), (2, 2), sigma_cells=1.5)
    mean = left + 3 * right
    torch.testing.assert_close(fed[0, 0], mean / mean.max())
    assert (fed[0, 1] == 0.25).all()


def test_training_draws_and_testing_does_not():
    task = ActionRecognition(gaze_attention())
    given = batch(size=64)
    task.model.eval()
    first, again = task.answer(given).own, task.answer(given).own
    assert torch.equal(first.perturbed, first.gaze_logits)
    assert torch.equal(first.logits, again.logits)
    task.model.train()
    drawn = task.answer(given).own
    assert not torch.equal(drawn.perturbed, drawn.gaze_logits)


def test_drawn_answers_belong_to_the_clip_and_the_seed_not_to_the_batch():
    task = ActionRecognition(gaze_attention().eval(), drawn=(1, 2))
    given = batch(3, size=64)
    whole = task.answer(given).drawn
    assert whole is not None
    assert whole.shape == (3, 2, 3)
    tensors = ("video", "flow", "frame_valid", "asked_valid", "ahead_s", "gaze_point", "gaze_valid", "gaze_state")
    alone = replace(given, clips=given.clips[2:], label=None, **{name: getattr(given, name)[2:] for name in tensors})
    torch.testing.assert_close(task.answer(alone).drawn, whole[2:], rtol=1e-4, atol=1e-5)
    items = task.collect(task.score(task.answer(given), given))
    table = task.summarise(items).set_index("score")
    assert str(table.loc["drawn_action_accuracy", "policy"]).startswith("2 seeds, sd ")
    assert "drawn_action_accuracy: 2 seeds, sd " in task.protocol(items), "the printed table has no room for it"
    with pytest.raises(RecipeError, match="draws nothing"):
        ActionRecognition(egohar(), drawn=(1,))


def test_epsilon_follows_the_step_and_may_hurry():
    loss, given = GazeAttentionLoss(gaze=0.0), batch(size=64)
    task = ActionRecognition(gaze_attention().train(), loss=loss)
    torch.manual_seed(3)
    answer = task.answer(given)
    task.step = 0
    early = task.loss(answer, given)["direct"]
    task.step = 9000
    late = task.loss(answer, given)["direct"]
    task.action_loss, task.step = GazeAttentionLoss(gaze=0.0, hurry=100.0), 90
    torch.testing.assert_close(task.loss(answer, given)["direct"], late)
    assert published_epsilon(9000) < published_epsilon(0)
    assert not torch.equal(early, late)
