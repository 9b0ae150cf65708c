"""Faces that were cut out once are read in place of whole pictures, and made again when their tracks change."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from regard.batch import Sample
from regard.clips import ClipDataset, FaceWindows
from regard.errors import FileError, RecipeError
from regard.io import FilmWriter
from regard.prepare.face_films import FaceFilms
from regard.prepare.folder import prepare, use_prepared
from regard.transforms import FaceCrop, HorizontalFlip
from regard.types import FaceTrack, MediaStream, Recording

FACES = frozenset({"video", "faces"})


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A gradient in 12 frames with two faces: ann's lacks frame 4 and leaves the picture, bo's comes later."""
    path = tmp_path_factory.mktemp("faces") / "film.mp4"
    across, down = np.meshgrid(np.arange(128), np.arange(96))
    with FilmWriter(path, size=(96, 128)) as film:
        for k in range(12):
            film.write(np.stack([2 * across, 2 * down, np.full_like(down, 20 * k)], axis=2).astype(np.uint8), k / 30)
    ann, bo = np.array([0, 1, 2, 3, 5, 6, 7]), np.array([6, 7, 8])
    moving = np.array([[0.1, 0.2, 0.4, 0.6]]) + 0.1 * ann[:, None] * [1, 0, 1, 0]
    boxes = {"ann": moving, "bo": np.tile([0.2, 0.3, 0.5, 0.8], (3, 1))}
    faces = tuple(
        FaceTrack(
            person=who,
            time_s=frames / 30,
            box=boxes[who],
            looking=np.ones(len(frames), bool),
            looking_known=np.ones(len(frames), bool),
        )
        for who, frames in (("ann", ann), ("bo", bo))
    )
    return Recording(id="r", subject="s", video=MediaStream(path=path), faces=faces)


def faces_of(recording: Recording, *steps) -> list[Sample]:
    sampler = FaceWindows(num_frames=3)
    return list(ClipDataset([recording], sampler, needs=FACES, transforms=steps or (FaceCrop(32),)))


def test_prepared_faces_are_those_of_the_pictures(seen, tmp_path):
    prepare([seen], tmp_path / "face_films", FaceFilms(size=32), workers=1)
    (after,) = use_prepared([seen], tmp_path)
    assert after.face_film is not None
    for before, now in zip(faces_of(seen), faces_of(after), strict=True):
        assert before.video is not None
        assert now.video is not None
        assert now.given is None
        assert (now.clip.frame_valid is None) == (before.clip.frame_valid is None)
        valid = slice(None) if before.clip.frame_valid is None else before.clip.frame_valid
        np.testing.assert_array_equal(before.clip.frame_valid, now.clip.frame_valid)
        assert (before.video[valid].float() - now.video[valid].float()).abs().mean() < 4
    mirrored, straight = faces_of(after, HorizontalFlip(p=1.0), FaceCrop(32))[0].video, faces_of(after)[0].video
    assert mirrored is not None
    assert straight is not None
    torch.testing.assert_close(mirrored, straight.flip(-1))


def test_loosely_cut_faces_serve_tight_crops_and_tight_ones_no_loose(seen, tmp_path):
    loose = FaceFilms(size=64, margin=(0.5, 0.75, 0.5, 0.25))
    prepare([seen], tmp_path / "loose" / "face_films", loose, workers=1)
    prepare([seen], tmp_path / "tight" / "face_films", FaceFilms(size=32), workers=1)
    (after,) = use_prepared([seen], tmp_path / "loose", own=[loose])
    for crop in (FaceCrop(32), FaceCrop(32, (0.5, 0.75, 0.5, 0.25)), FaceCrop(32, 0.25)):
        before, now = faces_of(seen, crop)[1].video, faces_of(after, crop)[1].video
        assert before is not None
        assert now is not None
        assert (before.float() - now.float()).abs().mean() < 6, crop
    with pytest.raises(RecipeError, match="cut at least as loosely"):
        faces_of(use_prepared([seen], tmp_path / "tight")[0], FaceCrop(32, 0.25))


def test_faces_are_cut_again_where_tracks_have_changed(seen, tmp_path):
    out = tmp_path / "face_films"
    prepare([seen], out, FaceFilms(size=32), workers=1)
    changed = replace(seen, faces=seen.faces[:1])
    with pytest.raises(FileError, match="other face tracks than r has now"):
        use_prepared([changed], tmp_path)
    assert prepare([seen], out, FaceFilms(size=32), workers=1).already == ("r",)
    assert prepare([changed], out, FaceFilms(size=32), workers=1).made == ("r",)
    assert use_prepared([changed], tmp_path)[0].face_film is not None
    without = replace(seen, faces=())
    assert not FaceFilms.lacks(without)


def test_a_box_after_the_videos_end_or_beside_its_pictures_is_no_obstacle(seen, tmp_path: Path):
    face = replace(seen.faces[1], time_s=np.array([0.0, 0.1, 9.0]), box=seen.faces[1].box + np.array([[0], [5], [0]]))
    recording = replace(seen, faces=(face,))
    prepare([recording], tmp_path / "face_films", FaceFilms(size=32), workers=1)
    samples = faces_of(use_prepared([recording], tmp_path)[0])
    assert samples[0].clip.frame_valid is not None


def test_two_faces_in_one_box_and_one_that_comes_back_stay_apart(seen, tmp_path):
    bo = seen.faces[1]
    again = replace(bo, person="ann", track="ann-2")
    recording = replace(seen, faces=(seen.faces[0], bo, again))
    prepare([recording], tmp_path / "face_films", FaceFilms(size=32), workers=1)
    samples = faces_of(use_prepared([recording], tmp_path)[0])
    assert [s.clip.person for s in samples] == ["ann"] * 7 + ["bo"] * 3 + ["ann-2"] * 3
    assert [s.clip.face.person for s in samples[7:]] == ["bo"] * 3 + ["ann"] * 3
    same = samples[8].video, samples[11].video
    assert same[0] is not None
    assert same[1] is not None
    assert (same[0].float() - same[1].float()).abs().mean() < 4
