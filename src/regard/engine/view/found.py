"""What lies in the folders and files that were named: answers, scores of items, events and areas, of one recording."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from regard.area import Area
from regard.engine.evaluate import require_about
from regard.engine.live.saving import is_live_run, watched
from regard.engine.view.answers import AnswersView
from regard.engine.view.gaze import read_events
from regard.engine.view.scores import ScoresView
from regard.errors import FileError, NothingToScoreError
from regard.io.areas.files import read_areas
from regard.io.files import owner_of
from regard.io.predictions import PredictionFile, open_prediction
from regard.types import Recording

EVENTS = "events.csv"
AREAS = "areas.json"
ITEMS = "items.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The answers of a model, or the scores of its items, or both, under one name."""

    key: str
    name: str
    answers: AnswersView | None = None
    scores: ScoresView | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What was found about one recording. `notes` name what lies there and is not shown."""

    runs: Sequence[Run]
    events: pd.DataFrame | None
    areas: Sequence[Area] = ()
    notes: Sequence[str]


def found_in(paths: Sequence[Path], recording: Recording) -> Found:
    """All that there is in folders of `regard predict`, `evaluate`, `live --save`, `events` and `areas`, or in files.

    Raises FileError where nothing is there, or nothing can be shown in what is no folder of this recording's results,
    and NothingToScoreError for what is about another recording. Of several tables of events, or files of
    areas, the last counts.
    """
    runs: list[Run] = []
    events, areas, notes = None, (), []
    for path in paths:
        files = _files(path)
        before = len(runs)
        told = [file for file in files if file.suffix != ".parquet"]
        for file in told:
            _require_owner(file, recording)
            if file.name == AREAS:
                areas = read_areas(file, recording)
            else:
                events = read_events(file)
        predictions = [file for file in files if file.suffix == ".parquet" and _is_prediction(file)]
        items = [file for file in files if file.name.endswith(ITEMS)]
        runs += _runs(predictions, items, recording, first=before)
        left = [file.name for file in files if file.suffix == ".parquet" and file not in {*predictions, *items}]
        if left:
            notes.append(f"{path}: not shown, neither answers nor items: {', '.join(left)}")
        if before == len(runs) and not told:
            _require_results(path, recording)
    return Found(runs=_told_apart(runs), events=events, areas=areas, notes=notes)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(
            p for p in path.iterdir() if p.is_file() and (p.suffix == ".parquet" or p.name in (EVENTS, AREAS))
        )
    if path.is_file() and (path.suffix in (".parquet", ".csv") or path.name == AREAS):
        return [path]
    if path.is_file():
        raise _nothing_in(path)
    raise FileError(path, found="no such file or folder", wanted="a run about the recording", do="check the path")


def _require_results(path: Path, recording: Recording) -> None:
    """Nothing to be shown is right in a folder that `regard show` wrote about this recording."""
    owner = owner_of(path)
    if owner is None:
        raise _nothing_in(path)
    _require_same(path, Path(owner), recording)


def _nothing_in(path: Path) -> FileError:
    return FileError(
        path,
        found="nothing that can be shown",
        wanted="a folder that `regard predict`, `evaluate`, `events`, `areas` or `live --save` wrote, or a table in it",
        do="write one with `regard predict RECORDING --out DIR`",
    )


def _is_prediction(file: Path) -> bool:
    """True for what says of which recording and model it is, and for what cannot be read, which is then told."""
    try:
        return {b"recording", b"model"} <= set(pq.read_schema(file).metadata or {})
    except (OSError, pa.ArrowException):
        return True


def _runs(predictions: Sequence[Path], items: Sequence[Path], recording: Recording, *, first: int) -> list[Run]:
    """A run for each prediction, with the scores that bear its name, and one for each other table of items."""
    runs, left = [], list(items)
    for number, file in enumerate(predictions, first):
        key = f"run{number}"
        answers = open_prediction(file)
        _require_about(file.parent, answers, recording)
        of_it = next((i for i in left if i.name == f"{file.stem}_{ITEMS}"), None)
        scores = None
        if of_it is not None:
            left.remove(of_it)
            scores = ScoresView(of_it, answers.recording, key=f"{key}-score", of=key)
        runs.append(Run(key=key, name=answers.model, answers=AnswersView(answers, key=key), scores=scores))
    for number, file in enumerate(left, first + len(runs)):
        key = f"run{number}"
        stem = file.name.removesuffix(ITEMS).rstrip("_")
        scores = ScoresView(file, recording.id, key=f"{key}-score", of=key)
        runs.append(Run(key=key, name=stem or file.resolve().parent.name, scores=scores))
    return runs


def _require_about(folder: Path, answers: PredictionFile, recording: Recording) -> None:
    """As `evaluate` does; the answers of a live run may call what it watched by another name."""
    if is_live_run(folder):
        _require_same(folder, watched(folder), recording)
        recording = replace(recording, id=answers.recording)
    require_about(answers, recording)


def _require_owner(told: Path, recording: Recording) -> None:
    """Events and areas say nothing of their recording, but the folder of results does."""
    owner = owner_of(told.parent)
    if owner is not None:
        _require_same(told, Path(owner), recording)


def _require_same(what: Path, of: Path, recording: Recording) -> None:
    video = recording.require_video().path.resolve()
    if of.resolve() not in (video, video.parent):
        raise NothingToScoreError(
            what,
            found=f"a run about {of}",
            wanted=f"a run about {video}",
            do="name the recording that the run is about, or make the run again",
        )


def _told_apart(runs: Sequence[Run]) -> list[Run]:
    """The runs, those of one name with the numbers of those before."""
    names = [run.name for run in runs]
    again = [names[:k].count(name) for k, name in enumerate(names)]
    return [replace(run, name=f"{run.name} ({n + 1})") if n else run for run, n in zip(runs, again, strict=True)]
