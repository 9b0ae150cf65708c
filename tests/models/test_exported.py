"""Every model that leaves torch by a method: tensors in and out, examples first, and none that depends on another."""

import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from regard import models
from regard.engine.export.method import ADVANCE, as_tuple, exchanged
from regard.tasks.base import Streams


def pictures(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


SMALL: dict[str, tuple[Callable[[], nn.Module], dict[str, Tensor]]] = {
    "CausalGaze": (
        lambda: models.CausalGaze(size=(6, 8), width=8, weights="random"),
        {"video": pictures(2, 3, 3, 32, 48)},
    ),
    "EgoHAR": (
        lambda: models.EgoHAR(
            actions=3, verbs=2, nouns=2, num_frames=2, size=(32, 32), backbone="resnet18", weights="random", width=8
        ),
        {"video": pictures(2, 2, 3, 32, 32)},
    ),
    "GazeLSTM": (lambda: models.GazeLSTM(weights="random", width=8, hidden=8), {"video": pictures(2, 3, 3, 32, 32)}),
    "FPNRIM": (
        lambda: models.FPNRIM(
            backbone="mobilenet_v3_small", weights="random", size=(64, 64), hidden=8, units=3, active=2, layers=2
        ),
        {"video": pictures(2, 3, 3, 64, 64)},
    ),
    "GLC": (
        lambda: models.GLC(num_frames=2, size=(64, 64), width=8, depths=(1, 1, 1, 1)),
        {"video": pictures(2, 2, 3, 64, 64)},
    ),
    "CSTS": (
        lambda: models.CSTS(num_frames=2, size=(64, 64), sound_size=(64, 64), width=8, depths=(1, 1, 1, 1)),
        {
            "video": pictures(2, 2, 3, 64, 64),
            "sound": pictures(2, 2, 64, 64),
            "sound_valid": torch.tensor([[True, False], [True, True]]),
        },
    ),
    "GazeAttention": (
        lambda: models.GazeAttention(actions=3, num_frames=16, size=(32, 32), width=4, depths=(1, 1, 1)),
        {"video": pictures(2, 16, 3, 32, 32), "flow": pictures(2, 16, 2, 32, 32)},
    ),
}


def test_each_model_that_is_exported_is_tried_here():
    exported = {name for name in models.__all__ if hasattr(getattr(models, name), "exported")}
    assert exported == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_what_leaves_torch_takes_examples_one_by_one(name: str):
    build, inputs = SMALL[name]
    torch.manual_seed(1)
    model = build().eval()
    method, met = getattr(model, model.exported), []  # pyright: ignore[reportArgumentType, reportCallIssue]

    def alone(*given: Tensor):
        met.append(len(given[0]))
        rows = [as_tuple(method(*(part[i : i + 1] for part in given))) for i in range(len(given[0]))]
        answer = tuple(torch.cat(parts) for parts in zip(*rows, strict=True))
        return answer[0] if len(answer) == 1 else answer

    with torch.inference_mode():
        whole = model(**inputs)
        with exchanged(model, alone):
            apart = model(**inputs)
    assert met
    for ours, torchs in zip(tensors(apart), tensors(whole), strict=True):
        torch.testing.assert_close(ours, torchs, atol=1e-5, rtol=1e-4, equal_nan=True)
    if model.exported == ADVANCE:
        assert isinstance(model, Streams)
        assert met == [2] * inputs["video"].shape[1]


def tensors(answer: object) -> list[Tensor]:
    """All that an answer holds but states' last teaching, which nothing at test depends on."""
    if isinstance(answer, Tensor):
        return [answer]
    if not isinstance(answer, tuple):
        return []
    return [found for part in answer for found in tensors(part)]


def test_only_what_a_class_says_is_exported():
    assert not hasattr(models.Saliency, "exported")
    assert all(inspect.isfunction(getattr(getattr(models, name), getattr(models, name).exported)) for name in SMALL)
