"""`regard events PATH`: fixations, saccades, pursuit and blinks as a table, in a film and in a report."""

from argparse import ArgumentParser, Namespace

from regard.cli.check import findings_table
from regard.cli.console import frames_progress, heading, remarks, table, wrote
from regard.cli.options import add_out, add_recording, command, look_at
from regard.cli.results import results_folder
from regard.engine.events import eye_movements
from regard.io.check import check_recording
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.viz.film import film
from regard.viz.report import report

SCORES = ("movement", "sample_f1", "event_f1", "samples_labelled", "events_labelled", "events_found")
"""Columns that are printed; the counts of what was right are for pooling."""


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, what is known about the head, and where to."""
    add_recording(parser)
    add_out(parser)
    parser.add_argument(
        "--watched", action="store_true", help="the gaze is of somebody who watches the video on a screen, and not worn"
    )
    parser.add_argument(
        "--no_look",
        action="store_true",
        help="do not look at the video for the head's turns: quick, but pursuit is not told from fixation",
    )
    parser.add_argument(
        "--recorded", action="store_true", help="events of the states in the recording's own files, where it has them"
    )
    parser.add_argument(
        "--field_deg", type=float, help="how many degrees wide the picture is, where the camera is not calibrated"
    )
    parser.add_argument("--no_film", action="store_true", help="only the table and the report")


def run(options: Namespace) -> int:
    """Tell the movements, write them down, and say what was done."""
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    with frames_progress("head's turns") as bar:
        found = eye_movements(
            recording,
            watched=options.watched,
            look=not options.no_look,
            recorded=options.recorded,
            field_deg=options.field_deg,
            progress=bar,
        )
    remarks([found.protocol])
    heading(f"eye movements of {recording.id} (medians of duration, amplitude and peak speed)")
    table(found.summary)
    if found.scores is not None:
        heading("against the states in the recording's own files")
        table(found.scores.filter(items=SCORES))
    look = look_at(options.path, options.out)
    with results_folder(options, recording) as folder:
        files = [folder / "events.csv", folder / "events.html"]
        write_table(found.table, files[0])
        report(
            found.recording,
            files[1],
            movements=found.summary,
            scores=found.scores,
            findings=findings_table(check_recording(recording)),
            command=command("events", options.path),
            look=look,
        )
        if not options.no_film:
            files.append(folder / "events.mp4")
            with frames_progress("film") as bar:
                film(found.recording, None, files[-1], progress=bar)
    wrote(files, then=command("predict", options.path, "--model", "saliency"), look=look)
    return 0
