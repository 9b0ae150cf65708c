"""A browser gets the recording's own video, or a copy whose frames are the same at the same times."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from regard.engine.view.playable import playable
from regard.io import FilmWriter, Video
from regard.types import MediaStream, Recording

TIMES_S = np.cumsum([0.0, 0.04, 0.04, 0.1, 0.033, 0.04, 0.2, 0.04])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def frame(number: int) -> np.ndarray:
    return np.full((48, 64, 3), 20 + 25 * number, np.uint8)


def filmed(path: Path) -> Path:
    with FilmWriter(path, size=(48, 64)) as writer:
        for number, time_s in enumerate(TIMES_S.tolist()):
            writer.write(frame(number), time_s)
    return path


def coded(path: Path, codec: str) -> Path:
    """The same frames at the same times by another coder."""
    with av.open(str(path), "w") as write:
        stream = write.add_stream(codec, rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_s in enumerate(TIMES_S):
            shown = av.VideoFrame.from_ndarray(frame(number))
            shown.pts, shown.time_base = round(time_s * 1000), Fraction(1, 1000)
            write.mux(stream.encode(shown))
        write.mux(stream.encode(None))
    return path


def recording(path: Path, **more) -> Recording:
    return Recording(id="walk", subject="s1", video=MediaStream(path=path, **more))


def test_a_film_of_h264_is_played_as_it_is(tmp_path: Path, cache: Path):
    path = filmed(tmp_path / "film.mp4")
    video = playable(recording(path))
    assert (video.path, video.copied, video.media_type) == (path, "", "video/mp4")
    np.testing.assert_allclose(video.shown_s, TIMES_S, atol=1e-4)
    np.testing.assert_array_equal(video.shown_s, video.taken_s)
    assert video.size == (48, 64)
    assert not cache.exists()


@pytest.mark.parametrize(("name", "codec"), [("film.mp4", "mpeg4"), ("film.mkv", "libx264")])
def test_of_another_film_a_copy_is_made_once_and_elsewhere(tmp_path: Path, cache: Path, name: str, codec: str):
    folder = tmp_path / "own"
    folder.mkdir()
    path = coded(folder / name, codec)
    told: list[tuple[int, int]] = []
    video = playable(recording(path), progress=lambda done, total: told.append((done, total)))
    assert video.path.parent == cache / "view"
    assert codec.removeprefix("lib").replace("x264", "h264") in video.copied
    assert told[-1] == (len(TIMES_S), len(TIMES_S))
    np.testing.assert_allclose(video.shown_s, video.taken_s, atol=1e-4)
    source, copy = Video(path), Video(video.path)
    pictures = copy.frames_at(video.shown_s).astype(int)
    assert np.abs(pictures - source.frames_at(video.taken_s)).max() < 6
    assert list(folder.iterdir()) == [path]
    told.clear()
    assert playable(recording(path), progress=lambda *now: told.append(now)).path == video.path
    assert not told


def with_sound(path: Path, *, codec: str, name: str) -> Path:
    """The same packets, with a tone of 0.5 s coded so, in another container."""
    with av.open(str(path)) as source, av.open(str(path.with_name(name)), "w") as write:
        shown = write.add_stream_from_template(source.streams.video[0])
        heard = write.add_stream(codec, rate=48_000, layout="mono")
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = shown
                write.mux(packet)
        tone = np.sin(np.arange(24_000) / 20).astype(np.float32)[None]
        for first in range(0, 24_000, 960):
            chunk = av.AudioFrame.from_ndarray(tone[:, first : first + 960], format="fltp", layout="mono")
            chunk.sample_rate, chunk.pts, chunk.time_base = 48_000, first, Fraction(1, 48_000)
            write.mux(heard.encode(chunk))
        write.mux(heard.encode(None))
    return path.with_name(name)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size]


@pytest.mark.parametrize(("codec", "is_kept"), [(None, True), ("aac", True), ("libopus", False)])
def test_packets_that_browsers_decode_are_kept_in_a_container_that_they_open(tmp_path: Path, codec, is_kept: bool):
    """Where the sound's can be kept as well."""
    path = coded(tmp_path / "film.mkv", "libx264")
    if codec is not None:
        path = with_sound(path, codec=codec, name="heard.mkv")
    audio = None if codec is None else MediaStream(path=path)
    video = playable(replace(recording(path), audio=audio))
    assert video.copied == "h264 in matroska"
    assert (packets(video.path) == packets(path)) == is_kept
    np.testing.assert_allclose(video.shown_s, TIMES_S, atol=1e-4)
    with av.open(str(video.path)) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ([] if codec is None else ["aac"])


def test_a_copy_with_other_times_is_made_anew(tmp_path: Path):
    path = coded(tmp_path / "film.mkv", "libx264")
    copy = playable(recording(path)).path
    with FilmWriter(copy, size=(48, 64)) as writer:
        writer.write(frame(0), 0.0)
    assert len(playable(recording(path)).shown_s) == len(TIMES_S)
    copy.write_bytes(b"broken")
    assert len(playable(recording(path)).shown_s) == len(TIMES_S)


def test_a_folder_of_pictures_becomes_a_film(tmp_path: Path):
    for number in range(6):
        Image.fromarray(frame(number)).save(tmp_path / f"{number:03}.png")
    video = playable(recording(tmp_path, rate_hz=10.0))
    assert video.copied == "a folder of pictures"
    np.testing.assert_allclose(video.shown_s, np.arange(6) / 10, atol=1e-4)


def test_a_video_that_begins_later_keeps_both_clocks(tmp_path: Path):
    video = playable(recording(filmed(tmp_path / "film.mp4"), start_s=2.5))
    np.testing.assert_allclose(video.taken_s - video.shown_s, 2.5)


def test_real_videos_are_played_or_copied(real_data: Path):
    from regard.io.recording import open_recording

    for name, is_copied in {"neon_window/raw": False, "video_files/decord_video_90.mov": False,
                            "video_files/intel_asl_bird.mkv": True}.items():  # fmt: skip
        video = playable(open_recording(real_data / name))
        assert bool(video.copied) == is_copied, name
        assert len(video.shown_s) == len(video.taken_s)


def test_a_video_in_parts_becomes_one(tmp_path: Path):
    later = MediaStream(path=filmed(tmp_path / "b.mp4"), start_s=5.0)
    video = playable(recording(filmed(tmp_path / "a.mp4"), then=(later,)))
    assert video.copied == "in 2 files"
    np.testing.assert_allclose(video.taken_s, np.append(TIMES_S, TIMES_S + 5), atol=1e-4)
    np.testing.assert_allclose(video.shown_s, video.taken_s, atol=1e-4)
