"""Looking at me: what the model is asked and told, what it learns from, and what it says in the user's terms."""

import numpy as np
import pytest
import torch
from looking_batch import LeftOfPicture, batch, recording, track, window
from torch import Tensor, nn

from regard.errors import RecipeError
from regard.tasks import LookingAtMe, LookingCrossEntropy
from regard.types import Clip

ANNA = track("anna", looking=[i >= 10 for i in range(20)])
BERT = track("bert-2", looking=[False] * 20)
PARTY = recording(ANNA, BERT)


def stretch(first: int, last: int) -> Clip:
    """All frames of a stretch, asked about but for three at each side."""
    frame_s = np.arange(first, last) / 30
    return Clip(recording=PARTY, frame_s=frame_s, gaze_s=frame_s[3:-3], person="anna")


def test_a_clip_about_a_face_is_asked_about_by_its_middle():
    given = batch(window(PARTY, "anna", 5), window(PARTY, "bert-2", 12))
    task = LookingAtMe(LeftOfPicture())
    assert task.told(given)["asked"].tolist() == [[3], [3]]
    assert task.answer(given).shape == (2, 1, 2)


def test_every_frame_of_a_stretch_but_its_ends_is_asked_about_once():
    given = batch(stretch(0, 16), stretch(4, 14))
    asked = LookingAtMe(LeftOfPicture()).told(given)["asked"]
    assert asked[0].tolist() == [*range(3, 13)]
    assert asked[1].tolist() == [3, 4, 5, 6, *[6] * 6]


def test_padding_and_faces_of_whom_nobody_knows_teach_nothing():
    shy = track("carl", looking=[True] * 20, known=False)
    party = recording(ANNA, shy)
    known, unknown = window(party, "anna", 5), window(party, "carl", 5)
    task = LookingAtMe(LeftOfPicture())
    both = batch(known, unknown)
    alone = batch(known)
    torch.testing.assert_close(task.loss(task.answer(both), both)["loss"], task.loss(task.answer(alone), alone)["loss"])
    nothing = batch(unknown)
    loss = task.loss(task.answer(nothing), nothing)["loss"]
    loss.backward()
    assert float(loss.detach()) == 0


def test_the_loss_weighs_each_class_by_the_share_of_the_other():
    loss = LookingCrossEntropy().told(looking=30, not_looking=70)
    assert loss.weights == pytest.approx((0.3, 0.7))
    logits, looking = torch.tensor([[1.0, -1.0], [0.5, 0.0]]), torch.tensor([True, False])
    each = -logits.log_softmax(dim=-1)
    wanted = (0.7 * each[0, 1] + 0.3 * each[1, 0]) / (0.7 + 0.3)
    torch.testing.assert_close(loss(logits, looking), wanted)
    given = LookingCrossEntropy(weights=(0.136, 0.864))
    assert given.told(looking=1, not_looking=1) == given


def test_the_loss_is_told_the_training_faces():
    task = LookingAtMe(LeftOfPicture())
    task.begin([window(PARTY, "anna", i) for i in (5, 7, 9, 12)])
    assert task.looking_loss == LookingCrossEntropy(weights=(0.25, 0.75))
    with pytest.raises(RecipeError, match="0 training faces that look"):
        LookingAtMe(LeftOfPicture()).begin([window(PARTY, "bert-2", 5)])
    with pytest.raises(RecipeError, match="above 0"):
        LookingCrossEntropy(weights=(0.0, 1.0))


def test_a_flip_averages_the_probabilities_of_both_images_and_only_at_test():
    given = batch(window(PARTY, "anna", 5), window(PARTY, "anna", 12))
    plain, flipped = LookingAtMe(LeftOfPicture()), LookingAtMe(LeftOfPicture(), test_flip=True)
    assert given.video is not None
    own = plain.model.eval()(given.video)
    mirrored = plain.model(given.video.flip(-1))
    wanted = (own.softmax(-1) + mirrored.softmax(-1)) / 2
    torch.testing.assert_close(flipped.answer(given), own)
    flipped.model.eval()
    torch.testing.assert_close(flipped.answer(given).softmax(-1), wanted)
    assert not torch.allclose(flipped.answer(given), plain.answer(given))
    assert "mirror" in flipped.protocol(flipped.collect(flipped.score(flipped.answer(given), given)))


class Turned(nn.Module):
    """Told of a face more than its pictures."""

    def forward(self, video: Tensor, observed_point: Tensor) -> Tensor:
        return torch.zeros(len(video), 1, 2)


def test_a_model_that_does_not_know_its_mirror_image_is_not_flipped():
    with pytest.raises(RecipeError, match="observed_point"):
        LookingAtMe(Turned(), test_flip=True)


def test_a_model_that_answers_in_another_form_is_named():
    class Direction(nn.Module):
        def forward(self, video: Tensor) -> Tensor:
            return torch.zeros(len(video), 1, 3)

    given = batch(window(PARTY, "anna", 5))
    with pytest.raises(RecipeError, match="Direction"):
        LookingAtMe(Direction()).answer(given)


def test_a_prediction_says_who_when_how_likely_and_where():
    task = LookingAtMe(LeftOfPicture())
    answer = task.answer(batch(stretch(0, 16)))
    (said,) = task.predictions(answer, batch(stretch(0, 16)))
    assert said.who == ("anna",) * 10
    np.testing.assert_allclose(said.time_s, np.arange(3, 13) / 30)
    np.testing.assert_allclose(said["looking"], answer.softmax(-1)[0, :, 1].detach(), rtol=1e-6)
    np.testing.assert_allclose(said["box"], np.tile([0.2, 0.1, 0.4, 0.5], (10, 1)), rtol=1e-6)


def test_rows_say_which_face_and_whether_it_looks():
    given = batch(window(PARTY, "anna", 12), window(PARTY, "bert-2", 5))
    task = LookingAtMe(LeftOfPicture())
    items = task.collect(task.score(task.answer(given), given))
    assert items["person"].tolist() == ["anna", "bert-2"]
    assert items["looking"].tolist() == [1, 0]
    np.testing.assert_allclose(items["time_s"], [12 / 30, 5 / 30])


def test_training_tells_a_looking_face_from_another():
    torch.manual_seed(0)
    given = batch(*(window(PARTY, "anna", i) for i in (4, 6, 12, 14)))
    assert given.video is not None
    given.video[2:] += 0.5
    task = LookingAtMe(LeftOfPicture())
    optimiser = torch.optim.SGD(task.model.parameters(), lr=0.5)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = task.loss(task.answer(given), given)["loss"]
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
