"""Head pose and landmarks go with the pixels of a face."""

from pathlib import Path

import numpy as np
import torch

from regard.batch import Sample, View
from regard.transforms import FacePriors, GazePosePriors
from regard.transforms.face_priors import mirrored_priors
from regard.transforms.place import mirrored
from regard.types import Clip, FaceTrack, MediaStream, Recording

TIME_S = np.array([0.0, 0.1, 0.3])
LANDMARKS = np.random.default_rng(0).random((3, 5, 3))
HEAD_DEG = np.array([[10.0, 5.0, -3.0], [np.nan, 0.0, 0.0], [1.0, 2.0, 3.0]])


def sample(**known: np.ndarray) -> Sample:
    face = FaceTrack(
        person="anna",
        time_s=TIME_S,
        box=np.tile([0.2, 0.2, 0.4, 0.5], (3, 1)),
        looking=np.zeros(3, bool),
        looking_known=np.zeros(3, bool),
        known=known,
    )
    film = Recording(id="film", subject="nobody", video=MediaStream(path=Path("film.mp4")), faces=(face,))
    moments = np.array([0.0, 0.1, 0.2, 0.3])
    clip = Clip(recording=film, frame_s=moments, gaze_s=moments, person="anna")
    return Sample(clip=clip, video=torch.zeros(4, 3, 8, 8, dtype=torch.uint8))


def given(sample: Sample) -> dict[str, torch.Tensor]:
    found = FacePriors()(sample, generator=torch.Generator()).given
    assert found is not None
    return found


def test_what_a_track_knows_is_given_at_its_frames_and_nan_elsewhere() -> None:
    found = given(sample(landmarks=LANDMARKS, head_pose_deg=HEAD_DEG))
    np.testing.assert_allclose(found["landmarks"][[0, 1, 3]], LANDMARKS, atol=1e-6)
    np.testing.assert_allclose(found["head_pose"][[0, 1, 3]], HEAD_DEG)
    assert found["landmarks"][2].isnan().all()
    nothing = given(sample())
    assert nothing["landmarks"].shape == (4, 5, 3)
    assert all(value.isnan().all() for value in nothing.values())


def test_landmarks_follow_a_crop_and_a_mirror_image_changes_left_for_right() -> None:
    whole = sample(landmarks=LANDMARKS, head_pose_deg=HEAD_DEG)
    cropped = Sample(clip=whole.clip, view=View(0.1, 0.0, 0.6, 1.0))
    np.testing.assert_allclose(given(cropped)["landmarks"][0, :, 0], (LANDMARKS[0, :, 0] - 0.1) / 0.5, atol=1e-5)
    turned = given(mirrored(whole))
    left_eye, right_eye = LANDMARKS[0, 1], LANDMARKS[0, 2]
    np.testing.assert_allclose(turned["landmarks"][0, 1], [1 - right_eye[0], *right_eye[1:]], atol=1e-6)
    np.testing.assert_allclose(turned["landmarks"][0, 2], [1 - left_eye[0], *left_eye[1:]], atol=1e-6)
    assert turned["head_pose"][0].tolist() == [-10.0, 5.0, 3.0]


def test_published_priors_are_not_mirrored_with_the_pictures() -> None:
    turned = GazePosePriors()(
        mirrored(sample(landmarks=LANDMARKS, head_pose_deg=HEAD_DEG)), generator=torch.Generator()
    )
    assert turned.given is not None
    np.testing.assert_allclose(turned.given["landmarks"][0], LANDMARKS[0], atol=1e-6)
    assert turned.given["head_pose"][0].tolist() == [10.0, 5.0, -3.0]


def test_priors_of_a_mirrored_batch_are_those_of_mirrored_samples() -> None:
    whole = sample(landmarks=LANDMARKS, head_pose_deg=HEAD_DEG)
    before, after = given(whole), given(mirrored(whole))
    head, landmarks = mirrored_priors(before["head_pose"][None], before["landmarks"][None])
    assert head is not None
    assert landmarks is not None
    torch.testing.assert_close(head[0], after["head_pose"], equal_nan=True)
    torch.testing.assert_close(landmarks[0], after["landmarks"], equal_nan=True)
    assert mirrored_priors(None, None) == (None, None)
