"""A film keeps the recording's frame times and sound, and shows the gaze."""

from pathlib import Path

import av
import numpy as np
import pytest

from regard.errors import FileError
from regard.io import FilmWriter, Sound, Video
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack, MediaStream, Recording
from regard.viz.draw import STATE_COLOURS
from regard.viz.film import film

TIMES_S = np.array([0.0, 0.012, 0.05, 0.09, 0.2, 0.24, 0.3, 0.5])


class Tone:
    """440 Hz for as long as anybody listens."""

    duration_s = 0.6

    def samples_between(self, start_s: float, end_s: float, *, rate_hz: int, channels: int = 1) -> np.ndarray:
        time_s = start_s + np.arange(round((end_s - start_s) * rate_hz)) / rate_hz
        return np.tile(0.4 * np.sin(2 * np.pi * 440 * time_s), (channels, 1)).astype(np.float32)

    def close(self) -> None:
        """Nothing is open."""


def recording(folder: Path, *, sound: bool = True, size: tuple[int, int] = (120, 160)) -> Recording:
    path = folder / "in.mp4"
    with FilmWriter(path, size=size, sound=Tone() if sound else None) as writer:
        for k, time_s in enumerate(TIMES_S):
            writer.write(np.full((*size, 3), 40 + 5 * k, np.uint8), time_s)
    stream = MediaStream(path=path)
    point = np.tile([0.25, 0.5], (60, 1))
    gaze = GazeTrack(time_s=np.arange(60) * 0.01, point=point, state=np.full(60, GazeState.FIXATION, np.int8))
    return Recording(id="r", subject="s", video=stream, audio=stream if sound else None, gaze=gaze)


def test_a_film_keeps_frame_times_and_sound_and_shows_the_gaze(tmp_path):
    told = []
    rec = recording(tmp_path)
    path = film(rec, None, tmp_path / "out.mp4", progress=lambda *frames: told.append(frames))
    with Video(path) as video:
        np.testing.assert_allclose(video.times_s, Video(rec.video.path).times_s, atol=1e-4)
        np.testing.assert_allclose(video.times_s, TIMES_S, atol=1e-4)
        frame = video.frames_at(np.array([0.2]))[0].astype(int)
    blue = frame[:, :, 2] - frame[:, :, 0] > 60
    y, x = np.nonzero(blue[30:90])
    assert (x.mean() + 0.5) / 160 == pytest.approx(0.25, abs=0.02)
    assert (y.mean() + 30.5) / 120 == pytest.approx(0.5, abs=0.02)
    assert STATE_COLOURS[GazeState.FIXATION][2] > STATE_COLOURS[GazeState.FIXATION][0]
    heard = Sound(path).samples_between(0.1, 0.4, rate_hz=8000)[0]
    strongest_hz = np.abs(np.fft.rfft(heard)).argmax() / 0.3
    assert strongest_hz == pytest.approx(440, abs=4)
    assert told[-1] == (8, 8)


def test_a_silent_recording_gives_a_silent_film(tmp_path):
    path = film(recording(tmp_path, sound=False), None, tmp_path / "out.mp4")
    with av.open(str(path)) as file:
        assert len(file.streams.audio) == 0
        assert len(file.streams.video) == 1


def test_long_recordings_are_drawn_in_chunks_and_none_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("regard.viz.film.CHUNK_BYTES", 3 * 120 * 160 * 3)
    told = []
    path = film(recording(tmp_path), None, tmp_path / "out.mp4", progress=lambda *frames: told.append(frames))
    assert told == [(3, 8), (6, 8), (8, 8)]
    np.testing.assert_allclose(Video(path).times_s, TIMES_S, atol=1e-4)


def test_tall_pictures_are_made_smaller_in_proportion(tmp_path):
    rec = recording(tmp_path, size=(150, 202))
    assert Video(film(rec, None, tmp_path / "small.mp4", max_height=76)).size == (76, 102)
    assert Video(film(rec, None, tmp_path / "whole.mp4", max_height=None)).size == (150, 202)


def test_a_prediction_changes_the_film_where_its_density_is(tmp_path):
    rec = recording(tmp_path)
    logs = np.full((len(TIMES_S), 16, 16), -20, np.float32)
    logs[:, 3:6, 11:14] = 0
    pred = Prediction(recording="r", model="m", time_s=TIMES_S, seen_until_s=TIMES_S, values={"log_density": logs})
    plain, shown = (
        Video(film(rec, p, tmp_path / f"{n}.mp4")).frames_at(np.array([0.2]))[0].astype(int)
        for p, n in ((None, "a"), (pred, "b"))
    )
    change = np.abs(shown - plain).sum(-1)
    assert change[20:45, 110:140].mean() > 30
    assert change[50:95, 5:75].mean() < 6


def test_a_film_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    rec = recording(tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError):
        film(rec, None, tmp_path / "file" / "out.mp4")

    def stop(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        film(rec, None, tmp_path / "out.mp4", progress=stop)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "in.mp4"]


def test_a_real_recording_becomes_a_film_with_its_own_times(tmp_path, real_data):
    stream = MediaStream(path=real_data / "neon_window" / "scene_640x480.mp4")
    rec = Recording(id="neon", subject="s", video=stream, audio=stream)
    path = film(rec, None, tmp_path / "out.mp4", max_height=120)
    np.testing.assert_allclose(Video(path).times_s, Video(stream.path).times_s, atol=1e-4)
    assert Sound(path).duration_s == pytest.approx(4.78, abs=0.1)


def test_what_cannot_draw_on_a_film_s_own_pictures_draws_on_rgb_ones(tmp_path, monkeypatch):
    rec = recording(tmp_path)
    quick = Video(film(rec, None, tmp_path / "quick.mp4")).frames_at(TIMES_S)
    monkeypatch.setattr("regard.viz.draw.Moments.on_planes", False)
    slow = Video(film(rec, None, tmp_path / "slow.mp4")).frames_at(TIMES_S)
    assert np.abs(quick.astype(int) - slow).mean() < 2


def test_an_odd_picture_gains_a_row_or_a_column(tmp_path):
    times_s = np.arange(3) / 30
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = 121, 161, "yuv420p"
        for _ in times_s:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((121, 161, 3), (200, 40, 90), np.uint8))))
        out.mux(stream.encode(None))
    rec = Recording(id="odd", subject="s", video=MediaStream(path=path))
    shown = Video(film(rec, None, tmp_path / "out.mp4", max_height=None)).frames_at(times_s[:1])[0]
    assert shown.shape == (122, 162, 3)
    assert np.abs(shown[:90].astype(int) - (200, 40, 90)).max() <= 6
