"""Neon's scene and gaze are put together by the phone's clock, and whatever breaks off is told and taken up again."""

import json
import socket
import sys
import threading
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest
from neon_phone import GAZE_HZ, NeonPhone
from served import sending, served

from regard.errors import FileError, MissingExtraError
from regard.io.devices.neon import CALIBRATION
from regard.io.live.companion import companion_at, discovered
from regard.io.live.gaze_log import GazeLog
from regard.io.live.grabbed import Grabbed
from regard.io.live.neon import Neon
from regard.io.live.opening import open_live
from regard.io.live.stream import wall_ahead_s
from regard.types import GazeState


@pytest.fixture
def phone() -> Iterator[NeonPhone]:
    with NeonPhone() as served_here:
        yield served_here


class Watching:
    """A source watched picture by picture, and what it told."""

    def __init__(self, phone: NeonPhone, *, stall_s: float = 0.6, give_up_s: float = 1.0) -> None:
        self.source = Neon(phone.address, stall_s=stall_s, give_up_s=give_up_s)
        self.told: list[str] = []
        self.pictures: list[Grabbed] = []
        self._stop = threading.Event()
        self._frames = self.source.frames(self._stop, self.told.append)

    def go_on(self, count: int) -> "Watching":
        for _ in range(count):
            self.pictures.append(next(self._frames))
        return self

    def to_its_end(self) -> "Watching":
        self.pictures += list(self._frames)
        return self

    def end(self) -> None:
        self._stop.set()
        assert len(list(self._frames)) <= 1

    def has_told(self, words: str) -> bool:
        return any(words in sentence for sentence in self.told)


def assert_gaze_is_at_the_square(watching: Watching, pictures: list[Grabbed]) -> None:
    """In pictures of 64x48; it moves by 3 pixels from one to the next."""
    assert all(b.time_s > a.time_s for a, b in pairwise(watching.pictures))
    for one in pictures:
        y, x = np.nonzero(one.frame.to_ndarray(format="gray") > 150)
        gaze = watching.source.gaze_between(one.time_s - 0.5 / GAZE_HZ, one.time_s + 0.5 / GAZE_HZ)
        assert len(gaze) == 1
        np.testing.assert_allclose(gaze.point[0] * (64, 48), (x.mean() + 0.5, y.mean() + 0.5), atol=1.2)


@pytest.mark.parametrize("longest", [False, True])
def test_gaze_is_where_it_was_when_the_picture_was_taken(longest: bool):
    with NeonPhone(ahead_s=-4000.0, late_s=0.25, longest=longest) as phone:
        watching = Watching(phone).go_on(15)
        watching.end()
    assert_gaze_is_at_the_square(watching, watching.pictures[1:])
    track = watching.source.gaze_between(-1.0, watching.pictures[-1].time_s)
    assert (track.state == GazeState.TRACKED).all()
    np.testing.assert_allclose(np.diff(track.time_s), 1 / GAZE_HZ, atol=1e-4)
    assert watching.source.name == phone.address
    assert watching.source.recording.id == "Bench phone"


def test_gaze_of_glasses_that_are_not_worn_is_lost(phone: NeonPhone, monkeypatch):
    monkeypatch.setattr("regard.io.live.neon.TOLD_S", 0.1)
    watching = Watching(phone).go_on(5)
    phone.worn = False
    watching.go_on(10)
    phone.worn = True
    watching.go_on(10).end()
    states = watching.source.gaze_between(0.0, 99.0).state
    assert (states == GazeState.LOST).sum() > 10
    assert states[-1] == GazeState.TRACKED
    assert watching.has_told("not worn")
    assert watching.has_told("worn again")


def test_a_phone_that_stalls_is_told_and_taken_up_again(phone: NeonPhone):
    watching = Watching(phone, give_up_s=5.0).go_on(5)
    phone.stalled = True
    threading.Timer(2.5, lambda: setattr(phone, "stalled", False)).start()
    watching.go_on(25).end()
    assert watching.has_told("it is opened again")
    assert watching.has_told("no gaze comes")
    assert watching.has_told("it is back after")
    assert_gaze_is_at_the_square(watching, watching.pictures[-5:])


def test_a_phone_that_was_killed_and_started_again_goes_on_on_one_clock(phone: NeonPhone):
    watching = Watching(phone, give_up_s=9.0).go_on(5)
    phone.stop()
    threading.Timer(0.8, phone.start).start()
    watching.go_on(20).end()
    assert max(np.diff([one.time_s for one in watching.pictures])) > 0.6
    assert watching.has_told("no gaze comes: the phone does not answer")
    assert watching.has_told("gaze comes again")
    assert_gaze_is_at_the_square(watching, watching.pictures[-5:])


def test_a_phone_that_is_gone_is_the_end(phone: NeonPhone):
    watching = Watching(phone).go_on(5)
    phone.stop()
    watching.to_its_end()
    assert watching.has_told("this is its end")
    assert not [t for t in threading.enumerate() if t.name == "gaze"]


def test_glasses_that_are_unplugged_are_told(phone: NeonPhone):
    watching = Watching(phone).go_on(5)
    phone.plugged_in, phone.stalled = False, True
    watching.to_its_end()
    assert watching.has_told("no world and no gaze sensor is plugged in")


def test_glasses_that_are_not_plugged_in_are_refused(phone: NeonPhone):
    phone.plugged_in = False
    with pytest.raises(FileError, match="no world and no gaze sensor is plugged in"):
        open_live(phone.address)


def test_pictures_without_a_clock_are_refused(phone: NeonPhone):
    phone.tells_time = False
    with pytest.raises(FileError, match="does not tell the time of its pictures"):
        Watching(phone).go_on(1)


def test_the_lens_comes_with_it(phone: NeonPhone):
    numbers: Any = np.zeros(1, CALIBRATION)
    numbers["matrix"] = np.diag([900.0, 900.0, 1.0])
    content = numbers.tobytes()[:-4]
    phone.calibration = content + np.uint32(zlib.crc32(content)).tobytes()
    camera = open_live(phone.address).recording.camera
    assert camera is not None
    assert camera.matrix[0, 0] == 900.0
    phone.calibration = content
    with pytest.raises(FileError, match="Neon's calibration"):
        open_live(phone.address)


def answer(content: bytes) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)


@pytest.mark.parametrize(
    "content",
    [b"<html>a printer</html>", b'{"result": 3}', b"[" * 90_000, json.dumps({"result": []}).encode(), b"\xff\0"],
)
def test_another_thing_at_that_address_is_refused(content: bytes):
    with served(sending(answer(content))) as address, pytest.raises(FileError, match="no Companion app"):
        companion_at(address.replace("tcp", "neon"))


def test_a_phone_that_tells_of_no_scene_is_refused():
    said = answer(json.dumps({"result": [{"model": "Phone", "data": {"device_name": "p"}}]}).encode())
    with served(*[sending(said)] * 3) as address, pytest.raises(FileError, match="no scene or no gaze"):
        Neon(address.replace("tcp", "neon"))


def test_nobody_there_is_refused():
    with pytest.raises(FileError, match="nobody who answers"):
        open_live("neon://127.0.0.1:9")
    with pytest.raises(FileError, match="no port"):
        open_live("neon://127.0.0.1:99999999")


def test_the_only_phone_in_the_network_is_found(phone: NeonPhone):
    zeroconf = pytest.importorskip("zeroconf")
    network = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    try:
        for number in (1, 2):
            network.register_service(
                zeroconf.ServiceInfo(
                    "_http._tcp.local.",
                    f"PI monitor:Phone {number}:abc._http._tcp.local.",
                    port=phone.port,
                    addresses=[socket.inet_aton("127.0.0.1")],
                    server=f"neon{number}.local.",
                )
            )
            if number == 1:
                assert companion_at("neon://").port == phone.port
        with pytest.raises(FileError, match=r"PI monitor:Phone 1:abc at 127.0.0.1"):
            discovered()
    finally:
        network.close()


def test_finding_phones_needs_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(MissingExtraError, match=r"regard\[pupil\]"):
        open_live("neon://")


def test_measurements_wait_for_a_picture_and_never_go_back():
    log = GazeLog()
    for wall_s, x_px in ((100.0, 8.0), (100.1, np.nan), (99.0, 8.0), (100.2, 16.0), (900.0, 8.0)):
        log.add(wall_s, x_px, 4.0, valid=True)
    assert len(log.between(-9.0, 9.0)) == 0
    log.settle(0.3, ahead_s=-100.0, size=(8, 16))
    track = log.between(0.0, 0.3)
    np.testing.assert_allclose(track.time_s, [0.0, 0.1, 0.2], atol=1e-9)
    np.testing.assert_allclose(track.point, [[0.5, 0.5], [np.nan, np.nan], [1.0, 0.5]])
    log.add(200.0, 8.0, 4.0, valid=False)
    log.settle(100.0, ahead_s=-100.0, size=(8, 16))
    assert log.between(50.0, 150.0).state.tolist() == [GazeState.LOST]


def test_a_packet_without_the_senders_clock_says_nothing_of_it():
    packet = av.Packet(b"a")
    assert wall_ahead_s(packet) is None
