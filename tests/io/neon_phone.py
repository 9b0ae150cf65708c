"""A phone with a Neon on it, as the realtime API shows it: its status by HTTP, scene and gaze by RTSP, times by RTCP.

The picture has a white square where the wearer looks, so that a picture and a measurement that were put together
wrongly are seen to be so. Scene pictures leave later than the gaze of their moment, as on the phone.
"""

import base64
import json
import math
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import av
import numpy as np

RATE_HZ, GAZE_HZ, CLOCK_HZ = 20, 100, 90_000
LOOP = 40
"""Pictures until the film begins anew; so does the path of the gaze."""
LARGEST = 1200
"""Bytes of video in a packet."""
NTP_1970 = 2_208_988_800
SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=Unnamed\r\nt=0 0\r\na=recvonly\r\nm={}\r\na=control:trackID=1\r\n"


class NeonPhone:
    """Served on loopback while it is entered. Its clock is `ahead_s` ahead; pictures come `late_s` later than gaze."""

    def __init__(
        self, *, size: tuple[int, int] = (48, 64), ahead_s: float = 1234.5, late_s: float = 0.1, longest: bool = False
    ) -> None:
        self.size, self.ahead_s, self.late_s, self.longest = size, ahead_s, late_s, longest
        self.worn, self.plugged_in, self.stalled, self.tells_time = True, True, False, True
        self.calibration = b""
        self.port = self._rtsp_port = 0
        self._film = [list(nal_units(content)) for content in film(size)]
        self._connections: set[socket.socket] = set()

    def __enter__(self) -> "NeonPhone":
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """At the same ports as before, where it was stopped."""
        self._running = True
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._rtsp = socket.create_server(("127.0.0.1", self._rtsp_port))
        self.port, self._rtsp_port = self._http.server_address[1], self._rtsp.getsockname()[1]
        for work in (self._http.serve_forever, self._accept):
            threading.Thread(target=work, daemon=True).start()

    def stop(self) -> None:
        """Gone, in mid-packet."""
        self._running = False
        self._http.shutdown()
        self._http.server_close()
        for one in (self._rtsp, *self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @property
    def address(self) -> str:
        return f"neon://127.0.0.1:{self.port}"

    def looked_at(self, wall_s: float) -> tuple[float, float]:
        """(x, y) pixels of the phone's time."""
        h, w = self.size
        angle = 2 * math.pi * (wall_s * RATE_HZ % LOOP) / LOOP
        return w * (0.5 + 0.3 * math.cos(angle)), h * (0.5 + 0.3 * math.sin(angle))

    def status(self) -> list[dict[str, object]]:
        phone = {
            "battery_level": 90, "battery_state": "OK", "device_id": "d", "device_name": "Bench phone",
            "ip": "127.0.0.1", "memory": 10**9, "memory_state": "OK", "time_echo_port": 12321,
        }  # fmt: skip
        hardware = {"version": "2.0", "glasses_serial": "-1", "world_camera_serial": "-1", "module_serial": "123456"}
        sensors = [
            {
                "sensor": name, "conn_type": kind, "connected": self.plugged_in, "ip": "127.0.0.1",
                "params": f"camera={name}", "port": self._rtsp_port if kind == "DIRECT" else 1, "protocol": protocol,
                "stream_error": not self.plugged_in,
            }
            for name in ("world", "gaze")
            for kind, protocol in (("WEBSOCKET", "ws"), ("DIRECT", "rtsp"))
        ]  # fmt: skip
        return [
            {"model": "Phone", "data": phone},
            {"model": "Hardware", "data": hardware},
            *({"model": "Sensor", "data": sensor} for sensor in sensors),
        ]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = {"/calibration.bin": phone.calibration}.get(self.path, b"")
                if self.path == "/api/status":
                    content = json.dumps({"message": "Success", "result": phone.status()}).encode()
                self.send_response(200 if content else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def _accept(self) -> None:
        while self._running:
            with suppress(OSError):
                connection, _ = self._rtsp.accept()
                self._connections.add(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        """One RTSP session: what is asked is answered, and from PLAY on packets go between the answers."""
        turn, send, playing = threading.Lock(), None, threading.Event()
        with suppress(OSError), connection, connection.makefile("rb") as asked:
            while line := asked.readline():
                if line[:1] == b"$":  # a receiver's report
                    asked.read(struct.unpack("!xBH", line[:4])[1] - len(line) + 4) if len(line) > 3 else None
                    continue
                method, url, _ = line.decode().split(" ", 2)
                headers = dict(h.decode().strip().split(": ", 1) for h in iter(asked.readline, b"\r\n"))
                told, body = {"CSeq": headers["CSeq"], "Session": "1;timeout=60"}, ""
                if method == "OPTIONS":
                    told["Public"] = "OPTIONS, DESCRIBE, SETUP, TEARDOWN, PLAY, PAUSE, GET_PARAMETER"
                elif method == "DESCRIBE":
                    body = self._described(url)
                    told |= {"Content-Base": url, "Content-Type": "application/sdp", "Content-Length": str(len(body))}
                elif method == "SETUP":
                    send, told["Transport"] = transport(headers["Transport"], connection, turn)
                lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
                with turn:
                    connection.sendall(f"RTSP/1.0 200 OK\r\n{lines}\r\n{body}".encode())
                if method == "PLAY" and not playing.is_set():
                    playing.set()
                    kind, packets = (99, self._gaze()) if "camera=gaze" in url else (96, self._scene())
                    threading.Thread(target=self._play, args=(packets, kind, send), daemon=True).start()
                if method == "TEARDOWN":
                    return

    def _described(self, url: str) -> str:
        if "camera=gaze" in url:
            return SDP.format("application 0 RTP/AVP 99\r\na=rtpmap:99 com.pupillabs.gaze1/90000")
        sets = ",".join(base64.b64encode(unit).decode() for unit in self._film[0] if unit[0] & 31 in (7, 8))
        how = f"packetization-mode=1;sprop-parameter-sets={sets}"
        return SDP.format(f"video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 {how}")

    def _play(self, packets: "Iterator[tuple[float, float, list[tuple[bytes, bool]]]]", kind: int, send) -> None:
        """What is due at the machine's `due_s` and was taken at the phone's `wall_s`; a report of both clocks first."""
        sequence, offset, reported_s = 7, 0x12345678, 0.0
        with suppress(OSError, ValueError):
            for due_s, wall_s, payloads in packets:
                time.sleep(max(0.0, due_s - time.time()))
                while self.stalled and self._running:
                    time.sleep(0.01)
                if not self._running:
                    return
                stamp = (round(wall_s * CLOCK_HZ) + offset) % 2**32
                if self.tells_time and due_s - reported_s > 1:
                    reported_s, ntp = due_s, wall_s + NTP_1970
                    seconds, fraction = int(ntp), int(ntp % 1 * 2**32)
                    send(1, struct.pack("!BBHIIIIII", 0x80, 200, 6, 9, seconds, fraction, stamp, sequence, 0))
                for content, is_last in payloads:
                    head = struct.pack("!BBHII", 0x80, kind | is_last << 7, sequence, stamp, 9)
                    send(0, head + content)
                    sequence = (sequence + 1) % 2**16

    def _scene(self) -> "Iterator[tuple[float, float, list[tuple[bytes, bool]]]]":
        number = math.ceil((time.time() + self.ahead_s) * RATE_HZ)
        number += -number % 5  # a key frame
        while True:
            wall_s = number / RATE_HZ
            parts = [part for unit in self._film[number % LOOP] for part in fragments(unit)]
            payloads = [(part, i == len(parts) - 1) for i, part in enumerate(parts)]
            yield wall_s - self.ahead_s + self.late_s, wall_s, payloads
            number += 1

    def _gaze(self) -> "Iterator[tuple[float, float, list[tuple[bytes, bool]]]]":
        number = math.ceil((time.time() + self.ahead_s) * GAZE_HZ)
        while True:
            wall_s = number / GAZE_HZ
            content = struct.pack("!ffB", *self.looked_at(wall_s), 255 * self.worn) + bytes(56 * self.longest)
            yield wall_s - self.ahead_s, wall_s, [(content, True)]
            number += 1


def film(size: tuple[int, int]) -> Iterator[bytes]:
    """H.264 in Annex B, a key frame with its headers every five pictures."""
    h, w = size
    coder = av.CodecContext.create("libx264", "w")
    coder.height, coder.width, coder.pix_fmt, coder.time_base = h, w, "yuv420p", Fraction(1, RATE_HZ)
    coder.thread_count = 1
    coder.options = {"g": "5", "tune": "zerolatency", "x264-params": "repeat-headers=1:scenecut=0"}
    for number in range(LOOP):
        picture = np.full((h, w, 3), 40, np.uint8)
        angle = 2 * math.pi * number / LOOP
        x, y = round(w * (0.5 + 0.3 * math.cos(angle))), round(h * (0.5 + 0.3 * math.sin(angle)))
        picture[y - h // 12 : y + h // 12, x - h // 12 : x + h // 12] = 255
        frame = av.VideoFrame.from_ndarray(picture)
        frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
        (packet,) = coder.encode(frame)
        yield bytes(packet)


def nal_units(annex_b: bytes) -> Iterator[bytes]:
    for part in annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]:
        if part[0] & 31 != 6:  # what the encoder says of itself
            yield part


def fragments(unit: bytes) -> Iterator[bytes]:
    """As RFC 6184 sends it: whole, or in FU-A."""
    if len(unit) <= LARGEST:
        yield unit
        return
    for start in range(1, len(unit), LARGEST):
        first, last = start == 1, start + LARGEST >= len(unit)
        yield bytes([unit[0] & 0xE0 | 28, first << 7 | last << 6 | unit[0] & 31]) + unit[start : start + LARGEST]


def transport(wanted: str, connection: socket.socket, turn: threading.Lock):
    """How packets of a channel (0 RTP, 1 RTCP) are sent, and what SETUP is answered."""
    said = dict(part.split("=") for part in wanted.split(";") if "=" in part)
    if "TCP" in wanted:
        first = int(said.get("interleaved", "0-1").split("-")[0])

        def send(channel: int, content: bytes) -> None:
            with turn:
                connection.sendall(struct.pack("!cBH", b"$", first + channel, len(content)) + content)

        return send, f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}"
    ports = [int(port) for port in said["client_port"].split("-")]
    there, outs = connection.getpeername()[0], [socket.socket(type=socket.SOCK_DGRAM) for _ in ports]
    for out in outs:
        out.bind(("127.0.0.1", 0))
    ours = "-".join(str(out.getsockname()[1]) for out in outs)
    return (
        lambda channel, content: outs[channel].sendto(content, (there, ports[channel])),
        f"RTP/AVP;unicast;client_port={said['client_port']};server_port={ours}",
    )
