"""Runs go to the hub as tensors, recipe and card, and come from it as a run; against a hub on this machine."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hub_server import Hub, hub_running
from tiny import TRUST, read, tiny_recipe, write_recipe

from regard.cli import main
from regard.engine.ask import ask
from regard.engine.export.published import publish
from regard.engine.training.train import train
from regard.errors import FileError, WeightsError
from regard.io import hub as room
from regard.io.fetch import FetchError
from regard.run.folder import best_weights
from regard.run.weights import locate, read_weights

ADDRESS = "hf://me/tiny-gaze"


@pytest.fixture(scope="module")
def run(tiny_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a user's own model, scored."""
    folder = tmp_path_factory.mktemp("runs")
    done = train(read(write_recipe(folder, tiny_recipe(tiny_world, max_steps=2))), folder / "run").folder
    assert main(["evaluate", str(done), *TRUST]) == 0
    return done


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, and an empty cache."""
    pytest.importorskip("huggingface_hub")
    with hub_running() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("REGARD_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "secret")
        yield running


def state_of(model: str | Path, **given: str) -> dict:
    return ask(model, trust=["tiny"], **given).task.model.state_dict()


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_goes_to_the_hub_and_comes_back_the_same(hub: Hub, run: Path):
    where = publish(run, ADDRESS, trust=("tiny",))
    assert where.startswith(f"{hub.address}/me/tiny-gaze/commit/")
    files = next(iter(hub.commits["me/tiny-gaze"].values()))
    assert sorted(files) == ["README.md", "model.safetensors", "recipe.yaml"]
    card = files["README.md"].decode()
    assert f"regard predict RECORDING --model {ADDRESS}" in card
    scores = pd.read_csv(run / "scores.csv")
    assert f"regard evaluate {run}" in (run / "scores.html").read_text()
    assert all(f"| {row.score} | {row.better} | {row.value:.4g} |" in card for row in scores.itertuples())
    assert "95 % intervals" in card
    assert str(run.parent) not in card + files["recipe.yaml"].decode() + repr(files["model.safetensors"])
    assert same(state_of(ADDRESS), state_of(run))
    assert same(state_of(run / "recipe.yaml", weights=ADDRESS), state_of(run))
    assert ask(ADDRESS, trust=["tiny"]).name == "tiny-gaze"
    assert [line.split()[1] for line in hub.asked if "/resolve/" in line and "HEAD" not in line] == [
        f"/me/tiny-gaze/resolve/{hub.heads['me/tiny-gaze']}/{name}" for name in ("recipe.yaml", "model.safetensors")
    ]


def test_a_revision_is_the_one_that_is_asked_for(hub: Hub, run: Path):
    publish(run, ADDRESS, trust=("tiny",))
    first = hub.heads["me/tiny-gaze"]
    hub.commit("me/tiny-gaze", {"model.safetensors": tensors(w=np.zeros(3, np.float32))})
    with pytest.raises(WeightsError, match="left over w"):
        state_of(ADDRESS)
    assert same(state_of(f"{ADDRESS}@{first}"), state_of(run))


def test_where_the_hub_cannot_be_asked_the_last_one_is_taken(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch):
    publish(run, ADDRESS, trust=("tiny",))
    state = state_of(ADDRESS)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.warns(room.HubWarning, match="cannot be asked"):
        assert same(state_of(ADDRESS), state)
    with pytest.raises(FetchError, match="no connection"):
        state_of("hf://me/another")


def test_a_file_that_changed_since_it_was_fetched_is_told_of(hub: Hub, run: Path):
    publish(run, ADDRESS, trust=("tiny",))
    file = locate(ADDRESS)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.warns(room.HubWarning, match="not the file that was first had"):
        locate(ADDRESS)


def tensors(**arrays: np.ndarray) -> bytes:
    """A file of safetensors, by its format."""
    header, data = {}, b""
    for name, array in arrays.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), end]}
        data += array.tobytes()
    told = json.dumps(header).encode()
    return struct.pack("<Q", len(told)) + told + data


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"README.md": b"x"}, r"without recipe\.yaml and model\.safetensors"),
        ({"recipe.yaml": b"a: 1", "pytorch_model.bin": b"x"}, "without recipe"),
        ({"recipe.yaml": b"a: 1", "model.safetensors": b"\x80\x02}q\x00."}, "cannot be read"),
        ({"recipe.yaml": b"a: 1", "model.safetensors": tensors()}, "no tensors"),
    ],
)
def test_another_repository_is_refused_and_nothing_is_kept(hub: Hub, files: dict, says: str, tmp_path: Path):
    hub.commit("me/other", files)
    with pytest.raises(FetchError, match=says):
        locate("hf://me/other")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "address",
    [
        "hf://me", "hf://me/", "hf:///x", "hf://a/b/c", "hf://../b", "hf://a/..", "hf://a/b@",
        "hf://a/b@..", "hf://a/b@../x", "hf://a/b@/x",
    ],
)  # fmt: skip
def test_an_address_of_another_form_is_refused(address: str, run: Path):
    for use in (locate, ask, lambda word: publish(run, word)):
        with pytest.raises(FetchError, match="another form"):
            use(address)


@pytest.mark.parametrize("address", ["hf://me/a..b", "hf://me/--x", "hf://-me/x", "hf://ä/b", f"hf://me/{'x' * 200}"])
def test_a_name_that_the_hub_does_not_allow_is_refused(hub: Hub, address: str):
    with pytest.raises(FetchError, match="an address that the hub does not allow"):
        locate(address)


def test_tensors_of_another_hash_than_the_hub_lists_are_refused_and_nothing_is_kept(hub: Hub, tmp_path: Path):
    hub.commit("me/other", {"recipe.yaml": b"a: 1", "model.safetensors": tensors(w=np.zeros(3, np.float32))})
    hub.sums["model.safetensors"] = "0" * 64
    with pytest.raises(FetchError, match="not the one that the hub lists"):
        locate("hf://me/other")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    hub.sums.clear()
    assert locate("hf://me/other").is_file()


@pytest.mark.parametrize(
    "page", [b"<html>Please log in</html>", b"[1]", b"null", b'{"sha": 12345678}', b'{"siblings": 1}']
)
def test_who_answers_in_the_hubs_place_is_told_of(hub: Hub, page: bytes):
    hub.page = page
    with pytest.raises(FetchError, match="none of the hub's"):
        locate("hf://me/other")


def test_a_token_that_no_header_can_hold_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "schlüssel")
    with pytest.raises(FetchError, match="correct HF_TOKEN"):
        locate("hf://me/other")


def test_what_the_hub_refuses_is_one_clear_error(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(FetchError, match="no such repository"):
        locate("hf://me/nothing")
    publish(run, ADDRESS, trust=("tiny",))
    with pytest.raises(FetchError, match="no revision 'v2'"):
        locate(f"{ADDRESS}@v2")
    hub.token = "another"
    with pytest.raises(FetchError, match="no such repository, or one that this token may not see"):
        locate(ADDRESS)
    with pytest.raises(FetchError, match="HF_TOKEN"):
        publish(run, ADDRESS, trust=("tiny",))
    monkeypatch.setenv("HF_TOKEN", "another")
    publish(run, ADDRESS, trust=("tiny",))
    locate(ADDRESS)


def test_what_is_no_run_is_not_put_there(hub: Hub, run: Path, tmp_path: Path):
    with pytest.raises(FileError, match="without weights"):
        publish("glc", ADDRESS)
    torch.save({"model_state": {"a": torch.zeros(2)}}, tmp_path / "theirs.pyth")
    with pytest.raises(WeightsError, match="others published"):
        publish("glc", ADDRESS, weights=str(tmp_path / "theirs.pyth"))
    assert hub.asked == []


def test_without_the_extra_it_is_named(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(room.MissingExtraError, match=r"regard\[hub\]"):
        locate(ADDRESS)


def test_the_command_line_puts_and_takes_it(
    hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run), "--to", ADDRESS, *TRUST]) == 0
    assert f"regard predict RECORDING --model {ADDRESS}" in capsys.readouterr().out
    root = read_recipe_root(run)
    assert main(["evaluate", ADDRESS, "--data.dataset.root", root, *TRUST]) == 0
    assert (tmp_path / "regard-out" / "tiny-gaze" / "scores.csv").read_text() == (run / "scores.csv").read_text()
    assert main(["export", str(run), "--to", "hf://me", *TRUST]) == 2
    assert main(["export", str(run), "--to", ADDRESS, "--to", "onnx", *TRUST]) == 2
    with pytest.raises(SystemExit):
        main(["export", str(run), "--to", "nowhere"])


def read_recipe_root(run: Path) -> str:
    line = next(line for line in (run / "recipe.yaml").read_text().splitlines() if line.strip().startswith("root:"))
    return line.split("root:")[1].strip()


def test_tensors_are_read_as_a_checkpoint_is(hub: Hub, run: Path):
    publish(run, ADDRESS, trust=("tiny",))
    content = read_weights(locate(ADDRESS))
    before = read_weights(best_weights(run))
    assert {n for n in before["state_dict"] if n.startswith("model.")} == set(content["state_dict"])
    assert content["regard"]["data"] == before["regard"]["data"]
