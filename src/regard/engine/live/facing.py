"""How a model of faces is asked as pictures come: faces are found in each, followed, and asked about one by one.

It is asked about the picture in the middle of its window, as in training; so an answer comes some pictures late, which
counts as latency. A model that reads no pictures, but landmarks, is asked about the newest one.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from typing_extensions import override

from regard.batch import Batch, Sample
from regard.clips.collate import collate
from regard.clips.sampling.faces import FaceStretches, FaceWindows
from regard.engine.arithmetic import autocast
from regard.engine.ask import Asked
from regard.engine.live.asking import Asking, Picture
from regard.engine.live.looked_at import LookedAt
from regard.io.live.grabbed import Grabbed, LiveSource
from regard.ops.tracking import Follower, Found, track_of
from regard.prediction import Prediction, joined
from regard.prepare.faces import FoundFaces, face_name, face_tracks
from regard.prepare.making import planned
from regard.recipe.training import Precision
from regard.types import Clip, FaceTrack, Recording


class _Looked(NamedTuple):
    """A picture, the faces found in it, and for each one that is followed the number of its box."""

    time_s: float
    picture: Picture | None
    found: Found
    which: dict[int, int]


class Facing(Asking):
    """A model of faces. A recording that has faces of its own is asked about these."""

    room = 2

    def __init__(self, asked: Asked, source: LiveSource, *, every_s: float, device: str, precision: Precision) -> None:
        super().__init__(asked, source, every_s=every_s, device=device, precision=precision)
        sampler, self._reads_pictures = asked.sampler, "video" in asked.task.inputs
        assert isinstance(sampler, FaceStretches | FaceWindows)
        beside = sampler.beside if isinstance(sampler, FaceStretches) else sampler.num_frames // 2
        self._beside = beside if self._reads_pictures else 0
        makings = planned(frozenset({"faces"}), None, asked.makings)
        (self._finder,) = (making for making in makings if isinstance(making, FoundFaces))
        self._num_faces = 0
        self._begin_anew((0, 0))
        self._recent: deque[Prediction] = deque()
        self._smooth_s: float = getattr(asked.task, "smooth_s", 0.0)
        self._looked_at = LookedAt(asked.task.model)

    def _begin_anew(self, size: tuple[int, int]) -> None:
        self._size, self._kept = size, deque[_Looked]()
        self._follower = Follower(memory_s=self._finder.memory_s, min_overlap=self._finder.min_overlap)
        self._times_found, self._names = dict[int, int](), dict[int, str]()

    @override
    def offer(self, grabbed: Grabbed) -> Grabbed | None:
        return grabbed if self.pace.is_due(grabbed.time_s) else None

    @override
    def answer(self, question: Grabbed) -> Prediction | None:
        if question.size != self._size:
            self._begin_anew(question.size)
        self._kept.append(self._look(question))
        wide = 2 * self._beside + 1
        while len(self._kept) > wide and self._kept[1].time_s < self._kept[-wide].time_s - self._finder.filled_s:
            self._kept.popleft()
        if len(self._kept) < wide:
            return None
        window = list(self._kept)[-wide:]
        middle_s = np.array([window[self._beside].time_s])
        faces = self._in_view(middle_s)
        if not faces:
            return None
        batch = collate(self._samples(faces, window, middle_s)).to(self._place)
        with autocast(self._products, self._place), self._looked_at.in_turn(_keys(batch)):
            answer = self.asked.task.answer(batch)
        return self._settled(joined(self.asked.task.predictions(answer, batch)))

    def _look(self, question: Grabbed) -> _Looked:
        """Find faces, unless the recording knows them."""
        found, which = Found(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))), dict[int, int]()
        if self.source.recording.faces is None:
            found = self._finder.find(self._developed.rgb(question, self._finder.looked_at(question.size)))
            which = dict(self._follower.follow(found, question.time_s))
            self._name(which)
        picture = self._developed_rgb(question) if self._reads_pictures else None
        return _Looked(question.time_s, picture, found, which)

    def _name(self, tracks: Iterable[int]) -> None:
        """A face has a name once it was found so often that it is one."""
        kept = self._follower.remembered.union(*(one.which for one in self._kept))
        self._times_found = {track: n for track, n in self._times_found.items() if track in kept}
        self._names = {track: name for track, name in self._names.items() if track in kept}
        for track in tracks:
            self._times_found[track] = self._times_found.get(track, 0) + 1
            if self._times_found[track] == self._finder.min_found:
                self._num_faces += 1
                self._names[track] = face_name(self._num_faces)

    def _in_view(self, middle_s: np.ndarray) -> list[FaceTrack]:
        """Those of which a box is known in the window's middle."""
        faces = self.source.recording.faces
        if faces is None:
            times_s = np.array([one.time_s for one in self._kept])
            found = [one.found for one in self._kept]
            faces = []
            for track in dict.fromkeys(number for one in self._kept for number in one.which if number in self._names):
                members = [(i, one.which[track]) for i, one in enumerate(self._kept) if track in one.which]
                followed = track_of(members, found, times_s, filled_s=self._finder.filled_s)
                faces.append(replace(*face_tracks([followed], times_s), person=self._names[track]))
        return [face for face in faces if np.isfinite(face.at(middle_s)["box"]).all()]

    def _samples(self, faces: Sequence[FaceTrack], window: Sequence[_Looked], middle_s: np.ndarray) -> list[Sample]:
        recording: Recording = replace(self.source.recording, faces=tuple(faces))
        pictures = [one.picture for one in window if one.picture is not None]
        video = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) if pictures else None
        frame_s = np.array([one.time_s for one in window])
        clips = [Clip(recording=recording, frame_s=frame_s, gaze_s=middle_s, person=face.name) for face in faces]
        return [self._ready(Sample(clip=clip, video=video)) for clip in clips]

    def _settled(self, said: Prediction) -> Prediction:
        """As the task settles answers, by those of the time before; what is later is not known yet."""
        if not self._smooth_s:
            return said
        self._recent.append(said)
        while self._recent[0].time_s[0] < said.time_s[0] - self._smooth_s / 2:
            self._recent.popleft()
        recent = joined(list(self._recent))
        if np.isnan(recent["looking"]).all():  # of which there is nothing to settle
            return replace(said, values={**said.values, "looking_raw": said["looking"]})
        (settled,) = self.asked.task.settled([recent])
        return settled.rows(settled.time_s == said.time_s[0])


def _keys(batch: Batch) -> list[tuple[str | None, float]]:
    """What names each picture of a face that is there, in the batch's order."""
    return [
        (clip.person, float(clip.frame_s[k]))
        for clip, there in zip(batch.clips, batch.frame_valid.cpu(), strict=True)
        for k in torch.nonzero(there).flatten().tolist()
    ]
