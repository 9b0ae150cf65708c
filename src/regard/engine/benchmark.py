"""Score a recipe on its test split, by its own protocol, on any number of processes."""

from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
import pandas as pd
import torch

from regard.engine.arithmetic import quick_float32
from regard.engine.batches import TestBatches
from regard.engine.checkpoints import load_weights
from regard.engine.evaluate import Scores
from regard.engine.module import TaskModule
from regard.engine.progress import StepProgress, quiet_lightning
from regard.engine.provenance import data_hash, git_commit
from regard.engine.recipe import Published, Recipe
from regard.errors import RecipeError


def score_recipe(recipe: Recipe, *, weights: Path | None = None, progress: bool = False) -> Scores:
    """The rows and the table of a recipe's test split.

    `weights` is a checkpoint of the same model; None scores the model as it is built (baselines, or a model that loads
    published weights itself).
    """
    quiet_lightning()
    if weights is not None:
        load_weights(recipe.task.model, weights)
    say, data, task = recipe.training, recipe.data, recipe.task
    _refuse_spawned(say.strategy)
    torch.set_num_threads(say.threads)
    trainer = pl.Trainer(
        accelerator=say.accelerator,
        devices=say.devices,
        num_nodes=say.num_nodes,
        strategy=say.strategy,
        precision=say.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[StepProgress()] if progress else [],
    )
    batches = TestBatches(data, task)
    module = TaskModule(task, say.optimiser)
    with quick_float32(task.model):
        trainer.test(module, datamodule=batches, verbose=False)
    unread = (*batches.clips.unusable, *module.skipped)
    if not module.items:
        raise RecipeError(
            f"split {data.test.split}",
            found=f"no clip that could be read: {'; '.join(unread[:5])}",
            wanted="at least one clip to score",
            do="run `regard check` on these recordings",
        )
    items = pd.DataFrame(module.items).sort_values(
        ["recording", "clip_s", "time_s", "ahead_s"], kind="stable", ignore_index=True
    )
    skipped = f"; {len(unread)} recordings or clips skipped: {'; '.join(unread)}" if unread else ""
    protocol = (
        f"{task.protocol(items)}{skipped}; recipe {recipe.name}, split {data.test.split}, "
        f"data {data_hash(data.recordings(data.test.split))}, commit {git_commit()}"
    )
    return Scores(items=items, summary=_beside(task.summarise(items), recipe.published), protocol=protocol)


def _refuse_spawned(strategy: str) -> None:
    """Answers of processes that are spawned from within Python stay in them."""
    if any(word in strategy for word in ("spawn", "fork", "notebook")):
        raise RecipeError(
            "training.strategy",
            found=strategy,
            wanted="processes that each run the command: ddp, or torchrun",
            do="--training.strategy ddp",
        )


def _beside(summary: pd.DataFrame, published: Sequence[Published]) -> pd.DataFrame:
    """The published values beside the measured ones, with the difference and their source."""
    if not published:
        return summary
    known = pd.DataFrame({"score": p.score, "published": p.value, "source": p.source} for p in published)
    both = summary.merge(known, on="score", how="left")
    return both.assign(difference=both["value"] - both["published"])
