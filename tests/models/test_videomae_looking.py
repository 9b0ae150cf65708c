import os

import pytest
import torch
from face_golden import assert_answers, assert_loss_and_gradients, assert_sample, looking_loss, noise
from gaze_golden import assert_close_to_largest
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden
from regard.errors import WeightsError
from regard.models.published import published_names
from regard.models.videomae_looking import PUBLISHED_RULES, VideoMAELooking, fewer_moments

SMALL = {"size": (32, 48), "width": 24, "depths": (2,), "heads": 4, "drop_path": 0.0}


def small(seed: int = 0, **changed) -> VideoMAELooking:
    torch.manual_seed(seed)
    return VideoMAELooking(**SMALL | changed).eval()


def track(b: int = 2, t: int = 7) -> Tensor:
    return torch.randn(b, t, 3, 32, 48, generator=torch.Generator().manual_seed(b + t))


def test_positions_are_the_published_ones() -> None:
    assert_sample(Golden.read("lam_videomae_l"), "pos_embed_used", fewer_moments((224, 224), 1024), 12)


def test_has_the_published_weights() -> None:
    golden = Golden.read("lam_videomae_l")
    with torch.device("meta"):
        model = VideoMAELooking()
    listed = [name for name, _ in golden.about["params"]]
    assert sorted(published_names(model, PUBLISHED_RULES)) == sorted(listed)
    assert sum(p.numel() for p in model.parameters()) == golden.about["n_parameters"]


def test_answers_are_the_published_ones() -> None:
    """The three gradients too where REGARD_TEST_LARGE is set: with 304 million parameters they take long."""
    golden, large = Golden.read("lam_videomae_l"), "REGARD_TEST_LARGE" in os.environ
    model = VideoMAELooking.from_published({"module": golden.state()}).eval().requires_grad_(False)
    names = published_names(model, PUBLISHED_RULES)
    for name in golden.about["grad_norms"]:
        model.get_parameter(names[name]).requires_grad_()
    with torch.set_grad_enabled(large):
        feature = model.film(noise("video1", 1, 7, 3, 224, 224))
        assert_close_to_largest(feature, golden.arrays["feature"])
        logits = model.classify(feature)
        assert_answers(golden, logits)
        loss = functional.cross_entropy(logits, torch.tensor([1]))
    assert loss.item() == pytest.approx(golden.about["losses"]["plain_ce"], rel=1e-5)
    if large:
        assert_loss_and_gradients(golden, model, loss, PUBLISHED_RULES)


@torch.no_grad()
def test_one_window_a_track_and_missing_frames_are_answered_alike() -> None:
    model, film = small(), track(b=2, t=9)
    model.classify.weight.normal_()
    once = model(film, asked=torch.arange(9).expand(2, -1))
    for moment in (0, 4, 8):
        near = [min(max(moment + i, 0), 8) for i in range(-3, 4)]
        torch.testing.assert_close(once[:1, moment], model(film[:1, near])[:, 0], rtol=1e-5, atol=1e-5)
    valid = torch.tensor([[True, False, True, False, True, True, True]])
    holed = film[:1, :7].clone()
    holed[0, ~valid[0]] = torch.nan
    torch.testing.assert_close(model(holed, frame_valid=valid), model(film[:1, [0, 2, 2, 2, 4, 5, 6]]))


def test_starts_from_another_videomae_but_for_the_last_layer() -> None:
    model, other = small(), small(1)
    own = other.state_dict()
    state = {n: own[o] for n, o in published_names(other, PUBLISHED_RULES).items()}
    state |= {"head.weight": torch.zeros(174, 24), "head.bias": torch.zeros(174)}
    model.init_from({"module": state})
    torch.testing.assert_close(model.film.blocks[1].attention.qkv.weight, other.film.blocks[1].attention.qkv.weight)
    with pytest.raises(WeightsError, match=r"missing blocks\.0\.attn\.q_bias"):
        model.init_from({"module": {n: v for n, v in state.items() if n != "blocks.0.attn.q_bias"}})


def test_learns_two_faces_by_heart() -> None:
    model, film = small(drop_path=0.1).train(), track()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = looking_loss(model(film)[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
