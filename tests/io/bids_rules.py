"""The rules of BIDS' own schema that concern eye tracking, applied to a dataset: what in it breaks one of them."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

from bidsschematools.rules import regexify_all
from bidsschematools.schema import load_schema

SCHEMA = load_schema().to_dict()
EYETRACK = "eyetrack"


def broken_rules(root: Path) -> list[str]:
    """A line for each rule that a dataset breaks; empty where it is valid, as far as these go."""
    return [problem for part in (_names, _description, _tables, _lists) for problem in part(root)]


def _raw_files(root: Path) -> Iterator[Path]:
    """All that a validator looks at: not what lies in sourcedata."""
    for file in sorted(root.rglob("*")):
        if file.is_file() and file.relative_to(root).parts[0] != "sourcedata":
            yield file


def _names(root: Path) -> Iterator[str]:
    rules, _ = regexify_all()
    for file in _raw_files(root):
        name = file.relative_to(root).as_posix()
        if not any(re.fullmatch(rule["regex"], name) for rule in rules):
            yield f"{name}: a name of no rule"


def _description(root: Path) -> Iterator[str]:
    about = json.loads((root / "dataset_description.json").read_text())
    fields = SCHEMA["rules"]["json"]["dataset"]["dataset_description"]["fields"]
    required = [n for n, f in fields.items() if (f if isinstance(f, str) else f["level"]) == "required"]
    yield from (f"dataset_description.json lacks {name}" for name in required if name not in about)


def _tables(root: Path) -> Iterator[str]:
    sidecars, columns = SCHEMA["rules"]["sidecars"]["continuous"], SCHEMA["rules"]["tabular_data"]
    for file in _raw_files(root):
        kind = file.name.split("_")[-1].split(".")[0]
        if kind not in ("physio", "physioevents", "events") or file.suffix == ".json":
            continue
        about = json.loads((file.parent / (file.name.split(".")[0] + ".json")).read_text())
        asked = {"physio": ("Continuous", "EyeTrack"), "physioevents": ("PhysioEvents",), "events": ()}[kind]
        fields = {n: level for rule in asked for n, level in sidecars[rule]["fields"].items()}
        for name, level in fields.items():
            if (level if isinstance(level, str) else level["level"]) == "required" and name not in about:
                yield f"{file.name}: no {name}"
        yield from (f"{file.name}: {n} is {about[n]!r}" for n in about if not _is_allowed(n, about[n]))
        content = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
        lines = [line.split("\t") for line in content.splitlines()]
        names = about["Columns"] if file.suffix == ".gz" else lines.pop(0)
        rule = {
            "physio": columns["physio"]["PhysioEyeTracking"],
            "physioevents": columns["physio"]["PhysioEventsColumns"],
            "events": columns["events"]["Events"],
        }[kind]
        first = [SCHEMA["objects"]["columns"][n]["name"] for n in rule["initial_columns"]]
        if names[: len(first)] != first:
            yield f"{file.name}: columns {names}, not first {first}"
        yield from (f"{file.name}: {len(line)} values in a line" for line in lines if len(line) != len(names))
        yield from (f"{file.name}: {line[0]!r} is no time" for line in lines if float(line[0]) != float(line[0]))
        yield from (f"{file.name}: column {n} is not told of" for n in names if n not in about and kind != "events")
        if kind == "physioevents":
            physio = json.loads((file.parent / file.name.replace("physioevents.tsv.gz", "physio.json")).read_text())
            if about["OnsetSource"] not in physio["Columns"]:
                yield f"{file.name}: OnsetSource {about['OnsetSource']} is no column of the gaze"


def _is_allowed(name: str, value: object) -> bool:
    rule = SCHEMA["objects"]["metadata"].get(name, {})
    types = {"string": str, "number": int | float, "array": list, "object": dict}
    return ("enum" not in rule or value in rule["enum"]) and isinstance(value, types.get(rule.get("type"), object))


def _lists(root: Path) -> Iterator[str]:
    people = [line.split("\t")[0] for line in (root / "participants.tsv").read_text().splitlines()]
    folders = sorted(folder.name for folder in root.glob("sub-*"))
    if people[0] != "participant_id" or sorted(people[1:]) != folders:
        yield f"participants.tsv lists {people}, there are {folders}"
    for table in root.rglob("sub-*_scans.tsv"):
        for line in table.read_text().splitlines()[1:]:
            if not (table.parent / line.split("\t")[0]).is_file():
                yield f"{table.name} lists {line}"
