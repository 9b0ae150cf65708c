"""How a model is asked about pictures as they come: fed one by one, or shown a window of the last ones on a hop.

Pictures are made ready as in training: scaled by the decoder, changed by the recipe's transforms, stacked as clips are.
"""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from typing_extensions import override

from regard.batch import Batch, Sample
from regard.clips.collate import collate
from regard.clips.sampling.everywhere import EveryFrame, EveryMoment
from regard.clips.sampling.window import TOLERANCE_S, Window
from regard.engine.arithmetic import autocast, chosen
from regard.engine.ask import Asked
from regard.engine.live.moving import Grey, Moving, Pair
from regard.engine.live.pace import Pace
from regard.io.live.grabbed import Developed, Grabbed, LiveSource
from regard.prediction import Prediction
from regard.prepare.flow import FlowSettings
from regard.prepare.making import planned
from regard.recipe.training import Precision, Products
from regard.sources import SoundSource
from regard.transforms.place import target_size
from regard.types import Clip, GazeTrack

GAZE_BACK_S = 0.1
"""How far before a window its gaze is asked for: farther than gaze at a moment may be measured from it."""

Picture = UInt8[np.ndarray, "h w 3"]


class Asking(ABC):
    """One model and one source. `offer` runs where pictures are grabbed, `answer` in a thread of the model's own."""

    room: int
    """How many questions may wait."""

    def __init__(self, asked: Asked, source: LiveSource, *, every_s: float, device: str, precision: Precision) -> None:
        self.name, self.asked, self.source, self.pace = asked.name, asked, source, Pace(every_s)
        self._place = torch.device(device)
        self._products: Products = chosen(precision, asked.task.model, self._place)
        self._developed = Developed()
        asked.task.model.to(self._place).eval()

    @abstractmethod
    def offer(self, grabbed: Grabbed) -> Any:
        """The question that this picture raises; None where it is not time for one."""

    @abstractmethod
    def answer(self, question: Any) -> Prediction | None:
        """What the model says about it; None where it says nothing new."""

    def _developed_rgb(self, grabbed: Grabbed) -> Picture:
        wanted = self.asked.decode_size
        size = grabbed.size if wanted is None else target_size(grabbed.size, wanted)
        return self._developed.rgb(grabbed, size)

    def _batch(self, clip: Clip, pictures: list[Picture], **others: Tensor | None) -> Batch:
        video = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        sample = self._ready(Sample(clip=clip, video=video, **others))  # pyright: ignore[reportArgumentType]
        return collate([sample]).to(self._place)

    def _ready(self, sample: Sample) -> Sample:
        generator = torch.Generator().manual_seed(0)
        for transform in self.asked.transforms:
            sample = transform(sample, generator=generator)
        return sample

    def _said(self, answer: Any, batch: Batch, *, after_s: float) -> Prediction | None:
        """In a user's terms, what is about moments later than `after_s`."""
        (said,) = self.asked.task.predictions(answer, batch)
        said = said.rows(said.time_s > after_s + TOLERANCE_S)
        return said if len(said) else None


class Stepping(Asking):
    """A model that is fed one picture after the other and remembers what it has seen.

    Where its recipe cuts recordings into clips of successive frames, its memory begins anew with each, as in `predict`.
    """

    room = 4

    def __init__(self, asked: Asked, source: LiveSource, *, every_s: float, device: str, precision: Precision) -> None:
        super().__init__(asked, source, every_s=every_s, device=device, precision=precision)
        self._model: Any = asked.task.model
        self._size: tuple[int, int] | None = None
        self._state: Any = None
        sampler = asked.sampler
        self._length = sampler.num_frames if isinstance(sampler, EveryFrame) else None
        self._num_fed, self._before = 0, None
        self._shown: deque[Clip] = deque(maxlen=asked.task.stepped_frames)

    @override
    def offer(self, grabbed: Grabbed) -> Grabbed | None:
        return grabbed if self.pace.is_due(grabbed.time_s) else None

    @override
    def answer(self, question: Grabbed) -> Prediction | None:
        picture, now_s = self._developed_rgb(question), np.array([question.time_s])
        clip = Clip(recording=self.source.recording, frame_s=now_s, gaze_s=now_s)
        batch = self._batch(clip, [picture])
        assert batch.video is not None
        if picture.shape[:2] != self._size:  # which a memory of places does not outlive
            self._size, self._before, self._state, self._num_fed = picture.shape[:2], None, self._model.begin(1), 0
            self._shown.clear()
        with autocast(self._products, self._place):
            if self._num_fed == self._length and self._before is not None:
                _, self._state = self._model.step(self._before, self._model.begin(1))
                self._num_fed = 0
            self._before = batch.video[:, 0]
            answer, self._state = self._model.step(self._before, self._state)
        self._num_fed += 1
        self._shown.append(clip)
        if len(self._shown) < self.asked.task.stepped_frames:  # an answer about a part of a window has another shape
            return None
        return self._said(self.asked.task.stepped(answer), _of_all(list(self._shown), batch), after_s=now_s[0] - 1)


class _Kept(NamedTuple):
    """A picture of a window that is still to come."""

    time_s: float
    picture: Picture
    grey: Grey | None
    """Of a model that reads flow."""


class _Window(NamedTuple):
    """A question."""

    clip: Clip
    pictures: list[Picture]
    pairs: list[Pair]


class Windowed(Asking):
    """A model that is shown the last pictures, `num_frames` of them `interval_s` apart (0: the last ones that came).

    One that reads flow is asked about the picture before the newest, whose flow goes to the newest.
    """

    room = 1

    def __init__(self, asked: Asked, source: LiveSource, *, every_s: float, device: str, precision: Precision) -> None:
        super().__init__(asked, source, every_s=every_s, device=device, precision=precision)
        sampler = asked.sampler
        self._num_frames, self._interval_s = (
            (sampler.num_frames, sampler.interval_s) if isinstance(sampler, Window | EveryMoment) else (2, 0.0)
        )
        self._ahead_s = sampler.ahead_s if isinstance(sampler, Window) else None
        self._kept: deque[_Kept] = deque()
        self._moving = _moving(asked) if "flow" in asked.task.inputs else None
        self._answered_s = -np.inf
        hears = "sound" in asked.task.inputs and asked.sound is not None
        self._sound: SoundSource | None = source.heard() if hears else None

    @override
    def offer(self, grabbed: Grabbed) -> _Window | None:
        picture = self._developed_rgb(grabbed)
        if self._kept and self._kept[-1].picture.shape != picture.shape:
            self._kept.clear()
        self._kept.append(_Kept(grabbed.time_s, picture, self._moving and self._moving.grey(grabbed)))
        asked_about = list(self._kept)[: None if self._moving is None else -1]
        if not asked_about:
            return None
        now_s = asked_about[-1].time_s
        moments_s = self._moments(now_s)
        while len(asked_about) > 1 and asked_about[1].time_s <= moments_s[0] + TOLERANCE_S:
            self._kept.popleft()
            del asked_about[0]
        is_whole = asked_about[0].time_s <= moments_s[0] + TOLERANCE_S or not self._interval_s
        if not (is_whole and self.pace.is_due(now_s)):
            return None
        times_s = np.array([one.time_s for one in asked_about])
        shown = np.searchsorted(times_s, moments_s + TOLERANCE_S, side="right") - 1
        asked_s = moments_s if self._ahead_s is None else moments_s[-1] + np.asarray(self._ahead_s, np.float64)
        clip = Clip(recording=self.source.recording, frame_s=moments_s, gaze_s=asked_s)
        return _Window(clip, [asked_about[k].picture for k in shown], self._pairs(shown))

    def _pairs(self, shown: Int64[np.ndarray, "t"]) -> list[Pair]:
        """Of these pictures, each with the next one; none for a model that does not read flow."""
        greys = [(one.time_s, one.grey) for one in self._kept if one.grey is not None]
        return [Pair(greys[k][0], greys[k][1], greys[k + 1][1]) for k in shown] if greys else []

    def _moments(self, now_s: float) -> np.ndarray:
        """Of the window that ends now."""
        if self._interval_s:
            return now_s - self._interval_s * np.arange(self._num_frames - 1, -1, -1)
        return np.array([one.time_s for one in self._kept if one.time_s <= now_s][-self._num_frames :])

    @override
    def answer(self, question: _Window) -> Prediction | None:
        clip, pictures = question.clip, question.pictures
        flow = None if self._moving is None else self._moving.flow(question.pairs, size=pictures[0].shape[:2])
        batch = self._batch(clip, pictures, flow=flow, **self._heard(clip), **self._looked(clip))
        with autocast(self._products, self._place):
            answer = self.asked.task.answer(batch)
        after_s, self._answered_s = self._answered_s, float(clip.frame_s[-1])
        if not self._interval_s:
            after_s = float(clip.frame_s[:-1].max(initial=-np.inf))
        return self._said(answer, batch, after_s=after_s)

    def _heard(self, clip: Clip) -> dict[str, Tensor]:
        if self.asked.sound is None or self._sound is None:
            return {}
        sound, valid = self.asked.sound.hear(self._sound, clip)
        return {"sound": sound, "sound_valid": valid}

    def _looked(self, clip: Clip) -> dict[str, Tensor]:
        """The gaze of the window, as far as it was measured by its end."""
        if "observed_gaze" not in self.asked.task.inputs:
            return {}
        now_s = float(clip.frame_s[-1])
        track = self.source.gaze_between(clip.frame_s[0] - GAZE_BACK_S, now_s)
        if track is None:
            return {}
        moments_s, place = np.unique(clip.frame_s, return_inverse=True)
        found: GazeTrack = track.at(moments_s)
        point, valid, state = (torch.from_numpy(a[place]) for a in (found.point, found.valid, found.state))
        return {"observed_point": point.float(), "observed_valid": valid, "observed_state": state}


def _moving(asked: Asked) -> Moving:
    makings = planned(frozenset({"flow"}), asked.decode_size, asked.makings)
    (settings,) = (making for making in makings if isinstance(making, FlowSettings))
    return Moving(settings)


def _of_all(shown: list[Clip], newest: Batch) -> Batch:
    """The batch of the newest picture as one of all pictures that an answer is about."""
    if len(shown) == 1:
        return newest
    frame_s = np.concatenate([clip.frame_s for clip in shown])
    clip = Clip(recording=shown[-1].recording, frame_s=frame_s, gaze_s=frame_s)
    valid = newest.frame_valid.new_ones(1, len(shown))
    ahead_s = torch.from_numpy(frame_s - frame_s[-1]).to(newest.ahead_s)[None]
    return Batch(clips=(clip,), frame_valid=valid, asked_valid=valid, ahead_s=ahead_s, view=newest.view)
