"""The windows and pictures that Kapidis et al. and STAM published are the goldens' own."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from golden_rule import Golden, golden_input
from regard.batch import Sample
from regard.clips import STAMWindows
from regard.models import MFNetMultitask
from regard.models.clip_lengths import by_length
from regard.ops.geometry import inside
from regard.transforms import (
    CentreCrop,
    HorizontalFlip,
    LostAtCorner,
    MFNetCrop,
    MFNetFlip,
    MFNetHLS,
    MFNetLostHands,
    MFNetScale,
    Resize,
    STAMCrop,
)
from regard.transforms.place import crop, mirrored
from regard.transforms.published_mfnet import hls_shifted, rescaled, scaled_size
from regard.types import Clip, GazeState, MediaStream, Recording, Segment

ALWAYS = torch.Generator().manual_seed(0)


def recording(*lengths: int) -> tuple[Recording, np.ndarray]:
    """Segments of so many frames at 24 a second, one after the other."""
    edges = np.concatenate([[0], np.cumsum(lengths)]) / 24
    segments = tuple(Segment(start_s=a, end_s=b, kind="action") for a, b in pairwise(edges))
    video = MediaStream(path=Path("none.mp4"))
    return Recording(id="r", subject="s", video=video, segments=segments), np.arange(sum(lengths)) / 24


def sample(video: Tensor, point: Tensor, hands: Tensor | None = None) -> Sample:
    clip = Clip(recording=recording(1)[0], frame_s=np.arange(len(video)) / 24, gaze_s=np.arange(len(point)) / 24)
    valid, state = (
        torch.ones(len(point), dtype=torch.bool),
        torch.full((len(point),), GazeState.FIXATION).to(torch.int8),
    )
    return Sample(clip=clip, video=video, gaze_point=point, gaze_valid=valid, gaze_state=state, hand_point=hands)


def test_stam_is_tested_in_the_published_windows() -> None:
    about = Golden.read("stam_data").about
    found = [[list(w) for w in STAMWindows().windows(n)] for n in about["window_lengths"]]
    assert found == about["windows"]
    assert STAMWindows().windows(9) == [(0, 9)]


def test_frames_become_moments_of_their_own_segment() -> None:
    sampler = STAMWindows()
    rec, times_s = recording(40, 1, 100)
    rec = replace(rec, segments=(*rec.segments, Segment(start_s=50.0, end_s=51.0, kind="action")))
    clips = sampler.clips(rec, times_s=times_s, rng=np.random.default_rng(0))
    for clip in clips:
        assert set(clip.frame_s) <= set(times_s)
        assert clip.segment.start_s - 1e-9 <= clip.frame_s.min() <= clip.frame_s.max() < clip.segment.end_s
    assert {id(clip.segment) for clip in clips} == {id(s) for s in rec.segments[:3]}
    assert sampler.left_out(rec, times_s=times_s) == rec.segments[3:]


def frames() -> Tensor:
    given = golden_input("mfnet_frames_u8").integers(0, 256, (96, 128, 48)).astype(np.uint8)
    return torch.from_numpy(given).unflatten(2, (16, 3)).permute(2, 3, 0, 1).contiguous()


def assert_is_run(golden: Golden, name: str, stride: int, found: Sample) -> None:
    """Pixels within two of 255, five where OpenCV rounds a hue otherwise; points, published half a pixel off."""
    (normalise,) = MFNetMultitask.preprocess
    pixels = normalise(found, generator=ALWAYS).video.transpose(0, 1).flatten()[::stride]
    apart = (pixels - torch.from_numpy(golden.arrays[f"clip{name}"])).abs()
    assert apart.max() <= 5 / 255 / 0.224
    assert (apart > 2 / 255 / 0.224).float().mean() < 1e-3
    point, wanted = found.view.apply(found.gaze_point), torch.from_numpy(golden.arrays[f"track{name}"])
    torch.testing.assert_close(2 * (point + 0.5 / 224) - 1, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("run", range(6))
def test_mfnets_pictures_and_points_are_the_published_ones(run: int) -> None:
    golden = Golden.read("mfnet_data")
    about = golden.about["runs"][run]
    w, h = about["new_size_wh"]
    track = torch.from_numpy(golden.arrays["track_in"])
    hands = torch.stack([track, track.flip(0)], dim=1)
    first = sample(frames(), track, hands.repeat_interleave(2, dim=0))
    scaled = replace(first, video=rescaled(first.video, (h, w)))
    top, left = about["top_left_yx"]
    cut = crop(scaled, top=top, left=left, height=224, width=224)
    turned = MFNetFlip(p=1.0)(cut, generator=ALWAYS) if about["flipped"] else cut
    assert torch.equal(turned.hand_point, first.hand_point)
    shifted = replace(turned, video=hls_shifted(turned.video, tuple(about["hls"])))
    assert_is_run(golden, str(run), about["stride"], shifted)
    half_a_pixel = turned.view.apply(turned.gaze_point) + 0.5 / 224
    counted = inside(half_a_pixel) & (track != 0).all(dim=-1)
    np.testing.assert_array_equal(counted, golden.arrays[f"mask{run}"] > 0)


def test_mfnets_test_pictures_are_squeezed_squares() -> None:
    golden = Golden.read("mfnet_data")
    first = sample(frames(), torch.from_numpy(golden.arrays["track_in"]))
    squeezed = CentreCrop(224)(Resize((256, 256))(first, generator=ALWAYS), generator=ALWAYS)
    assert_is_run(golden, "_test", golden.about["test"]["stride"], squeezed)


def test_sizes_and_offsets_are_drawn_as_published() -> None:
    sizes, crops, colours = (np.random.RandomState(0) for _ in range(3))
    for run in Golden.read("mfnet_data").about["runs"]:
        stretch = sizes.uniform(0.8, 1.25)
        stretch = 1 / stretch if sizes.rand() > 0.5 else stretch
        h, w = scaled_size(stretch, sizes.uniform(224, 288))
        assert [w, h] == run["new_size_wh"]
        left, top = crops.choice(w - 224), crops.choice(h - 224)
        assert [top, left] == run["top_left_yx"]
        assert [round(colours.uniform(-most, most)) for most in (15, 35, 25, 0)][:3] == run["hls"]


def test_every_published_transform_keeps_its_promises_on_a_whole_sample() -> None:
    generator = torch.Generator().manual_seed(3)
    lost = sample(frames(), torch.full((16, 2), 0.5), torch.full((16, 2, 2), torch.nan))
    lost = replace(
        lost,
        gaze_valid=torch.arange(16) > 2,
        gaze_point=torch.where(torch.arange(16)[:, None] > 2, lost.gaze_point, torch.nan),
    )
    marked = MFNetLostHands()(LostAtCorner()(lost, generator=generator), generator=generator)
    assert marked.gaze_valid.all()
    assert marked.gaze_point[0].tolist() == [0, 0]
    assert marked.hand_point.unique(dim=0).tolist() == [[[0.5, 1.5]] * 2]
    for step in (MFNetScale(), MFNetCrop(224), MFNetFlip(p=1.0), MFNetHLS()):
        marked = step(marked, generator=generator)
    assert (marked.video.shape, marked.video.dtype) == ((16, 3, 224, 224), torch.uint8)
    seen = HorizontalFlip(p=1.0)(marked, generator=generator)
    assert torch.equal(seen.hand_point, marked.hand_point.flip(-2))


@pytest.mark.parametrize("run", range(4))
def test_stams_gaze_is_the_published_one(run: int) -> None:
    golden = Golden.read("stam_data")
    about, raw = golden.about["runs"][run], torch.from_numpy(golden.arrays["raw"])
    first = sample(torch.zeros(16, 3, 240, 320, dtype=torch.uint8), raw[about["start_frame"] :][:16])
    cut = STAMCrop(224).at(first, top=about["crop_h"], left=about["crop_w"])
    cut = mirrored(cut) if about["flip"] else cut
    found = cut.view.apply(cut.gaze_point)
    torch.testing.assert_close(found, torch.from_numpy(golden.arrays[f"gaze{run}"]), atol=1e-6, rtol=0)
    drawn = STAMCrop(224)(first, generator=ALWAYS)
    assert drawn.video.shape[-2:] == (224, 224)


def test_clips_of_each_length_are_looked_at_by_themselves() -> None:
    def look(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.sum(dim=1), x[:, ::2, None]

    valid = torch.arange(4) < torch.tensor([2, 4, 1])[:, None]
    x = torch.where(valid[..., None], torch.ones(3, 4, 1), torch.nan)
    total, every_second = by_length(look, x, frame_valid=valid, slots=2)
    assert total[:, 0].tolist() == [2, 4, 1]
    assert every_second[:, :, 0, 0].tolist() == [[1, 0], [1, 1], [1, 0]]
    alone = by_length(look, x[2:], frame_valid=valid[2:], slots=2)
    assert torch.equal(alone[1], every_second[2:])
