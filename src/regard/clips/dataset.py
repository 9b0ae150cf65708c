"""Clips with their pixels, sound and gaze: the one torch Dataset.

Whatever is random about an example follows from (seed, epoch, number of the clip) and from nothing else. So no two
workers share a stream, the number of workers does not change the result, and a resumed epoch goes on as it would have.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from regard.batch import Field, Sample
from regard.clips.collate import Skipped
from regard.clips.faces import faces_at
from regard.clips.fields import check_fields, lacks
from regard.clips.flow import decoded, open_flow
from regard.clips.order import Draw, generator_for, seed_globals
from regard.clips.sampling.window import TOLERANCE_S, Sampler
from regard.clips.sound import Hearing
from regard.errors import ClockError, FileError, RecipeError, RegardError
from regard.io import open_sound, open_video
from regard.io.media.looks import look_at_many
from regard.sources import FrameSource, SoundSource
from regard.transforms.place import Transform, target_size
from regard.types import Clip, GazeState, Recording

__all__ = ["ClipDataset"]

MAX_OPEN = 8
"""Files that one worker keeps open; each holds a decoder and the few frames it looks back on."""


class ClipDataset(Dataset[Sample | Skipped | RegardError]):
    """Clips cut by a sampler from recordings, as Samples with the fields in `needs`.

    `decode_size` is the short side, or the (height, width), to which the decoder scales; None keeps the recorded size.
    `gaze` says how the gaze at a moment is found, and `max_gap_s` how far a measurement may be from it (None: the
    track's own interval). With `on_error="skip"`, what cannot be read is left out and listed: a whole recording in
    `unusable`, a clip in its Batch's `skipped`. `left_out` lists the stretches of which the sampler cut nothing.

    Raises RecipeError where a recording lacks a needed field, or where there is not one clip.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        sampler: Sampler,
        *,
        needs: frozenset[Field],
        transforms: Sequence[Transform] = (),
        decode_size: int | tuple[int, int] | None = None,
        sound: Hearing | None = None,
        gaze: Literal["nearest", "interpolated"] = "nearest",
        max_gap_s: float | None = None,
        seed: int = 0,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> None:
        check_fields(recordings, needs, sound)
        self.sampler, self.needs, self.transforms, self.seed = sampler, needs, tuple(transforms), seed
        self.decode_size, self.sound, self.gaze, self.max_gap_s = decode_size, sound, gaze, max_gap_s
        self.on_error = on_error
        self.epoch = 0
        self.unusable: tuple[str, ...] = ()
        self.recordings, self._videos = self._usable(recordings)
        self._times_s = [_moments(r, v) for r, v in zip(self.recordings, self._videos, strict=True)]
        self._sounds = [open_sound(r.audio) if sound is not None and r.audio else None for r in self.recordings]
        self._flows = [open_flow(r) if "flow" in needs else None for r in self.recordings]
        self._faces = [open_video(r.face_film.stream) if r.face_film is not None else None for r in self.recordings]
        self._in_use: OrderedDict[int, FrameSource | SoundSource] = OrderedDict()
        self._cut: tuple[int, dict[int, tuple[Clip, ...]]] = (0, {})
        cut = [self._clips(0, r) for r in range(len(self.recordings))]
        self._ends = list(accumulate(len(clips) for clips in cut))
        self.left_out = tuple(
            f"{r.id} [{s.start_s:.3f}..{s.end_s:.3f} s] {s.kind} {s.name}".rstrip()
            for r, times_s in zip(self.recordings, self._times_s, strict=True)
            for s in sampler.left_out(r, times_s=times_s)
        )
        self._check_clips(cut)

    def _usable(self, recordings: Sequence[Recording]) -> tuple[tuple[Recording, ...], tuple[FrameSource | None, ...]]:
        """The recordings whose video can be opened, and their videos, which now know when they show which frame.

        None stands for the video of a recording that has none, where nobody needs pictures.
        """
        look_at_many(r.video for r in recordings if r.video is not None)
        usable: list[Recording] = []
        videos: list[FrameSource | None] = []
        for recording in recordings:
            try:
                video = None if recording.video is None else open_video(recording.video)
                if video is not None and not len(video.times_s):
                    raise FileError(
                        recording.require_video().path,
                        found="a video that shows no frame",
                        wanted="at least one",
                        do="leave the recording out, or copy it again",
                    )
            except RegardError as error:
                if self.on_error == "raise":
                    raise
                self.unusable += (f"{recording.id}: {error.where}: {error.found}",)
                continue
            usable.append(recording)
            videos.append(video)
        return tuple(usable), tuple(videos)

    def _check_clips(self, cut: Sequence[Sequence[Clip]]) -> None:
        if not any(cut):
            raise RecipeError(
                type(self.sampler).__name__,
                found=f"not one clip in {len(self.recordings)} recordings; {len(self.unusable)} could not be read",
                wanted="at least one",
                do="check num_frames, interval_s, kind and avoid against the recordings; left out: "
                + ("; ".join(self.left_out[:5]) or "nothing"),
            )
        if "label" in self.needs:
            for recording, clips in zip(self.recordings, cut, strict=True):
                if clips and not all(c.labels for c in clips):
                    raise lacks(recording, "label", "clips without a label")

    def __len__(self) -> int:
        return self._ends[-1]

    def set_epoch(self, epoch: int) -> None:
        """Which epoch a plain number asked of this dataset belongs to; the loader says it with each number."""
        self.epoch = epoch

    def clip(self, index: int | Draw) -> Clip:
        """Which moments example number `index` is made of; for a random sampler, in the epoch set or given."""
        epoch, i = index if isinstance(index, tuple) else (self.epoch, index)
        if not 0 <= i < len(self):
            raise IndexError(f"clip {i} of {len(self)}")
        r = bisect_right(self._ends, i)
        return self._clips(epoch, r)[i - (self._ends[r - 1] if r else 0)]

    def classes(self, label: str) -> Int64[np.ndarray, "n"]:
        """The class of each clip. Raises RecipeError where one has no such label."""
        cut = [clip for r in range(len(self.recordings)) for clip in self._clips(self.epoch, r)]
        for clip in cut:
            if label not in clip.labels:
                raise lacks(clip.recording, "label", f"a clip without the label {label!r}")
        return np.array([clip.labels[label] for clip in cut], np.int64)

    def __getitem__(self, index: int | Draw) -> Sample | Skipped | RegardError:
        """One example. In a worker, whose exceptions torch would turn into text, an error is handed over instead."""
        epoch, i = index if isinstance(index, tuple) else (self.epoch, index)
        clip, r = self.clip((epoch, i)), bisect_right(self._ends, i)
        generator = generator_for(self.seed, epoch, i)
        if get_worker_info() is not None:
            seed_globals(generator.initial_seed())
        try:
            sample = self._read(clip, r)
            for transform in self.transforms:
                sample = transform(sample, generator=generator)
        except RegardError as error:
            if self.on_error == "skip" and isinstance(error, FileError | ClockError):
                return Skipped(f"{clip}: {error.where}: {error.found}")
            if get_worker_info() is not None:
                return error
            raise
        return sample

    def _clips(self, epoch: int, r: int) -> tuple[Clip, ...]:
        if not self.sampler.is_random:
            epoch = 0
        if self._cut[0] != epoch:
            self._cut = epoch, {}
        cut = self._cut[1]
        if r not in cut:
            rng = np.random.default_rng((self.seed, epoch, r))
            cut[r] = self.sampler.clips(self.recordings[r], times_s=self._times_s[r], rng=rng)
        return cut[r]

    def _read(self, clip: Clip, r: int) -> Sample:
        """The fields that are needed, as recorded."""
        needs = self.needs
        gaze_point, gaze_valid, gaze_state = self._looked(clip, clip.gaze_s) if "gaze" in needs else (None, None, None)
        seen = self._looked(clip, clip.frame_s) if "observed_gaze" in needs else (None, None, None)
        sound, sound_valid = self._heard(clip, r) if "sound" in needs else (None, None)
        video, given = self._seen(clip, r) if "video" in needs else (None, None)
        return Sample(
            clip=clip,
            video=video,
            given=given,
            flow=self._moved(clip, r) if "flow" in needs else None,
            sound=sound,
            sound_valid=sound_valid,
            gaze_point=gaze_point,
            gaze_valid=gaze_valid,
            gaze_state=gaze_state,
            observed_point=seen[0],
            observed_valid=seen[1],
            observed_state=seen[2],
            hand_point=self._held(clip) if "hands" in needs else None,
            label=dict(clip.labels) if "label" in needs else None,
        )

    def _seen(self, clip: Clip, r: int) -> tuple[Tensor, dict[str, Tensor] | None]:
        """The pictures; faces that were cut out before, and then what they show, where the clip is about one."""
        if clip.person is not None and (faces := self._faces[r]) is not None:
            self._keep_open(faces)
            return faces_at(faces, clip)
        video = self._videos[r]
        assert video is not None
        self._keep_open(video)
        size = None if self.decode_size is None else target_size(video.size, self.decode_size)
        frames = video.frames_at(_meant(clip.frame_s, video.times_s), size=size)
        return torch.from_numpy(frames).permute(0, 3, 1, 2), None

    def _moved(self, clip: Clip, r: int) -> Tensor:
        video, flow = self._videos[r], self._flows[r]
        assert video is not None
        assert flow is not None
        self._keep_open(flow)
        size = video.size if self.decode_size is None else target_size(video.size, self.decode_size)
        moment_s = clip.frame_s if clip.flow_s is None else clip.flow_s
        return torch.from_numpy(decoded(flow.frames_at(_meant(moment_s, flow.times_s)), size=size))

    def _heard(self, clip: Clip, r: int) -> tuple[Tensor, Tensor]:
        assert self.sound is not None
        sound = self._sounds[r]
        if sound is None:
            return self.sound.silence(len(clip.frame_s))
        self._keep_open(sound)
        return self.sound.hear(sound, clip)

    def _looked(self, clip: Clip, time_s: Float64[np.ndarray, "n"]) -> tuple[Tensor, Tensor, Tensor]:
        track = clip.recording.gaze
        assert track is not None
        asked = ~np.isnan(time_s)
        moments, place = np.unique(
            time_s[asked], return_inverse=True
        )  # a filled-up clip asks about its last frame again
        found = (track.at if self.gaze == "nearest" else track.interpolated)(moments, max_gap_s=self.max_gap_s)
        point, state = np.full((len(time_s), 2), np.nan), np.full(len(time_s), GazeState.LOST, np.int8)
        point[asked], state[asked] = found.point[place], found.state[place]
        return torch.from_numpy(point).float(), torch.from_numpy(state != GazeState.LOST), torch.from_numpy(state)

    def _held(self, clip: Clip) -> Tensor:
        """Where the hands are at the shown frames; NaN throughout where nobody followed them."""
        track = clip.recording.hands
        unknown = np.full((len(clip.frame_s), 2, 2), np.nan)
        found = unknown if track is None else track.at(clip.frame_s, max_gap_s=self.max_gap_s)
        return torch.from_numpy(found).float()

    def _keep_open(self, source: FrameSource | SoundSource) -> None:
        """Close the file that was used longest ago when too many are open."""
        self._in_use[id(source)] = source
        self._in_use.move_to_end(id(source))
        if len(self._in_use) > MAX_OPEN:
            self._in_use.popitem(last=False)[1].close()


def _moments(recording: Recording, video: FrameSource | None) -> Float64[np.ndarray, "n"]:
    """When the recording shows a frame; without video, when its gaze was measured."""
    if video is not None:
        return video.times_s
    assert recording.gaze is not None
    return recording.gaze.time_s


def _meant(moment_s: Float64[np.ndarray, "t"], times_s: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "t"]:
    """The moments, except that one just before a frame, whose time the container may have rounded, means that frame.

    Without this, frames 1 / 24 s apart in a file that keeps milliseconds would show every third one twice.
    """
    begun = np.searchsorted(times_s, moment_s, side="right") - 1
    following = times_s[np.minimum(begun + 1, len(times_s) - 1)]
    is_just_before = (following - moment_s <= TOLERANCE_S) & (moment_s - times_s[begun] > TOLERANCE_S)
    return np.where(is_just_before, following, moment_s)
