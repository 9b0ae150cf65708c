"""What the report says in sentences: how often answers were right, whether that is much, how the eye moved."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from regard.area import ELSEWHERE
from regard.metrics.by_condition import FEW, hint_of_few

if TYPE_CHECKING:
    import pandas as pd

NEAR_DEG = 5.0
"""Three fingers wide at arm's length: about what one glance sees well. By it answers are said to be near the gaze."""
NEAR_SHARE = 0.1
"""The same where nobody knows the camera: a tenth of the picture's sides, which on most glasses is a little more."""
MOST_AREAS = 4
"""That are named in a sentence."""
SAME_BITS = 0.005
"""Less than this beside a centre prior is said of none: the prior itself differs by it, in single precision."""


@runtime_checkable
class Scored(Protocol):
    """What `regard.evaluate` returns: a row an item, a row a score, and how it was measured, in a line."""

    @property
    def items(self) -> "pd.DataFrame":
        """A row an item."""
        ...

    @property
    def summary(self) -> "pd.DataFrame":
        """A row a score."""
        ...

    @property
    def protocol(self) -> str:
        """How it was measured."""
        ...

    @property
    def details(self) -> "Mapping[str, pd.DataFrame]":
        """Longer tables by name."""
        ...


class Right(NamedTuple):
    """Which column of items says whether an answer was right, and the words for it."""

    column: str
    what: str
    was: str
    items: str
    most: float | None = None
    """The value up to which an answer is right; without it, those of 1 are."""
    truth: str = ""
    """The column with the true class."""

    def share(self, items: "pd.DataFrame") -> tuple[float, int] | None:
        """Of the items of which it is known, how many were right, and how many there are; None of none."""
        values = items[self.column].dropna().to_numpy(np.float64) if self.column in items else np.zeros(0)
        right = values == 1 if self.most is None else values <= self.most
        return (float(right.mean()), len(values)) if len(values) else None

    def commonest(self, items: "pd.DataFrame") -> float:
        """The share of the commonest true class, among those items."""
        known = items.loc[items[self.column].notna(), self.truth]
        return float(known.value_counts(normalize=True).iloc[0])


PLACE = "The likeliest place"
RIGHT = (
    Right("angle_deg", PLACE, f"was within {NEAR_DEG:g} degrees of the gaze", "frames", NEAR_DEG),
    Right("distance", PLACE, f"was within {NEAR_SHARE:.0%} of the picture of the gaze", "frames", NEAR_SHARE),
    Right("right", "The answer to who looks", "was right", "faces and moments", truth="looking"),
)


def result_in_words(scored: Mapping[str, Scored]) -> str:
    """How often each model's answer was right or near the gaze, and whether that is much; "" where nobody can say."""
    return " ".join(filter(None, (in_a_sentence(scored), *(_beyond(name, one) for name, one in scored.items()))))


def hint_in_words(scored: Mapping[str, Scored]) -> str:
    """That intervals of few recordings are hints; empty where there are enough."""
    counts = [len(set(one.items["recording"])) for one in scored.values() if "recording" in one.items]
    return hint_of_few(max(counts, default=FEW))


def in_a_sentence(scored: Mapping[str, Scored]) -> str:
    """How often each model's answer was right, or its likeliest place near the gaze; empty if that was not measured."""
    for kind in _kinds(scored):
        told = {name: share for name, one in scored.items() if (share := kind.share(one.items)) is not None}
        if told and len(told) == len(scored):
            (first, (share, count)), *others = told.items()
            rest = "".join(f"; that of {name} on {_share(more)} of {of:,}" for name, (more, of) in others)
            said = f"{kind.what} by {first} {kind.was} on {_share(share)} of {count:,} {kind.items}{rest}."
            if kind.truth:
                always = kind.commonest(scored[first].items)
                said += f" Who always says what is commonest is right on {_share(always)}."
            return said
    return ""


def _kinds(scored: Mapping[str, Scored]) -> Iterator[Right]:
    yield from RIGHT
    columns = dict.fromkeys(str(column) for one in scored.values() for column in one.items)
    for label in (column.removesuffix("_correct") for column in columns if column.endswith("_correct")):
        yield Right(f"{label}_correct", f"The likeliest {label}", "was right", "clips", truth=label)


def _beyond(name: str, scores: Scored) -> str:
    """How much more a density says than a centre prior, and how near a path comes to a person's."""
    rows = scores.summary.drop_duplicates("score").set_index("score")
    if "information_gain_bits" in rows.index:
        gain, low, high = (float(rows.loc["information_gain_bits", c]) for c in ("value", "low", "high"))
        if np.isnan(gain) or abs(gain) < SAME_BITS:
            return ""
        more = "more" if gain > 0 else "less"
        interval = "" if np.isnan(low) else f" [{low:.2f}, {high:.2f}]"
        chance = ", which may be chance" if low <= 0 <= high else ""
        return f"{name} tells {abs(gain):.2f} bits a frame {more} than a centre prior{interval}{chance}."
    if {"path_nss", "person_nss"} <= set(rows.index):
        path, person = (float(rows.loc[score, "value"]) for score in ("path_nss", "person_nss"))
        return f"Among the others' gaze the path of {name} has an NSS of {path:.2f}, a person's {person:.2f}."
    return ""


def movements_in_words(summary: "pd.DataFrame", *, lost: float) -> str:
    """How the eye moved: fixations, saccades and lost time, from a table that `regard.eye_movements` made."""
    rows = summary.set_index("movement")
    parts = []
    if "fixation" in rows.index:
        row = rows.loc["fixation"]
        parts.append(
            f"{row['count']:,.0f} fixations, {row['per_minute']:.0f} a minute of measured gaze, half of them longer "
            f"than {row['duration_s']:.2f} s"
        )
    if "saccade" in rows.index:
        row = rows.loc["saccade"]
        far = row["amplitude_deg"]
        wide = "" if np.isnan(far) else f", half of them wider than {far:.1f} degrees"
        parts.append(f"{row['count']:,.0f} saccades{wide}")
    if not np.isnan(lost):
        parts.append(f"no valid gaze in {_share(lost)} of the time")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def areas_in_words(table: "pd.DataFrame") -> str:
    """In which areas gaze was how much, and in which it never was, from the table that `regard.areas` made."""
    shares = {}
    for name, rows in table.groupby("area", sort=False):
        dwell_s, measured_s = rows[["dwell_s", "measured_s"]].to_numpy(np.float64).sum(axis=0)
        shares[str(name)] = dwell_s / measured_s if measured_s > 0 else np.nan
    if np.isnan(list(shares.values())).all():
        return "No gaze was measured."
    ranked = sorted((name for name, share in shares.items() if share > 0), key=lambda name: -shares[name])
    told = [f"{name if name == ELSEWHERE else f'in {name}'} for {_share(shares[name])}" for name in ranked[:MOST_AREAS]]
    told[0] += " of the measured time"
    told += [f"less in {len(ranked) - MOST_AREAS} more"] if len(ranked) > MOST_AREAS else []
    never = [name for name, share in shares.items() if share == 0 and name != ELSEWHERE]
    others = f" and {len(never) - MOST_AREAS} more" if len(never) > MOST_AREAS else ""
    unseen = f" It never was in {', '.join(never[:MOST_AREAS])}{others}." if never else ""
    return f"Gaze was {'; '.join(told)}.{unseen}"


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.095 or share == 0 else f"{100 * share:.1f} %"
