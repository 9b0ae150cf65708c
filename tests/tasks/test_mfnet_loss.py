from dataclasses import replace

import pytest
import torch
from action_batch import FRAMES, batch
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.models.mfnet import MFNetMultitask
from regard.ops.action_losses import slot_points
from regard.ops.soft_argmax import point_loss
from regard.tasks.action.losses.mfnet import MFNetLoss
from regard.tasks.action.scoring import LabelScoring
from regard.tasks.action.task import ActionRecognition


def model(**more: object) -> MFNetMultitask:
    torch.manual_seed(0)
    small = {"actions": 3, "verbs": 2, "nouns": 3, "width": 8, "depths": (1, 1, 1, 1), "dropout": 0.0}
    return MFNetMultitask(**small | more)


def task(gaze: str = "train", points: str = "known", **more: object) -> ActionRecognition:
    return ActionRecognition(model(**more), loss=MFNetLoss(points=points), gaze=gaze)


def parts(of: ActionRecognition, given) -> dict[str, Tensor]:
    return of.loss(of.answer(given), given)


def hands(*, x: float = 0.5, y: float = 0.5) -> Tensor:
    return torch.tensor([x, y]).expand(3, FRAMES, 2, 2)


def test_labels_gaze_and_hands_add_up_and_reach_every_weight() -> None:
    of, given = task(), replace(batch(), hand_point=hands(x=0.2))
    found = parts(of, given)
    own = of.answer(given).own
    assert found["verb"].item() == pytest.approx(cross_entropy(own.verb, given.label["verb"]).item())
    wanted = point_loss(own.gaze_logits, slot_points(given.gaze_point, FRAMES // 2))
    assert found["gaze"].item() == pytest.approx(wanted.mean().item())
    assert found["loss"].item() == pytest.approx(sum(v.item() for n, v in found.items() if n != "loss"))
    assert set(found) == {"loss", "action", "verb", "noun", "gaze", "hands"}
    found["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in of.model.parameters())


@pytest.mark.parametrize(
    ("hand", "lost"),
    [(None, True), (torch.full((3, FRAMES, 2, 2), torch.nan), True), (hands(x=0.5, y=1.5), False)],
    ids=["no hands and no gaze", "unseen hands", "hands below the picture"],
)
def test_what_is_not_known_or_not_in_the_picture_teaches_nothing(hand: Tensor | None, lost: bool) -> None:
    found = parts(task(), replace(batch(lost=lost), hand_point=hand))
    assert found.get("hands", torch.tensor(0.0)) == 0
    assert (found["gaze"] == 0) == lost
    labels = sum(found[name].item() for name in ("action", "verb", "noun", "gaze"))
    assert found["loss"].item() == pytest.approx(labels)


def test_as_published_a_mark_below_the_picture_and_gaze_beside_it_are_regressed() -> None:
    beside = torch.tensor([1.5, 0.5]).expand(3, FRAMES, 2)
    given = replace(batch(point=beside), hand_point=hands(y=1.5))
    right, published = (parts(task(points=points), given) for points in ("known", "published"))
    assert right["gaze"] == right["hands"] == 0
    assert published["gaze"] > 1
    assert published["hands"] > 1


def test_a_slot_is_taught_by_both_its_frames_or_by_the_first_as_published() -> None:
    moving = torch.full((3, FRAMES, 2), 0.5)
    moving[:, 1::2] = 0.9
    still = torch.full((3, FRAMES, 2), 0.5)
    for points, differs in (("known", True), ("published", False)):
        one, other = (parts(task(points=points), batch(point=point))["gaze"] for point in (moving, still))
        assert (one != other) == differs


def test_only_what_the_model_answers_about_is_taught_and_scored() -> None:
    of = ActionRecognition(
        model(actions=0, gaze=False),
        loss=MFNetLoss(),
        gaze="none",
        scoring=LabelScoring(labels=("verb", "noun"), top=2),
    )
    given = replace(batch(), hand_point=hands())
    assert set(parts(of, given)) == {"loss", "verb", "noun", "hands"}
    of.model.eval()
    rows = of.score(of.answer(given), given)
    assert {"verb logits", "noun logits"} <= set(rows)
    assert of.predictions(of.answer(given), given)[0].values.keys() == {"logits/verb", "logits/noun"}


def test_its_gaze_is_what_the_film_shows_and_the_hands_are_asked_of_the_data() -> None:
    of = task()
    of.model.eval()
    shown = of.predictions(of.answer(batch()), batch())[0].values["attention"]
    assert shown.shape == (1, FRAMES // 2, 1, 1)
    assert shown.max() == 1
    assert {"hands", "gaze", "video", "label"} == of.needs
