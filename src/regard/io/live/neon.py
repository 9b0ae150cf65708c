"""Pupil Labs' Neon while it is worn: scene and gaze by RTSP, put together by the time at which the phone took each.

A packet of gaze begins with x and y in pixels of the scene picture (two big-endian float32) and a byte, 255 while the
glasses are worn; what the app may add about eyes and lids is not read. FFmpeg reads both streams, and puts the phone's
clock, which RTCP reports every few seconds, on each packet.
Format: pupil-labs/realtime-network-api, "RTSP data formats"; checked against pupil-labs-realtime-api 1.9.0.
"""

import struct
import time
from collections.abc import Iterator
from contextlib import closing
from threading import Event, Thread

import av
from av.error import FFmpegError
from typing_extensions import override

from regard.errors import FileError
from regard.io.live.companion import Companion, companion_at
from regard.io.live.gaze_log import GazeLog
from regard.io.live.grabbed import Grabbed, LiveSource, Tell
from regard.io.live.stream import AGAIN_S, GIVE_UP_S, OPTIONS, STALL_S, Stream, wall_ahead_s, why_of
from regard.sources import SoundSource
from regard.types import GazeTrack, Recording

GAZE = struct.Struct("!ffB")
WORN = 255
TOLD_S = 5.0
"""Whether the glasses are worn is told at most so often."""
ENDS_S = 3.0
"""How long the thread that reads gaze is waited for."""


class Neon(LiveSource):
    """The glasses at neon://HOST[:PORT], or with neon:// those found in the local network.

    Raises FileError where no phone answers, or its glasses are not plugged in, and MissingExtraError where they are to
    be found and zeroconf is not installed. What breaks off is opened again, as of any stream.
    """

    def __init__(self, address: str, *, stall_s: float = STALL_S, give_up_s: float = GIVE_UP_S) -> None:
        self._phone = companion_at(address)
        self.name = f"neon://{self._phone.host}:{self._phone.port}"
        sensors = self._phone.sensors()
        if why := self._phone.trouble() or ("no scene or no gaze" if not {"world", "gaze"} <= sensors.keys() else None):
            raise FileError(
                self.name, found=why, wanted="Neon's scene camera and gaze", do="plug the glasses into the phone"
            )
        camera = self._phone.camera()
        notes = () if camera else ("the phone tells no calibration: angles in degrees cannot be computed",)
        self.recording = Recording(id=self._phone.name, subject="live", camera=camera, notes=notes)
        self._scene = Stream(sensors["world"].address, on_wall_clock=True, stall_s=stall_s, give_up_s=give_up_s)
        self._gaze = _Gaze(sensors["gaze"].address, self._phone, stall_s=stall_s)

    @override
    def frames(self, stop: Event, tell: Tell) -> Iterator[Grabbed]:
        ended = Event()
        reader = Thread(target=self._gaze.read, args=(ended, tell), name="gaze", daemon=True)
        reader.start()
        try:
            for grabbed in self._scene.frames(stop, tell):
                ahead_s = self._scene.stamps.ahead_s
                assert ahead_s is not None
                self._gaze.log.settle(grabbed.time_s, ahead_s=ahead_s, size=grabbed.size)
                yield grabbed
        finally:
            ended.set()
            reader.join(ENDS_S)

    @override
    def gaze_between(self, start_s: float, end_s: float) -> GazeTrack:
        return self._gaze.log.between(start_s, end_s)

    @override
    def heard(self) -> SoundSource | None:
        return self._scene.heard()


class _Gaze:
    """The gaze stream, opened again for as long as it is wanted."""

    def __init__(self, address: str, phone: Companion, *, stall_s: float) -> None:
        self.log = GazeLog()
        self._address, self._phone, self._stall_s = address, phone, stall_s
        self._worn, self._told_s = True, 0.0

    def read(self, ended: Event, tell: Tell) -> None:
        is_away = False
        while not ended.is_set():
            why = "it ended"
            try:
                for wall_s, content in self._packets(ended):
                    if is_away:
                        is_away = False
                        tell("gaze comes again")
                    self._hear(wall_s, content, tell)
            except (FFmpegError, OSError) as error:
                why = why_of(error, self._stall_s)
            if not is_away and not ended.is_set():
                is_away = True
                tell(f"no gaze comes: {self._phone.trouble() or why}; it is looked for again")
            ended.wait(AGAIN_S)

    def _packets(self, ended: Event) -> Iterator[tuple[float, bytes]]:
        """What was measured at a moment of the phone's clock, from its first report on."""
        container = av.open(self._address, options=dict(OPTIONS), timeout=(self._stall_s, self._stall_s))
        ahead_s = None
        with closing(container):
            for packet in container.demux(container.streams.data[:1]):
                if ended.is_set():
                    return
                ahead_s = wall_ahead_s(packet) or ahead_s
                if ahead_s is not None and packet.pts is not None:
                    yield float(packet.pts * packet.time_base) + ahead_s, bytes(packet)

    def _hear(self, wall_s: float, content: bytes, tell: Tell) -> None:
        if len(content) < GAZE.size:
            return
        x_px, y_px, worn = GAZE.unpack_from(content)
        self.log.add(wall_s, x_px, y_px, valid=worn == WORN)
        now_s = time.monotonic()
        if (worn == WORN) != self._worn and now_s - self._told_s > TOLD_S:
            self._worn, self._told_s = worn == WORN, now_s
            tell("the glasses are worn again" if self._worn else "the glasses are not worn: their gaze counts as lost")
