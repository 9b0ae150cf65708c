"""`regard demo [PATH]`: open, check, predict, score, film and report, in one go and in under a minute."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from regard.cli.check import EXIT_UNUSABLE, findings_table, print_findings
from regard.cli.console import frames_progress, heading, out, progress, table, wrote
from regard.cli.evaluate import save_scores
from regard.cli.events import movements_of
from regard.cli.options import OUT, add_out, add_recording, command, look_at
from regard.cli.results import results_folder
from regard.engine.evaluate import Scores, evaluate
from regard.engine.predict import predict
from regard.errors import NothingToScoreError
from regard.io.check import check_recording
from regard.io.finding import RecordingCheck
from regard.io.predictions import PredictionFile
from regard.io.recording import open_recording
from regard.types import Recording
from regard.viz.film import film
from regard.viz.report import report
from regard.world import write_world

MODELS = ("centre-prior", "saliency")
WORLD = "synthetic-world"
WORLD_SEED = 7
SHOWN = ["model", "score", "value", "low", "high", "num_items"]


def add_arguments(parser: ArgumentParser) -> None:
    """A recording, or nothing for the built-in world."""
    add_recording(parser, optional=True)
    add_out(parser)


def run(options: Namespace) -> int:
    """Do everything once, and say where the pictures lie."""
    if options.path is None:
        options.path = str(_built_in(OUT / "worlds" if options.out is None else options.out))
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    found = check_recording(recording)
    heading(f"{recording.id}: {options.path}")
    print_findings(found)
    if not found.usable:
        return EXIT_UNUSABLE
    recording.require_video()
    with results_folder(options, recording) as folder:
        files = _everything(options, recording, found, folder)
    wrote(files, look=look_at(options.path, options.out), then=_next(options.path, recording))
    return 0


def _everything(options: Namespace, recording: Recording, found: RecordingCheck, folder: Path) -> list[Path]:
    """Predictions, scores, a film and a report; where they lie."""
    predictions = {model: _predict(recording, model, folder) for model in MODELS}
    files = [folder / f"{model}.parquet" for model in MODELS]
    scores = _scores(predictions, recording)
    summary = side_by_side(scores) if scores else None
    if summary is not None:
        heading("scores")
        table(summary.filter(SHOWN))
        out.print(f"[dim]{scores[MODELS[0]].protocol}[/]", soft_wrap=True)
        files += [file for model, score in scores.items() for file in save_scores(score, folder, f"{model}_")]
    shown = predictions["saliency"]
    with frames_progress("film") as bar:
        film(recording, shown, folder / "film.mp4", progress=bar)
    movements = movements_of(recording)
    report(
        recording if movements is None else movements.recording,
        folder / "demo.html",
        prediction=shown,
        findings=findings_table(found),
        scores=scores,
        film=folder / "film.mp4",
        movements=None if movements is None else movements.summary,
        command=command("demo", options.path),
        look=look_at(options.path, options.out),
    )
    return [folder / "film.mp4", folder / "demo.html", *files]


def side_by_side(scores: dict[str, Scores]) -> pd.DataFrame:
    """The models' summaries in one table, score by score."""
    rows = pd.concat([s.summary.assign(model=model) for model, s in scores.items()], ignore_index=True)
    order = {score: i for i, score in enumerate(rows["score"].unique())}
    return rows.sort_values("score", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _built_in(folder: Path) -> Path:
    world = folder / WORLD
    if not world.exists():
        out.print("no recording given: writing a synthetic world (a seeded kitchen; nobody's data)")
        write_world(world, seed=WORLD_SEED)
    return world


def _predict(recording: Recording, model: str, folder: Path) -> PredictionFile:
    with progress(model) as bar:
        return predict(recording, model=model, out=folder / f"{model}.parquet", progress=bar)


def _scores(predictions: dict[str, PredictionFile], recording: Recording) -> dict[str, Scores]:
    """The models' scores; none, and a line that says why, where there is no gaze on the image to score against."""
    try:
        return {model: evaluate(recording, prediction) for model, prediction in predictions.items()}
    except NothingToScoreError as why:
        out.print(f"no scores: {why.found}; {why.do}", soft_wrap=True, markup=False)
        return {}


def _next(path: str, recording: Recording) -> str:
    return command("predict", path, "--model", "centre-prior") if recording.gaze is None else command("show", path)
