"""SMI Eye Tracking Glasses: the text and the video that BeGaze exports.

    001/
    ├── 001-2-recording.txt   '#' comments, then columns separated by tabs
    ├── 001-2-export.avi      the scene video
    └── codec1.bin            not read

    Time	Type	Trial	...	B POR X [px]	B POR Y [px]	...	Frame
    8418347511	SMP	1	...	512.3	377.9	...	00:00:05:17

The gaze's times are not those of the video, whatever they look like: only "Frame" says which of the video's frames was
shown (hours, minutes, seconds, frame of that second). Gaze is placed by it alone: the first sample is of the first
frame, as BeGaze exports it, and the samples of one frame are spread evenly over it. So a sample is right to about a
frame, and speeds of the eye are rough. (0, 0) and "-" are lost gaze.
Format: dcnieho/glassesTools@456cfee, whose author found no other way.
"""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from regard.errors import ClockError, FileError, TableError
from regard.io.devices.device import Device
from regard.io.devices.name import recording_id
from regard.io.devices.track import measured
from regard.io.devices.unread import not_read
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.types import Recording

GAZE, VIDEO = "-recording.txt", "-export.avi"

X, Y, FRAME, TIME, TYPE = "B POR X [px]", "B POR Y [px]", "Frame", "Time", "Type"

EXPORT_AGAIN = "export the recording again in BeGaze, with point of regard, time and frame"

MAX_LINE = 2**16

UNREAD = {f"*{GAZE}": "pupil sizes, each eye's direction", "codec1.bin": "the scene camera"}


def is_begaze(folder: Path) -> bool:
    """True for a folder with BeGaze's text export."""
    return any(folder.glob(f"*{GAZE}"))


def open_begaze(path: Path) -> Recording:
    """The folder of one export as a Recording. Raises FileError, TableError or ClockError."""
    tables = sorted(path.glob(f"*{GAZE}"))
    if len(tables) > 1:
        raise FileError(
            path,
            found=f"{len(tables)} recordings ({', '.join(t.name for t in tables)})",
            wanted="one",
            do="move the text and the video of each to a folder of its own",
        )
    video = tables[0].with_name(tables[0].name.removesuffix(GAZE) + VIDEO)
    if not video.is_file():
        raise FileError(path, found=f"no {video.name}", wanted="the video of the same export", do=EXPORT_AGAIN)
    with Video(video) as frames:
        frame_s, end_s, size = frames.times_s, frames.end_s, frames.size
    table = _read_table(tables[0])
    number = _frame_numbers(tables[0], table, round(len(frame_s) / end_s))
    time_s = _spread(number, np.append(frame_s, end_s))
    point = table[[X, Y]].to_numpy() / size[::-1]
    lost = np.isnan(point).any(axis=1) | (point == 0).all(axis=1)
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(tables[0]).removesuffix("-recording"),
        subject="unknown",
        video=picture,
        audio=sound,
        gaze=measured(time_s, np.where(lost[:, None], np.nan, point)),
        notes=(
            "gaze is placed by BeGaze's Frame column alone, to about a frame: its times are not the video's",
            f"{lost.sum()} of {len(lost)} gaze samples are (0, 0) or empty and count as lost",
            *not_read(path, UNREAD),
        ),
    )


def _read_table(path: Path) -> pd.DataFrame:
    """Time, gaze (pixels, NaN where empty) and Frame of each sample, by line number."""
    cells_of_lines = _cells(path)
    names = next(cells_of_lines, (0, []))[1]
    if wanted := [name for name in (TIME, X, Y, FRAME) if names.count(name) != 1]:
        raise TableError(
            path,
            found=f"the columns {', '.join(names)[:200]}" if names else "no columns",
            wanted=f"one column each of {', '.join(wanted)}",
            do=EXPORT_AGAIN,
        )
    places, kind = [names.index(name) for name in (TIME, X, Y, FRAME)], names.index(TYPE) if TYPE in names else None
    rows, lines = [], []
    for line, cells in cells_of_lines:
        if kind is not None and cells[kind : kind + 1] == ["MSG"]:
            continue
        if len(cells) != len(names):
            raise TableError(
                path,
                found=f"{len(cells)} values in line {line}",
                wanted=f"{len(names)}, as many as there are columns",
                do=f"{EXPORT_AGAIN}; the file may have been cut off",
            )
        rows.append([cells[place] for place in places])
        lines.append(line)
    if not rows:
        raise TableError(path, found="no samples", wanted="lines of gaze", do=EXPORT_AGAIN)
    table = pd.DataFrame(rows, columns=[TIME, X, Y, FRAME], index=pd.Index(lines, name="line"))
    for name in (TIME, X, Y):
        values = np.array(pd.to_numeric(table[name], errors="coerce"), np.float64)
        empty = table[name].isin(("", "-")).to_numpy() & (name != TIME)
        wrong = np.flatnonzero(~np.isfinite(values) & ~empty)
        if len(wrong):
            raise TableError(
                path,
                found=f"{table[name].iloc[wrong[0]]!r} in column '{name}', line {lines[wrong[0]]}",
                wanted="a number",
                do=EXPORT_AGAIN,
            )
        table[name] = values
    return table


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is neither empty nor a comment."""
    with path.open("rb") as file:
        is_utf16 = file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE)
    with path.open(encoding="utf-16" if is_utf16 else "utf-8-sig", errors="replace") as file:
        for line, text in enumerate(iter(lambda: file.readline(MAX_LINE), ""), start=1):
            if text.strip() and not text.startswith("#"):
                yield line, [cell.strip() for cell in text.rstrip("\r\n").split("\t")]


def _frame_numbers(path: Path, table: pd.DataFrame, rate_hz: int) -> Int64[np.ndarray, "n"]:
    """The number of the frame of each sample, counted from the first sample's."""
    parts = table[FRAME].str.extract(r"^(\d{1,3}):(\d\d):(\d\d):(\d{1,3})$")
    wrong = table.index[parts.isna().any(axis=1).to_numpy()]
    if len(wrong):
        raise TableError(
            path,
            found=f"{table.loc[wrong[0], FRAME]!r} in column '{FRAME}', line {wrong[0]}",
            wanted="hours:minutes:seconds:frame",
            do=EXPORT_AGAIN,
        )
    hours, minutes, seconds, frame = parts.astype(np.int64).to_numpy().T
    if frame.max() >= rate_hz:
        raise ClockError(
            path,
            found=f"frame {frame.max()} of a second",
            wanted=f"frames of a video of {rate_hz} a second",
            do=f"this video is of another recording: {EXPORT_AGAIN}",
        )
    number = ((hours * 60 + minutes) * 60 + seconds) * rate_hz + frame
    for name, values in ((TIME, table[TIME].to_numpy()), (FRAME, number)):
        back = np.flatnonzero(np.diff(values) < (0 if name == FRAME else 1e-9))
        if len(back):
            raise ClockError(
                path,
                found=f"a {name} that repeats or goes back, in line {table.index[back[0] + 1]}",
                wanted="samples in the order of time",
                do=EXPORT_AGAIN,
            )
    return number - number[0]


def _spread(number: Int64[np.ndarray, "n"], edges_s: Float64[np.ndarray, "m"]) -> Float64[np.ndarray, "n"]:
    """When each sample was taken, spread evenly over its frame; `edges_s` are the frames' times and the last one's end.

    Frames after the video's end are as long as the last one.
    """
    last = len(edges_s) - 1

    def begin_s(frame: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
        after = np.maximum(frame - last, 0)
        return edges_s[np.minimum(frame, last)] + after * (edges_s[-1] - edges_s[-2])

    _, first, place, count = np.unique(number, return_index=True, return_inverse=True, return_counts=True)
    share = (np.arange(len(number)) - first[place]) / count[place]
    return begin_s(number) + share * (begin_s(number + 1) - begin_s(number))


DEVICE = Device(
    name="SMI BeGaze",
    files="*-recording.txt, *-export.avi",
    is_folder=is_begaze,
    open=open_begaze,
    yields=True,
)
