import errno
import resource
import signal
from pathlib import Path

import pytest
import torch
from tiny import TinyGaze, read, tiny_recipe, write_recipe
from torch import nn

import regard
from regard.engine.training.train import train
from regard.errors import FileError, WeightsError
from regard.run.checkpoints import AtomicCheckpoints, read_checkpoint
from regard.run.provenance import data_hash, git_commit
from regard.run.weights import with_weights


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    recipe = read(write_recipe(folder, tiny_recipe(world, max_steps=2)))
    return train(recipe, folder / "run").folder


def test_a_checkpoint_says_what_it_was_made_from(run: Path):
    recipe = read(run / "recipe.yaml")
    about = read_checkpoint(run / "checkpoints" / "last.ckpt")["regard"]
    assert about == {
        "recipe": recipe.text,
        "regard": regard.__version__,
        "commit": git_commit(),
        "data": data_hash(recipe.data.recordings("train")),
    }
    assert "name: tiny" in about["recipe"]


def test_the_data_hash_changes_with_the_recordings_and_not_with_their_order(run: Path):
    data = read(run / "recipe.yaml").data
    recordings = data.recordings("train")
    assert data_hash(recordings) == data_hash(recordings[::-1])
    assert len({data_hash(recordings), data_hash(recordings[:1]), data_hash(data.recordings("val"))}) == 3


def test_weights_go_into_the_model_they_belong_to(run: Path):
    model = TinyGaze()
    with_weights(model, run / "checkpoints" / "last.ckpt")
    saved = read_checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"]
    assert all(torch.equal(value, saved[f"model.{name}"]) for name, value in model.state_dict().items())


def test_a_checkpoint_of_another_model_is_refused_by_the_names_that_differ(run: Path):
    class Other(TinyGaze):
        def __init__(self) -> None:
            super().__init__(width=3)
            self.more = nn.Linear(1, 1)
            del self.out

    with pytest.raises(WeightsError) as caught:
        with_weights(Other(), run / "checkpoints" / "last.ckpt")
    assert caught.value.found == (
        "missing more.weight; missing more.bias; left over out.weight; left over out.bias; "
        "inside.weight is (8, 144) and not (3, 144) and 1 more"
    )


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "some.ckpt").write_bytes(content)
    with pytest.raises(WeightsError, match="no readable checkpoint"):
        read_checkpoint(tmp_path / "some.ckpt")
    torch.save([1], tmp_path / "some.ckpt")
    with pytest.raises(WeightsError, match="found:  a list"):
        read_checkpoint(tmp_path / "some.ckpt")


def test_a_full_disk_leaves_the_last_good_checkpoint_and_the_run_goes_on_later(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = write_recipe(tmp_path, tiny_recipe(world, max_steps=4, save_every=2))
    save, saved = torch.save, []

    def until_full(content: dict, file: object) -> None:
        saved.append(content["global_step"])
        if content["global_step"] == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", until_full)
    with pytest.raises(FileError, match=r"last.ckpt(?s:.*)No space left"):
        train(read(recipe), tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    assert saved[-1] == 4
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 2
    assert not list(folder.glob("*part*"))
    monkeypatch.undo()
    train(read(recipe), tmp_path / "run")
    assert read_checkpoint(folder / "last.ckpt")["global_step"] == 4


def test_what_torch_makes_of_a_file_that_may_not_grow_is_told_as_a_full_disk(tmp_path: Path):
    """The real thing, not a stand-in: a file size limit of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    AtomicCheckpoints().save_checkpoint({"state_dict": {}}, tmp_path / "last.ckpt")
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(FileError, match="cannot be written"):
            AtomicCheckpoints().save_checkpoint({"state_dict": {"w": torch.zeros(100_000)}}, tmp_path / "last.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert read_checkpoint(tmp_path / "last.ckpt") == {"state_dict": {}}
    assert [f.name for f in tmp_path.iterdir()] == ["last.ckpt"]
