"""`regard check PATH`: can this recording be used, or is this dataset whole? Exit code 1 when it is not."""

import os
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

import pandas as pd

from regard.cli.console import frames_progress, heading, out, progress, suggest, table
from regard.cli.options import add_out, add_recordings, command
from regard.cli.study import many, study_of
from regard.datasets.check import RootCheck, check_root, recognise
from regard.engine.study.kept import Told
from regard.errors import FileError, RecipeError
from regard.io.check import check_recording
from regard.io.finding import RecordingCheck
from regard.io.recording import open_recording
from regard.types import Recording

EXIT_UNUSABLE = 1


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, or which dataset."""
    add_recordings(parser)
    add_out(parser)
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="PATH is the root of this dataset, such as egtea (default: found by the names of what lies there)",
    )
    parser.add_argument(
        "--thorough",
        action="store_true",
        help="decode every frame and all sound, and tell whether gaze and video are in step, which takes a while",
    )


def run(options: Namespace) -> int:
    """Print what was found."""
    study = study_of(options)
    if study is not None and options.dataset is None and _dataset_at(options.path) is None:
        return many(study, options, told, verb="check")
    if options.out is not None or len(options.paths) > 1:
        raise RecipeError(
            "--out" if options.out is not None else " ".join(options.paths[1:]),
            found="what a study has, given with one recording or dataset",
            wanted="one path; check prints what it finds and writes nothing",
            do="take it out",
        )
    if options.dataset is not None:
        return _check_root(options.path, options.dataset)
    try:
        recording = open_recording(options.path, min_confidence=options.min_confidence)
    except FileError:
        dataset = _dataset_at(options.path)
        if dataset is None:
            raise
        return _check_root(options.path, dataset)
    found = check_recording(recording, thorough=options.thorough)
    if options.thorough and found.usable:
        found = _with_lag(recording, found)
    heading(f"{recording.id}: {options.path}")
    print_findings(found)
    if not found.usable:
        return EXIT_UNUSABLE
    suggest(command("events" if recording.video is None else "show", options.path))
    return 0


def _with_lag(recording: Recording, found: RecordingCheck) -> RecordingCheck:
    from regard.engine.sync import lag_finding

    if recording.video is None:
        return found
    try:
        with frames_progress("comparing gaze and video") as tell:
            lag = lag_finding(recording, progress=tell)
    except FileError:  # of a damaged frame, which is among the findings
        return found
    return found if lag is None else replace(found, findings=(*found.findings, lag))


def told(options: Namespace, recording: Recording, found: RecordingCheck, folder: Path) -> Told:
    """Of a study's recording there is no more to say than the study says itself, but for what only --thorough finds."""
    more = _with_lag(recording, found) if options.thorough and found.usable else found
    return Told(findings=more.findings[len(found.findings) :])


def _dataset_at(path: str) -> str | None:
    root = os.path.expanduser(path)
    return recognise(Path(root)) if os.path.isdir(root) else None  # Path's raises for impossible names


def _check_root(path: str, dataset: str) -> int:
    """A whole dataset: a line for each kind of thing, and what to do next."""
    with progress(f"looking at {path}") as tell:
        found = check_root(path, dataset, tell)
    heading(f"{dataset}: {path}")
    table(findings_table(found))
    out.print("whole" if found.is_whole else "[bold red]not whole[/]")
    for step in found.next_steps:
        suggest(step)
    return 0 if found.is_whole else EXIT_UNUSABLE


def print_findings(found: RecordingCheck) -> None:
    """One line a finding, and the verdict."""
    table(findings_table(found))
    out.print(found.verdict if found.usable else f"[bold red]{found.verdict}[/]")


def findings_table(found: RecordingCheck | RootCheck) -> pd.DataFrame:
    """The findings as rows, for the console and the report."""
    rows = [(f.level, f.name, f.text) for f in found.findings]
    return pd.DataFrame(rows, columns=["level", "what", "found"])
