"""`regard predict PATH --model NAME`: where the wearer looks, what they do, ...: as a table and a film."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from regard.cli.console import frames_progress, progress, remarks, wrote
from regard.cli.options import add_model, add_out, add_recording, command, file_stem, model_words
from regard.cli.results import results_folder
from regard.engine.predict import predict
from regard.io.predictions import PredictionFile
from regard.io.recording import open_recording
from regard.types import Recording
from regard.viz.film import film


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, who answers, and where to."""
    add_recording(parser)
    add_model(parser)
    parser.add_argument(
        "--weights",
        help="for a network: a checkpoint, or a name that `regard weights` lists; for gaze-attention also the folder "
        "of its three published files",
    )
    add_out(parser)
    parser.add_argument("--no_film", action="store_true", help="write the predictions only")


def run(options: Namespace) -> int:
    """Write the predictions and the film."""
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    with results_folder(options, recording) as folder:
        files = [folder / f"{file_stem(options.model)}.parquet"]
        prediction = predicted(options, recording, files[0])
        if not options.no_film:
            files.append(files[0].with_suffix(".mp4"))
            with frames_progress("film") as bar:
                film(recording, prediction, files[1], progress=bar)
    can_be_scored = recording.gaze is not None and "log_density" in prediction.names
    wrote(files, then=command("evaluate", options.path, *model_words(options)) if can_be_scored else command("recipes"))
    return 0


def predicted(options: Namespace, recording: Recording, out: Path) -> PredictionFile:
    """The answers of the model that the options name, which go to a file as they are made."""
    with progress(options.model) as bar:
        return predict(
            recording,
            model=options.model,
            horizon_s=options.horizon_s,
            weights=options.weights,
            device=options.device,
            precision=options.precision,
            trust=options.trust,
            out=out,
            progress=bar,
        )
