"""`regard show PATH`: film, report and figures of the recorded gaze, and of all who watched where others did too."""

from argparse import ArgumentParser, Namespace
from contextlib import suppress
from pathlib import Path

from regard.cli.check import findings_table
from regard.cli.console import frames_progress, remarks, wrote
from regard.cli.events import movements_of
from regard.cli.options import add_out, add_recordings, command, look_at
from regard.cli.results import results_folder
from regard.cli.study import many, study_of
from regard.engine.study.kept import Told
from regard.errors import NothingToScoreError
from regard.io.check import check_recording
from regard.io.finding import RecordingCheck
from regard.io.recording import open_recording
from regard.types import Recording
from regard.viz.film import film
from regard.viz.heatmap import heatmap
from regard.viz.observers import observers_film, observers_page
from regard.viz.report import report
from regard.viz.scanpath import mean_frame, scanpath_figure


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, and where to."""
    add_recordings(parser)
    add_out(parser)


def run(options: Namespace) -> int:
    """Write them and say where they lie."""
    study = study_of(options)
    if study is not None:
        return many(study, options, told, verb="show")
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    look = look_at(options.path, options.out)
    with results_folder(options, recording) as folder:
        made = [_film(recording, folder)]
        made += _pages(recording, check_recording(recording), folder, path=options.path, look=look)
    wrote(made, then=command("predict", options.path, "--model", "saliency"), look=look)
    return 0


def told(options: Namespace, recording: Recording, found: RecordingCheck, folder: Path) -> Told:
    """The same of a study's recording."""
    _film(recording, folder)
    _pages(recording, found, folder, path=str(recording.require_video().path))
    return Told()


def _film(recording: Recording, folder: Path) -> Path:
    with frames_progress("film") as bar:
        return film(recording, None, folder / "gaze.mp4", progress=bar)


def _pages(recording: Recording, found: RecordingCheck, folder: Path, *, path: str, look: str = "") -> list[Path]:
    """The report, figures, and where others watched too, a film and a page of all."""
    findings, made_by = findings_table(found), command("show", path)
    moved = movements_of(recording)
    made = [
        report(
            recording if moved is None else moved.recording,
            folder / "report.html",
            findings=findings,
            movements=None if moved is None else moved.summary,
            film=folder / "gaze.mp4",
            command=made_by,
            look=look,
        )
    ]
    made += _figures(recording, folder)
    if recording.others:
        with frames_progress("film of everybody") as bar:
            made.append(observers_film(recording, folder / "observers.mp4", progress=bar))
        made.append(observers_page(recording, folder / "observers.html"))
    return made


def _figures(recording: Recording, folder: Path) -> list[Path]:
    """Heatmap and scanpath over the mean frame, as PNG and SVG; none of gaze that never lay on the picture."""
    made: list[Path] = []
    over = mean_frame(recording)
    for name, figure in (("heatmap", heatmap), ("scanpath", scanpath_figure)):
        for suffix in (".png", ".svg"):
            with suppress(NothingToScoreError):
                figure(recording, over=over, path=folder / f"{name}{suffix}")
                made.append(folder / f"{name}{suffix}")
    return made
