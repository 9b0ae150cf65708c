"""`regard evaluate WHAT`: the score table of a model on a recording, a trained run, a recipe, or a live run."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pandas as pd

from regard.cli.compare import on_to
from regard.cli.console import heading, out, plain, progress, remarks, table, wrote
from regard.cli.options import (
    DEFAULT_MODEL,
    OUT,
    add_model,
    add_on_error,
    add_out,
    add_print_config,
    add_recordings,
    add_runtime,
    command,
    file_stem,
    look_at,
    model_words,
    on_error_words,
    trust_words,
)
from regard.cli.predict import made_of, predicted
from regard.cli.results import results_folder
from regard.cli.study import many, study_of
from regard.engine.compare import scoring_of
from regard.engine.evaluate import Scores, directed, evaluate
from regard.engine.live.saving import is_live_run, scored
from regard.engine.study.kept import Told
from regard.errors import NothingToScoreError, RecipeError
from regard.io import hub
from regard.io.files import temporary_name
from regard.io.finding import RecordingCheck
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.recipe.packaged import is_recipe, local
from regard.types import Recording
from regard.viz.confusion import confusion_picture
from regard.viz.in_words import hint_in_words
from regard.viz.report import report
from regard.viz.score_tables import wide
from regard.viz.scores_page import scores_page

TAKES_OVERRIDES = True
"""For a recipe or a run: `--task.scoring.policy 0.02`."""


def add_arguments(parser: ArgumentParser) -> None:
    """What is scored, who answers, and where to."""
    add_recordings(parser)
    add_model(parser)
    add_runtime(parser)
    add_out(parser)
    parser.add_argument(
        "--weights", help="checkpoint for a recipe or run (default: the run's best), or for glc and csts, as in predict"
    )
    parser.add_argument(
        "--threshold_from",
        metavar="SPLIT",
        help="choose the F1 threshold on this split of a recipe's dataset (default: on the scored data, as papers do)",
    )
    add_on_error(parser)
    add_print_config(parser)


def run(options: Namespace, overrides: Sequence[str]) -> int:
    """Print the table, save it and the rows that it was made from."""
    what = Path(local(options.paths[0]))
    if hub.is_address(options.paths[0]):
        options.out = options.out or OUT / what.name  # and not into what was fetched
    if len(options.paths) == 1 and is_recipe(what):
        return _recipe(what, options, overrides)
    if len(options.paths) == 1 and is_live_run(what):
        return _live(what, options)
    only_recipes = {
        "--threshold_from": options.threshold_from,
        "--on_error": options.on_error,
        "--print_config": options.print_config or None,
    }
    overrides = [*overrides, *(name for name, value in only_recipes.items() if value is not None)]
    if overrides:
        raise RecipeError(
            " ".join(overrides),
            found="an option that scoring a recording does not have",
            wanted="the options of a recording (regard evaluate --help), or a recipe or run",
            do="take it out",
        )
    options.model = options.task or options.model
    study = study_of(options)
    if study is not None:
        return many(study, options, told, verb="evaluate", finish=partial(_all_together, options))
    return _recording(options)


def _recording(options: Namespace) -> int:
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    look = "" if recording.video is None else look_at(options.path, options.out)
    with results_folder(options, recording) as folder:
        scores, files = _scored(options, recording, folder, path=options.path, look=look)
    _tell(f"{options.model} on {recording.id}", scores)
    wrote(files, look=look, then=on_to(options, recording, scores.items, folder))
    return 0


def told(options: Namespace, recording: Recording, check: RecordingCheck, folder: Path) -> Told:
    """The same of a study's recording: its numbers are the scores, and its rows the items."""
    scores, _ = _scored(options, recording, folder, path=made_of(recording))
    return Told(
        numbers=dict(zip(scores.summary["score"], map(float, scores.summary["value"]), strict=True)), table=scores.items
    )


def _all_together(options: Namespace, items: pd.DataFrame, folder: Path) -> list[Path]:
    """The scores of all recordings' items, with intervals over recordings, and their page."""
    scoring = scoring_of(items, folder, ())()
    scores = Scores(items=items, summary=directed(scoring.summarise(items), scoring), protocol=scoring.describe(items))
    print_scores("all recordings together", scores)
    file = folder / "evaluate_scores.csv"
    write_table(scores.summary, file)
    page = scores_page(
        scores,
        folder / "evaluate.html",
        model=options.model,
        title=folder.resolve().name,
        under="all recordings together",
        averaged=scoring.averaged(items),
        files=[file, folder / "evaluate.parquet", folder / "study.html"],
        command=command("evaluate", *options.paths, *model_words(options)),
    )
    return [page, file]


def _scored(
    options: Namespace, recording: Recording, folder: Path, *, path: str, look: str = ""
) -> tuple[Scores, list[Path]]:
    """The scores of the model that the options name, and their files; its answers are kept in the folder meanwhile."""
    if recording.gaze is None and not recording.segments and not recording.faces:
        raise NothingToScoreError(
            recording.id,
            found="a recording without gaze, labelled segments or faces",
            wanted="something recorded to compare answers with",
            do="put a gaze.csv beside the video; `regard predict` and `regard demo` work without it",
        )
    answers = temporary_name(folder / f"{file_stem(options.model)}_answers.parquet")
    try:
        with progress("scores") as bar:
            prediction = predicted(options, recording, answers)
            scores = evaluate(recording, prediction, progress=bar)
        stem = file_stem(options.model)
        files = save_scores(scores, folder, f"{stem}_")
        page = report(
            recording,
            folder / f"{stem}_scores.html",
            prediction=prediction,
            scores={options.model: scores},
            files=files,
            command=command("evaluate", path, *model_words(options)),
            look=look,
        )
        return scores, [page, *files]
    finally:
        if answers.is_file():
            answers.unlink()


def _note(sentence: str) -> None:
    print(f"note: {plain(sentence)}", file=sys.stderr)


def _live(what: Path, options: Namespace) -> int:
    files, look, folder = [], look_at(what, options.out), options.out or what
    for name, stem, scores in scored(what, min_confidence=options.min_confidence, tell=_note):
        _tell(f"{name}, live", scores)
        saved = save_scores(scores, folder, f"{stem}_")
        page = scores_page(
            scores,
            folder / f"{stem}_scores.html",
            model=name,
            title=f"{name}, live",
            look=look,
            files=saved,
            command=command("evaluate", what),
        )
        files += [page, *saved]
    wrote(files, look=look, then=command("recipes"))
    return 0


def _refuse_recording_options(options: Namespace) -> None:
    """A recipe says itself which model answers, about what and where."""
    given = {
        "--model": options.model != DEFAULT_MODEL,
        "--task": options.task,
        "--horizon_s": options.horizon_s,
        "--device": options.device != "cpu",
        "--precision": options.precision != "auto",
    }
    for name in (name for name, is_given in given.items() if is_given):
        raise RecipeError(
            name,
            found="an option for recordings, given with a recipe or a run",
            wanted="the recipe's own keys, such as --task.model or --training.accelerator",
            do=f"take {name} out",
        )


def _recipe(what: Path, options: Namespace, overrides: Sequence[str]) -> int:
    _refuse_recording_options(options)
    from regard.engine.export.folder import read_exported
    from regard.engine.training.benchmark import score_recipe
    from regard.models.backbones import without_imagenet
    from regard.recipe.read import read_recipe, resolved_text
    from regard.run.folder import best_weights
    from regard.run.processes import is_first_process
    from regard.run.weights import locate

    overrides = [*on_error_words(options), *overrides]
    is_run = what.is_dir()
    if options.print_config:
        print(resolved_text(what, overrides, trust=options.trust))
        return 0
    with without_imagenet() if is_run or options.weights else nullcontext():
        recipe = read_recipe(what, overrides, trust=options.trust)
    folder = options.out or (what if is_run else OUT / recipe.name)
    exported = read_exported(what) if is_run and not options.weights else None
    best = best_weights(what) if is_run and not options.weights and exported is None else None
    weights = locate(options.weights) if options.weights else what / exported.weights if exported else best
    scores = score_recipe(
        recipe,
        weights=weights,
        threshold_from=options.threshold_from,
        exported=exported,
        runtime=options.runtime,
        progress=True,
    )
    if not is_first_process():
        return 0
    by = f"weights: {weights or 'as built'}"
    _tell(f"{what.name}, {by}", scores)
    files, then = save_scores(scores, folder, ""), command("compare", folder, "ANOTHER_RUN", *trust_words(options))
    page = scores_page(
        scores,
        folder / "scores.html",
        model=recipe.name,
        title=what.name,
        under=by,
        averaged=recipe.task.scoring.averaged(scores.items),
        files=files,
        command=command("evaluate", what, *overrides),
        then=then,
    )
    wrote([page, *files], then=then)
    return 0


def _tell(title: str, scores: Scores) -> None:
    """The table, and whether it is of enough recordings to be more than a hint."""
    print_scores(title, scores)
    if hint := hint_in_words({title: scores}):
        remarks([hint])


def print_scores(title: str, scores: Scores) -> None:
    """The table, and the line that says how it was measured."""
    heading(title)
    table(scores.summary.drop(columns=["policy", "source"], errors="ignore"))
    if "source" in scores.summary:
        for source in scores.summary["source"].dropna().unique():
            out.print(f"published: {source}", soft_wrap=True, markup=False)
    for name, frame in scores.details.items():
        if "score" in frame:
            heading(name.replace("_", " "))
            table(wide(frame))
    out.print(f"[dim]{scores.protocol}[/]", soft_wrap=True)


def save_scores(scores: Scores, folder: Path, prefix: str) -> list[Path]:
    """The summary and the longer tables as csv, the items as parquet, confusions also as pictures."""
    files = [folder / f"{prefix}scores.csv", folder / f"{prefix}items.parquet"]
    write_table(scores.summary, files[0])
    write_table(scores.items, files[1])
    for name, frame in scores.details.items():
        files.append(folder / f"{prefix}{name}.csv")
        write_table(frame, files[-1])
        if name.endswith("_confusion"):
            files.append(folder / f"{prefix}{name}.png")
            confusion_picture(frame, files[-1])
    return files
