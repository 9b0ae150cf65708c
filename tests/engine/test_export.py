"""What of a model leaves torch, and what is refused; files of runtimes that are not installed are not needed here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import read, tiny_recipe, write_recipe

from regard.batch import Batch
from regard.clips.load import loader
from regard.engine.export import folder as folders
from regard.engine.export.folder import FILE, Exported, Form, put_into, read_exported, sum_of
from regard.engine.export.method import ExportError, calls, exchange, exchanged, method_of
from regard.engine.export.parity import Said, difference, differences, passes
from regard.errors import FileError, MissingExtraError
from regard.models import CausalGaze, EgoHAR, GazeLSTM, GazeStays
from regard.recipe.read import Recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("export")
    content = tiny_recipe(folder / "world")
    causal = {"class_path": "CausalGaze", "init_args": {"size": [6, 8], "width": 8, "weights": "random"}}
    content["task"]["init_args"]["model"] = causal
    made = read(write_recipe(folder, content))
    made.task.model.eval()
    return made


@pytest.fixture(scope="module")
def batches(recipe: Recipe) -> list[Batch]:
    clips = recipe.data.clips(recipe.data.require_eval(), "val", recipe.task)
    return list(loader(clips, batch_size=1, shuffle=False, num_workers=0))


def made(folder: Path, **form: object) -> Exported:
    file = folder / "model.onnx"
    file.write_bytes(b"a model")
    facts = {
        "runtime": "onnx",
        "precision": "fp32",
        "file": file.name,
        "sha256": sum_of(file),
        "version": "1",
        "passed": True,
    }
    facts |= {"speedup": 2.0, "wall_ms": 1.0, "cpu_ms": 1.0} | form
    exported = Exported(
        folder=folder,
        model="CausalGaze",
        method="advance",
        inputs={"frame": [1, 3, 8, 8]},
        outputs=["answer_0"],
        weights="checkpoints/best.ckpt",
        forms=[Form(**facts)],
    )
    exported.write()
    return exported


def test_a_model_whose_step_is_exchanged_answers_about_clips_step_by_step(recipe: Recipe, batches: list[Batch]):
    task, count = recipe.task, 0
    step: Any = task.model.advance

    def counted(*state):
        nonlocal count
        count += 1
        return step(*state)

    with torch.inference_mode():
        whole = task.answer(batches[0])
        with exchanged(task.model, counted):
            stepped = task.answer(batches[0])
        again = task.answer(batches[0])
    assert count == 3
    torch.testing.assert_close(stepped, whole)
    assert torch.equal(again, whole)


def test_calls_are_single_examples_of_one_size(recipe: Recipe, batches: list[Batch]):
    found = calls(recipe.task, batches[:2])
    assert found.names == ("frame", "hidden", "logits")
    assert len(found.given) == 6
    assert {tuple(tuple(part.shape) for part in given) for given in found.given} == {
        ((1, 3, 24, 32), (1, 8, 2, 2), (1, 6, 8))
    }


def test_a_clip_and_a_step_look_at_each_picture_by_the_exported_method():
    model = EgoHAR(
        actions=3,
        verbs=2,
        nouns=2,
        num_frames=2,
        size=(32, 32),
        backbone="resnet18",
        weights="random",
        channels=2,
        width=8,
    ).eval()
    video, look, seen = torch.randn(1, 2, 3, 32, 32), model.look, []

    def noted(image):
        seen.append(len(image))
        return look(image)

    with torch.inference_mode(), exchanged(model, noted):
        whole = model(video)
        _, state = model.step(video[:, 0], model.begin(1))
        stepped, _ = model.step(video[:, 1], state)
    assert seen == [2, 1, 1]
    torch.testing.assert_close(stepped.action, whole.action)


def test_an_exchanged_method_can_be_exchanged_again_and_is_there_afterwards():
    model, said = GazeLSTM(weights="random").eval(), []
    exchange(model, lambda faces: (said.append("exported"), torch.zeros(len(faces), 256))[1])
    exported = model.per_frame
    with exchanged(model, lambda faces: (said.append("kept"), exported(faces))[1]), torch.inference_mode():
        model(torch.zeros(1, 7, 3, 32, 32))
    with torch.inference_mode():
        model(torch.zeros(1, 7, 3, 32, 32))
    assert said == ["kept", "exported", "exported"]


def test_a_model_that_does_not_say_what_leaves_it_is_refused():
    with pytest.raises(ExportError, match="does not say what of it is exported"):
        method_of(GazeStays())


def test_the_error_is_over_what_answers_differ_by_from_moment_to_moment():
    torchs = np.array([[5.0, 0.0], [7.0, 0.0]])
    said = difference(torchs + np.array([[0.1, 0.0], [-0.1, 0.0]]), torchs)
    assert (said.largest, said.mean) == (pytest.approx(0.1), pytest.approx(0.05))
    assert said.error == pytest.approx(0.1)
    assert difference(np.array([[-np.inf]]), np.array([[-np.inf]])).largest == 0


def test_of_classes_it_is_told_how_many_answers_keep_their_likeliest_one():
    torchs = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.9], [0.0, 0.5, 3.0], [1.0, 0.0, 0.0]])
    ours = torchs + np.array([[-0.5, 0.0, 0.0], [0.0, 0.0, 0.2], [0.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    arrays = "logits/action", "attention"
    said = differences(Said(arrays=dict.fromkeys(arrays, ours)), Said(arrays=dict.fromkeys(arrays, torchs)))
    assert said["logits/action"].same_top == 0.75
    assert np.isnan(said["attention"].same_top)


def test_eight_bits_pass_by_the_score_alone_and_near_answers(recipe: Recipe):
    near, far = {"a": difference(np.eye(3) * 1.1, np.eye(3))}, {"a": difference(np.eye(3) * 2, np.eye(3))}
    name, way = recipe.task.scoring.best()
    assert way == "max"
    unscored, good, bad = Said(arrays={}), Said(arrays={}, scores={name: 0.5}), Said(arrays={}, scores={name: 0.49})
    assert passes(recipe.task, good, good, near, int8=True)
    assert not passes(recipe.task, good, good, far, int8=True)
    assert not passes(recipe.task, bad, good, near, int8=True)
    assert not passes(recipe.task, unscored, unscored, near, int8=True)
    assert not passes(recipe.task, unscored, unscored, near, int8=False)


def test_auto_takes_the_fastest_that_passed_and_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = CausalGaze(size=(6, 8), width=8, weights="random")
    taken = []
    monkeypatch.setattr(folders, "version_of", lambda _: "1")
    monkeypatch.setattr(folders, "opened", lambda file, *_, **__: taken.append(file.name) or (lambda *_: None))
    for form, installed, wanted in (
        ({}, True, "onnx fp32"),
        ({"passed": False}, True, "torch"),
        ({"speedup": 0.9}, True, "torch"),
        ({}, False, "torch"),
    ):
        monkeypatch.setattr(folders, "installed", lambda _, there=installed: there)
        assert put_into(model, made(tmp_path, **form), "auto", name="m") == wanted
    assert taken == ["model.onnx"]
    assert put_into(model, None, "auto", name="saliency") == "torch"


def test_what_cannot_be_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model, exported = CausalGaze(size=(6, 8), width=8, weights="random"), made(tmp_path)
    monkeypatch.setattr("regard.engine.export.runtimes.installed", lambda _: False)
    with pytest.raises(MissingExtraError, match=r"regard\[onnx\]"):
        put_into(model, exported, "onnx", name="m")
    monkeypatch.setattr(folders, "version_of", lambda _: "1")
    with pytest.raises(ExportError, match="regard export m --to openvino"):
        put_into(model, exported, "openvino", name="m")
    (tmp_path / "model.onnx").write_bytes(b"another model")
    with pytest.raises(FileError, match="another file than was exported"):
        put_into(model, exported, "onnx", name="m")
    with pytest.raises(FileError, match="a CausalGaze, exported, and a recipe of a GazeStays"):
        put_into(GazeStays(), exported, "onnx", name="m")


def test_an_export_of_another_version_is_told(tmp_path: Path):
    assert read_exported(tmp_path) is None
    exported = made(tmp_path)
    assert read_exported(tmp_path) == exported
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**content, "format": 99, "regard": "9.1"}))
    with pytest.raises(FileError, match=r"an export by regard 9\.1, of another form"):
        read_exported(tmp_path)
    del content["weights"]
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(FileError, match="lacks or has more"):
        read_exported(tmp_path)
