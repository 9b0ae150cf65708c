"""What a caller may give where a recording or a prediction is wanted: the thing itself, or a path to it."""

from os import PathLike
from pathlib import Path
from typing import Any

from regard.errors import RegardError
from regard.io.predictions import Answers, open_prediction
from regard.io.recording import open_recording
from regard.types import Recording


class ArgumentError(RegardError):
    """An argument of another kind than the one that is wanted."""


def recording_of(given: Any) -> Recording:
    """The recording, opened where a path is given. Raises ArgumentError for anything else, and what opening raises."""
    if isinstance(given, Recording):
        return given
    if isinstance(given, str | PathLike):
        return open_recording(Path(given))
    raise _other(given, wanted="a recording, or the path of one", do="open it first: regard.open(path)")


def answers_of(given: Any) -> Answers:
    """The prediction, opened where a path is given. Raises ArgumentError for anything else, and what opening raises."""
    if isinstance(given, Answers):
        return given
    if isinstance(given, str | PathLike):
        return open_prediction(Path(given))
    raise _other(given, wanted="a prediction, or the parquet file of one", do="make one: regard.predict(recording)")


def _other(given: Any, *, wanted: str, do: str) -> ArgumentError:
    return ArgumentError("argument", found=f"{type(given).__name__} {given!r}"[:200], wanted=wanted, do=do)
