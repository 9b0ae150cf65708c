"""Network streams and cameras through FFmpeg, opened again where they stall, break off or come back changed.

One thread owns the container and never waits without a limit. FFmpeg tells a server that was killed and the end of a
film in the same way; where the stream does not say how long it is, it is looked for again.
"""

import struct
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from threading import Event
from urllib.parse import urlsplit

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import ExitError, FFmpegError, InvalidDataError
from av.packet import Packet
from av.video.stream import VideoStream
from typing_extensions import override

from regard.errors import FileError
from regard.io.live.grabbed import Clock, Grabbed, LiveSource, Tell
from regard.io.live.heard import HeardSound
from regard.io.live.stamps import Stamps
from regard.io.media.container import packets_of, sound_streams, video_streams
from regard.io.media.upright import turn_of
from regard.types import Recording

SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "rtp", "srt")
STALL_S = 5.0
"""A stream that sends nothing for so long is opened again."""
GIVE_UP_S = 30.0
"""A stream that shows nothing for so long has ended."""
AGAIN_S = 0.5
"""Between one attempt and the next."""
OPTIONS: Mapping[str, str] = {"rtsp_flags": "prefer_tcp", "overrun_nonfatal": "1", "fpsprobesize": "0"}
"""The last: no second of pictures is awaited to find their rate, which each picture's own time makes needless."""
DAMAGED_TOLD_S = 5.0
"""Damage is told at most so often."""


class NothingShownError(Exception):
    """The stream was opened and has no video, or none that can be decoded."""


class Stream(LiveSource):
    """An address that FFmpeg opens, or with `camera` a device of video4linux.

    Its clock goes on while it is away. Where it says how long it is, it is a film: it is played at its own clock, once.
    Another one has ended when it shows nothing for `give_up_s`. With `on_wall_clock` its stamps are what its sender's
    clock showed, and pictures wait until it tells (RTCP); so they can be put beside what is sent otherwise.
    """

    def __init__(
        self,
        address: str,
        *,
        camera: bool = False,
        on_wall_clock: bool = False,
        stall_s: float = STALL_S,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        self.name = address if camera else without_password(address)
        self.recording = Recording(id=self.name, subject="live")
        self.stamps = Stamps()
        self._address, self._camera, self._stall_s, self._give_up_s = address, camera, stall_s, give_up_s
        self._on_wall_clock, self._sound = on_wall_clock, None if camera else HeardSound()
        self._is_heard = False

    @override
    def heard(self) -> HeardSound | None:
        """From now on its sound is decoded too; cameras have none."""
        self._is_heard = self._sound is not None
        return self._sound

    @override
    def frames(self, stop: Event, tell: Tell) -> Iterator[Grabbed]:
        size, lost_s, is_away = None, time.monotonic(), False
        while not stop.is_set():
            why = ""
            try:
                with closing(self._connected(stop, tell)) as connected:
                    for grabbed in connected:
                        if is_away and size is not None:
                            tell(f"it is back after {time.monotonic() - lost_s:.1f} s")
                        if size is not None and grabbed.size != size:
                            tell(f"its pictures are {_said(grabbed.size)} now; they were {_said(size)}")
                        size, lost_s, is_away = grabbed.size, time.monotonic(), False
                        yield grabbed
                    why = "it ended"
            except _EndedError:
                return
            except (FFmpegError, OSError, NothingShownError) as error:
                why = why_of(error, self._stall_s)
                if size is None and not isinstance(error, InvalidDataError):
                    raise self._refused(why) from error
            if stop.is_set():
                return
            if time.monotonic() - lost_s > (self._stall_s if size is None else self._give_up_s):
                if size is None:
                    raise self._refused(why)
                tell(f"{why}, and it has not come back for {self._give_up_s:g} s; this is its end")
                return
            if not is_away:
                tell(f"{why}; it is opened again")
            is_away = True
            stop.wait(AGAIN_S)

    def _connected(self, stop: Event, tell: Tell) -> Generator[Grabbed]:
        """Until the stream breaks off. Raises FFmpegError, and _EndedError at the end of one that says its length."""
        container = av.open(
            self._address,
            format="v4l2" if self._camera else None,
            options={} if self._camera else dict(OPTIONS),
            timeout=(self._stall_s, self._stall_s),
            metadata_errors="ignore",
        )
        with closing(container):
            streams = video_streams(container)
            if not streams:
                raise NothingShownError("it has no video")
            sound = sound_streams(container)[:1] if self._is_heard else []
            if self._is_heard and not sound:
                tell("it has no sound")
            decoded = self._decoded(container, streams[0], sound, stop, tell)
            if self._camera or (container.duration or 0) <= 0:
                yield from decoded
                return
            yield from _played(decoded, stop)
            raise _EndedError

    def _decoded(
        self, container: InputContainer, stream: VideoStream, sound: list[AudioStream], stop: Event, tell: Tell
    ) -> Iterator[Grabbed]:
        stream.codec_context.thread_count = 1
        damaged, told_s, known = 0, 0.0, False
        size, turn = (0, 0), (False, False, False)
        ahead_s = sound_ahead_s = None if self._on_wall_clock else 0.0
        opened_s = time.monotonic()
        for packet in packets_of(container, stream, *sound):
            if stop.is_set():
                return
            began_s = time.monotonic()
            if packet.stream in sound:
                sound_ahead_s = (self._on_wall_clock and wall_ahead_s(packet)) or sound_ahead_s
                self._hear(packet, sound_ahead_s)
                continue
            if self._on_wall_clock:
                ahead_s = wall_ahead_s(packet) or ahead_s
                if ahead_s is None and began_s - opened_s > self._stall_s:
                    raise NothingShownError("it does not tell the time of its pictures (RTCP)")
            try:
                frames = packet.decode()
            except InvalidDataError:
                damaged += known  # before the first whole picture, one has joined in the middle
                if damaged and began_s - told_s > DAMAGED_TOLD_S:
                    tell(f"{damaged} damaged packets are left out")
                    damaged, told_s = 0, began_s
                continue
            for frame in frames:
                now_s = time.monotonic()
                if (frame.width, frame.height) != size:
                    size, turn = (frame.width, frame.height), turn_of(frame)
                if self._on_wall_clock and (ahead_s is None or frame.time is None):
                    continue
                stamp_s = None if frame.time is None else frame.time + (ahead_s or 0.0)
                time_s, due_s, jumped = self.stamps.place(stamp_s, now_s)
                if jumped and known:
                    tell(f"its clock jumped; it goes on from {time_s:.2f} s")
                yield Grabbed(time_s=time_s, due_s=due_s, decode_s=now_s - began_s, frame=frame, turn=turn)
                known, began_s = True, time.monotonic()

    def _hear(self, packet: Packet, ahead_s: float | None) -> None:
        """On the pictures' clock, once there is one."""
        if self._sound is None or ahead_s is None or self.stamps.ahead_s is None:
            return
        with suppress(InvalidDataError):  # damage in sound is silence
            for frame in packet.decode():
                if isinstance(frame, AudioFrame) and frame.time is not None:
                    self._sound.add(frame, frame.time + ahead_s + self.stamps.ahead_s)

    def _refused(self, why: str) -> FileError:
        if self._camera:
            return FileError(
                self.name, found=f"no camera there: {why}", wanted="a camera of video4linux", do="try another number"
            )
        return FileError(
            self.name,
            found=f"nothing to see there: {why}",
            wanted="a stream of video that FFmpeg opens",
            do="check the address, and that the other side sends",
        )


class _EndedError(Exception):
    """A film came to its end."""


def _played(decoded: Iterator[Grabbed], stop: Event) -> Iterator[Grabbed]:
    """The pictures of a film, which come as quickly as they can, each at its own time."""
    clock, began_s = Clock(), None
    for grabbed in decoded:
        if began_s is None:
            began_s = clock.now_s() - grabbed.time_s
        due_s = began_s + grabbed.time_s
        clock.wait_until(due_s, stop)
        if stop.is_set():
            return
        yield replace(grabbed, due_s=due_s)


def wall_ahead_s(packet: Packet) -> float | None:
    """By how much the sender's clock (seconds since 1970) is ahead of the packets' stamps; None where nobody said."""
    if packet.pts is None or not packet.has_sidedata("prft"):
        return None
    (wall_us,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
    return wall_us / 1e6 - float(packet.pts * packet.time_base)


def without_password(address: str) -> str:
    """The address as it may be shown and saved."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _said(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def why_of(error: Exception, stall_s: float) -> str:
    """What went wrong with a stream that was given so long, in a user's words."""
    if isinstance(error, ExitError):
        return f"it sent nothing for {stall_s:g} s"
    if isinstance(error, InvalidDataError):
        return "what it sends is no video that FFmpeg knows"
    said = getattr(error, "strerror", None) or str(error)
    return said[:1].lower() + said[1:]
