"""What a training begins with: a file for each part of a model, the best checkpoint of another run."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tiny import main, read, tiny_recipe, write_recipe
from torch import Tensor, nn

from regard.engine.ask import ask
from regard.engine.pretrained import init_from_pretrained
from regard.errors import RecipeError, WeightsError
from regard.models import GLC, backbones
from regard.recipe.training import Pretrained
from regard.run.weights import locate


class TwoStreams(nn.Module):
    """A user's own model, which starts from a model for each of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.rgb, self.flow = nn.Linear(2, 1), nn.Linear(2, 1)

    def init_from(
        self, *, rgb: Mapping[str, Tensor] | None = None, flow: Mapping[str, Tensor] | None = None, scale: float = 1.0
    ) -> None:
        for part, state in ((self.rgb, rgb), (self.flow, flow)):
            if state is not None:
                part.load_state_dict({n: scale * v for n, v in state.items()})


def run_of(model: nn.Module, folder: Path) -> Path:
    """What `regard train` leaves of a model."""
    (folder / "checkpoints").mkdir(parents=True)
    state = {f"model.{n}": v for n, v in model.state_dict().items()}
    torch.save({"state_dict": state, "global_step": 3}, folder / "checkpoints" / "best.ckpt")
    return folder


def test_each_part_starts_from_its_own_run_or_file(tmp_path: Path):
    one, other, model = nn.Linear(2, 1), nn.Linear(2, 1), TwoStreams()
    torch.save(dict(other.state_dict()), tmp_path / "flow.pt")
    weights = {"rgb": str(run_of(one, tmp_path / "rgb")), "flow": str(tmp_path / "flow.pt")}
    init_from_pretrained(model, Pretrained(weights=weights, options={"scale": 2}))
    assert torch.equal(model.rgb.weight, 2 * one.weight)
    assert torch.equal(model.flow.weight, 2 * other.weight)


@pytest.mark.parametrize(
    ("model", "weights", "said"),
    [
        (TwoStreams(), {"rgb": "a", "sound": "b"}, r"rgb, sound for TwoStreams(?s:.*)wanted: rgb, flow, each"),
        (GLC(num_frames=4, size=(32, 32), width=8, depths=(1, 1, 1, 1)), {"rgb": "a"}, "one name or file"),
    ],
)
def test_a_part_that_the_model_does_not_have_is_told(model: nn.Module, weights: Mapping[str, str] | str, said: str):
    with pytest.raises(RecipeError, match=said):
        init_from_pretrained(model, Pretrained(weights=weights))


def test_a_run_of_the_very_model_is_gone_on_from_and_another_stages_is_refused(tmp_path: Path):
    taught, model = TwoStreams(), TwoStreams()
    run = str(run_of(taught, tmp_path / "run"))
    init_from_pretrained(model, Pretrained(weights=run))
    assert torch.equal(model.flow.weight, taught.flow.weight)
    with pytest.raises(RecipeError, match=r"checkpoint for TwoStreams(?s:.*)wanted: rgb, flow"):
        init_from_pretrained(model, Pretrained(weights=str(run_of(nn.Linear(2, 1), tmp_path / "stage"))))
    small = GLC(num_frames=4, size=(32, 32), width=8, depths=(1, 1, 1, 1))
    with pytest.raises(WeightsError, match=r"missing patch_embed\.proj\.weight"):
        init_from_pretrained(small, Pretrained(weights=run))


def test_a_recipe_and_an_override_name_parts(world: Path, tmp_path: Path):
    content = tiny_recipe(world)
    content["training"]["pretrained"] = {"weights": {"pose": "gazepose", "film": "vit-s"}}
    file = write_recipe(tmp_path, content)
    stated = read(file).training.pretrained
    assert stated is not None
    assert stated.weights == {"pose": "gazepose", "film": "vit-s"}
    changed = read(file, ["--training.pretrained.weights", "run/a"]).training.pretrained
    assert changed is not None
    assert changed.weights == "run/a"


def test_weights_that_nobody_can_fetch_say_at_once_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("REGARD_CACHE", str(tmp_path))
    with pytest.raises(WeightsError) as error:
        locate("gaze360")
    assert error.value.do.startswith("open https://github.com/erkil1452/gaze360 by hand, save its gaze360")
    assert str(tmp_path) in error.value.do
    assert error.value.do.endswith("let `regard weights get gaze360` check it")


def test_who_needs_no_weights_of_imagenet_asks_for_none(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("asked for weights")

    backbones.ensure_torchvision()
    from torchvision.models import _api

    monkeypatch.setattr(_api, "load_state_dict_from_url", fetched)
    content = tiny_recipe(world)
    content["task"] |= {"class_path": "GazeEstimation"}
    content["task"]["init_args"]["model"] = {"class_path": "CausalGaze", "init_args": {"weights": "imagenet"}}
    content["data"]["decode_size"] = 32
    recipe = write_recipe(tmp_path, content)
    assert main(["prepare", str(recipe), "--out", str(tmp_path / "made"), "--workers", "1"]) == 0
    with backbones.without_imagenet():
        model = read(recipe).task.model
    checkpoint = run_of(model, tmp_path / "run") / "checkpoints" / "best.ckpt"
    asked = ask(recipe, weights=checkpoint, trust=("tiny",))
    assert all(torch.equal(v, model.state_dict()[n]) for n, v in asked.task.model.state_dict().items())
    with pytest.raises(RecipeError, match="asked for weights"):
        read(recipe)
