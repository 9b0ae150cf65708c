"""Ctrl-C and SIGTERM in a training: it ends after the step that is being done, and what it has learned is saved."""

import os
import signal
import threading
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from typing_extensions import override

from regard.run.processes import is_first_process

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(Exception):  # noqa: N818 - nothing went wrong
    """A signal ended the training at `step`; the same command goes on from `saved_step`, 0 where nothing is saved.

    `step` None: it had not begun, and goes on from what was saved before.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
        self.step: int | None = None
        self.saved_step = 0


class StopOnSignal(Callback):
    """Within its `with` block, notes the first signal while steps are done, and stops at once otherwise."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._in_steps = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        self._install()
        return self

    def __exit__(self, *_: object) -> None:
        self._in_steps = False
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._in_steps = True
        self._install()  # Lightning has put its own in front

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._in_steps = False

    def after_step(self, trainer: pl.Trainer) -> None:
        """Raises TrainingStopped where any of the processes was told to stop. All must call it, after the same step."""
        if trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            raise TrainingStopped(self.received or signal.SIGTERM)

    def _install(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before = signal.signal(number, self._on_signal)
                self._before.setdefault(number, before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None or not self._in_steps:
            raise TrainingStopped(number)
        self.received = number
        if is_first_process():  # not print, which may itself be what the signal came into
            os.write(2, b"\nstopping after this step, and its validation if one is due; once more stops at once\n")
