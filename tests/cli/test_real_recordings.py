"""The command line and the four lines of Python on recordings of real devices."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import regard
from regard.engine.evaluate import NothingToScoreError, Scores
from regard.io import open_video
from regard.types import Recording


@pytest.fixture(scope="module")
def neon(real_data: Path) -> Recording:
    return regard.open(real_data / "neon_window" / "raw")


@pytest.fixture(scope="module")
def scores(neon: Recording) -> dict[str, Scores]:
    """Of both training-free estimators on the Neon recording."""
    return {m: regard.evaluate(neon, regard.predict(neon, model=m)) for m in ("centre-prior", "saliency")}


def value(scores: Scores, score: str) -> float:
    return float(scores.summary.set_index("score")["value"][score])


def test_the_first_second_of_the_neon_recording_is_lost_in_every_frame(neon, scores):
    video = open_video(neon.video)
    lost = ~neon.gaze.at(video.times_s).valid
    assert lost.tolist() == [True] * 32 + [False] * 112
    for of_model in scores.values():
        np.testing.assert_allclose(of_model.items["time_s"], video.times_s)
        assert of_model.items["counted"].tolist() == (~lost).tolist()
        assert of_model.items.loc[:31, ["nss", "kl", "angle_deg", "recall@0.02"]].isna().all(axis=None)


def test_saliency_beats_the_centre_prior_on_the_neon_recording(scores):
    prior, saliency = scores["centre-prior"], scores["saliency"]
    assert value(saliency, "nss") > value(prior, "nss") > 1
    assert value(saliency, "f1") > value(prior, "f1")
    assert value(saliency, "angle_deg") < value(prior, "angle_deg")
    assert value(saliency, "information_gain_bits") > 0
    assert value(prior, "information_gain_bits") == pytest.approx(0, abs=1e-6)


def test_the_neon_clock_agrees_with_its_video_within_a_millisecond(neon):
    clocks = next(f for f in regard.check(neon).findings if f.name == "clocks")
    assert clocks.level == "ok"
    assert clocks.value < 1e-3


def test_an_angle_is_that_between_the_rays_of_the_neon_camera(neon, scores):
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is the oracle here")
    items = scores["saliency"].items.query("counted")
    size = np.array([1600, 1200])

    def rays(columns: list[str]) -> np.ndarray:
        pixel = items[columns].to_numpy(np.float64) * size - 0.5
        flat = cv2.undistortPoints(pixel[:, None], neon.camera.matrix, neon.camera.distortion)[:, 0]
        ray = np.column_stack([flat, np.ones(len(flat))])
        return ray / np.linalg.norm(ray, axis=1, keepdims=True)

    cosine = (rays(["x", "y"]) * rays(["predicted_x", "predicted_y"])).sum(axis=1)
    np.testing.assert_allclose(items["angle_deg"], np.degrees(np.arccos(cosine)), atol=0.02)


def test_a_prediction_of_an_aria_recording_is_scored_in_degrees(real_data):
    pytest.importorskip("projectaria_tools", reason="VRS needs regard[aria]")
    rec = regard.open(real_data / "aria_everyday")
    for model in ("centre-prior", "saliency"):
        of_model = regard.evaluate(rec, regard.predict(rec, model=model))
        assert len(of_model.items) == 8
        assert of_model.items["counted"].any()
        assert 0 < value(of_model, "angle_deg") < 60
        assert np.isfinite(of_model.summary["value"]).all()


def test_a_plain_film_is_predicted_and_cannot_be_scored(say, real_data):
    path = real_data / "video_files" / "dog_eating_854132.mp4"
    assert say("predict", path, "--model", "centre-prior", "--no_film").code == 0
    rec = regard.open(path)
    pred = pd.read_parquet("regard-out/dog_eating_854132/centre-prior.parquet")
    np.testing.assert_allclose(pred["time_s"], open_video(rec.video).times_s)
    with pytest.raises(NothingToScoreError, match="a recording without gaze"):
        regard.evaluate(rec, regard.predict(rec, model="centre-prior"))


def test_a_corrupt_film_is_found_out_and_refused(say, refused, real_data):
    path = real_data / "video_files" / "decord_corrupted.mp4"
    assert "last frame" in say("check", path).out
    assert "cannot be decoded at 2.8" in refused("predict", path, "--model", "saliency").found


def test_gaze_in_pixels_of_another_size_is_not_scored_in_silence(refused, real_data):
    error = refused("evaluate", real_data / "neon_window", "--model", "centre-prior")
    assert "no valid gaze on the image" in error.found
