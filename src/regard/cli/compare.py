"""`regard compare RUN RUN ...`: scores beside each other, with the difference to the first; or mean and spread."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from regard.cli.console import heading, out, table
from regard.cli.options import DEFAULT_MODEL, add_trust, command, file_stem
from regard.engine.compare import compare, mean_of, names, read_items
from regard.metrics.by_condition import hint_of_few
from regard.types import Recording

BASELINE = "centre-prior"
"""What a model of gaze has to beat."""


def add_arguments(parser: ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument(
        "runs", nargs="+", type=Path, help="evaluated run folders, or items tables; the first is the reference"
    )
    add_trust(parser)
    parser.add_argument(
        "--ensemble",
        type=Path,
        metavar="FOLDER",
        help="also join the runs' answers in this folder, and compare them too: about faces by gradient-boosted trees, "
        "about labels by the mean of their logits (late fusion)",
    )
    parser.add_argument(
        "--fitted_on",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="for --ensemble: the same runs, evaluated on recordings that none of them was trained on (default: trees "
        "are fitted on the compared recordings, and asked about those that they were not fitted on)",
    )
    parser.add_argument(
        "--classifier", help="for --ensemble: import path of another class, such as xgboost.XGBClassifier (--trust)"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--mean", action="store_true", help="instead, the mean and spread of each score over the runs: seeds, or splits"
    )
    how.add_argument(
        "--threshold", type=float, help="of F1, chosen elsewhere (default: each run's best on the compared moments)"
    )


def run(options: Namespace) -> int:
    """Print one table."""
    if options.mean:
        heading(f"mean of {', '.join(names(options.runs))}")
        table(mean_of(options.runs))
        out.print("[dim]spread: standard deviation between the runs, not an interval over recordings[/]")
        return 0
    if options.ensemble is not None:
        from regard.engine.ensemble import ensemble

        options.runs.append(
            ensemble(
                options.runs,
                options.ensemble,
                fitted_on=options.fitted_on,
                classifier=options.classifier,
                trust=options.trust,
            )
        )
    policy = "oracle" if options.threshold is None else options.threshold
    scores = compare(options.runs, policy=policy, trust=options.trust)
    heading(f"difference to {names(options.runs)[0]}, on the items that both answered")
    table(scores)
    threshold = "chosen on the scored data (oracle)" if policy == "oracle" else f"{policy:g}, given"
    how = "intervals: 95 %, bootstrap over recordings (1 s blocks of a single one)"
    if "f1" in set(scores["score"]):
        how = f"F1 threshold {threshold}; {how}"
    out.print(f"[dim]{how}[/]", soft_wrap=True)
    if len(options.runs) > 1:
        out.print(f"[dim]{_reading(options.runs[0])}[/]", soft_wrap=True)
    return 0


def _reading(run: Path) -> str:
    """How an interval may be read, which depends on how many recordings were drawn from."""
    hint = hint_of_few(len(set(read_items(run)["recording"])))
    return hint or "an interval that leaves out 0 is a difference that chance does not explain"


def on_to(options: Namespace, recording: Recording, items: pd.DataFrame, folder: Path) -> str:
    """The command after a recording's scores: the baseline's, or a comparison with them, where they answer the same."""
    other = DEFAULT_MODEL if options.model == BASELINE else BASELINE
    files = [folder / f"{file_stem(model)}_items.parquet" for model in (options.model, other)]
    if recording.video is None or "nss" not in items or items["ahead_s"].to_numpy().any():
        return command("recipes")
    if not files[1].is_file():
        into = [] if options.out is None else ["--out", options.out]
        return command("evaluate", options.path, "--model", other, *into)
    if set(items["time_s"]).isdisjoint(read_items(files[1])["time_s"]):
        return command("recipes")
    return command("compare", *(files if options.model == BASELINE else files[::-1]))
