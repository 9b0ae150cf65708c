import pytest
import torch

from regard.models.causal_anticipation import CausalAnticipation, gaze_map


def build(**options) -> CausalAnticipation:
    torch.manual_seed(0)
    return CausalAnticipation(size=(16, 20), width=16, weights="random", **options).eval()


def inputs(b: int = 2, t: int = 4, u: int = 3) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return {
        "video": torch.randn(b, t, 3, 48, 64, generator=rng),
        "ahead_s": torch.arange(1, u + 1).expand(b, u) * 0.2,
        "sound": torch.randn(b, t, 32, 24, generator=rng) * 4 - 7,
        "sound_valid": torch.ones(b, t, dtype=torch.bool),
        "observed_point": torch.rand(b, t, 2, generator=rng),
        "observed_valid": torch.ones(b, t, dtype=torch.bool),
        "frame_valid": torch.ones(b, t, dtype=torch.bool),
    }


@pytest.mark.parametrize(("changed", "moments"), [("video", range(4)), ("observed_point", range(4)), ("sound", [3])])
@torch.no_grad()
def test_the_answer_listens_to_every_frame_and_gaze_and_to_the_last_window(changed, moments):
    model, given = build(), inputs()
    before = model(**given)
    for i in moments:
        other = given[changed].clone()
        other[:, i] = 1.0 - other[:, i]
        assert not torch.equal(model(**given | {changed: other}), before)


@torch.no_grad()
def test_masked_moments_of_any_input_are_never_read_even_if_they_are_nan():
    model, given = build(), inputs()
    given["sound_valid"][0, 1] = given["observed_valid"][0, 3] = given["frame_valid"][1, 2:] = False
    spoiled = given | {
        "video": given["video"].masked_fill(~given["frame_valid"][:, :, None, None, None], torch.nan),
        "sound": given["sound"].masked_fill(
            ~(given["sound_valid"] & given["frame_valid"])[:, :, None, None], torch.nan
        ),
        "observed_point": given["observed_point"].masked_fill(
            ~(given["observed_valid"] & given["frame_valid"])[:, :, None], torch.nan
        ),
    }
    answer = model(**spoiled)
    assert answer.isfinite().all()
    assert torch.equal(answer, model(**given))


@torch.no_grad()
def test_where_the_last_window_is_silent_by_its_mask_the_one_before_is_heard():
    model, given = build(), inputs()
    given["sound_valid"][:, 3] = False
    before = model(**given)
    given["sound"][:, 2] = -13.8
    assert not torch.equal(model(**given), before)


@torch.no_grad()
def test_the_eye_stays_where_it_was_until_something_else_is_learned():
    model, given = build(), inputs()
    given["observed_point"][:] = torch.tensor([0.2, 0.8])
    best = model(**given).flatten(2).argmax(dim=2)
    assert ((best % 20 - 3.5).abs() <= 1.5).all()
    assert ((best // 20 - 12.3).abs() <= 1.5).all()


@torch.no_grad()
def test_padding_at_the_end_changes_nothing():
    model, given = build(), inputs()
    given["frame_valid"][:, 3] = False
    shorter = {name: value if name == "ahead_s" else value[:, :3] for name, value in given.items()}
    torch.testing.assert_close(model(**given), model(**shorter), atol=1e-5, rtol=0)


@torch.no_grad()
def test_an_answer_depends_on_its_own_horizon_only():
    model, given = build(), inputs()
    whole = model(**given)
    assert whole.shape == (2, 3, 16, 20)
    assert not torch.equal(whole[:, 0], whole[:, 1])
    alone = model(**given | {"ahead_s": given["ahead_s"][:, 1:2]})
    torch.testing.assert_close(alone[:, 0], whole[:, 1], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("option", "unread"),
    [("use_sound", ("sound", "sound_valid")), ("use_gaze", ("observed_point", "observed_valid"))],
)
@torch.no_grad()
def test_a_switched_off_input_is_not_read_and_the_parameters_stay_the_same(option, unread):
    model, given = build(**{option: False}), inputs()
    assert torch.equal(model(**given), model(**given | dict.fromkeys(unread)))
    masked = given | {unread[1]: torch.zeros_like(given[unread[1]])}
    whole = build()
    assert torch.equal(model(**given), whole(**masked))
    shapes = {name: p.shape for name, p in whole.named_parameters()}
    assert {name: p.shape for name, p in model.named_parameters()} == shapes


@torch.no_grad()
def test_gaze_is_hidden_from_the_asked_share_of_clips_in_training_only():
    model, given = build(drop_gaze=0.5), inputs(b=32)
    assert torch.equal(model(**given), build()(**given))
    with_gaze, without = model(**given), model(**given | {"observed_point": None, "observed_valid": None})
    answer = model.train()(**given)
    hidden = (answer - without).abs().amax(dim=(1, 2, 3)) < 1e-5
    shown = (answer - with_gaze).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert (hidden ^ shown).all()
    assert 6 <= hidden.sum() <= 26  # a fair coin leaves this range once in a few thousand times


@torch.no_grad()
def test_a_steady_hum_changes_nothing():
    model, given = build(), inputs()
    hum = 5.0 * torch.rand(32, 1)
    louder = given | {"sound": given["sound"] + hum}
    torch.testing.assert_close(model(**louder), model(**given), atol=1e-4, rtol=0)


@torch.no_grad()
def test_gaze_is_marked_in_its_own_cell_and_nowhere_when_unknown():
    marked = gaze_map(torch.tensor([[0.45, 0.15], [0.45, 0.15]]), torch.tensor([True, False]), (5, 10))
    assert divmod(int(marked[0].argmax()), 10) == (0, 4)
    assert marked[0].max() == pytest.approx(1.0, rel=0.5)
    assert marked[1].abs().max() == 0


@pytest.mark.parametrize("backbone", ["mobilenet_v3_small", "mobilenet_v3_large"])
def test_at_most_five_million_parameters(backbone):
    model = CausalAnticipation(width=128, backbone=backbone, weights="random")
    assert sum(p.numel() for p in model.parameters()) <= 5_000_000


def fit_two_clips_told_apart_by_sound(model: CausalAnticipation, num_steps: int) -> list[float]:
    given = inputs(u=2)
    given["video"][1], given["observed_point"][1] = given["video"][0], given["observed_point"][0]
    given["sound"][0, :, :16, 16:] += 8.0  # a low sound, a high sound, each beginning within the window
    given["sound"][1, :, 16:, 16:] += 8.0
    target = torch.tensor([[20, 100], [250, 180]])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(num_steps):
        loss = torch.nn.functional.cross_entropy(model(**given).flatten(2).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_loss_falls_on_two_clips_that_only_sound_tells_apart_and_every_parameter_learns():
    model = build()
    losses = fit_two_clips_told_apart_by_sound(model, 90)
    assert losses[0] > 5.0  # a flat map over 320 cells costs ln 320 = 5.8
    assert losses[-1] < 0.5
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_without_sound_they_cannot_be_told_apart_and_every_trainable_parameter_learns():
    model = build(use_sound=False)
    losses = fit_two_clips_told_apart_by_sound(model, 60)
    assert losses[-1] > 0.69  # ln 2: either of two clips
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())
