"""Live sources show every picture once on one clock, tell what goes wrong, and end or go on, but never hang."""

import os
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_media import encode
from served import sending, served, transport_stream

import regard
from regard.errors import FileError
from regard.io import Video
from regard.io.live.grabbed import Clock, Developed, Grabbed, LiveSource
from regard.io.live.opening import open_live
from regard.io.live.played import Played
from regard.io.live.raw import Raw
from regard.io.live.stamps import Stamps
from regard.io.live.stream import Stream


class Told(list):
    """What a source said."""

    def about(self, word: str) -> bool:
        return any(word in sentence for sentence in self)


class FakeClock(Clock):
    """Time goes on only where somebody waits."""

    def __init__(self) -> None:
        self.s = 100.0

    def now_s(self) -> float:
        return self.s

    def wait_until(self, moment_s: float, stop: threading.Event) -> None:
        self.s = max(self.s, moment_s)


def watched(source: LiveSource) -> tuple[list[Grabbed], Told]:
    told = Told()
    grabbed = list(source.frames(threading.Event(), told.append))
    assert all(b.time_s > a.time_s for a, b in pairwise(grabbed))
    return grabbed, told


def test_a_recording_is_played_at_its_own_clock(tiny_world: Path):
    clock = FakeClock()
    grabbed, told = watched(Played(regard.open(tiny_world), clock=clock))
    times_s = Video(tiny_world / "video.mp4").times_s
    np.testing.assert_array_equal([g.time_s for g in grabbed], times_s)
    np.testing.assert_allclose([g.due_s for g in grabbed], 100.0 + times_s)
    assert clock.s == pytest.approx(100.0 + times_s[-1])
    assert not told


def test_a_recording_played_fast_waits_for_nothing(tiny_world: Path):
    clock = FakeClock()
    source = Played(regard.open(tiny_world), fast=True, clock=clock)
    grabbed, _ = watched(source)
    assert len(grabbed) == len(Video(tiny_world / "video.mp4").times_s)
    assert clock.s == 100.0
    assert source.waits


def test_a_recording_that_is_decoded_too_slowly_is_played_more_slowly(tiny_world: Path):
    class Busy(FakeClock):
        def now_s(self) -> float:
            self.s += 0.1
            return self.s

    grabbed, told = watched(Played(regard.open(tiny_world), clock=Busy()))
    assert len(grabbed) == len(Video(tiny_world / "video.mp4").times_s)
    assert len(told) == 1
    assert told.about("played more slowly")
    assert grabbed[-1].due_s - grabbed[0].due_s > 2 * (grabbed[-1].time_s - grabbed[0].time_s)


def test_developed_pictures_are_those_of_the_clips(tiny_world: Path):
    grabbed, _ = watched(Played(regard.open(tiny_world), fast=True))
    video, developed = Video(tiny_world / "video.mp4"), Developed()
    for one in grabbed[::7]:
        for size in ((96, 128), (48, 64)):
            wanted = video.frames_at(np.array([one.time_s]), size=size)[0]
            np.testing.assert_array_equal(developed.rgb(one, size), wanted)


def test_gaze_of_a_recording_is_known_in_any_stretch(tiny_world: Path):
    source = Played(regard.open(tiny_world))
    track = source.gaze_between(0.5, 0.7)
    assert track is not None
    assert 0.5 <= track.time_s[0] < track.time_s[-1] <= 0.7


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return transport_stream(tmp_path_factory.mktemp("streams") / "small.ts")


@pytest.fixture(scope="module")
def other_size(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return transport_stream(tmp_path_factory.mktemp("streams") / "large.ts", size=(96, 128))


def of(address: str, *, stall_s: float = 0.6, give_up_s: float = 0.8) -> Stream:
    return Stream(address, stall_s=stall_s, give_up_s=give_up_s)


def test_a_stream_that_ends_for_good_is_ended_after_a_while(stream):
    with served(sending(stream)) as address:
        grabbed, told = watched(of(address))
    assert len(grabbed) == 20
    assert grabbed[-1].time_s == pytest.approx(19 / 20, abs=0.01)
    assert told.about("opened again")
    assert told.about("this is its end")


def test_a_stream_that_was_killed_and_restarted_goes_on_though_its_times_jump_back(stream):
    with served(sending(stream), sending(0.2, stream)) as address:
        grabbed, told = watched(of(address))
    assert len(grabbed) == 40
    assert grabbed[20].time_s > grabbed[19].time_s
    assert told.about("its clock jumped") or grabbed[20].time_s - grabbed[19].time_s > 0.2
    assert told.about("it is back after")


def test_a_stream_that_stalls_is_opened_again(stream):
    with served(sending(stream[: len(stream) // 2], 1.5), sending(stream)) as address:
        grabbed, told = watched(of(address))
    assert len(grabbed) > 20
    assert told.about("sent nothing for 0.6 s")


def test_pictures_that_change_their_size_are_told(stream, other_size):
    with served(sending(stream), sending(other_size)) as address:
        grabbed, told = watched(of(address))
    assert {g.size for g in grabbed} == {(48, 64), (96, 128)}
    assert told.about("its pictures are 128x96 now; they were 64x48")


def test_a_size_that_changes_in_one_connection_is_told(stream, other_size):
    with served(sending(stream + other_size)) as address:
        grabbed, told = watched(of(address))
    assert {g.size for g in grabbed} == {(48, 64), (96, 128)}
    assert told.about("its pictures are 128x96 now")


def test_garbage_in_a_stream_is_left_out(stream):
    rng = np.random.default_rng(0)
    half = len(stream) // 188 // 2 * 188
    garbage = rng.integers(0, 256, 188 * 40, dtype=np.uint8).tobytes()
    with served(sending(stream[:half] + garbage + stream[half:])) as address:
        grabbed, _ = watched(of(address))
    assert len(grabbed) >= 12


def test_garbage_alone_is_refused(stream):
    garbage = np.random.default_rng(0).integers(0, 256, 400_000, dtype=np.uint8).tobytes()
    with served(*[sending(garbage)] * 4) as address, pytest.raises(FileError, match="nothing to see there"):
        watched(of(address))


def test_nobody_there_is_refused_and_no_password_is_told():
    with pytest.raises(FileError, match="nothing to see there") as caught:
        watched(of("tcp://ann:secret@127.0.0.1:9"))
    assert "secret" not in str(caught.value)


def test_a_server_that_sends_nothing_is_refused_in_time():
    with served(sending(3.0)) as address, pytest.raises(FileError, match=r"sent nothing for 0\.6 s"):
        watched(of(address))


def test_a_stream_can_be_stopped_at_any_picture(stream):
    stop = threading.Event()
    with served(sending(stream, 2.0)) as address:
        grabbed: Iterator[Grabbed] = of(address).frames(stop, lambda _: None)
        next(grabbed)
        stop.set()
        assert len(list(grabbed)) <= 1


def test_a_film_from_a_server_is_played_at_its_own_clock_and_once(tmp_path: Path):
    encode(tmp_path / "film.mp4", [1800 * i for i in range(30)], movflags="faststart")
    content = (tmp_path / "film.mp4").read_bytes()
    head = f"HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    began_s = time.monotonic()
    with served(sending(head + content, 0.3)) as address:
        grabbed, told = watched(of(address.replace("tcp", "http") + "/film.mp4"))
    assert [round(g.time_s, 2) for g in grabbed] == [round(i / 50, 2) for i in range(30)]
    assert time.monotonic() - began_s > 29 / 50
    assert not told


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)


def feed(write: int, *parts: bytes | float) -> None:
    def run() -> None:
        for part in parts:
            if isinstance(part, bytes):
                os.write(write, part)
            else:
                time.sleep(part)
        os.close(write)

    threading.Thread(target=run, daemon=True).start()


def test_raw_pictures_come_as_they_were_written(pipe):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)
    feed(pipe[1], pictures.tobytes())
    grabbed, told = watched(Raw(pipe[0], size=(4, 6), rate_hz=10.0, fast=True))
    np.testing.assert_allclose([g.time_s for g in grabbed], [0, 0.1, 0.2])
    for one, wanted in zip(grabbed, pictures, strict=True):
        np.testing.assert_array_equal(Developed().rgb(one, (4, 6)), wanted)
    assert not told


def test_a_raw_picture_that_breaks_off_is_told(pipe):
    feed(pipe[1], bytes(72 + 10))
    grabbed, told = watched(Raw(pipe[0], size=(4, 6), rate_hz=10.0))
    assert len(grabbed) == 1
    assert told.about("breaks off after 10 of 72 bytes")


def test_raw_pictures_at_another_rate_than_promised_are_told(pipe, monkeypatch):
    monkeypatch.setattr("regard.io.live.raw.PROMISED_S", 0.2)
    feed(pipe[1], *[part for _ in range(12) for part in (bytes(72), 0.05)])
    grabbed, told = watched(Raw(pipe[0], size=(4, 6), rate_hz=200.0))
    assert told.about("not 200; each counts when it arrives")
    assert grabbed[-1].time_s > 0.2


def test_stamps_go_on_as_the_machines_clock_went_where_they_jump():
    stamps = Stamps()
    assert stamps.place(7.0, 50.0) == (0.0, 50.0, False)
    assert stamps.place(7.1, 50.2).time_s == pytest.approx(0.1)
    back = stamps.place(3.0, 51.2)
    assert back.jumped
    assert back.time_s == pytest.approx(1.1)
    assert stamps.place(3.5, 51.7).time_s == pytest.approx(1.6)
    ahead = stamps.place(99.0, 52.0)
    assert ahead.jumped
    assert ahead.time_s == pytest.approx(1.9)
    assert not stamps.place(99.0, 52.1).jumped


def test_the_quickest_of_recent_pictures_counts_as_on_time():
    stamps = Stamps()
    late_s = [0.3, 0.1, 0.25, 0.1, 0.4]
    due_s = [stamps.place(i / 10, 20 + i / 10 + late).due_s for i, late in enumerate(late_s)]
    np.testing.assert_allclose(due_s[1:], [20 + i / 10 + 0.1 for i in range(1, 5)])
    for i in range(5, 300):
        placed = stamps.place(i / 10, 20 + i / 10 + 2.0)
    assert placed.due_s == pytest.approx(20 + 29.9 + 2.0)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.mp4", "no such file"),
        ("ftp://ann:secret@there/film.mp4", "an address of ftp"),
        ("977", "no such camera"),
        ("-", "unknown size or rate"),
    ],
)
def test_what_cannot_be_opened_is_explained(source: str, words: str):
    with pytest.raises(FileError, match=words) as caught:
        open_live(source)
    assert "secret" not in str(caught.value)


def test_what_comes_at_its_own_rate_is_not_fast():
    with pytest.raises(FileError, match="its own rate"):
        open_live("rtsp://there/cam", fast=True)
    with pytest.raises(FileError, match="raw pictures only"):
        open_live("rtsp://there/cam", size=(4, 6))
