"""What regard tells a user whose input cannot be used: what was found, what was wanted, what to do next."""

import re
from pathlib import Path

NEVER_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters by which the name of a file could steer a terminal or turn its text around: controls but tab and newline,
changes of direction, halves of pairs."""


def printable(text: str) -> str:
    """The text with such characters written out as escapes, such as \\x1b."""
    return NEVER_SHOWN.sub(lambda found: ascii(found[0])[1:-1], text)


class RegardError(Exception):
    """A problem the user can solve. The command line prints it in one block and exits with code 2.

    `found` and `wanted` complete the sentences "found ..." and "wanted ..."; `do` is an instruction.
    Everything that is wrong on regard's own side is an AssertionError or an ordinary exception instead.

    Examples:
        >>> try:
        ...     regard.open("no_recording/")
        ... except regard.RegardError as error:
        ...     print(error.found)
        no such file or folder
    """

    def __init__(self, where: Path | str, *, found: str, wanted: str, do: str) -> None:
        self.where, self.found, self.wanted, self.do = str(where), found, wanted, do
        name = printable(self.where).replace("\n", "\\n")
        super().__init__(printable(f"{name}\n  found:  {found}\n  wanted: {wanted}\n  do:     {do}"))

    def __reduce__(self) -> tuple:
        """Keep the four parts when the error crosses from a loader's worker process."""
        return _rebuild, (type(self), self.where, self.found, self.wanted, self.do)


class FileError(RegardError):
    """A file or folder is missing, empty, truncated, corrupt, of another kind, or cannot be written."""


class TableError(RegardError):
    """A csv or parquet table lacks columns or holds values that cannot be what they claim to be."""


class ClockError(RegardError):
    """Times run backwards, repeat, belong to another clock, or do not meet the video."""


class AreaError(RegardError):
    """An area of interest that is no area, leaves the picture, or is of another picture."""


class RecipeError(RegardError):
    """A recipe names something unknown, gives a wrong type, or asks for a field that the data lacks."""


class WeightsError(RegardError):
    """A checkpoint belongs to another model, or lacks or exceeds the expected names."""


class DeviceError(RegardError):
    """A device that this machine does not have."""


class NothingToScoreError(RegardError):
    """A recording without what its answers would be compared with, or where the two never meet."""


class HorizonError(RegardError):
    """A time ahead that a model cannot be asked about."""


class MissingExtraError(RegardError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, what: Path | str, *, package: str, extra: str) -> "MissingExtraError":
        """The error for `what`, which needs `package` from the extra `extra`."""
        return cls(
            what,
            found=f"the package {package} is not installed",
            wanted=f"{package}, which comes with regard's extra '{extra}'",
            do=f"pip install 'regard[{extra}]'",
        )


def _rebuild(kind: type[RegardError], where: str, found: str, wanted: str, do: str) -> RegardError:
    return kind(where, found=found, wanted=wanted, do=do)
