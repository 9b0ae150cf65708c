"""What the report says of numbers: a sentence that reads them, how the eye moved, scores with unit and direction."""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

NEAR_DEG = 5.0
"""Three fingers wide at arm's length: about what one glance sees well. By it answers are said to be near the gaze."""
NEAR_SHARE = 0.1
"""The same where nobody knows the camera: a tenth of the picture's sides, which on most glasses is a little more."""

UNITS = {
    "f1": "0 to 1",
    "recall": "share, 0 to 1",
    "precision": "share, 0 to 1",
    "nss": "deviations above chance",
    "information_gain_bits": "bits more than a centre prior",
    "auc": "0.5 is chance, 1 is perfect",
    "kl": "nats, 0 is perfect",
    "cc": "-1 to 1",
    "sim": "0 to 1",
    "distance": "shares of the picture's sides",
    "map": "0 to 1",
    "ap_looking": "0 to 1; chance: how many look",
    "ap_not_looking": "0 to 1; chance: how many do not",
}
ARROWS = {"higher": "\u2191", "lower": "\u2193"}
BRACKETS = (
    "\u2191 higher is better, \u2193 lower is better. Brackets are 95 % intervals: what the line below says was drawn "
    "was drawn again 1,000 times, with repetition, and 95 % of the means lay there. Where the brackets of two models "
    "overlap widely, this recording does not tell which is better."
)


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


def in_a_sentence(scored: Mapping[str, Scored]) -> str:
    """How often each model's likeliest place was near the gaze; empty where that was not measured."""
    for column, near, within in (
        ("angle_deg", NEAR_DEG, f"{NEAR_DEG:g} degrees"),
        ("distance", NEAR_SHARE, f"{NEAR_SHARE:.0%} of the picture"),
    ):
        told = {n: s.items[column].dropna().to_numpy(np.float64) for n, s in scored.items() if column in s.items}
        told = {name: values for name, values in told.items() if len(values)}
        if told and len(told) == len(scored):
            (first, values), *others = told.items()
            rest = "".join(f"; that of {name} on {_near(more, near)} of {len(more):,}" for name, more in others)
            return (
                f"The likeliest place by {first} was within {within} of the gaze on "
                f"{_near(values, near)} of {len(values):,} frames{rest}."
            )
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


def scores_html(scored: Mapping[str, Scored]) -> str:
    """A row a score with its unit and the direction of better ones, a column a model with its interval; then how."""
    order = dict.fromkeys(score for s in scored.values() for score in s.summary["score"])
    by_score = {name: s.summary.set_index("score") for name, s in scored.items()}
    head = "".join(f'<th class="number">{escape(name)}</th>' for name in scored)
    lines = []
    for score in order:
        better = next((str(t.loc[score].get("better", "")) for t in by_score.values() if score in t.index), "")
        cells = "".join(_score_cell(table, score) for table in by_score.values())
        unit = f'<br><small class="dim">{escape(unit_of(score))}</small>'
        lines.append(f"<tr><td>{escape(score)}&nbsp;{ARROWS.get(better, '')}{unit}</td>{cells}</tr>")
    table = f'<div class="scroll"><table class="scores"><thead><tr><th>score</th>{head}</tr></thead>'
    how = "".join(f'<p class="dim">{escape(line)}</p>' for line in _protocols(scored))
    return f'{table}<tbody>{"".join(lines)}</tbody></table></div><p class="dim">{escape(BRACKETS)}</p>{how}'


def unit_of(score: str) -> str:
    """In which unit a score is, or between which values; empty where only docs/scores.md says it."""
    if score in UNITS:
        return UNITS[score]
    if score.endswith("_deg"):
        return "degrees"
    return "share, 0 to 1" if "accuracy" in score else ""


def _score_cell(table: "pd.DataFrame", score: str) -> str:
    if score not in table.index or np.isnan(value := float(table.loc[score, "value"])):
        return '<td class="number">-</td>'
    low, high = float(table.loc[score, "low"]), float(table.loc[score, "high"])
    interval = "" if np.isnan(low) else f'<br><small class="dim">[{low:.3f}, {high:.3f}]</small>'
    return f'<td class="number">{value:.3f}{interval}</td>'


def _protocols(scored: Mapping[str, Scored]) -> list[str]:
    """Each once; named where models were measured differently."""
    lines = {name: s.protocol for name, s in scored.items()}
    one = len(set(lines.values())) == 1
    return [next(iter(lines.values()))] if one else [f"{name}: {line}" for name, line in lines.items()]


def _near(values: np.ndarray, near: float) -> str:
    return _share(float((values <= near).mean()))


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.095 or share == 0 else f"{100 * share:.1f} %"
