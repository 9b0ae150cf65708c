import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from regard.ops.published_losses import contrastive_loss, published_density, published_kl, similarity

GOLDEN = Path(__file__).parents[1] / "golden" / "gaze_antic_misc"


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(GOLDEN.with_suffix(".npz")) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def losses() -> dict[str, float]:
    return json.loads(GOLDEN.with_suffix(".json").read_text())["losses"]


def drawn(name: str, *shape: int) -> Tensor:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(f"input:{name}".encode())))
    return torch.from_numpy(generator.standard_normal(shape).astype(np.float32))


def test_divergence_matches_its_golden(arrays: dict[str, np.ndarray], losses: dict[str, float]) -> None:
    logits, target = drawn("kl_logits", 2, 8, 64, 64), torch.from_numpy(arrays["met_label_hm"][:2])
    assert published_kl(logits, target).mean().item() == pytest.approx(losses["kldiv"], rel=1e-6)
    flat = torch.full_like(target, 1 / 4096)
    assert published_kl(logits, flat).mean().item() == pytest.approx(losses["kldiv_uniform_target"], rel=1e-5)


def test_contrast_matches_its_golden(arrays: dict[str, np.ndarray], losses: dict[str, float]) -> None:
    v, a = drawn("nce_v", 4, 256), drawn("nce_a", 4, 256)
    np.testing.assert_allclose(similarity(v, a).numpy(), arrays["nce_sim"], atol=1e-6)
    assert contrastive_loss(v, a).item() == pytest.approx(losses["egonce_b4"], rel=1e-6)


def test_divergence_worked_by_hand() -> None:
    # exp(logit / 2) is 3 to 1, so the answer is (3/4, 1/4) against (1/2, 1/2), over ln 2.
    logits = torch.tensor([[2 * math.log(3), 0.0]], dtype=torch.float64)
    found = published_kl(logits, torch.full((1, 2), 0.5, dtype=torch.float64))
    nats = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert found.item() == pytest.approx(nats / math.log(2), rel=1e-8)


def test_divergence_is_of_the_answer_from_the_target() -> None:
    # An answer inside a wide target is cheap; a wide answer is dear where the target is empty.
    narrow = torch.zeros(4, 4)
    narrow[1, 1] = 1
    wide = torch.full((4, 4), 1 / 16)
    sure, unsure = narrow * 100, torch.zeros(4, 4)
    assert published_kl(sure, wide) == pytest.approx(1, abs=1e-4)
    assert published_kl(unsure, narrow) > 5
    assert published_kl(unsure, wide).abs() < 1e-6


def test_published_density_is_a_softmax_at_temperature_two() -> None:
    logits = drawn("any", 2, 3, 5, 7)
    density = published_density(logits)
    torch.testing.assert_close(density.sum(dim=(-2, -1)), torch.ones(2, 3))
    torch.testing.assert_close(density, (logits / 2).flatten(2).softmax(2).view_as(logits))


def test_contrast_of_partners_that_cannot_be_told_apart() -> None:
    same = torch.ones(5, 3)
    assert contrastive_loss(same, same).item() == pytest.approx(2 * math.log(5), rel=1e-6)
    assert contrastive_loss(same[:1], same[:1]).item() == 0
    assert contrastive_loss(torch.eye(5), torch.eye(5)) < 1e-6
    assert contrastive_loss(torch.zeros(2, 3), torch.zeros(2, 3)).isfinite()


def test_contrast_has_a_correct_gradient() -> None:
    a, b = (drawn(n, 3, 4).double().requires_grad_() for n in ("left", "right"))
    assert torch.autograd.gradcheck(contrastive_loss, (a, b))
