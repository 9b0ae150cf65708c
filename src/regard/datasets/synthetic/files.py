"""One synthetic world as ordinary files: pictures, sound and tables that anybody's tools can read."""

import json
import os
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, UInt8

from regard.datasets.synthetic.camera import SceneCamera
from regard.datasets.synthetic.draw import Painter
from regard.datasets.synthetic.eyes import Scanpath, head_of, onlookers_plan, scanpath, tracked, wearers_plan
from regard.datasets.synthetic.hear import RATE_HZ as SOUND_HZ
from regard.datasets.synthetic.hear import heard
from regard.datasets.synthetic.script import ACTIONS, NOUNS, VERBS, Script, written
from regard.io.files import writing
from regard.types import FaceTrack, GazeState, GazeTrack, MediaStream, Recording, Segment

VIDEO_HZ = 90000
"""Ticks of the video's clock, as in most containers; frame times are whole ticks."""
PERSON = "visitor"


class World:
    """Everything about one seed, before anything is drawn: the truth that the files are made from."""

    def __init__(self, seed: int, *, duration_s: float, size: tuple[int, int], observers: int, rate_hz: float) -> None:
        story, wearer, head, look, clock, sound = (np.random.default_rng([seed, part]) for part in range(6))
        self.script: Script = written(story, duration_s)
        self.paths: list[Scanpath] = [scanpath(wearer, self.script, wearers_plan(wearer, self.script))]
        self.camera = SceneCamera(head_of(head, self.paths[0]), size)
        self.frame_s = _frame_times(clock, duration_s, rate_hz)
        self._look, self._sound = look, sound
        self.tracks: list[GazeTrack] = []
        for observer in range(observers):
            eyes = np.random.default_rng([seed, 6, observer])
            if observer:
                self.paths.append(scanpath(eyes, self.script, onlookers_plan(eyes, self.script)))
            path = self.paths[observer]
            seen = self.camera.normalised(path.point, path.time_s)
            aspect = size[1] / size[0]
            self.tracks.append(tracked(eyes, path, seen, degree=self.camera.degree * np.array([1.0, aspect])))

    @property
    def frames(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """The pictures at `frame_s`, drawn as they are asked for."""
        return Painter(self._look, self.script, self.camera).frames(self.frame_s)

    @property
    def sound(self) -> Float32[np.ndarray, "n"]:
        return heard(self._sound, self.script)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The actions that the wearer attends to."""
        return tuple(
            Segment(
                start_s=round(float(act.start_s), 4), end_s=round(float(act.end_s), 4), kind="action", name=act.name,
                labels={"verb": VERBS.index(act.verb), "noun": NOUNS.index(act.noun), "action": ACTIONS.index(act.name)},
            )
            for act in self.script.acts
        )  # fmt: skip

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


def write_world(
    folder: Path | str,
    *,
    seed: int,
    duration_s: float = 12.0,
    size: tuple[int, int] = (360, 480),
    observers: int = 1,
    rate_hz: float = 24.0,
) -> tuple[Recording, ...]:
    """Write one synthetic recording per observer, and say what was written.

    `size` is (height, width), both even; `rate_hz` the mean number of frames a second, whose real steps vary. One
    observer, the wearer: the files lie in `folder`. More: in `folder/observer-0` (the wearer), `observer-1`, ..., which
    all hold the same video. The folder appears complete or not at all. Raises FileError where it cannot be written.

        folder/
        ├── video.mp4      H.264 with B-frames and variable frame rate, AAC sound
        ├── gaze.csv       timestamp_s,x,y,valid,gaze_state at 200 Hz
        ├── labels.csv     start_s,end_s,kind,name,verb,noun,action
        ├── faces.csv      person,timestamp_s,x0,y0,x1,y1,looking
        └── camera.json
    """
    folder = Path(folder)
    world = World(seed, duration_s=duration_s, size=size, observers=observers, rate_hz=rate_hz)
    names = [""] if observers == 1 else [f"observer-{number}" for number in range(observers)]
    with writing(folder) as part:
        for number, name in enumerate(names):
            (part / name).mkdir(parents=True, exist_ok=True)
            video = part / name / "video.mp4"
            if number == 0:
                _write_film(video, world)
            else:
                _share(part / names[0] / "video.mp4", video)
            _write_tables(part / name, world, number)
    return recordings(folder, world)


def recordings(folder: Path, world: World) -> tuple[Recording, ...]:
    """What the files of a world in `folder` say, without reading them; equal to what `regard.open` finds there."""
    alone = len(world.tracks) == 1
    places = [folder if alone else folder / f"observer-{number}" for number in range(len(world.tracks))]
    return tuple(
        Recording(
            id=place.name,
            subject=place.name,
            video=MediaStream(path=place / "video.mp4"),
            audio=MediaStream(path=place / "video.mp4"),
            gaze=track,
            camera=world.camera.calibration,
            segments=world.segments,
            faces=world.faces,
        )
        for place, track in zip(places, world.tracks, strict=True)
    )


def _frame_times(rng: np.random.Generator, duration_s: float, rate_hz: float) -> Float64[np.ndarray, "n"]:
    """Times from 0 in whole ticks; steps vary by a fifth, and one in thirty frames is dropped."""
    steps = rng.uniform(0.8, 1.2, round(duration_s * rate_hz * 1.3) + 2) / rate_hz * 30 / 31
    steps *= 1 + (rng.random(steps.size) < 1 / 30)
    times = np.concatenate([[0.0], np.cumsum(steps)])
    return np.round(times[times < duration_s] * VIDEO_HZ) / VIDEO_HZ


def _write_film(path: Path, world: World) -> None:
    height, width = world.camera.size
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=VIDEO_HZ)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, VIDEO_HZ)
        video.codec_context.gop_size, video.codec_context.max_b_frames = 48, 3
        video.codec_context.thread_count = 1
        video.options = {"preset": "veryfast", "crf": "21"}
        audio = container.add_stream("aac", rate=SOUND_HZ, layout="mono")
        audio.bit_rate = 96000
        _write_sound(container, audio, world.sound)
        for picture, time_s in zip(world.frames, world.frame_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time_s * VIDEO_HZ), Fraction(1, VIDEO_HZ)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def _write_sound(
    container: av.container.OutputContainer, stream: av.AudioStream, sound: Float32[np.ndarray, "n"]
) -> None:
    for start in range(0, sound.size, 1024):
        frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, start, Fraction(1, SOUND_HZ)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


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
