"""Recognising what a path is, and opening it as a Recording, its pictures and its sound."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import FileError
from regard.io.bids.names import PHYSIO
from regard.io.bids.read import open_bids, recordings_of
from regard.io.clock import gaze_after_video
from regard.io.devices import companion_app, pupil_cloud, pupil_core
from regard.io.devices.aria import find_eye_gaze, is_aria, open_aria, vrs_missing
from regard.io.devices.aria_media import AriaSound, AriaVideo
from regard.io.devices.aria_preview import is_preview, open_preview
from regard.io.devices.core_times import native_times_s
from regard.io.devices.folder import VIDEO_SUFFIXES, open_folder, video_files
from regard.io.devices.glasses_tools import is_glasses_tools, open_glasses_tools
from regard.io.devices.native_core import is_native_core, open_native_core
from regard.io.devices.neon import NEON, open_neon
from regard.io.devices.pupil_invisible import INVISIBLE, open_invisible
from regard.io.devices.smi_begaze import is_begaze, open_begaze
from regard.io.devices.tobii_glasses_2 import is_glasses_2, open_glasses_2
from regard.io.devices.tobii_glasses_3 import is_glasses_3, open_glasses_3
from regard.io.devices.unread import ANNOTATIONS, not_read
from regard.io.joined import JoinedSound, JoinedVideo
from regard.io.media.container import unchanged
from regard.io.media.looks import video_look
from regard.io.media.pictures import Pictures
from regard.io.media.retimed import RetimedVideo
from regard.io.media.sound import Sound
from regard.io.media.video import Video
from regard.types import MediaStream, Recording

MIN_CONFIDENCE = 0.6
"""Pupil Labs' own default: "results are acceptable" from here on (Pupil Core documentation, pupil data)."""

KNOWN = (
    "a video file; or a folder that holds a Project Aria .vrs, "
    "a native folder of Neon or Pupil Invisible (Neon Scene Camera*.mp4 or PI world*.mp4, gaze*.raw), "
    "a Pupil Cloud export (gaze.csv, world_timestamps.csv), "
    "a Pupil Core recording or export (gaze.pldata or gaze_positions.csv, world.mp4), "
    "a Tobii Pro Glasses recording (3: recording.g3, gazedata.gz, scenevideo.mp4; 2: segments/*/livedata.json.gz), "
    "glassesTools' gazeData.tsv, SMI BeGaze's *-recording.txt, eye tracking of BIDS (*_physio.tsv.gz), "
    "or one video with a gaze.csv"
)


class NotOneRecordingError(FileError):
    """A folder of no layout that regard reads."""


def open_recording(path: Path | str, *, min_confidence: float = MIN_CONFIDENCE) -> Recording:
    """A recording of any known layout: regard.open.

    `min_confidence` is for layouts whose gaze carries a confidence (Pupil Core, gaze.csv): gaze below it is LOST.
    Raises FileError where the path is none of the known layouts, and FileError, TableError, ClockError or
    MissingExtraError where it is one but cannot be read.

    Examples:
        >>> regard.open("my_recording/")
        Recording my_recording: 2.0 s, 128x96, gaze at 200 Hz, 7% of frames without, sound
    """
    path = Path(os.path.expanduser(path))
    try:
        return _with_what_is_missing(_open(path, min_confidence))
    except OSError as error:
        raise FileError(
            error.filename or path,
            found=f"it cannot be read: {error.strerror or error}",
            wanted="a recording whose files may all be read",
            do="check the path and its permissions",
        ) from error


def _with_what_is_missing(recording: Recording) -> Recording:
    video, gaze = recording.video, recording.gaze
    if video is None or _is_vrs(video.path):  # whose library tells it
        return recording
    looks = [video_look(part.path, part.index) for part in video.parts]
    late = gaze_after_video(gaze, video.parts[-1].start_s + float(looks[-1].index.time_s[-1]))
    told = (*(look.missing for look in looks), late)
    new = (note for note in told if note is not None and note not in recording.notes)
    return replace(recording, notes=(*recording.notes, *new))


def is_recording(path: Path) -> bool:
    """Whether a path looks like one recording, whole or broken; nothing but names is read, and few first lines."""
    if path.is_file():
        return path.suffix.lower() in (".vrs", *VIDEO_SUFFIXES) or path.name.endswith(PHYSIO)
    if not path.is_dir():
        return False
    try:
        if len(recordings_of(path)) > 1:
            return False
        _reader(path, MIN_CONFIDENCE)
    except NotOneRecordingError:
        return False
    except FileError:
        return True
    return (
        (path / "gaze.csv").is_file() or len(video_files(path)) <= 1 or _device_reader(path, MIN_CONFIDENCE) is not None
    )


def _open(path: Path, min_confidence: float) -> Recording:
    if not path.is_file():
        return _reader(path, min_confidence)(path)
    if _is_vrs(path):
        return open_aria(path)
    if path.name.endswith(PHYSIO):
        return open_bids(path)
    for glasses in (NEON, INVISIBLE):
        if glasses.is_scene_video(path) and glasses.is_folder(path.parent):
            return _with_tables_named(companion_app.open_native(path, glasses), path.parent)
    read = _device_reader(path.parent, min_confidence)
    around = None if read is None else read(path.parent)
    if around is not None and around.require_video().path.samefile(path):
        return _with_tables_named(around, path.parent)
    return open_folder(path, min_confidence=min_confidence)


Reader = Callable[[Path], Recording]


def _reader(path: Path, min_confidence: float) -> Reader:
    """What opens this folder. Raises NotOneRecordingError where it is of no known layout."""
    if not path.is_dir():
        if path.exists():
            raise FileError(path, found="a pipe or a device", wanted=KNOWN, do="save it as a file first")
        raise FileError(path, found="no such file or folder", wanted=KNOWN, do="check the path")
    if recordings_of(path):
        return open_bids
    device = open_aria if is_aria(path) else _device_reader(path, min_confidence)
    if device is not None:
        return lambda folder: _with_tables_named(device(folder), folder)
    if (tables := find_eye_gaze(path)) and not (path / "gaze.csv").is_file():
        if is_preview(path):
            return open_preview
        raise vrs_missing(path, tables[0])
    if video_files(path):
        return partial(open_folder, min_confidence=min_confidence)
    raise NotOneRecordingError(path, found=_contents(path), wanted=KNOWN, do="name the folder or file of one recording")


def _with_tables_named(recording: Recording, folder: Path) -> Recording:
    """What somebody laid beside a device's files, which alone are read."""
    return replace(recording, notes=(*recording.notes, *not_read(folder, ANNOTATIONS)))


def _device_reader(folder: Path, min_confidence: float) -> Reader | None:
    """What opens a folder as a device or its software left it; None where it is none that is known."""
    if NEON.is_folder(folder):
        return open_neon
    if INVISIBLE.is_folder(folder):
        return open_invisible
    if pupil_core.is_pupil_core(folder):
        return partial(pupil_core.open_pupil_core, min_confidence=min_confidence)
    if pupil_cloud.is_pupil_cloud(folder):
        return pupil_cloud.open_pupil_cloud
    if (folder / "gaze.csv").is_file():  # written by somebody, who wants it read
        return None
    if is_native_core(folder):
        return partial(open_native_core, min_confidence=min_confidence)
    if is_glasses_3(folder):
        return open_glasses_3
    if is_glasses_2(folder):
        return open_glasses_2
    if is_glasses_tools(folder):
        return open_glasses_tools
    if is_begaze(folder):
        return open_begaze
    return None


def open_video(stream: MediaStream) -> Video | AriaVideo | RetimedVideo | Pictures | JoinedVideo:
    """The pictures of a stream, on the recording's clock: a FrameSource that can be closed.

    Raises FileError where a file has changed since the recording was opened.
    """
    sources = [_open_video(part) for part in stream.parts]
    starts_s = [part.start_s for part in stream.parts]
    return sources[0] if starts_s == [0] else JoinedVideo(sources, starts_s)


def _open_video(stream: MediaStream) -> Video | AriaVideo | RetimedVideo | Pictures:
    """On the file's own clock."""
    _require_unchanged(stream)
    if _is_vrs(stream.path):
        _require_default(stream)
        return AriaVideo(stream.path)
    if stream.path.is_dir():
        return Pictures(stream.path, rate_hz=stream.rate_hz)
    source = Video(stream.path, stream=stream.index)
    taken_s = native_times_s(stream.path)
    return source if taken_s is None or len(taken_s) != len(source.times_s) else RetimedVideo(source, taken_s)


def open_sound(stream: MediaStream) -> Sound | AriaSound | JoinedSound:
    """The sound of a stream, on the recording's clock: a SoundSource that can be closed.

    Raises FileError where a file has changed since the recording was opened.
    """
    sources = [_open_sound(part) for part in stream.parts]
    starts_s = [part.start_s for part in stream.parts]
    return sources[0] if starts_s == [0] else JoinedSound(sources, starts_s)


def _open_sound(stream: MediaStream) -> Sound | AriaSound:
    """On the file's own clock."""
    _require_unchanged(stream)
    if _is_vrs(stream.path):
        _require_default(stream)
        return AriaSound(stream.path)
    return Sound(stream.path, stream=stream.index)


def device_frame_times_s(stream: MediaStream) -> Float64[np.ndarray, "m"] | None:
    """When the device says it took each frame, from the first, apart from the video file's own times.

    None where nothing but the file says it. `check_recording` compares the two clocks.
    """
    parts = [(part, _stamped_s(part.path)) for part in stream.parts]
    stamped_s = [part.start_s + times_s for part, times_s in parts if times_s is not None]
    return np.concatenate(stamped_s) if len(stamped_s) == len(parts) else None


def _stamped_s(path: Path) -> Float64[np.ndarray, "m"] | None:
    if _is_vrs(path):
        return None
    for reader in (companion_app, pupil_core, pupil_cloud):
        if (times_s := reader.frame_clock_s(path)) is not None:
            return times_s
    return None


def _is_vrs(path: Path) -> bool:
    return path.suffix.lower() == ".vrs"


def _require_unchanged(stream: MediaStream) -> None:
    if stream.state is not None:
        with unchanged(stream.path, stream.state):
            return


def _require_default(stream: MediaStream) -> None:
    if stream.index is not None:
        raise FileError(
            stream.path,
            found=f"stream {stream.index} asked for",
            wanted="the RGB camera or the microphones, the only streams that regard reads from a VRS",
            do="leave the stream's number out",
        )


def _contents(folder: Path) -> str:
    names = sorted(p.name for p in folder.iterdir())
    return f"a folder of {', '.join(names[:6])}{', ...' * (len(names) > 6)}" if names else "an empty folder"
