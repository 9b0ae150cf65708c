"""participants.tsv and the subjects' _scans.tsv: written, or more lines in those of a dataset, which keep theirs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from regard.io.bids.cells import NOTHING, column_of, read_tsv, write_json, written
from regard.io.bids.names import BROKEN, Entities
from regard.io.json_text import read_json

PEOPLE = Path("participants.tsv")


class Listed(NamedTuple):
    """A recording's name, and what a study's list says of it."""

    name: Entities
    columns: Mapping[str, object]


def write_lists(part: Path, out: Path, entries: Sequence[Listed]) -> None:
    """participants.tsv and each subject's _scans.tsv, after what the dataset has in them already."""
    names = list(dict.fromkeys(column for entry in entries for column in entry.columns))
    by_subject: dict[str, list[Listed]] = {}
    for entry in entries:
        by_subject.setdefault(entry.name.subject, []).append(entry)
    _, known = _table(out / PEOPLE, "participant_id")
    of_each = {
        f"sub-{subject}": {
            n: {written(e.columns.get(n)) for e in some}
            | {
                line[n]
                for line in known
                if line["participant_id"] == f"sub-{subject}" and line.get(n, NOTHING) != NOTHING
            }
            for n in names
        }
        for subject, some in sorted(by_subject.items())
    }
    ours = [n for n in names if all(len(values[n]) == 1 for values in of_each.values())]
    people = {subject: {n: next(iter(values[n])) for n in ours} for subject, values in of_each.items()}
    _extend(part, out, PEOPLE, "participant_id", people)
    for subject, some in by_subject.items():
        rest = {
            e.name.eye_file.relative_to(f"sub-{subject}").as_posix(): {
                n: written(e.columns.get(n)) for n in names if n not in ours
            }
            for e in some
        }
        for session in dict.fromkeys(e.name.session for e in some) if len(ours) < len(names) else ():
            folder = Entities(subject, "", session).folder
            below = f"ses-{session}/" if session else ""
            scans = {f.removeprefix(below): v for f, v in rest.items() if f.startswith(below)}
            name = "_".join(folder.parts)
            _extend(part, out, folder / f"{name}_scans.tsv", "filename", scans)


def _table(path: Path, key: str) -> tuple[list[str], list[dict[str, str]]]:
    """Columns, and cells as they are; none where there is no table. Raises TableError where it lacks the key."""
    if not path.is_file():
        return [key], []
    table = read_tsv(path)
    column_of(path, table, key)
    return list(map(str, table)), [{str(n): str(c) for n, c in row.items()} for row in table.to_dict("records")]


def _extend(part: Path, out: Path, file: Path, key: str, rows: Mapping[str, Mapping[str, str]]) -> None:
    """The table there is, its cells as they are, with new lines, and cells where it has none; and its json."""
    columns, lines = _table(out / file, key)
    for name, cells in rows.items():
        if all(line[key] != name for line in lines):
            lines.append({key: name})
        for line in lines:
            if line[key] == name:
                line |= {n: cell for n, cell in cells.items() if line.get(n, NOTHING) == NOTHING}
    columns += dict.fromkeys(n for line in lines for n in line if n not in columns)
    cells = ["\t".join(columns), *("\t".join(line.get(n, NOTHING) for n in columns) for line in lines)]
    (part / file).parent.mkdir(parents=True, exist_ok=True)
    (part / file).write_bytes("".join(f"{line}\n" for line in cells).encode())
    sidecar = file.with_suffix(".json")
    known = read_json(out / sidecar, wanted="metadata of BIDS", do=BROKEN) if (out / sidecar).is_file() else {}
    about = {n: {"Description": f"{n}, as the study's list has it."} for n in columns if n != key and n not in known}
    if about:
        write_json(part / sidecar, known | about)
