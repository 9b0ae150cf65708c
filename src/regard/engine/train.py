"""Train a recipe: one call, stoppable at any step and resumable bit for bit."""

import csv
import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from regard.engine.arithmetic import quick_float32
from regard.engine.batches import FitBatches
from regard.engine.checkpoints import AtomicCheckpoints, KeepLastAndBest, read_checkpoint
from regard.engine.module import NonFiniteLossError, TaskModule
from regard.engine.progress import StepProgress, quiet_lightning
from regard.engine.provenance import provenance
from regard.engine.recipe import Recipe
from regard.engine.run import FOLDER, RECIPE_FILE, last_checkpoint
from regard.engine.training import is_first_process, seed_everything
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
    data, say = recipe.data, recipe.training
    seed_everything(say.seed)
    torch.set_num_threads(say.threads)
    if not any(p.requires_grad for p in recipe.task.model.parameters()):
        raise RecipeError(
            "task.model",
            found=f"{type(recipe.task.model).__name__}, which has nothing to train",
            wanted="a model with weights",
            do="score it as it is: regard evaluate RECIPE",
        )
    start = _start(recipe, out, resume=resume)
    batches = FitBatches(data, recipe.task)
    log = _csv_log(out, until_step=0 if start is None else read_checkpoint(start)["global_step"])
    trainer = _trainer(recipe, out, log, progress=progress)
    if is_first_process() and recipe.text:
        with writing(out / RECIPE_FILE) as beside:
            beside.write_text(recipe.text, encoding="utf-8")
    about = provenance(recipe.text, data.recordings(data.train.split))
    module = TaskModule(recipe.task, say.optimiser, seed=say.seed, about=about)
    try:
        with quick_float32(recipe.task.model):
            trainer.fit(module, datamodule=batches, ckpt_path=start, weights_only=True)
    except NonFiniteLossError:
        with writing(out / "non_finite_batch.json") as beside:
            beside.write_text(json.dumps({"step": trainer.global_step, "clips": module.non_finite}, indent=1))
        raise
    unusable = (*batches.train_clips.unusable, *batches.val_clips.unusable)
    return Trained(folder=out, skipped=(*unusable, *module.skipped))


def _start(recipe: Recipe, out: Path, *, resume: bool) -> Path | None:
    """The checkpoint to go on from, after making sure that it belongs to this recipe."""
    file = out / RECIPE_FILE
    if file.exists() and file.read_text(encoding="utf-8") != recipe.text:
        raise RecipeError(
            out,
            found=f"the run of another recipe ({RECIPE_FILE} there differs)",
            wanted="a new folder, or the run of exactly this recipe to go on with",
            do="choose another --out",
        )
    return last_checkpoint(out) if resume else None


def _trainer(recipe: Recipe, out: Path, log: Logger, *, progress: bool) -> pl.Trainer:
    say = recipe.training
    callbacks: list[Callback] = [
        KeepLastAndBest(out / FOLDER, every=say.save_every, score=say.best, better=say.best_is)
    ]
    if say.ema_decay is not None:
        callbacks.append(EMAWeightAveraging(decay=say.ema_decay))
    if progress:
        callbacks.append(StepProgress(score=say.best))
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
        log_every_n_steps=say.log_every,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
        plugins=[AtomicCheckpoints()],
        logger=[log, TensorBoardLogger(out, name="", version="tensorboard")]
        + [_logger(name, out) for name in say.loggers],
    )


def _csv_log(out: Path, *, until_step: int) -> CSVLogger:
    """The log as a table, which goes on after what it says of the steps before `until_step`."""
    log = CSVLogger(out, name="", version="csv")
    file = Path(log.log_dir) / "metrics.csv"
    if is_first_process() and file.exists():
        with file.open(newline="", encoding="utf-8") as lines:
            rows = [{k: v for k, v in row.items() if v} for row in csv.DictReader(lines)]
        kept = [row for row in rows if int(row["step"]) < until_step]
        log.experiment.metrics.extend(kept)
        log.save()
    return log


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
