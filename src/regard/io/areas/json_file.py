"""Areas as JSON: regard's own form, and LabelMe's, which holds what was drawn on one frame.

    {"areas": [{"name": "phone", "keyframes": [
        {"time_s": 0.0, "box": [0.10, 0.20, 0.40, 0.60]},                       top-left corner, bottom-right corner
        {"time_s": 2.5, "polygon": [[0.3, 0.2], [0.6, 0.2], [0.5, 0.6]]},
        {"time_s": 4.0}]}]}                                                     not there from then on

Without "time_s", in the only keyframe of an area, it is there throughout. With "width_px" and "height_px" beside
"areas", coordinates are pixels of a picture of that size, else shares of the picture.

LabelMe: one file holds for the whole recording. In a folder, each is about one frame, and its name ends with the
frame's time in seconds and "s", as in "0012.480s.json"; an area moves from frame to frame, and is gone from the first
frame on which it was not drawn again.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regard.area import ALWAYS_S, Area
from regard.errors import AreaError, FileError
from regard.io.areas.drawn import Drawn, Picture, require_size, upright
from regard.io.files import writing
from regard.io.json_text import finite, read_json

FORM = '{"areas": [{"name": ..., "keyframes": [{"time_s": ..., "box": [x0, y0, x1, y1]}]}]}, or what LabelMe writes'
REPAIR = "see docs/areas.md for the forms"
NAMED_BY_TIME = re.compile(r"(?:.*[^\d.])?(\d+(?:\.\d+)?)s")


def read_areas_json(path: Path, picture: Picture) -> list[Drawn]:
    """The shapes of one file. Raises FileError or AreaError that names the area and the keyframe or shape."""
    about = read_json(path, wanted=FORM, do=REPAIR)
    if "shapes" in about:
        return _labelme(path, about, picture, time_s=ALWAYS_S)
    if not isinstance(areas := about.get("areas"), list):
        known = "COCO, which is not read" if {"images", "annotations"} <= set(about) else ", ".join(about) or "nothing"
        raise FileError(path, found=f"JSON of {known}", wanted=FORM, do=REPAIR)
    _require_known(path, about, ("areas", "width_px", "height_px"), wanted=FORM)
    size = _own_size(path, about, picture)
    shapes = []
    for number, area in enumerate(areas, 1):
        where = f"{path}, area {number}"
        if not isinstance(area, dict) or not isinstance(area.get("keyframes"), list) or not area["keyframes"]:
            raise AreaError(where, found="no keyframes", wanted='{"name": ..., "keyframes": [...]}', do=REPAIR)
        _require_known(where, area, ("name", "keyframes"), wanted='{"name": ..., "keyframes": [...]}')
        name = _name(where, area.get("name"))
        for count, keyframe in enumerate(area["keyframes"], 1):
            shapes.append(_keyframe(f"{where} ({name!r}), keyframe {count}", name, keyframe, size))
    return shapes


def read_labelme_folder(path: Path, picture: Picture) -> list[Drawn]:
    """The shapes of a folder of LabelMe's files, a frame each, in time order. Raises FileError or AreaError."""
    files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".json")
    if not files:
        raise FileError(
            path,
            found="a folder without LabelMe's .json files",
            wanted="one for each frame that was drawn on",
            do="draw on its pictures with LabelMe, and save; or name a csv, JSON or XML file",
        )
    by_time: dict[float, Path] = {}
    for file in files:
        time_s = _time_of(file)
        if time_s in by_time:
            raise FileError(
                file, found=f"the time of {by_time[time_s].name}", wanted="one file a frame", do="remove one of them"
            )
        by_time[time_s] = file
    shapes: list[Drawn] = []
    shown: dict[str, Drawn] = {}
    for time_s, file in sorted(by_time.items()):
        drawn = _labelme(file, read_json(file, wanted="what LabelMe writes", do=REPAIR), picture, time_s=time_s)
        now = {shape.name: shape for shape in drawn}
        gone = [shape for name, shape in shown.items() if name not in now]
        shapes += drawn
        shapes += [Drawn(where=str(file), name=s.name, time_s=time_s, corners=np.zeros((0, 2))) for s in gone]
        shown = now
    return shapes


def write_areas_json(areas: Sequence[Area], path: Path) -> None:
    """The areas in regard's own form, in shares of the picture, to the last bit."""
    listed = []
    for area in areas:
        keyframes = []
        for time_s, shape in zip(area.time_s.tolist(), area.corners, strict=True):
            when = {} if time_s == ALWAYS_S else {"time_s": time_s}
            keyframes.append(json.dumps(when | ({"polygon": shape.tolist()} if len(shape) else {})))
        lines = ",\n    ".join(keyframes)
        listed.append(f'  {{"name": {json.dumps(area.name, ensure_ascii=False)}, "keyframes": [\n    {lines}]}}')
    with writing(path) as part:
        part.write_text('{"areas": [\n' + ",\n".join(listed) + "]}\n", encoding="utf-8")


def _require_known(where: Path | str, told: Mapping[str, object], known: Sequence[str], *, wanted: str) -> None:
    if unknown := [key for key in told if key not in known]:
        raise AreaError(where, found=f"the keys {', '.join(sorted(unknown))}", wanted=wanted, do=REPAIR)


def _keyframe(where: str, name: str, keyframe: object, size: tuple[int, int] | None) -> Drawn:
    wanted = '"time_s" and "box": [x0, y0, x1, y1] or "polygon": [[x, y], ...]; neither: not there from then on'
    if not isinstance(keyframe, dict):
        raise AreaError(where, found=repr(keyframe)[:80], wanted=wanted, do=REPAIR)
    _require_known(where, keyframe, ("time_s", "box", "polygon"), wanted=wanted)
    if "box" in keyframe and "polygon" in keyframe:
        raise AreaError(where, found="a box and a polygon", wanted="one of them", do="take one out")
    time_s = finite(keyframe["time_s"]) if "time_s" in keyframe else ALWAYS_S
    if time_s is None:
        raise AreaError(
            where, found=f"the time {keyframe['time_s']!r}", wanted="seconds from the first video frame", do=REPAIR
        )
    corners = np.zeros((0, 2))
    if "box" in keyframe:
        corners = upright(where, _numbers(where, keyframe["box"], wanted="[x0, y0, x1, y1]", shape=(4,)).tolist())
    elif "polygon" in keyframe:
        corners = _numbers(where, keyframe["polygon"], wanted="[[x, y], ...]", shape=(-1, 2))
        if not len(corners):
            raise AreaError(
                where, found="a polygon of no corners", wanted="three or more", do="leave it out, or draw it"
            )
    return Drawn(where=where, name=name, time_s=time_s, corners=corners, size=size)


def _labelme(path: Path, about: dict[str, Any], picture: Picture, *, time_s: float) -> list[Drawn]:
    width, height = (finite(about.get(key)) for key in ("imageWidth", "imageHeight"))
    if not isinstance(about.get("shapes"), list) or not width or not height or min(width, height) < 1:
        wanted = "what LabelMe writes: shapes, imageWidth, imageHeight"
        raise FileError(path, found=f"JSON of {', '.join(about) or 'nothing'}", wanted=wanted, do=REPAIR)
    size = (int(height), int(width))
    require_size(str(path), size, picture)
    shapes: dict[str, Drawn] = {}
    for number, given in enumerate(about["shapes"], 1):
        shape = given if isinstance(given, dict) else {}
        where = f"{path}, shape {number}"
        name = _name(where, shape.get("label"))
        where += f" ({name!r})"
        if name in shapes:
            raise AreaError(
                where,
                found=f"a second {name!r} on one frame",
                wanted="a name of its own for each area",
                do=f"rename one, such as {name + ' 2'!r}",
            )
        kind = shape.get("shape_type", "polygon")
        if kind not in ("rectangle", "polygon"):
            raise AreaError(where, found=f"a {kind}", wanted="a rectangle or a polygon", do="draw it as one of these")
        points = _numbers(where, shape.get("points"), wanted="[[x, y], ...]", shape=(-1, 2))
        if kind == "rectangle" and len(points) == 2:
            points = upright(where, [*points.min(axis=0), *points.max(axis=0)])
        shapes[name] = Drawn(where=where, name=name, time_s=time_s, corners=points, size=size)
    return list(shapes.values())


def _time_of(file: Path) -> float:
    named = NAMED_BY_TIME.fullmatch(file.stem)
    if named is None:
        raise FileError(
            file,
            found="a frame's file whose name does not tell its time",
            wanted='a name that ends with the frame\'s time in seconds and "s", such as 0012.480s.json',
            do="draw on frames that `regard areas RECORDING` writes, or rename it",
        )
    return float(named[1])


def _own_size(path: Path, about: dict[str, Any], picture: Picture) -> tuple[int, int] | None:
    if not {"width_px", "height_px"} & set(about):
        return None
    width, height = (finite(about.get(key)) for key in ("width_px", "height_px"))
    if not width or not height or min(width, height) < 1:
        raise FileError(path, found="one of width_px and height_px", wanted="both, in pixels", do=REPAIR)
    require_size(str(path), (int(height), int(width)), picture)
    return int(height), int(width)


def _name(where: str, name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise AreaError(where, found="an area without a name", wanted="a name for each", do="give it one")
    return name.strip()


def _numbers(where: str, value: object, *, wanted: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        numbers = np.array(value, dtype=object)
        if numbers.ndim != len(shape) or any(s not in (-1, n) for s, n in zip(shape, numbers.shape, strict=True)):
            raise ValueError
        flat = [finite(number) for number in numbers.ravel()]
        if any(number is None or isinstance(given, bool) for number, given in zip(flat, numbers.ravel(), strict=True)):
            raise ValueError
        return np.array(flat, np.float64).reshape(numbers.shape)
    except ValueError:
        raise AreaError(where, found=repr(value)[:80], wanted=f"{wanted} of finite numbers", do=REPAIR) from None
