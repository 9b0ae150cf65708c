from collections.abc import Callable

import pytest
import torch

from gaze_only.loss import MembersLoss
from gaze_only.model import GazeOnly
from gaze_only.random_convolutions import RandomConvolutions
from gaze_only.trajectory import parts
from regard.errors import RecipeError
from regard.tasks import Targets

SMALL = {
    "num_actions": 5,
    "num_verbs": 4,
    "num_nouns": 3,
    "num_kernels": 4,
    "num_members": 2,
    "width": 16,
}


def small(**changes) -> GazeOnly:
    torch.manual_seed(0)
    return GazeOnly(**{**SMALL, **changes})


def gaze(b: int = 8, t: int = 90) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    point = (0.5 + (0.03 * torch.randn(b, t, 2, generator=generator)).cumsum(1)).clamp(0, 1)
    valid = torch.rand(b, t, generator=generator) < 0.9
    length = torch.randint(1, t + 1, (b, 1), generator=generator)
    length[0] = t
    return point, valid, torch.arange(t)[None] < length


@pytest.fixture
def trained() -> Callable[..., GazeOnly]:
    """A model that has seen gaze, so that thresholds, means and spreads are not those of the beginning."""

    def make(**changes) -> GazeOnly:
        model = small(**changes)
        model.train()
        model(*gaze(32))
        return model.eval()

    return make


def test_an_answer_is_the_mean_of_the_members_log_probabilities(trained):
    answer = trained()(*gaze())
    assert answer.members.shape == (2, 8, 12)
    assert [a.shape[1] for a in answer[:3]] == [5, 4, 3]
    verbs = answer.members[..., 5:9].log_softmax(-1).mean(0)
    torch.testing.assert_close(answer.verb, verbs)


def test_no_answer_depends_on_what_is_masked_or_on_the_rest_of_the_batch(trained):
    model = trained()
    point, valid, frame_valid = gaze()
    before = model(point, valid, frame_valid)
    masked = ~(valid & frame_valid)[..., None]
    model._remembered.clear()
    after = model(point.masked_fill(masked, torch.nan), valid, frame_valid)
    torch.testing.assert_close(after, before)
    longer = torch.cat([point, torch.ones(8, 40, 2)], 1), torch.cat([valid, torch.ones(8, 40, dtype=torch.bool)], 1)
    model._remembered.clear()
    after = model(*longer, torch.cat([frame_valid, torch.zeros(8, 40, dtype=torch.bool)], 1))
    torch.testing.assert_close(after, before)
    for i in range(8):
        model._remembered.clear()
        alone = model(point[i : i + 1], valid[i : i + 1], frame_valid[i : i + 1])
        torch.testing.assert_close(alone.action[0], before.action[i], atol=1e-5, rtol=1e-4)


def test_each_row_answers_about_its_own_trajectory_in_any_order(trained):
    model = trained()
    order = torch.tensor([3, 1, 0, 7, 6, 2, 5, 4])
    inputs = gaze()
    torch.testing.assert_close(
        model(*(x[order] for x in inputs)).noun, model(*inputs).noun[order], atol=1e-5, rtol=1e-4
    )


def test_what_is_remembered_changes_nothing_and_is_forgotten_with_the_filters(trained):
    model = trained()
    first = model(*gaze())
    assert len(model._remembered) >= 8
    torch.testing.assert_close(model(*gaze()), first, atol=0, rtol=0)
    other = small()
    other.eval()
    other(*gaze())
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(*gaze()), first, atol=0, rtol=0)


@pytest.mark.parametrize("duration", [True, False])
def test_the_number_of_samples_is_an_input_only_where_it_is_wanted(trained, duration):
    model = trained(duration=duration, max_samples=40)
    point, _, _ = gaze(2, 90)
    point[:, 60:] = point[:, :30]
    longer = torch.cat([point[:, :20], point, point[:, :20]], dim=1)
    whole = torch.ones(2, 130, dtype=torch.bool)
    short = model(longer[:, 20:110], whole[:, :90], whole[:, :90])
    long = model(longer, whole, whole)
    assert torch.allclose(short.action, long.action) != duration


def test_one_sample_and_none_are_enough(trained):
    model = trained()
    point, valid, frame_valid = gaze(2, 1)
    assert torch.isfinite(model(point, valid, frame_valid).members).all()
    none = torch.zeros_like(valid)
    answer = model(point * torch.nan, none, none)
    assert torch.isfinite(answer.members).all()


def test_the_members_learn_side_by_side():
    model = small(dropout=0.0)
    model.train()
    inputs = gaze(32, 40)
    label = {"action": torch.arange(32) % 5, "verb": torch.arange(32) % 4, "noun": torch.arange(32) % 3}
    adam = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        parts_of = MembersLoss()(model(*inputs), Targets(label=label, main="action", frame_valid=inputs[2]))
        torch.testing.assert_close(parts_of["loss"], parts_of["action"] + parts_of["verb"] + parts_of["noun"])
        adam.zero_grad()
        parts_of["loss"].backward()
        adam.step()
        losses.append(float(parts_of["loss"].detach()))
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize(("layers", "widths"), [(1, [16]), (3, [16, 16, 16])])
def test_a_member_has_the_hidden_layers_that_were_asked_for(layers, widths):
    linear = [m for m in small(layers=layers).members[0].modules() if isinstance(m, torch.nn.Linear)]
    assert [m.out_features for m in linear] == [*widths, 5 + 4 + 3]


@pytest.mark.parametrize(("wrong", "found"), [({"layers": 0}, "layers 0"), ({"share": 0.0}, "share 0.0")])
def test_a_model_that_cannot_be_built_is_refused(wrong, found):
    with pytest.raises(RecipeError, match=found):
        small(**wrong)


def test_a_filters_threshold_is_the_quantile_of_what_it_was_shown():
    torch.manual_seed(0)
    convolutions = RandomConvolutions(3, 5)
    seen, real = torch.randn(4, 3, 200), torch.ones(4, 200, dtype=torch.bool)
    convolutions.calibrate(seen, real)
    shares = convolutions(seen, real, parts(real)).view(4, 6, 5, 6)[..., 0].mean(0)
    torch.testing.assert_close(shares, 1 - convolutions.quantile, atol=0.01, rtol=0)
    assert (convolutions.weight != 0).any(-1).sum(-1).unique().tolist() == [1, 2, 3]
