"""What the verbs share that take a study: one recording as ever, or many by one seam."""

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from regard.cli.console import heading, out, plain, remarks, table, wrote
from regard.cli.options import OUT, command, model_words
from regard.cli.results import marked
from regard.engine.study.kept import Told
from regard.errors import FileError, RecipeError
from regard.io.finding import RecordingCheck
from regard.io.study_list import OWNER, StudyList, read_study
from regard.types import Recording

if TYPE_CHECKING:
    from regard.engine.study.run import Done

COLUMNS = {"length_s": "duration_s", "gaze_hz": "gaze_rate_hz", "gaze_valid": "gaze_valid_share"}
"""Facts that are printed, by what they are called there."""

EXIT_SOME_FAILED = 1

NOT_SETTINGS = ("paths", "path", "out", "jobs", "engine", "by", "debug", "said")
"""Options that change nothing of what is made of a recording."""

MOST_SHOWN = 20
"""Recordings that are printed; of more, those with problems."""

Tell = Callable[[Namespace, Recording, RecordingCheck, Path], Told]

Finish = Callable[[pd.DataFrame, Path], list[Path]]
"""What else a verb makes of the rows of all recordings, in the study's folder."""


def study_of(options: Namespace) -> StudyList | None:
    """The study that the paths are; None for one recording, whose path is `options.path` then."""
    options.path = options.paths[0]
    study = read_study(options.paths)
    if study is None and options.by is not None:
        raise RecipeError(
            f"--by {options.by}",
            found=f"one recording: {options.path}",
            wanted="a study, whose list has such a column",
            do="take it out, or name a csv list",
        )
    return study


def many(
    study: StudyList,
    options: Namespace,
    tell: Tell,
    *,
    verb: str,
    finish: Finish | None = None,
    beside: Mapping[str, Path] | None = None,
    more: Sequence[str] = (),
) -> int:
    """Do the verb's work on all recordings, and write tables and page. 1 where one failed or cannot be used.

    `beside` are files that are also read for a recording, by its id; `more` are names of other tables that it tells.
    """
    from regard.engine.study.page import write_page
    from regard.engine.study.run import Job, run_study, settings_of
    from regard.engine.study.tables import (
        MEDIANS,
        condition_column,
        conditions_table,
        hint_of,
        recordings_table,
        rows_table,
        side_by_side,
        write_tables,
    )

    heading(f"study {study.name}: {len(study)} recording{'s' * (len(study) != 1)}")
    remarks(study.notes)
    by = condition_column(study, options.by)
    folder = _folder(study, options.out)
    job = Job(
        tell=partial(tell, options),
        verb=verb,
        out=folder.absolute(),
        settings=settings_of({name: value for name, value in vars(options).items() if name not in NOT_SETTINGS}),
        min_confidence=options.min_confidence,
        beside=beside or {},
        thorough=getattr(options, "thorough", False),
        debug=options.debug,
    )
    done = run_study(study, job, engine=options.engine, jobs=_jobs(options), say=_say)
    if done.already:
        number = len(done.already)
        out.print(f"{number} {'was' if number == 1 else 'were'} done before, and nothing has changed since")
    recordings = recordings_table(study, done)
    rows = rows_table(study, done, folder, verb)
    conditions = None if by is None else conditions_table(study, done, by, of_facts=rows is None)
    tables = {verb: recordings} if rows is None else {verb: rows, f"{verb}_recordings": recordings}
    tables |= {name: t for name in more if (t := rows_table(study, done, folder, verb, name)) is not None}
    tables |= {} if conditions is None else {f"{verb}_by_{by}": conditions}
    files = write_tables(tables, folder)
    files += finish(rows, folder) if finish is not None and rows is not None else []
    hint = hint_of(study, conditions)
    notes = [note for note in (hint, *study.notes) if note]
    page = write_page(study, done, folder, verb=verb, by=by, conditions=conditions, notes=notes, command=options.said)
    _tell(study, done)
    if conditions is not None:
        heading(f"by {by}: {MEDIANS}")
        table(side_by_side(conditions))
    if hint is not None:
        remarks([hint])
    _tell_failed(done)
    has_video = any(note.facts.get("width", 0) > 0 for note in done.notes.values())
    has_gaze = any(note.facts.get("gaze_rate_hz", 0) > 0 for note in done.notes.values())
    is_scored = verb == "predict" and has_gaze and rows is not None and "x" in rows
    wrote([page, *files], then=_next(verb, options, has_video=has_video or not done.notes, is_scored=is_scored))
    is_whole = not done.failed and all(note.is_usable for note in done.notes.values())
    return 0 if is_whole else EXIT_SOME_FAILED


def _say(line: str) -> None:
    out.print(plain(line), soft_wrap=True)


def _tell(study: StudyList, done: "Done") -> None:
    """A line for each recording, or of many for those with problems."""
    from regard.engine.study.tables import state_of

    rows = []
    for one in study.recordings:
        note = done.notes.get(one.id)
        problems = [f.name for f in note.findings if f.level in ("warning", "unusable")] if note else []
        if len(study) > MOST_SHOWN and note and not problems:
            continue
        facts = note.facts if note else {}
        known = {name: facts.get(key, float("nan")) for name, key in COLUMNS.items()}
        state = state_of(note) if note else "failed"
        rows.append({"recording": one.id, "state": state, **known, "problems": ", ".join(problems)})
    if rows:
        heading("recordings" if len(study) <= MOST_SHOWN else f"{len(rows)} of {len(study)} to be looked at")
        table(pd.DataFrame(rows))


def _tell_failed(done: "Done") -> None:
    if done.failed:
        heading(f"{len(done.failed)} failed")
    for name, error in done.failed.items():
        _say(f"  {name}: {error.where}: {error.found}")
        _say(f"    do: {error.do}")


def _next(verb: str, options: Namespace, *, has_video: bool, is_scored: bool) -> str:
    follows = {
        "check": ["events"],
        "events": ["predict", "--model", "saliency"] if has_video else ["areas", "--areas", "FILE"],
        "show": ["events"],
        "areas": ["events"],
        "predict": ["evaluate", *model_words(options)] if is_scored else ["recipes"],
        "evaluate": ["recipes"],
    }
    words = follows.get(verb, ["predict", "--model", "saliency"])
    return command(*words) if words == ["recipes"] else command(words[0], *options.paths, *words[1:])


def _jobs(options: Namespace) -> int | None:
    """One at a time on a device that all processes would share."""
    return 1 if options.jobs is None and getattr(options, "device", "cpu") != "cpu" else options.jobs


def _folder(study: StudyList, asked: Path | None) -> Path:
    """Where the study's results go: the folder asked for, or one of its name or beside that, its own alone."""
    where = str(study.where.resolve())
    folder = asked or OUT / study.name
    if (owner := _owner(folder)) not in (None, where):
        if asked is not None:
            raise FileError(
                folder,
                found=f"a folder with the results of {owner}",
                wanted=f"a folder of its own for those of the study {where}",
                do="name another folder with --out",
            )
        folder = marked(folder, where)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OWNER).write_text(where, encoding="utf-8", errors="surrogateescape")
    return folder


def _owner(folder: Path) -> str | None:
    """Whose results lie there; None where nothing does."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    owner = folder / OWNER
    return owner.read_text(encoding="utf-8", errors="surrogateescape") if owner.is_file() else "something else"
