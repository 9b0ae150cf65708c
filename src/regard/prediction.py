"""What a model answers about a recording, whatever the question: times, and arrays by name.

    log_density       [n, h, w]      where somebody looks: natural logarithm of the probability in each cell, sums to 1
    point             [n, 2]         where somebody looks, normalised, where the model says a point
    logits/LABEL      [n, classes]   what is being done
    attention         [n, s, h, w]   where the model looked, for each of s parts of a window, in [0, 1] and 1 at its
                                     highest, NaN where it was shown nothing
    evidence          [n, s, h, w]   what spoke for its answer, likewise
    gaze              [n, s, 2]      where the wearer looked in each of s parts of a window, normalised
    answered_s        [n]            when the answer was there, of a live run

An array of another name is joined, saved, loaded and cut in the same way; whoever scores or draws one looks for it by
its name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from regard.types import FilePrint

if TYPE_CHECKING:
    import pandas as pd

TIMES = ("start_s", "time_s", "seen_until_s")
LOGITS = "logits/"

PIECE = 256
"""Answers in a piece: a few megabytes of maps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """n answers about one recording, in time order; each has a row in every array of `values`.

    An answer is about `time_s`, or about the window from `start_s` to `time_s`; for an answer about one moment the two
    are equal, which is what `start_s` None says. `seen_until_s` is the last moment that the model had seen (or heard)
    for it: equal to `time_s` for estimation, earlier for anticipation. `who` says of whom each answer is, where there
    are several people; without, all are of the wearer. `class_names` say the classes of a label in words, where
    somebody knows them. `temperature` is what the model's logits were divided by before they became the density (2 in
    GLC and CSTS): the published F1 begins with the logits. `source` is the video that was answered about, where
    somebody noted it.

    Examples:
        >>> prediction = regard.Prediction(
        ...     recording="my_recording",
        ...     model="mine",
        ...     time_s=np.array([0.0, 0.5]),
        ...     seen_until_s=np.array([0.0, 0.5]),
        ...     values={"point": np.array([[0.5, 0.5], [0.6, 0.4]])},
        ... )
        >>> prediction
        Prediction of mine about my_recording: 2 answers, 0.00 to 0.50 s; point [2]
        >>> prediction["point"][1]
        array([0.6, 0.4])
    """

    recording: str
    model: str
    time_s: Float64[np.ndarray, "n"]
    seen_until_s: Float64[np.ndarray, "n"]
    values: Mapping[str, Shaped[np.ndarray, "n ..."]]
    start_s: Float64[np.ndarray, "n"] | None = None
    who: tuple[str, ...] | None = None
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    temperature: float = 1.0
    source: FilePrint | None = None

    def __post_init__(self) -> None:
        n = len(self.time_s)
        columns = {"seen_until_s": self.seen_until_s, "start_s": self.start_s, "who": self.who, **self.values}
        if wrong := {name: len(c) for name, c in columns.items() if c is not None and len(c) != n}:
            raise ValueError(f"{n} answers, but {wrong} rows")

    def __len__(self) -> int:
        return len(self.time_s)

    def __repr__(self) -> str:
        return told_of(self, {name: value.shape[1:] for name, value in self.values.items()})

    def __getitem__(self, name: str) -> np.ndarray:
        """The array of that name."""
        return self.values[name]

    @property
    def names(self) -> tuple[str, ...]:
        """What the arrays are called."""
        return tuple(self.values)

    @property
    def begun_s(self) -> Float64[np.ndarray, "n"]:
        """When what each answer is about begins."""
        return self.time_s if self.start_s is None else self.start_s

    @property
    def point(self) -> Float64[np.ndarray, "n 2"]:
        """Where somebody looks, normalised: the model's own point, or the centre of each map's most likely cell."""
        return self.values["point"] if "point" in self.values else peaks(self.values["log_density"])

    def rows(self, which: slice | np.ndarray) -> "Prediction":
        """Some of the answers: a slice, a mask or their numbers.

        Examples:
            >>> prediction = regard.predict("my_recording/", model="centre-prior")
            >>> len(prediction.rows(prediction.time_s < 1.0))
            23
        """
        numbers = np.arange(len(self))[which]
        return replace(
            self,
            time_s=self.time_s[which],
            seen_until_s=self.seen_until_s[which],
            start_s=None if self.start_s is None else self.start_s[which],
            who=None if self.who is None else tuple(self.who[i] for i in numbers),
            values={name: value[which] for name, value in self.values.items()},
        )

    def pieces(self, names: Sequence[str] | None = None) -> Iterator["Prediction"]:
        """The answers, some at a time; with the arrays of these names only, where they are said.

        Examples:
            >>> prediction = regard.predict("my_recording/", model="centre-prior")
            >>> sum(len(piece) for piece in prediction.pieces()) == len(prediction)
            True
        """
        kept = self if names is None else replace(self, values={n: v for n, v in self.values.items() if n in names})
        for start in range(0, max(1, len(self)), PIECE):
            yield kept.rows(slice(start, start + PIECE))

    def load(self) -> "Prediction":
        """Itself: it is in memory.

        Examples:
            >>> in_a_file = regard.predict("my_recording/", model="centre-prior", out="answers.parquet")
            >>> in_a_file.load()
            Prediction of centre-prior about my_recording: 46 answers, 0.00 to 1.99 s; log_density [64, 64]
        """
        return self

    def to_pandas(self) -> "pd.DataFrame":
        """A row an answer: its times, `who`, x and y (normalised), the likeliest class of each label; no maps.

        Examples:
            >>> prediction = regard.predict("my_recording/", model="centre-prior")
            >>> prediction.to_pandas().round(3).head(1)
               time_s  seen_until_s      x      y
            0     0.0           0.0  0.508  0.695
        """
        import pandas as pd

        points = {"x": self.values["point"][:, 0], "y": self.values["point"][:, 1]} if "point" in self.values else {}
        numbers = {name: value for name, value in self.values.items() if value.ndim == 1}
        return pd.DataFrame(columns_of(self) | points | numbers)


def columns_of(answers: Prediction) -> dict[str, np.ndarray | list[str]]:
    """What people read of answers: times, `who`, a density's peak, and of a label's logits the likeliest class."""
    columns = {name: value for name in TIMES if (value := getattr(answers, name)) is not None}
    if answers.who is not None:
        columns["who"] = list(answers.who)
    if "log_density" in answers.values:
        columns["x"], columns["y"] = peaks(answers.values["log_density"]).T
    for name, logits in answers.values.items():
        if name.startswith(LOGITS):
            columns |= _likeliest(name.removeprefix(LOGITS), logits, answers.class_names)
    return columns


def _likeliest(
    label: str, logits: Shaped[np.ndarray, "n c"], names: Mapping[str, tuple[str, ...]]
) -> dict[str, np.ndarray | list[str]]:
    best, above = logits.argmax(axis=1), logits.max(axis=1, keepdims=True)
    columns = {label: best, f"{label}_probability": 1 / np.exp(logits - above).sum(axis=1)}
    if label in names:
        known = names[label]
        columns[f"{label}_name"] = [known[k] if k < len(known) else f"{label} {k}" for k in best]
    return columns


def told_of(answers: Any, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """In a line: whose answers about what, how many, when, and the shape of a row of each array."""
    when = f", {answers.time_s[0]:.2f} to {answers.time_s[-1]:.2f} s" if len(answers) else ""
    arrays = ", ".join(f"{name} {list(shape)}" if shape else name for name, shape in shapes.items())
    return f"Prediction of {answers.model} about {answers.recording}: {len(answers)} answers{when}; {arrays}"


def joined(parts: Sequence[Prediction]) -> Prediction:
    """One prediction with the answers of all parts, in time order.

    Of several answers about the same time and person, the one that has seen most is kept, else the first. Raises
    ValueError where the parts differ in their arrays.
    """
    first = parts[0]
    if any(set(p.values) != set(first.values) for p in parts):
        raise ValueError(f"parts with other arrays than {', '.join(first.values)}")
    whole = replace(
        first,
        time_s=np.concatenate([p.time_s for p in parts]),
        seen_until_s=np.concatenate([p.seen_until_s for p in parts]),
        start_s=None if first.start_s is None else np.concatenate([p.begun_s for p in parts]),
        who=None if first.who is None else tuple(w for p in parts for w in p.who or ()),
        values={name: np.concatenate([p.values[name] for p in parts]) for name in first.values},
    )
    about = [*([] if whole.who is None else [np.array(whole.who)]), whole.begun_s, whole.time_s]
    order = np.lexsort((-whole.seen_until_s, *about))
    again = np.ones(len(order), bool)
    for column in about:
        again[1:] &= column[order][1:] == column[order][:-1]
    again[:1] = False
    return whole.rows(order[~again])


def peaks(log_density: Shaped[np.ndarray, "n h w"]) -> Float64[np.ndarray, "n 2"]:
    """Centre of each map's most likely cell, normalised."""
    n, h, w = log_density.shape
    best = log_density.reshape(n, h * w).argmax(axis=1)
    return np.stack([(best % w + 0.5) / w, (best // w + 0.5) / h], axis=1)


def part_of(time_s: Float64[np.ndarray, "m"], start_s: float, end_s: float, parts: int) -> Int64[np.ndarray, "m"]:
    """In which of a window's equally long parts each moment lies; before it and after it, in the nearest."""
    along = (time_s - start_s) / max(end_s - start_s, 1e-6)
    return np.clip(along * parts, 0, parts - 1).astype(np.int64)
