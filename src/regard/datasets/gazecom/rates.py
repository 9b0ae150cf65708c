"""From samples, 250 a second, to the frames of the video: rightly, and as the FPN + RIM thesis did."""

import numpy as np
from jaxtyping import Float64, Int64

from regard.datasets.gazecom.names import SAMPLE_HZ, SIZE_PX
from regard.datasets.gazecom.trials import NOT_LABELLED, Trial
from regard.types import GazeState, GazeTrack

STATES = {
    NOT_LABELLED: GazeState.TRACKED,
    0: GazeState.TRACKED,
    1: GazeState.FIXATION,
    2: GazeState.SACCADE,
    3: GazeState.PURSUIT,
    4: GazeState.LOST,
}
PUBLISHED_HZ = 29.97
SACCADE, NOISE = 2, 4
MIN_CONFIDENCE = 0.5


def measured(trial: Trial, frame_s: Float64[np.ndarray, "t"], *, framewise_noise: GazeState) -> GazeTrack:
    """The samples as they are; of labels made for frames, one for each frame that the video has.

    Noise and samples without confidence are LOST. In labels made for frames, phase 0 is both noise and what nobody
    labelled: it becomes `framewise_noise`.
    """
    if trial.is_framewise:
        there = slice(0, min(len(trial.time), len(frame_s)))
        phase = trial.phase[there]
        state = np.where(phase == 0, framewise_noise, _states(phase))
        return _track(frame_s[there], trial.pixel[there], state, trial)
    state = np.where(trial.confidence >= MIN_CONFIDENCE, _states(trial.phase), GazeState.LOST)
    return _track(trial.time, trial.pixel, state, trial)


def to_frames(trial: Trial, frame_s: Float64[np.ndarray, "t"]) -> GazeTrack:
    """One measurement a frame: the mean of the valid samples while it is shown, and the state that most of them have.

    LOST where more than half of the samples are, or where there are none.
    """
    samples = measured(trial, frame_s, framewise_noise=GazeState.LOST)
    frame = np.searchsorted(frame_s, samples.time_s, side="right") - 1
    inside = (frame >= 0) & (samples.time_s < 2 * frame_s[-1] - frame_s[-2] if len(frame_s) > 1 else True)
    counts = np.zeros((len(frame_s), len(GazeState)), np.int64)
    np.add.at(counts, (frame[inside], samples.state[inside]), 1)
    valid = inside & samples.valid
    sums = np.zeros((len(frame_s), 2))
    np.add.at(sums, frame[valid], samples.point[valid])
    seen = counts.sum(1) - counts[:, GazeState.LOST]
    kept = seen > counts[:, GazeState.LOST]
    state = np.where(kept, counts[:, 1:].argmax(1) + 1, GazeState.LOST).astype(np.int8)
    point = np.where(kept[:, None], sums / np.maximum(seen, 1)[:, None], np.nan)
    return GazeTrack(time_s=frame_s, point=point, state=state)


def published_frames(trial: Trial, num_frames: int) -> tuple[Int64[np.ndarray, "t 2"], Int64[np.ndarray, "t"]]:
    """Pixels and phases (0 to 3) of each frame, by the thesis' rule, which has no lost gaze.

    Frame i has samples round(i r) to round((i + 1) r) - 1 of r a frame, whatever their times: the mean, cut to whole
    pixels; saccade where any of them is one, else the most frequent phase; noise becomes 0, and so do frames after the
    last sample, which repeat the last gaze. Source: spreeni/thesis_gaze_prediction@63eb1dc.
    """
    if trial.is_framewise:
        last = np.minimum(np.arange(num_frames), len(trial.phase) - 1)
        phase = np.where(np.arange(num_frames) < len(trial.phase), trial.phase[last], 0)
        return trial.pixel[last].astype(np.int64), np.where(phase == NOISE, 0, phase)
    rate = SAMPLE_HZ / PUBLISHED_HZ
    pixel, phase = np.zeros((num_frames, 2), np.int64), np.zeros(num_frames, np.int64)
    labels = np.maximum(trial.phase, 0)
    for frame in range(num_frames):
        part = slice(round(frame * rate), round((frame + 1) * rate))
        if len(labels[part]):
            pixel[frame] = trial.pixel[part].mean(axis=0).astype(np.int64)
            mode = np.bincount(labels[part]).argmax()
            phase[frame] = SACCADE if SACCADE in labels[part] else 0 if mode == NOISE else mode
        elif frame:
            pixel[frame] = pixel[frame - 1]
    return pixel, phase


def published(trial: Trial, frame_s: Float64[np.ndarray, "t"]) -> GazeTrack:
    """The thesis' frames as a track: what it calls noise is TRACKED, because it counts it."""
    pixel, phase = published_frames(trial, len(frame_s))
    return _track(frame_s, pixel.astype(np.float64), _states(phase), trial)


def _states(phase: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    return np.array([STATES[p] for p in sorted(STATES)])[phase - NOT_LABELLED]


def _track(
    time_s: Float64[np.ndarray, "n"], pixel: Float64[np.ndarray, "n 2"], state: Int64[np.ndarray, "n"], trial: Trial
) -> GazeTrack:
    was_cut = trial.is_framewise and trial.size_px == SIZE_PX  # to whole pixels, which stand for their middles
    corner = 0.5 if was_cut else 0.0
    point = (pixel + corner) / np.array(trial.size_px)
    lost = state == GazeState.LOST
    return GazeTrack(time_s=time_s, point=np.where(lost[:, None], np.nan, point), state=state.astype(np.int8))
