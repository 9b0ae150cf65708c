"""What the verbs print: small tables, progress, where each file lies, the next command to try."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from regard.errors import printable

out = Console(highlight=False, soft_wrap=False)


def plain(text: str) -> str:
    """The text as it is, whatever markup or control characters are in it."""
    return escape(printable(text))


def heading(text: str) -> None:
    """One bold line."""
    out.print(f"\n[bold]{plain(text)}[/]")


def table(frame: pd.DataFrame, *, digits: int = 3) -> None:
    """A data frame as a small table; NaN prints as a dash, and what is too long goes on in the next line."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for name in frame.columns:
        side = "right" if pd.api.types.is_numeric_dtype(frame[name]) else "left"
        grid.add_column(plain(str(name)), justify=side, overflow="fold")
    for row in frame.itertuples(index=False):
        grid.add_row(*(_cell(value, digits) for value in row))
    out.print(grid)


def wrote(files: Sequence[Path], *, then: str, look: str = "") -> None:
    """Where each written file lies, the command that shows them together in a browser, and the next one to try."""
    heading("wrote")
    for file in files:
        out.print(f"  {plain(str(file))}", soft_wrap=True)
    if look:
        out.print(f"[dim]look:[/] {plain(look)}", soft_wrap=True)
    suggest(then)


def remarks(notes: Sequence[str]) -> None:
    """What a reader had to assume, or misses in the files."""
    for note in notes:
        out.print(f"[dim]note:[/] {plain(note)}", soft_wrap=True)


def suggest(command: str) -> None:
    """The next command to try."""
    out.print(f"[dim]next:[/] {plain(command)}", soft_wrap=True)


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """A bar on stderr that is told the share done, in [0, 1]; only shown on a terminal, by one process."""
    with _bars() as bars:
        bar = bars.add_task(what, total=1.0)
        yield lambda share: bars.update(bar, completed=share)


@contextmanager
def frames_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Such a bar that is told the frames done, and of how many, and shows both numbers."""
    with _bars(MofNCompleteColumn(), TextColumn("frames")) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def _bars(*numbers: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *numbers,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty() or parent_process() is not None,
    )


def _cell(value: object, digits: int) -> str:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN is not itself
        return "-"
    return f"{value:.{digits}f}" if isinstance(value, float) else plain(str(value))
