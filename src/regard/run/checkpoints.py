"""Checkpoints: written whole or not at all, read without executing anything."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from typing_extensions import override

from regard.errors import RecipeError, WeightsError
from regard.io.files import writing
from regard.run.stopping import StopOnSignal, TrainingStopped
from regard.run.weights import read_weights, state_of


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the target and renames, so that a full disk or a kill leaves the previous checkpoint as it was.

    `contents` are checkpoints that have been read: each is handed out once in place of its file, and let go.
    """

    def __init__(self, contents: dict[Path, Mapping[str, Any]] | None = None) -> None:
        super().__init__()
        self._contents = {} if contents is None else contents

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return dict(self._contents.pop(Path(path), None) or read_checkpoint(Path(path)))

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Raises FileError where it cannot be written."""
        with writing(Path(path)) as beside, beside.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # what torch makes of a full disk
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from error
                raise


class KeepLastAndBest(Checkpoint):
    """`last.ckpt` every so many steps and at the last one, `best.ckpt` when a validation score is the best yet.

    Where a validation is due at a step that is saved, it is saved after the validation, so that a run killed between
    the two does both again. Logs are written first: they never stand behind the checkpoint. A signal that `stop` has
    noted ends the training where a step is whole, which is then saved.
    """

    def __init__(
        self,
        folder: Path,
        *,
        every: int,
        log_every: int,
        score: str,
        better: Literal["max", "min"],
        stop: StopOnSignal,
    ) -> None:
        self.folder, self.every, self.log_every, self.stop = folder, every, log_every, stop
        self.score, self.better = score, better
        self.best: float | None = None
        self.saved_step = 0
        self._step = 0
        self._stepped = False

    def state_dict(self) -> dict[str, Any]:
        """The best score, so that a resumed run does not begin anew to call everything best."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The best score so far."""
        self.best = state_dict["best"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What is loaded need not be saved again."""
        self.saved_step = self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log and save after an optimiser step that is due; a validation comes before the saving."""
        self._stepped, self._step = trainer.global_step != self._step, trainer.global_step
        if self._stepped and self._step % self.log_every == 0:
            _log_step(trainer)
        assert isinstance(trainer.val_check_interval, int)
        validation_follows = (trainer.fit_loop.total_batch_idx + 1) % trainer.val_check_interval == 0
        if not validation_follows:
            self._after_batch(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what scored best. Raises RecipeError where there is no such score."""
        scores = {k.removeprefix("val/"): float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        if self.score not in scores:
            raise RecipeError(
                "training.best",
                found=f"{self.score}, which the validation does not give",
                wanted=f"one of {', '.join(sorted(scores))}",
                do="choose one of these; a score is missing where no clip of the val split has what it needs",
            )
        score = scores[self.score]
        if self.best is None or (score > self.best if self.better == "max" else score < self.best):
            self.best = score
            trainer.save_checkpoint(self.folder / "best.ckpt")
        self._after_batch(trainer)

    def _after_batch(self, trainer: pl.Trainer) -> None:
        if not self._stepped:
            return
        if self._step % self.every == 0 or self._step == trainer.max_steps:
            self._save(trainer)
        try:
            self.stop.after_step(trainer)
        except TrainingStopped:
            self._save(trainer)
            raise

    def _save(self, trainer: pl.Trainer) -> None:
        if trainer.global_step != self.saved_step:
            for logger in trainer.loggers:
                logger.save()
            trainer.save_checkpoint(self.folder / "last.ckpt")
            self.saved_step = trainer.global_step


def _log_step(trainer: pl.Trainer) -> None:
    """What the module logged of a training step; Lightning would do it only after the checkpoint."""
    row = {k: float(v) for k, v in trainer.callback_metrics.items() if not k.startswith("val/")}
    for logger in trainer.loggers:
        logger.log_metrics({**row, "epoch": trainer.current_epoch}, trainer.global_step - 1)
        logger.save()


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """A checkpoint's content, tensors and plain values only. Raises WeightsError for anything else."""
    if not path.is_file():
        raise WeightsError(
            path,
            found="no such file" if not path.exists() else "a folder",
            wanted="a checkpoint file, as `regard train` writes it",
            do="look into the run's folder: ls RUN/checkpoints",
        )
    content = read_weights(path)
    state_of(content, where=path)
    return content
