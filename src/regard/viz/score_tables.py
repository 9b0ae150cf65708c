"""Scores as tables of a page: unit, direction, interval, number of items, how they were measured, and longer tables."""

from collections.abc import Hashable, Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from regard.viz.in_words import Scored, hint_in_words, result_in_words
from regard.viz.page import folded, html_table, section

if TYPE_CHECKING:
    import pandas as pd

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
    "overlap widely, these items do not tell which is better. Items: of how many the number is."
)
FEW_ROWS = 5
"""Measures that are shown of each condition; the others are folded."""
MEDIANS = "Medians over participants, their 95 % intervals in brackets; n: how many participants."
LONG = 20
"""Rows from which on a table is folded."""
SUMMARY = ("score", "value", "low", "high", "num_items", "policy", "better")
"""Columns of every table of scores."""


def lead_html(scored: Mapping[str, Scored]) -> str:
    """The result in a sentence or two, and whether it is more than a hint."""
    said, hint = result_in_words(scored), hint_in_words(scored)
    return (f'<p class="lead">{escape(said)}</p>\n' if said else "") + (
        f'<p class="dim">{escape(hint[:1].upper() + hint[1:])}.</p>\n' if hint else ""
    )


def scores_html(scored: Mapping[str, Scored]) -> str:
    """A row a score with its unit and the direction of better ones, a column a model with its interval; then how."""
    order = dict.fromkeys(score for s in scored.values() for score in s.summary["score"])
    by_score = {name: s.summary.drop_duplicates("score").set_index("score") for name, s in scored.items()}
    has_published = any("published" in table for table in by_score.values())
    names = [*map(_breaking, scored), *["published"] * has_published, "items"]
    head = "".join(f'<th class="number">{name}</th>' for name in names)
    lines = []
    for score in order:
        rows = [table.loc[score] for table in by_score.values() if score in table.index]
        better = next((str(row.get("better", "")) for row in rows), "")
        cells = "".join(_score_cell(table, score) for table in by_score.values())
        if has_published:
            cells += _number_cell(float(rows[0].get("published", np.nan)))
        counts = dict.fromkeys(f"{row['num_items']:,.0f}" for row in rows)
        unit = f'<br><small class="dim">{escape(unit_of(score))}</small>'
        name = f"<td>{_breaking(score)}&nbsp;{ARROWS.get(better, '')}{unit}</td>"
        lines.append(f'<tr>{name}{cells}<td class="number">{"; ".join(counts)}</td></tr>')
    table = f'<div class="scroll"><table class="scores"><thead><tr><th>score</th>{head}</tr></thead>'
    how = "".join(f'<p class="dim">{escape(line)}</p>' for line in (BRACKETS, *_sources(scored), *_protocols(scored)))
    return f"{table}<tbody>{''.join(lines)}</tbody></table></div>{how}"


def details_html(scored: Mapping[str, Scored]) -> str:
    """A section for each longer table but those of confusions, which are pictures."""
    return "".join(
        section(f"{name.replace('_', ' ')}{f': {model}' if len(scored) > 1 else ''}".capitalize(), _folded(frame))
        for model, one in scored.items()
        for name, frame in one.details.items()
        if not name.endswith("_confusion")
    )


def by_recording_html(scores: Scored, averaged: Mapping[str, str]) -> str:
    """A section with each recording's means, those that are worst by the first score first; nothing of a single one.

    `averaged` are columns of the items, each with its score's name.
    """
    import pandas as pd

    items = scores.items
    if not averaged or "recording" not in items or len(set(items["recording"])) < 2:
        return ""
    rows = []
    for name, part in items.groupby("recording", sort=False):
        values = {score: part[column].dropna().to_numpy(np.float64) for column, score in averaged.items()}
        means = {score: value.mean() if len(value) else np.nan for score, value in values.items()}
        rows.append({"recording": name, **means, "items": max(map(len, values.values()))})
    first = next(iter(averaged.values()))
    better = dict(zip(scores.summary["score"], scores.summary["better"], strict=True)).get(first)
    table = pd.DataFrame(rows).sort_values(first, ascending=better != "lower", kind="stable")
    return section(f"By recording, the worst {first} first", _folded(table))


def conditions_html(conditions: "pd.DataFrame", *, first: int = FEW_ROWS) -> str:
    """What is usual under each condition: a row a measure, a column a condition; all but the first few are folded.

    `conditions` is a table as `by_condition` makes it.
    """
    measures = list(conditions["measure"].unique())
    under = conditions.groupby(conditions.columns[0], sort=False)
    usual = {name: int(part["participants"].to_numpy().max()) for name, part in under}
    shown, rest = (
        _conditions(conditions.loc[conditions["measure"].isin(some)], usual)
        for some in (measures[:first], measures[first:])
    )
    more = folded(f"{len(measures) - first} more measures", rest) if len(measures) > first else ""
    return f'{shown}{more}<p class="dim">{MEDIANS}</p>'


def _conditions(rows: "pd.DataFrame", usual: Mapping[Hashable, int]) -> str:
    heads = "".join(
        f'<th class="number">{_breaking(str(name))}<br><small>n {number}</small></th>' for name, number in usual.items()
    )
    lines = []
    for measure, part in rows.groupby("measure", sort=False):
        cells = part.set_index(part.columns[0])
        said = "".join(_condition_cell(cells, name, number) for name, number in usual.items())
        lines.append(f"<tr><td>{_breaking(str(measure))}</td>{said}</tr>")
    return (
        f'<div class="scroll"><table class="scores"><thead><tr><th>measure</th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _condition_cell(cells: "pd.DataFrame", name: Hashable, usual: int) -> str:
    """A median with its interval below it; how many participants where it is fewer than usual."""
    if name not in cells.index:
        return '<td class="number">-</td>'
    median, low, high, number = cells.loc[name, ["median", "low", "high", "participants"]]
    below = [] if np.isnan(low) else [f"[{_digits(low, 3)}, {_digits(high, 3)}]"]
    below += [] if number == usual else [f"n {number:.0f}"]
    small = f'<br><small class="dim">{" ".join(below)}</small>' if below else ""
    return f'<td class="number">{_digits(median, 4)}{small}</td>'


def _digits(value: float, number: int) -> str:
    """So many significant digits, and all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 10 ** (number - 1) else f"{value:.{number}g}"


def wide(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table of scores for each value of something, with a column a score; any other as it is."""
    if "score" not in frame:
        return frame
    key = next(column for column in frame if column not in SUMMARY)
    return frame.pivot(index=key, columns="score", values="value")[list(frame["score"].unique())].reset_index()


def _folded(frame: "pd.DataFrame") -> str:
    table = html_table(wide(frame).rename_axis(None, axis=1))
    return table if len(frame) <= LONG else folded(f"{len(frame)} rows", table)


def unit_of(score: str) -> str:
    """In which unit a score is, or between which values; empty where only docs/scores.md says it."""
    if score in UNITS:
        return UNITS[score]
    if score.endswith("_deg"):
        return "degrees"
    return "share, 0 to 1" if "accuracy" in score else ""


def _score_cell(table: "pd.DataFrame", score: str) -> str:
    if score not in table.index:
        return _number_cell(np.nan)
    low, high = float(table.loc[score, "low"]), float(table.loc[score, "high"])
    interval = "" if np.isnan(low) else f'<br><small class="dim">[{low:.3f}, {high:.3f}]</small>'
    return _number_cell(float(table.loc[score, "value"]), interval)


def _breaking(name: str) -> str:
    """Escaped, with line breaks where a long name may be broken."""
    return escape(name).replace("_", "_<wbr>")


def _number_cell(value: float, interval: str = "") -> str:
    return f'<td class="number">{"-" if np.isnan(value) else f"{value:.3f}{interval}"}</td>'


def _sources(scored: Mapping[str, Scored]) -> list[str]:
    """Where published values stand."""
    tables = [one.summary["source"].dropna() for one in scored.values() if "source" in one.summary]
    return [f"published: {source}" for source in dict.fromkeys(s for table in tables for s in table)]


def _protocols(scored: Mapping[str, Scored]) -> list[str]:
    """Each once; named where models were measured differently."""
    lines = {name: s.protocol for name, s in scored.items()}
    one = len(set(lines.values())) == 1
    return [next(iter(lines.values()))] if one else [f"{name}: {line}" for name, line in lines.items()]
