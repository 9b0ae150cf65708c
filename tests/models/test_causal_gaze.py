import pytest
import torch

from regard.models.causal_gaze import CausalGaze


@pytest.fixture
def model() -> CausalGaze:
    torch.manual_seed(0)
    model = CausalGaze(size=(32, 40), width=16, weights="random").eval()
    torch.nn.init.normal_(model.decoder.prior)
    return model


@pytest.fixture
def video() -> torch.Tensor:
    return torch.randn(2, 5, 3, 48, 64, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_answers_have_the_asked_size_for_any_picture_size(model):
    logits, state = model(torch.randn(1, 2, 3, 50, 71))
    assert logits.shape == (1, 2, 32, 40)
    assert torch.equal(state.logits, logits[:, -1])


@torch.no_grad()
def test_frame_by_frame_with_state_equals_the_whole_clip(model, video):
    whole, final = model(video)
    state, answers = model.begin(2), []
    for i in range(video.shape[1]):
        logits, state = model.step(video[:, i], state)
        answers.append(logits)
    torch.testing.assert_close(torch.stack(answers, dim=1), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(state.hidden, final.hidden, atol=1e-5, rtol=0)


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_later_frames_leave_earlier_answers_bit_identical(model, video, training):
    model.train(training)
    changed = video.clone()
    changed[:, 3:] = torch.randn_like(changed[:, 3:])
    a, b = model(video)[0], model(changed)[0]
    assert torch.equal(a[:, :3], b[:, :3])
    assert not torch.equal(a[:, 3:], b[:, 3:])


@torch.no_grad()
def test_a_masked_frame_repeats_the_last_answer_and_is_not_read_even_if_it_is_nan(model, video):
    valid = torch.ones(2, 5, dtype=torch.bool)
    valid[0, 2] = valid[0, 4] = valid[1, 0] = False
    spoiled = video.clone()
    spoiled[~valid] = torch.nan
    a, a_state = model(video, frame_valid=valid)
    b, b_state = model(spoiled, frame_valid=valid)
    assert torch.equal(a, b)
    assert torch.equal(a_state.hidden, b_state.hidden)
    assert torch.equal(a[0, 2], a[0, 1])
    assert torch.equal(a[1, 0], model.decoder.prior_logits()[0])


@torch.no_grad()
def test_leaving_a_frame_out_equals_masking_it(model, video):
    valid = torch.ones(2, 5, dtype=torch.bool)
    valid[:, 2] = False
    masked, _ = model(video, frame_valid=valid)
    left_out, _ = model(video[:, [0, 1, 3, 4]])
    torch.testing.assert_close(masked[:, [0, 1, 3, 4]], left_out, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_last_answer_is_fed_back(model, video):
    state = model(video[:, :1])[1]
    told_otherwise = state._replace(logits=10 * torch.randn_like(state.logits))
    assert not torch.equal(model(video[:, 1:2], state)[0], model(video[:, 1:2], told_otherwise)[0])


@torch.no_grad()
def test_answers_remember_what_was_seen_before(model, video):
    changed = video.clone()
    changed[:, 0] = 0.0
    assert not torch.equal(model(video)[0][:, 1:], model(changed)[0][:, 1:])


@pytest.mark.parametrize("backbone", ["mobilenet_v3_small", "mobilenet_v3_large"])
def test_at_most_five_million_parameters(backbone):
    model = CausalGaze(width=128, backbone=backbone, weights="random")
    assert sum(p.numel() for p in model.parameters()) <= 5_000_000


def test_loss_falls_on_two_clips_and_every_parameter_learns():
    torch.manual_seed(0)
    model = CausalGaze(size=(16, 16), width=16, weights="random")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    video = torch.randn(2, 3, 3, 48, 48)
    target = torch.randint(256, (2, 3))
    losses = []
    for _ in range(30):
        logits, _ = model(video)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).flatten(1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 5.0  # a flat map over 256 cells costs ln 256 = 5.5
    assert losses[-1] < 1.5
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
