"""Gaze-Attention is published in three files: they come from one folder, all of them, or the error says what to do."""

from pathlib import Path

import pytest
import torch

from regard.engine.predict import predict
from regard.errors import WeightsError
from regard.io import open_recording
from regard.models import EgoHAR
from regard.models.gaze_attention import GAZE_ATTENTION_RULES, PARTS, GazeAttention
from regard.models.published import published_names
from regard.run.weights import locate, with_weights


@pytest.fixture(scope="module")
def published() -> GazeAttention:
    torch.manual_seed(0)
    return GazeAttention()


@pytest.fixture
def folder(published, tmp_path: Path) -> Path:
    """What the authors' training writes."""
    own = published.state_dict()
    names = published_names(published, GAZE_ATTENTION_RULES)
    for part, prefixes in PARTS.items():
        state = {f"module.{name}": own[ours] for name, ours in names.items() if ours.startswith(prefixes)}
        torch.save(state, tmp_path / f"i3d_iga_best1_{part}.pt")
    return tmp_path


def test_a_recipes_model_takes_all_three_from_their_folder(published, folder):
    model = with_weights(GazeAttention(), locate(folder))
    torch.testing.assert_close(model.state_dict(), published.state_dict(), rtol=0, atol=0)
    with pytest.raises(WeightsError, match=r"is .* and not"):
        with_weights(GazeAttention(actions=3), folder)


@pytest.mark.parametrize("part", ["base", "gaze", "attn"])
def test_a_missing_file_is_named(folder, part):
    (folder / f"i3d_iga_best1_{part}.pt").unlink()
    with pytest.raises(WeightsError, match=rf"0 files \*_{part}.pt") as error:
        with_weights(GazeAttention(), locate(folder))
    assert error.value.where == str(folder)


def test_two_models_in_one_folder_are_not_mixed(folder):
    (folder / "i3d_iga_best2_gaze.pt").write_bytes((folder / "i3d_iga_best1_gaze.pt").read_bytes())
    with pytest.raises(WeightsError, match=r"2 files \*_gaze.pt"):
        with_weights(GazeAttention(), folder)


@pytest.mark.parametrize("part", ["base", "gaze", "attn"])
def test_one_file_alone_is_not_the_model(folder, tiny_world, part):
    file = folder / f"i3d_iga_best1_{part}.pt"
    with pytest.raises(WeightsError, match="one file") as error:
        with_weights(GazeAttention(), file)
    assert error.value.do == f"give the folder: --weights {folder}"
    with pytest.raises(WeightsError, match="one file"):
        predict(open_recording(tiny_world), model="gaze-attention", weights=file)


def test_another_models_file_is_explained_in_a_few_lines(folder):
    with pytest.raises(WeightsError, match=r"model_rgb.* and \d+ more") as error:
        EgoHAR.from_published(torch.load(folder / "i3d_iga_best1_base.pt"))
    assert len(str(error.value)) < 1500


def test_a_folder_without_any_of_them_is_no_checkpoint(tmp_path):
    with pytest.raises(WeightsError, match="a checkpoint file"):
        with_weights(EgoHAR(weights="random", backbone="resnet18"), locate(tmp_path))
