"""What a caller may give where a recording or a prediction is wanted: the thing itself, or a path to it."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from regard.errors import FileError, RegardError
from regard.io.predictions import Answers, open_prediction
from regard.io.recording import open_recording
from regard.types import Recording

P = ParamSpec("P")
R = TypeVar("R")


class ArgumentError(RegardError):
    """An argument of another kind than the one that is wanted."""


def called_as(call: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Raise ArgumentError, which shows the call, where a function is given too many, too few or unknown arguments."""

    def refusing(function: Callable[P, R]) -> Callable[P, R]:
        taken = signature(function)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                taken.bind(*args, **kwargs)
            except TypeError as error:
                name = call.partition("(")[0]
                raise ArgumentError(
                    name, found=str(error), wanted=call, do=f"call it so; help({name}) says more"
                ) from None
            return function(*args, **kwargs)

        return checked

    return refusing


def path_of(given: Any, suffix: str) -> Path:
    """Where to write a file of that suffix. Raises ArgumentError for what is no path, FileError for another suffix."""
    if not isinstance(given, str | PathLike):
        raise _other(given, wanted=f"the path of the {suffix} file to write", do=f'give it as "name{suffix}"')
    path = Path(given)
    if path.suffix.lower() != suffix:
        found = f"the suffix {path.suffix!r}" if path.suffix else "a name without suffix"
        raise FileError(
            path, found=found, wanted=f"a name that ends in {suffix}", do=f"call it {path.stem or 'name'}{suffix}"
        )
    return path


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
