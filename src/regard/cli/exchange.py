"""`regard export RECORDING --to bids | csv | lerobot | vlm`: recordings as others read them."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from regard import __version__
from regard.cli.console import heading, out, plain, remarks, wrote
from regard.cli.options import OUT, add_min_confidence, command
from regard.errors import RecipeError
from regard.io.study_list import StudyList, study

FORMATS = ("bids",)


def add_arguments(parser: ArgumentParser) -> None:
    """What only recordings need."""
    own = parser.add_argument_group("of recordings")
    add_min_confidence(parser)
    for name in ("subject", "session", "task", "run"):
        own.add_argument(
            f"--{name}",
            help=f"--to bids: the {name}, for all recordings (default: the list's column, or the recording's)",
        )


def run(options: Namespace) -> int:
    """Write the folder, and say what lies there."""
    what = study(*options.what)
    remarks(what.notes)
    folder = options.out or OUT / f"{what.name}-{options.to[0]}"
    return {"bids": _bids}[options.to[0]](options, what, folder)


def _bids(options: Namespace, what: StudyList, folder: Path) -> int:
    from regard.io.bids.naming import entries_of
    from regard.io.bids.write import write_bids

    given = {name: getattr(options, name) for name in ("subject", "session", "task", "run")}
    if wrong := [f"--{name} {text}" for name, text in given.items() if text is not None and not text.isalnum()]:
        raise RecipeError(", ".join(wrong), found="other than letters and digits", wanted="a label", do="correct it")
    heading(f"{len(what)} recording{'s' * (len(what) > 1)} into {folder}")
    entries = entries_of(what, given, min_confidence=options.min_confidence)
    files = write_bids(folder, entries, name=what.name, version=__version__, tell=_say)
    wrote([folder, *files], then=command("check", folder))
    return 0


def _say(line: str) -> None:
    out.print(f"[dim]{plain(line)}[/]", soft_wrap=True)
