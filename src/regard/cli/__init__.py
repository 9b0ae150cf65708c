"""The command line: few verbs, each ends by saying what it wrote and what to do next.

Nothing heavy is imported before a verb is known, so that `regard --help` answers at once. A user's mistake prints one
block and exits with 2; `--debug` shows the traceback instead. `regard check` exits with 1 when a recording is unusable.
"""

import os
import re
import shlex
import signal
import sys
import threading
import warnings
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module

from regard import __version__
from regard.errors import FileError, RecipeError, RegardError

DESCRIPTION = "Human gaze in video: read recordings, say where their wearers look, score it, see it."

VERBS = {
    "demo": "show everything at once on a recording, or on the built-in synthetic world",
    "check": "can this recording be used? streams, clocks, gaps, lost gaze; or is this dataset whole?",
    "show": "film and report of the recorded gaze",
    "events": "fixations, saccades, pursuit and blinks: a table as csv, a film and a report",
    "areas": "which areas of interest were looked at: dwell time, fixations, visits, transitions, a page and a film",
    "predict": "say where the wearer looks, or what they do: a table as parquet, and a film",
    "live": "answers about a camera, a stream or a recording as it happens, and how late they come",
    "view": "a page in the browser that goes through a recording with gaze, answers, events, faces and scores",
    "evaluate": "score a model on a recording, a trained run or a recipe",
    "prepare": "write a recipe's videos once in a form that is read many times faster",
    "train": "train a recipe, or go on with a stopped run",
    "export": "a recording as others read it (BIDS, csv, prompts); a model for another runtime (ONNX, OpenVINO)",
    "recipes": "what comes with regard to train and score: list it, or show one of it",
    "compare": "the scores of several runs beside each other, with differences, or their mean",
    "weights": "what others have trained and published: list it, or get one of it",
    "info": "versions and devices, for bug reports",
}
"""Each verb is a module `regard.cli.<verb>` with `add_arguments(parser)` and `run(options) -> exit code`."""

HINT = "'regard VERB --help' explains one; 'regard demo' is a good start; 'regard --version' says which."

NEAR = 0.8
"""From this likeness on, in difflib's measure, an option counts as misspelt and not as a key of a recipe."""

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, which is cleaned up after as Ctrl-C is."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Within the block SIGTERM raises, where nobody else has a use for it."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(*_: object) -> None:
        raise _TerminatedError

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    as_before, warnings.formatwarning = warnings.formatwarning, _warning
    try:
        with _terminable():
            code = _answer(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our output went away (`regard ... | head`); nothing is left to say to anybody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERRUPTED
    finally:
        warnings.formatwarning = as_before
    return code


def _warning(message: Warning | str, *_: object) -> str:
    """A warning as a user reads it: without the line of code that gave it."""
    return f"warning: {message}\n"


def _answer(words: list[str]) -> int:
    verb = next((w for w in words if not w.startswith("-")), None)
    if verb is None:
        print(__version__ if "--version" in words else overview())
        return 0
    if verb not in VERBS:
        near = "".join(f"; did you mean {name}?" for name in get_close_matches(verb, VERBS, n=1))
        print(f"regard: no verb {verb!r}{near}\n\n{overview()}", file=sys.stderr)
        return EXIT_USER_ERROR
    words.remove(verb)
    words = [re.sub(r"^--[\w.-]+", lambda name: f"--{name[0][2:].replace('-', '_')}", word) for word in words]
    debug = "--debug" in words
    try:
        room = import_module(f"regard.cli.{verb}")
        parser = ArgumentParser(prog=f"regard {verb}", description=VERBS[verb], allow_abbrev=False)
        room.add_arguments(parser)
        parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
        options, overrides = parser.parse_known_args(words)
        options.said = shlex.join(["regard", verb, *words])  # for pages, which say how they were made
        takes_overrides = getattr(room, "TAKES_OVERRIDES", False)
        _refuse_misspelt(parser, overrides, takes_overrides=takes_overrides)
        return room.run(options, overrides) if takes_overrides else room.run(options)
    except (RegardError, OSError) as error:
        if debug or isinstance(error, BrokenPipeError):
            raise
        told = error if isinstance(error, RegardError) else _refused_by_the_system(error, verb)
        print(f"regard {verb} cannot go on:\n{told}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt as stop:
        print("\nstopped; nothing half-written was left under its final name", file=sys.stderr)
        return EXIT_TERMINATED if isinstance(stop, _TerminatedError) else EXIT_INTERRUPTED


def _refuse_misspelt(parser: ArgumentParser, words: Sequence[str], *, takes_overrides: bool) -> None:
    """Raises RecipeError for a word that is nearly an option, and for each that the verb does not know."""
    known = re.findall(r"--\w+", parser.format_help())
    for word in words:
        name = word.partition("=")[0]
        if takes_overrides and "." in name:  # a recipe's key, which the recipe knows
            continue
        near = get_close_matches(name, known, n=1, cutoff=NEAR) if name.startswith("--") else []
        if near or not takes_overrides:
            raise RecipeError(
                name,
                found="no option of this verb" if name.startswith("-") else "a word too many",
                wanted=f"what `{parser.prog} --help` lists",
                do=f"did you mean {near[0]}?" if near else "take it out, or correct it",
            )


def _refused_by_the_system(error: OSError, verb: str) -> FileError:
    return FileError(
        error.filename or f"regard {verb}",
        found=error.strerror or str(error),
        wanted="a file, folder or disk that the system lets regard use",
        do="check the path, its permissions and the room on the disk; --debug shows where it happened",
    )


def overview() -> str:
    """What `regard --help` prints."""
    lines = [f"  {verb:<10}{text}" for verb, text in VERBS.items()]
    return "\n".join([DESCRIPTION, "", "usage: regard VERB [options]", "", *lines, "", HINT])
