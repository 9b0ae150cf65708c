"""MCN (our reading) in its task: its loss by hand, teacher forcing, and every gaze that it can be given."""

from dataclasses import replace

import pytest
import torch
from action_batch import batch
from torch.nn.functional import cross_entropy

from regard.batch import Batch
from regard.errors import RecipeError
from regard.models.mcn import MCN
from regard.ops.action_losses import cell_kl, slot_maps
from regard.tasks import ActionRecognition
from regard.tasks.action.losses.mcn import MCNLoss


def mcn() -> MCN:
    torch.manual_seed(0)
    return MCN(actions=3, width=4, depths=(1, 1, 1), dropout=0.0)


def one_clip_without_gaze() -> Batch:
    given = batch(size=64)
    assert given.gaze_valid is not None
    return replace(given, gaze_valid=given.gaze_valid & (torch.arange(3) != 1)[:, None])


def test_the_loss_is_the_sum_over_passes_and_what_came_before_them() -> None:
    task, given = ActionRecognition(mcn().eval(), loss=MCNLoss(gaze=0.5)), one_clip_without_gaze()
    answer = task.answer(given)
    losses, own = task.loss(answer, given), answer.own
    assert given.label is not None
    label = given.label["action"]
    passes = cross_entropy(own.passes[:, 0], label) + cross_entropy(own.passes[:, 1], label)
    torch.testing.assert_close(losses["action"], passes)
    torch.testing.assert_close(losses["prior"], cross_entropy(own.prior, label))
    known = [0, 2]
    assert given.gaze_point is not None
    target = slot_maps(given.gaze_point[known].float(), (1, 2, 2), sigma_cells=1.0)
    told = [cell_kl(maps[known], target).mean() for maps in (own.saliency, *own.gaze_passes.unbind(1))]
    torch.testing.assert_close(losses["gaze"], sum(told))
    torch.testing.assert_close(losses["loss"], losses["action"] + losses["prior"] + 0.5 * losses["gaze"])


def test_unknown_gaze_supervises_nothing_and_breaks_nothing() -> None:
    for steps in (0, 5):
        task, given = ActionRecognition(mcn(), loss=MCNLoss(taught_steps=steps)), batch(size=64, lost=True)
        task.model.train()
        losses = task.loss(task.answer(given), given)
        assert losses["gaze"].item() == 0
        losses["loss"].backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in task.model.parameters())


@pytest.mark.parametrize("gaze", ["none", "train", "test", "shuffled", "centre"])
@pytest.mark.parametrize("steps", [0, 5])
def test_each_gaze_trains_every_weight_with_and_without_teaching(gaze, steps: int) -> None:
    task, given = ActionRecognition(mcn(), loss=MCNLoss(taught_steps=steps), gaze=gaze), batch(size=64)
    task.model.train()
    losses = task.loss(task.answer(given), given)
    assert ("gaze" in losses) == (gaze != "none")
    losses["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in task.model.parameters())
    task.model.eval()
    assert len(task.collect(task.score(task.answer(given), given))) == 3


def test_it_is_taught_in_its_first_steps_alone_and_never_at_test() -> None:
    task, given = ActionRecognition(mcn(), loss=MCNLoss(taught_steps=5)), one_clip_without_gaze()
    assert given.gaze_point is not None
    wanted = slot_maps(given.gaze_point.float(), (1, 2, 2), sigma_cells=1.0)
    task.model.train()
    task.step = 4
    taught = task.answer(given).own
    torch.testing.assert_close(taught.attention[[0, 2]], wanted[[0, 2]])
    own = taught.gaze_logits[1].flatten(-2).softmax(-1).view(1, 2, 2)
    torch.testing.assert_close(taught.attention[1], own)
    torch.testing.assert_close(taught.gaze_passes[:, 0], taught.gaze_passes[:, 1])
    for step, training in ((5, True), (0, False)):
        task.step = step
        task.model.train(training)
        assert not torch.allclose(task.answer(given).own.attention[0], wanted[0])


def test_recorded_gaze_is_fed_where_it_is_known() -> None:
    model, given = mcn().eval(), one_clip_without_gaze()
    own = ActionRecognition(model, loss=MCNLoss()).answer(given).own
    fed = ActionRecognition(model, loss=MCNLoss(), gaze="test").answer(given).own
    assert given.gaze_point is not None
    wanted = slot_maps(given.gaze_point.float(), (1, 2, 2), sigma_cells=1.0)
    torch.testing.assert_close(fed.attention[[0, 2]], wanted[[0, 2]])
    torch.testing.assert_close(fed.attention[1], own.attention[1])
    assert not torch.equal(fed.logits[0], own.logits[0])


def test_a_label_beyond_the_classes_is_explained_with_and_without_teaching() -> None:
    given = batch(size=64)
    assert given.label is not None
    given = replace(given, label=given.label | {"action": given.label["action"] + 1})
    for steps in (0, 5):
        task = ActionRecognition(mcn(), loss=MCNLoss(taught_steps=steps))
        task.model.train()
        with pytest.raises(RecipeError, match="0 to 2, the 3 classes"):
            task.loss(task.answer(given), given)
