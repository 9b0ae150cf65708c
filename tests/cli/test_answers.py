"""predict, evaluate and demo from the command line: what they write is what Python computes."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import regard
from regard.io import Video
from regard.io.predictions import read_prediction

BASELINES = ("centre-prior", "saliency", "gaze-stays")


def printed_scores(text: str) -> dict[str, float]:
    """The value column of the score table."""
    rows = re.findall(r"^(\w+) +(-?\d+\.\d{3}) ", text, flags=re.MULTILINE)
    return {name: float(value) for name, value in rows}


def adaptive_f1(items: pd.DataFrame) -> tuple[float, float]:
    """F1 and threshold of the published adaptive sweep, from the saved recall and precision of each moment."""
    best = (-1.0, np.nan)
    for column in items.filter(like="recall@"):
        threshold = column.removeprefix("recall@")
        recall, precision = items[column].mean(), items[f"precision@{threshold}"].mean()
        best = max(best, (2 * recall * precision / (recall + precision + 1e-6), float(threshold)))
    return best


@pytest.mark.parametrize("model", BASELINES)
def test_a_saved_prediction_is_the_one_that_python_computes(say, tiny_world, model):
    said = say("predict", tiny_world, "--model", model, "--no_film", "--out", "answers")
    assert said.code == 0
    assert {p.name for p in Path("answers").iterdir()} == {f"{model}.parquet", ".recording"}
    saved = read_prediction(Path(f"answers/{model}.parquet"))
    computed = regard.predict(regard.open(tiny_world), model=model)
    assert (saved.recording, saved.model) == (computed.recording, computed.model) == ("tiny", model)
    np.testing.assert_array_equal(saved.time_s, computed.time_s)
    np.testing.assert_array_equal(saved.seen_until_s, computed.seen_until_s)
    np.testing.assert_array_equal(saved["log_density"], computed["log_density"])
    assert said.out.splitlines()[-1] == f"next: regard evaluate {tiny_world} --model {model}"


def test_predict_writes_a_film_beside_the_table(say, tiny_world):
    said = say("predict", tiny_world, "--model", "centre-prior", "--out", "answers")
    assert said.code == 0
    assert {p.name for p in Path("answers").iterdir()} == {"centre-prior.parquet", "centre-prior.mp4", ".recording"}
    with Video("answers/centre-prior.mp4") as film, Video(tiny_world / "video.mp4") as video:
        assert len(film.times_s) == len(video.times_s)
        first, plain = (v.frames_at(np.array([0.0]))[0].astype(int) for v in (film, video))
    assert np.abs(first - plain).max() > 100, "nothing was drawn"


def test_a_horizon_reaches_the_model(say, tiny_world):
    assert say("predict", tiny_world, "--model", "gaze-stays", "--horizon_s", "0.25", "--no_film").code == 0
    saved = read_prediction(Path("regard-out/tiny/gaze-stays.parquet"))
    np.testing.assert_allclose(saved.time_s - saved.seen_until_s, 0.25, atol=1e-9)


@pytest.mark.parametrize("model", BASELINES)
def test_the_printed_scores_follow_from_the_saved_items(say, tiny_world, model):
    said = say("evaluate", tiny_world, "--model", model, "--out", "scores")
    assert said.code == 0
    written = {p.name for p in Path("scores").iterdir()}
    assert written == {f"{model}_scores.csv", f"{model}_scores.html", f"{model}_items.parquet", ".recording"}
    assert f"evaluate {tiny_world} --model {model}" in Path(f"scores/{model}_scores.html").read_text()
    items = pd.read_parquet(f"scores/{model}_items.parquet")
    saved = pd.read_csv(f"scores/{model}_scores.csv").set_index("score")
    printed = printed_scores(said.out)
    f1, threshold = adaptive_f1(items)
    assert saved["value"]["f1"] == pytest.approx(f1, abs=1e-5)
    assert f"threshold {threshold:g}" in saved["policy"]["f1"]
    for score in ("nss", "auc", "kl", "cc", "sim", "distance", "angle_deg", "information_gain_bits"):
        assert saved["value"][score] == pytest.approx(items[score].mean(), abs=1e-5)
    assert printed == pytest.approx(saved["value"].to_dict(), abs=6e-4)
    assert set(saved["num_items"]) == {int(items["counted"].sum())}
    assert f"{items['counted'].sum()} of {len(items)} moments counted" in said.out


def test_the_demo_answers_scores_and_shows_both_models(say, tiny_world):
    said = say("demo", tiny_world, "--out", "shown")
    assert said.code == 0
    of_each = ("{}.parquet", "{}_scores.csv", "{}_items.parquet")
    expected = {name.format(model) for model in ("centre-prior", "saliency") for name in of_each}
    assert {p.name for p in Path("shown").iterdir()} == {"film.mp4", "demo.html", ".recording", *expected}
    assert [p.name for p in Path.cwd().iterdir()] == ["shown"]
    assert all(f"shown/{name}" in said.out for name in expected)
    saved = pd.read_csv("shown/saliency_scores.csv").set_index("score")["value"]
    rows = re.findall(r"^saliency +(\w+) +(-?\d+\.\d{3}) ", said.out, flags=re.MULTILINE)
    assert {name: float(value) for name, value in rows} == pytest.approx(saved.to_dict(), abs=6e-4)
    page = Path("shown/demo.html").read_text()
    assert f"regard demo {tiny_world}" in page
    assert "predicted by saliency" in page
    assert said.out.splitlines()[-1] == f"next: regard show {tiny_world}"


def test_the_demo_of_a_plain_video_predicts_and_scores_nothing(say, silent_video):
    said = say("demo", silent_video)
    assert said.code == 0
    written = {p.name for p in Path("regard-out/walk").iterdir()}
    assert written == {"centre-prior.parquet", "saliency.parquet", "film.mp4", "demo.html", ".recording"}
    assert "no scores: a recording without gaze" in said.out
    assert "nss" not in said.out
    assert said.out.splitlines()[-1] == f"next: regard predict {silent_video} --model centre-prior"


@pytest.mark.parametrize("change", [{"valid": 0}, {"x": 3.5}], ids=["all lost", "all beside the picture"])
def test_the_demo_of_an_unusable_recording_stops_after_the_check(say, world, gaze_table, change):
    gaze_table.assign(**change).to_csv(world / "gaze.csv", index=False)
    said = say("demo", world)
    assert said.code == 1
    assert "not usable" in said.out
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(("out", "world"), [([], "regard-out/worlds"), (["--out", "elsewhere"], "elsewhere")])
def test_the_demo_without_a_path_makes_its_own_world_once(say, silent_video, monkeypatch, out, world):
    made = []

    def write(folder: Path, *, seed: int) -> None:
        made.append(seed)
        folder.mkdir(parents=True)
        shutil.copy(silent_video, folder / "video.mp4")

    monkeypatch.setattr("regard.cli.demo.write_world", write)
    assert say("demo", *out).code == 0
    assert say("demo", *out).code == 0
    assert len(made) == 1
    assert (Path(world) / "synthetic-world" / "video.mp4").is_file()
    assert len(list(Path.cwd().iterdir())) == 1


def test_python_does_the_same_in_four_lines(tiny_world, tmp_path):
    rec = regard.open(tiny_world)
    pred = regard.predict(rec, model="saliency")
    scores = regard.evaluate(rec, pred)
    path = regard.film(rec, pred, tmp_path / "film.mp4")
    assert list(scores.summary["score"][:4]) == ["f1", "recall", "precision", "nss"]
    assert len(scores.items) == len(pred.time_s) == len(Video(path).times_s)
    assert regard.check(rec).usable
    assert regard.report(rec, tmp_path / "report.html", prediction=pred).stat().st_size > 10_000


def test_a_video_without_gaze_is_not_predicted_on_before_it_is_said_that_nothing_can_be_scored(
    say, silent_video, monkeypatch
):
    monkeypatch.setattr("regard.cli.evaluate.predicted", lambda *_: pytest.fail("predicted"))
    said = say("evaluate", silent_video)
    assert said.code == 2
    assert "without gaze" in said.err
