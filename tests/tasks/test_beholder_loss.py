"""Beholder in its task: the prior by hand, what each choice changes, and every gaze that it can be given."""

from dataclasses import replace
from math import exp, log, pi

import pytest
import torch
from action_batch import FRAMES, batch
from torch import Tensor

from regard.models.beholder import Beholder, BeholderAnswer
from regard.ops.action_losses import reverse_kl
from regard.tasks import ActionRecognition
from regard.tasks.action.losses.base import GazeTargets, Targets
from regard.tasks.action.losses.beholder import BeholderLoss, gaze_prior
from regard.types import GazeState


def beholder(**choices) -> Beholder:
    torch.manual_seed(0)
    return Beholder(actions=3, num_frames=FRAMES, size=(64, 64), width=4, depths=(1, 1, 1), dropout=0.0, **choices)


def answer(b: int = 2, *, slots: int = 1, grid: tuple[int, int] = (2, 2)) -> BeholderAnswer:
    scores = torch.randn(b, slots, *grid, generator=torch.Generator().manual_seed(0))
    return BeholderAnswer(torch.zeros(b, 3), scores, scores.exp(), torch.zeros(b, 8, slots, *grid))


def targets(point: Tensor | None, *, state: GazeState = GazeState.FIXATION) -> Targets:
    gaze = None
    if point is not None:
        gaze = GazeTargets(point=point, state=torch.full(point.shape[:2], state, dtype=torch.int8))
    b, t = (2, 8) if point is None else point.shape[:2]
    return Targets(
        label={"action": torch.arange(b)}, main="action", frame_valid=torch.ones(b, t, dtype=torch.bool), gaze=gaze
    )


def test_a_prior_is_highest_at_the_gaze_1_in_all_and_nowhere_0() -> None:
    prior = gaze_prior(torch.tensor([[0.25, 0.75], [float("nan"), 0.5], [1.2, 0.5]]), (2, 2), sigma_px=20.0)
    torch.testing.assert_close(prior.sum(dim=(-2, -1)), torch.ones(3))
    torch.testing.assert_close(prior[1:], torch.full((2, 2, 2), 0.25))
    peak, floor = 1 / (2 * pi * 20**2), 1e-6
    at = peak * exp(-2 * 0.5**2 / (2 * 20**2)) + floor
    beside, across = (peak * exp(-d / (2 * 20**2)) + floor for d in (0.5**2 + 16.5**2, 2 * 16.5**2))
    total = at + 2 * beside + across
    assert prior[0, 1].tolist() == pytest.approx([at / total, beside / total], rel=1e-4)
    assert prior[0, 0].tolist() == pytest.approx([beside / total, across / total], rel=1e-4)
    narrow = gaze_prior(torch.tensor([0.07, 0.07]), (7, 7), sigma_px=4.1)
    assert narrow[0, 0] > 0.99
    assert narrow.min() > 0


def test_the_divergence_is_scaled_as_published_or_summed_as_the_bound_has_it() -> None:
    own, point = answer(slots=2), torch.rand(2, 16, 2, generator=torch.Generator().manual_seed(1))
    kl = reverse_kl(own.gaze_logits, gaze_prior(point[:, [4, 12]], (2, 2), sigma_px=4.1))
    hoi, elbo = (BeholderLoss(scale=scale)(own, targets(point))["prior"] for scale in ("hoi", "elbo"))
    torch.testing.assert_close(hoi, log(3) * kl.mean() / log(4))
    torch.testing.assert_close(elbo, kl.sum(dim=1).mean())
    half = BeholderLoss(gaze=0.5)(own, targets(point))
    torch.testing.assert_close(half["loss"], half["action"] + 0.5 * half["prior"])


def test_a_slot_goes_by_its_middle_or_first_frame_and_without_known_gaze_by_nothing() -> None:
    own, point = answer(), torch.full((2, 8, 2), torch.nan)
    uniform = BeholderLoss()(own, targets(None))["prior"]
    torch.testing.assert_close(BeholderLoss()(own, targets(point))["prior"], uniform)
    point[:, 4] = 0.1
    middle = BeholderLoss()(own, targets(point))["prior"]
    assert not torch.allclose(middle, uniform)
    torch.testing.assert_close(BeholderLoss(frame="first")(own, targets(point))["prior"], uniform)
    torch.testing.assert_close(BeholderLoss()(own, targets(point, state=GazeState.SACCADE))["prior"], uniform)
    both = BeholderLoss(states=("fixation", "saccade"))
    torch.testing.assert_close(both(own, targets(point, state=GazeState.SACCADE))["prior"], middle)
    outside = torch.where(point.isnan(), point, 1.5)
    torch.testing.assert_close(BeholderLoss()(own, targets(outside))["prior"], uniform)


@pytest.mark.parametrize("gaze", ["none", "train", "test", "shuffled", "centre"])
def test_each_gaze_trains_every_weight_and_answers(gaze) -> None:
    task, given = ActionRecognition(beholder(), loss=BeholderLoss(), gaze=gaze), batch(size=64)
    task.model.train()
    losses = task.loss(task.answer(given), given)
    losses["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in task.model.parameters())
    task.model.eval()
    items = task.collect(task.score(task.answer(given), given))
    assert len(items) == 3


def test_recorded_gaze_is_fed_as_the_prior_and_only_where_it_is_known() -> None:
    point = torch.full((3, FRAMES, 2), 0.1)
    point[1] = torch.nan
    given = batch(size=64, point=point)
    assert given.gaze_valid is not None
    given = replace(given, gaze_valid=given.gaze_valid & ~point.isnan().any(dim=-1))
    model = beholder().eval()
    own = ActionRecognition(model, loss=BeholderLoss()).answer(given).own
    fed = ActionRecognition(model, loss=BeholderLoss(), gaze="test").answer(given).own
    wanted = gaze_prior(point[0, 4], (2, 2), sigma_px=4.1)
    torch.testing.assert_close(fed.attention[0, 0], wanted)
    torch.testing.assert_close(fed.attention[1], own.attention[1])
    assert not torch.equal(fed.logits[0], own.logits[0])


def test_training_draws_for_each_channel_and_seeds_are_drawn_at_test_where_asked() -> None:
    task, given = ActionRecognition(beholder(), loss=BeholderLoss(), drawn=(1, 2)), batch(size=64)
    task.model.train()
    assert not torch.equal(task.answer(given).own.logits, task.answer(given).own.logits)
    task.model.eval()
    drawn = task.answer(given).drawn
    assert drawn is not None
    assert drawn.shape == (3, 2, 3)
    assert not torch.equal(drawn[:, 0], drawn[:, 1])
