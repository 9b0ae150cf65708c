"""`regard compare RUN RUN ...`: scores beside each other, with the difference to the first and its interval."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from regard.cli.console import heading, out, table
from regard.engine.compare import compare


def add_arguments(parser: ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument(
        "runs", nargs="+", type=Path, help="evaluated run folders, or items tables; the first is the reference"
    )


def run(options: Namespace) -> int:
    """Print one table."""
    heading(f"difference to {options.runs[0].name}, on the moments that both answered")
    table(compare(options.runs))
    out.print("[dim]intervals: 95 %, bootstrap over recordings (1 s blocks of a single one)[/]", soft_wrap=True)
    return 0
