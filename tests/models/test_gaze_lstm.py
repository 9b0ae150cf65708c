from pathlib import Path

import pytest
import torch
from face_golden import assert_answers, assert_loss_and_gradients, faces, looking_loss
from gaze_golden import assert_close_to_largest
from torch import Tensor

from golden_rule import Golden
from regard.errors import WeightsError
from regard.models.face_trunk import read_window
from regard.models.gaze_lstm import PUBLISHED_RULES, GazeLSTM, direction
from regard.run.weights import with_weights

SMALL = {"weights": "random", "width": 8, "hidden": 12}


def small(seed: int = 0, **changed) -> GazeLSTM:
    torch.manual_seed(seed)
    return GazeLSTM(**SMALL | changed).eval()


def track(b: int = 2, t: int = 7) -> Tensor:
    return torch.randn(b, t, 3, 32, 32, generator=torch.Generator().manual_seed(b + t))


def wrapped(golden: Golden) -> dict:
    """As the training scripts save it."""
    return {"epoch": 3, "state_dict": {f"module.{n}": v for n, v in golden.state().items()}, "mAP": 0.5}


def test_gaze_ensembles_model_and_its_gradients_are_the_published_ones() -> None:
    golden = Golden.read("lam_gazelstm")
    model = GazeLSTM.from_published(wrapped(golden)).eval()
    vectors = model.per_frame(faces().flatten(0, 1))
    assert_close_to_largest(vectors, golden.arrays["frame_feat"])
    windows = vectors.unflatten(0, (2, 7))
    assert_close_to_largest(read_window(model.lstm, windows), golden.arrays["lstm_mid"])
    logits = model.per_window(windows)
    assert_answers(golden, logits)
    assert_loss_and_gradients(golden, model, looking_loss(logits), PUBLISHED_RULES["gaze_ensemble"])
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_parameters"]


def test_ego4ds_baseline_and_its_gradients_are_the_published_ones() -> None:
    golden = Golden.read("lam_ego4d_baseline_lstm")
    model = GazeLSTM.from_published(golden.state()).eval()
    logits = model(faces())[:, 0]
    assert_answers(golden, logits)
    assert_loss_and_gradients(golden, model, looking_loss(logits), PUBLISHED_RULES["ego4d"])
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_parameters"]


def test_gaze360_and_its_gradients_are_the_published_ones() -> None:
    golden = Golden.read("lam_gaze360")
    model = GazeLSTM.from_published({"best_prec1": 0.1, **wrapped(golden)}).eval()
    answer = direction(model(faces())[:, 0])
    assert_close_to_largest(answer.angle, golden.arrays["angles"])
    assert_close_to_largest(answer.spread[:, None].expand(-1, 2), golden.arrays["var"])
    target, spread = torch.tensor([[0.3, -0.2], [-1.0, 0.4]]), answer.spread[:, None]
    loss = sum(
        torch.maximum(quantile * error, (quantile - 1) * error).mean()
        for quantile, error in ((0.1, target - (answer.angle - spread)), (0.9, target - (answer.angle + spread)))
    )
    assert isinstance(loss, Tensor)
    assert_loss_and_gradients(golden, model, loss, PUBLISHED_RULES["gaze360"])
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_parameters"]


@torch.no_grad()
def test_a_track_asked_everywhere_is_looked_at_once_a_frame_and_answered_as_in_seven_fold_windows() -> None:
    model, film = small(), track(t=12)
    asked = torch.arange(12).expand(2, -1)
    looked_at: list[int] = []
    model.trunk.register_forward_pre_hook(lambda _, inputs: looked_at.append(len(inputs[0])))
    once = model(film, asked=asked)
    assert looked_at == [24]
    for moment in range(12):
        window = film[:, [min(max(moment + i, 0), 11) for i in range(-3, 4)]]
        torch.testing.assert_close(once[:, moment], model(window)[:, 0], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_frame_that_is_missing_is_stood_in_for_by_the_nearest_and_never_read() -> None:
    model, film = small(), track(b=1)
    valid = torch.ones(1, 7, dtype=torch.bool)
    valid[0, [1, 3, 6]] = False
    film[0, ~valid[0]] = torch.nan
    torch.testing.assert_close(model(film, frame_valid=valid), model(film[:, [0, 2, 2, 2, 4, 5, 5]]))


@torch.no_grad()
def test_a_window_without_any_frame_is_answered_without_reading_one() -> None:
    model, film = small(), track(b=2)
    valid = torch.tensor([[False] * 7, [True] * 7])
    film[0] = torch.nan
    answer = model(film, frame_valid=valid)
    assert answer.isfinite().all()
    torch.testing.assert_close(answer[1:], model(film[1:]))


@torch.no_grad()
def test_one_clip_is_answered_as_among_others() -> None:
    model, film = small(), track(b=3)
    torch.testing.assert_close(model(film)[1:2], model(film[1:2]))


def test_starts_from_gaze360_but_for_the_last_layer() -> None:
    other, model = Golden.read("lam_gaze360").state(), GazeLSTM(weights="random")
    last = model.head[0].weight.clone()
    model.init_from({"state_dict": {f"module.{n}": v for n, v in other.items()}})
    torch.testing.assert_close(model.trunk.maps.conv1.weight, other["base_model.conv1.weight"])
    torch.testing.assert_close(model.lstm.weight_hh_l1_reverse, other["lstm.weight_hh_l1_reverse"])
    torch.testing.assert_close(model.head[0].weight, last)
    with pytest.raises(WeightsError, match=r"missing lstm\.bias_hh_l1_reverse"):
        model.init_from({n: v for n, v in other.items() if n != "lstm.bias_hh_l1_reverse"})


def test_a_checkpoint_that_is_none_of_the_three_or_has_more_is_explained() -> None:
    state = {n: torch.empty(s, device="meta") for n, s in Golden.read("lam_gazelstm").about["params"]}
    with pytest.raises(WeightsError, match=r"(?s)neither last_layer\.weight.*training\.pretrained"):
        GazeLSTM.from_published({n: v for n, v in state.items() if not n.startswith("last_layer")})
    with pytest.raises(WeightsError, match=r"left over last_layer1\.bias"):
        GazeLSTM.from_published(state | {"last_layer1.bias": torch.zeros(128)})


def test_learns_two_faces_by_heart() -> None:
    model, film = small(width=16).train(), track()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(10):
        loss = looking_loss(model(film)[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_file_of_its_authors_is_told_from_one_of_regard_train(tmp_path: Path) -> None:
    """Both keep their tensors in a "state_dict"."""
    path, golden = tmp_path / "best.pth", Golden.read("lam_gazelstm")
    torch.save(wrapped(golden), path)
    model = with_weights(GazeLSTM(weights="random"), path)
    torch.testing.assert_close(model.get_parameter("head.0.weight"), golden.state()["last_layer.weight"])
