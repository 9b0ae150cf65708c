"""From what a user names (a file, 0, rtsp://..., neon://..., -) to a live source."""

import os
import re
import sys
from pathlib import Path

from regard.errors import FileError
from regard.io.live.grabbed import LiveSource
from regard.io.live.neon import Neon
from regard.io.live.played import Played
from regard.io.live.raw import Raw
from regard.io.live.stream import SCHEMES, Stream, without_password
from regard.io.recording import MIN_CONFIDENCE, open_recording

NEON = "neon"
CAMERA = re.compile(r"\d{1,3}|/dev/video\d+")


def open_live(
    source: str | Path,
    *,
    fast: bool = False,
    size: tuple[int, int] | None = None,
    rate_hz: float | None = None,
    min_confidence: float = MIN_CONFIDENCE,
) -> LiveSource:
    """A recording's folder or file, played; a camera's number; an address; glasses (neon://HOST); or "-": raw rgb24.

    `fast` lets pictures wait until they are asked for. `size` (height, width) and `rate_hz` are those of raw pictures.
    Raises FileError for what is none of these, or lacks something.
    """
    said = str(source)
    if said != "-" and (size or rate_hz):
        raise FileError(
            said,
            found="a size or a rate",
            wanted="these for raw pictures only, from -",
            do="take --size, --rate_hz out",
        )
    if said == "-":
        if size is None or rate_hz is None:
            raise FileError(
                "-",
                found="raw pictures of unknown size or rate",
                wanted="both, because rgb24 does not say them",
                do="give --size WIDTHxHEIGHT and --rate_hz",
            )
        return Raw(sys.stdin.fileno(), size=size, rate_hz=rate_hz, fast=fast)
    is_camera = CAMERA.fullmatch(said) is not None and not (said.isdigit() and Path(said).exists())
    scheme = re.match(r"([a-z][a-z0-9+]*)://", said, re.IGNORECASE)
    if fast and (is_camera or scheme):
        raise FileError(
            without_password(said),
            found="--fast for what comes at its own rate",
            wanted="a recording",
            do="leave it out",
        )
    if is_camera:
        return _camera(f"/dev/video{said}" if said.isdigit() else said)
    if scheme is None:
        return Played(open_recording(source, min_confidence=min_confidence), fast=fast)
    if scheme[1].lower() == NEON:
        return Neon(said)
    if scheme[1].lower() not in SCHEMES:
        raise FileError(
            without_password(said),
            found=f"an address of {scheme[1]}",
            wanted=f"one of {', '.join((*SCHEMES, NEON))}",
            do="name the file or folder itself, or another address",
        )
    return Stream(said)


def _camera(device: str) -> Stream:
    if not sys.platform.startswith("linux"):
        found, do = f"{sys.platform}, where regard opens no camera", "pipe it from ffmpeg to regard live -"
    elif not os.path.exists(device):
        cameras = sorted(str(path) for path in Path("/dev").glob("video*"))
        found, do = (
            f"no such camera; there {'are' if cameras else 'is none'} {', '.join(cameras)}".rstrip(),
            "plug it in",
        )
    else:
        return Stream(device, camera=True)
    raise FileError(device, found=found, wanted="a camera of video4linux", do=do)
