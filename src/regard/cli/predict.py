"""`regard predict PATH --model NAME`: where the wearer looks, or what they do, as a table and a film."""

from argparse import ArgumentParser, Namespace
from functools import partial

from regard.cli.console import frames_progress, progress, remarks, wrote
from regard.cli.options import add_model, add_out, add_recording, claim, command, file_stem, out_folder
from regard.engine.answerer import HorizonError, recognises_actions
from regard.engine.predict import predict
from regard.io.predictions import write_prediction
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.types import ActionPrediction, Prediction, Recording
from regard.viz.actions import action_film
from regard.viz.film import film


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, who answers, and where to."""
    add_recording(parser)
    add_model(parser)
    parser.add_argument(
        "--weights",
        help="for glc, csts, egohar, gaze-attention: a checkpoint, or a name that `regard weights` lists; "
        "for gaze-attention also the folder of its three published files",
    )
    add_out(parser)
    parser.add_argument("--no_film", action="store_true", help="write the predictions only")


def run(options: Namespace) -> int:
    """Write the predictions and the film."""
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    folder, stem = out_folder(options, recording), file_stem(options.model)
    files = [folder / f"{stem}.parquet"]
    if recognises_actions(options.model):
        from regard.engine.predict_actions import action_table

        actions = predicted_actions(options, recording)
        write_table(action_table(actions), files[0])
        draw, then = partial(action_film, recording, actions), command("show", options.path)
    else:
        prediction = predicted(options, recording)
        write_prediction(prediction, files[0])
        draw, then = partial(film, recording, prediction), next_step(options, has_gaze=recording.gaze is not None)
    if not options.no_film:
        files.append(folder / f"{stem}.mp4")
        with frames_progress("film") as bar:
            draw(files[1], progress=bar)
    claim(options, folder, recording)
    wrote(files, then=then)
    return 0


def predicted(options: Namespace, recording: Recording) -> Prediction:
    """Where the wearer looks, by the model that the options name."""
    with progress(options.model) as bar:
        return predict(
            recording,
            model=options.model,
            horizon_s=options.horizon_s,
            weights=options.weights,
            device=options.device,
            precision=options.precision,
            trust=options.trust,
            progress=bar,
        )


def predicted_actions(options: Namespace, recording: Recording) -> ActionPrediction:
    """What the wearer does, likewise."""
    from regard.engine.predict_actions import predict_actions

    if options.horizon_s is not None:
        raise HorizonError(
            "horizon_s",
            found=f"{options.horizon_s:g} s asked of {options.model}",
            wanted="no horizon: it recognises what is being done",
            do="leave the horizon out",
        )
    with progress(options.model) as bar:
        return predict_actions(
            recording,
            model=options.model,
            weights=options.weights,
            device=options.device,
            precision=options.precision,
            trust=options.trust,
            progress=bar,
        )


def next_step(options: Namespace, *, has_gaze: bool) -> str:
    """Scores where there is gaze to score against; otherwise another model."""
    if has_gaze:
        return command("evaluate", options.path, "--model", options.model)
    other = "centre-prior" if options.model == "saliency" else "saliency"
    return command("predict", options.path, "--model", other)
