"""What a training logs, as a table: one row a logged step, with the names of the numbers on top."""

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from typing_extensions import override

from regard.io.files import writing
from regard.run.processes import is_first_process


class MetricsCsv(Logger):
    """Goes on after what `file` says of the steps before `until_step`. A kill cuts the last line at most."""

    def __init__(self, file: Path, *, until_step: int = 0) -> None:
        super().__init__()
        self.file = file
        self._rows = [row for row in _read(file) if int(row["step"]) < until_step]
        self._columns: list[str] = []
        self._num_written = 0

    @property
    @override
    def name(self) -> str:
        return self.file.parent.name

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The recipe says them."""

    @override
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        self._rows.append({**metrics, "step": step})

    @override
    def save(self) -> None:
        new = self._rows[self._num_written :]
        if not new or not is_first_process():
            return
        columns = sorted(set(self._columns).union(*new))
        if columns == self._columns:
            with self.file.open("a", newline="", encoding="utf-8") as lines:
                csv.DictWriter(lines, columns).writerows(new)
        else:
            with writing(self.file) as beside, beside.open("w", newline="", encoding="utf-8") as lines:
                table = csv.DictWriter(lines, columns)
                table.writeheader()
                table.writerows(self._rows)
        self._columns, self._num_written = columns, len(self._rows)

    @override
    def finalize(self, status: str) -> None:
        self.save()


def _read(file: Path) -> list[dict[str, Any]]:
    """The rows without their empty cells; not the last one, where it was cut in the middle."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = lines if lines and lines[-1].endswith("\n") else lines[:-1]
    return [{k: v for k, v in row.items() if v} for row in csv.DictReader(whole)]
