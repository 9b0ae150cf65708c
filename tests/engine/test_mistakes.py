"""What a user may get wrong when training, scoring and preparing, as the command line answers it."""

import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import main, read, tiny_recipe, write_recipe

from regard.engine.training.train import train
from regard.run.checkpoints import read_checkpoint

Refused = Callable[..., str]


@pytest.fixture
def recipe(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_recipe(tmp_path, tiny_recipe(world, max_steps=2, validate_every=2, save_every=1))


@pytest.fixture
def run(recipe: Path, tmp_path: Path) -> Path:
    return train(read(recipe), tmp_path / "run").folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must fail by the user's mistake: exit code 2 and one block with found, wanted and do."""

    def command(*words: object) -> str:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("step ")]
        assert lines[0] == f"regard {words[0]} cannot go on:"
        assert [line.split(":")[0].strip() for line in lines[2:]] == ["found", "wanted", "do"]
        return "\n".join(lines[1:])

    return command


@pytest.mark.parametrize("verb", ["train", "evaluate", "prepare"])
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--training.max_step", "3"], "did you mean --training.max_steps?"),
        (["--max_steps=3"], "did you mean --training.max_steps?"),
        (["--task.model.widht=3"], "did you mean 'width'?"),
        (["--nonsense", "3"], "--print_config"),
        (["--task.model", "CausalGazes"], "did you mean CausalGaze?"),
        (["--data.dataset", "Synthetik"], "did you mean Synthetic?"),
        (["--task.model=nowhere.Model"], "--trust nowhere"),
        (["--training.max_steps", "many"], "'many'"),
        (["--data.batch_size", "0"], "at least 1"),
        (["--data.on_error", "jump"], "one of 'raise', 'skip'"),
        (["--task.scoring.policy", "0.021"], "take the nearest, 0.02"),
    ],
)
def test_an_unknown_key_or_class_or_a_wrong_type_is_named_with_a_way_out(
    recipe: Path, refused: Refused, verb: str, words: list[str], answer: str
):
    assert answer in refused(verb, recipe, "--out", "there", *words)
    assert not Path("there").exists()


@pytest.mark.parametrize("verb", ["train", "evaluate", "prepare"])
def test_a_dataset_folder_that_is_missing_is_named(recipe: Path, refused: Refused, verb: str):
    words = ["--data.dataset=tiny.OnDisk", "--data.dataset.root=/nowhere/at/all"]
    assert refused(verb, recipe, "--out", "there", *words).startswith("/nowhere/at/all")


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_a_field_that_the_dataset_lacks_is_named_with_the_recording(
    recipe: Path, refused: Refused, world: Path, verb: str
):
    said = refused(verb, recipe, "--data.dataset=tiny.WithoutGaze", f"--data.dataset.root={world}")
    assert "'gaze'" in said
    assert said.startswith("train-0000" if verb == "train" else "test-0000")
    assert "sound: {}" in refused(verb, recipe, "--task.model=tiny.NeedsSound")


def test_a_checkpoint_of_another_model_or_none_at_all_is_refused(run: Path, refused: Refused):
    other = refused("evaluate", run, "--task.model.width=3")
    assert "inside.weight is (8, 144) and not (3, 144)" in other
    assert "no such file" in refused("evaluate", run, "--weights", "no.ckpt")
    assert "the folder of a run" in refused("evaluate", run, "--weights", run / "csv")
    assert "no readable checkpoint" in refused("evaluate", run, "--weights", run / "recipe.yaml")


@pytest.mark.parametrize("verb", ["train", "evaluate", "prepare"])
def test_every_verb_of_recipes_prints_what_it_would_do_and_does_nothing(
    recipe: Path, verb: str, capsys: pytest.CaptureFixture[str]
):
    assert main([verb, str(recipe), "--out", "there", "--print_config", "--training.max_steps", "7"]) == 0
    said = capsys.readouterr()
    assert "max_steps: 7" in said.out
    assert not said.err
    assert not Path("there").exists()


@pytest.mark.parametrize("path", ["no.yaml", "."])
def test_a_recipe_that_is_not_there_is_refused(recipe: Path, refused: Refused, path: str):
    assert refused("train", path).startswith(path)


def test_a_run_does_not_go_on_with_another_recipe_and_says_what_differs(run: Path, recipe: Path, refused: Refused):
    kept = {f: f.read_bytes() for f in run.rglob("*") if f.is_file()}
    said = refused("train", recipe, "--out", run, "--data.batch_size=1", "--training.max_steps=9")
    assert "data.batch_size is 2 there and 1 here\n" in said
    assert kept == {f: f.read_bytes() for f in run.rglob("*") if f.is_file()}


def test_a_run_does_not_go_on_with_other_recordings(run: Path, refused: Refused, world: Path, tmp_path: Path):
    copy = shutil.copytree(world, tmp_path / "worlds")
    recipe = (run / "recipe.yaml").read_text().replace(str(world), str(copy))
    (run / "recipe.yaml").write_text(recipe)
    assert main(["train", str(run)]) == 0, "where they lie does not count"
    (gaze,) = copy.glob("*/train-0000/gaze.csv")
    gaze.write_text("\n".join(gaze.read_text().splitlines()[:-5]) + "\n")
    assert "have changed since this run began" in refused("train", run)


def test_what_only_the_machine_decides_may_change_when_a_run_goes_on(run: Path, recipe: Path, capsys):
    shutil.copy(run / "checkpoints" / "last.ckpt", run / "kept.ckpt")
    words = ["--data.workers=1", "--on-error", "skip", "--training.threads=2"]
    assert main(["train", str(recipe), "--out", str(run), *words]) == 0
    assert "all steps were done before" in capsys.readouterr().out
    assert (run / "kept.ckpt").read_bytes() == (run / "checkpoints" / "last.ckpt").read_bytes()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--training.accelerator=quantum"], "invalid accelerator name"),
        (["--training.strategy=fast"], "invalid strategy name"),
        (["--training.strategy=fsdp"], "requires a GPU"),
        (["--training.devices=3"], "--data.batch_size 3, or fewer"),
    ],
)
def test_devices_that_are_not_there_are_named(recipe: Path, refused: Refused, words: list[str], answer: str):
    assert answer in refused("train", recipe, "--out", "there", *words)
    assert not list(Path("there").rglob("*.ckpt"))


def test_a_disk_without_room_for_a_checkpoint_leaves_the_last_good_one(recipe: Path, run: Path, refused: Refused):
    """The real thing: no file of this process may grow beyond what a checkpoint of this model needs."""
    last = run / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        said = refused("train", recipe, "--out", run, "--restart")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert said.startswith(str(run / "checkpoints"))
    assert "cannot be written" in said
    assert last.read_bytes() == before
    assert read_checkpoint(last)["global_step"] == 2
    assert main(["train", str(recipe), "--out", str(run)]) == 0


@pytest.fixture
def damaged(world: Path, recipe: Path, tmp_path: Path) -> Path:
    """The recipe, with one training video that cannot be decoded after its first third."""
    copy = shutil.copytree(world, tmp_path / "damaged")
    (video,) = copy.glob("*/train-0001/video.mp4")
    content = bytearray(video.read_bytes())
    third, index = len(content) // 3, content.rfind(b"moov")
    end = index if index > third else len(content)
    content[third:end] = bytes(b ^ 0x5A for b in content[third:end])
    video.write_bytes(content)
    return write_recipe(tmp_path, tiny_recipe(copy, max_steps=6, save_every=1), "damaged")


def test_a_corrupt_video_met_by_a_worker_stops_the_run_which_then_goes_on_without_it(
    damaged: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
):
    said = refused("train", damaged, "--data.workers=2", "--out", "there")
    assert "train-0001/video.mp4" in said.splitlines()[0]
    assert "cannot be decoded at" in said
    assert main(["train", str(damaged), "--data.workers=2", "--out", "there", "--on_error", "skip"]) == 0
    out = capsys.readouterr().out
    assert "could not be read and were skipped" in out
    assert "train-0001 [" in out
    assert read_checkpoint(Path("there/checkpoints/last.ckpt"))["global_step"] == 6


def test_scores_say_how_many_clips_were_skipped(damaged: Path, refused: Refused, capsys: pytest.CaptureFixture[str]):
    assert "train-0001" in refused("evaluate", damaged, "--data.eval.test=train")
    assert main(["evaluate", str(damaged), "--data.eval.test=train", "--on_error=skip"]) == 0
    out = capsys.readouterr().out
    assert "recordings or clips skipped: train-0001 [" in out
    assert "moments counted" in out
