"""How fast films are drawn: regard's film of a recording against the script that one would write with OpenCV and PyAV.

Both decode the same file with one thread, draw a second of gaze at 200 Hz as a trail, a ring and words (and a density
where there is one), and encode the same size with the same encoder, preset and quality. regard keeps the sound, blends
smoothly, converts colours by BT.709 and keeps every frame's time; the script does none of it: what sound costs is on
regard's side only. All runs on one core.

A machine is rarely idle, and other work slows a process even in its own CPU time, for it shares caches and cores. So
the sides take turns, and for each stretch of frames the least CPU time of all rounds counts.

    python benchmarks/film.py [--seconds 2] [--rounds 6]       # about 2 minutes of one core
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Float

from decode import machine, natural_texture
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack, MediaStream, Recording
from regard.viz.film import film

RATE_HZ, GAZE_HZ, SOUND_HZ = 30, 200, 48_000
STRETCH = 12
"""Frames that are timed together."""
Told = Callable[[int, int], None]
ENCODER = {"crf": "20", "preset": "veryfast"}
"""regard's own, see `regard.io`."""


def make_recording(folder: Path, size: tuple[int, int], seconds: float) -> Recording:
    """A camera that pans over a texture with sensor noise and hears a rustle, and gaze that fixates and leaps."""
    rng = np.random.default_rng(0)
    path, (h, w) = folder / f"{size[0]}.mp4", size
    world = natural_texture(rng, h + 160, w + 320)
    noise = [np.abs(rng.normal(0, 5, (h, w, 3))).astype(np.uint8) for _ in range(4)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE_HZ, options={"preset": "veryfast", "crf": "23"})
        stream.height, stream.width, stream.pix_fmt = h, w, "yuv420p"
        heard = out.add_stream("aac", rate=SOUND_HZ, layout="mono")
        for number in range(round(seconds * RATE_HZ)):
            y, x = int(80 + 75 * np.sin(number / 40)), int(160 + 150 * np.sin(number / 55))
            frame = cv2.add(np.ascontiguousarray(world[y : y + h, x : x + w]), noise[number % 4])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode(None))
        hiss = rng.normal(0, 0.1, round(seconds * SOUND_HZ)) * (1 + np.sin(np.arange(round(seconds * SOUND_HZ)) / 9000))
        rustle = np.convolve(hiss, np.full(20, 0.05), "same").astype(np.float32)
        sound = av.AudioFrame.from_ndarray(rustle[None], format="fltp", layout="mono")
        sound.sample_rate, sound.time_base, sound.pts = SOUND_HZ, Fraction(1, SOUND_HZ), 0
        out.mux(heard.encode(sound))
        out.mux(heard.encode(None))
    stream = MediaStream(path=path)
    return Recording(id="made", subject="nobody", video=stream, audio=stream, gaze=make_gaze(rng, seconds))


def make_gaze(rng: np.random.Generator, seconds: float) -> GazeTrack:
    """Fixations of 0.3 s with tremor, and saccades of 40 ms between them."""
    time_s = np.arange(round(seconds * GAZE_HZ)) / GAZE_HZ
    targets = rng.uniform(0.1, 0.9, (int(seconds / 0.34) + 2, 2))
    number, since_s = (time_s / 0.34).astype(int), time_s % 0.34
    share = np.clip((since_s - 0.3) / 0.04, 0, 1)[:, None]
    point = (1 - share) * targets[number] + share * targets[number + 1] + rng.normal(0, 0.002, (len(time_s), 2))
    state = np.where(share[:, 0] > 0, GazeState.SACCADE, GazeState.FIXATION).astype(np.int8)
    return GazeTrack(time_s=time_s, point=point, state=state)


def make_prediction(track: GazeTrack, seconds: float) -> Prediction:
    """A bump of 64 x 64 cells near the gaze for every frame."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    y, x = (np.mgrid[0:64, 0:64] + 0.5) / 64
    at = np.roll(track.at(time_s).point, 5, axis=0)
    logs = -(((x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2) / (2 * 0.08**2))
    logs -= np.log(np.exp(logs).sum((1, 2), keepdims=True))
    return Prediction(
        recording="made",
        model="made",
        time_s=time_s,
        seen_until_s=time_s,
        values={"log_density": logs.astype(np.float32)},
    )


def script(recording: Recording, prediction: Prediction | None, path: Path, progress: Told) -> None:
    """What one writes in a quarter of an hour."""
    track = recording.gaze
    with av.open(str(recording.video.path)) as source, av.open(str(path), "w") as out:
        source.streams.video[0].codec_context.thread_count = 1
        h, w = source.streams.video[0].height, source.streams.video[0].width
        stream = out.add_stream("libx264", rate=RATE_HZ, options=ENCODER)
        stream.height, stream.width, stream.pix_fmt = h, w, "yuv420p"
        for number, frame in enumerate(source.decode(video=0)):
            picture = frame.to_ndarray(format="bgr24")
            if prediction is not None:
                level = np.exp(prediction["log_density"][number] - prediction["log_density"][number].max())
                colours = cv2.applyColorMap(cv2.resize((255 * level).astype(np.uint8), (w, h)), cv2.COLORMAP_INFERNO)
                picture = cv2.addWeighted(picture, 0.6, colours, 0.4, 0)
            now = np.searchsorted(track.time_s, number / RATE_HZ, "right")
            trail = (track.point[max(0, now - GAZE_HZ) : now] * (w, h)).astype(np.int32)
            cv2.polylines(picture, [trail], False, (233, 180, 86), max(2, h // 180), cv2.LINE_AA)
            cv2.circle(picture, trail[-1].tolist(), h // 40, (233, 180, 86), max(2, h // 180), cv2.LINE_AA)
            said = f"{number / RATE_HZ:.2f} s  {GazeState(int(track.state[now - 1])).name}"
            cv2.putText(picture, said, (10, h - 10), cv2.FONT_HERSHEY_SIMPLEX, h / 800, (255, 255, 255), 1, cv2.LINE_AA)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            progress(number + 1, 0)
        out.mux(stream.encode(None))


def ours(recording: Recording, prediction: Prediction | None, path: Path, progress: Told) -> None:
    film(recording, prediction, path, max_height=None, progress=progress)


def cpu_s(write: Callable[..., None], *what: Recording | Prediction | Path | None) -> Float[np.ndarray, "n"]:
    """Of each stretch of frames; what is done before and after them counts with the first and the last."""
    stamps = {0: time.process_time()}

    def told(done: int, _: int) -> None:
        stamps.setdefault(done // STRETCH, time.process_time())

    write(*what, told)
    return np.diff([*stamps.values(), time.process_time()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="how long the films are")
    parser.add_argument("--rounds", type=int, default=6, help="how often each is made")
    args = parser.parse_args()
    seconds = args.seconds
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    print(f"{machine()}\n")
    print("| film | frames | script, CPU ms | regard, CPU ms | script, MB | regard, MB | frames a second |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in ((480, 640), (1080, 1920)):
            recording = make_recording(Path(folder), size, seconds)
            frames, target = round(seconds * RATE_HZ), Path(folder, "out.mp4")
            prediction = make_prediction(recording.gaze, seconds)
            for shown, answer in (("gaze", None), ("gaze, density", prediction)):
                least_s, megabytes = {}, {}
                for _ in range(args.rounds):
                    for write in (script, ours):
                        taken_s = cpu_s(write, recording, answer, target)
                        least_s[write] = np.minimum(least_s.get(write, taken_s), taken_s)
                        megabytes[write] = target.stat().st_size / 1e6
                theirs_ms, ours_ms = (float(least_s[write].sum()) / frames * 1e3 for write in (script, ours))
                print(
                    f"| {size[1]}x{size[0]}, {shown} | {frames} | {theirs_ms:.1f} | {ours_ms:.1f} "
                    f"| {megabytes[script]:.1f} | {megabytes[ours]:.1f} | {theirs_ms / ours_ms:.2f}x |",
                    flush=True,
                )
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
