"""How fast density answers are scored, against the same scores computed by their definitions over whole maps.

The plain forms are what regard ran before: a binary search for each cell, a pass for each question about a map. Both
say the same; by how much they differ is told. At last half an hour of answers is scored as `regard evaluate` does.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forms import Form, asked, peak_gb, take_turns
from regard.engine.evaluate import evaluate
from regard.metrics.adaptive_f1 import recall_precision, rescaled_published
from regard.metrics.heatmaps import auc_judd, cc, kl, nss
from regard.metrics.table import corpus_f1, corpus_f1_interval, groups_of, summarise
from regard.models import CentrePrior
from regard.ops.geometry import cell_of
from regard.ops.heatmap import argmax_point, gaussian_maps, log_density, published_label_maps
from regard.prediction import Prediction
from regard.tasks import DensityScoring
from regard.types import GazeState, GazeTrack, MediaStream, Recording

SIZE = (64, 64)
FRAMES = 512
HALF_AN_HOUR = 54_000
THRESHOLDS = DensityScoring().thresholds
SCORES = ("nss", "auc", "kl", "cc")


def gaze(n: int) -> Tensor:
    """Points on the image, round the lower centre."""
    generator = torch.Generator().manual_seed(0)
    return (torch.tensor([0.5, 0.7]) + 0.15 * torch.randn(n, 2, generator=generator)).clamp(0, 1)


def plain_at(maps: Tensor, point: Tensor) -> Tensor:
    column, row = cell_of(point, SIZE).unbind(-1)
    flat = maps.flatten(-2)
    value = flat.gather(-1, (row * SIZE[1] + column)[..., None])[..., 0]
    return torch.where(~flat.isnan().any(-1), value, torch.nan)


def plain_standardised(maps: Tensor) -> Tensor:
    mean = maps.mean((-2, -1), keepdim=True)
    deviation = (maps - mean).square().mean((-2, -1), keepdim=True).sqrt()
    return torch.where(deviation <= 1e-6 * mean.abs(), 0, (maps - mean) / deviation)


def plain_nss(density: Tensor, point: Tensor) -> Tensor:
    return plain_at(plain_standardised(density.exp()), point)


def plain_auc(density: Tensor, point: Tensor) -> Tensor:
    here = plain_at(density, point)[..., None, None]
    beaten = (density < here).sum((-2, -1)) + 0.5 * ((density == here).sum((-2, -1)) - 1)
    return beaten / (SIZE[0] * SIZE[1] - 1)


def plain_kl(density: Tensor, target: Tensor) -> Tensor:
    cost = torch.where(target == 0, 0, torch.xlogy(target, target) - target * density)
    return torch.where(density.isnan().any(-1).any(-1), torch.nan, cost.sum((-2, -1)))


def plain_cc(density: Tensor, target: Tensor) -> Tensor:
    return (plain_standardised(density.exp()) * plain_standardised(target)).mean((-2, -1))


def plain_recall_precision(logits: Tensor, label_map: Tensor) -> Tensor:
    parts, edges = [], torch.tensor(THRESHOLDS)
    for some, labels in zip(logits.split(64), label_map.split(64), strict=True):
        n, k = len(some), len(edges)
        gazed = (labels > 0.001).flatten(1)
        bins = torch.bucketize(rescaled_published(some).flatten(1), edges)
        frame = torch.arange(n)[:, None]
        histogram = torch.bincount(((2 * frame + gazed) * (k + 1) + bins).flatten(), minlength=2 * n * (k + 1))
        above = histogram.reshape(n, 2, k + 1).flip(-1).cumsum(-1).flip(-1)[..., 1:].float()
        hit, predicted = above[:, 1], above.sum(1)
        parts.append(torch.stack([hit / (gazed.sum(1)[:, None] + 1e-6), hit / (predicted + 1e-6)]))
    return torch.cat(parts, dim=1)


def plain_everything(logits: Tensor, point: Tensor) -> Tensor:
    """All that a table of items keeps of each answer, in the order of SCORES, recall and precision."""
    density, target = log_density(logits), gaussian_maps(point, SIZE, sigma_cells=3.2)
    prior = CentrePrior(size=SIZE)(torch.zeros(len(density), 1))[:, 0]
    argmax_point(density), torch.minimum(density.exp(), target).sum((-2, -1)), plain_at(density, point)
    plain_at(prior.contiguous(), point)
    scores = plain_nss(density, point), plain_auc(density, point), plain_kl(density, target), plain_cc(density, target)
    recall, precision = plain_recall_precision(logits, published_label_maps(point, SIZE))
    return torch.cat([*(s[:, None] for s in scores), recall, precision], dim=1)


def everything(logits: Tensor, point: Tensor) -> Tensor:
    state = torch.full((len(point),), int(GazeState.FIXATION), dtype=torch.int8)
    columns = DensityScoring().columns(logits, point, state, [None] * len(point))
    kept = [*SCORES, *(c for kind in ("recall@", "precision@") for c in columns if c.startswith(kind))]
    return torch.from_numpy(np.stack([columns[c] for c in kept], axis=1))


def score_table(name: str, logits: Tensor, rounds: int) -> None:
    """Each score of the same maps, 64 at a time for regard as `DensityScoring` asks for them, all at once for plain."""
    point = gaze(FRAMES)
    density = log_density(logits)
    target = gaussian_maps(point, SIZE, sigma_cells=3.2)
    labels = published_label_maps(point, SIZE)

    def by_64(score, *given: Tensor):
        return lambda: torch.cat([score(*some) for some in zip(*(g.split(64) for g in given), strict=True)])

    pairs = {
        "NSS": (by_64(nss, density, point), lambda: plain_nss(density, point)),
        "AUC": (by_64(auc_judd, density, point), lambda: plain_auc(density, point)),
        "KL": (by_64(kl, density, target), lambda: plain_kl(density, target)),
        "CC": (by_64(cc, density, target), lambda: plain_cc(density, target)),
        f"adaptive F1, {len(THRESHOLDS)} thresholds": (
            lambda: torch.stack(recall_precision(logits, labels, THRESHOLDS)),
            lambda: plain_recall_precision(logits, labels),
        ),
        "everything": (lambda: everything(logits, point), lambda: plain_everything(logits, point)),
    }
    for what, (new, plain) in pairs.items():
        forms = [Form(name="regard", answer=new), Form(name="plain", answer=plain)]
        take_turns(forms, rounds)
        now, before = (1e6 * form.cpu / FRAMES for form in forms)
        difference = forms[0].difference(forms[1])
        print(f"| {what} | {name} | {before:.0f} | {now:.0f} | {before / now:.1f}x | {difference:.0e} |")


def plain_bootstrap(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Mean of each column in each of 1000 draws of groups."""
    known = ~np.isnan(values)
    _, group = np.unique(groups[known.any(axis=1)], return_inverse=True)
    sums, counts = np.zeros((2, int(group.max()) + 1, values.shape[1]))
    np.add.at(sums, group, np.where(known, values, 0)[known.any(axis=1)])
    np.add.at(counts, group, known[known.any(axis=1)])
    generator = np.random.default_rng(0)
    means = np.empty((1000, values.shape[1]))
    for i in range(1000):
        times = np.bincount(generator.integers(len(sums), size=len(sums)), minlength=len(sums))
        means[i] = times @ sums / (times @ counts)
    return means


def plain_intervals(items: pd.DataFrame, block_s: float | None) -> Tensor:
    ends = []
    for score in SCORES:
        means = plain_bootstrap(items[[score]].to_numpy(np.float64), groups_of(items, block_s=block_s))
        ends.append(np.quantile(means[:, 0], [0.025, 0.975]))
    columns = [c for kind in ("recall", "precision") for c in items if c.startswith(f"{kind}@")]
    means = plain_bootstrap(items[columns].to_numpy(np.float64), groups_of(items, block_s=block_s))
    best = []
    for draw in means:
        recall, precision = np.split(draw, 2)
        best.append(max(2 * r * p / (r + p + 1e-6) for r, p in zip(recall, precision, strict=True)))
    return torch.from_numpy(np.array([*ends, np.quantile(best, [0.025, 0.975])]))


def intervals(items: pd.DataFrame, block_s: float | None) -> Tensor:
    rows = summarise(items, SCORES, block_s=block_s)[["low", "high"]].to_numpy()
    return torch.from_numpy(np.concatenate([rows, [corpus_f1_interval(items, "oracle", block_s=block_s)]]))


def interval_table(items: pd.DataFrame, rounds: int) -> None:
    print("\n| intervals of 54,000 items | plain, CPU s | regard, CPU s | speed | difference |\n|---|---|---|---|---|")
    for what, block_s in (("one recording, blocks of 1 s", 1.0), ("16 recordings", None)):
        if block_s is None:
            items = items.assign(recording=np.arange(len(items)) * 16 // len(items))
        forms = [
            Form(name="regard", answer=lambda items=items, block_s=block_s: intervals(items, block_s)),
            Form(name="plain", answer=lambda items=items, block_s=block_s: plain_intervals(items, block_s)),
        ]
        take_turns(forms, rounds)
        ratio, difference = forms[1].cpu / forms[0].cpu, forms[0].difference(forms[1])
        print(f"| {what} | {forms[1].cpu:.2f} | {forms[0].cpu:.2f} | {ratio:.1f}x | {difference:.0e} |")


def half_an_hour() -> pd.DataFrame:
    """Score a centre prior at 30 answers a second, everything included; the maps themselves take 0.9 GB."""
    time_s = np.arange(HALF_AN_HOUR) / 30
    one = CentrePrior(size=SIZE)(torch.zeros(1, 1))[0, 0].numpy()
    maps = np.ascontiguousarray(np.broadcast_to(one, (HALF_AN_HOUR, *SIZE)))
    prediction = Prediction(
        recording="r", model="centre", time_s=time_s, seen_until_s=time_s, values={"log_density": maps}
    )
    point = gaze(HALF_AN_HOUR).double().numpy()
    track = GazeTrack(time_s=time_s, point=point, state=np.full(len(point), GazeState.FIXATION, np.int8))
    recording = Recording(id="r", subject="s", video=MediaStream(path=Path("none.mp4")), gaze=track)
    before, start = peak_gb(), time.process_time()
    scores = evaluate(recording, prediction)
    took = time.process_time() - start
    print(f"\n54,000 frames, intervals included: {took:.1f} s of CPU, {1e3 * took / HALF_AN_HOUR:.2f} ms a frame; peak")
    print(f"memory grew by {peak_gb() - before:.2f} GB beyond the maps. NSS {scores.items['nss'].mean():.3f}")
    print(f"and F1 {corpus_f1(scores.items, 'oracle').f1:.3f}.")
    return scores.items


if __name__ == "__main__":
    rounds = asked(__doc__).rounds
    generator = torch.Generator().manual_seed(0)
    print("\n| score | maps | plain, CPU us a map | regard | speed | difference |\n|---|---|---|---|---|---|")
    score_table("centre prior", CentrePrior(size=SIZE)(torch.zeros(FRAMES, 1))[:, 0].contiguous(), rounds)
    score_table("noise", 2 * torch.randn(FRAMES, *SIZE, generator=generator), rounds)
    interval_table(half_an_hour(), rounds)
