"""`regard show PATH`: a film and a report of the recorded gaze, and of all who watched where others did too."""

from argparse import ArgumentParser, Namespace

from regard.cli.check import findings_table
from regard.cli.console import frames_progress, remarks, wrote
from regard.cli.options import add_out, add_recording, command, look_at
from regard.cli.results import results_folder
from regard.io.check import check_recording
from regard.io.recording import open_recording
from regard.viz.film import film
from regard.viz.observers import observers_film, observers_page
from regard.viz.report import report


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, and where to."""
    add_recording(parser)
    add_out(parser)


def run(options: Namespace) -> int:
    """Write them and say where they lie."""
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    look = look_at(options.path, options.out)
    with results_folder(options, recording) as folder:
        with frames_progress("film") as bar:
            film(recording, None, folder / "gaze.mp4", progress=bar)
        findings = findings_table(check_recording(recording))
        made_by = command("show", options.path)
        report(recording, folder / "report.html", findings=findings, command=made_by, look=look)
        made = [folder / "gaze.mp4", folder / "report.html"]
        if recording.others:
            with frames_progress("film of everybody") as bar:
                made.append(observers_film(recording, folder / "observers.mp4", progress=bar))
            made.append(observers_page(recording, folder / "observers.html"))
    wrote(made, then=command("predict", options.path, "--model", "saliency"), look=look)
    return 0
