"""The first look at a video stream as a small file in the cache folder: a line of JSON, then the packets' numbers."""

import hashlib
import json
import time
from pathlib import Path

import av
import numpy as np

from regard.errors import FileError
from regard.io.cache import cache_folder
from regard.io.files import writing
from regard.io.media.packets import PacketTable
from regard.io.media.video_look import VideoLook
from regard.types import FileState

FORMAT = f"5 {av.__version__}"
"""Of the file, and of what read the packets; a look of another one is not taken."""

DAYS = 60
"""A look is forgotten after so long, and had anew where it is still wanted."""

COLUMNS = ("pts", "dts", "duration", "pos", "key", "hidden")
FACTS = (
    "first_pts",
    "frame_s",
    "pixel_aspect",
    "has_sound",
    "promised_frames",
    "promised_s",
    "is_exact",
    "ends_inside",
    "num_unread",
)


def load(path: Path, stream: int | None, state: FileState | None) -> VideoLook | None:
    """What was kept of this stream in this state of the file; None where nothing was."""
    file = _file(path, stream)
    try:
        head, _, body = file.read_bytes().partition(b"\n")
        about = json.loads(head)
        if about["format"] != FORMAT or state is None or about["state"] != list(state):
            return None
        rows = np.frombuffer(body, "<i8").reshape(len(COLUMNS), -1).copy()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    columns = dict(zip(COLUMNS, rows, strict=True))
    return VideoLook(
        state=state,
        table=PacketTable(
            tick_s=about["tick_s"],
            pts=columns["pts"] if about["has_pts"] else None,
            dts=columns["dts"] if about["has_dts"] else None,
            duration=columns["duration"],
            pos=columns["pos"],
            key=columns["key"].astype(bool),
            hidden=columns["hidden"].astype(bool),
            num_damaged=about["num_damaged"],
        ),
        turn=tuple(about["turn"]),
        size=tuple(about["size"]),
        **{name: about[name] for name in FACTS},
    )


def save(path: Path, stream: int | None, look: VideoLook) -> bool:
    """Keep it; True where it was not kept yet. A cache folder that cannot be written to is done without."""
    if look.state is None or load(path, stream, look.state) is not None:
        return False
    table = look.table
    nothing = np.zeros(len(table), np.int64)
    rows = [nothing if (column := getattr(table, name)) is None else column for name in COLUMNS]
    about = {
        "format": FORMAT,
        "path": str(path.absolute()),
        "state": look.state,
        "tick_s": table.tick_s,
        "num_damaged": table.num_damaged,
        "has_pts": table.pts is not None,
        "has_dts": table.dts is not None,
        "turn": look.turn,
        "size": look.size,
        **{name: getattr(look, name) for name in FACTS},
    }
    try:
        with writing(_file(path, stream)) as part:
            part.write_bytes(json.dumps(about).encode() + b"\n" + np.stack(rows).astype("<i8").tobytes())
    except FileError:
        return False
    return True


def forget_old() -> None:
    """Remove what was kept more than DAYS ago."""
    since = time.time() - DAYS * 86400
    for file in cache_folder("looks").glob("*.look"):
        try:
            if file.stat().st_mtime < since:
                file.unlink()
        except OSError:
            continue


def _file(path: Path, stream: int | None) -> Path:
    name = hashlib.sha256(f"{path.absolute()}\n{stream}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache_folder("looks", f"{name}.look")
