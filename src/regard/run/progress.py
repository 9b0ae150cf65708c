"""What a user sees of a run that works: a bar on a terminal, a line a minute elsewhere, and one for each validation."""

import logging
import sys
import time
import warnings
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 60.0
"""How often a line is written where there is no terminal for a bar."""


class StepProgress(Callback):
    """Counts optimiser steps while training and batches while testing.

    `score` is the one shown after a validation, `steps` those of the whole run, `what` the word beside a test's bar.
    """

    def __init__(self, *, score: str = "", steps: int = 0, what: str = "scoring") -> None:
        self.score, self.steps, self.what = score, steps, what
        self._bars: Progress | None = None
        self._bar = TaskID(0)
        self._said_s = self._began_s = 0.0
        self._began_at = self._total = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin where the run begins, which is not 0 for a resumed one."""
        self._begin(trainer, "training", self.steps, trainer.global_step)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on, and show the loss."""
        if trainer.is_global_zero:
            loss = float(trainer.callback_metrics.get("train/loss", float("nan")))
            self._at(trainer.global_step, f"training, loss {loss:.3f}")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """One line, which also stays in a log file."""
        names = ("loss", self.score)
        scores = [f"{n} {float(v):.3f}" for n in names if (v := trainer.callback_metrics.get(f"val/{n}")) is not None]
        line = f"step {trainer.global_step} of {self.steps}: validation {', '.join(scores)}"
        if self._bars is not None:
            self._bars.console.print(line)
        elif trainer.is_global_zero:
            print(line, file=sys.stderr, flush=True)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count batches."""
        self._begin(trainer, self.what, int(sum(trainer.num_test_batches)), 0)

    def on_test_batch_end(  # noqa: PLR0917 - as Lightning calls it
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Move on."""
        if trainer.is_global_zero:
            self._at(batch_idx + 1, self.what)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the terminal back, whether the run ended well or not."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """As at the end."""
        self.teardown(trainer, pl_module, "")

    def _begin(self, trainer: pl.Trainer, what: str, total: int, completed: int) -> None:
        self._began_s = self._said_s = time.monotonic()
        self._began_at, self._total = completed, total
        if not trainer.is_global_zero or not sys.stderr.isatty():
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar = self._bars.add_task(what, total=total, completed=completed)
        self._bars.start()

    def _at(self, done: int, what: str) -> None:
        if self._bars is not None:
            self._bars.update(self._bar, completed=done, description=what)
            return
        now_s = time.monotonic()
        if now_s - self._said_s >= LINE_EVERY_S and done > self._began_at:
            self._said_s = now_s
            left_s = (self._total - done) * (now_s - self._began_s) / (done - self._began_at)
            print(f"{what}: {done} of {self._total}, about {left_s / 60:.0f} min left", file=sys.stderr, flush=True)


def quiet_lightning() -> None:
    """Keep advertisements and remarks about things that are so on purpose off the user's console."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for remark in (
        ".*treespec, LeafSpec.*",  # lightning 2.6 beside torch 2.13
        ".*is smaller than the logging interval.*",
        ".*module\\(s\\) in eval mode.*",  # normalisation statistics that are constants
        ".*does not have many workers.*",
        ".*exists and is not empty.*",  # a resumed run
        ".*recommended to use `self.log.*sync_dist=True.*",  # scores of gathered rows are the same in every process
    ):
        warnings.filterwarnings("ignore", message=remark)
