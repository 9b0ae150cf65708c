"""Recognising what a path is, and opening it as a Recording, its pictures and its sound."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from regard.errors import FileError, RecipeError, RegardError
from regard.io.bids.names import PHYSIO
from regard.io.bids.read import open_bids, recordings_of
from regard.io.clock import gaze_after_video
from regard.io.devices import container_of, device_of, devices
from regard.io.devices.device import Container, Device
from regard.io.devices.folder import VIDEO_SUFFIXES, open_folder, video_files
from regard.io.devices.track import lost_below
from regard.io.devices.unread import ANNOTATIONS, not_read
from regard.io.joined import JoinedSound, JoinedVideo
from regard.io.media.container import unchanged
from regard.io.media.looks import video_look
from regard.io.media.pictures import Pictures
from regard.io.media.retimed import RetimedVideo
from regard.io.media.sound import Sound
from regard.io.media.video import Video
from regard.io.tables import read_header
from regard.types import MediaStream, Recording

if TYPE_CHECKING:
    from regard.sources import FrameSource, SoundSource
else:  # whether something is one cannot be checked without reading its file
    FrameSource = SoundSource = object

MIN_CONFIDENCE = 0.6
"""Pupil Labs' own default: "results are acceptable" from here on (Pupil Core documentation, pupil data)."""


def open_recording(path: Path | str, *, min_confidence: float = MIN_CONFIDENCE) -> Recording:
    """A recording of any known layout: regard.open.

    `min_confidence` is for layouts whose gaze carries a confidence (Pupil Core, gaze.csv): gaze below it is LOST.
    Raises FileError where the path is none of the known layouts, and FileError, TableError, ClockError or
    MissingExtraError where it is one but cannot be read; RecipeError for a `min_confidence` that is none.

    Examples:
        >>> regard.open("my_recording/")
        Recording my_recording: 2.0 s, 128x96, gaze at 200 Hz, 7% of frames without, sound
    """
    path = Path(os.path.expanduser(path))
    if not 0 <= min_confidence <= 1:
        raise RecipeError(
            "min_confidence", found=f"{min_confidence:g}", wanted="a confidence from 0 to 1", do="leave it out: 0.6"
        )
    try:
        is_bids = path.name.endswith(PHYSIO) if path.is_file() else path.is_dir() and bool(recordings_of(path))
        recording = open_bids(path) if is_bids else _without_doubtful(_open(path), min_confidence)
        return _with_what_is_missing(recording)
    except OSError as error:
        raise FileError(
            error.filename or path,
            found=f"it cannot be read: {error.strerror or error}",
            wanted="a recording whose files may all be read",
            do="check the path and its permissions",
        ) from error


def is_recording(path: Path) -> bool:
    """Whether a path looks like one recording, whole or broken; nothing but names is read, and few first lines."""
    if path.is_file():
        is_film = path.suffix.lower() in VIDEO_SUFFIXES or container_of(path) is not None
        return is_film or path.name.endswith(PHYSIO)
    if not path.is_dir():
        return False
    try:
        if of_bids := recordings_of(path):
            return len(of_bids) == 1
        if device_of(path) is not None:
            return True
    except RegardError:
        return True
    videos = video_files(path)
    return len(videos) == 1 or (bool(videos) and (path / "gaze.csv").is_file())


def _open(path: Path) -> Recording:
    """As its files have it."""
    if path.is_file():
        return _open_file(path)
    if not path.is_dir():
        found = "a pipe or a device" if path.exists() else "no such file or folder"
        do = "save it as a file first" if path.exists() else "check the path"
        raise FileError(path, found=found, wanted=_known(), do=do)
    if (device := device_of(path)) is not None:
        return _opened(device, path)
    if video_files(path):
        return open_folder(path)
    raise FileError(path, found=_contents(path), wanted=_known(), do="name the folder or file of one recording")


def _open_file(path: Path) -> Recording:
    taker = next((device for device in devices() if device.takes is not None and device.takes(path)), None)
    if taker is not None:
        return _opened(taker, path)
    device = device_of(path.parent)
    if device is not None and device.takes is None:
        around = _opened(device, path.parent)
        if around.video is not None and around.video.path.samefile(path):
            return around
    return open_folder(path)


def _opened(device: Device, path: Path) -> Recording:
    """And what somebody laid beside the device's files, which alone are read."""
    recording = device.open(path)
    folder = path if path.is_dir() else path.parent
    has_own = (folder / "gaze.csv").is_file() and "timestamp_s" in read_header(folder / "gaze.csv")
    beside = not_read(folder, {"gaze.csv": "gaze of your own"} | ANNOTATIONS if has_own else ANNOTATIONS)
    return replace(recording, notes=(*recording.notes, *beside, f"recognised as {device.name}"))


def _known() -> str:
    """All layouts, in words."""
    layouts = [f"{device.name} ({device.files})" for device in devices()]
    return f"a video file; or a folder of {', '.join(layouts)}, BIDS (*{PHYSIO}), or one video with a gaze.csv"


def _without_doubtful(recording: Recording, min_confidence: float) -> Recording:
    """The same with LOST for gaze below that confidence, where one is told, and how much that is."""
    gaze, notes = recording.gaze, recording.notes
    others = {name: lost_below(track, min_confidence) for name, track in recording.others.items()}
    if gaze is not None and gaze.confidence is not None:
        sure = lost_below(gaze, min_confidence)
        low = gaze.valid.sum() - sure.valid.sum()
        told = f"{low} of {len(gaze)} gaze samples have a confidence below {min_confidence:g} and count as lost"
        gaze, notes = sure, (told, *notes)
    return replace(recording, gaze=gaze, others=others, notes=notes)


def _with_what_is_missing(recording: Recording) -> Recording:
    video, gaze = recording.video, recording.gaze
    if video is None or container_of(video.path) is not None:  # which tells it itself
        return recording
    looks = [video_look(part.path, part.index) for part in video.parts]
    late = gaze_after_video(gaze, video.parts[-1].start_s + float(looks[-1].index.time_s[-1]))
    told = (*(look.missing for look in looks), late)
    new = (note for note in told if note is not None and note not in recording.notes)
    return replace(recording, notes=(*recording.notes, *new))


def open_video(stream: MediaStream) -> FrameSource:
    """The pictures of a stream, on the recording's clock; closed by whoever opened them.

    Raises FileError where a file has changed since the recording was opened.
    """
    sources = [_open_video(part) for part in stream.parts]
    starts_s = [part.start_s for part in stream.parts]
    return sources[0] if starts_s == [0] else JoinedVideo(sources, starts_s)


def _open_video(stream: MediaStream) -> FrameSource:
    """On the file's own clock."""
    _require_unchanged(stream)
    if (container := _container(stream)) is not None:
        return container.video(stream.path)
    if stream.path.is_dir():
        return Pictures(stream.path, rate_hz=stream.rate_hz)
    source = Video(stream.path, stream=stream.index)
    shown_s = next((times_s for d in devices() if (times_s := d.shown_s(stream.path)) is not None), None)
    return source if shown_s is None or len(shown_s) != len(source.times_s) else RetimedVideo(source, shown_s)


def open_sound(stream: MediaStream) -> SoundSource:
    """The sound of a stream, on the recording's clock; closed by whoever opened it.

    Raises FileError where a file has changed since the recording was opened.
    """
    sources = [_open_sound(part) for part in stream.parts]
    starts_s = [part.start_s for part in stream.parts]
    return sources[0] if starts_s == [0] else JoinedSound(sources, starts_s)


def _open_sound(stream: MediaStream) -> SoundSource:
    """On the file's own clock."""
    _require_unchanged(stream)
    container = _container(stream)
    return Sound(stream.path, stream=stream.index) if container is None else container.sound(stream.path)


def device_frame_times_s(stream: MediaStream) -> Float64[np.ndarray, "m"] | None:
    """When the device says it took each frame, from the first, apart from the video file's own times.

    None where nothing but the file says it. `check_recording` compares the two clocks.
    """
    stamped_s = []
    for part in stream.parts:
        told_s = next((times_s for d in devices() if (times_s := d.stamped_s(part.path)) is not None), None)
        if told_s is None:
            return None
        stamped_s.append(part.start_s + told_s)
    return np.concatenate(stamped_s)


def _require_unchanged(stream: MediaStream) -> None:
    if stream.state is not None:
        with unchanged(stream.path, stream.state):
            return


def _container(stream: MediaStream) -> Container | None:
    container = container_of(stream.path)
    if container is not None and stream.index is not None:
        raise FileError(
            stream.path,
            found=f"stream {stream.index} asked for",
            wanted=f"the pictures or the sound that regard reads from a {container.suffix} file",
            do="leave the stream's number out",
        )
    return container


def _contents(folder: Path) -> str:
    names = sorted(p.name for p in folder.iterdir())
    return f"a folder of {', '.join(names[:6])}{', ...' * (len(names) > 6)}" if names else "an empty folder"
