"""Train a recipe: one call, stoppable at any step and resumable bit for bit."""

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch import loggers as known_loggers
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from torch import nn

from regard.engine.arithmetic import chosen, device_of, quick_float32
from regard.engine.pretrained import init_from_pretrained
from regard.engine.training.batches import FitBatches
from regard.errors import RecipeError
from regard.io.files import writing
from regard.recipe import RECIPE_FILE
from regard.recipe.read import Recipe, differences
from regard.recipe.training import Training, seed_everything
from regard.run.checkpoints import AtomicCheckpoints, KeepLastAndBest, read_checkpoint
from regard.run.folder import FOLDER, held, last_checkpoint
from regard.run.metrics_csv import MetricsCsv
from regard.run.module import NonFiniteLossError, TaskModule
from regard.run.processes import as_recipe_error, is_first_process
from regard.run.progress import StepProgress, quiet_lightning
from regard.run.provenance import provenance
from regard.run.stopping import StopOnSignal, TrainingStopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished run: its folder, and the clips that could not be read (with `on_error: skip`).

    `best` is the best value of the validation's `score`, NaN where there was no validation. `begun_at` is the step of
    the checkpoint that the run went on from, 0 for a new run.
    """

    folder: Path
    skipped: tuple[str, ...]
    best: float
    score: str
    begun_at: int


def train(recipe: Recipe, out: Path, *, resume: bool = True, progress: bool = False) -> Trained:
    """Run a recipe to its end in the folder `out`.

    Where `out` holds a checkpoint of the same recipe, the run goes on from it (`resume`), in the middle of an epoch if
    need be, and ends with the weights of a run that was never stopped. Raises RecipeError when the data lacks a field
    that the task needs or `out` holds another recipe's run, FileError when another process trains there,
    NonFiniteLossError when the loss is NaN or infinite, TrainingStopped after a signal.
    """
    quiet_lightning()
    seed_everything(recipe.training.seed)
    torch.set_num_threads(recipe.training.threads)
    if not any(p.requires_grad for p in recipe.task.model.parameters()):
        raise RecipeError(
            "task.model",
            found=f"{type(recipe.task.model).__name__}, which has nothing to train",
            wanted="a model with weights",
            do="score it as it is: regard evaluate RECIPE",
        )
    with StopOnSignal() as stop, held(out) if is_first_process() else nullcontext():
        return _train(recipe, out, stop, resume=resume, progress=progress)


def _train(recipe: Recipe, out: Path, stop: StopOnSignal, *, resume: bool, progress: bool) -> Trained:
    data, settings, model = recipe.data, recipe.training, recipe.task.model
    start = _start(recipe, out, resume=resume)
    if start is None and settings.pretrained is not None:
        init_from_pretrained(model, settings.pretrained)
    batches = FitBatches(data, recipe.task)
    recipe.task.begin(batches.train_clips.clip(i) for i in range(len(batches.train_clips)))
    about = provenance(recipe.text, data.recordings(data.require_train().split))
    contents = {} if start is None else {start: read_checkpoint(start)}
    begun_at = 0 if start is None else _step_of(contents[start], about, settings.max_steps, out)
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    plan = settings.plan()
    for stage in plan:  # so that a mistake in the last shows before the first
        stage.freeze(model, trainable)
        stage.optimiser.build(model, stage.end - stage.begin)
    own, way = recipe.task.scoring.best()
    score = settings.best or own
    better = settings.best_is or (way if score == own else "max")
    keeper = KeepLastAndBest(
        out / FOLDER,
        every=settings.save_every,
        log_every=settings.log_every,
        score=score,
        better=better,
        stop=stop,
    )
    callbacks: list[Callback] = [keeper, stop]
    if settings.ema_decay is not None:
        callbacks.append(EMAWeightAveraging(decay=settings.ema_decay))
    if progress:
        callbacks.append(StepProgress(score=score, steps=settings.max_steps))
    log = MetricsCsv(out / "csv" / "metrics.csv", until_step=begun_at)
    loggers = [
        log,
        TensorBoardLogger(out, name="", version="tensorboard"),
        *(_logger(n, out) for n in settings.loggers),
    ]
    ahead = [(n, stage) for n, stage in enumerate(plan, start=1) if stage.end > begun_at or n == len(plan)]
    whole = _whole_steps(data.batch_size, settings.accumulate, clips=len(batches.train_clips))
    trainers = [
        _trainer(settings, out, callbacks, loggers, contents, model=model, max_steps=stage.end, epoch_steps=whole)
        for _, stage in ahead
    ]
    _check_batch_size(data.batch_size, trainers[0].world_size)
    if is_first_process() and recipe.text:
        with writing(out / RECIPE_FILE) as beside:
            beside.write_text(recipe.text, encoding="utf-8")
    skipped = dict.fromkeys((*batches.train_clips.unusable, *batches.val_clips.unusable))
    for (number, stage), trainer in zip(ahead, trainers, strict=True):
        module = TaskModule(
            recipe.task,
            stage.optimiser.build,
            seed=settings.seed,
            about=about,
            stage=(number, stage.begin) if len(plan) > 1 else None,
            eval_mode=stage.freeze(model, trainable),
        )
        try:
            with quick_float32(model):
                trainer.fit(module, datamodule=batches, ckpt_path=start, weights_only=True)
        except NonFiniteLossError:
            with writing(out / "non_finite_batch.json") as beside:
                beside.write_text(json.dumps({"step": trainer.global_step, "clips": module.non_finite}, indent=1))
            raise
        except TrainingStopped as stopped:
            stopped.step, stopped.saved_step = max(trainer.global_step, begun_at), max(keeper.saved_step, begun_at)
            raise
        skipped |= module.skipped
        start = out / FOLDER / "last.ckpt"
    best = math.nan if keeper.best is None else keeper.best
    return Trained(folder=out, skipped=tuple(skipped), best=best, score=score, begun_at=begun_at)


def _start(recipe: Recipe, out: Path, *, resume: bool) -> Path | None:
    """The checkpoint to go on from, after making sure that it belongs to this recipe."""
    last, file = last_checkpoint(out), out / RECIPE_FILE
    if last is not None and file.exists():
        changed = differences(file, recipe.text)
        if changed:
            more = f", and {len(changed) - 4} more" if len(changed) > 4 else ""
            raise RecipeError(
                out,
                found=f"the run of another recipe: {'; '.join(changed[:4])}{more}",
                wanted="a new folder, or the run of exactly this recipe to go on with",
                do="choose another --out",
            )
    return last if resume else None


def _whole_steps(batch_size: int, accumulate: int, *, clips: int) -> int:
    """Steps of an epoch. Batches that are left over make none, as clips that are left over make no batch."""
    if clips < batch_size * accumulate:
        per_batch = f"{accumulate} batches of {batch_size} clips" if accumulate > 1 else f"{batch_size} clips"
        raise RecipeError(
            "training.accumulate" if accumulate > 1 else "data.batch_size",
            found=f"{per_batch} a step, of {clips} training clips in all: not one whole step an epoch",
            wanted=f"at most {clips} clips, or more recordings",
            do=f"--data.batch_size {max(1, clips // accumulate)}, or let the training sampler cut more clips",
        )
    return clips // (batch_size * accumulate)


def _check_batch_size(batch_size: int, world_size: int) -> None:
    """Before any process is started, each of which would say the same."""
    if batch_size % world_size:
        raise RecipeError(
            "data.batch_size",
            found=f"{batch_size} clips a step over {world_size} processes",
            wanted="a multiple of the number of processes, which share them",
            do=f"--data.batch_size {world_size * -(-batch_size // world_size)}, or fewer --training.devices",
        )


def _step_of(checkpoint: Mapping[str, Any], about: dict[str, str], max_steps: int, out: Path) -> int:
    """The step to go on from, after making sure that the recordings are those of the steps before."""
    if checkpoint["regard"]["data"] != about["data"]:
        raise RecipeError(
            out,
            found=f"recordings that have changed since this run began: data {about['data']}",
            wanted=f"data {checkpoint['regard']['data']}, or a new run",
            do="choose another --out, or begin anew with --restart",
        )
    if checkpoint["global_step"] > max_steps:
        raise RecipeError(
            "training.max_steps",
            found=f"{max_steps}, for a run of {checkpoint['global_step']} steps",
            wanted="as many steps or more: a run can be made longer, not shorter than it is",
            do="choose another --out, or begin anew with --restart",
        )
    return checkpoint["global_step"]


def _trainer(
    settings: Training,
    out: Path,
    callbacks: list[Callback],
    loggers: list[Logger],
    contents: dict[Path, Mapping[str, Any]],
    *,
    model: nn.Module,
    max_steps: int,
    epoch_steps: int,
) -> pl.Trainer:
    with as_recipe_error("training"):
        return pl.Trainer(
            default_root_dir=out,
            max_steps=max_steps,
            accelerator=settings.accelerator,
            devices=settings.devices,
            num_nodes=settings.num_nodes,
            strategy=settings.strategy,
            precision=chosen(settings.precision, model, device_of(settings.accelerator)),
            accumulate_grad_batches=settings.accumulate,
            limit_train_batches=epoch_steps * settings.accumulate,
            gradient_clip_val=settings.clip_norm,
            val_check_interval=settings.validate_every * settings.accumulate,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            log_every_n_steps=settings.log_every,
            use_distributed_sampler=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=list(callbacks),
            plugins=[AtomicCheckpoints(contents)],
            logger=loggers,
        )


def _logger(name: str, out: Path) -> Logger:
    """One of Lightning's loggers, by class name ("WandbLogger"); it writes into the run's folder."""
    kind = getattr(known_loggers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Logger)):
        raise RecipeError(
            "training.loggers",
            found=f"{name}, which Lightning does not have",
            wanted="the name of one of Lightning's loggers, such as WandbLogger or MLFlowLogger",
            do="leave it out (csv and TensorBoard are always on), or look it up in lightning.pytorch.loggers",
        )
    return kind(save_dir=out)  # pyright: ignore[reportCallIssue]
