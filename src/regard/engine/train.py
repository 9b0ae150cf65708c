"""Train a recipe: one call, stoppable at any step and resumable bit for bit."""

import json
import logging
import random
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from regard.engine.answerer import RECIPE_FILE
from regard.engine.checkpoints import AtomicCheckpoints, last_checkpoint
from regard.engine.module import NonFiniteLossError, TaskModule
from regard.engine.provenance import provenance
from regard.engine.recipe import Recipe
from regard.errors import RecipeError
from regard.io.files import writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished run: its folder, and the clips that could not be read (with `on_error: skip`)."""

    folder: Path
    skipped: tuple[str, ...]


def train(recipe: Recipe, out: Path, *, resume: bool = True, progress: bool = False) -> Trained:
    """Run a recipe to its end in the folder `out`.

    Where `out` holds a checkpoint of the same recipe, the run goes on from it (`resume`), in the middle of an epoch if
    need be, and ends with the weights of a run that was never stopped. Raises RecipeError when the data lacks a field
    that the task needs or `out` holds another recipe's run, NonFiniteLossError when the loss is NaN or infinite.
    """
    quiet_lightning()
    data, task, say = recipe.data, recipe.task, recipe.training
    random.seed(say.seed)
    np.random.seed(say.seed)
    torch.manual_seed(say.seed)
    torch.set_num_threads(say.threads)
    out.mkdir(parents=True, exist_ok=True)
    start = _start(recipe, out, resume=resume)
    trainer = _trainer(recipe, out, progress=progress)
    rank, world_size = trainer.global_rank, trainer.world_size
    train_batches = data.loader(data.train, task.needs, shuffle=True, rank=rank, world_size=world_size)
    val_batches = data.loader(data.val, task.needs, shuffle=False, rank=rank, world_size=world_size)
    if trainer.is_global_zero:
        with writing(out / RECIPE_FILE) as beside:
            beside.write_text(recipe.text)
    about = provenance(recipe.text, data.recordings(data.train.split))
    module = TaskModule(task, say.optimiser, about=about)
    try:
        trainer.fit(module, train_batches, val_batches, ckpt_path=start, weights_only=True)
    except NonFiniteLossError as error:
        with writing(out / "non_finite_batch.json") as beside:
            beside.write_text(json.dumps({"step": trainer.global_step, "found": error.found}, indent=1))
        raise
    return Trained(folder=out, skipped=tuple(module.skipped))


def quiet_lightning() -> None:
    """Keep advertisements and remarks about things that are so on purpose off the user's console."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for remark in (
        ".*treespec, LeafSpec.*",  # lightning 2.6 beside torch 2.13
        ".*is smaller than the logging interval.*",
        ".*module\\(s\\) in eval mode.*",  # normalisation statistics that are constants
        ".*does not have many workers.*",
        ".*exists and is not empty.*",  # a resumed run
    ):
        warnings.filterwarnings("ignore", message=remark)


def _start(recipe: Recipe, out: Path, *, resume: bool) -> Path | None:
    """The checkpoint to go on from, after making sure that it belongs to this recipe."""
    file = out / RECIPE_FILE
    if file.exists() and file.read_text() != recipe.text:
        raise RecipeError(
            out,
            found=f"the run of another recipe ({RECIPE_FILE} there differs)",
            wanted="a new folder, or the run of exactly this recipe to go on with",
            do="choose another --out",
        )
    return last_checkpoint(out) if resume else None


def _trainer(recipe: Recipe, out: Path, *, progress: bool) -> pl.Trainer:
    say = recipe.training
    folder = out / "checkpoints"
    callbacks: list[Callback] = [
        ModelCheckpoint(
            folder, filename="last", every_n_train_steps=say.save_every, save_top_k=1, enable_version_counter=False
        ),
        ModelCheckpoint(
            folder,
            filename="best",
            monitor=f"val/{say.best}",
            mode=say.best_is,
            save_top_k=1,
            enable_version_counter=False,
        ),
    ]
    if say.ema_decay is not None:
        callbacks.append(EMAWeightAveraging(decay=say.ema_decay))
    if progress:
        callbacks.append(RichProgressBar())
    return pl.Trainer(
        default_root_dir=out,
        max_steps=say.max_steps,
        accelerator=say.accelerator,
        devices=say.devices,
        num_nodes=say.num_nodes,
        strategy=say.strategy,
        precision=say.precision,
        accumulate_grad_batches=say.accumulate,
        gradient_clip_val=say.clip_norm,
        val_check_interval=say.validate_every * say.accumulate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        use_distributed_sampler=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        callbacks=callbacks,
        plugins=[AtomicCheckpoints()],
        logger=[CSVLogger(out, name="", version="csv"), TensorBoardLogger(out, name="", version="tensorboard")]
        + [_logger(name, out) for name in say.loggers],
    )


def _logger(name: str, out: Path) -> Logger:
    """One of Lightning's loggers, by class name ("WandbLogger"); it writes into the run's folder."""
    kind = getattr(import_module("lightning.pytorch.loggers"), name, None)
    if kind is None:
        raise RecipeError(
            "training.loggers",
            found=f"{name}, which Lightning does not have",
            wanted="the name of one of Lightning's loggers, such as WandbLogger or MLFlowLogger",
            do="leave it out (csv and TensorBoard are always on), or look it up in lightning.pytorch.loggers",
        )
    return kind(save_dir=out)
