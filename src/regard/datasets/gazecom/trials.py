"""Reading what files say of one person who watched one video: official ARFF and .coord, the thesis' text, arrays.

gaze_arff/beach/AAF_beach.arff              .coord
@RELATION gaze_labels                       # any comments
%@METADATA width_px 1280.0                  gaze 1280 720
...                                         geometry distance 0.45 width 0.4 height 0.225
@ATTRIBUTE time INTEGER                     1000 640.2 360.9 1
@ATTRIBUTE x NUMERIC                        (microseconds, x, y, confidence)
@DATA
1000,640.2,360.9,1                          label_data/beach/AAF_beach.txt
                                            0 1 640 360       (frame, phase, x, y; the video's name may lead)
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from regard.datasets.gazecom.names import SCREEN_MM, SIZE_PX, VIDEOS
from regard.errors import FileError, TableError

MAX_BYTES = 64 * 2**20
"""Twenty seconds of gaze are 200 kB."""

NOT_LABELLED = -1
HAND_LABELS = ("handlabeller_final", "handlabeller2", "handlabeller1")
"""The better ones first."""
KNOWN = {"time", "x", "y", "confidence", *HAND_LABELS}
PHASES = range(5)
"""0 unknown, 1 fixation, 2 saccade, 3 smooth pursuit, 4 noise."""


class Trial(NamedTuple):
    """Where one person looked: times in seconds, or frame numbers where `is_framewise`; the phase as the file has it.

    `pixel` is in pixels of a picture of `size_px`, whose screen measured `screen_mm` (width, height, distance).
    `unread` are columns that are not known.
    """

    time: Float64[np.ndarray, "n"]
    pixel: Float64[np.ndarray, "n 2"]
    confidence: Float64[np.ndarray, "n"]
    phase: Int64[np.ndarray, "n"]
    size_px: tuple[float, float] = SIZE_PX
    screen_mm: tuple[float, float, float] = SCREEN_MM
    is_framewise: bool = False
    unread: tuple[str, ...] = ()


def read_arff(path: Path) -> Trial:
    """GazeCom's ARFF, with hand labels or without. Raises FileError or TableError."""
    head, body = _split(path, "@data")
    said: dict[str, float] = {}
    names: list[str] = []
    for line in head:
        words = line.split()
        if line.lower().startswith("%@metadata") and len(words) == 3:
            said[words[1].lower()] = _number(path, words[2], line)
        elif line.lower().startswith("@attribute") and len(words) >= 3:
            names.append(words[1].strip("'\"").lower())
    missing = [name for name in ("time", "x", "y", "confidence") if name not in names]
    if missing:
        raise TableError(
            path,
            found=f"the attributes {', '.join(names) or 'of no column'}",
            wanted=f"the attribute{'s' * (len(missing) > 1)} {', '.join(missing)}",
            do="take the file as GazeCom's authors give it",
        )
    table = _numbers(path, body, names, separator=",")
    labels = next((table[name].to_numpy() for name in HAND_LABELS if name in names), None)
    return Trial(
        time=table["time"].to_numpy() / 1e6,
        pixel=table[["x", "y"]].to_numpy(),
        confidence=table["confidence"].to_numpy(),
        phase=np.full(len(table), NOT_LABELLED) if labels is None else _phases(path, labels),
        size_px=(said.get("width_px", SIZE_PX[0]), said.get("height_px", SIZE_PX[1])),
        screen_mm=(
            said.get("width_mm", SCREEN_MM[0]),
            said.get("height_mm", SCREEN_MM[1]),
            said.get("distance_mm", SCREEN_MM[2]),
        ),
        unread=tuple(name for name in names if name not in KNOWN),
    )


def read_coord(path: Path) -> Trial:
    """GazeCom's original text. Raises FileError or TableError."""
    lines = _lines(path)
    size, screen, body = SIZE_PX, SCREEN_MM, []
    for line in lines:
        words = line.split()
        if not words or line.lstrip().startswith("#"):
            continue
        if words[0] == "gaze" and len(words) == 3:
            size = (_number(path, words[1], line), _number(path, words[2], line))
        elif words[0] == "geometry" and words[1::2] == ["distance", "width", "height"]:
            distance, width, height = (1000 * _number(path, word, line) for word in words[2::2])
            screen = (width, height, distance)
        else:
            body.append(line)
    table = _numbers(path, body, ["time", "x", "y", "confidence"], separator=r"\s+")
    return Trial(
        time=table["time"].to_numpy() / 1e6,
        pixel=table[["x", "y"]].to_numpy(),
        confidence=table["confidence"].to_numpy(),
        phase=np.full(len(table), NOT_LABELLED),
        size_px=size,
        screen_mm=screen,
    )


def read_frames(path: Path) -> Trial:
    """The thesis' labels, a line a frame; the video's name may lead each, and then points are in 1280 x 720 pixels.

    Without, in 224 x 224, as its models read them. Raises FileError or TableError.
    """
    lines = [line for line in _lines(path) if line.strip()]
    named = [line.split(maxsplit=1)[0] in VIDEOS for line in lines]
    body = [line.split(maxsplit=1)[-1] if has_name else line for line, has_name in zip(lines, named, strict=True)]
    table = _numbers(path, body, ["frame", "phase", "x", "y"], separator=r"\s+")
    frame = table["frame"].to_numpy()
    if not np.array_equal(frame, frame[:1] + np.arange(len(frame))):
        raise TableError(
            path,
            found=f"{len(frame)} frames from {frame[0]:g} to {frame[-1]:g}",
            wanted="each frame once, in order, none missing",
            do="cut the labels again",
        )
    return Trial(
        time=frame,
        pixel=table[["x", "y"]].to_numpy(),
        confidence=np.ones(len(frame)),
        phase=_phases(path, table["phase"].to_numpy()),
        size_px=SIZE_PX if any(named) else (224, 224),
        is_framewise=True,
    )


def read_arrays(path: Path) -> dict[str, Trial]:
    """Everybody who watched one video, by observer: an npz of observers [k], gaze_px [k, t, 2] and em_phase [k, t].

    Raises FileError or TableError; nothing in the file is executed.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            observers, pixel, phase = (arrays[name] for name in ("observers", "gaze_px", "em_phase"))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise FileError(
            path,
            found=f"no such arrays ({error})",
            wanted="observers, gaze_px and em_phase",
            do="make or copy the file again",
        ) from error
    k, t = phase.shape if phase.ndim == 2 else (-1, -1)
    if observers.shape != (k,) or pixel.shape != (k, t, 2):
        raise TableError(
            path,
            found=f"observers {observers.shape}, gaze_px {pixel.shape}, em_phase {phase.shape}",
            wanted="k observers, k x t x 2 and k x t",
            do="make or copy the file again",
        )
    return {
        str(name): Trial(
            time=np.arange(t, dtype=np.float64),
            pixel=pixel[i].astype(np.float64),
            confidence=np.ones(t),
            phase=_phases(path, phase[i]),
            is_framewise=True,
        )
        for i, name in enumerate(observers.tolist())
    }


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(
                path, found="more than 64 MB", wanted="the gaze of one person and video", do="copy it again"
            )
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise FileError(
            path, found=error.strerror or str(error), wanted="a file that may be read", do="check it"
        ) from error


def _split(path: Path, mark: str) -> tuple[list[str], list[str]]:
    lines = _lines(path)
    for number, line in enumerate(lines):
        if line.strip().lower() == mark:
            return lines[:number], lines[number + 1 :]
    raise TableError(path, found=f"no line {mark.upper()}", wanted="an ARFF file", do="copy the file again")


def _numbers(path: Path, body: Sequence[str], names: Sequence[str], *, separator: str) -> pd.DataFrame:
    """The lines as float64 columns. Raises TableError for no line, and for a cell that is no finite number."""
    text = io.StringIO("\n".join(line for line in body if line.strip() and not line.startswith("%")))
    try:
        table = pd.read_csv(text, sep=separator, header=None, names=list(names), index_col=False, dtype=np.float64)
    except (ValueError, pd.errors.ParserError) as error:
        raise TableError(
            path,
            found=str(error).splitlines()[0],
            wanted=f"lines of {len(names)} numbers: {', '.join(names)}",
            do="copy the file again, or repair that line",
        ) from error
    if not len(table) or not np.isfinite(table.to_numpy()).all():
        raise TableError(
            path,
            found="no lines" if not len(table) else "a line that lacks a number",
            wanted=f"lines of {len(names)} numbers: {', '.join(names)}",
            do="copy the file again, or repair that line",
        )
    return table


def _number(path: Path, word: str, line: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise TableError(
            path, found=f"the line {line.strip()[:60]!r}", wanted="a number in it", do="repair it"
        ) from error


def _phases(path: Path, phase: np.ndarray) -> Int64[np.ndarray, "n"]:
    odd = sorted(set(phase.tolist()) - set(PHASES))
    if odd:
        raise TableError(
            path,
            found=f"an eye movement called {odd[0]:g}",
            wanted="0 unknown, 1 fixation, 2 saccade, 3 pursuit or 4 noise",
            do="take the file as GazeCom's authors give it",
        )
    return phase.astype(np.int64)
