"""Does a path go where other people looked at that moment? Their gaze as a density, made once for each recording."""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from regard.metrics.scanpaths.observers import ObserverDensity
from regard.ops.geometry import visual_angle_deg
from regard.types import Camera, GazeState, GazeTrack, Recording

RATE_HZ = 30.0
"""Of the moments at which other people's gaze is looked up: finer than the density's blur over time."""
GRID = (90, 160)
"""Rows and columns: cells of a third of a degree on a screen of 50."""
SETTLED = (GazeState.FIXATION, GazeState.PURSUIT)


class Others:
    """The gaze of all other observers of one recording, in fixations and pursuit and on the picture.

    Of a track whose eye movements nobody named, all gaze counts. None of them, or no camera to tell degrees by: every
    score is NaN.
    """

    def __init__(self, recording: Recording) -> None:
        tracks, camera = list(recording.others.values()), recording.camera
        self._density = None if not tracks or camera is None else _density(tracks, camera)

    def nss(self, time_s: Float64[np.ndarray, "n"], point: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
        """NSS of each point of a path; higher is better, 0 is chance, NaN off the picture and after all gaze."""
        scores = np.full(len(time_s), np.nan)
        if self._density is None or not len(time_s):
            return scores
        frame = np.rint(time_s * RATE_HZ).astype(int)
        there = (frame >= 0) & (frame < self._density.blur.size[0])
        _, number = np.unique(frame[there], return_inverse=True)
        turn = _turn(number)
        path = torch.full((int(turn.max(initial=0)) + 1, self._density.blur.size[0], 2), torch.nan, dtype=torch.float64)
        path[turn, frame[there]] = torch.from_numpy(np.ascontiguousarray(point[there]))
        scores[there] = self._density.nss(path)[turn, frame[there]].numpy()
        return scores


def _turn(number: np.ndarray) -> np.ndarray:
    """Of several entries with one number, the first is 0, the next 1, ..."""
    order = np.argsort(number, kind="stable")
    first = np.searchsorted(number[order], number[order])
    turn = np.empty(len(number), int)
    turn[order] = np.arange(len(number)) - first
    return turn


def _density(tracks: list[GazeTrack], camera: Camera) -> ObserverDensity | None:
    end_s = max((float(track.time_s[-1]) for track in tracks if len(track)), default=-1.0)
    if end_s < 0:
        return None
    time_s = np.arange(round(end_s * RATE_HZ) + 1) / RATE_HZ
    seen = [track.at(time_s) for track in tracks]
    counted = [_counts(track) for track in seen]
    return ObserverDensity.of(
        torch.from_numpy(np.stack([track.point for track in seen])),
        torch.from_numpy(np.stack(counted)),
        size=GRID,
        degrees=_degrees(camera),
        rate_hz=RATE_HZ,
    )


def _counts(track: GazeTrack) -> np.ndarray:
    is_named = (track.state > GazeState.TRACKED).any()
    return np.isin(track.state, SETTLED) if is_named else track.valid


def _degrees(camera: Camera) -> tuple[float, float]:
    """Height and width of the picture, as the eye sees it."""
    sides: Tensor = torch.tensor([[[0.5, 0.0], [0.5, 1.0]], [[0.0, 0.5], [1.0, 0.5]]], dtype=torch.float64)
    height, width = visual_angle_deg(sides[:, 0], sides[:, 1], camera).tolist()
    return height, width
