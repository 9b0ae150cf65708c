"""From decoded frames to upright RGB pictures of a wanted size, inside FFmpeg's filter graph."""

import av
import numpy as np
from av.filter import Graph
from jaxtyping import UInt8

Turn = tuple[bool, bool, bool]
"""How the stored picture becomes upright: swap its axes, then mirror it left-right, then up-down."""

TURN_FILTERS: dict[Turn, tuple[tuple[str, str], ...]] = {
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
    """Turns and scales frames of one video to RGB; keeps one configured graph for each kind of frame it meets."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._graphs: dict[tuple, Graph] = {}

    def rgb(self, frame: av.VideoFrame, size: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
        """The upright picture, scaled to (height, width) `size`."""
        key = (frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range), size)
        graph = self._graphs.get(key)
        if graph is None:
            graph = self._graphs[key] = _graph(frame, self._turn, size)
        graph.vpush(frame)
        return graph.vpull().to_ndarray()


def _graph(frame: av.VideoFrame, turn: Turn, size: tuple[int, int]) -> Graph:
    """buffer -> scale and convert in one pass -> turn the (usually smaller) picture."""
    h, w = (size[1], size[0]) if turn[0] else size
    source = (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000000"
        f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}"
    )
    as_stored = (h, w) == (frame.height, frame.width)
    scale = () if as_stored else (("scale", f"{w}:{h}:flags={SCALING}"), ("format", BETWEEN))
    steps = (
        ("buffer", source),
        *scale,
        ("scale", f"flags={SCALING}"),
        ("format", "rgb24"),
        *TURN_FILTERS[turn],
        ("buffersink", ""),
    )
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(*(graph.add(name, args or None) for name, args in steps)).configure()
    return graph
