"""Who makes films: processes of this machine, or those of a Ray cluster of many machines.

Both are told a work, a function that any process can be sent, and give each recording back as its film is finished.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from multiprocessing import get_context
from typing import Any, Literal

from regard.clips.cores import START_METHOD
from regard.errors import FileError, MissingExtraError, RegardError
from regard.types import Recording

Engine = Literal["processes", "ray"]

Work = Callable[[Recording], FileError | None]
"""Makes one film. Returns what is wrong with the recording; raises what is wrong with the folder written to."""

Finished = Iterator[tuple[Recording, FileError | None]]


class ClusterError(RegardError):
    """A Ray cluster that does not answer or does not start."""


def in_processes(work: Work, recordings: Sequence[Recording], workers: int) -> Finished:
    """By so many processes of this machine; by this one itself if one is enough."""
    if workers <= 1:
        for recording in recordings:
            yield recording, work(recording)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context(START_METHOD))
    try:
        futures = {pool.submit(work, r.light("faces")): r for r in recordings}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_ray(work: Work, recordings: Sequence[Recording], workers: int | None) -> Finished:
    """By the Ray cluster that this machine belongs to (`ray start`, or RAY_ADDRESS); else by one started for this call.

    Each film is a task of its own that takes one core; `workers` bounds how many run at once. All machines must see the
    recordings and the output folder under the same paths. Raises MissingExtraError without the extra `ray`.
    """
    if not recordings:
        return
    ray = _ray()
    began_here = not ray.is_initialized()
    if began_here:
        _start(ray)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    light = [r.light("faces") for r in recordings]
    try:
        numbers = ray.data.from_items([{"number": i} for i in range(len(light))], override_num_blocks=len(light))
        for row in numbers.map(lambda row: _row(work, light, row["number"]), concurrency=workers).iter_rows():
            error = FileError(**row["error"]) if row["error"] else None
            if row["is_fatal"]:
                assert error is not None
                raise error
            yield recordings[row["number"]], error
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
            do="start one with `ray start --head`, or do without: --shard 0/4 ... 3/4 in a job array",
        ) from error


def _row(work: Work, recordings: Sequence[Recording], number: int) -> dict[str, Any]:
    """What a task sends back: which film it was, and an error in its parts, because Ray would wrap it in its own."""
    is_fatal = False
    try:
        error = work(recordings[number])
    except FileError as raised:
        error, is_fatal = raised, True
    parts = {name: getattr(error, name) for name in ("where", "found", "wanted", "do")} if error else {}
    return {"number": number, "error": parts, "is_fatal": is_fatal}


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
