"""What a page costs and shows: `benchmarks/live.py`'s run (CausalGaze, 640x480, 30 pictures a second) with viewers.

A viewer's latency counts from a picture's time to the browser's word that it is drawn. A stalled viewer never says it.

    python benchmarks/page.py --seconds 20      # 80 s; needs Chromium, and the extra 'serve'
"""

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from websockets.sync.client import connect

import regard
from decode import machine
from live import write_film
from regard.clips.sampling.everywhere import EveryFrame
from regard.engine.ask import Asked
from regard.engine.live.fitting import asking_of
from regard.engine.live.loop import Live
from regard.io.live.played import Played
from regard.models import CausalGaze
from regard.page.live import LivePage
from regard.page.serving import Serving
from regard.page.viewers import RECENT_S
from regard.tasks import GazeEstimation
from regard.transforms import Normalise

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browser(url: str) -> Iterator[None]:
    assert CHROMIUM is not None, "no Chromium here"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,900"]
        words += ["--remote-debugging-port=0", f"--user-data-dir={folder}", url]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([CHROMIUM, *words], **silent) as running:
            try:
                yield
            finally:
                running.terminate()


def measured(video: Path, *, browsers: int, stalled: int) -> dict[str, object]:
    source = Played(regard.open(video))
    steps = (Normalise(),)
    model = CausalGaze(size=(48, 64), weights="random")
    asked = Asked(name="causal", task=GazeEstimation(model), sampler=EveryFrame(), transforms=steps, decode_size=96)
    asking, _ = asking_of(asked, source, precision="32-true")
    page = LivePage(source)
    live = Live(source, [asking], [page], tell=print, every=lambda _: seen.append(page.shown), every_s=RECENT_S)
    page.follow(live.total)
    seen: list[list[dict[str, float | None]]] = []
    with ExitStack() as stack:
        serving = stack.enter_context(Serving(port=0))
        serving.start(page.routes)
        for _ in range(browsers):
            stack.enter_context(browser(serving.url))
        for _ in range(stalled):
            stack.enter_context(connect(serving.url.replace("http", "ws") + "live", max_queue=1, close_timeout=0.1))
        if browsers:  # which take a while to start
            threading.Event().wait(5)
        before = resource.getrusage(resource.RUSAGE_SELF)
        counted = live.run()
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    of = counted.models["causal"]
    shown = [one for moment in seen[1:] for one in moment if one["p50_ms"] is not None]
    return {
        "browsers": browsers,
        "stalled": stalled,
        "answered": f"{of.answered / counted.frames:.1%}",
        **{f"answer_p{p}_ms": 1000 * of.durations["latency"].percentile(p) for p in (50, 95)},
        **{
            f"shown_{n}": float(np.median([one[n] for one in shown])) if shown else np.nan
            for n in ("rate_hz", "p50_ms", "p95_ms")
        },
        "cpu_ms_a_frame": 1000 * cpu_s / counted.frames,
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=int, default=20)
    options = words.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "film.mp4"
        write_film(video, options.seconds)
        settings = [(0, 0), (1, 0), (1, 1), (3, 0)]
        rows = [measured(video, browsers=browsers, stalled=stalled) for browsers, stalled in settings]
    print(machine(), f"load {os.getloadavg()[0]:.1f}")
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.1f"))


if __name__ == "__main__":
    main()
