"""What a model answered, for the page: a stretch of time at a time, and its rows of the timeline."""

import math
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float64, Shaped, UInt8

from regard.engine.view.gaze import CHUNK_S, class_colours
from regard.engine.view.lanes import Lane, band, line
from regard.io.following import has_points_in
from regard.io.predictions import PredictionFile
from regard.tracks import PHASES
from regard.types import MIN_GAP_S, GazeState
from regard.viz.actions import LOGITS, SHOWN, stretched
from regard.viz.density import CONTRAST
from regard.viz.draw import STATE_COLOURS
from regard.viz.timeline import hex_of

MAX_SIDE = 96
"""Of a map as it is sent: finer ones look the same once they are drawn smoothly."""
MAPS = ("attention", "evidence")
PHASE_STATES = (GazeState.LOST, GazeState.FIXATION, GazeState.SACCADE, GazeState.PURSUIT)
PHASE_CODES = [(name, hex_of(STATE_COLOURS[state])) for name, state in zip(PHASES, PHASE_STATES, strict=True)]
DEEPEST = -30.0
"""Logarithms below the peak that are as good as none."""


class AnswersView:
    """The answers of one model about one recording; `key` is unlike any other model's."""

    def __init__(self, answers: PredictionFile, *, key: str) -> None:
        self.answers, self.key = answers, key
        self._middle_s = (answers.begun_s + answers.time_s) / 2
        self._has_windows = bool((answers.begun_s < answers.time_s).any())
        self.people = tuple(dict.fromkeys(answers.who or ()))
        self._who = np.array([self.people.index(who) for who in answers.who or ()], np.uint16)
        self.labels = [n.removeprefix(LOGITS) for n in answers.names if n.startswith(LOGITS)]

    def about(self) -> dict[str, Any]:
        """What the page has to know of them beforehand."""
        answers = self.answers
        return {
            "key": self.key,
            "model": answers.model,
            "file": answers.path.name,
            "answers": len(answers),
            "arrays": list(answers.names),
            "has_points": has_points_in(answers) or "gaze" in answers.names,
            "has_windows": self._has_windows,
            "reach_s": None if self._has_windows else self._reach_s,
            "ahead_s": float(np.median(answers.time_s - answers.seen_until_s)) if len(answers) else 0.0,
            "people": list(self.people),
            "classes": {label: self._names(label) for label in self.labels},
        }

    @property
    def _reach_s(self) -> float:
        """How far from its moment an answer about a moment is shown, as in films."""
        if self.people:
            return MIN_GAP_S
        steps_s = np.diff(self._middle_s)
        return max(MIN_GAP_S, 0.75 * float(np.median(steps_s))) if len(steps_s) else MIN_GAP_S

    def _names(self, label: str) -> list[str]:
        known = self.answers.class_names.get(label, ())
        (number,) = self.answers.shapes[LOGITS + label]
        return [known[k] if k < len(known) else f"{label} {k}" for k in range(number)]

    def chunk(self, number: int) -> dict[str, np.ndarray]:
        """The answers whose middle lies in the stretch that begins at `number` times CHUNK_S, and one on either side.

        `time_s`, `begun_s`, `seen_until_s`; and where there are such answers `answered_s`, `x`, `y`, `density`,
        `attention`, `evidence`, `phase`, `gaze`, `looking`, `box`, `who`, and of each label `class/LABEL` and
        `share/LABEL`, the likeliest first. Maps are levels from 0 to 255.
        """
        reach_s = 0.0 if self._has_windows else self._reach_s
        within = np.flatnonzero(
            (self._middle_s >= number * CHUNK_S - reach_s) & (self._middle_s < (number + 1) * CHUNK_S + reach_s)
        )
        near = int(np.searchsorted(self._middle_s, number * CHUNK_S))
        low, high = (int(within[0]), int(within[-1]) + 1) if len(within) else (near, near)
        rows = slice(max(0, low - 1), min(len(self.answers), high + 1))
        piece = self.answers.rows(rows)
        arrays: dict[str, np.ndarray] = {
            "time_s": piece.time_s,
            "begun_s": piece.begun_s,
            "seen_until_s": piece.seen_until_s,
        }
        if self.people:
            arrays["who"] = self._who[rows]
        if has_points_in(piece):
            arrays["x"], arrays["y"] = piece.point.T.astype(np.float32)
        for name, values in piece.values.items():
            if name == "log_density":
                arrays["density"] = _levels(values)
            elif name in MAPS:
                arrays[name] = _stretched_levels(values)
            elif name.startswith(LOGITS):
                arrays |= _likeliest(name.removeprefix(LOGITS), values)
            elif name in ("looking", "box", "phase", "gaze"):
                arrays[name] = values.astype(np.float32)
            elif name == "answered_s":
                arrays[name] = values.astype(np.float64)
        return arrays

    def lanes(self) -> list[Lane]:
        """What is done by each label, and which phase the eye is in."""
        lanes = []
        for label in self.labels:
            best, share = self._over_time(LOGITS + label)
            shown = list(np.unique(best))
            names = [self._names(label)[k] for k in shown]
            codes = [(start, end, shown.index(k)) for start, end, k in zip(*self._spans_s(), best, strict=True)]
            sure = line("probability of the likeliest", "ink", self._middle_s, share)
            bands = [band(label, class_colours(names), _joined(codes), is_named=True)]
            lanes.append(self._lane(label, lines=[sure], bands=bands))
        if "phase" in self.answers.names:
            best, _ = self._over_time("phase")
            spans = [(start_s, end_s, int(k)) for start_s, end_s, k in zip(*self._spans_s(), best, strict=True)]
            lanes.append(self._lane("phase", bands=[band("phase", PHASE_CODES, _joined(spans))]))
        return lanes

    def _lane(self, name: str, **parts: Any) -> Lane:
        return Lane(key=f"{self.key}-{name}", name=name, of=self.key, **parts)

    def _over_time(self, name: str) -> tuple[np.ndarray, Float64[np.ndarray, "n"]]:
        """The likeliest class of each answer, and its probability."""
        parts = [(p[name].argmax(axis=1), _shares(p[name]).max(axis=1)) for p in self.answers.pieces([name]) if len(p)]
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0)
        best, share = zip(*parts, strict=True)
        return np.concatenate(best), np.concatenate(share).astype(np.float64)

    def _spans_s(self) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
        """From when to when each answer is the nearest: up to halfway to its neighbours, and not beyond its reach."""
        middle_s = self._middle_s
        if len(middle_s) < 2:
            return self.answers.begun_s, self.answers.time_s
        halves = np.diff(middle_s) / 2
        reach = math.inf if self._has_windows else self._reach_s
        before, after = np.append(halves[0], halves), np.append(halves, halves[-1])
        return middle_s - np.minimum(before, reach), middle_s + np.minimum(after, reach)


def _joined(spans: list[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """Neighbours of one code as one span."""
    joined: list[tuple[float, float, int]] = []
    for start_s, end_s, code in spans:
        if joined and joined[-1][2] == code and start_s - joined[-1][1] < 1e-6:
            joined[-1] = (joined[-1][0], end_s, code)
        else:
            joined.append((start_s, end_s, code))
    return joined


def _shares(logits: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    return share / share.sum(axis=1, keepdims=True)


def _likeliest(label: str, logits: Float[np.ndarray, "n c"]) -> dict[str, np.ndarray]:
    best = np.argsort(-logits, axis=1)[:, :SHOWN]
    share = np.take_along_axis(_shares(logits), best, axis=1)
    return {f"class/{label}": best.astype(np.uint16), f"share/{label}": share.astype(np.float32)}


def _levels(log_density: Float[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "n h2 w2"]:
    """The density of each as films show it: 255 at its peak."""
    logs = np.nan_to_num(log_density - log_density.max(axis=(1, 2), keepdims=True), nan=DEEPEST, neginf=DEEPEST)
    return _bytes(np.exp(CONTRAST * np.maximum(logs, DEEPEST)))


def _stretched_levels(maps: Shaped[np.ndarray, "n s h w"]) -> UInt8[np.ndarray, "n s h2 w2"]:
    if not maps.size:
        return np.zeros(maps.shape, np.uint8)
    flat = np.stack([np.exp(CONTRAST * stretched(one)) for one in maps.reshape(-1, *maps.shape[2:])])
    small = _bytes(flat)
    return small.reshape(*maps.shape[:2], *small.shape[1:])


def _bytes(level: Float[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "n h2 w2"]:
    """Levels of 0 to 1 as bytes, on no more than MAX_SIDE cells a side."""
    _, h, w = level.shape
    size = min(h, MAX_SIDE), min(w, MAX_SIDE)
    if size != (h, w) and len(level):
        level = np.stack([cv2.resize(one, size[::-1], interpolation=cv2.INTER_AREA) for one in level])
    return np.rint(255 * level).astype(np.uint8)
