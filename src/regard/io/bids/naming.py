"""What recordings are called in a BIDS dataset: labels of letters and digits, each subject's its own, and runs told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from regard.errors import FileError
from regard.io.bids.names import Entities, label_of, name_in
from regard.io.bids.write import Entry
from regard.io.recording import open_recording
from regard.io.study_list import StudyList

TASK = "unnamed"
"""Where nobody says what people did; BIDS wants a word."""

NAMING = {"participant": "subject", **{part: part for part in ("session", "task", "acquisition", "run")}}
"""Columns of a study's list that name its recordings, and the part of the name that each is."""


def entries_of(study: StudyList, given: Mapping[str, str | None], *, min_confidence: float) -> list[Entry]:
    """The recordings of a study by their names in a dataset.

    A name's parts are those `given` for all (subject, session, task, run), those of a csv list's columns, those that
    the recordings have in the dataset in which they lie, or else the recordings' own subjects and, where these are
    unknown, the recordings' names. Those that would have one name are runs. Raises FileError where a run is no number,
    or is not enough to tell recordings apart.
    """
    rows = [{str(n): v for n, v in row.items()} for row in study.columns.to_dict("records")] or [
        {} for _ in range(len(study))
    ]
    is_list = study.where.suffix.lower() == ".csv"
    texts = []
    for one, row in zip(study.recordings, rows, strict=True):
        listed = {part: str(row[column]) for column, part in NAMING.items() if row.get(column, "") != ""}
        own = name_in(one.path)
        text = (own | listed if is_list else listed | own) | {part: t for part, t in given.items() if t}
        if "subject" not in text:
            subject = open_recording(one.path, min_confidence=min_confidence).subject
            text["subject"] = subject if subject not in ("", "unknown") else one.id
        if not label_of(text.get("run", "0")).isdecimal():
            raise FileError(
                one.path, found=f"run {text['run']!r}", wanted="a number, as BIDS has it", do="number the runs"
            )
        texts.append(text)
    labels = {part: _labels([text[part] for text in texts if part in text]) for part in NAMING.values()}
    names = [Entities(**{"task": TASK, **{part: labels[part][t] for part, t in text.items()}}) for text in texts]
    told = [
        column
        for column, part in NAMING.items()
        if any(str(row.get(column, "")) not in ("", getattr(n, part)) for row, n in zip(rows, names, strict=True))
    ]
    return [
        Entry(
            name=name,
            open=partial(open_recording, one.path, min_confidence=min_confidence),
            columns={n: str(v) if n in told else v for n, v in row.items() if n in told or n not in NAMING},
        )
        for name, one, row in zip(_with_runs(names), study.recordings, rows, strict=True)
    ]


def _labels(texts: Sequence[str]) -> dict[str, str]:
    """A label for each different text, different too."""
    labels: dict[str, str] = {}
    for text in texts:
        if text not in labels:
            first = label_of(text) or f"{len(labels) + 1:02}"
            taken = {label.lower() for label in labels.values()}
            others = (f"{first}x{number}" for number in range(2, len(texts) + 2))
            labels[text] = next(label for label in (first, *others) if label.lower() not in taken)
    return labels


def _with_runs(names: Sequence[Entities]) -> list[Entities]:
    counts, taken = Counter(names), set(names)
    told = []
    for name in names:
        if counts[name] > 1 and name.run:
            raise FileError(
                str(name),
                found=f"{counts[name]} recordings of this name",
                wanted="a subject, session, task, acquisition and run that no other has",
                do=f"tell them apart in the list's columns {', '.join(NAMING)}",
            )
        if counts[name] > 1:
            runs = (name._replace(run=str(number)) for number in range(1, 2 * len(names)))
            told.append(next(run for run in runs if run not in taken))
            taken.add(told[-1])
        else:
            told.append(name)
    return told
