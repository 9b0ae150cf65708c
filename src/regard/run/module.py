"""The one LightningModule: it runs any Task and knows none."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from typing_extensions import override

from regard.batch import Batch
from regard.clips.order import seed_for
from regard.errors import RegardError
from regard.tasks.base import Task

Configure = Callable[[nn.Module, int], dict[str, Any]]
"""From a model and the number of steps to an optimiser and its schedule, in the form that Lightning takes."""

Part = TypeVar("Part")


class NonFiniteLossError(RegardError):
    """Training met a loss that is NaN or infinite."""


class TaskModule(pl.LightningModule):
    """Runs a task's steps; everything about devices, precision and processes is the Trainer's."""

    def __init__(
        self,
        task: Task,
        configure: Configure,
        *,
        seed: int = 0,
        about: Mapping[str, str] | None = None,
        stage: tuple[int, int] | None = None,
        eval_mode: Sequence[nn.Module] = (),
    ) -> None:
        """`stage` is the number of a stage and the step it began at; None where there is only one."""
        super().__init__()
        self.stage, self._begin = stage or (None, 0)
        self.eval_mode = tuple(eval_mode)
        self._planned_steps: int | None = None
        self.task, self.configure, self.seed, self.about = task, configure, seed, dict(about or {})
        self.model = task.model
        self.items: list[pd.DataFrame] = []
        """The rows of each batch."""
        self.losses: list[dict[str, object]] = []
        """Of each validation batch, with its number of clips."""
        self.skipped: dict[str, None] = {}
        """One line for each clip that could not be read, once."""
        self.non_finite: tuple[str, ...] = ()
        """The clips of the batch whose loss stopped the run."""

    @override
    def train(self, mode: bool = True) -> "TaskModule":
        super().train(mode)
        for module in self.eval_mode:
            module.eval()
        return self

    @override
    def on_train_start(self) -> None:
        """A run that is longer or shorter than it was goes on at the rate of one that was always so long."""
        self.train()
        num_steps = self._num_steps()
        if self._planned_steps in {None, num_steps}:
            return
        planned = self.configure(self.model, num_steps)
        schedule, (now,) = planned["lr_scheduler"]["scheduler"], self.trainer.lr_scheduler_configs
        with warnings.catch_warnings(action="ignore"):  # that no step of the optimiser came between
            for _ in range(self.trainer.global_step - self._begin):
                schedule.step()
        if schedule.state_dict() == now.scheduler.state_dict():
            return
        groups = self.trainer.optimizers[0].param_groups
        was = groups[0]["lr"]
        for group, other in zip(groups, planned["optimizer"].param_groups, strict=True):
            group["lr"] = other["lr"]
        now.scheduler.load_state_dict(schedule.state_dict())
        warnings.warn(
            f"{num_steps} steps where {self._planned_steps} were planned: the learning rate goes on as in a run of "
            f"{num_steps} steps, here with {groups[0]['lr']:.3g} in place of {was:.3g}",
            stacklevel=2,
        )

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Dropout and the like follow from the seed and the batch's number, so that a resumed run draws the same."""
        torch.manual_seed(seed_for(self.seed, self.trainer.fit_loop.total_batch_idx, self.global_rank))
        self.task.step = self.global_step

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One loss; a non-finite one stops the run and names the clips. A batch of which nothing could be read is 0."""
        self.skipped |= dict.fromkeys(batch.skipped)
        if not batch.clips:
            return self.task.idle()
        answer = self._answer(batch)
        with self._in_full_precision():
            losses = {k: v.float() for k, v in self.task.loss(answer, batch).items()}
        if not torch.isfinite(losses["loss"]):
            self.non_finite = tuple(map(str, batch.clips))
            raise NonFiniteLossError(
                f"step {self.global_step}" + ("" if self.stage is None else f", of stage {self.stage}"),
                found=f"loss {float(losses['loss'].detach())} on clips {'; '.join(self.non_finite)}",
                wanted="a finite loss",
                do="look at these clips (non_finite_batch.json of the run lists them), or lower the learning rate",
            )
        told = {f"train/{k}": v.detach() for k, v in losses.items()}
        self.log_dict(told, batch_size=len(batch), sync_dist=True, logger=False)
        if self.stage is not None:
            self.log("stage", float(self.stage), logger=False)
        return losses["loss"]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Score every item; nothing is averaged here."""
        self.skipped |= dict.fromkeys(batch.skipped)
        if batch.clips:
            answer = self._answer(batch)
            with self._in_full_precision():
                losses = {k: float(v) for k, v in self.task.loss(answer, batch).items()}
                self.losses.append({"clips": len(batch), **losses})
                self.items.append(self.task.score(answer, batch))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Score every item; `items` holds the rows of this process afterwards."""
        self.skipped |= dict.fromkeys(batch.skipped)
        if batch.clips:
            answer = self._answer(batch)
            with self._in_full_precision():
                self.items.append(self.task.score(answer, batch))

    def on_validation_epoch_end(self) -> None:
        """Sum up the rows of all processes."""
        items, losses = of_all(self.items), pd.DataFrame(of_all(self.losses))
        self.items, self.losses = [], []
        if not items:
            return
        for name in losses.columns.drop("clips"):
            self.log(f"val/{name}", float(np.average(losses[name], weights=losses["clips"])))
        summary = self.task.summarise(self.task.collect(pd.concat(items, ignore_index=True)))
        for line in summary.to_dict("records"):
            self.log(f"val/{line['score']}", float(line["value"]))

    def on_test_epoch_end(self) -> None:
        """Let every process know the rows of all, and what could not be read."""
        self.items = of_all(self.items)
        self.skipped = dict.fromkeys(of_all([*self.skipped]))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Every checkpoint says what it was made from."""
        checkpoint["regard"] = self.about
        checkpoint["planned_steps"] = self._num_steps()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What the stage before ended with is where this one begins, apart from its optimiser."""
        if checkpoint["global_step"] == self._begin:
            checkpoint["optimizer_states"] = checkpoint["lr_schedulers"] = []
        else:
            self._planned_steps = checkpoint.get("planned_steps")

    def configure_optimizers(self) -> Any:
        """What the recipe says."""
        return self.configure(self.model, self._num_steps())

    def _num_steps(self) -> int:
        return self.trainer.max_steps - self._begin

    def _answer(self, batch: Batch) -> Any:
        """The model computes at the precision asked for; what is made of its answer is computed in float32."""
        return in_float32(self.task.answer(batch))

    def _in_full_precision(self) -> torch.autocast:
        """Losses and scores are sums of small numbers, which half precision would round away."""
        return torch.autocast(self.device.type, enabled=False)


def in_float32(answer: Any) -> Any:
    """An answer, be it a tensor or a tuple of several, with its floating-point tensors in float32."""
    if isinstance(answer, Tensor):
        return answer.float() if answer.is_floating_point() else answer
    if isinstance(answer, tuple):
        parts = [in_float32(part) for part in answer]
        return type(answer)(*parts) if hasattr(answer, "_fields") else tuple(parts)
    return answer


def of_all(parts: list[Part]) -> list[Part]:
    """What every process has, in rank order; the same list where there is one process."""
    if not torch.distributed.is_initialized():
        return parts
    everyone: list[list[Part] | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, parts)
    return [part for own in everyone for part in own or []]
