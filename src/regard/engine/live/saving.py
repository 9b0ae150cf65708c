"""A live run on the disk: a film, the answers as tables, what was counted, and what leaves nothing else behind.

out/
├── live.json            what was watched, by whom, and what was counted
├── film.mp4             as it was seen, with gaze and answers on it
├── MODEL.parquet        every answer: its moment (`time_s`), its newest picture (`seen_until_s`), when it was there
│                        (`answered_s`), as `regard predict` writes them otherwise
└── recording/           of a camera, a stream or glasses: the bare film, and the gaze and the lens that came with it
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from typing_extensions import override

from regard.engine.evaluate import Scores, evaluate
from regard.engine.live.answers import Answer, Listener
from regard.engine.live.film import LiveFilm
from regard.engine.live.tally import Tally
from regard.errors import FileError, NothingToScoreError, RegardError, TableError
from regard.io.files import make_folder, writing
from regard.io.live.grabbed import LiveSource, Tell
from regard.io.predictions import PredictionWriter, open_prediction, prediction_writer
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.prediction import Prediction, joined
from regard.types import GazeState, Recording

RUN = "live.json"
OWN = "recording"
"""The folder of what the source itself leaves nowhere."""


class LiveTable(Listener):
    """Writes one model's answers; those about later moments wait until none about an earlier one can come."""

    def __init__(self, model: str, path: Path) -> None:
        self._model, self._path = model, path
        self._waiting: list[Prediction] = []
        self._stack = ExitStack()
        self._writer: PredictionWriter | None = None

    @override
    def answered(self, answer: Answer) -> None:
        if answer.model != self._model:
            return
        if self._writer is None:
            self._writer = self._stack.enter_context(prediction_writer(self._path))
        known = joined([*self._waiting, answer.prediction])
        is_final = known.time_s <= answer.frame_s
        if is_final.any():
            self._writer.write(known.rows(is_final))
        self._waiting = [known.rows(~is_final)] if not is_final.all() else []

    @override
    def close(self) -> None:
        with self._stack:
            if self._writer is not None and self._waiting:
                self._writer.write(joined(self._waiting))


class Saved:
    """The listeners that save a run in a folder, and its end."""

    def __init__(self, folder: Path, source: LiveSource, models: Sequence[tuple[str, str]]) -> None:
        """`models`: the name of each, and how its file is to be called, without a suffix."""
        make_folder(folder)
        self.folder, self._source, self._models = folder, source, dict(models)
        self._began = datetime.now(UTC)
        self.listeners: list[Listener] = [LiveTable(n, folder / f"{stem}.parquet") for n, stem in models]
        self.listeners.append(LiveFilm(source, folder / "film.mp4"))
        if not source.is_kept:
            self.listeners.append(LiveFilm(source, folder / OWN / "video.mp4", bare=True))

    def finish(self, counted: Tally) -> list[Path]:
        """What was written, live.json last, once the run is over."""
        if not self._source.is_kept:
            self._write_gaze(counted.until_s)
            self._write_camera()
        video = self._source.recording.video
        about: dict[str, Any] = {
            "source": self._source.name,
            "recording": OWN if video is None else str(video.path.resolve()),
            "began": self._began.isoformat(timespec="seconds"),
            "models": {name: f"{stem}.parquet" for name, stem in self._models.items()},
            "seconds": counted.until_s,
            "frames": counted.frames,
            "left_out": counted.unseen,
            "counts": {n: [m.asked, m.answered, m.dropped] for n, m in counted.models.items()},
            "times": counted.table().to_dict("records"),
        }
        with writing(self.folder / RUN) as part:
            part.write_text(json.dumps(about, indent=1), encoding="utf-8")
        return sorted(
            f for f in self.folder.rglob("*") if f.is_file() and f.suffix in {".mp4", ".parquet", ".json", ".csv"}
        )

    def _write_gaze(self, until_s: float) -> None:
        gaze = self._source.gaze_between(-np.inf, until_s)
        if gaze is None or not len(gaze):
            return
        names = {int(state): state.name.lower() for state in GazeState}
        table = pd.DataFrame(
            {
                "timestamp_s": gaze.time_s,
                "x": gaze.point[:, 0],
                "y": gaze.point[:, 1],
                "gaze_state": [names[int(state)] for state in gaze.state],
            }
        )
        write_table(table, self.folder / OWN / "gaze.csv")

    def _write_camera(self) -> None:
        if (camera := self._source.recording.camera) is None:
            return
        with writing(self.folder / OWN / "camera.json") as part:
            numbers = {"matrix": camera.matrix.tolist(), "distortion": camera.distortion.tolist()}
            part.write_text(json.dumps({**asdict(camera), **numbers}), encoding="utf-8")


def is_live_run(path: Path) -> bool:
    """True for a folder that `Saved` finished."""
    return (path / RUN).is_file()


def scored(folder: Path, *, min_confidence: float, tell: Tell) -> Iterator[tuple[str, str, Scores]]:
    """Each model of a saved run, and its file's stem, against what was recorded: by its source, or beside its film.

    Of which nothing is recorded that its answers could be compared with is told. Raises FileError where the run cannot
    be read, and what `evaluate` does where no model can be scored.
    """
    recording = recorded(folder, min_confidence=min_confidence)
    not_scored: list[RegardError] = []
    files = {name: file for name, file in _read(folder)["models"].items() if (folder / file).is_file()}
    for name, file in files.items():
        answers = open_prediction(folder / file)
        try:
            scores = evaluate(replace(recording, id=answers.recording), answers)
        except (NothingToScoreError, TableError) as error:
            not_scored.append(error)
            tell(f"{name} cannot be scored: {error.where}: found {error.found}, wanted {error.wanted}")
            continue
        yield name, Path(file).stem, scores
    if not_scored and len(not_scored) == len(files):
        raise not_scored[0]


def watched(folder: Path) -> Path:
    """What a saved run watched, or, where that left nothing else behind, what it kept of it. Raises FileError."""
    return folder / _read(folder)["recording"]


def recorded(folder: Path, *, min_confidence: float) -> Recording:
    """The recording that a saved run was about. Raises FileError where either cannot be read."""
    return open_recording(watched(folder), min_confidence=min_confidence)


def _read(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / RUN).read_text(encoding="utf-8"))
        if not isinstance(about["recording"], str) or not isinstance(about["models"], dict):
            raise ValueError("it lacks the recording or the models")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise FileError(
            folder / RUN,
            found=f"no readable account of a live run ({error})",
            wanted="what `regard live --save` writes",
            do="save the run again",
        ) from error
    return about
