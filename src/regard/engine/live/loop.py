"""The live loop: one thread grabs pictures, one a model answers, one a listener films, writes or shows.

Between them are queues of bounded length. Whoever is too slow misses pictures, which are counted; nobody makes another
one wait, unless the source's pictures can wait.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from regard.engine.arithmetic import quick_float32
from regard.engine.live.answers import ANSWERED, Answer, Listener
from regard.engine.live.asking import Asking
from regard.engine.live.inbox import Inbox
from regard.engine.live.tally import Tally
from regard.io.fingerprint import fingerprint
from regard.io.live.grabbed import Grabbed, LiveSource, Tell
from regard.prediction import Prediction

POLL_S = 0.1
STALLED_S = 2.0
"""A source that shows nothing for so long is told of."""
NICE = 10
"""By how much listeners stand back."""
PATIENCE_S = 20.0
"""How long the next of the last answers and pictures is waited for, once it is to stop."""


class Live:
    """One run. `run` returns when the source ends or somebody calls `stop`, also from another thread or on Ctrl-C.

    `tell` is told what goes wrong and is mended. `every` is called with what was counted since it was last called,
    every `every_s` seconds. `total` counts all of it.
    """

    def __init__(
        self,
        source: LiveSource,
        models: Sequence[Asking],
        listeners: Sequence[Listener] = (),
        *,
        tell: Tell,
        every: Callable[[Tally], None] = lambda _: None,
        every_s: float = 5.0,
        threads: int = 1,
    ) -> None:
        self.source, self.models, self.listeners = source, tuple(models), tuple(listeners)
        self._names = tuple(model.name for model in models)
        self.total, self._since = Tally(self._names), Tally(self._names)
        self._tell, self._every, self._every_s, self._threads = tell, every, every_s, threads
        self._stop, self._failed = threading.Event(), threading.Event()
        self._errors: list[BaseException] = []
        self._questions: list[Inbox[tuple[Grabbed, Any]]] = [Inbox(m.room, waits=source.waits) for m in self.models]
        self._heard: list[Inbox[Grabbed | Answer]] = [Inbox(one.room, waits=source.waits) for one in self.listeners]
        self._came_s = self._moved_s = time.monotonic()
        video = source.recording.video
        self._print = None if video is None else fingerprint(video.path)

    def stop(self) -> None:
        """Grab no more; what was asked is still answered, and what is written is finished."""
        self._stop.set()

    def run(self) -> Tally:
        """What was counted. Raises what a thread raised, once everything is closed."""
        with ExitStack() as stack:
            for model in self.models:
                stack.enter_context(quick_float32(model.asked.task.model))
            return self._run()

    def _run(self) -> Tally:
        grabbing = self._thread("grab", self._grab)
        answering = [
            self._thread(m.name, self._answer, m, box) for m, box in zip(self.models, self._questions, strict=True)
        ]
        listening = [
            self._thread(one.name, self._listen, one, box) for one, box in zip(self.listeners, self._heard, strict=True)
        ]
        try:
            self._wait(grabbing)
        except KeyboardInterrupt:
            self._tell("stopping")
        finally:
            self.stop()
            self._join([grabbing], self._questions)
            self._join(answering, self._heard)
            self._join(listening, [])
        if self._errors:
            raise self._errors[0]
        return self.total

    def _wait(self, grabbing: threading.Thread) -> None:
        told_s, stalled_s = time.monotonic(), 0.0
        while grabbing.is_alive() and not self._stop.is_set() and not self._failed.is_set():
            grabbing.join(POLL_S)
            now_s = time.monotonic()
            silent_s = now_s - self._came_s
            if silent_s > STALLED_S and not stalled_s:
                stalled_s = self._came_s
                self._tell(f"no picture for {silent_s:.1f} s; waiting")
            elif stalled_s and self._came_s > stalled_s:
                self._tell(f"pictures come again, after {self._came_s - stalled_s:.1f} s")
                stalled_s = 0.0
            if now_s - told_s >= self._every_s:
                told_s = now_s
                since, self._since = self._since, Tally(self._names)
                self._every(since)

    def _join(self, threads: list[threading.Thread], fed: Sequence[Inbox[Any]]) -> None:
        """Wait for these threads as long as anything is done, and then end the queues that they fed."""
        self._moved_s = time.monotonic()
        for thread in threads:
            while thread.is_alive() and (left_s := self._moved_s + PATIENCE_S - time.monotonic()) > 0:
                thread.join(left_s)
            if thread.is_alive():
                self._tell(f"{thread.name} has done nothing for {PATIENCE_S:g} s; it is left behind")
        for box in fed:
            box.end()

    def _thread(self, name: str, work: Callable[..., None], *what: Any) -> threading.Thread:
        def run() -> None:
            try:
                torch.set_num_threads(self._threads)
                with torch.inference_mode():
                    work(*what)
            except BaseException as error:
                self._errors.append(error)
                self._failed.set()
                self._stop.set()
                for box in what[1:]:  # whoever waits for room in it waits no more
                    box.end()

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    def _grab(self) -> None:
        for grabbed in self.source.frames(self._stop, self._tell):
            self._came_s = time.monotonic()
            for tally in (self.total, self._since):
                tally.saw(grabbed.time_s, grabbed.decode_s)
            for model, box in zip(self.models, self._questions, strict=True):
                if (question := model.offer(grabbed)) is not None:
                    before = box.dropped
                    box.put((grabbed, question))
                    for tally in (self.total, self._since):
                        tally.asked(model.name, dropped=box.dropped - before)
            for listener, box in zip(self.listeners, self._heard, strict=True):
                box.put(grabbed)
                if listener.name:
                    self.total.unseen[listener.name] = box.dropped
            if self._stop.is_set():
                return

    def _answer(self, model: Asking, box: Inbox[tuple[Grabbed, Any]]) -> None:
        while (taken := box.take()) is not None:
            grabbed, question = taken
            began_s = time.monotonic()
            said = model.answer(question)
            ended_s = self._moved_s = time.monotonic()
            infer_s, latency_s = ended_s - began_s, ended_s - grabbed.due_s
            for tally in (self.total, self._since):
                tally.answered(model.name, latency_s=latency_s, infer_s=infer_s)
            if said is not None:
                answer = Answer(
                    model=model.name,
                    prediction=self._signed(said, model, answered_s=grabbed.time_s + latency_s),
                    frame_s=grabbed.time_s,
                    answered_s=grabbed.time_s + latency_s,
                    infer_s=infer_s,
                    dropped=box.dropped,
                )
                for heard in self._heard:
                    heard.put(answer, may_drop=False)
            if self.source.waits:
                continue
            changed = model.pace.answered(grabbed.time_s, took_s=infer_s, dropped=box.dropped)
            if changed is not None:
                self._tell(f"{model.name}: {changed}")

    def _signed(self, said: Prediction, model: Asking, *, answered_s: float) -> Prediction:
        """By whom, about which video, and when."""
        values = {**said.values, ANSWERED: np.full(len(said), answered_s)}
        return replace(said, model=model.name, class_names=model.asked.class_names, source=self._print, values=values)

    def _listen(self, listener: Listener, box: Inbox[Grabbed | Answer]) -> None:
        if sys.platform == "linux":  # where a priority is a thread's own; answers go before films
            os.nice(NICE)
        listener.open()
        try:
            while (heard := box.take()) is not None:
                if isinstance(heard, Answer):
                    listener.answered(heard)
                else:
                    began_s = time.monotonic()
                    listener.saw(heard)
                    self._moved_s = time.monotonic()
                    if listener.name:
                        for tally in (self.total, self._since):
                            tally.durations["draw"].add(self._moved_s - began_s)
        finally:
            listener.close()
