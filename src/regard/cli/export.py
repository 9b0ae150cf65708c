"""`regard export MODEL --to onnx | openvino`: a model as files for another runtime, compared with torch.

`regard export RECORDING --to bids | csv | ...` is in `regard.cli.exchange`: what `--to` names decides.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from regard.cli import exchange
from regard.cli.console import heading, out, plain, suggest, table, wrote
from regard.cli.options import OUT, RECORDING, add_trust, command, file_stem, trust_words
from regard.io import hub

if TYPE_CHECKING:
    from regard.engine.export.folder import Exported

TAKES_OVERRIDES = True
"""Of the recipe: `--task.model.size [64,64]`."""

RUNTIMES = ("onnx", "openvino")
OF_MODELS = {"int8": False, "calibrate": None, "num_clips": 8, "threads": 1, "weights": None}
"""Options that only runtimes know, but for the weights, which the hub takes too; and what each is if not given."""


def add_arguments(parser: ArgumentParser) -> None:
    """Which model, to which runtimes, and by which clips it is judged."""
    parser.add_argument(
        "what",
        nargs="+",
        metavar="MODEL|RECORDING",
        help="a model: a name that `regard recipes` lists, a recipe's file, or a folder that `regard train` wrote; "
        f"or {RECORDING}, several, a folder of them, or a csv list",
    )
    parser.add_argument(
        "--to",
        action="append",
        required=True,
        metavar=f"{{{','.join((*RUNTIMES, *exchange.FORMATS))},hf://OWNER/NAME}}",
        type=_target,
        help="of a model: the runtime, repeat for both in one folder; or where on the Hugging Face hub a trained run "
        "is put. Of recordings: the format",
    )
    parser.add_argument("--int8", action="store_true", help="besides float32 also with 8-bit products (needs nncf)")
    parser.add_argument(
        "--calibrate",
        metavar="DATA",
        help="a recording, or a split of the recipe's dataset: half of the clips give the ranges of 8-bit products, "
        "the others are scored (default: the recipe's own val split where it lies here, else a made recording)",
    )
    parser.add_argument(
        "--num_clips", type=int, default=OF_MODELS["num_clips"], help="how many clips are answered about (default: 8)"
    )
    parser.add_argument("--weights", help="a checkpoint, or a name that `regard weights` lists, as in predict")
    parser.add_argument(
        "--threads", type=int, default=OF_MODELS["threads"], help="with which the forms are timed (default: 1)"
    )
    parser.add_argument(
        "--out", type=Path, help="the folder (default: regard-out/<model>-exported, <recording>-<format>)"
    )
    add_trust(parser)
    exchange.add_arguments(parser)


def run(options: Namespace, overrides: Sequence[str]) -> int:
    """Of a model or of recordings, by what it is to be."""
    from regard.errors import RecipeError

    exchange.require_own(options)
    formats = [to for to in dict.fromkeys(options.to) if to not in RUNTIMES]
    if not formats and len(options.what) == 1:
        return _model(options, overrides)
    if len(set(options.to)) > 1 or not formats:
        raise RecipeError(
            f"--to {' '.join(options.to)}",
            found="several at once" if formats else f"{len(options.what)} models",
            wanted="one model for one or more runtimes, or recordings in one format",
            do="export one after the other",
        )
    if overrides:
        raise RecipeError(
            " ".join(overrides),
            found="unknown words",
            wanted=f"options: for --to {formats[0]} no key of a recipe is changed",
            do="regard export --help",
        )
    known = ("weights",) if hub.is_address(formats[0]) else ()
    if wrong := [f"--{n}" for n, usual in OF_MODELS.items() if getattr(options, n) != usual and n not in known]:
        raise RecipeError(
            ", ".join(wrong),
            found=f"given with --to {formats[0]}, which does not know it",
            wanted=f"only with --to {' or '.join(RUNTIMES)}",
            do="take it out",
        )
    if hub.is_address(formats[0]):
        return _publish(options, formats[0])
    return exchange.run(options)


def _target(word: str) -> str:
    if word in (*RUNTIMES, *exchange.FORMATS) or hub.is_address(word):
        return word
    raise ArgumentTypeError(f"found {word}, wanted one of {', '.join((*RUNTIMES, *exchange.FORMATS))}, hf://owner/name")


def _publish(options: Namespace, address: str) -> int:
    from regard.engine.export.published import publish
    from regard.errors import RecipeError

    if len(options.what) > 1:
        raise RecipeError(address, found=f"{len(options.what)} runs", wanted="one", do="put one after the other")
    where = publish(options.what[0], address, weights=options.weights, trust=tuple(options.trust))
    heading("put on the hub")
    out.print(f"  {plain(where)}", soft_wrap=True)
    suggest(command("predict", "RECORDING", "--model", address, *trust_words(options)))
    return 0


def _model(options: Namespace, overrides: Sequence[str]) -> int:
    """Write the folder, and print how far the answers are from torch's and how long they take."""
    import torch

    from regard.engine.export.export import export
    from regard.errors import RecipeError
    from regard.io.recording import is_recording

    if is_recording(Path(options.what[0])):
        raise RecipeError(
            options.what[0],
            found="a recording",
            wanted=f"a model, of which --to {options.to[0]} makes a runtime's file",
            do=f"name a model; recordings go --to {', '.join(exchange.FORMATS)}",
        )
    if options.num_clips < 1 or options.threads < 1:
        raise RecipeError(
            "--num_clips, --threads",
            found=f"{options.num_clips}, {options.threads}",
            wanted="1 or more",
            do="correct them",
        )
    torch.set_num_threads(options.threads)
    done = export(
        options.what[0],
        to=list(dict.fromkeys(options.to)),
        out=options.out or OUT / f"{file_stem(options.what[0])}-exported",
        int8=options.int8,
        calibrate=options.calibrate,
        num_clips=options.num_clips,
        weights=options.weights,
        overrides=overrides,
        trust=options.trust,
        tell=lambda line: out.print(f"[dim]{plain(line)}[/]", soft_wrap=True),
    )
    for title, frame in tables(done).items():
        heading(title)
        table(frame)
    out.print(f"[dim]{plain(str(done.about['judged_on']))}; {plain(str(done.about['machine']))}[/]", soft_wrap=True)
    files = [done.folder / name for name in ("export.json", *(form.file for form in done.forms))]
    wrote(files, then=command("predict", "RECORDING", "--model", done.folder, *trust_words(options)))
    return 0


def tables(done: "Exported") -> dict[str, pd.DataFrame]:
    """How fast each form is, how far its answers are from torch's, and how it scores."""
    torch_ms: dict = done.about["torch"]  # pyright: ignore[reportAssignmentType]
    scores: dict = done.about["torch_scores"]  # pyright: ignore[reportAssignmentType]
    speed = [{"form": "torch", "wall_ms": torch_ms["wall_ms"], "cpu_ms": torch_ms["cpu_ms"], "speed": 1.0, "auto": ""}]
    parity, scored = [], {"torch": scores}
    for form in done.forms:
        name = f"{form.runtime} {form.precision}"
        told = {"wall_ms": form.wall_ms, "cpu_ms": form.cpu_ms, "speed": form.speedup}
        speed.append({"form": name, **told, "auto": "may take it" if form.passed else "leaves it"})
        parity += [{"form": name, "answer": what, **_parity(numbers)} for what, numbers in form.parity.items()]
        scored[name] = form.scores
    found = {
        f"{done.model}.{done.method}, a call": pd.DataFrame(speed),
        "difference from torch (error: over the variation between moments)": pd.DataFrame(parity).fillna(""),
    }
    return found | ({"scores": pd.DataFrame(scored).rename_axis("score").reset_index()} if scores else {})


def _parity(numbers: Mapping[str, float | None]) -> dict[str, str]:
    """Of one array, in words; which class is likeliest only where it is of classes."""
    apart = {k: "-" if v is None else f"{v:.1e}" for k, v in numbers.items() if k != "same_top"}
    same = numbers.get("same_top")
    return apart | ({} if same is None else {"same top class": f"{same:.1%}"})
