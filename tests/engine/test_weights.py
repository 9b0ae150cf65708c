"""Published weights: listed, checked before they count as there, and never executed."""

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import read, tiny_recipe, write_recipe

from regard.cli import main
from regard.engine.pretrained import init_from_pretrained
from regard.engine.training.train import train
from regard.errors import RecipeError, WeightsError
from regard.models import GLC, MViTGaze
from regard.models.gaze_attention import GAZE_ATTENTION_RULES, GazeAttention
from regard.models.glc import PUBLISHED_RULES
from regard.models.mvit_published import K400_RULES
from regard.models.published import bare_state, built_from, published_names
from regard.recipe.training import Pretrained
from regard.run import weights as room
from regard.run.checkpoints import read_checkpoint
from regard.run.weights import catalogue, get, locate, named, place, read_weights

SMALL = {"num_frames": 4, "size": (32, 32), "width": 8, "depths": (1, 1, 1, 1)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a catalogue whose GLC is small."""
    monkeypatch.setenv("REGARD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        room,
        "catalogue",
        lambda: tuple(replace(w, fits=_fits_small) if w.name == "glc_ego4d" else w for w in catalogue()),
    )
    return tmp_path / "cache"


def _fits_small(content: dict) -> GLC:
    return built_from(lambda: GLC(**SMALL), bare_state(content, where="GLC"), PUBLISHED_RULES, where="GLC")


def published_file(path: Path, **changes: torch.Tensor) -> Path:
    """What the authors' training would write of a small GLC."""
    torch.manual_seed(0)
    model = GLC(**SMALL)
    own = model.state_dict()
    state = {name: own[ours] for name, ours in published_names(model, PUBLISHED_RULES).items()}
    state["classifier.weight"] = state["classifier.weight"][..., None, None, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 5, "model_state": {**state, **changes}, "cfg": "yaml"}, path)
    return path


class Executes:
    """A pickle that would leave a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def test_every_entry_says_what_it_is_and_where_it_comes_from():
    names = [w.name for w in catalogue()]
    gaze = {"k400_mvit_b", "glc_ego4d", "glc_egtea", "csts_ego4d", "csts_aria"}
    looking = {"gaze360", "lam-gaze360", "gazepose", "vit-s", "hopenet"}
    assert gaze | looking | {"i3d_rgb_kinetics", "i3d_flow_kinetics"} <= set(names)
    for entry in catalogue():
        assert entry.page.startswith("https://")
        assert entry.licence == "none stated"
        assert entry.address is not None or "not fetched by us" in entry.note
        assert place(entry).parts[-3:] == ("weights", entry.name, entry.file)


def test_the_list_says_what_is_here(cache: Path, capsys: pytest.CaptureFixture):
    published_file(place(named("glc_ego4d")))
    assert main(["weights"]) == 0
    said = capsys.readouterr().out
    assert "".join(str(cache).split()) in "".join(said.split())
    lines = said.splitlines()
    assert next(line for line in lines if line.startswith("glc_ego4d")).split()[1] == "here,"
    assert next(line for line in lines if line.startswith("glc_egtea")).endswith("not here")
    assert next(line for line in lines if line.startswith("csts_ego4d")).endswith("not here, to be fetched by hand")
    assert said.count("none stated") == len(catalogue())


def test_a_file_put_into_the_cache_by_hand_is_checked(capsys: pytest.CaptureFixture):
    published_file(place(named("glc_ego4d")))
    assert main(["weights", "get", "glc_ego4d"]) == 0
    assert "regard predict RECORDING --model glc --weights glc_ego4d" in capsys.readouterr().out
    published_file(place(named("glc_ego4d")), extra=torch.zeros(1))
    with pytest.raises(WeightsError, match="left over extra"):
        get("glc_ego4d")


def test_weights_that_were_replaced_are_told_until_they_are_checked_again(tmp_path: Path):
    file = published_file(place(named("glc_ego4d")))
    assert get("glc_ego4d") == locate("glc_ego4d") == file
    published_file(file, **{"classifier.bias": torch.ones(1)})
    with pytest.warns(room.ChangedWeightsWarning, match=r"not the file that was first had.*`regard weights get glc"):
        assert locate("glc_ego4d") == file
    with pytest.warns(room.ChangedWeightsWarning, match="from now on it counts as the right one"):
        get("glc_ego4d")
    assert locate("glc_ego4d") == file
    os.utime(file, ns=(1, 1))
    assert locate("glc_ego4d") == file, "the same content, written again"
    for broken in ("", "[]", "[" * 100_000):
        file.with_name(f"{file.name}.sha256.json").write_text(broken)
        assert locate("glc_ego4d") == file


def test_without_a_network_the_command_says_where_to_put_the_file(capsys: pytest.CaptureFixture):
    assert main(["weights", "get", "glc_ego4d", "--address", "http://127.0.0.1:9/x"]) == 2
    said = capsys.readouterr().err
    assert "https://drive.google.com/file/d/1zQdZuV4OowEJxBZAAWr_MuZcN7LJujOw/view by hand" in said
    assert f"save its GLC_Ego4D.pyth as {place(named('glc_ego4d'))}" in said
    assert not place(named("glc_ego4d")).exists()


def test_a_fetched_file_must_be_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The server itself is tested in test_fetch; here it is a copy."""

    def copied(address: str, path: Path, *, check, **_: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        check(Path(address))
        return Path(shutil.copy(address, path))

    monkeypatch.setattr(room, "fetch", copied)
    good, bad = published_file(tmp_path / "good"), published_file(tmp_path / "bad", norm_x=torch.zeros(1))
    with pytest.raises(WeightsError, match="left over norm_x"):
        get("glc_ego4d", address=str(bad))
    assert get("glc_ego4d", address=str(good)) == place(named("glc_ego4d")) == locate("glc_ego4d")


def test_what_has_no_address_is_to_be_fetched_by_hand():
    with pytest.raises(WeightsError, match="not fetched by us"):
        get("csts_ego4d")


@pytest.mark.parametrize("words", [["weights", "get"], ["weights", "get", "glc"]])
def test_a_name_is_needed_and_must_be_known(words: list[str], capsys: pytest.CaptureFixture):
    assert main(words) == 2
    assert "glc_ego4d" in capsys.readouterr().err


def test_a_pickle_that_would_execute_code_is_refused_unexecuted(tmp_path: Path):
    trace, file = tmp_path / "trace", tmp_path / "evil.pth"
    with file.open("wb") as stream:
        pickle.dump({"model_state": Executes(trace)}, stream)
    with pytest.raises(WeightsError, match="without executing code"):
        read_weights(file)
    torch.save({"model_state": Executes(trace)}, file)
    with pytest.raises(WeightsError, match="without executing code") as refused:
        read_weights(file)
    assert "weights_only" not in str(refused.value), "nobody is advised to execute it"
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", [1, 2]], ids=["empty", "page", "list"])
def test_what_is_no_checkpoint_is_said_so(tmp_path: Path, content: object):
    file = tmp_path / "file.pth"
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    with pytest.raises(WeightsError):
        read_weights(file)


def test_weights_that_are_not_here_say_how_to_get_them(tmp_path: Path):
    with pytest.raises(WeightsError, match="regard weights get glc_egtea"):
        locate("glc_egtea")
    with pytest.raises(WeightsError, match="no such file, and no published weights"):
        locate(tmp_path / "none.pth")
    assert locate(published_file(tmp_path / "mine.pth")) == tmp_path / "mine.pth"


def kinetics_file(path: Path) -> MViTGaze:
    """Write what SlowFast would of a small classifier of 7x7 cells, and return the model whose blocks it has."""
    torch.manual_seed(1)
    taught = MViTGaze(**SMALL)
    state = {n: taught.encoder.state_dict()[o].clone() for n, o in published_names(taught.encoder, K400_RULES).items()}
    state["pos_embed_spatial"] = torch.randn(1, 49, 8)
    torch.save({"model_state": {**state, "head.projection.weight": torch.zeros(400, 8)}}, path)
    return taught


def test_a_recipe_starts_from_the_weights_that_it_names(world: Path, tmp_path: Path):
    taught = kinetics_file(tmp_path / "k400.pyth")
    still = {"lr": 0.0, "final_lr": 0.0, "weight_decay": 0.0}
    content = tiny_recipe(world, max_steps=1, validate_every=1, optimiser=still)
    content["task"]["init_args"]["model"] = {"class_path": "MViTGaze", "init_args": {**SMALL, "size": [32, 32]}}
    content["training"]["pretrained"] = {"weights": str(tmp_path / "k400.pyth")}
    for part in ("train", "eval"):
        content["data"][part]["sampler"]["init_args"]["num_frames"] = 4
        resize = {"class_path": "Resize", "init_args": {"size": [32, 32]}}
        content["data"][part]["transforms"] = [resize, *content["data"][part].get("transforms", [])]
    run = train(read(write_recipe(tmp_path, content)), tmp_path / "run").folder
    saved = read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]
    wanted = taught.state_dict()
    assert all(torch.equal(saved[f"model.{n}"], wanted[n]) for n in wanted if n.startswith("encoder.blocks."))
    assert not torch.equal(saved["model.decoder.classifier.weight"], wanted["decoder.classifier.weight"])


def test_training_starts_from_kinetics_in_the_way_that_is_named(tmp_path: Path):
    taught = kinetics_file(tmp_path / "k400.pyth")
    tables = []
    for how in ("2d", "published_1d"):
        model = MViTGaze(**SMALL)
        options = {"position_embeddings": how}
        init_from_pretrained(model, Pretrained(weights=str(tmp_path / "k400.pyth"), options=options))
        torch.testing.assert_close(model.encoder.blocks[0].mlp.widen.weight, taught.encoder.blocks[0].mlp.widen.weight)
        tables.append(model.encoder.position.space.detach())
    assert not torch.allclose(*tables)
    with pytest.raises(RecipeError, match="Linear, which does not say how to start"):
        init_from_pretrained(torch.nn.Linear(1, 1), Pretrained(weights=str(tmp_path / "k400.pyth")))


def test_gaze_attention_starts_from_both_streams_of_kinetics(tmp_path: Path):
    small = {"num_frames": 8, "size": (32, 32), "width": 4}
    taught, model = GazeAttention(**small), GazeAttention(**small)
    names = published_names(taught, GAZE_ATTENTION_RULES)
    state = {n: taught.state_dict()[own] for n, own in names.items() if n.startswith("model_")}
    torch.save(state, tmp_path / "base.pt")
    init_from_pretrained(model, Pretrained(weights=str(tmp_path / "base.pt")))
    torch.testing.assert_close(model.flow.first.convolution.weight, taught.flow.first.convolution.weight)
    torch.testing.assert_close(model.rgb.state_dict(), taught.rgb.state_dict())


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (MViTGaze, {"position_embeddings": "3d"}, r"position_embeddings: '3d'(?s:.*)one of '2d', 'published_1d'"),
        (MViTGaze, {"positions": "2d"}, r"no 'positions'(?s:.*)position_embeddings"),
        (GazeAttention, {"position_embeddings": "2d"}, "no 'position_embeddings'"),
    ],
)
def test_an_option_that_a_model_does_not_take_is_told_before_the_weights_are_read(model, options: dict, said: str):
    with pytest.raises(RecipeError, match=said):
        init_from_pretrained(
            model(**SMALL) if model is MViTGaze else model(num_frames=8, size=(32, 32), width=4),
            Pretrained(weights="nowhere", options=options),
        )


@pytest.mark.parametrize(
    ("name", "some", "count"),
    [("glc_ego4d", "global_embed.bn_0.running_mean", 447), ("k400_mvit_b", "blocks.15.attn.qkv.weight", None)],
)
def test_the_names_that_a_checkpoint_must_have_can_be_read(
    name: str, some: str, count: int | None, capsys: pytest.CaptureFixture[str]
):
    assert main(["weights", "names", name]) == 0
    names = capsys.readouterr().out.split()
    assert some in names
    assert len(set(names)) == len(names) == (count or len(names))


def test_a_flipped_bit_in_a_checkpoint_is_found(tmp_path: Path):
    file = tmp_path / "w.pth"
    torch.save({"model_state": {"x": torch.arange(4096.0)}}, file)
    whole = file.read_bytes()
    at = whole.index(torch.arange(4096.0).numpy().tobytes()[4000:4200]) + 100
    file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(WeightsError, match="damaged"):
        read_weights(file)
