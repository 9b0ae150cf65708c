"""`regard live SOURCE --model NAME`: models asked about a recording, a camera or a stream as it happens."""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from regard.cli.options import (
    DEFAULT_MODEL,
    add_runtime,
    add_serving,
    add_trust,
    command,
    file_stem,
    look_at,
    serving_of,
)
from regard.errors import FileError

if TYPE_CHECKING:
    from regard.engine.live.asking import Asking
    from regard.io.live.grabbed import LiveSource
    from regard.page.live import LivePage
    from regard.page.serving import Serving


def add_arguments(parser: ArgumentParser) -> None:
    """What is watched, who is asked, and where it is saved."""
    parser.add_argument(
        "source",
        help="a recording's folder or file, a camera's number, an address (rtsp, http, udp, tcp, ...), "
        "Neon's glasses (neon://HOST; neon:// finds them), or -: raw rgb24",
    )
    parser.add_argument(
        "--model",
        action="append",
        help="a name that `regard recipes` lists, a recipe's file, or a folder that `regard train` or `regard export` "
        "wrote; repeat for several at once (default: saliency)",
    )
    parser.add_argument("--weights", action="append", default=[], help="of each --model, in their order, as in predict")
    parser.add_argument("--horizon_s", type=float, help="how far ahead models that anticipate are asked")
    parser.add_argument(
        "--every_s", type=_not_negative, help="from one question to the next (default: as the recipe says; 0: all)"
    )
    parser.add_argument("--fast", action="store_true", help="a recording as quickly as it is answered, nothing dropped")
    parser.add_argument("--size", type=_size, metavar="WxH", help="of raw pictures")
    parser.add_argument("--rate_hz", type=_not_negative, help="of raw pictures")
    parser.add_argument("--save", type=Path, metavar="DIR", help="keep a film, and every answer as parquet")
    parser.add_argument("--serve", action="store_true", help="show it on a page in a browser (extra 'serve')")
    add_serving(parser)
    parser.add_argument("--min_confidence", type=float, default=0.6, help="of gaze, as in predict")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    parser.add_argument("--precision", default="auto", choices=["auto", "32-true", "bf16-mixed", "16-mixed"])
    parser.add_argument("--threads", type=_threads, default=1, help="for each model's products (default: 1)")
    add_runtime(parser)
    add_trust(parser)


def run(options: Namespace) -> int:
    """Watch until it ends or Ctrl-C, tell every few seconds how it goes, and then in all."""
    if not options.serve and (options.host, options.port) != (None, None):
        raise FileError(
            options.source,
            found="--host or --port without a page",
            wanted="these with --serve only",
            do="add --serve, or take them out",
        )
    with serving_of(options) if options.serve else nullcontext() as serving:
        return _watch(options, serving)


def _watch(options: Namespace, serving: "Serving | None") -> int:
    import torch

    from regard.cli.console import out, plain, table, wrote
    from regard.engine.live.loop import Live
    from regard.engine.live.saving import Saved
    from regard.io.live.opening import open_live

    torch.set_num_threads(options.threads)
    source = open_live(
        options.source,
        fast=options.fast,
        size=options.size,
        rate_hz=options.rate_hz,
        min_confidence=options.min_confidence,
    )
    page = None if serving is None else _page(source, serving)

    def tell(sentence: str) -> None:
        print(f"note: {plain(sentence)}", file=sys.stderr, flush=True)
        if page is not None:
            page.tell(sentence)

    for note in source.recording.notes:
        tell(note)
    named = options.model or [DEFAULT_MODEL]
    models = _asking(named, options, source, tell)
    stems = _told_apart([file_stem(model) for model in named])
    saved = options.save and Saved(options.save, source, list(zip((m.name for m in models), stems, strict=True)))
    listeners = [*(saved.listeners if saved else ()), *([] if page is None else [page])]
    live = Live(
        source,
        models,
        listeners,
        tell=tell,
        every=lambda tally: print(tally.line(), *([] if page is None else [page.line()]), sep="   ", flush=True),
        threads=options.threads,
    )
    if page is not None:
        page.follow(live.total)
    counted = live.run()
    print(f"\n{plain(source.name)}, in all: {counted.line().strip()}")
    table(counted.table(), digits=1)
    for who, number in counted.unseen.items():
        if who and number:
            out.print(f"the {who} lacks {number} pictures, for it was too slow")
    if saved:
        wrote(saved.finish(counted), look=look_at(options.save), then=command("evaluate", options.save))
    return 0


def _page(source: "LiveSource", serving: "Serving") -> "LivePage":
    """Served from now on, so that a browser may be opened while models are loaded."""
    from regard.cli.console import out, plain
    from regard.page.live import LivePage

    page = LivePage(source)
    serving.start(page.routes)
    out.print(f"[dim]open:[/] {plain(serving.url)}", soft_wrap=True)
    return page


def _asking(
    named: Sequence[str], options: Namespace, source: "LiveSource", tell: Callable[[str], None]
) -> "list[Asking]":
    """How each model is asked, under a name of its own."""
    from regard.engine.ask import ask
    from regard.engine.live.fitting import asking_of
    from regard.engine.predict import runtime_on, usable

    usable(options.device)
    runtime = runtime_on(options.device, options.runtime)
    asked = [
        ask(model, horizon_s=options.horizon_s, weights=weights, trust=options.trust, runtime=runtime)
        for model, weights in zip_longest(named, options.weights[: len(named)])
    ]
    models = []
    for one, name in zip(asked, _told_apart([a.name for a in asked]), strict=True):
        asking, told = asking_of(
            replace(one, name=name),
            source,
            every_s=options.every_s,
            device=options.device,
            precision=options.precision,
        )
        models.append(asking)
        for sentence in told:
            tell(sentence)
    return models


def _told_apart(names: Sequence[str]) -> list[str]:
    """The names, those that came before with a number."""
    return [f"{n}-{names[:i].count(n) + 1}" if n in names[:i] else n for i, n in enumerate(names)]


def _size(text: str) -> tuple[int, int]:
    """(height, width)."""
    sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if sides is None:
        raise ArgumentTypeError(f"found {text!r}, wanted WIDTHxHEIGHT in pixels, such as 640x480")
    return int(sides[2]), int(sides[1])


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ArgumentTypeError(f"found {text}, wanted 0 or more")
    return number


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"found {text}, wanted a number of threads")
    return int(text)
