"""A page's server: uvicorn in a thread of its own, on this machine alone unless somebody asks for more."""

import asyncio
import errno
import ipaddress
import logging
import secrets
import socket
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from regard.errors import MissingExtraError, RegardError

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from uvicorn import Server

HOST, PORT = "127.0.0.1", 8321
PACKAGES = ("starlette", "uvicorn", "websockets")
"""What the extra `serve` brings."""
STATIC = Path(__file__).parent / "static"
"""Pages, styles and scripts, as they are served."""
GRACE_S = 2.0
"""How long a viewer that reads nothing is waited for when the server stops."""
PATIENCE_S = 5.0
SMALL_MESSAGE = 4096
"""Bytes. A page asks for little; whoever sends more is cut off."""
MOST_CONNECTIONS = 64


class ServingError(RegardError):
    """An address or port on which nothing can be served."""


def need_packages(what: str) -> None:
    """Raises MissingExtraError for `what` where a package of the extra `serve` is not installed."""
    for package in PACKAGES:
        try:
            import_module(package)
        except ImportError as error:
            raise MissingExtraError.of(what, package=package, extra="serve") from error


def page_routes(page: str) -> "list[BaseRoute]":
    """At / a page of STATIC, such as "live.html", and below /static all that pages are made of."""
    from starlette.responses import FileResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    return [
        Route("/", lambda _: FileResponse(STATIC / page), methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


class Serving:
    """Serves from `start` to the end of its `with`. The port is taken at once, before anything dear is made.

    Beyond loopback it has a `token`, which is in `url`, and serves nobody without it. Port 0: any that is free. Raises
    MissingExtraError without the extra `serve`, and ServingError where the port is taken or the host is not of here.
    """

    def __init__(self, *, host: str = HOST, port: int = PORT) -> None:
        need_packages("a page")
        self._host, self._socket = host, _listening(host, port)
        address, self.port = self._socket.getsockname()[:2]
        self.token = None if ipaddress.ip_address(address).is_loopback else secrets.token_urlsafe(24)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What to open in a browser."""
        named = _address_outwards() if self._host in {"0.0.0.0", "::"} else self._host
        named = f"[{named}]" if ":" in named else named
        return f"http://{named}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def start(self, routes: "Sequence[BaseRoute]") -> None:
        """Serve these."""
        from starlette.applications import Starlette
        from uvicorn import Config, Server

        from regard.page.guard import Guard

        names = {"localhost", self._host.lower()}
        if self.token is not None:
            name = socket.gethostname().lower()
            names |= {name, f"{name}.local"}
        app = Starlette(routes=list(routes))
        guarded = Guard(app, names=frozenset(names), token=self.token, cookie=f"regard-{self.port}")
        self._server = Server(
            Config(
                guarded,
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=SMALL_MESSAGE,
                ws_per_message_deflate=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=round(GRACE_S),
                proxy_headers=False,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
            )
        )
        self._thread = threading.Thread(target=self._run, args=(self._server,), name=f"page {self.port}", daemon=True)
        self._thread.start()

    def _run(self, server: "Server") -> None:
        async def serve() -> None:
            await server.serve([self._socket])
            for connection in list(server.server_state.connections):  # who reads nothing would never be done
                connection.transport.abort()
            await asyncio.sleep(0)

        asyncio.run(serve())

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *_: object) -> None:
        """Serves no more, and leaves the port; viewers that do not listen are cut off."""
        if self._server is not None and self._thread is not None:
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # who is cut off now is no error
            self._server.should_exit = True
            self._thread.join(GRACE_S + PATIENCE_S)
        self._socket.close()


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. A port that somebody else listens on is an error, not shared."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ServingError(
            f"--host {host}", found=f"no such address ({error})", wanted="a name or number of this machine", do=LEAVE
        ) from error
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # where it would share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise _refused(host, port, error) from error
    return listening


LEAVE = f"leave --host out, for this machine alone ({HOST}), or say 0.0.0.0 for all of its networks"


def _refused(host: str, port: int, error: OSError) -> ServingError:
    if error.errno == errno.EADDRINUSE:
        found, do = "a port that is in use", "stop what uses it, or choose another with --port (0: any that is free)"
    elif error.errno == errno.EACCES:
        found, do = "a port that only the system may use", "choose one from 1024 on with --port"
    else:
        found, do = f"an address that cannot be used ({error.strerror})", LEAVE
    return ServingError(f"{host}:{port}", found=found, wanted="a free port of this machine", do=do)


def _address_outwards() -> str:
    """The number by which others reach this machine, as far as its routes tell; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostname()
