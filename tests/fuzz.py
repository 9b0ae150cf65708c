"""Damages inputs of every kind, puts them to regard as a user would, and counts what comes of it.

    python tests/fuzz.py --inputs 1000 --seed 0 [--only mkv --only csv] [--keep FOLDER]

Input number n is damaged by a generator seeded with n, so that `--inputs 1 --seed n` does one again. Wanted: no
traceback, no loss that nobody is told of, no crash, nothing that takes longer than a minute or more than ROOM_BYTES.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import numpy as np
import torch

import fuzz_inputs
import regard
from fuzz_damage import DAMAGES
from regard.engine.compare import compare
from regard.errors import RegardError
from regard.io import open_video
from regard.io.predictions import open_prediction
from regard.recipe.read import read_recipe, resolved_text
from regard.run.weights import read_weights, with_weights

HANGS_S = 60
ROOM_BYTES = 12 * 2**30
"""Of addresses, of which torch alone takes several GB."""

BAD = ("traceback", "silent loss", "hang", "crash")
TEXT = {".csv", ".json", ".yaml"}


@dataclass(frozen=True)
class Seen:
    """What regard makes of an input: how much there is, what it says about it, and a sum of all values."""

    frames: int = 0
    gaze: int = 0
    rows: int = 0
    told: frozenset[str] = frozenset()
    values: str = ""


def looked_at(folder: Path, name: str) -> Seen:
    """A recording: opened, checked, answered about and scored."""
    whole = folder if name == "." else folder / name
    recording = regard.open(whole)
    told = {*recording.notes}
    video = open_video(recording.require_video())
    times_s = video.times_s
    video.close()
    told |= {f.text for f in regard.check(recording).findings if f.level in ("warning", "unusable")}
    try:
        prediction = regard.predict(recording, model="saliency")
        if recording.gaze is not None:
            regard.evaluate(recording, prediction)
        if len(prediction) != len(times_s):
            told.add("not every frame was answered about")
    except RegardError as refused:
        told.add(f"{refused.where}: {refused.found}")
    gaze = recording.gaze
    return Seen(
        frames=len(times_s),
        gaze=0 if gaze is None else len(gaze),
        rows=len(recording.segments),
        told=frozenset(told),
        values=_sum(times_s, *(() if gaze is None else (gaze.time_s, gaze.point))),
    )


def read(folder: Path, name: str) -> Seen:
    """A recipe, resolved."""
    read_recipe(folder / name)
    return Seen(values=resolved_text(folder / name))


def scored(folder: Path, name: str) -> Seen:
    """A saved prediction, scored."""
    prediction = open_prediction(folder / name)
    scores = regard.evaluate(regard.open(folder / "walk.mp4"), prediction)
    return Seen(rows=len(prediction), values=_sum(scores.items["nss"].to_numpy()))


def compared(folder: Path, name: str) -> Seen:
    """Two tables of items, beside each other."""
    return Seen(values=compare([folder / "other.parquet", folder / name]).to_csv())


def loaded(folder: Path, name: str) -> Seen:
    """Weights, in their model."""
    read_weights(folder / name)
    model = with_weights(fuzz_inputs.network(), folder / name)
    return Seen(values=_sum(*(p.detach().numpy() for p in model.parameters())))


ASKS: Mapping[str, Callable[[Path, str], Seen]] = {
    "recording": looked_at,
    "recipe": read,
    "prediction": scored,
    "items": compared,
    "weights": loaded,
}


def _sum(*arrays: np.ndarray) -> str:
    return " ".join(str(hash(np.ascontiguousarray(a).tobytes())) for a in arrays)


@dataclass(frozen=True)
class Damaged:
    """One input: what was done to which file of which folder."""

    kind: str
    ask: str
    folder: Path
    name: str
    what: str
    victim: Path


def damage(inputs: tuple[fuzz_inputs.Whole, ...], seed: int, place: Path) -> tuple[Damaged, fuzz_inputs.Whole]:
    """A copy of one of the inputs with one file damaged."""
    rng = np.random.default_rng(seed)
    whole = inputs[seed % len(inputs)]
    folder = place / f"{seed}"
    shutil.copytree(whole.folder, folder)
    victim = folder / whole.victim
    if rng.random() < 0.06:
        victim = victim.rename(victim.with_suffix(str(rng.choice([".mp4", ".csv", ".mkv", ".json", ".parquet", ""]))))
        return Damaged(whole.kind, whole.ask, folder, _renamed(whole, victim), f"renamed {victim.name}", victim), whole
    may = DAMAGES[victim.suffix in TEXT]
    spoil = may[int(rng.integers(len(may)))]
    victim.write_bytes(spoil(victim.read_bytes(), rng))
    return Damaged(whole.kind, whole.ask, folder, whole.name, f"{spoil.__name__} {victim.name}", victim), whole


def _renamed(whole: fuzz_inputs.Whole, victim: Path) -> str:
    return victim.name if whole.name == whole.victim else whole.name


def outcome(damaged: Damaged, whole: fuzz_inputs.Whole, reference: Seen) -> tuple[str, str]:
    """What came of it, in a word or two, and the rest of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = ASKS[damaged.ask](damaged.folder, damaged.name)
    except RegardError as refused:
        return "refused", f"{refused.found}"
    except BaseException:
        return "traceback", traceback.format_exc()
    told = seen.told - reference.told
    lost = _lost(damaged, whole, seen, reference)
    if lost:
        return ("usable, loss told", "; ".join(told)) if told else ("silent loss", lost)
    if told:
        return "usable, told", "; ".join(told)
    return ("usable and equal" if seen.values == reference.values else "usable, other values"), ""


def _lost(damaged: Damaged, whole: fuzz_inputs.Whole, seen: Seen, reference: Seen) -> str:
    if seen.frames < reference.frames:
        return f"{seen.frames} of {reference.frames} frames"
    if reference.gaze and not seen.gaze:
        return "all gaze"
    size = damaged.victim.stat().st_size
    if whole.holds in ("gaze lines", "label lines") and damaged.victim.name == Path(whole.victim).name:
        found = seen.gaze if whole.holds == "gaze lines" else seen.rows
        there = len([line for line in damaged.victim.read_bytes().splitlines() if line.strip(b" ,")]) - 1
        return f"{found} of {there} lines" if found < there else ""
    if whole.holds == "gaze of 8 bytes" and seen.gaze < max(size // 8, reference.gaze):
        return f"{seen.gaze} of {max(size // 8, reference.gaze)} samples of gaze"
    if whole.holds == "rows" and seen.rows < reference.rows:
        return f"{seen.rows} of {reference.rows} rows"
    return ""


def outcomes(
    seeds: range, place: Path, *, only: tuple[str, ...] = (), keep: Path | None = None
) -> Iterator[tuple[int, str, str, str, str]]:
    """(seed, kind, damage, outcome, detail) of each input; the inputs are made first."""
    inputs = tuple(w for w in fuzz_inputs.make(place / "whole") if not only or w.kind in only)
    references: dict[tuple[Path, str], Seen] = {}
    for seed in seeds:
        damaged, whole = damage(inputs, seed, place)
        key = whole.folder, whole.name
        if key not in references:
            references[key] = ASKS[whole.ask](whole.folder, whole.name)
        yield seed, damaged.kind, damaged.what, "begun", ""
        name, detail = outcome(damaged, whole, references[key])
        if keep is not None and name in BAD:
            shutil.copytree(damaged.folder, keep / f"{seed}", dirs_exist_ok=True)
        shutil.rmtree(damaged.folder)
        yield seed, damaged.kind, damaged.what, name, detail


def _worker(options: argparse.Namespace) -> None:
    """All inputs from the seed on, a line of JSON for each beginning and end."""
    import resource

    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, ROOM_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        seeds = range(options.seed, options.seed + options.inputs)
        for line in outcomes(seeds, Path(folder), only=tuple(options.only), keep=options.keep):
            print(json.dumps(line), flush=True)


def _lines(options: argparse.Namespace, seed: int, end: int) -> Iterator[list[str] | None]:
    """What a worker process prints; None where it says nothing for too long, and then it is ended."""
    words = [sys.executable, __file__, "--worker", "--seed", str(seed), "--inputs", str(end - seed)]
    words += [w for kind in options.only for w in ("--only", kind)]
    words += ["--keep", str(options.keep)] if options.keep else []
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    queue: Queue[str] = Queue()
    Thread(target=lambda: [queue.put(line) for line in chain(process.stdout or (), [""])], daemon=True).start()
    waits_s = 5 * HANGS_S
    while True:
        try:
            line = queue.get(timeout=waits_s)
        except Empty:
            process.kill()
            yield None
            return
        if not line:
            return
        waits_s = HANGS_S
        yield json.loads(line)


def main(options: argparse.Namespace) -> int:
    """Print what is bad as it comes, and the counts."""
    counts: dict[str, Counter[str]] = {}
    seed, end = options.seed, options.seed + options.inputs
    while seed < end:
        begun: list = [seed, "?", "?"]
        bad = "crash"
        for line in _lines(options, seed, end):
            if line is None:
                bad = "hang"
                break
            if line[3] == "begun":
                begun = line
                continue
            seed = int(line[0]) + 1
            counts.setdefault(line[1], Counter())[line[3]] += 1
            if line[3] in BAD or options.verbose:
                print(f"{line[0]} {line[1]}: {line[2]}: {line[3]}: {line[4]}", flush=True)
        if seed < end:
            print(f"{begun[0]} {begun[1]}: {begun[2]}: {bad}", flush=True)
            counts.setdefault(begun[1], Counter())[bad] += 1
            seed = int(begun[0]) + 1
    total = sum(counts.values(), Counter())
    for kind, found in [*sorted(counts.items()), ("all", total)]:
        print(f"{kind:<12} {sum(found.values()):>5}  " + ", ".join(f"{v} {k}" for k, v in found.most_common()))
    return int(any(total[name] for name in BAD))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], help="kinds, such as mkv")
    parser.add_argument("--keep", type=Path, help="copy inputs with a bad outcome here")
    parser.add_argument("--verbose", action="store_true", help="print every outcome")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.exit(_worker(given) if given.worker else main(given))
