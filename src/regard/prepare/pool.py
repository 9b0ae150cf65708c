"""Who works on many recordings: processes of this machine, or those of a Ray cluster of many machines.

Both are told a work, a function that any process can be sent, and say of each thing as it is finished what came of it.
"""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar

from regard.clips.cores import START_METHOD, usable_cores
from regard.errors import FileError, MissingExtraError, RegardError

Engine = Literal["processes", "ray"]

T = TypeVar("T")
R = TypeVar("R")


class ClusterError(RegardError):
    """A Ray cluster that does not answer or does not start."""


def ended_on(path: Path) -> FileError:
    """What is said of a recording that ended the process which worked on it."""
    return FileError(
        path,
        found="the process that worked on it came to an end, as where a decoder crashes or there is no memory left",
        wanted="a recording that can be worked on to its end",
        do="see whether `regard check --thorough` says what is wrong with it; the others are finished",
    )


def finished(
    work: Callable[[T], R],
    things: Sequence[T],
    *,
    ended: Callable[[T], R],
    engine: Engine = "processes",
    workers: int | None = None,
    start_method: str = START_METHOD,
) -> Iterator[tuple[int, R]]:
    """The number of each thing as it is done, and what `work` returned; what `work` raises is raised, and ends it.

    Where a process comes to an end in the middle of its work (a library's crash, no memory left), what is not done yet
    is done one by one, and what `ended` returns stands for each thing that ends its process again.

    In `workers` processes (None: one on each usable core; 1: in this one itself). `engine` "ray" gives them to the Ray
    cluster that this machine belongs to (`ray start`, or RAY_ADDRESS); else to one started for this call. Each thing is
    a task of its own that takes one core; `workers` bounds how many run at once. All machines must see the recordings
    and the output folder under the same paths. `start_method` is of processes: work that draws and writes tables takes
    "spawn", because a fork inherits the locks of their libraries' threads, and can wait for them for ever. Raises
    MissingExtraError without the extra `ray`, and ClusterError where a cluster does not start.
    """
    if engine == "ray":
        yield from _in_ray(work, things, workers)
    elif (number := min(len(things), workers or usable_cores())) <= 1:
        yield from enumerate(map(work, things))
    else:
        left = dict(enumerate(things))
        with suppress(BrokenExecutor):
            for done, came in _in_processes(work, left, number, start_method):
                del left[done]
                yield done, came
        for alone, thing in left.items():
            try:
                yield from _in_processes(work, {alone: thing}, 1, start_method)
            except BrokenExecutor:
                yield alone, ended(thing)


def _in_processes(
    work: Callable[[T], R], things: Mapping[int, T], workers: int, start_method: str
) -> Iterator[tuple[int, R]]:
    pool = ProcessPoolExecutor(workers, mp_context=get_context(start_method), initializer=_one_thread)
    try:
        with _interrupts("SIG_BLOCK"):  # also in the processes, which begin here
            futures = {pool.submit(_interruptible, work, thing): number for number, thing in things.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _interruptible(work: Callable[[T], R], thing: T) -> R:
    """Ctrl-C stops the work and all that this process has waiting; one that is idle would only print a traceback."""
    try:
        with _interrupts("SIG_UNBLOCK"):
            return work(thing)
    except KeyboardInterrupt:
        signal.raise_signal(signal.SIGINT)  # waits until the next thing would begin
        raise


@contextmanager
def _interrupts(how: Literal["SIG_BLOCK", "SIG_UNBLOCK"]) -> Iterator[None]:
    """Within the block this thread's Ctrl-C waits, or does not; without signal masks (Windows), nothing changes."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT})  # raises what has waited
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _one_thread() -> None:
    """Several processes share the cores; torch's threads in each would wait for one another. Ray sees to it itself."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def _in_ray(work: Callable[[T], R], things: Sequence[T], workers: int | None) -> Iterator[tuple[int, R]]:
    if not things:
        return
    ray = _ray()
    began_here = not ray.is_initialized()
    if began_here:
        _start(ray)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        numbers = ray.data.from_items([{"number": i} for i in range(len(things))], override_num_blocks=len(things))
        for row in numbers.map(lambda row: _row(work, things, row["number"]), concurrency=workers).iter_rows():
            came = row["came"]
            if came.raised is not None:
                raise came.raised
            yield row["number"], came.result
    finally:
        if began_here:
            ray.shutdown()


def _start(ray: Any) -> None:
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # a bare Exception is what Ray raises where a machine is too busy to begin in 30 s
        raise ClusterError(
            "--engine ray",
            found=(str(error) or type(error).__name__).splitlines()[0],
            wanted="a Ray cluster that can be reached, or a machine that can start one",
            do="start one with `ray start --head`, or do without: `regard prepare` takes --shard 0/4 ... 3/4 in "
            "a job array",
        ) from error


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of a task. What it raised travels as a value, because Ray would wrap it in an error of its own."""

    result: Any
    raised: RegardError | None


def _row(work: Callable[[T], Any], things: Sequence[T], number: int) -> dict[str, Any]:
    try:
        came = _Came(work(things[number]), None)
    except RegardError as error:
        came = _Came(None, error)
    return {"number": number, "came": came}


def _ray() -> Any:
    """Ray with Ray Data, told to send no usage statistics; it remarks on its own defaults while it is imported."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray = import_module("ray")
            import_module("ray.data")
    except ImportError as error:
        raise MissingExtraError.of("--engine ray", package="ray[data]", extra="ray") from error
    return ray
