import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from golden_rule import Golden, filled, golden_input
from regard.ops.direct_optimisation import (
    HeadWeights,
    candidate_losses,
    direct_gradient,
    direct_loss,
    gumbel_noise,
    hard_sample,
    published_epsilon,
)

LABEL = torch.tensor([4, 99])


def golden_head(golden: Golden, *, attention: float = 1.0, classes: float = 1.0) -> HeadWeights:
    state = {name: filled(name, shape) for name, shape in golden.about["params"]}
    return HeadWeights(
        state["fc.weight"] * attention, state["fc.bias"], state["fc_f.weight"].flatten(1) * classes, state["fc_f.bias"]
    )


def golden_scores() -> Tensor:
    noise = gumbel_noise(torch.from_numpy(golden_input("gumbel_u_b2").random((6, 49)).astype(np.float32)))
    drawn = golden_input("pi_b2").standard_normal((2, 3, 7, 7)).astype(np.float32)
    return torch.from_numpy(drawn) + noise.reshape(2, 3, 7, 7)


def classify(sample: Tensor, features: Tensor, head: HeadWeights) -> Tensor:
    """The published head, as plainly as it can be said."""
    attention = torch.sigmoid(functional.linear(sample.flatten(1), *head[:2])).view_as(sample)
    seen = (features * attention[:, None]).mean(dim=(2, 3, 4)) + features.mean(dim=(2, 3, 4))
    return functional.linear(seen, *head[2:])


def losses_one_by_one(sample: Tensor, features: Tensor, label: Tensor, head: HeadWeights, *, mixed: bool) -> Tensor:
    """Every draw moved and classified by itself; `mixed` takes the features that the published code takes."""
    b, slots, h, w = sample.shape
    losses = torch.empty(b, slots, h * w, dtype=sample.dtype)
    order = torch.arange(b).repeat_interleave(h * w).repeat(slots)  # features as laid out: each slice (clip, cell)
    for i in range(b):
        for j in range(slots):
            for k in range(h * w):
                moved = sample[i : i + 1].clone()
                moved[0, j] = functional.one_hot(torch.tensor(k), h * w).reshape(h, w)
                whose = order[(i * slots + j) * h * w + k] if mixed else i
                logits = classify(moved, features[whose : whose + 1], head)
                losses[i, j, k] = functional.cross_entropy(logits, label[i : i + 1])
    return losses.view_as(sample)


def random_case(b: int, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, HeadWeights]:
    """Scores, features, labels and a head on 2 slots of 3x4 cells, in double precision."""
    g = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    head = HeadWeights(draw(24, 24) * 2, draw(24), draw(9, 7) * 3, draw(9))
    return draw(b, 2, 3, 4), draw(b, 7, 2, 3, 4).relu(), torch.randint(9, (b,), generator=g), head


def test_draws_are_the_published_ones() -> None:
    for name in ("ga_direct_opt", "ga_attn_head"):
        arrays = Golden.read(name).arrays
        np.testing.assert_allclose(golden_scores(), arrays["pi_gumbel_b2"], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(hard_sample(golden_scores()), arrays["z_b2"])


def test_noise_and_epsilon_are_the_published_ones() -> None:
    golden = Golden.read("ga_utils")
    found = gumbel_noise(torch.from_numpy(golden.arrays["gumbel_u"]))
    np.testing.assert_allclose(found, golden.arrays["gumbel"], rtol=1e-6)
    for step, epsilon in golden.about["eps_schedule"].items():
        assert published_epsilon(int(step)) == pytest.approx(epsilon, rel=1e-12)
        assert published_epsilon(int(step) + 99) == published_epsilon(int(step))
    assert published_epsilon(0) == 1000


def test_losses_and_gradients_of_every_epsilon_are_the_published_ones_and_the_right_ones() -> None:
    golden = Golden.read("ga_direct_opt")
    head = golden_head(golden, attention=30, classes=20)
    drawn = golden_input("h_direct").standard_normal((2, 1024, 3, 7, 7)).astype(np.float32)
    features, scores = (2 * torch.from_numpy(drawn)).relu(), golden_scores()
    sample = hard_sample(scores)
    logits = classify(sample, features, head)
    np.testing.assert_allclose(logits, golden.arrays["logits_direct_head"], atol=1e-5 * 64)
    own = candidate_losses(sample, features, LABEL, head)
    wanted = golden.arrays["candidate_losses"].reshape(2, 3, 7, 7)
    np.testing.assert_allclose(own, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
    mixed = candidate_losses(sample, features, LABEL, head, pairing="published")
    for about, about_losses in golden.about["losses"].items():
        epsilon = float(about.removeprefix("eps="))
        for losses, kind in ((own, "correct"), (mixed, "reference")):
            gradient = direct_gradient(scores, losses, epsilon=epsilon)
            np.testing.assert_array_equal(gradient, golden.arrays[f"direct_grad_{kind}_eps{about[4:]}"])
            value = (gradient * scores).sum(dim=(1, 2, 3)).mean().item()
            assert value == pytest.approx(about_losses[f"loss_attn_{kind}"], rel=1e-5, abs=1e-9)


def test_gradients_of_the_unchanged_head_are_the_published_ones_and_the_right_ones() -> None:
    golden = Golden.read("ga_attn_head")
    features = torch.from_numpy(golden_input("h").standard_normal((2, 1024, 3, 7, 7)).astype(np.float32))
    scores, head = golden_scores(), golden_head(golden)
    for pairing, kind in (("own", "correct"), ("published", "reference")):
        losses = candidate_losses(hard_sample(scores), features, LABEL, head, pairing=pairing)
        for epsilon in ("1000", "0.1"):
            found = direct_gradient(scores, losses, epsilon=float(epsilon))
            np.testing.assert_array_equal(found, golden.arrays[f"direct_grad_b2_{kind}_eps{epsilon}"])


@pytest.mark.parametrize("b", [1, 2, 3, 5])
@pytest.mark.parametrize("pairing", ["own", "published"])
def test_all_draws_at_once_equal_one_by_one(b: int, pairing: str) -> None:
    scores, features, label, head = random_case(b, seed=b)
    sample = hard_sample(scores)
    found = candidate_losses(sample.float(), features.float(), label, head, pairing=pairing)
    wanted = losses_one_by_one(sample, features, label, head, mixed=pairing == "published")
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-5)


def test_published_pairing_is_right_for_one_clip_and_wrong_for_more() -> None:
    for b in (1, 3):
        scores, features, label, head = random_case(b)
        own, mixed = (
            candidate_losses(hard_sample(scores), features, label, head, pairing=p) for p in ("own", "published")
        )
        assert torch.allclose(own, mixed) == (b == 1)


def test_a_clip_is_not_changed_by_the_others_in_its_batch() -> None:
    scores, features, label, head = random_case(4)
    together = direct_loss(scores, features, label, head, epsilon=10.0)
    alone = [
        direct_loss(scores[i : i + 1], features[i : i + 1], label[i : i + 1], head, epsilon=10.0) for i in range(4)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_gradient_flows_to_the_scores_alone_and_is_the_direct_one() -> None:
    scores, features, label, head = random_case(3)
    scores.requires_grad_()
    features.requires_grad_()
    head = HeadWeights(*(weight.requires_grad_() for weight in head))
    direct_loss(scores, features, label, head, epsilon=10.0).sum().backward()
    losses = candidate_losses(hard_sample(scores), features, label, head)
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad, direct_gradient(scores, losses, epsilon=10.0).detach())
    assert scores.grad.abs().sum() > 0
    assert features.grad is None
    assert all(weight.grad is None for weight in head)


def test_a_step_against_the_gradient_moves_the_draw_to_the_better_cell() -> None:
    perturbed = torch.tensor([[[[1.0, 0.9, -3.0]]]])
    losses = torch.tensor([[[[2.0, 0.5, 0.0]]]])
    assert direct_gradient(perturbed, losses, epsilon=0.5).flatten().tolist() == [2.0, -2.0, 0.0]
    assert direct_gradient(perturbed, losses, epsilon=0.01).flatten().tolist() == [0.0, 0.0, 0.0]
    found = direct_gradient(perturbed, losses, epsilon=100.0)
    torch.testing.assert_close(found.flatten(), torch.tensor([0.01, 0.0, -0.01]))


def test_draws_follow_the_softmax_of_the_logits() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    uniform = torch.rand(20_000, 1, 3, generator=torch.Generator().manual_seed(3))
    drawn = hard_sample(logits + gumbel_noise(uniform)).mean(dim=0)
    torch.testing.assert_close(drawn, logits.softmax(-1), atol=0.015, rtol=0)  # four standard errors


def test_the_ends_of_the_uniform_range_give_finite_noise() -> None:
    noise = gumbel_noise(torch.tensor([0.0, 1 - 2**-24, 1.0]))
    assert noise.isfinite().all()
    assert (noise.diff() >= 0).all()


def test_equal_scores_draw_the_first_cell() -> None:
    assert hard_sample(torch.zeros(1, 2, 2)).flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
