"""Optical flow: that a known motion is found again, kept, moved with the pixels, and missed where it is missing."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from clip_films import gaze_track
from typing_extensions import override

from regard.batch import Sample
from regard.clips import ClipDataset, EveryClip
from regard.clips.collate import collate
from regard.clips.flow import decoded, encoded, open_flow
from regard.clips.sampling.window import Sampler
from regard.errors import FileError, RecipeError
from regard.io import FilmWriter
from regard.prepare.film import Settings
from regard.prepare.flow import FlowSettings
from regard.prepare.folder import prepare, use_prepared
from regard.transforms import (
    CentreCrop,
    EgoHARFlip,
    GazeAttentionFlip,
    HorizontalFlip,
    Resize,
    ScaleFlow,
    StandardiseFlow,
)
from regard.types import Clip, MediaStream, Recording

SHIFT_PX = (3.0, -2.0)
"""Of the made film, right and down per frame."""
ALWAYS = torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def sliding(tmp_path_factory) -> Recording:
    """A textured wall of 96 x 128 that slides by SHIFT_PX from frame to frame, 20 frames."""
    rng = np.random.default_rng(0)
    wall = torch.nn.functional.interpolate(
        torch.from_numpy(rng.uniform(0, 255, (1, 3, 30, 40))), scale_factor=8, mode="bicubic"
    )
    wall = wall[0].clamp(0, 255).byte().permute(1, 2, 0).numpy()
    path = tmp_path_factory.mktemp("sliding") / "wall.mp4"
    with FilmWriter(path, size=(96, 128)) as film:
        for k in range(20):
            top, left = round(60 - SHIFT_PX[1] * k), round(80 - SHIFT_PX[0] * k)
            film.write(wall[top : top + 96, left : left + 128], k / 24)
    return Recording(id="wall", subject="s", video=MediaStream(path=path), gaze=gaze_track(1.0))


@pytest.fixture(scope="module")
def prepared(sliding, tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    prepare([sliding], root, Settings(size=96), workers=1)
    prepare([sliding], root / "flow", FlowSettings(size=96), workers=1)
    return root


def both(recording: Recording, root) -> tuple[Recording, ...]:
    return use_prepared([recording], root, size=96)


def test_a_known_shift_is_recovered(sliding, prepared):
    (recording,) = both(sliding, prepared)
    film = open_flow(recording)
    flow = decoded(film.frames_at(film.times_s), size=(96, 128))
    middle = flow[:, :, 20:-20, 20:-20]
    np.testing.assert_allclose(np.median(middle, axis=(2, 3)), np.tile(SHIFT_PX, (20, 1)), atol=0.25)
    assert np.abs(middle - np.array(SHIFT_PX)[:, None, None]).mean() < 0.3


def test_flow_is_read_at_the_size_of_the_pictures_and_in_their_pixels(sliding, prepared):
    sampler = EveryClip(num_frames=4, interval_s=1 / 24, hop_s=0.2)
    dataset = ClipDataset(
        both(sliding, prepared), sampler, needs=frozenset({"video", "flow"}), decode_size=48, transforms=()
    )
    sample = dataset[1]
    assert isinstance(sample, Sample)
    assert sample.flow is not None
    assert sample.flow.shape == (4, 2, 48, 64)
    middle = sample.flow[:, :, 12:-12, 12:-12].flatten(2).median(dim=2).values
    np.testing.assert_allclose(middle, np.tile(SHIFT_PX, (4, 1)) / 2, atol=0.2)


def test_bytes_keep_the_flow_to_a_tenth_of_a_pixel_and_no_motion_exactly():
    flow = np.random.default_rng(1).uniform(-25, 25, (2, 8, 6)).astype(np.float32)
    flow[:, 0] = 0
    back = decoded(encoded(flow)[None], size=(8, 6))[0]
    assert np.abs(back - flow.clip(-20, 20)).max() <= 10 / 127 + 1e-6
    assert (back[:, 0] == 0).all()


def test_flow_is_made_once_and_its_manifest_says_how(sliding, prepared):
    again = prepare([sliding], prepared / "flow", FlowSettings(size=96), workers=1)
    assert again.already == ("wall",)
    settings = json.loads((prepared / "flow" / "manifest.json").read_text())["settings"]
    assert settings == {"made": "FlowSettings", "size": 96, "bound_px": 20.0, "method": "dis", "gop": 16}


def test_a_recording_without_flow_is_refused_where_the_model_reads_it(sliding):
    with pytest.raises(RecipeError, match="regard prepare"):
        ClipDataset([sliding], EveryClip(num_frames=4, interval_s=0.1, hop_s=0.4), needs=frozenset({"video", "flow"}))


def test_flow_of_another_length_is_refused(sliding, prepared, tmp_path):
    (recording,) = both(sliding, prepared)
    with FilmWriter(tmp_path / "short.mp4", size=(192, 128)) as film:
        for k in range(7):
            film.write(np.full((192, 128, 3), 128, np.uint8), k / 24)
    short = replace(recording, flow=MediaStream(path=tmp_path / "short.mp4"))
    with pytest.raises(FileError, match="flow for 7 frames"):
        open_flow(short)


@dataclass(frozen=True)
class Beside(Sampler):
    """One frame a clip, the flow at moments after it; of one clip more moments than of the other."""

    @override
    def clips(self, recording: Recording, *, times_s: np.ndarray, rng: np.random.Generator) -> tuple[Clip, ...]:
        return tuple(
            Clip(recording=recording, frame_s=times_s[k : k + 1], gaze_s=times_s[k : k + 1], flow_s=times_s[k : k + n])
            for k, n in ((0, 5), (7, 3))
        )


def test_flow_is_shown_at_moments_of_its_own_and_the_last_one_is_repeated_in_a_batch(sliding, prepared):
    (recording,) = both(sliding, prepared)
    film = open_flow(recording)
    needs = frozenset({"video", "flow"})
    data = ClipDataset([recording], Beside(), needs=needs, decode_size=48, transforms=(CentreCrop((40, 32)),))
    long, short = data[0], data[1]
    assert long.video.shape == (1, 3, 40, 32)
    assert (long.flow.shape, short.flow.shape) == ((5, 2, 40, 32), (3, 2, 40, 32))
    expected = decoded(film.frames_at(film.times_s[7:10]), size=(48, 64))[:, :, 4:-4, 16:-16]
    np.testing.assert_array_equal(short.flow, expected)
    batch = collate([long, short])
    assert batch.flow.shape == (2, 5, 2, 40, 32)
    assert torch.equal(batch.flow[1, 3:], short.flow[-1:].expand(2, -1, -1, -1))
    assert batch.frame_valid.tolist() == [[True], [True]]


def made_sample() -> Sample:
    frame_s = np.array([0.0])
    recording = Recording(id="r", subject="s")
    video = torch.arange(2 * 4 * 6, dtype=torch.uint8).reshape(1, 1, 8, 6).repeat(1, 3, 1, 1)
    flow = torch.stack([torch.full((8, 6), 2.0), torch.full((8, 6), 3.0)])[None]
    flow[..., 0] *= 2
    point = torch.tensor([[0.25, 0.5]])
    return Sample(
        clip=Clip(recording=recording, frame_s=frame_s, gaze_s=frame_s), video=video, flow=flow, gaze_point=point
    )


def test_a_flip_turns_motion_to_the_right_into_motion_to_the_left():
    before, after = made_sample(), HorizontalFlip(p=1.0)(made_sample(), generator=ALWAYS)
    assert before.flow is not None
    assert after.flow is not None
    assert after.flow[0, :, 0, 0].tolist() == [-2.0, 3.0]
    assert after.flow[0, :, 0, -1].tolist() == [-4.0, 6.0]
    assert torch.equal(HorizontalFlip(p=1.0)(after, generator=ALWAYS).flow, before.flow)


def test_the_published_flips_forget_what_they_say():
    sign = GazeAttentionFlip(p=1.0)(made_sample(), generator=ALWAYS)
    assert sign.flow is not None
    assert sign.gaze_point is not None
    assert sign.flow[0, :, 0, -1].tolist() == [4.0, 6.0]
    assert sign.view.apply(sign.gaze_point).tolist() == [[0.75, 0.5]]
    gaze = EgoHARFlip(p=1.0)(made_sample(), generator=ALWAYS)
    assert gaze.flow is not None
    assert gaze.gaze_point is not None
    assert gaze.flow[0, :, 0, -1].tolist() == [-4.0, 6.0]
    assert gaze.view.apply(gaze.gaze_point).tolist() == [[0.25, 0.5]]
    assert EgoHARFlip(p=0.0)(made_sample(), generator=ALWAYS).gaze_point is not None


def test_crops_and_sizes_move_the_flow_with_the_pixels():
    cropped = CentreCrop((4, 4))(made_sample(), generator=ALWAYS)
    assert cropped.flow is not None
    assert cropped.flow.shape == (1, 2, 4, 4)
    assert cropped.flow[0, :, 0, 0].tolist() == [2.0, 3.0]
    small = Resize((4, 3))(cropped, generator=ALWAYS)
    assert small.flow is not None
    np.testing.assert_allclose(small.flow[0, :, 1, 1], [2.0 * 3 / 4, 3.0], rtol=1e-5)


def test_flow_is_scaled_and_cut_to_one():
    scaled = ScaleFlow(bound_px=4.0)(made_sample(), generator=ALWAYS)
    assert scaled.flow is not None
    assert scaled.flow[0, :, 0, 0].tolist() == [1.0, 1.0]
    assert scaled.flow[0, :, 0, 1].tolist() == [0.5, 0.75]
    with pytest.raises(RecipeError, match="without flow"):
        ScaleFlow()(replace(made_sample(), flow=None), generator=ALWAYS)


def test_flow_is_standardised_as_the_grey_picture_that_published_code_makes_of_it():
    sample = replace(made_sample(), flow=torch.tensor([-30.0, -4.0, 0.0, 0.0, 4.0, 9.0]).expand(1, 2, 8, 6))
    grey = StandardiseFlow(bound_px=4.0)(sample, generator=ALWAYS)
    assert grey.flow is not None
    torch.testing.assert_close(grey.flow[0, 0, 0], (torch.tensor([0, 0, 0.5, 0.5, 1, 1]) - 0.449) / 0.226)
    mirrored = StandardiseFlow(bound_px=4.0)(HorizontalFlip(p=1.0)(sample, generator=ALWAYS), generator=ALWAYS)
    assert mirrored.flow is not None
    torch.testing.assert_close(mirrored.flow[0, 0, 0], (torch.tensor([0, 0, 0.5, 0.5, 1, 1]) - 0.449) / 0.226)
    with pytest.raises(RecipeError, match="StandardiseFlow"):
        StandardiseFlow()(replace(made_sample(), flow=None), generator=ALWAYS)


def test_flow_prepared_alone_is_used_beside_the_videos_as_recorded(sliding, tmp_path):
    prepare([sliding], tmp_path / "flow", FlowSettings(size=48), workers=1)
    (used,) = use_prepared([sliding], tmp_path, size=48)
    assert used.video == sliding.video
    assert used.flow is not None
    (tmp_path / "begun.json").write_text("{}")
    with pytest.raises(FileError, match="may be incomplete"):
        use_prepared([sliding], tmp_path, size=48)
