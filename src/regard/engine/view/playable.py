"""A recording's video as a file that browsers play, and when each of its frames is shown there and on our clock.

Most are played as they are. Of others a copy is made once, and kept in the cache: the user's folder stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.engine.view.repacked import repacked
from regard.errors import FileError
from regard.io import FilmWriter
from regard.io.cache import cache_folder
from regard.io.devices import container_of
from regard.io.files import make_folder, one_at_a_time
from regard.io.fingerprint import fingerprint
from regard.io.media.container import choose_video, open_media, video_streams
from regard.io.media.looks import video_look
from regard.io.recording import open_sound, open_video
from regard.sources import FrameSource, PlanarSource
from regard.types import MediaStream, Recording
from regard.viz.film import CHUNK_BYTES, film_size

MP4_CODECS, WEBM_CODECS = {"h264", "av1", "vp9"}, {"vp8", "vp9", "av1"}
PLAIN = {"yuv420p", "yuvj420p"}
"""Eight bits and a quarter of the colours: what all browsers decode."""
GOP = 15
"""From one picture that needs no other to the next, so that a jump decodes few."""
TICK_S = 1e-4
"""A copy keeps times to a ninety-thousandth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Playable:
    """A file, and of its n frames when the file shows each from its first one on, and when the recording does.

    `copied` says why it is a copy; empty where it is the recording's own. `size` is (height, width) of the upright
    picture as a browser shows it.
    """

    path: Path
    media_type: str
    size: tuple[int, int]
    shown_s: Float64[np.ndarray, "n"]
    taken_s: Float64[np.ndarray, "n"]
    copied: str


def playable(recording: Recording, *, progress: Callable[[int, int], None] | None = None) -> Playable:
    """What a browser is given of the recording. `progress` is told the frames copied, and of how many.

    Raises FileError where there is no video or a copy cannot be made.
    """
    stream = recording.require_video()
    source = open_video(stream)
    taken_s = source.times_s
    why, packets_fit = _why_not(stream, len(taken_s))
    path, index = stream.path, stream.index
    if why:
        path, index = _copy(recording, source, progress, packets_fit=packets_fit), None
    source.close()
    look = video_look(path, index)
    height, width = look.size
    return Playable(
        path=path,
        media_type="video/webm" if path.suffix.lower() == ".webm" else "video/mp4",
        size=(height, round(width * look.pixel_aspect)),
        shown_s=look.index.time_s,
        taken_s=taken_s,
        copied=why,
    )


def _why_not(stream: MediaStream, num_frames: int) -> tuple[str, bool]:
    """Why a browser would not show this file as we do, in words, and whether it would show its packets in an mp4.

    Empty where it would as it is.
    """
    path = stream.path
    if len(stream.parts) > 1:
        return f"in {len(stream.parts)} files", False
    if path.is_dir():
        return "a folder of pictures", False
    if container_of(path) is not None:
        return f"a {path.suffix.lower()} file", False
    with open_media(path) as container:
        chosen = choose_video(container, path, stream.index)
        kind, is_first = container.format.name, chosen is video_streams(container)[0]
        codec, pixels = chosen.codec_context.name, chosen.codec_context.pix_fmt
    look = video_look(path, stream.index)
    swaps, left_right, up_down = look.turn
    other = ""
    if pixels not in PLAIN:
        other = f"{codec} with pixels of the kind {pixels}"
    elif swaps == (left_right == up_down):
        other = "mirrored"
    elif look.table.pts is None or look.table.hidden.any() or len(look.index) != num_frames:
        other = "frames that are stored and not shown, or without times"
    packets_fit = codec in MP4_CODECS and not other and not any(look.turn)
    if not (("mp4" in kind and codec in MP4_CODECS) or (path.suffix.lower() == ".webm" and codec in WEBM_CODECS)):
        return f"{codec} in {kind.split(',')[0]}", packets_fit
    return other or ("" if is_first else "not the first of the file's videos"), packets_fit


def _copy(
    recording: Recording, source: FrameSource, progress: Callable[[int, int], None] | None, *, packets_fit: bool
) -> Path:
    """The copy in the cache, made where there is none or it has other times."""
    stream, audio = recording.require_video(), recording.audio
    seen, heard = (None if media is None else [_print(part) for part in media.parts] for media in (stream, audio))
    about = repr((seen, heard))
    folder = cache_folder("view")
    make_folder(folder)
    path = folder / f"{sha256(about.encode()).hexdigest()[:24]}.mp4"
    with one_at_a_time(path):
        if _has_times(path, source.times_s):
            return path
        if packets_fit and repacked(recording, path, progress=progress) and _has_times(path, source.times_s):
            return path
        _write(recording, source, path, progress)
    return path


def _print(part: MediaStream) -> tuple[object, ...]:
    """What tells it from others, wherever it lies and whatever it is called."""
    return *fingerprint(part.path)[1:], part.index, part.rate_hz, part.start_s


def _has_times(path: Path, times_s: Float64[np.ndarray, "n"]) -> bool:
    try:
        shown_s = video_look(path, None).index.time_s
    except FileError:  # none yet, or damaged
        return False
    return len(shown_s) == len(times_s) and bool(np.allclose(shown_s, times_s - times_s[0], rtol=0, atol=TICK_S))


def _write(recording: Recording, source: FrameSource, path: Path, progress: Callable[[int, int], None] | None) -> None:
    sound = None if recording.audio is None else open_sound(recording.audio)
    size, times_s = film_size(source, max_height=720), source.times_s
    frames_at = source.planar_at if isinstance(source, PlanarSource) else source.frames_at
    chunk = max(1, CHUNK_BYTES // (3 * size[0] * size[1]))
    with FilmWriter(path, size=size, sound=sound, gop=GOP, quick=True) as writer:
        for start in range(0, len(times_s), chunk):
            shown_s = times_s[start : start + chunk]
            for time_s, frame in zip(shown_s.tolist(), frames_at(shown_s, size=size), strict=True):
                writer.write(frame, time_s)
            if progress is not None:
                progress(min(start + chunk, len(times_s)), len(times_s))
