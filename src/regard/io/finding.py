"""What is found about a recording: facts, and all of them together."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingCheck:
    """Everything that was found, in reading order; `check["gaze lost"]` is the first finding of that name."""

    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """True unless the pictures cannot be read, or gaze was recorded but none of it is valid and on the picture."""
        return all(f.level != "unusable" for f in self.findings)

    @property
    def verdict(self) -> Literal["usable", "usable with warnings", "not usable"]:
        """All in three words or less."""
        if not self.usable:
            return "not usable"
        return "usable with warnings" if any(f.level == "warning" for f in self.findings) else "usable"

    def __repr__(self) -> str:
        """As `regard check` prints it: a line a finding, and the verdict."""
        level, name = (max((len(getattr(f, key)) for f in self.findings), default=0) for key in ("level", "name"))
        return "\n".join([*(f"{f.level:{level}}  {f.name:{name}}  {f.text}" for f in self.findings), self.verdict])

    def __getitem__(self, name: str) -> Finding:
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)
