"""Play a small film over and over, as quickly as it is answered, filmed and saved; watch memory, times and latency.

Pictures are of 48x64, and two convolutions stand in for CausalGaze's backbone, so that all threads are busy and none
with arithmetic: 100,000 pictures take a quarter of an hour of one core or less.

python tests/engine/soak.py --frames 100000
"""

import argparse
import tempfile
import time
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import regard
from regard.clips.sampling.everywhere import EveryFrame
from regard.engine.ask import Asked
from regard.engine.live.film import LiveFilm
from regard.engine.live.fitting import asking_of
from regard.engine.live.loop import Live
from regard.engine.live.saving import LiveTable
from regard.engine.live.tally import Tally, memory_mb
from regard.io.live.grabbed import Grabbed, LiveSource
from regard.io.live.played import Played
from regard.io.media.video import Video
from regard.io.predictions import open_prediction
from regard.models import CausalGaze
from regard.tasks import GazeEstimation
from regard.transforms import Normalise
from regard.world import write_world

GROWS = 0.03
"""Memory may grow by this share after the first minute: the film's index, which mp4 writes at its end, takes 60 to 150
bytes a picture until then."""
LATER_S = 0.25
"""And the median latency by so much, on a machine that others use too."""
TICK_S = 1e-4
"""A film's times are kept in ticks."""


class Endless(LiveSource):
    """A recording, again and again, opened anew each time, on one clock."""

    def __init__(self, folder: Path, frames: int) -> None:
        self.recording, self.waits, self.name = regard.open(folder), True, "endless"
        self.times_s = array("d")
        self._frames = frames

    def frames(self, stop, tell) -> Iterator[Grabbed]:
        begins_s = 0.0
        while True:
            for grabbed in Played(self.recording, fast=True).frames(stop, tell):
                if len(self.times_s) == self._frames:
                    return
                self.times_s.append(begins_s + grabbed.time_s)
                yield replace(grabbed, time_s=self.times_s[-1])
            begins_s = self.times_s[-1] + 1 / 30


class Few(nn.Module):
    """Maps at stride 8 and 16, as CausalGaze's backbone gives them, by two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, width // 2, 8, stride=8)
        self.coarse = nn.Conv2d(width // 2, width, 2, stride=2)

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(video[:, 0])
        return fine[:, None], self.coarse(fine)[:, None]


def model() -> CausalGaze:
    """Its memory and decoder, behind two convolutions."""
    made = CausalGaze(size=(24, 32), width=8, weights="random")
    made.frames = Few(8)  # pyright: ignore[reportAttributeAccessIssue]
    return made


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--frames", type=int, default=100_000)
    words.add_argument("--folder", type=Path, help="where film and table are kept")
    options = words.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    torch.set_num_threads(1)
    torch.manual_seed(0)
    write_world(folder / "world", seed=1, duration_s=10.0, size=(48, 64))
    source = Endless(folder / "world", options.frames)
    task = GazeEstimation(model())
    asked = Asked(name="causal", task=task, sampler=EveryFrame(), transforms=(Normalise(),), decode_size=48)
    listeners = (LiveTable("causal", folder / "causal.parquet"), LiveFilm(source, folder / "film.mp4"))
    asking, _ = asking_of(asked, source, every_s=None, precision="32-true")
    began_s, filled, late_s = time.monotonic(), [], []

    def watch(since: Tally) -> None:
        filled.append((time.monotonic() - began_s, memory_mb()))
        late_s.append(since.models["causal"].durations["latency"].percentile(50))
        print(f"{filled[-1][0]:6.0f} s  {live.total.line().strip()}", flush=True)

    live = Live(source, [asking], listeners, tell=print, every=watch, every_s=10.0)
    counted = live.run()
    took_s = time.monotonic() - began_s
    steady = [mb for at_s, mb in filled if at_s > 60] or [mb for _, mb in filled[-1:]] or [memory_mb()]
    fifth = max(1, len(steady) // 5)
    first, last = sum(steady[:fifth]) / fifth, sum(steady[-fifth:]) / fifth
    ended = " (stopped)" if counted.frames < options.frames else ""
    print(f"{counted.frames} frames in {took_s:.0f} s, {counted.frames / took_s:.0f} a second{ended}")
    print(f"memory: {first:.1f} MB after a minute, {last:.1f} MB at the end ({last / first - 1:+.2%})")
    assert counted.frames == counted.models["causal"].answered
    if late_s:
        print(f"median latency: {1000 * late_s[0]:.1f} ms at first, {1000 * late_s[-1]:.1f} ms at the end")
        assert late_s[-1] - late_s[0] < LATER_S
    times_s = np.array(source.times_s)
    answered_s = open_prediction(folder / "causal.parquet").time_s
    with Video(folder / "film.mp4") as film:
        filmed_s = film.times_s
    for name, own_s in (("answers", answered_s), ("film", filmed_s)):
        apart_s = float(np.abs(own_s - times_s[: len(own_s)]).max())
        print(f"{name}: {len(own_s)} of {len(times_s)}, at most {1e6 * apart_s:.0f} us from their pictures' times")
        assert len(own_s) == len(times_s)
        assert apart_s < TICK_S
    assert last < (1 + GROWS) * first


if __name__ == "__main__":
    main()
