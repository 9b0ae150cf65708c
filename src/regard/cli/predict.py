"""`regard predict PATH --model NAME`: where the wearer looks, or what they do, as a table and a film."""

from argparse import ArgumentParser, Namespace

from regard.cli.console import progress, wrote
from regard.cli.options import add_model, add_out, add_recording, command, file_stem, out_folder
from regard.engine.answerer import HorizonError
from regard.engine.predict import predict
from regard.engine.run import recognises_actions
from regard.io.predictions import write_prediction
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.viz.actions import action_film
from regard.viz.film import film


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, who answers, and where to."""
    add_recording(parser)
    add_model(parser)
    parser.add_argument(
        "--weights", help="for glc, csts, egohar, gaze-attention: a checkpoint, or a name that `regard weights` lists"
    )
    add_out(parser)
    parser.add_argument("--no_film", action="store_true", help="write the predictions only")


def run(options: Namespace) -> int:
    """Write the predictions and the film."""
    if recognises_actions(options.model):
        return _actions(options)
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    folder, stem = out_folder(options, recording), file_stem(options.model)
    with progress(options.model) as bar:
        prediction = predict(
            recording,
            model=options.model,
            horizon_s=options.horizon_s,
            weights=options.weights,
            device=options.device,
            precision=options.precision,
            progress=bar,
        )
    files = [folder / f"{stem}.parquet"]
    write_prediction(prediction, files[0])
    if not options.no_film:
        files.append(folder / f"{stem}.mp4")
        with progress("film") as bar:
            film(recording, prediction, files[1], progress=bar)
    wrote(files, then=next_step(options, has_gaze=recording.gaze is not None))
    return 0


def _actions(options: Namespace) -> int:
    """Likewise for what the wearer does."""
    from regard.engine.predict_actions import action_table, predict_actions

    if options.horizon_s is not None:
        raise HorizonError(
            "horizon_s",
            found=f"{options.horizon_s:g} s asked of {options.model}",
            wanted="no horizon: it recognises what is being done",
            do="leave the horizon out",
        )
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    folder, stem = out_folder(options, recording), file_stem(options.model)
    with progress(options.model) as bar:
        prediction = predict_actions(
            recording,
            model=options.model,
            weights=options.weights,
            device=options.device,
            precision=options.precision,
            progress=bar,
        )
    files = [folder / f"{stem}.parquet"]
    write_table(action_table(prediction), files[0])
    if not options.no_film:
        files.append(folder / f"{stem}.mp4")
        with progress("film") as bar:
            action_film(recording, prediction, files[1], progress=bar)
    wrote(files, then=command("show", options.path))
    return 0


def next_step(options: Namespace, *, has_gaze: bool) -> str:
    """Scores where there is gaze to score against; otherwise another model."""
    if has_gaze:
        return command("evaluate", options.path, "--model", options.model)
    other = "centre-prior" if options.model == "saliency" else "saliency"
    return command("predict", options.path, "--model", other)
