"""The faster library is taken where it changes no result, and given back afterwards; bfloat16 is taken when asked."""

import numpy as np
import pytest
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

import regard
from regard.clips.sampling.everywhere import EveryFrame
from regard.engine import arithmetic
from regard.engine.arithmetic import SlowPrecisionWarning, autocast, chosen, onednn_keeps_float32, quick_float32
from regard.engine.ask import Asked
from regard.engine.predict import predict
from regard.tasks import GazeEstimation

SETTING = torch.backends.mkldnn.matmul


def large_model() -> nn.Module:
    with torch.device("meta"):
        return nn.Linear(arithmetic.LARGE, 1)


def test_a_large_models_products_stay_float32_within():
    a, b = torch.randn(2, 300, 700, generator=torch.Generator().manual_seed(1))
    exact = functional.linear(a.double(), b.double())
    with quick_float32(large_model()):
        assert (SETTING.fp32_precision == "bf16") == onednn_keeps_float32()
        found = functional.linear(a, b)
    assert (found - exact).abs().max() < 1e-5 * exact.abs().max()


def test_the_setting_is_as_before_afterwards_even_after_an_error():
    before = SETTING.fp32_precision
    with pytest.raises(ValueError, match="on the way"), quick_float32(large_model()):
        raise ValueError("on the way")
    assert SETTING.fp32_precision == before


def test_small_models_stay_with_the_library_that_is_fast_for_them():
    before = SETTING.fp32_precision
    with quick_float32(nn.Linear(100, 100)):
        assert SETTING.fp32_precision == before


def test_a_processor_that_rounds_is_found_out(monkeypatch):
    linear = functional.linear

    def with_matrix_units(a, b):
        may_round = SETTING.fp32_precision == "bf16" and a.dtype == torch.float32
        return linear(a.bfloat16(), b.bfloat16()).float() if may_round else linear(a, b)

    monkeypatch.setattr(functional, "linear", with_matrix_units)
    onednn_keeps_float32.cache_clear()
    try:
        before = SETTING.fp32_precision
        assert not onednn_keeps_float32()
        with quick_float32(large_model()):
            assert SETTING.fp32_precision == before
    finally:
        onednn_keeps_float32.cache_clear()


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16), ("16-mixed", torch.float16)],
)
def test_products_are_of_the_precision_asked_for(precision, dtype):
    layer, x = nn.Linear(8, 8), torch.ones(2, 8)
    with autocast(precision, torch.device("cpu")):
        assert layer(x).dtype == dtype


class Listener(nn.Module):
    """Says in what precision its products came out."""

    def __init__(self) -> None:
        super().__init__()
        self.product = nn.Linear(4, 4)
        self.heard: set[torch.dtype] = set()

    def forward(self, frame_valid: Bool[Tensor, "b t"]) -> Float[Tensor, "b t h w"]:
        """Flat maps."""
        x = self.product(torch.ones(*frame_valid.shape, 4, 4))
        self.heard.add(x.dtype)
        return x


def test_predict_multiplies_as_asked_and_answers_in_float32(monkeypatch, tiny_world):
    model = Listener()
    asked = Asked(name="listener", task=GazeEstimation(model), sampler=EveryFrame())
    monkeypatch.setattr("regard.engine.predict.ask", lambda *_model, **_how: asked)
    answers = {p: predict(regard.open(tiny_world), precision=p) for p in ("32-true", "bf16-mixed")}
    assert model.heard == {torch.float32, torch.bfloat16}
    whole, half = (a["log_density"] for a in answers.values())
    assert whole.dtype == half.dtype == np.float32
    np.testing.assert_allclose(half, whole, atol=0.05)
    assert not np.array_equal(half, whole)


def test_auto_takes_what_a_trial_shows_to_be_faster(monkeypatch):
    for takes, wanted in ((0.5, "bf16-mixed"), (13.0, "32-true")):
        monkeypatch.setattr(arithmetic, "bfloat16_takes", lambda _device, takes=takes: takes)
        assert chosen("auto", large_model(), "cpu") == wanted
        assert chosen("auto", nn.Linear(3, 3), "cpu") == "32-true"


def test_a_precision_that_is_slower_than_float32_is_told_with_the_factor(monkeypatch):
    monkeypatch.setattr(arithmetic, "bfloat16_takes", lambda _device: 13.2)
    with pytest.warns(SlowPrecisionWarning, match="13 times as long"):
        assert chosen("bf16-mixed", nn.Linear(3, 3), "cpu") == "bf16-mixed"
    monkeypatch.setattr(arithmetic, "bfloat16_takes", lambda _device: 0.5)
    assert chosen("bf16-mixed", nn.Linear(3, 3), "cpu") == "bf16-mixed"


def test_the_trial_compares_two_products():
    assert 0 < arithmetic.bfloat16_takes("cpu") < 1e4
