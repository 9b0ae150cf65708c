"""The contact page of a study's folder: every recording, and the pages that any verb made of it."""

from pathlib import Path

import numpy as np
import pandas as pd

from regard.engine.study.kept import Note
from regard.engine.study.run import Done
from regard.engine.study.tables import kept_by_others, problems_of
from regard.io.study_list import Listed, StudyList
from regard.viz.contact import PICTURE, Tile, contact_page

PAGE = "study.html"

LINKED = (".html", ".mp4", ".svg")
TABLES = (".csv", ".html")
"""Of the whole study."""


def write_page(
    study: StudyList,
    done: Done,
    out: Path,
    *,
    verb: str,
    by: str | None,
    conditions: pd.DataFrame | None,
    notes: list[str],
    command: str,
) -> Path:
    """Write it, with the summary by condition where there is one, and what other verbs left there."""
    tiles = [_tile(one, number, study, done, out) for number, one in enumerate(study.recordings)]
    long_s = sum(note.facts.get("duration_s", 0.0) for note in done.notes.values())
    odd = sum(bool(tile.problems) and not tile.is_broken for tile in tiles)
    broken = sum(tile.is_broken for tile in tiles)
    many = f"{len(study)} recording{'s' * (len(study) != 1)}"
    lead = f"{many}, {long_s / 60:.1f} minutes in all; {odd} to be looked at, {broken} broken."
    summaries = {} if conditions is None else {verb: conditions}
    summaries |= {} if by is None else dict(kept_by_others(study, out, by, verb))
    return contact_page(
        tiles,
        out / PAGE,
        title=study.name,
        lead=lead,
        conditions={f"{name.capitalize()} by {by}": table for name, table in summaries.items()},
        files=sorted(file for file in out.iterdir() if file.suffix in TABLES and file.name != PAGE),
        notes=notes,
        command=command,
    )


def _tile(one: Listed, number: int, study: StudyList, done: Done, out: Path) -> Tile:
    own = " · ".join(str(value) for value in study.columns.iloc[number]) if len(study.columns.columns) else ""
    note, error = done.notes.get(one.id), done.failed.get(one.id)
    if note is None:
        why = "not done" if error is None else f"{error.where}: found {error.found}; wanted {error.wanted}"
        return Tile(name=one.id, is_broken=True, about=[own] if own else [], problems=[why])
    pictures = sorted((out / one.folder).glob(f"*/{PICTURE}"))
    pages = [file for file in sorted((out / one.folder).glob("*/*")) if file.suffix in LINKED]
    return Tile(
        name=one.id,
        is_broken=not note.is_usable,
        picture=pictures[0].relative_to(out) if pictures else None,
        about=[line for line in (own, *_facts(note)) if line],
        problems=problems_of(note),
        links={_called(file): file.relative_to(out) for file in pages},
    )


def _facts(note: Note) -> list[str]:
    if not note.facts:
        return []
    facts = note.facts
    size = "no video" if np.isnan(facts["width"]) else f"{facts['width']}x{facts['height']}"
    lines = [
        f"{_length(facts['duration_s'])} · {size}"
        + (f" · {facts['frame_rate_hz']:.3g} Hz" if np.isfinite(facts["frame_rate_hz"]) else "")
    ]
    if np.isfinite(facts["gaze_rate_hz"]):
        lines.append(f"gaze {facts['gaze_rate_hz']:.3g} Hz, {facts['gaze_valid_share']:.0%} of the time valid")
    else:
        lines.append("no gaze")
    return lines


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)}:{int(seconds % 60):02d} min"


def _called(file: Path) -> str:
    """ "events" for events/events.html, "film (events)" for a film."""
    verb = file.parent.name
    if file.suffix == ".mp4":
        return f"film ({verb})"
    if file.stem == verb and file.suffix == ".svg":
        return f"figure ({verb})"
    return verb if file.stem in (verb, "report") else f"{file.stem} ({verb})"
