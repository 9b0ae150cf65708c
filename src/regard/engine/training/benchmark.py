"""Score a recipe on its test split, by its own protocol, on any number of processes."""

from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
import pandas as pd
import torch

from regard.engine.arithmetic import chosen, device_of, quick_float32
from regard.engine.evaluate import Scores, directed, signed
from regard.engine.export.folder import Choice, Exported, put_into
from regard.engine.predict import runtime_on
from regard.engine.training.batches import TestBatches
from regard.errors import RecipeError, RegardError
from regard.metrics.table import ITEM
from regard.recipe.data import Data
from regard.recipe.read import Published, Recipe
from regard.run.module import TaskModule
from regard.run.processes import as_recipe_error
from regard.run.progress import StepProgress, quiet_lightning
from regard.run.provenance import data_hash, git_commit
from regard.run.weights import with_weights


def score_recipe(
    recipe: Recipe,
    *,
    weights: Path | None = None,
    threshold_from: str | None = None,
    exported: Exported | None = None,
    runtime: Choice = "torch",
    progress: bool = False,
) -> Scores:
    """The rows and the table of a recipe's test split.

    `weights` is a checkpoint of the same model, ours or its authors'; None scores the model as it is built (baselines).
    `threshold_from` names another split of the dataset: a score's threshold is chosen there, on clips cut like those of
    the test split, and then used; None leaves it to the recipe. `runtime` runs what of the model was `exported`.
    """
    quiet_lightning()
    if weights is not None:
        recipe.task.model = with_weights(recipe.task.model, weights)
    runtime = runtime_on(device_of(recipe.training.accelerator), runtime)
    by = put_into(recipe.task.model, exported, runtime, name=recipe.name)
    data, task = recipe.data, recipe.task
    split = data.require_eval().test
    _warn_of_shared(recipe)
    if threshold_from is not None:
        _require_other_split(data, threshold_from)
        data.warn_of_shared(threshold_from, split)
        chosen_on, _ = _items_of(recipe, threshold_from, progress=progress)
        source = f"split {threshold_from}, {len(chosen_on)} items, data {data_hash(data.recordings(threshold_from))}"
        task.choose_threshold(chosen_on, source)
    items, unread = _items_of(recipe, split, progress=progress)
    skipped = f"; {len(unread)} recordings or clips skipped: {'; '.join(unread)}" if unread else ""
    protocol = (
        f"{task.protocol(items)}{skipped}; recipe {recipe.name}, split {split}, "
        f"data {data_hash(data.recordings(split))}, commit {git_commit()}{'' if by == 'torch' else f', run by {by}'}"
    )
    return Scores(
        items=signed(items, task.scoring),
        summary=directed(_beside(task.summarise(items), recipe.published), task.scoring),
        protocol=protocol,
        details=task.details(items, getattr(data.dataset, "classes", {})),
    )


def _warn_of_shared(recipe: Recipe) -> None:
    """Of a model that has learned: which test recordings it was trained on, or chosen by."""
    data = recipe.data
    if data.train is None or not any(True for _ in recipe.task.model.parameters()):
        return
    scored = data.require_eval()
    for split in dict.fromkeys((data.train.split, scored.val)):
        try:
            data.recordings(split)
        except RegardError:  # only what is scored need be on this disk
            continue
        data.warn_of_shared(split, scored.test)


def _require_other_split(data: Data, split: str) -> None:
    known, scored = data.require_dataset().splits, data.require_eval().test
    if split == scored or split not in known:
        raise RecipeError(
            "threshold_from",
            found=f"{split}, {'which is what is scored' if split == scored else 'which is no split here'}",
            wanted=f"one of {', '.join(s for s in known if s != scored)}",
            do="choose a split that the model was not trained on, such as a held-out part of train",
        )


def _items_of(recipe: Recipe, split: str, *, progress: bool) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A row for each item of a split, of all processes, and a line for each clip that could not be read."""
    say, task = recipe.training, recipe.task
    _refuse_spawned(say.strategy)
    torch.set_num_threads(say.threads)
    with as_recipe_error("training"):
        trainer = pl.Trainer(
            accelerator=say.accelerator,
            devices=say.devices,
            num_nodes=say.num_nodes,
            strategy=say.strategy,
            precision=chosen(say.precision, task.model, device_of(say.accelerator)),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            callbacks=[StepProgress(what=f"scoring {split}")] if progress else [],
        )
    batches = TestBatches(recipe.data, task, split)
    module = TaskModule(task, say.optimiser.build)
    with quick_float32(task.model):
        trainer.test(module, datamodule=batches, verbose=False)
    unread = (*batches.clips.unusable, *module.skipped)
    if not module.items:
        raise RecipeError(
            f"split {split}",
            found=f"no clip that could be read: {'; '.join(unread[:5])}",
            wanted="at least one clip to score",
            do="run `regard check` on these recordings",
        )
    items = task.collect(pd.concat(module.items, ignore_index=True))
    keys = [c for c in ITEM if c in items]
    return items.sort_values(keys, kind="stable", ignore_index=True), unread


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
