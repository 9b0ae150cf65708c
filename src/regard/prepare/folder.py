"""Videos made quick to read: each re-encoded once at the size that training wants, with a key frame every few frames.

A clip of a few frames anywhere in an ordinary film means decoding from the last key frame, up to ten seconds of large
pictures before it. A prepared film is small, has a key frame every 16 frames, and shows its frames at the original's
times, variable frame rate and all. The sound comes along.

    PREPARED/
      kitchen-3f2a9c10.mp4      one film for each recording
      kitchen-3f2a9c10.json     what it was made from and how; written after the film
      manifest.json             all of them; written when the last film is whole, by whichever process made it
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from regard.errors import FileError, RecipeError
from regard.io import writing
from regard.prepare.film import Settings
from regard.prepare.making import Making, Size, kinds
from regard.prepare.pool import Engine, ended_on, finished
from regard.types import MediaStream, Recording

PROBE_BYTES = 1 << 20
"""A file's fingerprint covers this much of its beginning, middle and end, and its length: copying keeps it, and
re-encoding or cutting, which rewrite all of a file, change it."""

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What one call of `prepare` did, by recording id. `waiting` are those that other shards have not made yet."""

    root: Path
    made: tuple[str, ...]
    already: tuple[str, ...]
    failed: dict[str, str]
    waiting: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """True when every recording is made or known to fail, so that the manifest stands."""
        return not self.waiting


def prepare(
    recordings: Sequence[Recording],
    out: Path | str,
    settings: Making,
    *,
    workers: int | None = None,
    engine: Engine = "processes",
    shard: tuple[int, int] = (0, 1),
    on_error: Literal["raise", "skip"] = "raise",
    tell: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Make the films that `out` lacks, in `workers` processes (None: one on each usable core).

    `engine` "ray" gives the films to a Ray cluster instead: many machines, which must share the disk.

    What is whole and was made from the same source with the same settings is kept, so an interrupted call is resumed by
    repeating it. `shard` (i, n) makes only every n-th recording from the i-th on, for job arrays on a shared disk; the
    last one to finish writes the manifest. A video that cannot be read stops everything, or is listed in the manifest
    with `on_error="skip"`, and then the original stays in use. `tell` gets a line for each film.
    """
    index, count = shard
    if not 0 <= index < count:
        raise RecipeError(
            "shard",
            found=f"{index}/{count}",
            wanted="i/n with 0 <= i < n",
            do="count the shards from 0, as in 0/4 ... 3/4",
        )
    root = Path(out)
    mine = recordings[index::count]
    already = tuple(r.id for r in mine if "failed" not in (_entry(root, r, settings) or {"failed": ""}))
    missing = [r for r in mine if r.id not in set(already)]
    made: list[str] = []
    failed: dict[str, str] = {}
    work, light = partial(_attempt, root=root, settings=settings), [r.light("faces") for r in missing]
    attempts = finished(
        work, light, ended=lambda one: ended_on(one.require_video().path), engine=engine, workers=workers
    )
    for number, error in attempts:
        recording = missing[number]
        if error is None:
            made.append(recording.id)
        elif on_error == "skip":
            failed[recording.id] = f"{error.where}: {error.found}"
            _write_json(_entry_path(root, recording), _describe(recording, settings) | {"failed": failed[recording.id]})
        else:
            raise error
        outcome = "made" if error is None else failed[recording.id]
        tell(f"{len(made) + len(failed)}/{len(missing)} {recording.id}: {outcome}")
    entries = {r.id: _entry(root, r, settings) for r in recordings}
    waiting = tuple(name for name, entry in entries.items() if entry is None)
    failed |= {name: entry["failed"] for name, entry in entries.items() if entry is not None and "failed" in entry}
    if not waiting:
        _write_manifest(root, settings)
    return Prepared(root=root, made=tuple(made), already=already, failed=failed, waiting=waiting)


def use_prepared(
    recordings: Sequence[Recording], root: Path | str, *, size: Size | None = None, own: Iterable[Making] = ()
) -> tuple[Recording, ...]:
    """The recordings with their prepared films in place of their videos, and with all else that was made beside them.

    A recording whose original could not be read keeps it, as do all where no films but something else was made, for
    models that read pictures as recorded (`size` None), and where flow was made and no film begun, for those that read
    flow alone. `own` are makings of the user's. Raises FileError where what
    was made is not whole, lacks a recording, or was made from another file than the one there now; and RecipeError
    where films are smaller than `size`.
    """
    root = Path(root)
    made = [kind for kind in kinds(own) if (root / kind.folder / MANIFEST).is_file()]
    flow_alone = any("flow" in kind.supplies for kind in made) and not any(root.glob("*.json"))
    if Settings not in made and not flow_alone and (size is not None or not made):
        read_manifest(root)
    if Settings in made and size is not None:
        _require_size(root, size)
    used = tuple(recordings)
    for kind in made:
        used = use_made(kind, used, root, sources=recordings)
    return used


def use_made(
    kind: type[Making], recordings: Sequence[Recording], root: Path, *, sources: Sequence[Recording]
) -> tuple[Recording, ...]:
    """The recordings with what one making made of their `sources`, below a folder of all that is prepared."""
    manifest = read_manifest(root / kind.folder)
    files = [film_of(source, kind, root / kind.folder, manifest) for source in sources]
    return tuple(r if file is None else kind.use(r, *file) for r, file in zip(recordings, files, strict=True))


def _require_size(root: Path, size: Size) -> None:
    smallest = _short_side(read_manifest(root)["settings"]["size"])
    if smallest < _short_side(size):
        raise RecipeError(
            str(root),
            found=f"films with a short side of {smallest} pixels",
            wanted=f"at least the {_short_side(size)} that the recipe decodes",
            do="prepare them again at that size, or decode smaller",
        )


def read_manifest(root: Path) -> dict[str, Any]:
    """What a folder of films holds. Raises FileError where it was not filled to the end."""
    try:
        return json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise FileError(
            root / MANIFEST,
            found="no readable manifest, so these films may be incomplete",
            wanted="a folder that regard prepare filled to the end",
            do="run regard prepare again; it goes on where it stopped",
        ) from error


def film_of(
    recording: Recording, kind: type[Making], root: Path, manifest: dict[str, Any]
) -> tuple[Path, dict[str, Any]] | None:
    """A recording's film, which is whole and fits its source, and what is known about it; None where there is none.

    That is where making it failed, or where it was never lacked. Raises FileError for a film that is lacking, cut
    short, or made from another file than the one there now.
    """
    entry = manifest["recordings"].get(recording.id)
    if (entry is None and not kind.lacks(recording)) or (entry is not None and "failed" in entry):
        return None
    film = _file(root, recording, kind)
    is_whole = entry is not None and film.is_file() and film.stat().st_size == entry["bytes"]
    if entry is None or not is_whole:
        raise FileError(
            film,
            found=f"{'a film of another length' if entry and film.is_file() else 'no film'} for {recording.id}",
            wanted="the film that the manifest promises" if entry else "a film of every recording",
            do="run regard prepare again with this dataset",
        )
    source = recording.require_video()
    if source.path.exists() and _fingerprint(source) != entry["fingerprint"]:
        raise FileError(
            film,
            found=f"a film made from another file than {source.path}, which has changed since",
            wanted="a film of that file",
            do="run regard prepare again",
        )
    return film, entry


def _attempt(recording: Recording, root: Path, settings: Making) -> FileError | None:
    """Make one film. What is wrong with the output folder is raised; what is wrong with the video is returned."""
    try:
        film = _file(root, recording, settings)
        made = {**settings.make(recording, film), "bytes": film.stat().st_size}
        _write_json(_entry_path(root, recording), _describe(recording, settings) | made)
    except FileError as error:
        if root in Path(error.where).parents:
            raise
        return error
    return None


def _describe(recording: Recording, settings: Making) -> dict:
    """What a film of this recording has to have been made from, and how."""
    source = recording.require_video()
    return {
        "id": recording.id,
        "source": str(source.path),
        "stream": source.index,
        "fingerprint": _fingerprint(source),
        "settings": settings.settings(),
        "from": settings.made_from(recording),
    }


def _entry(root: Path, recording: Recording, settings: Making) -> dict | None:
    """The note about a film that is whole and still fits its source and the settings; None where there is none."""
    try:
        entry = json.loads(_entry_path(root, recording).read_text())
        now = json.loads(json.dumps(_describe(recording, settings)))
        fits = all(entry.get(key, {}) == now[key] for key in ("stream", "fingerprint", "settings", "from"))
        is_whole = "failed" in entry or _file(root, recording, settings).stat().st_size == entry["bytes"]
    except (OSError, ValueError, KeyError):
        return None
    return entry if fits and is_whole else None


def _write_manifest(root: Path, settings: Making) -> None:
    """List every film that lies here whole, an earlier call's too; once more if another process added one meanwhile.

    So of several processes that finish at the same moment the last one to write has seen the films of all.
    """
    listed = None
    while (films := _noted(root, settings)) != listed:
        # under a name of its own, because several may be writing
        mine = root / f"manifest-{uuid4().hex}.json"
        _write_json(mine, {"settings": settings.settings(), "recordings": films})
        mine.replace(root / MANIFEST)
        listed = films


def _noted(root: Path, settings: Making) -> dict[str, dict]:
    """The notes about all films here that were made in the same way, by recording id."""
    wanted, notes = json.loads(json.dumps(settings.settings())), {}
    for file in sorted(root.glob("*.json")):
        try:
            note = json.loads(file.read_text())
            if "id" not in note or note["settings"] != wanted:
                continue
            if "failed" in note or file.with_suffix(settings.suffix).stat().st_size == note["bytes"]:
                notes[note["id"]] = note
        except (OSError, ValueError, KeyError):
            continue
    return notes


def _fingerprint(source: MediaStream) -> str:
    """Of all its files."""
    digest = sha256()
    for part in source.parts:
        if not part.path.is_file():
            return "no file"
        with part.path.open("rb") as file:
            length = file.seek(0, 2)
            digest.update(str(length).encode())
            for start in sorted({0, max(0, (length - PROBE_BYTES) // 2), max(0, length - PROBE_BYTES)}):
                file.seek(start)
                digest.update(file.read(PROBE_BYTES))
    return digest.hexdigest()


def _name(recording: Recording) -> str:
    """A name that any file system takes, different for any two ids."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", recording.id).strip("-.")[:80]
    return f"{readable}-{sha256(recording.id.encode()).hexdigest()[:8]}"


def _file(root: Path, recording: Recording, kind: type[Making] | Making) -> Path:
    return root / f"{_name(recording)}{kind.suffix}"


def _entry_path(root: Path, recording: Recording) -> Path:
    return root / f"{_name(recording)}.json"


def _write_json(path: Path, content: dict) -> None:
    with writing(path) as part:
        part.write_text(json.dumps(content, indent=1))


def _short_side(size: Size | Sequence[int]) -> int:
    return size if isinstance(size, int) else min(size)
