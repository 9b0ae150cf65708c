"""What a live run counts and how long it takes, in all and since it was last told; and the memory that it fills."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import pandas as pd

from regard.engine.live.durations import Durations

PERCENTS = (50, 95, 99)
STEPS = ("latency", "decode", "infer", "draw")


@dataclass
class ModelTally:
    """Of one model: how often it was to be asked, what became of it, and how long that took."""

    asked: int = 0
    answered: int = 0
    dropped: int = 0
    durations: Mapping[str, Durations] = field(default_factory=lambda: {n: Durations() for n in ("latency", "infer")})


class Tally:
    """Of one stretch of a run; several threads may count."""

    def __init__(self, models: tuple[str, ...]) -> None:
        self.frames, self.until_s = 0, 0.0
        self.models = {name: ModelTally() for name in models}
        self.durations = {name: Durations() for name in ("decode", "draw")}
        self.unseen: dict[str, int] = {}
        """Pictures that a listener was too slow for, by its name."""
        self._lock = Lock()

    def saw(self, time_s: float, decode_s: float) -> None:
        """A picture came."""
        with self._lock:
            self.frames, self.until_s = self.frames + 1, time_s
        self.durations["decode"].add(decode_s)

    def asked(self, model: str, *, dropped: int) -> None:
        """A model was to be asked; `dropped` others were given up for it."""
        with self._lock:
            self.models[model].asked += 1
            self.models[model].dropped += dropped

    def answered(self, model: str, *, latency_s: float, infer_s: float) -> None:
        """A model answered."""
        of = self.models[model]
        with self._lock:
            of.answered += 1
        of.durations["latency"].add(latency_s)
        of.durations["infer"].add(infer_s)

    def table(self) -> pd.DataFrame:
        """A row a model and step: p50, p95 and p99 in milliseconds, beside the counts."""
        rows = []
        for name, model in self.models.items():
            for step in STEPS:
                durations = model.durations.get(step) or self.durations[step]
                if not len(durations):
                    continue
                counts = (self.frames, model.asked, model.answered, model.dropped) if step == "latency" else ("",) * 4
                shown = {f"p{p}_ms": 1000 * durations.percentile(p) for p in PERCENTS}
                rows.append(
                    {"model": name if step == "latency" else "", "step": step}
                    | dict(zip(("frames", "asked", "answered", "dropped"), map(str, counts), strict=True))
                    | shown
                )
        return pd.DataFrame(rows)

    def line(self) -> str:
        """The same in a line."""
        said = [f"{self.until_s:8.1f} s  {self.frames} frames"]
        for name, model in self.models.items():
            ms = "/".join(f"{1000 * model.durations['latency'].percentile(p):.0f}" for p in PERCENTS)
            late = f", latency {ms} ms" if model.answered else ""
            said.append(f"{name}: {model.answered} answered, {model.dropped} dropped{late}")
        return "   ".join([*said, f"{memory_mb():.0f} MB"])


def memory_mb() -> float:
    """What this process fills now; NaN where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
