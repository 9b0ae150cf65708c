"""`regard export RECORDING --to bids | csv | lerobot | vlm`: recordings as others read them."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from regard import __version__
from regard.cli.console import frames_progress, heading, out, plain, remarks, wrote
from regard.cli.options import OUT, add_min_confidence, add_movements, command
from regard.errors import RecipeError
from regard.io.study_list import StudyList, study
from regard.types import Recording

if TYPE_CHECKING:
    from regard.engine.events import EyeMovements

FORMATS = ("bids", "csv", "lerobot", "vlm")
OWN = {
    "subject": ("bids",),
    "session": ("bids",),
    "task": ("bids", "lerobot"),
    "run": ("bids",),
    "fps": ("lerobot", "vlm"),
    **dict.fromkeys(("watched", "no_look", "recorded", "field_deg"), ("csv", "vlm")),
}
"""Options that only some formats know."""


def add_arguments(parser: ArgumentParser) -> None:
    """What only recordings need."""
    own = parser.add_argument_group("of recordings")
    add_min_confidence(own)
    for name in ("subject", "session", "task", "run"):
        own.add_argument(
            f"--{name}",
            help=f"--to bids{', lerobot' * (name == 'task')}: the {name}, for all recordings "
            "(default of bids: the list's column, or the recording's)",
        )
    own.add_argument(
        "--fps",
        type=float,
        help="--to vlm: pictures a second (default: one a fixation); --to lerobot: frames (default: the video's rate)",
    )
    add_movements(own)


def run(options: Namespace) -> int:
    """Write the folder, and say what lies there."""
    what = study(*options.what)
    remarks(what.notes)
    folder = options.out or OUT / f"{what.name}-{options.to[0]}"
    return {"bids": _bids, "csv": _csv, "lerobot": _lerobot, "vlm": _vlm}[options.to[0]](options, what, folder)


def require_own(options: Namespace) -> None:
    """Raise RecipeError for an option of recordings that what they, or a model, are written as would pass over."""
    to = options.to[0]
    given = [name for name in OWN if getattr(options, name) is not None and getattr(options, name) is not False]
    if wrong := [f"--{name}" for name in given if to not in OWN[name]]:
        raise RecipeError(
            ", ".join(wrong),
            found=f"given with --to {to}, which does not know it",
            wanted=f"only with --to {' or '.join(OWN[wrong[0][2:]])}",
            do="take it out",
        )


def _bids(options: Namespace, what: StudyList, folder: Path) -> int:
    from regard.io.bids.names import label_of
    from regard.io.bids.naming import entries_of
    from regard.io.bids.write import write_bids

    given = {name: getattr(options, name) for name in ("subject", "session", "task", "run")}
    if wrong := [f"--{n} {t}" for n, t in given.items() if t is not None and (not t or label_of(t) != t)]:
        raise RecipeError(", ".join(wrong), found="other than letters and digits", wanted="a label", do="correct it")
    heading(f"{len(what)} recording{'s' * (len(what) > 1)} into {folder}")
    entries = entries_of(what, given, min_confidence=options.min_confidence)
    files = write_bids(folder, entries, name=what.name, version=__version__, tell=_say)
    wrote([folder, *files], then=command("check", folder))
    return 0


def _csv(options: Namespace, what: StudyList, folder: Path) -> int:
    from regard.engine.exchange.folders import LIST, export_each
    from regard.engine.exchange.tables import write_tables
    from regard.io.recording import is_recording

    def write(recording: Recording, into: Path) -> None:
        remarks(write_tables(recording, into, movements=_movements(options)))

    folders = export_each(what, folder, write, min_confidence=options.min_confidence, tell=_say)
    readable = all(map(is_recording, folders))
    again = folder / LIST if len(folders) > 1 else folder
    wrote(folders, then=command("check", again) if readable else command("check", *options.what))
    return 0


def _lerobot(options: Namespace, what: StudyList, folder: Path) -> int:
    from regard.engine.exchange.folders import require_new
    from regard.engine.exchange.lerobot import write_lerobot
    from regard.io.files import writing
    from regard.io.recording import open_recording

    if options.fps is not None and not options.fps.is_integer():
        raise RecipeError(f"--fps {options.fps:g}", found="no whole number", wanted="LeRobot's rate", do="round it")
    require_new(folder)
    recordings = (open_recording(one.path, min_confidence=options.min_confidence) for one in what.recordings)
    with writing(folder) as part, frames_progress("episodes") as bar:
        part.mkdir()
        fps = None if options.fps is None else round(options.fps)
        write_lerobot(recordings, part, task=options.task or "unnamed", fps=fps, progress=bar)
    wrote([folder, folder / "meta" / "info.json"], then=command("check", *options.what))
    return 0


def _vlm(options: Namespace, what: StudyList, folder: Path) -> int:
    from regard.engine.exchange.folders import export_each
    from regard.engine.exchange.vlm import write_prompts

    def write(recording: Recording, into: Path) -> None:
        with frames_progress("pictures") as bar:
            write_prompts(recording, into, fps=options.fps, movements=_movements(options), progress=bar)

    folders = export_each(what, folder, write, min_confidence=options.min_confidence, tell=_say)
    wrote(
        [one / name for one in folders for name in ("prompts.jsonl", "fixations.csv")],
        then=command("view", *options.what),
    )
    return 0


def _movements(options: Namespace) -> Callable[[Recording], "EyeMovements"]:
    from regard.engine.events import eye_movements

    return partial(
        eye_movements,
        watched=options.watched,
        look=not options.no_look,
        recorded=options.recorded,
        field_deg=options.field_deg,
    )


def _say(line: str) -> None:
    out.print(f"[dim]{plain(line)}[/]", soft_wrap=True)
