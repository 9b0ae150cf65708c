"""`regard predict PATH --model NAME`: where the wearer looks, what they do, who looks at them: as tables and a film."""

from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from regard.cli.console import frames_progress, progress, remarks, wrote
from regard.cli.options import (
    add_film,
    add_model,
    add_out,
    add_recordings,
    add_runtime,
    command,
    file_stem,
    look_at,
    model_words,
)
from regard.cli.results import results_folder
from regard.cli.study import many, study_of
from regard.engine.predict import predict
from regard.engine.study.kept import Told
from regard.errors import RecipeError
from regard.io.finding import RecordingCheck
from regard.io.predictions import PredictionFile
from regard.io.recording import open_recording
from regard.io.tables import read_scalars, write_table
from regard.types import Recording
from regard.viz.film import film
from regard.viz.report import report
from regard.viz.telling import tellings_of

TAKES_OVERRIDES = True
"""Of the recipe: `--task.smooth_s 0.3`."""


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, who answers, and where to."""
    add_recordings(parser)
    add_model(parser)
    add_runtime(parser)
    parser.add_argument(
        "--weights",
        help="for a network: a checkpoint, or a name that `regard weights` lists; for gaze-attention also the folder "
        "of its three published files",
    )
    add_out(parser)
    add_film(parser)


def run(options: Namespace, overrides: Sequence[str]) -> int:
    """Write the predictions and the film, and where there is more to tell of such answers, tables and a report."""
    require_recipe_keys(overrides)
    options.model = options.task or options.model
    study = study_of(options)
    if study is not None:
        options.overrides = overrides
        return many(study, options, told_of_one, verb="predict")
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes if recording.video is not None else [*recording.notes, "no video, so no film"])
    with results_folder(options, recording) as folder:
        files = [folder / f"{file_stem(options.model)}.parquet"]
        prediction = predicted(options, recording, files[0], overrides)
        look = "" if recording.video is None else look_at(options.path, options.out)
        more, _ = told(options, recording, prediction, files[0], path=options.path, look=look)
        files += more
        if options.film is not False and recording.video is not None:
            files.append(_film(recording, prediction, files[0]))
    wrote(files, look=look, then=_next(options, recording, prediction.names, told_more=bool(more)))
    return 0


def told_of_one(options: Namespace, recording: Recording, check: RecordingCheck, folder: Path) -> Told:
    """The same of a study's recording: rows are its answers but for maps and other arrays, numbers those of tables."""
    file = folder / f"{file_stem(options.model)}.parquet"
    prediction = predicted(options, recording, file, options.overrides)
    _, tables = told(options, recording, prediction, file, path=made_of(recording))
    if options.film and recording.video is not None:
        _film(recording, prediction, file)
    numbers = {}
    for name, table in tables.items():
        if {"start_s", "end_s"} <= set(table):
            numbers |= {f"{name}_count": float(len(table))}
            numbers |= {f"{name}_s": float((table["end_s"] - table["start_s"]).to_numpy().sum())}
    return Told(numbers=numbers, table=read_scalars(file))


def made_of(recording: Recording) -> str:
    """The path by which a page says what it was made of; a recording of gaze alone is told by its name."""
    return recording.id if recording.video is None else str(recording.video.path)


def _film(recording: Recording, prediction: PredictionFile, beside: Path) -> Path:
    with frames_progress("film") as bar:
        return film(recording, prediction, beside.with_suffix(".mp4"), progress=bar)


def _next(options: Namespace, recording: Recording, names: Collection[str], *, told_more: bool) -> str:
    """To score the answers where that can be done; else to ask somebody else, where there was more to tell of them."""
    if can_be_scored(recording, names):
        return command("evaluate", options.path, *model_words(options))
    return command("weights" if told_more and options.weights is None else "recipes")


def can_be_scored(recording: Recording, names: Collection[str]) -> bool:
    """Whether the recording knows the truth about answers of these names."""
    looking = any(face.looking_known.any() for face in recording.faces or ())
    return (recording.gaze is not None and "log_density" in names) or (looking and "looking" in names)


def told(
    options: Namespace, recording: Recording, prediction: PredictionFile, beside: Path, *, path: str, look: str = ""
) -> tuple[list[Path], dict[str, pd.DataFrame]]:
    """The files of what there is to tell of such answers, tables and a report that shows them, and the tables by name.

    None where there is nothing more to tell.
    """
    files = []
    tellings = tellings_of(recording, prediction)
    tables = {name: table for telling in tellings for name, table in telling.tables().items()}
    for name, table in tables.items():
        files.append(beside.with_name(f"{beside.stem}_{name}.csv"))
        write_table(table, files[-1])
    if tellings:
        files.append(beside.with_suffix(".html"))
        made = command("predict", path, *model_words(options))
        report(recording, files[-1], prediction=prediction, command=made, look=look)
    return files, tables


def require_recipe_keys(overrides: Sequence[str]) -> None:
    """Raises RecipeError for an option that is neither this verb's nor a recipe's."""
    keys = ("--task.", "--data.")
    wrong = [
        word
        for before, word in pairwise(("", *overrides))
        if not word.startswith(keys) and (word.startswith("--") or "=" in before or not before.startswith(keys))
    ]
    if wrong:
        raise RecipeError(
            wrong[0],
            found="no option of this verb",
            wanted="one that `regard predict --help` lists, or a key of the recipe, such as --task.smooth_s",
            do="take it out, or correct it",
        )


def predicted(options: Namespace, recording: Recording, out: Path, overrides: Sequence[str] = ()) -> PredictionFile:
    """The answers of the model that the options name, which go to a file as they are made."""
    with progress(options.model) as bar:
        return predict(
            recording,
            model=options.model,
            horizon_s=options.horizon_s,
            weights=options.weights,
            device=options.device,
            precision=options.precision,
            overrides=overrides,
            trust=options.trust,
            runtime=options.runtime,
            out=out,
            progress=bar,
        )
