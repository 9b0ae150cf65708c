import pytest
import torch
from scipy.stats import multivariate_t

from regard.models.gaze_mixture import GazeMixture
from regard.ops.student_mixture import draw, log_density
from regard.types import GazeState


@pytest.fixture
def model() -> GazeMixture:
    torch.manual_seed(0)
    return GazeMixture(width=16, components=8).eval()


@pytest.fixture
def path() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    point = torch.rand(3, 20, 2, generator=draws)
    valid = torch.rand(3, 20, generator=draws) > 0.3
    valid[0, :5] = False
    return torch.where(valid[..., None], point, torch.nan), valid, torch.where(valid, 2, 0).to(torch.int8)


def test_log_density_is_that_of_scipys_student_t():
    mixture = torch.tensor([[0.0, 0.4, 0.6, 0.1, 0.2, 0.5, 4.0]])
    point = torch.tensor([0.45, 0.3])
    shape = [[0.01, 0.5 * 0.1 * 0.2], [0.5 * 0.1 * 0.2, 0.04]]
    wanted = multivariate_t(loc=[0.4, 0.6], shape=shape, df=4.0).logpdf([0.45, 0.3])
    assert float(log_density(mixture, point)) == pytest.approx(wanted, abs=1e-5)


def test_density_of_a_mixture_sums_to_one():
    weights = torch.tensor([0.2, 0.8]).log()
    mixture = torch.tensor([[0.0, 0.3, 0.5, 0.1, 0.2, 0.6, 9.0], [0.0, 0.7, 0.4, 0.2, 0.1, -0.3, 30.0]])
    mixture[:, 0] = weights
    grid = torch.cartesian_prod(*[torch.linspace(-3, 4, 350)] * 2)
    mass = log_density(mixture.expand(len(grid), -1, -1), grid).exp().sum() * (7 / 349) ** 2
    assert float(mass) == pytest.approx(1, abs=2e-3)


def test_drawn_points_have_the_middle_and_spread_of_their_component():
    mixture = torch.tensor([[[0.0, 0.4, 0.6, 0.1, 0.2, 0.5, 50.0], [-30.0, 9.0, 9.0, 0.1, 0.1, 0.0, 50.0]]])
    point, component = draw(mixture.expand(20000, -1, -1), generator=torch.Generator().manual_seed(0))
    assert set(component.tolist()) == {0}
    torch.testing.assert_close(point.mean(0), torch.tensor([0.4, 0.6]), atol=0.005, rtol=0)
    torch.testing.assert_close(point.std(0), torch.tensor([0.1, 0.2]) * (50 / 48) ** 0.5, atol=0.005, rtol=0)


@torch.no_grad()
def test_path_in_pieces_is_answered_as_the_whole(model, path):
    whole, _ = model(*path)
    parts, state = [], None
    for i in (slice(0, 3), slice(3, 4), slice(4, 20)):
        answer, state = model(*(field[:, i] for field in path), state=state)
        parts.append(answer.mixture)
    torch.testing.assert_close(torch.cat(parts, 1), whole.mixture, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_what_comes_later_changes_no_answer(model, path):
    answer, _ = model(*path)
    point, valid, kind = (field.clone() for field in path)
    point[:, 10:], valid[:, 10:] = 0.9, True
    later, _ = model(point, valid, kind)
    assert torch.equal(answer.mixture[:, :10], later.mixture[:, :10])


@torch.no_grad()
def test_places_that_were_not_measured_are_not_read(model, path):
    point, valid, kind = path
    other, _ = model(torch.where(valid[..., None], point, 0.1), valid, torch.where(valid, kind, 3))
    answer, _ = model(point, valid, kind)
    assert torch.equal(answer.mixture, other.mixture)
    assert answer.mixture.isfinite().all()


def test_sampled_paths_begin_where_they_are_told_and_are_repeatable(model):
    start = torch.tensor([[0.2, 0.3], [0.8, 0.5]])
    paths, kinds = model.sample(start, 12, generator=torch.Generator().manual_seed(2))
    again, _ = model.sample(start, 12, generator=torch.Generator().manual_seed(2))
    assert torch.equal(paths[:, 0], start)
    assert torch.equal(paths, again)
    assert paths.shape == (2, 12, 2)
    assert set(kinds.unique().tolist()) <= {GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT}
