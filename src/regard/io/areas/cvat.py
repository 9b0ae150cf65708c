"""Areas that were drawn with CVAT: its "CVAT for video 1.1" XML, whose tracks are areas over time, by frame number."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from regard.errors import AreaError, ClockError, FileError
from regard.io.areas.drawn import Drawn, Picture, require_size, upright
from regard.io.json_text import MAX_BYTES

WANTED = "annotations as CVAT exports them for a video (CVAT for video 1.1)"
EXPORT = "export the job again as 'CVAT for video 1.1'"


def read_cvat(path: Path, picture: Picture) -> list[Drawn]:
    """The boxes and polygons of all tracks. Frames are counted from 0 and have the video's own times.

    A label of several tracks is several areas, told apart by the track's number. Raises FileError, AreaError or
    ClockError.
    """
    root = _root(path)
    size = _size(path, root)
    require_size(str(path), size, picture)
    if picture.times_s is None:
        raise FileError(
            path, found="frame numbers", wanted="a recording with video", do="give times: see docs/areas.md"
        )
    tracks = root.findall("track")
    if not tracks:
        found = "pictures, each for itself" if root.find("image") is not None else "no tracks"
        raise FileError(path, found=found, wanted=WANTED, do=EXPORT)
    labels = [track.get("label", "") for track in tracks]
    shapes = []
    for track, label in zip(tracks, labels, strict=True):
        name = label if labels.count(label) == 1 or not label else f"{label} {track.get('id', '')}".strip()
        for shape in sorted(track, key=lambda one: _frame(path, one)):
            frame = _frame(path, shape)
            where = f"{path}, track {track.get('id')} ({name!r}), frame {frame}"
            if frame >= len(picture.times_s):
                raise ClockError(
                    where,
                    found=f"frame {frame}, counted from 0",
                    wanted=f"frames of the video, which has {len(picture.times_s)}",
                    do="take the areas that were drawn on this video, whole and at its own frame rate",
                )
            corners = np.zeros((0, 2)) if shape.get("outside") == "1" else _corners(where, shape)
            time_s = float(picture.times_s[frame])
            shapes.append(Drawn(where=where, name=name, time_s=time_s, corners=corners, size=size))
    return shapes


def _root(path: Path) -> ElementTree.Element:
    """The document's root. One that declares entities is refused, so that none is ever expanded or fetched."""
    try:
        if not path.is_file():
            raise ValueError("no regular file")
        if path.stat().st_size > 4 * MAX_BYTES:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        text = path.read_text(encoding="utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ValueError("it declares a document type")
        return ElementTree.fromstring(text)
    except OSError as problem:
        raise FileError(path, found=str(problem.strerror or problem), wanted=WANTED, do="check the path") from problem
    except (ValueError, ElementTree.ParseError) as problem:
        raise FileError(path, found=f"not readable as XML: {problem}", wanted=WANTED, do=EXPORT) from problem


def _size(path: Path, root: ElementTree.Element) -> tuple[int, int]:
    told = [root.findtext(f".//original_size/{side}", "").strip() for side in ("height", "width")]
    if not all(side.isdecimal() and 0 < len(side) < 7 for side in told):
        raise FileError(path, found="no original_size of the pictures", wanted=WANTED, do=EXPORT)
    return int(told[0]), int(told[1])


def _frame(path: Path, shape: ElementTree.Element) -> int:
    frame = shape.get("frame", "")
    if not frame.isdecimal() or len(frame) > 9:
        raise FileError(path, found=f"a {shape.tag} at frame {frame!r}", wanted="a frame's number", do=EXPORT)
    return int(frame)


def _corners(where: str, shape: ElementTree.Element) -> np.ndarray:
    try:
        if shape.tag == "box" and not float(shape.get("rotation", 0)):
            return upright(where, [float(shape.get(side, "")) for side in ("xtl", "ytl", "xbr", "ybr")])
        if shape.tag == "polygon":
            return np.array([[float(n) for n in point.split(",")] for point in shape.get("points", "").split(";")])
    except ValueError:
        raise AreaError(where, found=f"{shape.attrib}"[:80], wanted="numbers", do=EXPORT) from None
    turned = "a turned box" if shape.tag == "box" else f"a {shape.tag}"
    raise AreaError(where, found=turned, wanted="an upright box or a polygon", do="draw it as a polygon")
