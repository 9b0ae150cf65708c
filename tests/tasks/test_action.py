"""Action recognition: which gaze supervises and which is fed, windows of a clip, schedules, scores."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from regard.batch import Batch
from regard.errors import RecipeError
from regard.models.egohar import EgoHAR
from regard.models.gaze_attention import GazeAttention
from regard.ops.direct_optimisation import published_epsilon
from regard.tasks import ActionRecognition, EgoHARLoss, GazeAttentionLoss, LabelScoring
from regard.tasks.action import ActionAnswer
from regard.types import Clip, GazeState, MediaStream, Recording, Segment

FRAMES = 8


def recording(name: str = "kitchen", *, trained: tuple[tuple[float, float], ...] = ()) -> Recording:
    segments = tuple(Segment(start_s=a, end_s=b, kind="trained") for a, b in trained)
    return Recording(id=name, subject="p", video=MediaStream(path=Path("film.mp4")), segments=segments)


def clip(start_s: float, labels: dict[str, int], *, of: Recording | None = None, window_s: float = 0.0) -> Clip:
    segment = Segment(start_s=start_s, end_s=start_s + 2, kind="action", name="cut bread", labels=labels)
    frame_s = start_s + window_s + np.arange(FRAMES) / 24
    return Clip(recording=of or recording(), frame_s=frame_s, gaze_s=frame_s, labels=labels, segment=segment)


def batch(count: int = 3, *, size: int = 32, point: Tensor | None = None, lost: bool = False) -> Batch:
    generator = torch.Generator().manual_seed(0)
    labels = [{"action": i % 3, "verb": i % 2, "noun": i % 3} for i in range(count)]
    point = torch.rand(count, FRAMES, 2, generator=generator) if point is None else point
    valid = torch.full((count, FRAMES), not lost)
    return Batch(
        clips=tuple(clip(3.0 * i, label) for i, label in enumerate(labels)),
        frame_valid=torch.ones(count, FRAMES, dtype=torch.bool),
        asked_valid=torch.ones(count, FRAMES, dtype=torch.bool),
        ahead_s=torch.zeros(count, FRAMES),
        video=torch.rand(count, FRAMES, 3, size, size, generator=generator) * 2 - 1,
        flow=torch.rand(count, FRAMES, 2, size, size, generator=generator) * 2 - 1,
        gaze_point=torch.where(valid[..., None], point, torch.nan),
        gaze_valid=valid,
        gaze_state=torch.where(valid, GazeState.FIXATION, GazeState.LOST).to(torch.int8),
        label={name: torch.tensor([label[name] for label in labels]) for name in ("action", "verb", "noun")},
    )


def gaze_attention(size: int = 64) -> GazeAttention:
    torch.manual_seed(0)
    return GazeAttention(actions=3, num_frames=FRAMES, size=(size, size), width=8, depths=(1, 1, 1))


def egohar() -> EgoHAR:
    torch.manual_seed(0)
    return EgoHAR(
        actions=3, verbs=2, nouns=3, num_frames=FRAMES, size=(32, 32), backbone="resnet18", stages=3,
        weights="random", channels=4, width=16, hidden=8,
    )  # fmt: skip


class Constant(nn.Module):
    """A user's own model that always answers the same."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, video: Tensor) -> Tensor:
        return self.logits.expand(len(video), -1)


@pytest.mark.parametrize("gaze", ["none", "train", "test", "shuffled", "centre"])
def test_what_is_asked_of_the_data_follows_from_the_ablation(gaze):
    task = ActionRecognition(egohar(), loss=EgoHARLoss(), gaze=gaze)
    assert task.needs == {"video", "label"} | ({"gaze"} if gaze in {"train", "test", "shuffled"} else set())
    losses = task.loss(task.answer(batch()), batch())
    assert ("gaze" in losses) == (gaze != "none")
    assert torch.isfinite(losses["loss"])


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
    with pytest.raises(
        RecipeError, match="GazeAttentionLoss for EgoHAR, which does not answer with features, gaze_log"
    ):
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
    items = task.collect(pd.DataFrame(task.score(task.answer(given), given)))
    table = task.summarise(items).set_index("score")
    assert "2 seeds" in str(table.loc["drawn_action_accuracy", "policy"])
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


def test_windows_of_one_clip_are_one_row_with_their_mean_logits():
    scoring = LabelScoring()
    kitchen = recording()
    windows = [clip(0.0, {"action": 1}, of=kitchen, window_s=w) for w in (0.0, 0.5)] + [clip(5.0, {"action": 0})]
    given = replace(batch(3), clips=tuple(windows), label={"action": torch.tensor([1, 1, 0])})
    logits = torch.tensor([[3.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 1.0, 0.0]])
    items = scoring.collect(pd.DataFrame(scoring.rows({"action": logits}, given)))
    assert list(items["windows"]) == [2, 1]
    assert items.loc[0, ["action@0", "action@1", "action@2"]].tolist() == [1.5, 2.5, 0.0]
    assert list(items["action_predicted"]) == [1, 1]
    assert list(items["action_correct"]) == [1.0, 0.0]
    table = scoring.summarise(items).set_index("score")
    assert table.loc["action_accuracy", "value"] == 0.5
    assert table.loc["action_accuracy", "num_items"] == 2


def test_beside_the_scores_stand_each_class_and_what_it_is_taken_for():
    task = ActionRecognition(Constant([0.0, 2.0, 0.0]))
    given = batch(3)
    items = task.collect(pd.DataFrame(task.score(task.answer(given), given)))
    tables = task.details(items, {"action": ("open fridge", "cut tomato")})
    assert set(tables) == {f"{name}_{kind}" for name in ("action", "verb", "noun") for kind in ("classes", "confusion")}
    classes = tables["action_classes"].set_index("name")
    assert classes["num_items"].to_dict() == {"open fridge": 1, "cut tomato": 1, "action 2": 1}
    assert classes["accuracy"].to_dict() == {"open fridge": 0.0, "cut tomato": 1.0, "action 2": 0.0}
    assert classes.loc["action 2", "taken_for"] == "cut tomato"
    counts = tables["action_confusion"].set_index("action")
    assert counts["cut tomato"].tolist() == [1, 1, 1]
    assert counts.to_numpy().sum() == 3


def test_clips_that_share_frames_with_training_are_left_out_of_the_clean_score():
    scoring = LabelScoring()
    seen = recording(trained=((1.5, 4.0),))
    clips = (clip(0.0, {"action": 0}, of=seen), clip(4.0, {"action": 1}, of=seen), clip(8.0, {"action": 1}, of=seen))
    given = replace(batch(3), clips=clips, label={"action": torch.tensor([0, 1, 1])})
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    items = scoring.collect(pd.DataFrame(scoring.rows({"action": logits}, given)))
    assert list(items["clean"]) == [False, True, True]
    table = scoring.summarise(items).set_index("score")
    assert table.loc["action_accuracy", "value"] == pytest.approx(2 / 3)
    assert table.loc["clean_action_accuracy", "value"] == pytest.approx(1 / 2)
    assert "1 clips share frames with training" in scoring.describe(items)


def test_a_model_of_one_answer_is_also_scored_by_the_verb_of_its_action():
    task = ActionRecognition(Constant([0.0, 2.0, 0.0]))
    given = batch(3)
    items = task.collect(pd.DataFrame(task.score(task.answer(given), given)))
    assert list(items["action_predicted"]) == [1, 1, 1]
    assert list(items["verb_correct"]) == [0.0, 1.0, 0.0]
    assert not [c for c in items if c.startswith("verb@")]


def test_a_label_that_the_model_has_no_class_for_is_named():
    task = ActionRecognition(Constant([0.0, 2.0]))
    with pytest.raises(RecipeError, match="action 2"):
        task.score(task.answer(batch(3)), batch(3))


def test_segments_without_an_action_are_refused():
    task, given = ActionRecognition(Constant([0.0, 1.0])), replace(batch(1), label={"clip": torch.tensor([0])})
    with pytest.raises(RecipeError, match="'action'"):
        task.loss(task.answer(given), given)


def test_the_chief_answer_may_be_about_another_label():
    task = ActionRecognition(Constant([0.0, 2.0, 0.0]), scoring=LabelScoring(labels=("noun",)))
    items = task.collect(pd.DataFrame(task.score(task.answer(batch(3)), batch(3))))
    assert list(items["noun_correct"]) == [0.0, 1.0, 0.0]
    assert "action" not in items
    assert set(task.loss(task.answer(batch(3)), batch(3))) == {"loss", "noun"}


def test_padding_frames_do_not_count_in_the_answers_of_frames():
    task, given = ActionRecognition(egohar().eval(), loss=EgoHARLoss()), batch(2)
    short = given.frame_valid.clone()
    short[0, 4:] = False
    masked = replace(given, frame_valid=short)
    answer = task.answer(masked)
    spoilt = answer.own._replace(verb=torch.where(short[..., None], answer.own.verb, 99.0))
    for name, value in task.loss(answer, masked).items():
        torch.testing.assert_close(task.loss(ActionAnswer(spoilt), masked)[name], value)
    own, other = (task.score(a, masked)[0]["verb logits"] for a in (answer, ActionAnswer(spoilt)))
    np.testing.assert_allclose(np.asarray(own), np.asarray(other))


def test_an_answer_in_the_users_terms_has_its_window_and_its_attention():
    task = ActionRecognition(egohar().eval())
    answers = task.predictions(task.answer(batch(2)), batch(2))
    assert [float(a.start_s[0]) for a in answers] == [0.0, 3.0]
    assert answers[0].end_s[0] == pytest.approx(7 / 24)
    assert answers[0].logits["verb"].shape == (1, 2)
    assert answers[0].attention is not None
    assert answers[0].attention.max() == 1
