"""Play a small film over and over, as quickly as it is answered, filmed and saved, and watch memory and latency.

python tests/engine/soak.py --frames 100000
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from watching import live_run

import regard
from regard.clips.sampling.everywhere import EveryFrame
from regard.engine.ask import Asked
from regard.engine.live.film import LiveFilm
from regard.engine.live.saving import LiveTable
from regard.engine.live.tally import Tally, memory_mb
from regard.io.live.grabbed import Grabbed, LiveSource
from regard.io.live.played import Played
from regard.models import CausalGaze
from regard.tasks import GazeEstimation
from regard.transforms import Normalise
from regard.world import write_world

GROWS = 0.02
"""Memory may grow by this share after the first minute."""


class Endless(LiveSource):
    """A recording, again and again, opened anew each time, on one clock."""

    def __init__(self, folder: Path, frames: int) -> None:
        self.recording, self.waits, self.name = regard.open(folder), True, "endless"
        self._frames = frames

    def frames(self, stop, tell) -> Iterator[Grabbed]:
        number, begins_s, time_s = 0, 0.0, 0.0
        while True:
            for grabbed in Played(self.recording, fast=True).frames(stop, tell):
                if number == self._frames:
                    return
                number, time_s = number + 1, begins_s + grabbed.time_s
                yield replace(grabbed, time_s=time_s)
            begins_s = time_s + 1 / 30


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--frames", type=int, default=100_000)
    words.add_argument("--folder", type=Path, help="where film and table are kept")
    options = words.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    torch.set_num_threads(1)
    torch.manual_seed(0)
    write_world(folder / "world", seed=1, duration_s=10.0, size=(96, 128))
    source = Endless(folder / "world", options.frames)
    task = GazeEstimation(CausalGaze(size=(24, 32), width=16, weights="random"))
    asked = Asked(name="causal", task=task, sampler=EveryFrame(), transforms=(Normalise(),), decode_size=48)
    listeners = (LiveTable("causal", folder / "causal.parquet"), LiveFilm(source, folder / "film.mp4"))
    live, heard, _ = live_run(source, asked, listeners=listeners)
    began_s, filled, late_s = time.monotonic(), [], []

    def watch(since: Tally) -> None:
        heard.answers.clear()
        heard.pictures.clear()
        filled.append((time.monotonic() - began_s, memory_mb()))
        late_s.append(since.models["causal"].durations["latency"].percentile(50))
        print(f"{filled[-1][0]:6.0f} s  {filled[-1][1]:7.1f} MB  {live.total.line().strip()}", flush=True)

    live._every, live._every_s = watch, 10.0
    counted = live.run()
    assert counted.frames == counted.models["causal"].answered
    if counted.frames < options.frames:
        print(f"stopped after {counted.frames} of {options.frames} frames")
    steady = [mb for at_s, mb in filled if at_s > 60] or [filled[-1][1]]
    fifth = max(1, len(steady) // 5)
    first, last = sum(steady[:fifth]) / fifth, sum(steady[-fifth:]) / fifth
    print(f"{counted.frames} frames in {time.monotonic() - began_s:.0f} s")
    print(f"memory: {first:.1f} MB after a minute, {last:.1f} MB at the end ({last / first - 1:+.2%})")
    print(f"median latency: {1000 * late_s[0]:.1f} ms at first, {1000 * late_s[-1]:.1f} ms at the end")
    assert last < (1 + GROWS) * first
    assert abs(late_s[-1] - late_s[0]) < 1.0


if __name__ == "__main__":
    main()
