"""`regard evaluate PATH --model NAME`: the score table of a model on a recording."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from regard.cli.console import heading, out, progress, table, wrote
from regard.cli.options import add_model, add_out, add_recording, file_stem, out_folder
from regard.engine.evaluate import Scores, evaluate
from regard.engine.predict import predict
from regard.io.recording import open_recording
from regard.io.tables import write_table


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, who answers, and where to."""
    add_recording(parser)
    add_model(parser)
    add_out(parser)


def run(options: Namespace) -> int:
    """Print the table, save it and the rows that it was made from."""
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    folder = out_folder(options, recording)
    with progress(options.model) as bar:
        prediction = predict(
            recording, model=options.model, horizon_s=options.horizon_s, device=options.device, progress=bar
        )
    scores = evaluate(prediction, recording)
    heading(f"{options.model} on {recording.id}")
    print_scores(scores)
    wrote(save_scores(scores, folder, file_stem(options.model)), then=f"regard show {options.path}")
    return 0


def print_scores(scores: Scores) -> None:
    """The table, and the line that says how it was measured."""
    table(scores.summary)
    out.print(f"[dim]{scores.protocol}[/]", soft_wrap=True)


def save_scores(scores: Scores, folder: Path, stem: str) -> list[Path]:
    """The summary as csv, the items as parquet."""
    files = [folder / f"{stem}_scores.csv", folder / f"{stem}_items.parquet"]
    write_table(scores.summary, files[0])
    write_table(scores.items, files[1])
    return files
