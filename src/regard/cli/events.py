"""`regard events PATH`: fixations, saccades, pursuit and blinks as a table, in a film and in a report."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from regard.cli.check import findings_table
from regard.cli.console import frames_progress, heading, remarks, table, wrote
from regard.cli.options import add_film, add_movements, add_out, add_recordings, command, look_at
from regard.cli.results import results_folder
from regard.cli.study import many, study_of
from regard.engine.events import EyeMovements, NoEventsError, eye_movements
from regard.engine.study.kept import Told
from regard.io.check import check_recording
from regard.io.finding import RecordingCheck
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.ops.events.table import KINDS
from regard.types import Recording
from regard.viz.film import film
from regard.viz.report import report

SCORES = ("movement", "sample_f1", "event_f1", "samples_labelled", "events_labelled", "events_found")
"""Columns that are printed; the counts of what was right are for pooling."""

NO_VIDEO = "no video, so no film and no pictures in the report"
STILL = "give --watched where somebody looked at a screen: the head then counts as still"


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, what is known about the head, and where to."""
    add_recordings(parser)
    add_out(parser)
    add_movements(parser)
    add_film(parser)


def run(options: Namespace) -> int:
    """Tell the movements, write them down, and say what was done."""
    study = study_of(options)
    if study is not None:
        return many(study, options, told, verb="events")
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    check = check_recording(recording)
    remarks(doubts(recording, check))
    found = _movements(recording, options)
    remarks([found.protocol])
    heading(f"eye movements of {recording.id} (medians of duration, amplitude and peak speed)")
    table(found.summary)
    if found.table.empty:
        remarks(["no stretch of gaze is long enough to tell a movement: is it lost again and again?"])
    if found.scores is not None:
        heading("against the states in the recording's own files")
        table(found.scores.filter(items=SCORES))
    if recording.video is None:
        remarks([NO_VIDEO] if options.watched or recording.watched else [NO_VIDEO, STILL])
    look = "" if recording.video is None else look_at(options.path, options.out)
    with results_folder(options, recording) as folder:
        made_by = command("events", options.path)
        files = _written(found, check, folder, made_by=made_by, with_film=options.film is not False, look=look)
    then = command("predict", options.path, "--model", "saliency")
    wrote(files, then=command("areas", options.path, "--areas", "FILE") if recording.video is None else then, look=look)
    return 0


def doubts(recording: Recording, check: RecordingCheck) -> list[str]:
    """What a check warns of that may move the eye's events, and no note has said."""
    return [
        f"{finding.name}: {finding.text}"
        for finding in check.findings
        if finding.level == "warning" and finding.name != "sound" and finding.text not in recording.notes
    ]


def told(options: Namespace, recording: Recording, check: RecordingCheck, folder: Path) -> Told:
    """The same of a study's recording; its numbers are those of the summary, such as `fixation_per_minute`."""
    found = _movements(recording, options)
    made_by = "" if recording.video is None else command("events", recording.video.path)
    _written(found, check, folder, made_by=made_by, with_film=bool(options.film))
    measured = found.summary.set_index("movement")
    numbers = {f"{kind}_{name}": float(measured.loc[kind, name]) for kind in measured.index for name in measured}
    return Told(numbers=numbers, table=found.table)


def _movements(recording: Recording, options: Namespace) -> EyeMovements:
    with frames_progress("head's turns") as bar:
        return eye_movements(
            recording,
            watched=options.watched,
            look=not options.no_look,
            recorded=options.recorded,
            field_deg=options.field_deg,
            progress=bar,
        )


def movements_of(recording: Recording) -> EyeMovements | None:
    """The movements that the recording's own files name, else those that regard tells; None where nobody can."""
    gaze = recording.gaze
    named = gaze is not None and bool(np.isin(gaze.state, KINDS).any())
    try:
        with frames_progress("head's turns") as bar:
            return eye_movements(recording, recorded=named, look=not named, progress=bar)
    except NoEventsError:
        return None


def _written(
    found: EyeMovements, check: RecordingCheck, folder: Path, *, made_by: str, with_film: bool, look: str = ""
) -> list[Path]:
    files = [folder / "events.csv", folder / "events.html"]
    with_film = with_film and found.recording.video is not None
    write_table(found.table, files[0])
    report(
        found.recording,
        files[1],
        movements=found.summary,
        scores=found.scores,
        film=folder / "events.mp4" if with_film else None,
        findings=findings_table(check),
        files=files[:1],
        command=made_by,
        look=look,
    )
    if with_film:
        files.append(folder / "events.mp4")
        with frames_progress("film") as bar:
            film(found.recording, None, files[-1], progress=bar)
    return files
