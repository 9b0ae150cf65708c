"""`regard predict PATH --model NAME`: where the wearer looks, what they do, who looks at them: as tables and a film."""

from argparse import ArgumentParser, Namespace
from collections.abc import Collection, Sequence
from pathlib import Path

from regard.cli.console import frames_progress, progress, remarks, wrote
from regard.cli.options import add_model, add_out, add_recording, add_runtime, command, file_stem, look_at, model_words
from regard.cli.results import results_folder
from regard.engine.predict import predict
from regard.errors import RecipeError
from regard.io.predictions import PredictionFile
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.types import Recording
from regard.viz.film import film
from regard.viz.report import report
from regard.viz.telling import tellings_of

TAKES_OVERRIDES = True
"""Of the recipe: `--task.smooth_s 0.3`."""


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, who answers, and where to."""
    add_recording(parser)
    add_model(parser)
    add_runtime(parser)
    parser.add_argument(
        "--weights",
        help="for a network: a checkpoint, or a name that `regard weights` lists; for gaze-attention also the folder "
        "of its three published files",
    )
    add_out(parser)
    parser.add_argument("--no_film", action="store_true", help="write the predictions only")


def run(options: Namespace, overrides: Sequence[str]) -> int:
    """Write the predictions and the film, and where there is more to tell of such answers, tables and a report."""
    require_recipe_keys(overrides)
    options.model = options.task or options.model
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    with results_folder(options, recording) as folder:
        files = [folder / f"{file_stem(options.model)}.parquet"]
        prediction = predicted(options, recording, files[0], overrides)
        more = told(options, recording, prediction, files[0])
        files += more
        if not options.no_film:
            files.append(files[0].with_suffix(".mp4"))
            with frames_progress("film") as bar:
                film(recording, prediction, files[-1], progress=bar)
    look = look_at(options.path, options.out)
    wrote(files, look=look, then=_next(options, recording, prediction.names, told_more=bool(more)))
    return 0


def _next(options: Namespace, recording: Recording, names: Collection[str], *, told_more: bool) -> str:
    """To score the answers where that can be done; else to ask somebody else, where there was more to tell of them."""
    if can_be_scored(recording, names):
        return command("evaluate", options.path, *model_words(options))
    return command("weights" if told_more and options.weights is None else "recipes")


def can_be_scored(recording: Recording, names: Collection[str]) -> bool:
    """Whether the recording knows the truth about answers of these names."""
    looking = any(face.looking_known.any() for face in recording.faces or ())
    return (recording.gaze is not None and "log_density" in names) or (looking and "looking" in names)


def told(options: Namespace, recording: Recording, prediction: PredictionFile, beside: Path) -> list[Path]:
    """Tables of what there is to tell of such answers, and a report that shows it; nothing where there is nothing."""
    files = []
    tellings = tellings_of(recording, prediction)
    for telling in tellings:
        for name, table in telling.tables().items():
            files.append(beside.with_name(f"{beside.stem}_{name}.csv"))
            write_table(table, files[-1])
    if tellings:
        files.append(beside.with_suffix(".html"))
        made = command("predict", options.path, *model_words(options))
        look = look_at(options.path, options.out)
        report(recording, files[-1], prediction=prediction, command=made, look=look)
    return files


def require_recipe_keys(overrides: Sequence[str]) -> None:
    """Raises RecipeError for an option that is neither this verb's nor a recipe's."""
    wrong = [word for word in overrides if word.startswith("--") and not word.startswith(("--task.", "--data."))]
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
