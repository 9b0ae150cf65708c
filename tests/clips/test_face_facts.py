"""How sharp a face is and which way its head is turned, made once, kept as a table, and told to models."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from typing_extensions import override

from regard.errors import FileError, RecipeError, TableError
from regard.io import FilmWriter
from regard.ops.tracking import Found
from regard.prepare.face_detector import FaceDetector
from regard.prepare.face_facts import FaceFacts
from regard.prepare.folder import prepare, use_prepared
from regard.prepare.making import completed
from regard.types import FaceTrack, MediaStream, Recording

FRAMES = 6


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A picture, plain at the left and noise at the right, a face in each; the left one's fourth box is outside."""
    path = tmp_path_factory.mktemp("facts") / "film.mp4"
    picture = np.full((96, 128, 3), 100, np.uint8)
    picture[:, 64:] = np.random.default_rng(0).integers(0, 256, (96, 64, 1))
    with FilmWriter(path, size=(96, 128)) as film:
        for k in range(FRAMES):
            film.write(picture, k / 30)
    left = np.tile([0.1, 0.3, 0.35, 0.7], (FRAMES, 1))
    left[3] = [1.2, 0.3, 1.4, 0.7]
    boxes = {"plain": left, "noise": np.tile([0.6, 0.3, 0.85, 0.7], (FRAMES, 1))}
    no = np.zeros(FRAMES, bool)
    faces = tuple(
        FaceTrack(person=who, time_s=np.arange(FRAMES) / 30, box=box, looking=no, looking_known=no)
        for who, box in boxes.items()
    )
    return Recording(id="r", subject="s", video=MediaStream(path=path), faces=faces)


class Angles(NamedTuple):
    angle_deg: Tensor


class Heads(nn.Module):
    """Tells the mean brightness as yaw."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, faces: Tensor) -> Angles:
        yaw = self.scale * faces.float().mean(dim=(1, 2, 3))
        return Angles(torch.stack([yaw, torch.zeros_like(yaw), torch.ones_like(yaw)], dim=1))


class PublishedHeads(Heads):
    @classmethod
    def from_published(cls, state: object) -> "PublishedHeads":
        return cls(2.0)


@dataclass(frozen=True)
class Middles(FaceDetector):
    """Finds a face in the middle of a picture that is not too dark, with all landmarks there."""

    @override
    def find(self, picture: np.ndarray) -> Found:
        k = int(picture.mean() > 10)
        middle = np.full((k, 5, 2), 0.5)
        return Found(box=np.tile([0.25, 0.25, 0.75, 0.75], (k, 1)), score=np.ones(k), landmarks=middle)


def made(recording: Recording, root: Path, making: FaceFacts) -> Recording:
    prepare([recording], root / "face_facts", making, workers=1)
    return use_prepared([recording], root, own=[making])[0]


def test_a_face_is_as_good_as_it_is_sharp_and_a_box_outside_is_not_known(seen, tmp_path):
    plain, noise = made(seen, tmp_path, FaceFacts()).faces
    assert np.isnan(plain.known["sharpness"]).tolist() == [k == 3 for k in range(FRAMES)]
    assert np.nanmax(plain.known["quality"]) < 0.5 < noise.known["quality"].min()
    assert noise.known.keys() == {"sharpness", "quality"}
    assert plain.known["quality"].shape == (FRAMES,)


def test_heads_and_landmarks_are_told_where_a_model_and_a_detector_are_given(seen, tmp_path):
    plain, noise = made(seen, tmp_path, FaceFacts(head_pose=Heads(), detector=Middles())).faces
    angles = plain.known["head_pose_deg"]
    assert np.isnan(angles[3]).all()
    np.testing.assert_allclose(angles[0, 1:], [0, 1])
    landmarks = noise.known["landmarks"]
    assert landmarks.shape == (FRAMES, 5, 3)
    # of the loose crop's middle: twice as wide as the box, and as high, a quarter of the height above the box's middle
    np.testing.assert_allclose(landmarks[0], np.tile([0.5, 0.25, 1], (5, 1)), atol=0.03)
    table = pd.read_csv(next((tmp_path / "face_facts").glob("*.csv")))
    assert list(table["track"]) == ["plain"] * FRAMES + ["noise"] * FRAMES


def test_published_weights_are_read_before_heads_are_told_and_asked_for(seen, tmp_path):
    with pytest.raises(RecipeError, match="PublishedHeads without weights"):
        FaceFacts(head_pose=PublishedHeads())
    named = FaceFacts(head_pose=PublishedHeads(), weights="some-name")
    ready = named.with_models(lambda model, weights: type(model)(scale=3.0 if weights == "some-name" else 0.0))
    told = completed(seen, frozenset({"faces"}), tmp_path, size=None, own=[ready])
    once = completed(seen, frozenset({"faces"}), tmp_path, size=None, own=[FaceFacts(head_pose=Heads())])
    thrice, single = (r.faces[1].known["head_pose_deg"][0, 0] for r in (told, once))
    np.testing.assert_allclose(thrice, 3 * single, rtol=1e-4)
    assert completed(seen, frozenset({"faces"}), tmp_path, size=None) is seen, "nobody who is asked needs them"


def test_facts_about_other_tracks_and_a_table_that_lacks_a_column_are_refused(seen, tmp_path):
    made(seen, tmp_path, FaceFacts())
    with pytest.raises(FileError, match="other face tracks"):
        use_prepared([replace(seen, faces=seen.faces[:1])], tmp_path)
    (table,) = (tmp_path / "face_facts").glob("*.csv")
    facts = {"from": FaceFacts().made_from(seen)}
    table.write_text(table.read_text().replace("quality", "goodness"))
    with pytest.raises(TableError, match="quality"):
        FaceFacts.use(seen, table, facts)
