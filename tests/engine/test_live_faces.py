"""Faces are found as pictures come, followed, asked about as `predict` asks, and looked at once each."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from watching import live_run

import regard
from regard.clips.sampling.faces import FaceStretches
from regard.engine import predict as engine
from regard.engine.ask import Asked
from regard.engine.live.film import LiveFilm
from regard.engine.predict import predict
from regard.io import FilmWriter, Video
from regard.io.live.played import Played
from regard.models import FaceFrontality, GazeLSTM
from regard.ops.tracking import Found
from regard.prediction import Prediction
from regard.prepare import FaceDetector, FoundFaces
from regard.tasks import LookingAtMe
from regard.transforms import FaceCrop, Normalise
from regard.types import FaceTrack, Recording

SIZE, RATE_HZ, NUM = (48, 96), 20, 30
LEAVES = 18
"""The picture in which the second face is gone."""
HIDDEN = (8, 9)
"""Those in which the first one is not found."""


@dataclass(frozen=True, slots=True)
class Squares(FaceDetector):
    """Finds a bright square in the left half, and one in the right half."""

    def find(self, picture):
        half = picture.shape[1] // 2
        boxes = []
        for left in (0, half):
            y, x = np.nonzero(picture[:, left : left + half].max(2) > 150)
            if len(x):
                boxes.append([left + x.min(), y.min(), left + x.max() + 1, y.max() + 1])
        box = np.array(boxes, np.float64).reshape(-1, 4) / np.tile(picture.shape[1::-1], 2)
        points = np.array([[0.5, 0.6], [0.7, 0.4], [0.3, 0.4], [0.65, 0.8], [0.35, 0.8]])
        landmarks = box[:, None, :2] + points * (box[:, None, 2:] - box[:, None, :2])
        return Found(box, np.ones(len(box)), landmarks)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faces") / "two.mp4"
    with FilmWriter(path, size=SIZE) as writer:
        for k in range(NUM):
            picture = np.full((*SIZE, 3), 30, np.uint8)
            if k not in HIDDEN:
                picture[10 + k % 4 : 26 + k % 4, 8 + k // 2 : 24 + k // 2] = (200, 180, 160 + k)
            if k < LEAVES:
                picture[16:36, 64 - k // 3 : 84 - k // 3] = (160, 210 - k, 200)
            writer.write(picture, k / RATE_HZ)
    return path


@pytest.fixture
def recording(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return regard.open(film)


def of_pictures(*, test_flip: bool = False) -> Asked:
    torch.manual_seed(0)
    model = GazeLSTM(width=8, hidden=16, weights="random").eval()
    return Asked(
        name="faces",
        task=LookingAtMe(model, test_flip=test_flip),
        sampler=FaceStretches(),
        transforms=(FaceCrop(size=32), Normalise()),
        makings=(FoundFaces(detector=Squares()),),
    )


def both(asked: Asked, recording: Recording, monkeypatch) -> tuple[Prediction, Prediction]:
    live, heard, _ = live_run(Played(recording, fast=True), asked)
    live.run()
    monkeypatch.setattr(engine, "ask", lambda *_, **__: asked)
    return heard.prediction, predict(recording, precision="32-true")


def assert_same(found: Prediction, wanted: Prediction, *, names: tuple[str, ...], atol: float = 1e-4) -> None:
    """Of each face and moment that was answered about live."""
    assert found.who is not None
    assert wanted.who is not None
    place = {(w, round(t, 4)): i for i, (w, t) in enumerate(zip(wanted.who, wanted.time_s.tolist(), strict=True))}
    rows = [place[w, round(t, 4)] for w, t in zip(found.who, found.time_s.tolist(), strict=True)]
    for name in names:
        np.testing.assert_allclose(found[name], wanted[name][rows], atol=atol, err_msg=name)


@pytest.mark.parametrize("test_flip", [False, True])
def test_faces_are_answered_about_as_predict_does(recording, monkeypatch, test_flip: bool):
    found, wanted = both(of_pictures(test_flip=test_flip), recording, monkeypatch)
    filled_later = (np.array(found.who) == "face-1") & np.isin(np.rint(found.seen_until_s * RATE_HZ), HIDDEN)
    assert_same(found.rows(~filled_later), wanted, names=("looking", "box"))
    assert np.ptp(found["looking"]) > 1e-4
    first, second = (found.rows(np.array(found.who) == name) for name in ("face-1", "face-2"))
    np.testing.assert_allclose(first.time_s, np.arange(3, NUM - 3) / RATE_HZ, atol=1e-6)
    np.testing.assert_allclose(second.time_s, np.arange(3, LEAVES) / RATE_HZ, atol=1e-6)
    np.testing.assert_allclose(first.seen_until_s - first.time_s, 3 / RATE_HZ, atol=1e-6)


def test_each_face_of_a_picture_is_looked_at_once(recording):
    asked, looked = of_pictures(), []
    per_frame = asked.task.model.per_frame
    asked.task.model.per_frame = lambda pictures: (looked.append(len(pictures)), per_frame(pictures))[1]
    live, _, _ = live_run(Played(recording, fast=True), asked)
    live.run()
    assert sum(looked) == NUM + LEAVES


def test_landmarks_are_asked_about_in_the_newest_picture_and_settled_by_the_past(recording, monkeypatch):
    task = LookingAtMe(FaceFrontality(), smooth_s=0.3)
    asked = replace(of_pictures(), task=task, transforms=FaceFrontality.preprocess)
    found, wanted = both(asked, recording, monkeypatch)
    assert_same(found, wanted, names=("looking_raw",))
    assert (found.time_s == found.seen_until_s).all()
    assert np.isfinite(found["looking"]).sum() > 20


def test_faces_that_are_known_keep_their_names(recording, monkeypatch):
    times_s = np.arange(5, 25) / RATE_HZ
    box = np.tile([0.1, 0.2, 0.4, 0.8], (20, 1))
    ann = FaceTrack(person="ann", time_s=times_s, box=box, looking=np.ones(20, bool), looking_known=np.ones(20, bool))
    found, wanted = both(of_pictures(), replace(recording, faces=(ann,)), monkeypatch)
    assert set(found.who or ()) == {"ann"}
    assert_same(found, wanted, names=("looking", "box"))
    np.testing.assert_allclose(found.time_s, times_s, atol=1e-6)


def test_pictures_of_another_size_begin_anew_under_new_names(recording, film, tmp_path):
    class Twice(Played):
        def frames(self, stop, tell):
            last_s = 0.0
            for one in super().frames(stop, tell):
                last_s = one.time_s
                yield one
            for one in super().frames(stop, tell):
                smaller = one.frame.reformat(width=SIZE[1] // 2, height=SIZE[0] // 2)
                yield replace(one, time_s=one.time_s + last_s + 0.05, frame=smaller)

    live, heard, _ = live_run(Twice(recording, fast=True), of_pictures())
    live.run()
    assert dict.fromkeys(heard.prediction.who or ()) == dict.fromkeys(["face-1", "face-2", "face-3", "face-4"])


def test_a_face_that_left_is_no_longer_drawn(recording, tmp_path):
    source = Played(recording, fast=True)
    live, _, _ = live_run(source, of_pictures(), listeners=(LiveFilm(source, tmp_path / "film.mp4"),))
    live.run()
    with Video(tmp_path / "film.mp4") as drawn, Video(recording.require_video().path) as plain:
        apart = [
            np.abs(drawn.frames_at(at).astype(int) - plain.frames_at(at))[0, :, SIZE[1] // 2 :].max()
            for at in (np.array([0.6]), np.array([1.45]))
        ]
    assert apart[0] > 60
    assert apart[1] < apart[0]
