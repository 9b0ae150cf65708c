"""A study of forty one-minute recordings: what check and events take, what two jobs gain, how fast tables are written.

The recordings are copies of a few synthetic minutes under names of their own, each read from its own files. CPU time is
that of the commands and all processes that they start.

    python benchmarks/study.py [--recordings 40] [--worlds 2] [--rows 1000000]     # about 8 minutes of two free cores
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from decode import machine
from regard.engine.study.kept import NOTE, ROWS, Note, read_note
from regard.engine.study.run import Done
from regard.engine.study.tables import rows_table, write_tables
from regard.io.study_list import StudyList, read_list
from regard.world import write_world

MINUTE_S = 60.0


def spent_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_study(place: Path, *, recordings: int, worlds: int) -> Path:
    """The list of so many recordings, which are copies of few."""
    made = [place / f"world-{seed}" for seed in range(worlds)]
    for seed, world in enumerate(made):
        write_world(world, seed=seed, duration_s=MINUTE_S)
    lines = ["path,participant,condition"]
    for number in range(recordings):
        shutil.copytree(made[number % worlds], place / f"p{number:03}")
        lines.append(f"p{number:03},{number // 2:03},{'ab'[number % 2]}")
    (place / "list.csv").write_text("\n".join(lines))
    return place / "list.csv"


def timed(*words: object) -> tuple[float, float]:
    """Seconds by the clock and of CPU of a `regard` command."""
    began_s, cpu_s = time.perf_counter(), spent_s()
    command = [sys.executable, "-m", "regard", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - began_s, spent_s() - cpu_s


def tables(place: Path, study: StudyList, rows: int) -> tuple[float, float]:
    """Seconds to join as many rows of all recordings, and to write them as csv and parquet."""
    random, each = np.random.default_rng(0), rows // len(study)
    notes = {}
    for one in study.recordings:
        folder = place / one.folder / "events"
        folder.mkdir(parents=True)
        start_s = np.sort(random.uniform(0, 3600, each)).round(6)
        part = pd.DataFrame({"kind": random.choice(["fixation", "saccade"], each), "start_s": start_s})
        for name in ("end_s", "duration_s", "x", "y", "amplitude_deg", "direction_deg", "peak_deg_s", "dispersion_deg"):
            part[name] = random.normal(size=each).round(6)
        part.to_parquet(folder / ROWS)
        about = {"source": [], "settings": "", "facts": {}, "findings": [], "numbers": {}, "is_usable": True}
        (folder / NOTE).write_text(json.dumps(about))
        note = read_note(folder)
        assert isinstance(note, Note)
        notes[one.id] = note
    began_s = time.perf_counter()
    table = rows_table(study, Done(notes=notes, already=frozenset(), failed={}), place, "events")
    joined_s = time.perf_counter() - began_s
    assert table is not None
    write_tables({"events": table}, place)
    return joined_s, time.perf_counter() - began_s - joined_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=40)
    parser.add_argument("--worlds", type=int, default=2, help="different ones among them")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table that is joined and written")
    parser.add_argument("--skip_verbs", action="store_true", help="measure the tables alone")
    options = parser.parse_args()
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if options.skip_verbs:
            (place / "list.csv").write_text("\n".join(["path,participant,condition"]))
            for number in range(options.recordings):
                (place / f"p{number:03}").mkdir()
            lines = [f"p{number:03},{number:03},a" for number in range(options.recordings)]
            (place / "list.csv").write_text("\n".join(["path,participant,condition", *lines]))
        else:
            measure_verbs(place, options.recordings, options.worlds)
        joined_s, written_s = tables(place / "tables", read_list(place / "list.csv"), options.rows)
    print(f"\n{options.rows:,} rows: joined in {joined_s:.1f} s, written as csv and parquet in {written_s:.1f} s")
    print(f"load at the end: {os.getloadavg()[0]:.1f}")


def measure_verbs(place: Path, recordings: int, worlds: int) -> None:
    study = write_study(place, recordings=recordings, worlds=worlds)
    print(f"| {recordings} recordings of a minute | jobs | seconds | CPU seconds |\n|---|---|---|---|")
    took: dict[tuple[str, int], float] = {}
    cpu: dict[int, float] = {}
    for jobs in (1, 2):
        for verb in ("check", "events"):
            seconds, spent = timed(verb, study, "--jobs", jobs, "--out", place / f"out-{jobs}")
            took[verb, jobs], cpu[jobs] = seconds, cpu.get(jobs, 0) + spent
            print(f"| {verb} | {jobs} | {seconds:.1f} | {spent:.1f} |", flush=True)
    seconds, spent = timed("events", study, "--jobs", 1, "--out", place / "out-1")
    print(f"| events again, nothing changed | 1 | {seconds:.1f} | {spent:.1f} |")
    print(f"\ncheck and events together: {cpu[1]:.0f} s of CPU with one job, {cpu[2]:.0f} s with two")
    for verb in ("check", "events"):
        print(f"two jobs, {verb}: {took[verb, 1] / took[verb, 2]:.2f} times as fast as one")


if __name__ == "__main__":
    main()
