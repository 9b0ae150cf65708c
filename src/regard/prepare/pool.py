"""Who works on many recordings: processes of this machine, or those of a Ray cluster of many machines.

Both are told a work, a function that any process can be sent, and say of each thing as it is finished what came of it.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from typing import Any, Literal, TypeVar

from regard.clips.cores import START_METHOD, usable_cores
from regard.errors import MissingExtraError, RegardError

Engine = Literal["processes", "ray"]

T = TypeVar("T")
R = TypeVar("R")


class ClusterError(RegardError):
    """A Ray cluster that does not answer or does not start."""


def finished(
    work: Callable[[T], R],
    things: Sequence[T],
    *,
    engine: Engine = "processes",
    workers: int | None = None,
    start_method: str = START_METHOD,
) -> Iterator[tuple[int, R]]:
    """The number of each thing as it is done, and what `work` returned; what `work` raises is raised, and ends it.

    In `workers` processes (None: one on each usable core; 1: in this one itself). `engine` "ray" gives them to the Ray
    cluster that this machine belongs to (`ray start`, or RAY_ADDRESS); else to one started for this call. Each thing is
    a task of its own that takes one core; `workers` bounds how many run at once. All machines must see the recordings
    and the output folder under the same paths. `start_method` is of processes: work that draws and writes tables takes
    "spawn", because a fork inherits the locks of their libraries' threads, and can wait for them for ever. Raises
    MissingExtraError without the extra `ray`, and ClusterError where workers do not start or come to an end before
    their work.
    """
    if engine == "ray":
        yield from _in_ray(work, things, workers)
    elif (number := min(len(things), workers or usable_cores())) <= 1:
        yield from enumerate(map(work, things))
    else:
        yield from _in_processes(work, things, number, start_method)


def _in_processes(
    work: Callable[[T], R], things: Sequence[T], workers: int, start_method: str
) -> Iterator[tuple[int, R]]:
    pool = ProcessPoolExecutor(workers, mp_context=get_context(start_method))
    try:
        futures = {pool.submit(work, thing): number for number, thing in enumerate(things)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenExecutor as error:
        raise ClusterError(
            f"{workers} processes",
            found="one of them was ended from outside, as by a system that is out of memory",
            wanted="processes that come to the end of their work",
            do="repeat it with fewer at once: what is finished is kept",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


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
