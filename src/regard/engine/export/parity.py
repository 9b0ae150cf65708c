"""How far an exported model's answers are from torch's, by the task's own score and by numbers; and how fast it is."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import pandas as pd
import torch

from regard.batch import Batch
from regard.engine.export.method import Calls, Function, exchanged, method_of
from regard.io.predictions import LOGITS
from regard.tasks.base import Task

FAITHFUL, QUANTISED = 0.01, 0.25
"""The error over the variation between answers that an export passes with: in float32, and with 8-bit products."""
LOSS = 0.01
"""How much worse, of its value, the task's score may be."""
SPEED_S = 4.0
"""For how long each form is timed at least three times; no more than MOST_ROUNDS."""
MOST_ROUNDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of one array of the answers, from torch's: largest and mean difference, and its error over what there is to say.

    `error` is the root mean square of the difference over that of what torch's answers differ by from their mean over
    all moments: 0 is the same, 1 says nothing of the moment. NaN where all answers are the same. `same_top` is the
    share of answers whose likeliest class is torch's; NaN where they are not of classes.
    """

    largest: float
    mean: float
    error: float
    same_top: float = np.nan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """Answers about the same clips: arrays in a user's terms, and the task's scores where gaze or labels are known."""

    arrays: Mapping[str, np.ndarray]
    scores: Mapping[str, float] = field(default_factory=dict)


@torch.inference_mode()
def said(task: Task, batches: Sequence[Batch], *, scored: bool, function: Function | None = None) -> Said:
    """What the task answers with its model as it is, or with this function in place of what leaves torch."""
    if function is not None:
        with exchanged(task.model, function):
            return said(task, batches, scored=scored)
    arrays: dict[str, list[np.ndarray]] = {}
    rows = []
    for batch in batches:
        answer = task.answer(batch)
        for piece in task.predictions(answer, batch):
            for name, value in piece.values.items():
                if value.dtype.kind == "f":
                    arrays.setdefault(name, []).append(value)
        if scored:
            rows.append(task.score(answer, batch))
    return Said(arrays={n: np.concatenate(parts) for n, parts in arrays.items()}, scores=_scores(task, rows))


def _scores(task: Task, rows: list[pd.DataFrame]) -> dict[str, float]:
    if not rows:
        return {}
    summary = task.summarise(task.collect(pd.concat(rows, ignore_index=True)))
    return {str(s): float(v) for s, v in zip(summary["score"], summary["value"], strict=True) if pd.notna(v)}


def differences(ours: Said, torchs: Said) -> dict[str, Difference]:
    """Of each array."""
    return {
        name: difference(ours.arrays[name], array, of_classes=name.startswith(LOGITS))
        for name, array in torchs.arrays.items()
    }


def difference(ours: np.ndarray, torchs: np.ndarray, *, of_classes: bool = False) -> Difference:
    """Of one array, answers first and classes last, from torch's; where both are finite."""
    known = np.isfinite(ours) & np.isfinite(torchs)
    apart = np.where(known, ours - np.where(known, torchs, 0), 0).astype(np.float64)
    varied = np.where(known, torchs, np.nan).astype(np.float64)
    varied = np.nan_to_num(varied - np.nanmean(varied, axis=0, keepdims=True)) if known.any() else np.zeros(1)
    spread = float(np.sqrt(np.mean(varied**2)))
    error = float(np.sqrt(np.mean(apart**2))) / spread if spread > 0 else np.nan
    same_top = float(np.mean(ours.argmax(axis=-1) == torchs.argmax(axis=-1))) if of_classes else np.nan
    largest, mean = float(np.abs(apart).max()), float(np.abs(apart).mean())
    return Difference(largest=largest, mean=mean, error=error, same_top=same_top)


def passes(task: Task, ours: Said, torchs: Said, parts: Mapping[str, Difference], *, int8: bool) -> bool:
    """Whether `auto` may take it. With 8-bit products only by a score, which may be no more than LOSS worse."""
    limit = QUANTISED if int8 else FAITHFUL
    near = all(part.error <= limit for part in parts.values() if np.isfinite(part.error))
    name, way = task.scoring.best()
    if name not in torchs.scores or name not in ours.scores:
        return near and not int8
    worse = (torchs.scores[name] - ours.scores[name]) * (1 if way == "max" else -1)
    return near and worse <= LOSS * abs(torchs.scores[name])


def times_s(task: Task, calls: Calls, functions: Mapping[str, Function]) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of one call of the exported method, "torch" and these: medians of rounds in which all take
    turns.
    """
    forms: dict[str, Callable] = {"torch": getattr(task.model, method_of(task.model)), **functions}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in forms}
    begun, rounds = time.perf_counter(), 0
    with torch.inference_mode():
        while rounds < 4 or (time.perf_counter() - begun < SPEED_S * len(forms) and rounds < MOST_ROUNDS):
            given = calls.given[rounds % len(calls.given)]
            for name, form in forms.items():
                wall, cpu = time.perf_counter(), time.process_time()
                form(*given)
                took[name].append((time.perf_counter() - wall, time.process_time() - cpu))
            rounds += 1
    return {name: (median(w for w, _ in each[1:]), median(c for _, c in each[1:])) for name, each in took.items()}
