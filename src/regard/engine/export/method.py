"""The method by which a model leaves torch, what it is called with, and another function in its place."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from regard.batch import Batch
from regard.errors import RegardError
from regard.tasks.base import Streams, Task

ADVANCE = "advance"
"""An exported method of this name is a model's `step` with the state as tensors."""

Function = Callable[..., Any]


class ExportError(RegardError):
    """A model that does not leave torch, or not to the runtime that was asked for."""


@runtime_checkable
class Exports(Protocol):
    """A model of which one method leaves torch: what takes its time, and nothing that depends on what is there.

    The method takes tensors and gives a tensor or a tuple of them, in all of which examples come first; no example
    depends on another one. Sizes are those it is first called with. One called ADVANCE is the model's `step` on a state
    of tensors: wherever it has been exchanged, clips are answered about frame by frame.
    """

    exported: ClassVar[str]


class Calls(NamedTuple):
    """What a method was called with, one example each."""

    names: tuple[str, ...]
    outputs: tuple[str, ...]
    given: list[tuple[Tensor, ...]]


def method_of(model: nn.Module) -> str:
    """The name of the method. Raises ExportError where the model does not say."""
    if not isinstance(model, Exports):
        raise ExportError(
            type(model).__name__,
            found="a model that does not say what of it is exported",
            wanted='the name of a method from tensors to tensors in its class: exported = "forward"',
            do="add the line, or run the model in torch",
        )
    return model.exported


@dataclass
class _Restores:
    """Puts back what the model had of its own under these names, or nothing."""

    model: nn.Module
    before: dict[str, Any]

    def __call__(self) -> None:
        for name, own in self.before.items():
            if own is None:
                self.model.__dict__.pop(name, None)
            else:
                setattr(self.model, name, own)


def exchange(model: nn.Module, function: Function) -> Callable[[], None]:
    """From now on the model calls this function in place of its exported method; what is returned undoes that."""
    name = method_of(model)
    _, *names = inspect.signature(getattr(type(model), name)).parameters
    restores = _Restores(model, {n: model.__dict__.get(n) for n in (name, *(("forward",) if name == ADVANCE else ()))})
    setattr(model, name, lambda *given, **named: function(*given, *(named[n] for n in names[len(given) :])))
    if name == ADVANCE:
        model.forward = _by_steps(model)
    return restores


@contextmanager
def exchanged(model: nn.Module, function: Function) -> Iterator[None]:
    """Within it the model calls this function."""
    undo = exchange(model, function)
    try:
        yield
    finally:
        undo()


def _by_steps(model: nn.Module) -> Function:
    """`forward` of a model that is fed frame by frame; at a frame that is not valid, the last answer again."""
    assert isinstance(model, Streams)

    def forward(video: Tensor, frame_valid: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        state = model.begin(len(video)) if state is None else state
        answers: list[Tensor] = []
        for i in range(video.shape[1]):
            if frame_valid is None or not answers or bool(frame_valid[:, i].any()):
                answer, state = model.step(video[:, i], state)
                answers.append(answer)
            else:
                answers.append(answers[-1])
        return torch.stack(answers, dim=1), state

    return forward


@torch.inference_mode()
def calls(task: Task, batches: Iterable[Batch]) -> Calls:
    """What the exported method is called with as the task answers about these batches."""
    model, given, outputs = task.model, [], []
    method: Function = getattr(model, method_of(model))
    named = inspect.signature(method).parameters

    def noted(*arguments: Tensor) -> Any:
        answer = method(*arguments)
        for example in zip(*(each.detach().cpu().split(1) for each in arguments), strict=True):
            given.append(tuple(part.clone() for part in example))
        outputs[:] = getattr(answer, "_fields", None) or [f"answer_{i}" for i in range(len(as_tuple(answer)))]
        return answer

    with exchanged(model, noted):
        for batch in batches:
            task.answer(batch)
    names = [n for n, p in named.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    names += [f"part_{i}" for i in range(len(given[0]) - len(names))]
    return Calls(tuple(names[: len(given[0])]), tuple(outputs), [_spread(parts, _sizes(given)) for parts in given])


def _sizes(given: list[tuple[Tensor, ...]]) -> list[tuple[int, ...]]:
    """Of each input, the longest of each axis: a state before the first frame may be of one place, for all."""
    return [tuple(map(max, zip(*(p.shape for p in parts), strict=True))) for parts in zip(*given, strict=True)]


def _spread(parts: tuple[Tensor, ...], sizes: list[tuple[int, ...]]) -> tuple[Tensor, ...]:
    return tuple(part.expand(size).contiguous() for part, size in zip(parts, sizes, strict=True))


def as_tuple(answer: Any) -> tuple[Tensor, ...]:
    """What a method gave, one tensor or several."""
    return (answer,) if isinstance(answer, Tensor) else tuple(answer)
