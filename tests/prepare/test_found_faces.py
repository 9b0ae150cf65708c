"""Faces are found, followed, kept and used again; and on real people every one keeps one name."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typing_extensions import override

from regard.engine.predict import predict
from regard.errors import FileError, RecipeError, RegardError
from regard.io import FilmWriter
from regard.io.recording import open_recording
from regard.metrics.looking import ap_looking, ap_not_looking
from regard.ops.tracking import Found, overlap
from regard.prepare.face_detector import FaceDetector
from regard.prepare.faces import FoundFaces
from regard.prepare.folder import prepare, use_prepared
from regard.prepare.making import completed
from regard.types import FaceTrack, MediaStream, Recording

CLIPS = Path(__file__).parents[2].parent / "shared" / "data" / "looking_faces"
NEEDS = frozenset({"faces"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BrightSquare(FaceDetector):
    """Takes what is brighter than `level` for a face."""

    level: int = 200
    short_side: int | None = 24

    @override
    def find(self, picture: np.ndarray) -> Found:
        rows, columns = np.nonzero(picture.mean(axis=2) > self.level)
        if len(rows) == 0:
            return Found(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))
        h, w = picture.shape[:2]
        box = [columns.min() / w, rows.min() / h, (columns.max() + 1) / w, (rows.max() + 1) / h]
        return Found(np.array([box]), np.ones(1), np.full((1, 5, 2), np.nan))


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Half a second of nobody, then a bright square that walks to the right."""
    monkeypatch.setenv("REGARD_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "in.mp4"
    with FilmWriter(path, size=(48, 64)) as writer:
        for k in range(30):
            picture = np.full((48, 64, 3), 40, np.uint8)
            if k >= 10:
                picture[16:32, k : k + 16] = 240
            writer.write(picture, k / 20)
    return open_recording(path)


def test_faces_of_ones_own_detector_are_followed_and_named_and_nobody_is_said_to_look(video: Recording, tmp_path: Path):
    (face,) = completed(video, NEEDS, tmp_path, size=None, own=(FoundFaces(detector=BrightSquare()),)).faces
    assert face.name == "face-1"
    assert face.time_s == pytest.approx(np.arange(10, 30) / 20, abs=1e-5)
    assert face.box[0] == pytest.approx([10 / 64, 1 / 3, 26 / 64, 2 / 3], abs=0.05)
    assert not face.looking_known.any()
    assert np.isnan(face.known["landmarks"]).all()


def test_what_was_found_once_is_not_looked_for_again_until_the_settings_change(
    video: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    making = FoundFaces(detector=BrightSquare())
    first = making.use(video, *made(making, video, tmp_path / "one.csv"))
    monkeypatch.setattr(BrightSquare, "find", lambda *_: pytest.fail("looked again"))
    again = making.use(video, *made(making, video, tmp_path / "two.csv"))
    assert np.array_equal(first.faces[0].box, again.faces[0].box)
    with pytest.raises(pytest.fail.Exception):
        made(replace(making, detector=BrightSquare(level=100)), video, tmp_path / "three.csv")


def test_a_folder_of_prepared_faces_is_made_by_other_processes_and_used(video: Recording, tmp_path: Path):
    done = prepare((video,), tmp_path / "ready" / FoundFaces.folder, FoundFaces(detector=BrightSquare()), workers=1)
    assert done.made == (video.id,)
    (ready,) = use_prepared((video,), tmp_path / "ready")
    assert [face.name for face in ready.faces] == ["face-1"]


def test_a_recipe_may_name_a_detector_of_a_package_that_the_user_trusts(
    video: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "own_faces.py").write_text(
        "import numpy as np\n"
        "from regard.ops.tracking import Found\n"
        "from regard.prepare.face_detector import FaceDetector\n"
        "class Fixed(FaceDetector):\n"
        "    def __init__(self, *, x: float) -> None:\n"
        "        self.x = x\n"
        "    def find(self, picture):\n"
        "        points = [[[0.5, 0.5], [0.6, 0.3], [0.4, 0.3], [0.58, 0.7], [0.42, 0.7]]]\n"
        "        return Found(np.array([[self.x, 0.2, 0.7, 0.8]]), np.ones(1), np.array(points))\n"
    )
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "# Mine.\n"
        "task: {class_path: LookingAtMe, init_args: {model: {class_path: FaceFrontality}}}\n"
        "data:\n"
        "  makings:\n"
        "    - class_path: FoundFaces\n"
        "      init_args: {detector: {class_path: own_faces.Fixed, init_args: {x: 0.25}}}\n"
        "  predict: {sampler: {class_path: FaceStretches}}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match="--trust own_faces"):
        predict(video, model=recipe)
    said = predict(video, model=recipe, trust=["own_faces"])
    assert len(said) == 30
    assert said["box"][:, 0] == pytest.approx(0.25)


def made(making: FoundFaces, recording: Recording, file: Path) -> tuple[Path, dict]:
    return file, making.make(recording, file)


def test_a_recording_with_faces_of_its_own_keeps_them(video: Recording):
    face = FaceTrack(
        person="ann", time_s=np.zeros(1), box=np.array([[0.1, 0.1, 0.2, 0.2]]), looking=np.zeros(1, bool),
        looking_known=np.zeros(1, bool),
    )  # fmt: skip
    assert FoundFaces.lacks(video)
    assert not FoundFaces.lacks(replace(video, faces=(face,)))


def test_where_a_table_says_that_nobody_is_in_view_nobody_looks_for_faces(
    video: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert video.faces is None
    header = "person,timestamp_s,x0,y0,x1,y1,looking\n"
    (tmp_path / "in.faces.csv").write_text(header)
    empty = open_recording(video.require_video().path)
    assert empty.faces == ()
    assert not FoundFaces.lacks(empty)
    with pytest.raises(RegardError, match=r"empty faces\.csv"):
        predict(empty, model="frontality")


def test_a_recipe_of_labelled_windows_is_asked_about_every_face_that_is_found(video: Recording, tmp_path: Path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "# Mine.\n"
        "task: {class_path: LookingAtMe, init_args: {model: {class_path: FaceFrontality}}}\n"
        "data:\n"
        "  dataset: {class_path: Synthetic}\n"
        "  eval: {val: val, test: test, sampler: {class_path: FaceWindows, init_args: {num_frames: 5, stride: 13}}}\n"
    )
    face = FaceTrack(
        person="ann", time_s=np.arange(10) / 20, box=np.full((10, 4), [0.1, 0.1, 0.2, 0.2]),
        looking=np.zeros(10, bool), looking_known=np.zeros(10, bool), known={"landmarks": np.full((10, 5, 3), 0.5)},
    )  # fmt: skip
    assert len(predict(replace(video, faces=(face,)), model=recipe)) == 10


def test_a_video_without_a_face_is_said_plainly(video: Recording, tmp_path: Path):
    with pytest.raises(RegardError, match="no face"):
        predict(video, model="frontality")


def test_a_detector_that_answers_in_another_form_is_named(video: Recording, tmp_path: Path):
    class Odd(BrightSquare):
        @override
        def find(self, picture: np.ndarray) -> Found:
            return Found(np.zeros((2, 4)), np.zeros(1), np.zeros((2, 5, 2)))

    with pytest.raises(FileError, match=r"Odd"):
        FoundFaces(detector=Odd()).make(video, tmp_path / "odd.csv")


def test_a_video_with_a_broken_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, video: Recording):
    path = video.require_video().path
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FileError, match=r"broken\.mp4"):
        FoundFaces(detector=BrightSquare()).make(replace(video, video=MediaStream(path=broken)), tmp_path / "f.csv")


@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs ../shared/data/looking_faces, which is not here")
def test_real_people_keep_one_name_each_and_frontality_agrees_with_those_who_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REGARD_CACHE", str(tmp_path))
    labels = pd.read_csv(CLIPS / "face_tracks.csv")
    score, looking = [], []
    for clip, rows in labels.groupby("clip"):
        said = predict(open_recording(CLIPS / f"{clip}.mp4"), model="frontality")
        assert len(set(said.who)) == rows["track"].nunique()
        who, size = np.array(said.who), np.array([480, 270, 480, 270])
        for _, track in rows.groupby("track"):
            boxes = track[["x0_px", "y0_px", "x1_px", "y1_px"]].to_numpy() / size
            names = []
            for box, time_s, label in zip(boxes, track["timestamp_s"], track["looking_by_eye"], strict=True):
                now = np.flatnonzero(np.abs(said.time_s - time_s) < 0.01)
                shares = overlap(box[None], said["box"][now].astype(np.float64))[0]
                if shares.max(initial=0) >= 0.3:
                    best = now[shares.argmax()]
                    names.append(who[best])
                    score += [said["looking"][best]] if not np.isnan(label) else []
                    looking += [label == 1] if not np.isnan(label) else []
            assert len(names) >= 0.9 * len(track)
            assert len(set(names)) == 1
    assert len(score) == 202
    assert ap_looking(np.array(score, np.float64), np.array(looking)) > 0.95
    assert ap_not_looking(np.array(score, np.float64), np.array(looking)) > 0.95
