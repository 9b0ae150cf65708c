"""One synthetic world as ordinary files: pictures, sound and tables that anybody's tools can read."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, UInt8

from regard.io import FilmWriter, open_recording, writing
from regard.types import FaceTrack, GazeState, GazeTrack, HandTrack, Recording, Segment
from regard.world.camera import SceneCamera
from regard.world.director import written
from regard.world.draw import Painter, palms
from regard.world.eyes import Scanpath, head_of, onlookers_plan, scanpath, tracked, wearers_plan
from regard.world.hear import RATE_HZ as SOUND_HZ
from regard.world.hear import heard
from regard.world.script import ACTIONS, NOUNS, VERBS, Script

VIDEO_HZ = 90000
"""Ticks of the video's clock, as in most containers; frame times are whole ticks."""
FILM = "video.mp4"
PERSON = "visitor"
SIDES = ("left", "right")


class World:
    """Everything about one seed, before anything is drawn: the truth that the files are made from."""

    def __init__(self, seed: int, *, duration_s: float, size: tuple[int, int], observers: int, rate_hz: float) -> None:
        self.seed = seed
        self.script: Script = written(self._random(0), duration_s)
        wearer = self._random(1)
        self.paths: list[Scanpath] = [scanpath(wearer, self.script, wearers_plan(wearer, self.script))]
        self.camera = SceneCamera(head_of(self._random(2), self.paths[0]), size)
        self.frame_s = _frame_times(self._random(3), duration_s, rate_hz)
        self.tracks: list[GazeTrack] = []
        for observer in range(observers):
            eyes = self._random(6, observer)
            if observer:
                self.paths.append(scanpath(eyes, self.script, onlookers_plan(eyes, self.script)))
            path = self.paths[observer]
            seen = self.camera.normalised(path.point, path.time_s)
            aspect = size[1] / size[0]
            self.tracks.append(tracked(eyes, path, seen, degree=self.camera.degree * np.array([1.0, aspect])))

    def _random(self, *part: int) -> np.random.Generator:
        """A stream of its own for each part of the world, so that more observers leave the film as it is."""
        return np.random.default_rng([self.seed, *part])

    @property
    def frames(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """The pictures at `frame_s`, drawn as they are asked for."""
        return Painter(self._random(4), self.script, self.camera).frames(self.frame_s)

    @property
    def sound(self) -> Float32[np.ndarray, "n"]:
        """One channel at SOUND_HZ."""
        return heard(self._random(5), self.script)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The actions that the wearer attends to."""
        return tuple(
            Segment(
                start_s=round(act.start_s, 4),
                end_s=round(act.end_s, 4),
                kind="action",
                name=act.name,
                labels={
                    "verb": VERBS.index(act.verb),
                    "noun": NOUNS.index(act.noun),
                    "action": ACTIONS.index(act.name),
                },
            )
            for act in self.script.acts
        )

    @property
    def faces(self) -> tuple[FaceTrack, ...]:
        """The visitor, at the frames that show them."""
        visit = self.script.visit
        boxes = [] if visit is None else [(t, self.camera.face_box(visit, t)) for t in self.frame_s]
        seen = [(t, box) for t, box in boxes if box is not None]
        if visit is None or not seen:
            return ()
        return (
            FaceTrack(
                person=PERSON,
                time_s=np.round([t for t, _ in seen], 6),
                box=np.round([box for _, box in seen], 5),
                looking=np.array([visit.yaw_deg(t) == 0 for t, _ in seen]),
                looking_known=np.ones(len(seen), bool),
            ),
        )

    @property
    def hands(self) -> HandTrack:
        """The middle of each palm at every frame, NaN where that is outside the picture; also behind the other hand."""
        both = [self.camera.normalised(palms(self.script, side, self.frame_s), self.frame_s) for side in SIDES]
        point = np.stack(both, axis=1)
        in_picture = ((point >= 0) & (point <= 1)).all(axis=2, keepdims=True)
        return HandTrack(time_s=np.round(self.frame_s, 6), point=np.round(np.where(in_picture, point, np.nan), 5))


def write_world(
    folder: Path | str,
    *,
    seed: int,
    duration_s: float = 12.0,
    size: tuple[int, int] = (360, 480),
    observers: int = 1,
    rate_hz: float = 24.0,
) -> tuple[Recording, ...]:
    """Write one synthetic recording per observer, and open them.

    `size` is (height, width), both even; `rate_hz` the mean number of frames a second, whose real steps vary. With one
    observer, the wearer, the files lie in `folder`. With more they lie in `folder/NAME-observer-0` (the wearer),
    `-observer-1`, ..., where NAME is the folder's own, and all hold the same video. The folder appears complete or not
    at all. Raises FileError where it cannot be written.

        folder/
        ├── video.mp4      H.264 with B-frames and variable frame rate, AAC sound
        ├── gaze.csv       timestamp_s,x,y,valid,gaze_state at 200 Hz
        ├── labels.csv     start_s,end_s,kind,name,verb,noun,action
        ├── faces.csv      person,timestamp_s,x0,y0,x1,y1,looking
        ├── hands.csv      timestamp_s,left_x,left_y,right_x,right_y
        └── camera.json
    """
    folder = Path(folder)
    world = World(seed, duration_s=duration_s, size=size, observers=observers, rate_hz=rate_hz)
    places = places_of(folder, observers)
    with writing(folder) as part:
        beside = [part / place.relative_to(folder) for place in places]
        for number, place in enumerate(beside):
            place.mkdir(parents=True, exist_ok=True)
            if number == 0:
                _write_film(place / FILM, world)
            else:
                _share(beside[0] / FILM, place / FILM)
            _write_tables(place, world, number)
    return tuple(open_recording(place) for place in places)


def places_of(folder: Path, observers: int) -> tuple[Path, ...]:
    """The folder of each observer's recording of one world; their names are the recordings' ids."""
    return (folder,) if observers == 1 else tuple(folder / f"{folder.name}-observer-{n}" for n in range(observers))


def _frame_times(rng: np.random.Generator, duration_s: float, rate_hz: float) -> Float64[np.ndarray, "n"]:
    """Times from 0 in whole ticks; steps vary by a fifth, and one in thirty frames is dropped."""
    steps = rng.uniform(0.8, 1.2, round(duration_s * rate_hz * 1.3) + 2) / rate_hz * 30 / 31
    steps *= 1 + (rng.random(steps.size) < 1 / 30)
    times = np.concatenate([[0.0], np.cumsum(steps)])
    return np.round(times[times < duration_s] * VIDEO_HZ) / VIDEO_HZ


class _Waveform:
    """A SoundSource that is already in memory, one channel at SOUND_HZ."""

    def __init__(self, sound: Float32[np.ndarray, "n"]) -> None:
        self._sound = sound

    @property
    def duration_s(self) -> float:
        return self._sound.size / SOUND_HZ

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        time_s = start_s + np.arange(round((end_s - start_s) * rate_hz)) / rate_hz
        place = np.round(time_s * SOUND_HZ).astype(np.int64)
        known = (place >= 0) & (place < self._sound.size)
        heard_there = np.where(known, self._sound[np.clip(place, 0, self._sound.size - 1)], np.float32(0))
        return np.tile(heard_there, (channels, 1))

    def close(self) -> None:
        """Nothing is open."""


def _write_film(path: Path, world: World) -> None:
    with FilmWriter(path, size=world.camera.size, sound=_Waveform(world.sound)) as film:
        for picture, time_s in zip(world.frames, world.frame_s, strict=True):
            film.write(picture, float(time_s))


def _write_tables(folder: Path, world: World, observer: int) -> None:
    track = world.tracks[observer]
    gaze = pd.DataFrame({"timestamp_s": track.time_s, "x": track.point[:, 0], "y": track.point[:, 1]})
    gaze["valid"] = track.valid.astype(int)
    gaze["gaze_state"] = [GazeState(state).name.lower() for state in track.state]
    gaze.to_csv(folder / "gaze.csv", index=False)

    rows = [
        {"start_s": s.start_s, "end_s": s.end_s, "kind": s.kind, "name": s.name, **s.labels} for s in world.segments
    ]
    labels = pd.DataFrame(rows, columns=["start_s", "end_s", "kind", "name", "verb", "noun", "action"])
    labels.to_csv(folder / "labels.csv", index=False)

    faces = pd.DataFrame(columns=["person", "timestamp_s", "x0", "y0", "x1", "y1", "looking"])
    for face in world.faces:
        faces = pd.DataFrame(
            {"person": face.person, "timestamp_s": face.time_s}
            | {side: face.box[:, i] for i, side in enumerate(("x0", "y0", "x1", "y1"))}
            | {"looking": face.looking.astype(int)}
        )
    faces.to_csv(folder / "faces.csv", index=False)

    hands = pd.DataFrame({"timestamp_s": world.hands.time_s})
    names = [f"{side}_{axis}" for side in SIDES for axis in "xy"]
    hands[names] = world.hands.point.reshape(-1, 4)
    hands.to_csv(folder / "hands.csv", index=False)

    camera = world.camera.calibration
    facts = {"height": camera.height, "width": camera.width, "matrix": camera.matrix.tolist()}
    facts |= {"distortion": camera.distortion.tolist(), "model": camera.model}
    (folder / "camera.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _share(video: Path, other: Path) -> None:
    """The same video under a second name, without a second copy where the file system can do that."""
    try:
        os.link(video, other)
    except OSError:
        shutil.copyfile(video, other)
