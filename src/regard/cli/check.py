"""`regard check PATH`: can this recording be used? Exit code 1 when it cannot."""

from argparse import ArgumentParser, Namespace

import pandas as pd

from regard.cli.console import heading, out, suggest, table
from regard.cli.options import add_recording, command
from regard.io.check import RecordingCheck, check_recording
from regard.io.recording import open_recording

EXIT_UNUSABLE = 1


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording."""
    add_recording(parser)


def run(options: Namespace) -> int:
    """Print what was found."""
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    found = check_recording(recording)
    heading(f"{recording.id}: {options.path}")
    print_findings(found)
    if not found.usable:
        return EXIT_UNUSABLE
    suggest(command("show", options.path))
    return 0


def print_findings(found: RecordingCheck) -> None:
    """One line a finding, and the verdict."""
    table(findings_table(found))
    out.print("usable" if found.usable else "[bold red]not usable[/]")


def findings_table(found: RecordingCheck) -> pd.DataFrame:
    """The findings as rows, for the console and the report."""
    rows = [(f.level, f.name, f.text) for f in found.findings]
    return pd.DataFrame(rows, columns=["level", "what", "found"])
