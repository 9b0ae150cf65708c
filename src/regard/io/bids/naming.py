"""What recordings are called in a BIDS dataset: labels of letters and digits, each subject's its own, and runs told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from regard.errors import FileError
from regard.io.bids.names import Entities, label_of
from regard.io.bids.write import Entry
from regard.io.recording import open_recording
from regard.io.study_list import StudyList

TASK = "unnamed"
"""Where nobody says what people did; BIDS wants a word."""

NAMING = ("participant", "session", "task", "run")
"""Columns of a study's list that name its recordings."""


def entries_of(study: StudyList, given: Mapping[str, str | None], *, min_confidence: float) -> list[Entry]:
    """The recordings of a study by their names in a dataset.

    A name's parts are those `given` for all (subject, session, task, run), those of the list's columns, or else the
    recordings' own subjects and, where these are unknown, the recordings' names. Those that would have one name are
    runs. Raises FileError where a run is given and is not enough to tell them apart.
    """
    listed = [{n: str(row[n]) for n in NAMING if n in row} for row in _rows(study)]
    texts = []
    for one, told in zip(study.recordings, listed, strict=True):
        subject = given.get("subject") or told.get("participant")
        if not subject:
            own = open_recording(one.path, min_confidence=min_confidence).subject
            subject = own if own not in ("", "unknown") else one.id
        texts.append(subject)
    labels = _labels(texts)
    names = [
        Entities(
            labels[subject],
            label_of(given.get("task") or told.get("task", "")) or TASK,
            label_of(given.get("session") or told.get("session", "")),
            label_of(given.get("run") or told.get("run", "")),
        )
        for subject, told in zip(texts, listed, strict=True)
    ]
    names = _with_runs(names)
    told = any(labels[text] != text for text in texts)
    columns = [
        {n: v for n, v in row.items() if n not in NAMING}
        | ({"participant": text} if told and "participant" in row else {})
        for row, text in zip(_rows(study), texts, strict=True)
    ]
    return [
        Entry(name=name, open=partial(open_recording, one.path, min_confidence=min_confidence), columns=own)
        for name, one, own in zip(names, study.recordings, columns, strict=True)
    ]


def _rows(study: StudyList) -> list[dict[str, object]]:
    rows = study.columns.to_dict("records")
    return [{str(n): v for n, v in row.items()} for row in rows] or [{} for _ in study.recordings]


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
    counts, seen = Counter(names), Counter()
    told = []
    for name in names:
        if counts[name] > 1 and name.run:
            raise FileError(
                str(name),
                found=f"{counts[name]} recordings of this name",
                wanted="a subject, session, task and run that no other has",
                do="tell them apart in the list's columns participant, session, task, run",
            )
        seen[name] += 1
        told.append(name._replace(run=str(seen[name])) if counts[name] > 1 else name)
    return told
