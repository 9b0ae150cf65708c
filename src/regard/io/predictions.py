"""Predictions as parquet, written as they are made and read in pieces; pandas and polars read them without regard.

One row an answer: `start_s` (of a window), `time_s`, `seen_until_s`, `who` (where there are several people), and a
column for each array: of numbers, or of lists in lists (h of w for a map). For people to read, a density also gives
`x` and `y`, the centre of its most likely cell (normalised), and the logits of a label its likeliest class, by number,
by name where known, with its probability. The file's metadata hold `recording`, `model`, `temperature` (1 where it is
missing), `class_names` and `source`: the name, the length and a sum of the video that was answered about.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64, Shaped

from regard.errors import FileError
from regard.io.files import writing
from regard.prediction import LOGITS, PIECE, TIMES, Prediction, columns_of, joined, told_of
from regard.types import FilePrint


@contextmanager
def prediction_writer(path: Path | str) -> Iterator["PredictionWriter"]:
    """Writes answers as they come; the file has its final name when the last one is in it and not before.

    Raises FileError where it cannot be written; what is left of a failed write is removed.
    """
    with writing(Path(path)) as beside:
        writer = PredictionWriter(beside)
        try:
            yield writer
            writer.flush()
        finally:
            writer.close()


class PredictionWriter:
    """All pieces are of one model, about one recording, with the same arrays; see `prediction_writer`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parquet: pq.ParquetWriter | None = None
        self._waiting: list[Prediction] = []

    def write(self, piece: Prediction) -> None:
        """Some answers, later than all before."""
        self._waiting.append(piece)
        if sum(map(len, self._waiting)) >= PIECE:
            self.flush()

    def close(self) -> None:
        """Give the file back."""
        if self._parquet is not None:
            self._parquet.close()

    def flush(self) -> None:
        """Write what waits for more to come."""
        if not self._waiting:
            return
        piece, self._waiting = joined(self._waiting), []
        table = pa.table(_columns(piece))
        if self._parquet is None:
            about = {
                "recording": piece.recording,
                "model": piece.model,
                "temperature": str(piece.temperature),
                "class_names": json.dumps(piece.class_names),
                "source": json.dumps(piece.source),
            }
            schema = table.schema.with_metadata(about)
            maps = [name + ".list.element" * (v.ndim - 1) for name, v in piece.values.items() if v.dtype.kind == "f"]
            self._parquet = pq.ParquetWriter(
                self._path,
                schema,
                compression="zstd",
                use_dictionary=False,
                use_byte_stream_split=maps,  # pyright: ignore[reportArgumentType]
            )
        self._parquet.write_table(table.cast(self._parquet.schema))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionFile:
    """A saved prediction of any length: the times are in memory, the arrays stay in the file until asked for."""

    path: Path
    recording: str
    model: str
    time_s: Float64[np.ndarray, "n"]
    seen_until_s: Float64[np.ndarray, "n"]
    start_s: Float64[np.ndarray, "n"] | None
    who: tuple[str, ...] | None
    class_names: Mapping[str, tuple[str, ...]]
    temperature: float
    source: FilePrint | None
    shapes: Mapping[str, tuple[int, ...]]
    """Of a row of each array."""

    def __len__(self) -> int:
        return len(self.time_s)

    def __repr__(self) -> str:
        return f"{told_of(self, self.shapes)}; in {self.path}"

    @property
    def names(self) -> tuple[str, ...]:
        """What the arrays are called."""
        return tuple(self.shapes)

    @property
    def begun_s(self) -> Float64[np.ndarray, "n"]:
        """When what each answer is about begins."""
        return self.time_s if self.start_s is None else self.start_s

    def pieces(self, names: Sequence[str] | None = None) -> Iterator[Prediction]:
        """The answers, some at a time; with the arrays of these names only, where they are said."""
        wanted = [n for n in self.names if names is None or n in names]
        first = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(PIECE, columns=wanted, use_threads=False):
                    now = slice(first, first + batch.num_rows)
                    first = now.stop
                    yield self._piece(now, {name: _array(batch.column(name)) for name in wanted})
        except (OSError, pa.ArrowException, ValueError) as error:
            raise _unreadable(self.path, error) from error

    def rows(self, which: slice) -> Prediction:
        """Some answers that follow each other, in memory; little more of the file is read than holds them."""
        first, end, _ = which.indices(len(self))
        try:
            with pq.ParquetFile(self.path) as file:
                sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
                starts = np.cumsum([0, *sizes])
                groups = np.flatnonzero((starts[:-1] < end) & (starts[1:] > first)).tolist()
                table = file.read_row_groups(groups, columns=list(self.names), use_threads=False)
            part = table.slice(first - int(starts[groups[0]]) if groups else 0, max(0, end - first)).combine_chunks()
            values = {name: _array(part.column(name).combine_chunks()) for name in self.names}
        except (OSError, pa.ArrowException, ValueError) as error:
            raise _unreadable(self.path, error) from error
        return self._piece(slice(first, max(first, end)), values)

    def to_pandas(self) -> pd.DataFrame:
        """A row an answer, as of one in memory; no maps."""
        return pd.concat([piece.to_pandas() for piece in self.pieces()] or [self.load().to_pandas()], ignore_index=True)

    def load(self) -> Prediction:
        """All answers in memory."""
        parts = list(self.pieces())
        empty = {name: np.zeros((0, *shape), np.float32) for name, shape in self.shapes.items()}
        return joined(parts) if parts else self._piece(slice(0, 0), empty)

    def _piece(self, now: slice, values: Mapping[str, np.ndarray]) -> Prediction:
        return Prediction(
            recording=self.recording,
            model=self.model,
            time_s=self.time_s[now],
            seen_until_s=self.seen_until_s[now],
            start_s=None if self.start_s is None else self.start_s[now],
            who=None if self.who is None else self.who[now],
            values=values,
            class_names=self.class_names,
            temperature=self.temperature,
            source=self.source,
        )


Answers = Prediction | PredictionFile
"""In memory, or in a file that is read in pieces."""


def write_prediction(prediction: Prediction, path: Path | str) -> None:
    """Save a prediction; nothing is left under the final name when it fails. Raises FileError."""
    with prediction_writer(path) as writer:
        for piece in prediction.pieces():
            writer.write(piece)


def open_prediction(path: Path | str) -> PredictionFile:
    """A saved prediction, to be read in pieces. Raises FileError where it is missing, another table or not in order."""
    path = Path(path)
    try:
        with pq.ParquetFile(path) as file:
            about = {k.decode(): v.decode() for k, v in (file.schema_arrow.metadata or {}).items()}
            columns = file.schema_arrow.names
            table = file.read([c for c in (*TIMES, "who") if c in columns])
        if not set(columns) - _for_people(columns):
            raise ValueError("no array of answers")
        names = json.loads(about.get("class_names", "{}"))
        source = json.loads(about.get("source", "null"))
        found = PredictionFile(
            path=path,
            recording=about["recording"],
            model=about["model"],
            time_s=_times(table, "time_s"),
            seen_until_s=_times(table, "seen_until_s"),
            start_s=_times(table, "start_s") if "start_s" in columns else None,
            who=tuple(table["who"].to_pylist()) if "who" in columns else None,
            class_names={label: tuple(map(str, said)) for label, said in names.items()},
            temperature=float(about.get("temperature", 1.0)),
            source=None if source is None else FilePrint(str(source[0]), int(source[1]), str(source[2])),
            shapes={c: _shape(file.schema_arrow.field(c)) for c in columns if c not in _for_people(columns)},
        )
    except (OSError, pa.ArrowException, AttributeError, LookupError, ValueError, TypeError, RecursionError) as error:
        raise _unreadable(path, error) from error
    return found


def read_prediction(path: Path | str) -> Prediction:
    """What `write_prediction` saved, in memory. Raises FileError as `open_prediction` does."""
    return open_prediction(path).load()


def _columns(piece: Prediction) -> dict[str, pa.Array]:
    told = {name: pa.array(c, pa.string() if isinstance(c, list) else None) for name, c in columns_of(piece).items()}
    return told | {name: _lists(value) for name, value in piece.values.items()}


def _for_people(columns: Sequence[str]) -> set[str]:
    """The columns that are no arrays of the prediction: times, and what only people read."""
    labels = [c.removeprefix(LOGITS) for c in columns if c.startswith(LOGITS)]
    derived = {f"{label}{end}" for label in labels for end in ("", "_probability", "_name")}
    return {*TIMES, "who", "x", "y", *derived}


def _lists(value: Shaped[np.ndarray, "n ..."]) -> pa.Array:
    """Rows of numbers, or of lists in lists of fixed lengths."""
    array = pa.array(np.ascontiguousarray(value).reshape(-1))
    for length in reversed(value.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, length)
    return array


def _shape(field: pa.Field) -> tuple[int, ...]:
    """Of a row of this column. Raises ValueError where it does not hold numbers, or no maps where there should be."""
    kind, shape = field.type, []
    while pa.types.is_fixed_size_list(kind):
        shape.append(kind.list_size)
        kind = kind.value_type
    is_numbers = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    is_other = len(shape) != 2 if field.name == "log_density" else field.name == "gaze" and shape[1:] != [2]
    if not is_numbers or is_other:
        raise ValueError(f"{field.name} is {field.type}")
    return tuple(shape)


def _array(column: pa.Array) -> np.ndarray:
    shape: list[int] = [len(column)]
    while pa.types.is_fixed_size_list(column.type):
        shape.append(column.type.list_size)
        column = column.flatten()
    if column.null_count:
        raise ValueError("cells without a number")
    return np.array(column.to_numpy(zero_copy_only=False)).reshape(shape)


def _times(table: pa.Table, name: str) -> Float64[np.ndarray, "n"]:
    times_s = table[name].to_numpy().astype(np.float64)
    if not np.isfinite(times_s).all() or (name == "time_s" and (np.diff(times_s) < 0).any()):
        raise ValueError(f"{name} is not a list of moments in order")
    return times_s


def _unreadable(path: Path, error: Exception) -> FileError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return FileError(
        path,
        found="no such file" if isinstance(error, FileNotFoundError) else f"no readable prediction ({why})",
        wanted="a parquet file with time_s, seen_until_s, an array of answers, and recording and model in its metadata",
        do="write one with `regard predict RECORDING --out DIR`",
    )
