"""One fact about a recording."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "unusable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact about a recording. `value` is its number in the unit that `text` names, where one number says it."""

    level: Level
    name: str
    text: str
    value: float | None = None
