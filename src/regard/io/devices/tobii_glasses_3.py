"""Tobii Pro Glasses 3: the folder of one recording on the recording unit's SD card.

    20230526T083227Z/
    ├── recording.g3       json: duration, the scene camera's calibration, the names of the other files
    ├── meta/participant   json: the wearer's name
    ├── scenevideo.mp4
    ├── gazedata.gz        json lines, 50 or 100 a second
    ├── imudata.gz         not read
    └── eventdata.gz       not read

    {"type": "gaze", "timestamp": 0.0167, "data": {"gaze2d": [0.572, 0.518], "gaze3d": [...], "eyeleft": {...}, ...}}
    {"type": "gaze", "timestamp": 0.0267, "data": {}}

gaze2d are shares of the picture from its top-left corner, off-screen ones too; nothing measured is an empty "data".
Times are seconds from the first frame. gaze3d, where both eyes' directions meet, is not used: where they are nearly
parallel it lies kilometres away.
Format: Tobii Pro Glasses 3 developer guide; dcnieho/glassesTools@456cfee.
"""

from pathlib import Path
from typing import Any

import numpy as np

from regard.errors import ClockError, FileError
from regard.io.clock import require_length, require_overlap
from regard.io.devices.device import Device
from regard.io.devices.lens import WITHOUT, lens_told, tobii_camera
from regard.io.devices.name import recording_id
from regard.io.devices.scene_size import require_shape
from regard.io.devices.track import measured
from regard.io.devices.unread import not_read
from regard.io.json_text import finite, read_json, read_json_lines
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.types import Camera, GazeTrack, Recording

ABOUT, GAZE, VIDEO = "recording.g3", "gazedata.gz", "scenevideo.mp4"

COPY_AGAIN = "copy the recording's whole folder from the SD card again"

NOT_READ = {GAZE: "pupil sizes, each eye's direction", "imudata.gz": "IMU", "eventdata.gz": "events"}


def is_glasses_3(folder: Path) -> bool:
    """True for a folder with the files of a Tobii Pro Glasses 3."""
    return (folder / ABOUT).is_file() or (folder / GAZE).is_file()


def open_glasses_3(path: Path) -> Recording:
    """The folder of a recording. Raises FileError or ClockError."""
    about: dict[str, Any] = {}
    if (path / ABOUT).is_file():
        about = read_json(path / ABOUT, wanted="the recording's description", do=COPY_AGAIN)
    video, table = _file(path, about, "scenecamera", VIDEO), _file(path, about, "gaze", GAZE)
    with Video(video) as frames:
        end_s, size = float(frames.times_s[-1]), frames.size
    if (told_s := finite(about.get("duration"))) is not None:
        require_length(video, end_s, told_s, by=ABOUT, do=COPY_AGAIN)
    camera = _camera(path / ABOUT, about)
    notes = [] if camera is not None else [f"no {'camera-calibration in ' * bool(about)}{ABOUT}: {WITHOUT}"]
    if camera is not None:
        require_shape(video, size, (camera.height, camera.width), do=COPY_AGAIN)
    gaze, found = _read_gaze(table, end_s)
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(path),
        subject=_participant(path, about),
        video=picture,
        audio=sound,
        gaze=gaze,
        camera=camera,
        notes=(*found, *notes, *not_read(path, NOT_READ)),
    )


def _file(folder: Path, about: dict[str, Any], part: str, usual: str) -> Path:
    """The file of a part, by the name that the recording tells, which must lie in its folder."""
    told = about.get(part)
    name = told.get("file", usual) if isinstance(told, dict) else usual
    if not isinstance(name, str) or Path(name).name != name:
        raise FileError(folder / ABOUT, found=f"a file {name!r}", wanted="a name in this folder", do=COPY_AGAIN)
    if not (folder / name).is_file():
        raise FileError(folder, found=f"no {name}", wanted=f"{VIDEO} and {GAZE} of one recording", do=COPY_AGAIN)
    return folder / name


def _camera(path: Path, about: dict[str, Any]) -> Camera | None:
    scene = about.get("scenecamera")
    lens = scene.get("camera-calibration") if isinstance(scene, dict) else None
    if lens is None:
        return None
    with lens_told(path, wanted="the scene camera's calibration", do=f"{COPY_AGAIN}; or remove it from the file"):
        return tobii_camera(lens)


def _participant(folder: Path, about: dict[str, Any]) -> str:
    meta = about.get("meta-folder", "meta")
    path = folder / meta / "participant" if isinstance(meta, str) and Path(meta).name == meta else None
    if path is None or not path.is_file():
        return "unknown"
    return str(read_json(path, wanted="the participant's name", do=COPY_AGAIN).get("name") or "unknown")


def _read_gaze(path: Path, end_s: float) -> tuple[GazeTrack, list[str]]:
    """The gaze, of a video whose last frame is shown at `end_s`, and how many samples one eye alone gave."""
    times: list[float] = []
    points: list[tuple[float, float]] = []
    one_eyed, last_s = 0, -np.inf
    for line, row in read_json_lines(path, holding=(b'"gaze"',), wanted="lines of gaze", do=COPY_AGAIN):
        time_s, data = finite(row.get("timestamp")), row.get("data", {})
        point = _point(data)
        if time_s is None or point is None:
            raise FileError(
                path,
                found=f"line {line}: {str(row)[:200]}",
                wanted="a timestamp, and a gaze2d of two numbers or none",
                do=COPY_AGAIN,
            )
        if time_s <= last_s:
            raise ClockError(
                path,
                found=f"a time of {time_s:.6f} s after {last_s:.6f} s, in line {line}",
                wanted="times that strictly increase",
                do=COPY_AGAIN,
            )
        last_s = time_s
        times.append(time_s)
        points.append(point)
        one_eyed += "gaze2d" in data and bool(data.get("eyeleft")) != bool(data.get("eyeright"))
    time_s, point = np.array(times, np.float64), np.array(points, np.float64).reshape(-1, 2)
    require_overlap(path, time_s, end_s, do=f"this gaze is of another recording: {COPY_AGAIN}")
    gaze = measured(time_s, point)
    return gaze, [f"{one_eyed} of {gaze.valid.sum()} gaze points are of one eye alone"] if one_eyed else []


def _point(data: Any) -> tuple[float, float] | None:
    """Where a sample looks; NaN where it says nothing, None where it makes no sense."""
    match data:
        case {"gaze2d": [x, y]} if (x := finite(x)) is not None and (y := finite(y)) is not None:
            return x, y
        case dict() if "gaze2d" not in data:
            return np.nan, np.nan
    return None


DEVICE = Device(
    name="Tobii Pro Glasses 3",
    files="recording.g3, gazedata.gz, scenevideo.mp4",
    is_folder=is_glasses_3,
    open=open_glasses_3,
    yields=True,
)
