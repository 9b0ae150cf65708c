"""Where several people looked who watched one video, beside what a model says: a film, and a page about all of them."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8

from regard.io import FilmWriter
from regard.io.following import Following
from regard.io.predictions import Answers
from regard.io.recording import open_video
from regard.metrics.scanpaths.gaze_change import MOVED_DEG, gaze_change
from regard.metrics.scanpaths.observers import ObserverDensity
from regard.ops.geometry import inside
from regard.types import Camera, GazeState, GazeTrack, Recording
from regard.viz.density import lay_density
from regard.viz.draw import PREDICTED_COLOUR, STATE_COLOURS
from regard.viz.film import film_size
from regard.viz.ink import BLACK, WHITE, Colour, Layer, ink, unit_of, words
from regard.viz.page import picture_html, section, write_page
from regard.viz.scanpath import mean_frame, scanpath
from regard.viz.timeline import TEXT, as_svg, hex_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["gaze_changes", "observers_film", "observers_page"]

GRID = 72, 128
"""Cells of the people's density, rows and columns."""
DEGREES = 27.0, 48.0
"""Under which the picture is taken to be seen where the recording has no camera: GazeCom's screen."""
FLOOR = 1e-4
"""Of the highest density, below which none is shown."""
BINS = 60
MOST_PEOPLE = 12
"""Scanpaths on a page; the film has all."""
BESIDE = """
.two { display: grid; grid-template-columns: 1fr 1fr; gap: .8rem; }
@media (max-width: 40rem) { .two { grid-template-columns: 1fr; } }
"""


def everybody(recording: Recording) -> dict[str, GazeTrack]:
    """All who are known to have watched: the recorded person first, who is called by the recording's subject."""
    own = {} if recording.gaze is None else {f"{recording.subject} (recorded)": recording.gaze}
    return own | dict(recording.others)


def observers_film(
    recording: Recording,
    path: Path | str,
    *,
    prediction: Answers | None = None,
    max_height: int = 480,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write an mp4: everybody's gaze as boxes coloured by what the eye does, over the density of all of them.

    The recorded person's box is the large one. With a prediction the picture is shown twice, and on the right stand its
    density, if it says one, and its point. `progress` is told the frames done, and of how many.
    """
    source = open_video(recording.require_video())
    size, times_s = film_size(source, max_height=max_height), source.times_s
    people = [track.at(times_s) for track in everybody(recording).values()]
    density = _density(people, times_s, recording.camera)
    following = None if prediction is None else Following(prediction)
    columns = 1 if prediction is None else 2
    with FilmWriter(Path(path), size=(size[0], columns * size[1]), sound=None, quick=True) as writer:
        for k, time_s in enumerate(times_s.tolist()):
            frame = source.frames_at(times_s[k : k + 1], size=size)[0]
            shown = [people_on(frame, people, k, _logs(density, k))]
            if prediction is not None and following is not None:
                shown.append(_predicted_on(frame, following, time_s, prediction.model))
            writer.write(np.concatenate(shown, axis=1), time_s)
            if progress is not None:
                progress(k + 1, len(times_s))
    source.close()
    return Path(path)


def people_on(
    frame: UInt8[np.ndarray, "h w 3"], people: list[GazeTrack], k: int, logs: Float32[np.ndarray, "gh gw"] | None
) -> UInt8[np.ndarray, "h w 3"]:
    """One frame of the film: the k-th moment of tracks that were all asked about the film's frames."""
    drawn = frame.copy()
    if logs is not None:
        lay_density(drawn, logs)
    size = (frame.shape[0], frame.shape[1])
    layer, unit = Layer(size), unit_of(size)
    for number, track in reversed(list(enumerate(people))):
        if track.state[k] != GazeState.LOST:
            half = (2.2 if number == 0 else 1.0) * unit
            _box(layer, track.point[k], half, STATE_COLOURS[GazeState(int(track.state[k]))])
    layer.blend(drawn)
    present = sorted({GazeState(int(s)) for track in people for s in np.unique(track.state)} - {GazeState.LOST})
    words(drawn, [run for s in present for run in (("\u25a0 ", STATE_COLOURS[s]), (f"{s.name.lower()}   ", WHITE))])
    return drawn


def gaze_changes(people: Mapping[str, GazeTrack], camera: Camera, *, rate_hz: float) -> "Figure":
    """How far gaze moves from frame to frame (logarithmic counts), and which way where it moves over 2 degrees.

    One colour a group: people by name, or "people" and a model's path. Each is asked at `rate_hz`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    lengths = figure.add_subplot(1, 2, 1)
    ways = figure.add_subplot(1, 2, 2, projection="polar")
    colours = ["#0072B2", hex_of(PREDICTED_COLOUR), "#009E73", "#CC79A7"]
    for number, (name, track) in enumerate(people.items()):
        length, way = _changes(track, camera, rate_hz=rate_hz)
        style = {"histtype": "step", "color": colours[number % len(colours)], "linewidth": 1.4}
        lengths.hist(length, bins=np.linspace(0, 30, BINS).tolist(), density=True, label=name, **style)
        turned = np.deg2rad(way[length > MOVED_DEG])
        if len(turned):
            ways.hist(turned, bins=np.linspace(0, 2 * np.pi, 25).tolist(), density=True, **style)
    lengths.set(xlabel="degrees from frame to frame", ylabel="share a degree", yscale="log")
    lengths.legend(frameon=False, labelcolor=TEXT, fontsize=8)
    ways.set_yticks([])
    return figure


def observers_page(recording: Recording, path: Path | str, *, prediction: Answers | None = None) -> Path:
    """Write one HTML page about all who watched: densities over frames, scanpaths on the mean frame, gaze changes."""
    source = open_video(recording.require_video())
    times_s, people = source.times_s, everybody(recording)
    size = film_size(source, max_height=300)
    tracks = [track.at(times_s) for track in people.values()]
    density = _density(tracks, times_s, recording.camera)
    following = None if prediction is None else Following(prediction)
    rows = []
    for k in (len(times_s) * (np.arange(6) + 0.5) / 6).astype(int):
        frame = source.frames_at(times_s[k : k + 1], size=size)[0]
        pair = [people_on(frame, tracks, int(k), _logs(density, int(k)))]
        if prediction is not None and following is not None:
            pair.append(_predicted_on(frame, following, float(times_s[k]), prediction.model))
        rows.append((f"{times_s[k]:.2f} s", np.concatenate(pair, axis=1)))
    source.close()
    mean = mean_frame(recording, height=360)
    paths = [(name, scanpath(mean, people[name], camera=recording.camera)) for name in list(people)[:MOST_PEOPLE]]
    parts = [("Where everybody looked", _pictures(rows, 2)), ("Scanpaths", _pictures(paths, 2))]
    if recording.camera is not None:
        rate_hz = 1 / float(np.median(np.diff(times_s)))
        groups = {"people": _after_another(list(people.values()), times_s)}
        if prediction is not None:
            said = _as_track(prediction)
            groups[prediction.model] = said
            rate_hz = min(rate_hz, 1 / said.interval_s)
        drawn = as_svg(gaze_changes(groups, recording.camera, rate_hz=rate_hz), label="gaze changes")
        parts.append(
            (
                "How gaze moves",
                f'<div class="scroll">{drawn}</div><p class="dim">from frame to frame, {rate_hz:.3g} a second</p>',
            )
        )
    return write_page(
        path,
        title=recording.id,
        under=f"watched by {len(people)}",
        body="".join(section(*part) for part in parts),
        style=BESIDE,
    )


def _density(people: list[GazeTrack], times_s: Float64[np.ndarray, "t"], camera: Camera | None) -> ObserverDensity:
    """Of fixations, pursuit and what nobody named, over the film's frames."""
    point = torch.from_numpy(np.stack([track.point for track in people]))
    state = torch.from_numpy(np.stack([track.state for track in people]))
    counted = (state != GazeState.LOST) & (state != GazeState.SACCADE) & inside(point)
    degrees = DEGREES
    if camera is not None:
        focal = camera.matrix[1, 1], camera.matrix[0, 0]
        tall, wide = (
            2 * np.rad2deg(np.arctan(n / 2 / f)) for n, f in zip((camera.height, camera.width), focal, strict=True)
        )
        degrees = float(tall), float(wide)
    rate_hz = 1 / float(np.median(np.diff(times_s)))
    return ObserverDensity.of(point, counted, size=GRID, degrees=degrees, rate_hz=rate_hz)


def _logs(density: ObserverDensity, k: int) -> Float32[np.ndarray, "gh gw"] | None:
    """The logarithm of one frame's density; None where nobody looks."""
    level = density.maps(k, k + 1)[0]
    highest = level.max()
    logs = torch.where(level > FLOOR * highest, (level / highest).log(), -torch.inf)
    return logs.float().numpy() if highest > 0 else None


def _predicted_on(frame: np.ndarray, following: Following, time_s: float, model: str) -> np.ndarray:
    drawn = frame.copy()
    answer = following.near(time_s)
    if answer is not None:
        if "log_density" in answer.names:
            lay_density(drawn, answer["log_density"][0])
        layer = Layer((frame.shape[0], frame.shape[1]))
        _box(layer, answer.point[0], 1.6 * unit_of(layer.size), PREDICTED_COLOUR)
        layer.blend(drawn)
    words(drawn, [(model, WHITE)], right=True)
    return drawn


def _box(layer: Layer, point: Float64[np.ndarray, "2"], half: float, colour: Colour) -> None:
    h, w = layer.size
    corners = point * (w, h) + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    width = max(2, round(0.35 * unit_of(layer.size)))
    layer.lines(corners, [(slice(None), width + 2, ink(BLACK, 0.7)), (slice(None), width, ink(colour))], closed=True)


def _changes(track: GazeTrack, camera: Camera, *, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Lengths and ways that are known."""
    time_s = np.arange(track.time_s[0], track.time_s[-1], 1 / rate_hz)
    point = torch.from_numpy(track.at(time_s).point)
    length, way = (x.numpy() for x in gaze_change(point, camera, counted=inside(point)))
    return length[np.isfinite(length)], way[np.isfinite(length)]


def _after_another(tracks: list[GazeTrack], times_s: Float64[np.ndarray, "t"]) -> GazeTrack:
    """Several people's gaze as if one watched the film after the other, with lost gaze between."""
    gap_s = float(times_s[-1]) + 10.0
    at = [track.at(times_s) for track in tracks]
    return GazeTrack(
        time_s=np.concatenate([times_s + k * gap_s for k in range(len(at))]),
        point=np.concatenate([track.point for track in at]),
        state=np.concatenate([track.state for track in at]),
    )


def _as_track(prediction: Answers) -> GazeTrack:
    point = np.concatenate([piece.point for piece in prediction.pieces(None)]).astype(np.float64)
    state = np.full(len(point), GazeState.TRACKED, np.int8)
    return GazeTrack(time_s=np.asarray(prediction.time_s, np.float64), point=point, state=state)


def _pictures(named: list[tuple[str, np.ndarray]], columns: int) -> str:
    figures = "".join(f'<div>{picture_html(p, n)}<p class="dim">{escape(n)}</p></div>' for n, p in named)
    return f'<div class="two">{figures}</div>' if columns > 1 else figures
