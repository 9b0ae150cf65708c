"""What a run was made from: version, commit, recipe and the data it saw."""

import hashlib
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from regard.types import Recording


def provenance(recipe_text: str, recordings: Iterable[Recording]) -> dict[str, str]:
    """Plain strings, to be kept in every checkpoint and printed under every table."""
    return {
        "recipe": recipe_text,
        "regard": version("regard"),
        "commit": git_commit(),
        "data": data_hash(recordings),
    }


def data_hash(recordings: Iterable[Recording]) -> str:
    """16 hex digits that change when a recording, its gaze or the size of its video file changes.

    Where files lie does not count, so that two machines with the same data print the same hash.
    """
    digest = hashlib.sha256()
    for recording in sorted(recordings, key=lambda r: r.id):
        digest.update(recording.id.encode())
        if recording.video is not None:
            digest.update(str(recording.video.path.stat().st_size).encode())
        if recording.gaze is not None:
            for column in (recording.gaze.time_s, recording.gaze.point, recording.gaze.state):
                digest.update(column.tobytes())
        for s in recording.segments:
            digest.update(f"{s.kind} {s.start_s} {s.end_s} {sorted(s.labels.items())}".encode())
    return digest.hexdigest()[:16]


def git_commit() -> str:
    """Commit of the source that runs, with "+" where it was changed since; "released" outside a checkout."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "--", str(here.parent)) else "")
    except (OSError, subprocess.CalledProcessError):
        return "released"


def _git(folder: Path, *words: str) -> str:
    run = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return run.stdout.strip()
