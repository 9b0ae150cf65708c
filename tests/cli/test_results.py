"""A folder of results belongs to one recording, and scores are about the recording that was answered about."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import regard
from regard.errors import NothingToScoreError
from regard.io import FilmWriter
from regard.io.fingerprint import fingerprint
from regard.io.predictions import read_prediction


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Two recordings of one name and other pictures."""
    folders = [tmp_path / person / "walk" for person in ("ann", "ben")]
    for seed, folder in enumerate(folders):
        folder.mkdir(parents=True)
        rng = np.random.default_rng(seed)
        with FilmWriter(folder / "walk.mp4", size=(48, 64)) as film:
            for k in range(6):
                film.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), k / 10)
        (folder / "gaze.csv").write_text("timestamp_s,x,y\n" + "".join(f"{k / 10},0.5,0.5\n" for k in range(6)))
    return folders


@pytest.mark.parametrize("words", [["show"], ["predict", "--model", "centre-prior"], ["evaluate"], ["demo"]])
def test_a_folder_that_was_asked_for_by_name_holds_one_recording_s_results(say, two, words):
    verb, *rest = words
    assert say(verb, two[0], *rest, "--out", "results").code == 0
    before = {p: p.read_bytes() for p in Path("results").iterdir()}
    said = say(verb, two[1], *rest, "--out", "results")
    assert said.code == 2
    assert f"a folder with the results of {two[0] / 'walk.mp4'}" in said.err
    assert {p: p.read_bytes() for p in Path("results").iterdir()} == before
    assert say(verb, two[0], *rest, "--out", "results").code == 0


def test_a_folder_in_which_nothing_came_to_be_is_free_again(say, two, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("regard.cli.show.film", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
        assert say("show", two[0], "--out", "results").code == 2
    assert not Path("results").exists()
    assert say("show", two[1], "--out", "results").code == 0


def test_a_prediction_about_another_recording_of_the_same_name_is_not_scored(say, two):
    for folder, out in zip(two, ("a", "b"), strict=True):
        assert say("predict", folder, "--model", "centre-prior", "--no_film", "--out", out).code == 0
    ann, ben = (read_prediction(f"{out}/centre-prior.parquet") for out in ("a", "b"))
    assert ann.recording == ben.recording
    assert len(regard.evaluate(regard.open(two[0]), ann).items) == 6
    with pytest.raises(NothingToScoreError, match=r"about another video \(walk.mp4, [\d,]+ bytes\)"):
        regard.evaluate(regard.open(two[1]), ann)
    in_memory = regard.predict(regard.open(two[1]), model="centre-prior")
    with pytest.raises(NothingToScoreError, match="about another video"):
        regard.evaluate(regard.open(two[0]), in_memory)


def test_a_copy_of_a_recording_is_known_again(tmp_path, two):
    copy = shutil.copytree(two[0], tmp_path / "elsewhere" / "walk")
    prediction = regard.predict(regard.open(two[0]), model="centre-prior")
    assert len(regard.evaluate(regard.open(copy), prediction).items) == 6
    renamed = (copy / "walk.mp4").rename(copy / "other.mp4")
    first, second = fingerprint(two[0] / "walk.mp4"), fingerprint(renamed)
    assert first != second
    assert first.is_of(second)
