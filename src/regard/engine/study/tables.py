"""A study's tables: a row a recording, all rows of the verb in long form, and what is usual under each condition."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from regard.engine.study.kept import Note, folder_of, read_note, read_rows, stamp_of
from regard.engine.study.run import Done
from regard.errors import RecipeError
from regard.io.study_list import StudyList
from regard.io.tables import write_table
from regard.metrics.by_condition import FEW, by_condition, hint_of_few

CONDITION, PARTICIPANT, RECORDING = "condition", "participant", "recording"

MEDIANS = "medians (95 % interval), n participants"
"""What stands above a table of conditions."""


def recordings_table(study: StudyList, done: Done) -> pd.DataFrame:
    """A row for each recording: the list's own columns, name and path, whether it is done, facts, numbers, problems.

    `state` is "usable", "usable with warnings" or "not usable", as `regard check` says it, or "failed"; then `error`
    says why.
    """
    rows = []
    for one in study.recordings:
        note, error = done.notes.get(one.id), done.failed.get(one.id)
        row: dict[str, object] = {RECORDING: one.id, "path": str(one.path), "state": "failed"}
        if note is not None:
            row |= {"state": state_of(note), **note.facts, **note.numbers, "problems": "; ".join(problems_of(note))}
        row["error"] = "" if error is None else f"{error.where}: found {error.found}; wanted {error.wanted}"
        rows.append(row)
    table = pd.DataFrame(rows)
    last = [name for name in ("problems", "error") if name in table]
    table = table.reindex(columns=[*table.columns.difference(last, sort=False), *last])
    return with_own_columns(table, [study.columns.iloc[[i]] for i in range(len(study))] if _has_own(study) else [])


def rows_table(study: StudyList, done: Done, out: Path, verb: str, table: str = "") -> pd.DataFrame | None:
    """What the verb says of all recordings, one after the other, in its table or another; None where in no rows."""
    parts, own = [], []
    for number, one in enumerate(study.recordings):
        rows = read_rows(folder_of(out, one, verb), table) if one.id in done.notes else None
        if rows is None:
            continue
        rows = rows.drop(columns=RECORDING, errors="ignore")
        rows.insert(0, RECORDING, one.id)
        parts.append(rows)
        if _has_own(study):
            own.append(study.columns.iloc[[number] * len(rows)])
    if not parts:
        return None
    some = [part for part in parts if len(part)] or parts[:1]  # an empty one knows no types
    return with_own_columns(pd.concat(some, ignore_index=True), own)


def with_own_columns(table: pd.DataFrame, own: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The list's own columns in front of a table's; one that has a name of the table's is called `list_...`."""
    if not own:
        return table
    front = pd.concat(own, ignore_index=True)
    taken = set(table.columns)
    front.columns = [f"list_{name}" if name in taken else name for name in front]
    together = pd.concat([front, table], axis=1)
    together.attrs = table.attrs
    return together


def condition_column(study: StudyList, by: str | None) -> str | None:
    """The list's column that says the condition: `by`, or `condition`, or None where the list has none.

    Raises RecipeError where it has not the one asked for.
    """
    if by is None:
        return CONDITION if CONDITION in study.columns else None
    if by in study.columns:
        return by
    raise RecipeError(
        f"--by {by}",
        found=f"a list with {'the columns ' + ', '.join(study.columns) if _has_own(study) else 'no column but path'}",
        wanted="one of its columns",
        do="name one of them, or add it to the list",
    )


def conditions_table(study: StudyList, done: Done, by: str, *, of_facts: bool = False) -> pd.DataFrame | None:
    """What is usual under each condition, which the list's column `by` says: see `by_condition`.

    Of the verb's own numbers, or of what is known of each recording. None where there are none.
    """
    rows = {one.id: done.notes[one.id] for one in study.recordings if one.id in done.notes}
    said = [note.facts if of_facts else note.numbers for note in rows.values()]
    if not any(said):
        return None
    numbers = pd.DataFrame(said, index=list(rows))
    numbers = numbers.drop(columns=["num_frames", "width", "height"], errors="ignore")
    own = study.columns.set_axis([one.id for one in study.recordings]).loc[list(rows)]
    who = own[PARTICIPANT] if PARTICIPANT in own else pd.Series(list(rows), index=list(rows))
    return by_condition(numbers, condition=list(own[by]), participant=list(who)).rename(columns={"condition": by})


def kept_by_others(study: StudyList, out: Path, by: str, verb: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each other verb whose own numbers were summarised by this column, and what is usual under each condition now.

    A recording that has changed since, or is no longer in the list, does not count; nothing does that was made with
    different options.
    """
    for file in sorted(out.glob("*.csv")):
        other = file.name.removesuffix(f"_by_{by}.csv")
        if other in (verb, file.name):
            continue
        notes = {}
        for one in study.recordings:
            note, now = read_note(folder_of(out, one, other)), stamp_of(one.path, without=out)
            if note is not None and note.numbers and note.source[: len(now)] == now:
                notes[one.id] = note
        done = Done(notes=notes, already=frozenset(), failed={})
        are_alike = len({note.settings for note in notes.values()}) == 1
        if are_alike and (conditions := conditions_table(study, done, by)) is not None:
            yield other, conditions


def side_by_side(conditions: pd.DataFrame) -> pd.DataFrame:
    """The conditions as columns, for people to read: median (low to high); how many participants where it is fewer."""
    name = conditions.columns[0]
    most = conditions.groupby(name, sort=False)["participants"].transform("max")
    rows = conditions[["median", "low", "high", "participants"]].itertuples(index=False, name=None)
    texts = [
        f"{median:.4g}"
        + ("" if np.isnan(low) else f" ({low:.4g} to {high:.4g})")
        + ("" if number == usual else f", n {number}")
        for (median, low, high, number), usual in zip(rows, most, strict=True)
    ]
    heads = [f"{value}, n {usual}" for value, usual in zip(conditions[name], most, strict=True)]
    said = conditions.assign(text=texts, head=heads).pivot(index="measure", columns="head", values="text")
    said = said.loc[conditions["measure"].unique(), list(dict.fromkeys(heads))].fillna("-")
    return said.rename_axis(None, axis=1).reset_index()


def write_tables(tables: dict[str, pd.DataFrame], out: Path) -> list[Path]:
    """Each as csv and as parquet, under its name; where they lie."""
    files = [out / f"{name}{suffix}" for name in tables for suffix in (".csv", ".parquet")]
    for file in files:
        write_table(tables[file.stem], file)
    return files


def state_of(note: Note) -> str:
    """As `regard check` says it."""
    if not note.is_usable:
        return "not usable"
    return "usable with warnings" if any(f.level == "warning" for f in note.findings) else "usable"


def problems_of(note: Note) -> list[str]:
    """What the check warns of, in sentences."""
    return [f"{f.name}: {f.text}" for f in note.findings if f.level in ("warning", "unusable")]


def hint_of(study: StudyList, conditions: pd.DataFrame | None) -> str | None:
    """What is to be said of a study, or of conditions, with few recordings."""
    if conditions is not None and (few := conditions[conditions["participants"] < FEW]) is not None and len(few):
        name = conditions.columns[0]
        where = ", ".join(dict.fromkeys(f"{row[name]}" for _, row in few.iterrows()))
        return f"fewer than {FEW} participants ({name} {where}): hints, not verdicts"
    return hint_of_few(len(study)) or None


def _has_own(study: StudyList) -> bool:
    return len(study.columns.columns) > 0
