"""A model through ONNX Runtime and OpenVINO, where they are installed: export, parity, prediction, crashes told."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from tiny import main, tiny_recipe, write_recipe

from regard.engine.export.export import export
from regard.engine.export.folder import FILE
from regard.engine.export.method import ExportError
from regard.engine.export.runtimes import tried
from regard.engine.predict import predict
from regard.io import open_recording
from regard.models.backbones import RandomWeightsWarning

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*random ones"),
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtimes")
    content = tiny_recipe(folder / "world")
    causal = {"class_path": "CausalGaze", "init_args": {"size": [6, 8], "width": 8, "weights": "random"}}
    content["task"]["init_args"]["model"] = causal
    recipe = write_recipe(folder, content)
    words = [
        "export",
        str(recipe),
        "--to",
        "onnx",
        "--to",
        "openvino",
        "--num_clips",
        "2",
        "--out",
        str(folder / "out"),
    ]
    with pytest.warns(RandomWeightsWarning):
        assert main(words) == 0
    return folder / "out"


def test_the_folder_tells_what_was_measured(exported: Path):
    content = json.loads((exported / FILE).read_text())
    assert (content["model"], content["method"]) == ("CausalGaze", "advance")
    assert content["inputs"] == {"frame": [1, 3, 24, 32], "hidden": [1, 8, 2, 2], "logits": [1, 6, 8]}
    assert [(form["runtime"], form["precision"], form["passed"]) for form in content["forms"]] == [
        ("onnx", "fp32", True),
        ("openvino", "fp32", True),
    ]
    for form in content["forms"]:
        assert form["parity"]["log_density"]["error"] < 1e-3
        assert form["scores"]["f1"] == pytest.approx(content["about"]["torch_scores"]["f1"], abs=1e-4)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_predictions_are_those_of_torch(exported: Path, runtime: str):
    recording = open_recording(next((exported.parent / "world").rglob("video.mp4")).parent)
    whole = predict(recording, model=exported, trust=["tiny"], runtime="torch")
    ours = predict(recording, model=exported, trust=["tiny"], runtime=runtime)  # pyright: ignore[reportArgumentType]
    assert ours.model == f"{whole.model}, {runtime} fp32"
    torch.testing.assert_close(*(torch.from_numpy(p.values["log_density"]) for p in (ours, whole)), atol=1e-4, rtol=0)


def test_a_recipes_scores_are_those_of_torch(exported: Path, tmp_path: Path):
    scores = {}
    for runtime in ("torch", "onnx"):
        words = ["evaluate", str(exported), "--runtime", runtime, "--out", str(tmp_path / runtime), "--trust", "tiny"]
        assert main(words) == 0
        scores[runtime] = pd.read_csv(tmp_path / runtime / "scores.csv")["value"]
    pd.testing.assert_series_equal(scores["torch"], scores["onnx"], atol=1e-3)


def test_a_file_that_does_not_run_is_told(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"nothing of a model")
    with pytest.raises(ExportError, match="the process that ran it ended with"):
        tried(tmp_path / "model.onnx", "onnx", [torch.zeros(1)])


def test_parts_that_onnx_lacks_are_told(exported: Path, tmp_path: Path):
    content = tiny_recipe(exported.parent / "world")
    content["task"]["init_args"]["model"] = {"class_path": "tiny.Unexportable"}
    recipe = write_recipe(tmp_path, content)
    with pytest.warns(RandomWeightsWarning), pytest.raises(ExportError, match="cannot export"):
        export(recipe, to=["onnx"], out=tmp_path / "out", num_clips=1, trust=["tiny"])
