import pytest
import torch

from regard.models.scanpath_density import ScanpathDensity
from regard.tasks.gaze.likelihood import GazeLikelihood


def build(**options) -> ScanpathDensity:
    torch.manual_seed(0)
    model = ScanpathDensity(size=(18, 24), width=16, weights="random", **options)
    torch.nn.init.normal_(model.kernels)
    torch.nn.init.normal_(model.ways.weight, std=0.3)
    return model.eval()


@pytest.fixture
def given() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return {
        "video": torch.randn(2, 6, 3, 48, 64, generator=rng),
        "observed_point": torch.rand(2, 6, 2, generator=rng),
        "observed_valid": torch.ones(2, 6, dtype=torch.bool),
    }


@torch.no_grad()
def test_the_answer_is_a_log_density_for_every_frame(given):
    answer, _ = build()(**given)
    assert answer.shape == (2, 6, 18, 24)
    torch.testing.assert_close(answer.exp().sum((-2, -1)), torch.ones(2, 6))


@torch.no_grad()
def test_where_somebody_looks_at_a_frame_is_known_only_to_later_ones(given):
    model = build()
    before = model(**given)[0]
    given["observed_point"][:, 3] = 0.9
    after = model(**given)[0]
    assert torch.equal(after[:, :4], before[:, :4])
    assert all(not torch.equal(after[:, i], before[:, i]) for i in (4, 5))


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_later_frames_leave_earlier_answers_bit_identical(given, training):
    model = build(drop_path=0.0).train(training)
    before = model(**given)[0]
    given["video"][:, 3:] *= -1
    after = model(**given)[0]
    assert torch.equal(after[:, :3], before[:, :3])
    assert not torch.equal(after[:, 3], before[:, 3])


@pytest.mark.parametrize("valid", [[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]])
@torch.no_grad()
def test_frame_by_frame_with_state_equals_the_whole_clip(given, valid):
    model = build()
    given["observed_valid"][:] = torch.tensor(valid, dtype=torch.bool)
    whole, ended = model(**given)
    state, answers = None, []
    for i in range(6):
        answer, state = model(**{name: value[:, i : i + 1] for name, value in given.items()}, state=state)
        answers.append(answer)
    assert state is not None
    torch.testing.assert_close(torch.cat(answers, 1), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(state.seen, ended.seen, atol=1e-5, rtol=0)
    torch.testing.assert_close(state.recent, ended.recent)


@torch.no_grad()
def test_masked_frames_and_places_are_never_read_even_if_they_are_nan(given):
    model = build()
    frame_valid = torch.ones(2, 6, dtype=torch.bool)
    frame_valid[0, 4:] = False
    given["observed_valid"][1, 2] = False
    clean = model(**given, frame_valid=frame_valid)[0]
    given["video"][0, 4:] = torch.nan
    given["observed_point"][1, 2] = given["observed_point"][0, 4] = torch.nan
    spoiled = model(**given, frame_valid=frame_valid)[0]
    assert torch.equal(spoiled, clean)
    assert spoiled.isfinite().all()


@torch.no_grad()
def test_without_a_path_everybody_gets_the_same_density(given):
    model = build()
    nobody = model(given["video"])[0]
    assert not torch.equal(model(**given)[0], nobody)
    given["observed_valid"][:] = False
    assert torch.equal(model(**given)[0], nobody)


@torch.no_grad()
def test_an_eye_that_rests_is_expected_where_it_is_before_anything_is_learned(given):
    torch.manual_seed(0)
    model = ScanpathDensity(size=(18, 24), width=16, weights="random").eval()
    given["observed_point"][:] = torch.tensor([0.3, 0.7])
    best = model(**given)[0][:, 1:].flatten(2).argmax(-1)
    assert (best == int(0.7 * 18) * 24 + int(0.3 * 24)).all()


@torch.no_grad()
def test_sampled_paths_lie_on_the_picture_rest_and_jump_and_differ_by_the_draw(given):
    torch.manual_seed(0)
    model = ScanpathDensity(size=(18, 24), width=16, weights="random").eval()
    draw = lambda seed: model.sample(given["video"], paths=8, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    paths = draw(1)
    assert paths.shape == (2, 8, 6, 2)
    assert ((paths >= 0) & (paths <= 1)).all()
    moved = paths.diff(dim=2).norm(dim=-1)
    assert (moved < 0.05).float().mean() > 0.4
    assert (moved > 0.15).any()
    assert torch.equal(paths, draw(1))
    assert not torch.equal(paths, draw(2))


@torch.no_grad()
def test_a_sampled_path_is_as_likely_as_its_density_says(given):
    """The mean log-likelihood of sampled places is minus the entropy of the densities that they are drawn from."""
    model = build()
    paths = model.sample(given["video"][:, :3], paths=400, generator=torch.Generator().manual_seed(3))
    video = given["video"][:, :3].repeat_interleave(400, 0)
    log_density, _ = model(video, paths.flatten(0, 1), torch.ones(800, 3, dtype=torch.bool))
    nats = -GazeLikelihood()(log_density, paths.flatten(0, 1))
    expected = (log_density.exp() * log_density.clamp_min(-80)).sum((-2, -1))
    torch.testing.assert_close(nats.mean(0), expected.mean(0), atol=0.15, rtol=0)


def test_the_loss_falls_on_two_clips(given):
    model = build(drop_path=0.0).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        loss = GazeLikelihood()(model(**given)[0], given["observed_point"]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5


def test_likelihood_counts_the_gazed_at_cell_and_a_uniform_map_costs_the_log_of_its_cells():
    point = torch.tensor([[0.1, 0.9], [torch.nan, torch.nan]])
    cost = GazeLikelihood()(torch.zeros(2, 3, 5), point)
    torch.testing.assert_close(cost[0], torch.tensor(15.0).log())
    assert cost[1].isnan()
