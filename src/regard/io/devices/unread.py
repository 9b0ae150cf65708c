"""What lies beside a video and is not read: named, so that nobody takes it for a recording without."""

import re
from collections.abc import Mapping
from pathlib import Path

LOOKS_LIKE_GAZE = re.compile(
    r".*gaze.*\.(csv|tsv|txt|json|jsonl|parquet|npy|npz|mat|xlsx?|raw|pldata|gz|zip)|[^.]*gaze[^.]*|livedata\.json\.gz",
    re.I,
)

ANNOTATIONS = {"labels.csv": "segments", "faces.csv": "people in view", "hands.csv": "hands"}
"""Tables that are read beside a plain video, and not in a device's own folder."""

MOST = 4


def unread_gaze(folder: Path) -> list[str]:
    """A note where files in the folder look like gaze."""
    found = sorted(p.name for p in folder.iterdir() if LOOKS_LIKE_GAZE.fullmatch(p.name) and not p.is_dir())
    if not found:
        return []
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return [
        f"{', '.join(found[:MOST])}{more} {'lies' if len(found) == 1 else 'lie'} here and "
        f"{'is' if len(found) == 1 else 'are'} not read: to score against it, write it as gaze.csv "
        "(timestamp_s,x,y) beside the only video"
    ]


def not_read(folder: Path, what: Mapping[str, str]) -> list[str]:
    """A note that names what is not read, by the pattern of the files that hold it, of those that lie here."""
    found = {pattern: sorted(p.relative_to(folder).as_posix() for p in folder.glob(pattern)) for pattern in what}
    told = [f"{what[pattern]} ({', '.join(names[:MOST])})" for pattern, names in found.items() if names]
    return [f"not read: {'; '.join(told)}"] if told else []
