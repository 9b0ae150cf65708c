"""Crops from corners: where they lie, that flow moves with them, and that the published ones are as published."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from golden_rule import Golden, golden_input
from regard.batch import Sample
from regard.errors import RecipeError
from regard.transforms import (
    CentreCrop,
    CornerCrop,
    EgoRNNCentreCrop,
    EgoRNNCornerCrop,
    HorizontalFlip,
    Normalise,
    Resize,
    StandardiseFlow,
)
from regard.transforms.corners import CORNERS, SCALES, Corner
from regard.types import Clip, Recording

ANY = torch.Generator().manual_seed(0)
PUBLISHED: dict[str, Corner] = {
    "c": "centre",
    "tl": "top left",
    "tr": "top right",
    "bl": "bottom left",
    "br": "bottom right",
}
BYTE, GREY_BYTE = 1 / 255 / 0.224, 1 / 255 / 0.226
"""One step of a byte of a picture and of flow, as large as it can be after normalisation."""


def sample_of(video: Tensor | None, flow: Tensor | None = None) -> Sample:
    clip = Clip(recording=Recording(id="r", subject="s"), frame_s=np.zeros(1), gaze_s=np.zeros(1))
    return Sample(clip=clip, video=video, flow=flow)


def drawing(corner: Corner, scale: int, scales: int) -> torch.Generator:
    """A generator that draws this scale, of so many, and then this corner."""
    for seed in range(1000):
        generator = torch.Generator().manual_seed(seed)
        drawn = [int(torch.randint(n, (), generator=generator)) for n in (scales, len(CORNERS))]
        if drawn == [scale, CORNERS.index(corner)]:
            return torch.Generator().manual_seed(seed)
    raise AssertionError


@pytest.mark.parametrize(
    ("corner", "top", "left"),
    [("centre", 1, 3), ("top left", 0, 0), ("top right", 0, 6), ("bottom left", 2, 0), ("bottom right", 2, 6)],
)
def test_a_crop_from_a_corner_shows_that_corner(corner: Corner, top: int, left: int) -> None:
    video = torch.arange(8 * 12, dtype=torch.uint8).reshape(1, 1, 8, 12).repeat(1, 3, 1, 1)
    flow = torch.arange(2 * 8 * 12.0).reshape(1, 2, 8, 12)
    found = CornerCrop(6, scales=(0.75,))(sample_of(video, flow), generator=drawing(corner, 0, 1))
    assert torch.equal(found.video, video[..., top : top + 6, left : left + 6])
    assert torch.equal(found.flow, flow[..., top : top + 6, left : left + 6])
    assert found.view == pytest.approx((left / 12, top / 8, (left + 6) / 12, (top + 6) / 8))
    larger = CornerCrop(12, scales=(0.75,))(sample_of(None, torch.full((1, 2, 8, 12), 3.0)), generator=ANY)
    torch.testing.assert_close(larger.flow, torch.full((1, 2, 12, 12), 6.0))


def test_flow_alone_is_scaled_cropped_and_mirrored_like_pictures() -> None:
    flow = torch.randn(2, 2, 16, 24)
    video = torch.randn(2, 3, 16, 24)
    steps = (Resize(8), CentreCrop(6), HorizontalFlip(p=1.0), CornerCrop(4))
    both, alone = sample_of(video, flow), sample_of(None, flow)
    for step in steps:
        both = step(both, generator=torch.Generator().manual_seed(1))
        alone = step(alone, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(alone.flow, both.flow)
    assert alone.view == both.view
    for step in (Resize(8), CentreCrop(6), CornerCrop(4)):
        with pytest.raises(RecipeError, match="a sample without video"):
            step(sample_of(None), generator=ANY)


def test_published_crops_of_pictures_are_at_most_a_byte_from_the_published_ones() -> None:
    """Bytes are rounded after each of two scalings; pictures of noise differ in one byte of a thousand, and by one.

    In crops of 192 pixels, one in eight differs.
    """
    golden = Golden.read("egornn_data")
    drawn = golden_input("egornn_image").integers(0, 256, (240, 320, 3)).astype(np.uint8)
    large = Resize(256)(sample_of(torch.from_numpy(drawn).permute(2, 0, 1)[None].contiguous()), generator=ANY)
    assert large.video is not None
    assert large.video.shape[2:] == (256, 341)
    for name in (name for name in golden.arrays if name.endswith("_rgb")):
        found = _published(large, name).video
        assert found is not None
        off = _difference(golden, name, found[0])
        assert off.max() < 1.01 * BYTE, name
        assert off.mean() < 0.1 * BYTE, name


def test_published_crops_of_flow_are_within_two_bytes_of_the_published_ones() -> None:
    """Published flow is of bytes, rounded in each of two scalings, along rows and then columns; ours is not rounded.

    The largest difference is 1.6 bytes, the mean one 0.4.
    """
    golden = Golden.read("egornn_data")
    drawn = golden_input("egornn_flowimg").integers(0, 256, (240, 320)).astype(np.float32)
    grey = interpolate(torch.from_numpy(drawn)[None, None], (256, 341), mode="bilinear", antialias=True)
    flow = (grey / 255 * 2 - 1).expand(1, 2, -1, -1) * 20
    for name in (name for name in golden.arrays if name.endswith("_flowx")):
        found = _published(sample_of(None, flow), name).flow
        assert found is not None
        for component, end in enumerate(("flowx", "flowy")):
            other = name.replace("flowx", end)
            off = _difference(golden, other, found[0, component : component + 1])
            assert off.max() < 1.8 * GREY_BYTE, other
            assert off.mean() < 0.4 * GREY_BYTE, other


def _published(sample: Sample, name: str) -> Sample:
    """What the golden's name says, on a sample of 256 rows: train_<scale>_<corner>_<flip>_..., or test_..."""
    kind, *drawn = name.split("_")
    if kind == "test":
        sample = EgoRNNCentreCrop(224)(sample, generator=ANY)
    else:
        scale, corner, flip, _ = drawn
        sample = HorizontalFlip(p=float(flip == "flip"))(sample, generator=ANY)
        generator = drawing(PUBLISHED[corner], int(scale), len(SCALES))
        sample = EgoRNNCornerCrop(224)(sample, generator=generator)
    return (Normalise() if sample.flow is None else StandardiseFlow())(sample, generator=ANY)


def _difference(golden: Golden, name: str, found: Tensor) -> np.ndarray:
    about = golden.about["samples"][name]
    assert list(found.shape) == about["full_shape"]
    return np.abs(found.flatten()[:: about["stride"]].numpy() - golden.arrays[name])


def test_the_published_corner_crop_is_a_pixel_short_in_two_corners() -> None:
    video = torch.arange(8 * 8, dtype=torch.float32).reshape(1, 1, 8, 8).repeat(1, 3, 1, 1)
    for corner, (left, top, right, bottom) in {"top right": (2, 1, 8, 6), "bottom left": (1, 2, 6, 8)}.items():
        found = EgoRNNCornerCrop(6, scales=(0.75,))(sample_of(video), generator=drawing(corner, 0, 1))
        assert found.view == pytest.approx((left / 8, top / 8, right / 8, bottom / 8))
