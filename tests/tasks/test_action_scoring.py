"""How recognised actions are scored and told: windows of a clip, classes, the clean score, the user's terms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from action_batch import Constant, batch, clip, egohar, recording

from regard.errors import RecipeError
from regard.prediction import Prediction
from regard.tasks import ActionRecognition, EgoHARLoss, LabelScoring
from regard.tasks.action.task import ActionAnswer
from regard.types import Segment


def test_windows_of_one_clip_are_one_row_with_their_mean_logits():
    scoring = LabelScoring()
    kitchen = recording()
    windows = [clip(0.0, {"action": 1}, of=kitchen, window_s=w) for w in (0.0, 0.5)] + [clip(5.0, {"action": 0})]
    given = replace(batch(3), clips=tuple(windows), label={"action": torch.tensor([1, 1, 0])})
    logits = torch.tensor([[3.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 1.0, 0.0]])
    items = scoring.collect(scoring.rows({"action": logits}, given))
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
    items = task.collect(task.score(task.answer(given), given))
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
    items = scoring.collect(scoring.rows({"action": logits}, given))
    assert list(items["clean"]) == [False, True, True]
    table = scoring.summarise(items).set_index("score")
    assert table.loc["action_accuracy", "value"] == pytest.approx(2 / 3)
    assert table.loc["clean_action_accuracy", "value"] == pytest.approx(1 / 2)
    assert "1 clips share frames with training" in scoring.describe(items)


def test_a_model_of_one_answer_is_also_scored_by_the_verb_of_its_action():
    task = ActionRecognition(Constant([0.0, 2.0, 0.0]))
    given = batch(3)
    items = task.collect(task.score(task.answer(given), given))
    assert list(items["action_predicted"]) == [1, 1, 1]
    assert list(items["verb_correct"]) == [0.0, 1.0, 0.0]
    assert not [c for c in items if c.startswith("verb@")]


def test_a_verb_that_can_be_read_off_no_answer_has_no_confusion():
    task = ActionRecognition(Constant([0.0, 0.0, 0.0, 2.0]))
    given = batch(3)
    items = task.collect(task.score(task.answer(given), given))
    assert list(items["verb_predicted"]) == [-1, -1, -1]
    assert set(task.details(items, {})) == {"action_classes", "action_confusion"}


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
    items = task.collect(task.score(task.answer(batch(3)), batch(3)))
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
    own, other = (task.score(a, masked).loc[0, "verb logits"] for a in (answer, ActionAnswer(spoilt)))
    np.testing.assert_allclose(np.asarray(own), np.asarray(other))


def test_an_answer_in_the_users_terms_has_its_window_and_its_attention():
    task = ActionRecognition(egohar().eval())
    answers = task.predictions(task.answer(batch(2)), batch(2))
    assert [float(a.start_s[0]) for a in answers] == [0.0, 3.0]
    assert answers[0].time_s[0] == pytest.approx(7 / 24)
    assert answers[0]["logits/verb"].shape == (1, 2)
    assert answers[0]["attention"].max() == 1


def test_the_attention_of_who_saw_a_part_lies_where_the_part_lies():
    task, given = ActionRecognition(egohar().eval()), batch(1)
    maps = [
        task.predictions(task.answer(given), replace(given, view=view))[0]["attention"]
        for view in (None, torch.tensor([[0.5, 0.0, 1.0, 1.0]]))
    ]
    whole, right = (np.asarray(m) for m in maps)
    np.testing.assert_allclose(right, np.concatenate([np.full_like(whole, np.nan), whole], axis=-1), rtol=1e-6)


def test_the_best_checkpoint_is_that_of_the_chief_label():
    assert LabelScoring().best() == ("action_accuracy", "max")
    assert LabelScoring(labels=("noun",)).best() == ("noun_accuracy", "max")


def test_saved_answers_about_another_label_are_scored_by_that_one():
    verbs = Segment(start_s=0.0, end_s=2.0, kind="action", labels={"action": 4, "verb": 1})
    time_s = np.array([0.5, 1.5])
    said = Prediction(
        recording="kitchen",
        model="m",
        time_s=time_s,
        seen_until_s=time_s,
        values={"logits/verb": np.array([[0.0, 2.0], [1.0, 0.0]], np.float32)},
    )
    items = LabelScoring().items(said, replace(recording(), id="kitchen", segments=(verbs,)), progress=lambda _: None)
    assert items["verb_correct"].tolist() == [1.0]
    assert LabelScoring().summarise(items)["score"].tolist()[0] == "verb_accuracy"
