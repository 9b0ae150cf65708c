"""From decoded frames to upright pictures of a wanted size, inside FFmpeg's filter graph."""

from collections.abc import Callable

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import ColorRange
from jaxtyping import UInt8

from regard.io.media.planes import Planar

Steps = tuple[tuple[str, str], ...]
"""Filters of FFmpeg's and their arguments."""

Turn = tuple[bool, bool, bool]
"""How the stored picture becomes upright: swap its axes, then mirror it left-right, then up-down."""

TURN_FILTERS: dict[Turn, Steps] = {
    (False, False, False): (),
    (False, True, False): (("hflip", ""),),
    (False, False, True): (("vflip", ""),),
    (False, True, True): (("hflip", ""), ("vflip", "")),
    (True, False, False): (("transpose", "cclock_flip"),),
    (True, True, False): (("transpose", "clock"),),
    (True, False, True): (("transpose", "cclock"),),
    (True, True, True): (("transpose", "clock_flip"),),
}

SCALING = "bilinear"
"""swscale's filter. Its bilinear widens when it shrinks a picture, so it agrees with torch's antialiased bilinear
(42 to 46 dB here, from 1080p to 256 rows); fast_bilinear takes two samples whatever the step and aliases (22 to 31 dB);
area is a little cheaper and a little farther off (38 to 42 dB)."""

BETWEEN = "gbrp"
"""Pixel format that swscale scales into: as near to the reference as rgb24, in little more than half of the time, for
only planar RGB has a vectorised writer."""

QUICK_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv420p10le"})
QUICK_MATRICES = {0: "smpte170m", 1: "bt709", 2: "smpte170m", 5: "smpte170m", 6: "smpte170m"}
"""What FFmpeg's `colorspace` takes to BT.709 in an eighth of swscale's time, by AVColorSpace; 2 is unsaid, and 0 (which
Neon writes) no matrix at all, which to swscale means BT.601 as well."""


def turn_of(frame: av.VideoFrame) -> Turn:
    """How the container's display matrix wants this frame turned; other angles go to the nearest quarter turn.

    The matrix maps stored (x, y) to shown (a x + c y, b x + d y). It is stored as nine int32: a b u c d v x y w.
    """
    side = frame.side_data.get("DISPLAYMATRIX")
    if side is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


class Upright:
    """Turns and scales frames of one video; keeps one configured graph for each kind of frame it meets."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._graphs: dict[tuple, Graph] = {}

    def rgb(self, frame: av.VideoFrame, size: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
        """The upright picture, scaled to (height, width) `size`."""
        return self._through(frame, size, _to_rgb)

    def planar(self, frame: av.VideoFrame, size: tuple[int, int]) -> Planar:
        """The same as a film's own picture, BT.709, whatever the video's colours are; `size` is even."""
        return self._through(frame, size, _to_planar)

    def _through(self, frame: av.VideoFrame, size: tuple[int, int], convert: Callable[..., Steps]) -> np.ndarray:
        key = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, size, convert)
        graph = self._graphs.get(key)
        if graph is None:
            h, w = (size[1], size[0]) if self._turn[0] else size
            steps = *convert(frame, (h, w)), *TURN_FILTERS[self._turn]
            graph = self._graphs[key] = _graph(frame, steps)
        graph.vpush(frame)
        return graph.vpull().to_ndarray()


def _to_rgb(frame: av.VideoFrame, size: tuple[int, int]) -> Steps:
    """Scale and convert in one pass; turning comes after, for that picture is usually smaller."""
    as_stored = size == (frame.height, frame.width)
    scale = () if as_stored else (("scale", f"{size[1]}:{size[0]}:flags={SCALING}"), ("format", BETWEEN))
    return *scale, ("scale", f"flags={SCALING}"), ("format", "rgb24")


def _to_planar(frame: av.VideoFrame, size: tuple[int, int]) -> Steps:
    as_stored = size == (frame.height, frame.width)
    wanted = "" if as_stored else f"{size[1]}:{size[0]}:"
    matrix = QUICK_MATRICES.get(int(frame.colorspace))
    if frame.format.name not in QUICK_FORMATS or matrix is None:
        scale = f"{wanted}flags={SCALING}:out_color_matrix=bt709:out_range=tv"
        return ("scale", scale), ("format", "yuv420p")
    whole = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    source = f"ispace={matrix}:iprimaries=bt709:itrc=bt709:irange={'pc' if whole else 'tv'}"
    colours = ("colorspace", f"all=bt709:format=yuv420p:range=tv:{source}")
    return (colours,) if as_stored else (("scale", f"{wanted}flags={SCALING}"), colours)


def _graph(frame: av.VideoFrame, steps: Steps) -> Graph:
    source = (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000000"
        f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}"
    )
    graph = Graph()
    graph.threads = 1
    every = ("buffer", source), *steps, ("buffersink", "")
    graph.link_nodes(*(graph.add(name, args or None) for name, args in every)).configure()
    return graph
