"""What reads itself: paths where recordings go, lines that say what a thing is, frames one after the other."""

from pathlib import Path

import numpy as np
import pytest

import regard
from regard.io import Video, write_prediction
from regard.io.given import answers_of, path_of, recording_of
from regard.world import write_world


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_world(tmp_path / "kitchen", seed=3, duration_s=1.0, size=(48, 64))
    return tmp_path / "kitchen"


def test_paths_answer_as_what_lies_there_does(folder: Path, tmp_path: Path):
    recording = regard.open(folder)
    said = regard.predict(str(folder), model="centre-prior")
    file = tmp_path / "said.parquet"
    write_prediction(said, file)
    scores = regard.evaluate(folder, file)
    assert scores.items.equals(regard.evaluate(recording, said).items)
    assert regard.check(folder).findings == regard.check(recording).findings
    assert regard.fixations(folder, look=False).equals(regard.fixations(recording, look=False))
    assert regard.film(folder, file, tmp_path / "film.mp4").is_file()
    with pytest.warns(FutureWarning, match="the recording first"):
        assert regard.evaluate(said, recording).items.equals(scores.items)


def test_a_model_is_asked_before_it_is_scored(folder: Path):
    said = regard.predict(folder, model="centre-prior")
    assert regard.evaluate(folder, model="centre-prior").items.equals(regard.evaluate(folder, said).items)
    for given in ({}, {"prediction": said, "model": "centre-prior"}):
        with pytest.raises(regard.RegardError, match=r"regard\.evaluate\(recording, model=name\)"):
            regard.evaluate(folder, **given)


def test_another_kind_of_argument_is_refused_by_its_name():
    with pytest.raises(regard.RegardError, match="int 3") as refused:
        recording_of(3)
    assert refused.value.do == "open it first: regard.open(path)"
    with pytest.raises(regard.RegardError, match=r"list \[1, 2\]"):
        answers_of([1, 2])


def test_a_wrong_call_is_answered_with_the_right_one(folder: Path, tmp_path: Path):
    recording = regard.open(folder)
    with pytest.raises(regard.RegardError, match="too many positional arguments") as refused:
        regard.report(recording, None, tmp_path / "page.html")  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert refused.value.wanted == "regard.report(recording, path, prediction=prediction)"
    with pytest.raises(regard.RegardError, match=r"regard\.film\(recording, prediction, path\)"):
        regard.film(recording, tmp_path / "film.mp4")  # pyright: ignore[reportCallIssue]
    with pytest.raises(regard.RegardError, match=r"wanted: the path of the \.html file"):
        path_of(recording, ".html")


def test_a_film_and_a_page_are_refused_by_their_suffix_before_anything_is_done(tmp_path: Path):
    for write in (lambda path: regard.film("nowhere", None, path), lambda path: regard.report("nowhere", path)):
        with pytest.raises(regard.RegardError, match=r"found:  the suffix '\.txt'"):
            write(tmp_path / "x.txt")
    assert path_of("FILM.MP4", ".mp4") == Path("FILM.MP4")


def test_each_noun_says_in_a_line_what_it_is(folder: Path):
    recording = regard.open(folder)
    assert repr(recording).startswith("Recording kitchen: 1.0 s, 64x48, gaze at ")
    assert "measurements at" in repr(recording.gaze)
    said = regard.predict(recording, model="centre-prior")
    assert repr(said) == f"Prediction of centre-prior about kitchen: {len(said)} answers, 0.00 to " + (
        f"{said.time_s[-1]:.2f} s; log_density [64, 64]"
    )
    recording.require_video().path.unlink()
    assert "cannot be read" in repr(recording)


def test_scores_print_their_table_with_arrows(folder: Path):
    text = str(regard.evaluate(folder, regard.predict(folder, model="centre-prior")))
    lines = {line.split()[0]: line.split()[1] for line in text.splitlines() if "↑" in line or "↓" in line}
    assert (lines["nss"], lines["kl"], lines["angle_deg"]) == ("↑", "↓", "↓")
    assert max(map(len, text.splitlines())) <= 80
    assert "bootstrap" in text


def test_frames_come_one_after_the_other_with_their_times(folder: Path):
    recording = regard.open(folder)
    times_s, frames = zip(*recording.frames(), strict=True)
    assert np.array_equal(times_s, Video(folder / "video.mp4").times_s)
    assert frames[0].shape == (48, 64, 3)
    ((at_s, small),) = recording.frames(np.array([times_s[7] + 0.001]), size=(24, 32))
    assert at_s == pytest.approx(times_s[7] + 0.001)
    assert small.shape == (24, 32, 3)
    for asked in (0.5, [0.5]):
        assert [at_s for at_s, _ in recording.frames(asked)] == [0.5]


def test_gaze_becomes_a_table_with_states_in_words():
    track = regard.GazeTrack(
        time_s=np.array([0.0, 0.1]),
        point=np.array([[0.5, 0.25], [np.nan, np.nan]]),
        state=np.array([2, 0], np.int8),
        confidence=np.array([1.0, 0.2]),
    )
    table = track.to_pandas()
    assert table["state"].tolist() == ["fixation", "lost"]
    assert list(table.columns) == ["time_s", "x", "y", "state", "confidence"]
