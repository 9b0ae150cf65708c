"""Where gaze goes next on GazeCom, from a person's own path alone: simple rules, and GazeMixture of several seeds.

    python benchmarks/next_gaze.py ROOT [--out next_gaze] [--seeds 5] [--leave-one-out] [--steps N]

Log-likelihood in nats a frame, over a unit of normalised area: on the thesis' four held-out videos, with every other
video trained on, and on each of the 18 videos, with the 17 others. `nats_unbroken` counts only frames
whose frame before was measured too, as the simple rules were first measured. Runs that have ended in OUT are not done
again. The rules are three Student-t distributions and a uniform one, fitted to the training videos: about where gaze
was (it stays), or where it would be at its last velocity. Intervals are 95 %, by a bootstrap over recordings; over
videos where each was left out.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from regard.datasets.gazecom.dataset import GazeCom
from regard.datasets.gazecom.names import HELD_OUT, SIZE_PX, VIDEOS
from regard.io.tables import read_table
from regard.metrics.table import summarise
from regard.models.gaze_mixture import STATES
from regard.ops.student_mixture import PARAMETERS, log_density
from regard.types import Recording

RECIPE = "scanpath_gazecom_gaze_mixture"
SCORES = ("nats", "nats_fixation", "nats_saccade", "nats_pursuit", "nats_unbroken")
WIDE = SIZE_PX[0] / SIZE_PX[1]


class Rule(torch.nn.Module):
    """A mixture about a guess: three round Student-t distributions, and a uniform one over the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0, 0.0, -1.0, -3.0]))
        self.scale = torch.nn.Parameter(torch.tensor([-7.0, -6.0, -4.0]))
        self.freedom = torch.nn.Parameter(torch.zeros(3))

    def forward(self, guess: Tensor, point: Tensor) -> Tensor:
        """Log-likelihood of each point in nats."""
        weight, scale = self.weight.log_softmax(-1), self.scale.exp()
        freedom = 0.5 + torch.nn.functional.softplus(self.freedom)
        flat = torch.stack([weight[:3], scale, scale * WIDE, torch.zeros(3), freedom], -1).expand(len(guess), 3, -1)
        middle = guess[:, None].expand(-1, 3, -1)
        mixture = torch.cat([flat[..., :1], middle, flat[..., 1:]], -1)
        assert mixture.shape[-1] == PARAMETERS
        return torch.logaddexp(log_density(mixture, point), weight[3])


def moments(recordings: Iterable[Recording]) -> pd.DataFrame:
    """A row a frame but the first: where gaze was, NaN where that does not count, and where each rule guesses it."""
    parts = []
    for recording in recordings:
        gaze = recording.gaze
        assert gaze is not None
        measured = pd.DataFrame(np.where(gaze.valid[:, None], gaze.point, np.nan), columns=["x", "y"])
        counted = measured.where(measured.ge(0).all(axis=1) & measured.le(1).all(axis=1))
        last = measured.ffill().fillna(0.5).shift()
        glided = last + measured.diff().fillna(0.0).shift()
        part = pd.concat([counted, last.add_prefix("stays_"), glided.add_prefix("glides_")], axis=1)
        parts.append(
            part.assign(recording=recording.id, kind=gaze.state)[1:].fillna({"glides_x": 0.5, "glides_y": 0.5})
        )
    return pd.concat(parts, ignore_index=True)


def at(frame: pd.DataFrame, prefix: str = "") -> Tensor:
    return torch.tensor(frame[[f"{prefix}x", f"{prefix}y"]].to_numpy(np.float32))


def fitted(guess: Tensor, point: Tensor) -> Rule:
    rule = Rule()
    optimiser = torch.optim.LBFGS(rule.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = -rule(guess, point).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return rule


def scores(items: pd.DataFrame, name: str) -> pd.DataFrame:
    before = items.groupby("recording")["nats"].shift()
    items = items.assign(nats_unbroken=items["nats"].where(before.notna()))
    return summarise(items, list(SCORES)).assign(run=name)


def rules(root: Path) -> pd.DataFrame:
    """The scores of the simple rules on the held-out four."""
    data = GazeCom(root, gaze="frames", whole_pixels="spread", held_out=0.0)
    taught, asked = (moments(data.recordings(split)) for split in ("train", "test"))
    taught, tables = taught.dropna()[::7], []
    for name, prefix in (("it stays", "stays_"), ("it keeps its velocity", "glides_")):
        rule = fitted(at(taught, prefix), at(taught))
        with torch.no_grad():
            told = asked[["recording", "kind"]].assign(nats=rule(at(asked, prefix), at(asked)).numpy())
        items = told.assign(**{f"nats_{s.name.lower()}": told["nats"].where(told["kind"] == s) for s in STATES})
        tables.append(scores(items, name))
    return pd.concat(tables)


def run(out: Path, root: Path, seed: int, extra: list[str]) -> pd.DataFrame:
    """The items of a run on its test split; trains it, and asks it, where that has not been done."""
    scored = out / "test" / "items.parquet"
    if not scored.is_file():
        regard = [sys.executable, "-m", "regard"]
        given = {"root": root, "held_out": 0}
        options = [word for key, value in given.items() for word in (f"--data.dataset.{key}", str(value))]
        options += ["--data.eval.val", "test", "--training.seed", str(seed), "--data.seed", str(seed)]
        subprocess.run([*regard, "train", RECIPE, *options, *extra, "--out", str(out)], check=True)
        subprocess.run([*regard, "evaluate", str(out), "--out", str(out / "test")], check=True)
    return read_table(scored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--out", type=Path, default=Path("next_gaze"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="of training (default: the recipe's)")
    parser.add_argument("--leave-one-out", action="store_true", help="also 18 runs, each tested on one video")
    options = parser.parse_args()
    steps = (
        [] if options.steps is None else [f"--training.{k}={options.steps}" for k in ("max_steps", "validate_every")]
    )
    tables = [rules(options.root)]
    for seed in range(options.seeds):
        items = run(options.out / f"seed_{seed}", options.root, seed, steps)
        tables.append(scores(items, f"seed {seed}"))
    if options.leave_one_out:
        left = []
        for video in VIDEOS:
            extra = [f"--data.dataset.test=[{video}]", *steps]
            items = run(options.out / f"without_{video}", options.root, 0, extra)
            left.append({"recording": video, **items[list(SCORES[:4])].mean()})
        each = pd.DataFrame(left)
        print(each.round(2).to_string(index=False))
        tables += [
            summarise(each, list(SCORES[:4])).assign(run="each video left out"),
            summarise(each[each["recording"].isin(HELD_OUT)], list(SCORES[:4])).assign(
                run="of these, the thesis' four"
            ),
        ]
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(options.out / "next_gaze.csv", index=False)
    text = table.apply(lambda row: f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]", axis=1)
    by_run = table.assign(text=text).pivot_table(
        index="run", columns="score", values="text", aggfunc="first", sort=False
    )
    print(by_run.to_string())
    print(f"wrote {options.out / 'next_gaze.csv'}")


if __name__ == "__main__":
    main()
