"""How late live answers come: CausalGaze at 640x480 and 30 pictures a second, from a file played at its own clock.

Every picture is asked about. The film is a textured world that pans; weights are random, which changes no time.

    python benchmarks/live.py --seconds 30      # 2 minutes: alone, beside a film being written, larger pictures
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import regard
from decode import machine
from regard.clips.sampling.everywhere import EveryFrame
from regard.engine.ask import Asked
from regard.engine.live.fitting import asking_of
from regard.engine.live.loop import Live
from regard.engine.live.saving import Saved
from regard.engine.live.tally import memory_mb
from regard.io import FilmWriter
from regard.io.live.played import Played
from regard.models import CausalGaze
from regard.tasks import GazeEstimation
from regard.transforms import Normalise

SIZE, RATE_HZ = (480, 640), 30


def write_film(path: Path, seconds: int) -> None:
    world = np.random.default_rng(0).integers(0, 255, (80, 160, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
    with FilmWriter(path, size=SIZE) as film:
        for number in range(seconds * RATE_HZ):
            left = round(400 + 390 * np.sin(number / 60))
            film.write(np.ascontiguousarray(world[200 : 200 + SIZE[0], left : left + SIZE[1]]), number / RATE_HZ)


def measured(video: Path, *, side: int, save: Path | None) -> dict[str, object]:
    source = Played(regard.open(video))
    model = CausalGaze(size=(48, 64), weights="random")
    sampler, steps = EveryFrame(), (Normalise(),)
    asked = Asked(name="causal", task=GazeEstimation(model), sampler=sampler, transforms=steps, decode_size=side)
    asking, _ = asking_of(asked, source, precision="32-true")
    listeners = () if save is None else Saved(save, source, [("causal", "causal")]).listeners
    before_s = time.process_time()
    counted = Live(source, [asking], listeners, tell=print).run()
    cpu_s = time.process_time() - before_s
    of = counted.models["causal"]
    late = {f"latency_p{p}_ms": 1000 * of.durations["latency"].percentile(p) for p in (50, 95, 99)}
    return {
        "short side": side,
        "film": "saved" if save else "no",
        "frames": counted.frames,
        "answered": f"{of.answered / counted.frames:.1%}",
        **late,
        "model_p50_ms": 1000 * of.durations["infer"].percentile(50),
        "decode_p50_ms": 1000 * counted.durations["decode"].percentile(50),
        "cpu_ms_a_frame": 1000 * cpu_s / counted.frames,
        "film lacks": counted.unseen.get("film", 0),
        "memory_mb": memory_mb(),
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=int, default=30)
    options = words.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "film.mp4"
        write_film(video, options.seconds)
        settings = [(96, None), (96, Path(folder) / "out"), (256, None)]
        rows = [measured(video, side=side, save=save) for side, save in settings]
    print(machine())
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.1f"))


if __name__ == "__main__":
    main()
