"""Tobii Pro Glasses 2: a recording on the SD card, of one or several segments.

    project.json
    participants/, calibrations/           not read
    recordings/t3ic6aq/
    ├── participant.json                   the wearer's name
    └── segments/1/
        ├── livedata.json.gz               json lines, each with its own time on the device's clock
        ├── fullstream.mp4                 scene video and sound
        ├── segment.json                   how long the segment lasts
        ├── et.tslv.gz                     only its record of type 300 is read, the scene camera
        └── mems.tslv.gz, eyesstream.mp4   not read

    {"ts": 84415010, "s": 0, "gidx": 1427, "l": 606718, "gp": [0.4404, 0.4077]}
    {"ts": 84415010, "s": 0, "gidx": 1427, "gd": [0.0425, 0.1162, 0.9923], "eye": "left"}
    {"ts": 85374512, "s": 0, "vts": 0}

"ts" are microseconds. Lines are not in the order of time. "gp" are shares of the picture from its top-left corner;
where the status "s" is not 0, it reads [0, 0] and is lost. "vts" is the video's own time at "ts", from the last 0 on;
gaze begins before the first frame. "gp3", where both eyes' directions meet, is not used: it may lie kilometres away.
Format: Tobii Pro Glasses 2 API developer guide; dcnieho/glassesTools@456cfee.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import Bool, Float64, Int64

from regard.errors import ClockError, FileError
from regard.io.clock import LATE_S, require_length, require_overlap
from regard.io.devices.device import Device
from regard.io.devices.lens import WITHOUT
from regard.io.devices.name import recording_id
from regard.io.devices.scene_size import require_shape
from regard.io.devices.track import measured
from regard.io.devices.tslv import read_camera
from regard.io.devices.unread import not_read
from regard.io.json_text import finite, read_json, read_json_lines
from regard.io.media.looks import joined_streams
from regard.io.media.video import Video
from regard.types import Recording

LIVE, VIDEO = "livedata.json.gz", "fullstream.mp4"

DRIFT_S = 0.001
"""By so much the video's clock may leave the device's before it is told."""

COPY_AGAIN = "copy the recording's whole folder from the SD card again"

NOT_READ = {
    f"{prefix}{name}": what
    for prefix in ("", "segments/*/")
    for name, what in ((LIVE, "pupil sizes, each eye's direction, IMU, sync port, events"), ("eyes*.mp4", "eyes"))
}


def is_glasses_2(folder: Path) -> bool:
    """True for a folder of the SD card: one segment, a recording, or a project of one recording."""
    return _recording_folder(folder) is not None


def open_glasses_2(path: Path) -> Recording:
    """A recording with all its segments, or the folder of one segment. Raises FileError or ClockError."""
    folder = _recording_folder(path)
    assert folder is not None
    alone = (folder / LIVE).is_file()
    segments = [_read_segment(p) for p in ([folder] if alone else _segments(folder))]
    starts_s, notes = _starts(segments)
    time_s = np.concatenate([s.time_s + start_s for s, start_s in zip(segments, starts_s, strict=True)])
    valid = np.concatenate([s.valid for s in segments])
    point = np.concatenate([s.point for s in segments])
    one_eyed = sum(s.one_eyed for s in segments)
    if one_eyed:
        notes.append(f"{one_eyed} of {valid.sum()} gaze points are of one eye alone")
    camera = read_camera(segments[0].video.with_name("et.tslv.gz"), do=COPY_AGAIN)
    if camera is None:
        notes.append(f"no camera in et.tslv.gz: {WITHOUT}")
    else:
        for segment in segments:
            require_shape(segment.video, segment.size, (camera.height, camera.width), do=COPY_AGAIN)
    about = folder.parent.parent if alone else folder
    if alone and (num := len([*about.glob(f"segments/*/{LIVE}")])) > 1:
        notes.append(f"segment {folder.name} alone is shown, of {num}")
    picture, sound = joined_streams([s.video for s in segments], starts_s)
    return Recording(
        id=recording_id(folder),
        subject=_participant(about / "participant.json"),
        video=picture,
        audio=sound,
        gaze=measured(time_s, point),
        camera=camera,
        notes=(*notes, *(note for s in segments for note in s.notes), *not_read(folder, NOT_READ)),
    )


def _recording_folder(path: Path) -> Path | None:
    """Of one segment or a recording, the path itself; of a project with one recording, that one's."""
    if (path / LIVE).is_file() or any(path.glob(f"segments/*/{LIVE}")):
        return path
    found = [p.parent.parent for p in path.glob("recordings/*/segments/1")] if (path / "project.json").is_file() else []
    return found[0] if len(found) == 1 else None


def _segments(folder: Path) -> list[Path]:
    """In their order; each has to be whole."""
    found = sorted((p for p in (folder / "segments").iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
    told = finite(_about(folder / "recording.json").get("rec_segments"))
    if not found or (told is not None and told > len(found)):
        raise FileError(
            folder,
            found=f"{len(found)} segments",
            wanted=f"all {told:g} of the recording" if told else "a recording's segments",
            do=COPY_AGAIN,
        )
    return found


def _about(path: Path) -> dict[str, Any]:
    return read_json(path, wanted="a description of the recording", do=COPY_AGAIN) if path.is_file() else {}


def _participant(path: Path) -> str:
    info = _about(path).get("pa_info")
    return str((info.get("Name") if isinstance(info, dict) else None) or "unknown")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Segment:
    """Gaze at seconds from the segment's first frame, which was taken at `zero_us` on the device's clock."""

    video: Path
    size: tuple[int, int]
    zero_us: int
    end_s: float
    time_s: Float64[np.ndarray, "n"]
    point: Float64[np.ndarray, "n 2"]
    valid: Bool[np.ndarray, "n"]
    one_eyed: int
    notes: tuple[str, ...]


def _read_segment(folder: Path) -> _Segment:
    for name in (LIVE, VIDEO):
        if not (folder / name).is_file():
            raise FileError(
                folder,
                found=f"no {name}",
                wanted=f"{LIVE} and {VIDEO} of each segment",
                do=f"{COPY_AGAIN}; or name the folder of a whole segment",
            )
    with Video(folder / VIDEO) as frames:
        last_s, end_s, size = float(frames.times_s[-1]), frames.end_s, frames.size
    live = _read_live(folder / LIVE)
    time_us = live.time_us
    length_us = finite(_about(folder / "segment.json").get("seg_length_us"))
    if length_us is not None:
        require_length(folder / VIDEO, last_s, length_us / 1e6, by="segment.json", do=COPY_AGAIN)
        span_s = (time_us[-1] - time_us[0]) / 1e6 if len(time_us) else 0.0
        if span_s > length_us / 1e6 + LATE_S:
            raise ClockError(
                folder / LIVE,
                found=f"gaze over {span_s:.1f} s: its clock jumps",
                wanted=f"the {length_us / 1e6:.1f} s of which segment.json tells",
                do=COPY_AGAIN,
            )
    time_s, drift_s = _on_video_clock(time_us, live.video)
    require_overlap(folder / LIVE, time_s, last_s, do=f"this gaze is of another recording: {COPY_AGAIN}")
    if drift_s > LATE_S:
        raise ClockError(
            folder / LIVE,
            found=f"a video's clock that leaves the device's by {drift_s:.1f} s",
            wanted='"vts" that goes with "ts"',
            do=COPY_AGAIN,
        )
    drifts = f"the video's clock leaves the device's by {drift_s * 1e3:.1f} ms; gaze follows it"
    return _Segment(
        video=folder / VIDEO,
        size=size,
        zero_us=int(live.video[0, 0]),
        end_s=end_s,
        time_s=time_s,
        point=live.point,
        valid=np.isfinite(live.point[:, 0]),
        one_eyed=live.one_eyed,
        notes=(drifts,) if drift_s > DRIFT_S else (),
    )


def _on_video_clock(
    time_us: Int64[np.ndarray, "n"], video: Int64[np.ndarray, "k 2"]
) -> tuple[Float64[np.ndarray, "n"], float]:
    """Device times as seconds of the video, by the lines that tell both; and by how much the clocks differ at most."""
    ahead_us = video[:, 1] - (video[:, 0] - video[0, 0])
    offset_us = np.interp(time_us, video[:, 0], ahead_us)
    return (time_us - video[0, 0] + offset_us) / 1e6, float(np.abs(ahead_us).max()) / 1e6


def _starts(segments: list[_Segment]) -> tuple[list[float], list[str]]:
    """When each segment's first frame is shown, and what had to be assumed."""
    starts_s, notes = [0.0], []
    for number, (before, segment) in enumerate(pairwise(segments), start=2):
        over_s = starts_s[-1] + max(before.end_s, float(before.time_s[-1]) if len(before.time_s) else 0.0)
        lead_s = max(0.0, -float(segment.time_s[0])) if len(segment.time_s) else 0.0
        start_s = (segment.zero_us - segments[0].zero_us) / 1e6
        if start_s - lead_s <= over_s:
            start_s = over_s + lead_s + 1e-6
            notes.append(
                f"the device's clock began anew in segment {number}, which is shown right after the one before"
            )
        starts_s.append(start_s)
    return starts_s, notes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Live:
    time_us: Int64[np.ndarray, "n"]
    point: Float64[np.ndarray, "n 2"]
    video: Int64[np.ndarray, "k 2"]
    one_eyed: int


def _read_live(path: Path) -> _Live:
    """The times of gaze and its points (NaN where lost), and the pairs of device and video time, in time order."""
    gaze: dict[int, tuple[float, float]] = {}
    video: dict[int, int] = {}
    eyes: dict[int, int] = {}
    wanted = {b'"gp"': "gp", b'"vts"': "vts", b'"gd"': "gd"}
    for line, row in read_json_lines(path, holding=tuple(wanted), wanted="lines of gaze", do=COPY_AGAIN):
        time_us, status = row.get("ts"), row.get("s")
        if not _is_stamp(time_us) or type(status) is not int:
            raise _other_form(path, line)
        match row:
            case {"gp": [x, y]} if finite(x) is not None and finite(y) is not None:
                point = (x, y) if status == 0 else (np.nan, np.nan)
                if not np.array_equal(gaze.setdefault(time_us, point), point, equal_nan=True):
                    raise ClockError(
                        path,
                        found=f"a second gaze point at {time_us} us, in line {line}",
                        wanted="one for each time",
                        do=COPY_AGAIN,
                    )
            case {"vts": vts} if _is_stamp(vts):
                if status == 0:
                    video[time_us] = vts
            case {"gd": _}:
                eyes[time_us] = eyes.get(time_us, 0) + (status == 0)
            case _:
                raise _other_form(path, line)
    time_us = np.array(sorted(gaze), np.int64)
    point = np.array([gaze[t] for t in time_us.tolist()], np.float64).reshape(-1, 2)
    return _Live(
        time_us=time_us,
        point=point,
        video=_video_times(path, video),
        one_eyed=sum(eyes.get(t) == 1 and not math.isnan(x) for t, (x, _) in gaze.items()),
    )


def _other_form(path: Path, line: int) -> FileError:
    return FileError(path, found=f"line {line}, of another form", wanted="ts, s, and gp, vts or gd", do=COPY_AGAIN)


def _is_stamp(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**53


def _video_times(path: Path, video: dict[int, int]) -> Int64[np.ndarray, "k 2"]:
    """From the last line on that says that the video begins."""
    pairs = np.array(sorted(video.items()), np.int64).reshape(-1, 2)
    zeros = np.flatnonzero(pairs[:, 1] == 0)
    if len(zeros) == 0:
        raise ClockError(path, found="no line in which the video begins", wanted='one with "vts": 0', do=COPY_AGAIN)
    pairs = pairs[zeros[-1] :]
    if (np.diff(pairs[:, 1]) <= 0).any():
        raise ClockError(path, found='"vts" that does not increase', wanted="the video's times", do=COPY_AGAIN)
    return pairs


DEVICE = Device(
    name="Tobii Pro Glasses 2",
    files="segments/*/livedata.json.gz",
    is_folder=is_glasses_2,
    open=open_glasses_2,
    yields=True,
)
