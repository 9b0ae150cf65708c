"""How recognised classes are scored: a row for each labelled clip, whatever number of windows were answered about."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from regard.batch import Batch
from regard.errors import NothingToScoreError, RecipeError
from regard.io.predictions import Answers
from regard.metrics.adaptive_f1 import Policy
from regard.metrics.labels import (
    Empty,
    class_table,
    confusion,
    implied,
    mean_class_accuracy,
    mean_class_interval,
    mean_over_classes,
    paired_mean_class,
    shares_time,
    top_k_correct,
)
from regard.metrics.table import blocks_of, groups_of, summarise
from regard.tasks.action.drawn import DRAWN, over_seeds, seed_scores, spread
from regard.tasks.action.gaze_scores import GAZE_SCORES, saved_gaze_error, told
from regard.tasks.action.late_fusion import mean_logits
from regard.tasks.action.losses.base import labels_of
from regard.tasks.base import Scoring
from regard.types import TRAINED, Recording, Segment

__all__ = ["LabelScoring"]

LABELS = ("action", "verb", "noun")

RIGHT, TOP = "_correct", re.compile(r".+_top\d+")
"""How the columns end that say whether a label was answered rightly, or was among the likeliest."""


@dataclass(frozen=True, kw_only=True)
class LabelScoring(Scoring):
    """How answers about labels are scored; all that a published protocol may choose differently.

    The first of `labels` is what the model's chief answer is about. Logits of a clip's windows are averaged. A label
    without answers of its own is read off the first, where every class of that has one. `top` is the k of top-k
    accuracy. `empty` says what a class without items counts in the mean over classes. Of a model that also answers
    where the wearer looks, that is scored where gaze was recorded; `gaze_of_crop` adds the angle and AUC of Kapidis et
    al., which take what is seen for the crop of a squashed picture.
    """

    reads: ClassVar[str] = "logits/"
    errors = ("gaze_error_deg", "gaze_angle_of_crop_deg")

    labels: tuple[str, ...] = LABELS
    top: int = 5
    empty: Empty = "leave_out"
    gaze_of_crop: bool = False

    @override
    @classmethod
    def averaged(cls, items: pd.DataFrame) -> dict[str, str]:
        answered = [c for c in items if c.endswith(RIGHT) or TOP.fullmatch(c)]
        return {c: c.replace(RIGHT, "_accuracy") for c in answered} | {c: c for c in GAZE_SCORES if c in items}

    @override
    def best(self) -> tuple[str, Literal["max", "min"]]:
        return f"{self.labels[0]}_accuracy", "max"

    def rows(
        self,
        logits: Mapping[str, Float[Tensor, "b c"]],
        batch: Batch,
        drawn: Float[Tensor, "b seeds c"] | None = None,
        gaze: Mapping[str, Float[np.ndarray, "b"]] | None = None,
    ) -> pd.DataFrame:
        """One row for each window; `collect` makes one of all windows of a clip. `gaze` are its scores by name."""
        labels = labels_of(batch, logits)
        rows = []
        for i, clip in enumerate(batch.clips):
            stretch = clip.segment or Segment(start_s=float(clip.frame_s[0]), end_s=float(clip.frame_s[-1]), kind="")
            said = {name: logits[name][i].detach().cpu().numpy() for name in logits}
            row = self._row(clip.recording, stretch, {name: int(value[i]) for name, value in labels.items()}, said)
            rows.append(row if drawn is None else row | {_logits(DRAWN): drawn[i].detach().cpu().numpy()})
        return pd.DataFrame(rows).assign(**(gaze or {}))

    def items(self, answers: Answers, recording: Recording, *, progress: Callable[[float], None]) -> pd.DataFrame:
        """One row for each segment with the chief label that is answered; windows whose middle lies in it answer."""
        own = tuple(name for name in self.labels if f"{self.reads}{name}" in answers.names)
        if own and own[0] != self.labels[0]:
            return replace(self, labels=own).items(answers, recording, progress=progress)
        segments = [s for s in recording.segments if self.labels[0] in s.labels]
        middle_s, rows, done = (answers.begun_s + answers.time_s) / 2, [], 0
        for piece in answers.pieces([name for name in answers.names if name.startswith((self.reads, "gaze"))]):
            for i in range(len(piece)):
                said = {n.removeprefix(self.reads): v[i] for n, v in piece.values.items() if n.startswith(self.reads)}
                at_s, looked = middle_s[done + i], {}
                if "gaze" in piece.names:
                    looked = saved_gaze_error(piece["gaze"][i], piece.begun_s[i], piece.time_s[i], recording)
                about = [s for s in segments if s.start_s <= at_s < s.end_s]
                rows += [self._row(recording, s, s.labels, said) | looked for s in about]
            done += len(piece)
            progress(done / max(1, len(answers)))
        if not rows:
            raise NothingToScoreError(
                recording.id,
                found=f"{len(segments)} segments with a label {self.labels[0]!r}, none of them answered about",
                wanted="labelled segments to compare with, and windows within them",
                do="put a labels.csv beside the video, or evaluate a recipe, whose dataset has labels",
            )
        return self.collect(pd.DataFrame(rows))

    def _row(
        self, recording: Recording, stretch: Segment, labels: Mapping[str, int], logits: Mapping[str, np.ndarray]
    ) -> dict[str, object]:
        """What one window says about a stretch."""
        row: dict[str, object] = {"recording": recording.id, "clip_s": stretch.start_s, "time_s": stretch.end_s}
        row |= {"name": stretch.name, "clean": is_clean(recording, stretch)}
        row |= {name: labels[name] for name in self.labels if name in labels}
        return row | {_logits(name): logits[name] for name in self.labels if name in logits}

    def collect(self, rows: pd.DataFrame) -> pd.DataFrame:
        """One row a clip, flat: its labels, what was answered, whether rightly, and each class's mean logit.

        Its gaze scores are the means over the windows that have some.
        """
        arrays = [c for c in rows if isinstance(rows[c].iloc[0], np.ndarray)]
        gaze = [c for c in GAZE_SCORES if c in rows]
        number = rows.groupby(["recording", "clip_s", "time_s"], sort=False).ngroup().to_numpy()
        count = np.bincount(number)
        first = np.unique(number, return_index=True)[1]
        items = rows.drop(columns=[*arrays, *gaze]).iloc[first].reset_index(drop=True).assign(windows=count)
        looked = pd.DataFrame({c: rows[c].groupby(number).mean() for c in gaze}, index=items.index)
        means = {}
        for name in arrays:
            stacked = np.stack(list(rows[name])).astype(np.float64)
            total = np.zeros((len(count), *stacked.shape[1:]))
            np.add.at(total, number, stacked)
            means[name] = total / count.reshape(-1, *[1] * (stacked.ndim - 1))
        answered = [self._answered(name, items, means) for name in self.labels if name in items]
        return pd.concat([items, *answered, looked], axis=1)

    def _answered(self, name: str, items: pd.DataFrame, means: Mapping[str, np.ndarray]) -> pd.DataFrame:
        label = items[name].to_numpy(np.int64)
        if _logits(name) not in means:
            main = self.labels[0]
            part = implied(means[_logits(main)].argmax(axis=1), items[main].to_numpy(np.int64), label)
            known = {} if part is None else {f"{name}_predicted": part, f"{name}_correct": (part == label) * 1.0}
            return pd.DataFrame(known, index=items.index)
        logits = means[_logits(name)]
        predicted = logits.argmax(axis=1)
        columns = {f"{name}_predicted": predicted, f"{name}_correct": (predicted == label) * 1.0}
        if self.top < logits.shape[1]:
            columns[f"{name}_top{self.top}"] = top_k_correct(logits, label, self.top) * 1.0
        if name == self.labels[0] and _logits(DRAWN) in means:
            right = means[_logits(DRAWN)].argmax(axis=2) == label[:, None]
            columns |= {f"{DRAWN}_correct@{seed}": right[:, seed] * 1.0 for seed in range(right.shape[1])}
        columns |= {f"{name}@{k}": logits[:, k].astype(np.float32) for k in range(logits.shape[1])}
        return pd.DataFrame(columns, index=items.index)

    @override
    @classmethod
    def ensemble(
        cls,
        answers: Mapping[str, pd.DataFrame],
        fitted_on: Mapping[str, pd.DataFrame] | None,
        *,
        classifier: type | None = None,
    ) -> pd.DataFrame:
        """By the mean of their logits. Nothing is learned: raises RecipeError where something is to be."""
        if fitted_on is not None or classifier is not None:
            raise RecipeError(
                "--ensemble",
                found="something to fit, for answers about labels, of which the mean is taken",
                wanted="the runs alone",
                do="take out --fitted_on and --classifier",
            )
        items, logits = mean_logits(answers)
        top = next((int(c.rpartition("_top")[2]) for c in items if TOP.fullmatch(c)), cls.top)
        scoring = cls(labels=(*logits, *(name for name in LABELS if name in items and name not in logits)), top=top)
        kept = ("recording", "clip_s", "time_s", "name", "clean", "windows", *scoring.labels)
        about = pd.DataFrame({c: items[c] for c in kept if c in items})
        means = {_logits(name): value for name, value in logits.items()}
        return pd.concat([about, *(scoring._answered(name, about, means) for name in scoring.labels)], axis=1)

    def summarise(self, items: pd.DataFrame) -> pd.DataFrame:
        """One row a score: score, value, low, high, num_items, policy; intervals as everywhere (95 %, recordings).

        "..._accuracy" is overall, "..._mean_class" the mean over classes, "..._top5" what its name says. "clean_..."
        leaves out clips that share frames with a training clip, where there are such. "drawn_..." are means over the
        seeds of drawn gaze, with their range as the interval and the standard deviation in words.
        """
        rows = self._scores(items, "")
        clean = items["clean"].to_numpy(bool)
        if clean.any() and not clean.all():
            rows += self._scores(items.loc[clean].reset_index(drop=True), "clean_")
        seeds = seed_scores(items, self.labels[0])
        rows += [over_seeds(score, values, len(items)) for score, values in seeds.items()]
        return pd.DataFrame(rows, columns=["score", "value", "low", "high", "num_items", "policy"])

    @override
    @classmethod
    def compare(cls, items: pd.DataFrame, first: pd.DataFrame, *, policy: Policy = "oracle") -> list[dict[str, object]]:
        """Also "..._mean_class", the mean over a label's classes."""
        rows = super().compare(items, first, policy=policy)
        for label in (c.removesuffix(RIGHT) for c in cls.averaged(items) if c.endswith(RIGHT) and c in first):
            right, classes = items[f"{label}{RIGHT}"].to_numpy(np.float64), items[label].to_numpy(np.int64)
            rests_on: dict[str, object] = {"num_items": len(items)}
            if items is not first:
                rests_on = paired_mean_class(first, items, label, block_s=blocks_of(first))._asdict()
            rows.append({"score": f"{label}_mean_class", "value": mean_over_classes(right, classes), **rests_on})
        return rows

    def _scores(self, items: pd.DataFrame, prefix: str) -> list[dict[str, object]]:
        block_s, rows = blocks_of(items), []
        for name in self.labels:
            if f"{name}_correct" not in items:
                continue
            columns = {f"{name}_correct": f"{name}_accuracy"}
            columns |= {c: c for c in items if c.startswith(f"{name}_") and TOP.fullmatch(c)}
            named = summarise(items, list(columns), block_s=block_s).replace({"score": columns})
            label, correct = items[name].to_numpy(np.int64), items[f"{name}_correct"].to_numpy(np.float64)
            interval = mean_class_interval(correct, label, groups=groups_of(items, block_s=block_s))
            mean_class = {
                "score": f"{name}_mean_class",
                "value": self._mean_class(items, name),
                **interval._asdict(),
                "num_items": len(items),
                "policy": f"{len(np.unique(label))} classes",
            }
            overall, *rest = named.assign(policy="").to_dict("records")
            rows += [overall, mean_class, *rest]
        gaze = summarise(items, [c for c in GAZE_SCORES if c in items], block_s=block_s).assign(policy="")
        rows += [row for row in gaze.to_dict("records") if row["num_items"]]
        return [row | {"score": f"{prefix}{row['score']}"} for row in rows]

    def _mean_class(self, items: pd.DataFrame, name: str) -> float:
        logits = [c for c in items if c.startswith(f"{name}@")]
        label, predicted = (items[c].to_numpy(np.int64) for c in (name, f"{name}_predicted"))
        if not logits:
            return mean_over_classes(items[f"{name}_correct"].to_numpy(np.float64), label)
        counts = confusion(label, predicted, num_classes=len(logits))
        return mean_class_accuracy(counts, empty=self.empty)

    def details(self, items: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> dict[str, pd.DataFrame]:
        """A table of the classes of each answered label, and how many items of each (row) were taken for which."""
        tables = {}
        for name in self.labels:
            if f"{name}_predicted" not in items:
                continue
            label, predicted = (items[c].to_numpy(np.int64) for c in (name, f"{name}_predicted"))
            told = predicted >= 0
            if not told.any():  # a verb that no clip has shown with the answered action, say
                continue
            logits = sum(c.startswith(f"{name}@") for c in items)
            names = tuple(classes.get(name, ()))
            names += tuple(f"{name} {k}" for k in range(len(names), max(logits, label.max() + 1, predicted.max() + 1)))
            tables[f"{name}_classes"] = class_table(label[told], predicted[told], names=names)
            counts = confusion(label[told], predicted[told], num_classes=len(names))
            tables[f"{name}_confusion"] = pd.DataFrame(counts, columns=list(names)).assign(**{name: names})
        return tables

    def describe(self, items: pd.DataFrame) -> str:
        """The protocol in one line."""
        drawn = "recordings" if blocks_of(items) is None else f"{blocks_of(items):g} s blocks"
        unclean = int((~items["clean"].to_numpy(bool)).sum())
        drawn_gaze = seed_scores(items, self.labels[0])
        seeds = "".join(f"; {score}: {spread(v)}, low to high is their range" for score, v in drawn_gaze.items())
        return (
            f"{len(items)} clips, {items['windows'].sum()} windows, logits averaged over a clip's windows; "
            f"{unclean} clips share frames with training; intervals: 95 %, bootstrap over {drawn}{told(items)}{seeds}"
        )


def is_clean(recording: Recording, stretch: Segment) -> bool:
    """False for a stretch that shares frames with a training clip of its session, as far as the dataset says."""
    trained = [s for s in recording.segments if s.kind == TRAINED]
    stretches = [[stretch.start_s], [stretch.end_s], [s.start_s for s in trained], [s.end_s for s in trained]]
    return not shares_time(*(np.array(s, np.float64) for s in stretches))[0]


def _logits(name: str) -> str:
    return f"{name} logits"
