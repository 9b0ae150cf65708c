"""A page's server: who may ask it, where it listens, and that it stops."""

import http.client
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from regard.errors import MissingExtraError
from regard.page.serving import Serving, ServingError, page_routes


async def _endless(viewer: WebSocket) -> None:
    await viewer.accept()
    while True:
        await viewer.send_bytes(bytes(100_000))


ROUTES = [Route("/hello", lambda _: PlainTextResponse("hello")), WebSocketRoute("/endless", _endless)]


@contextmanager
def served(**where: str) -> Iterator[Serving]:
    with Serving(port=0, **where) as page:  # pyright: ignore[reportArgumentType]
        page.start([*ROUTES, *page_routes("style.css")])
        yield page


@pytest.fixture(scope="module")
def home() -> Iterator[Serving]:
    with served() as page:
        yield page


@pytest.fixture(scope="module")
def away() -> Iterator[Serving]:
    with served(host="0.0.0.0") as page:
        yield page


def asked(page: Serving, path: str = "/hello", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_at_home_a_page_needs_no_token(home: Serving):
    assert home.url == f"http://127.0.0.1:{home.port}/"
    assert asked(home).status == 200
    assert asked(home, Host="localhost:99").status == 200
    assert asked(home, Host="[::1]:99").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8321", "192.168.1.7", "localhost.evil.example", "[::1", ""]
)
def test_a_strangers_name_that_points_here_is_refused(home: Serving, host: str):
    assert asked(home, Host=host).status in {400, 421}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://"])
def test_other_sites_are_refused(home: Serving, origin: str):
    assert asked(home, Origin=origin).status == 403
    with pytest.raises(InvalidStatus, match="403"), connect(f"ws://127.0.0.1:{home.port}/endless", origin=origin):  # pyright: ignore[reportArgumentType]
        pass


def test_its_own_pages_may_ask(home: Serving):
    own = f"http://127.0.0.1:{home.port}"
    assert asked(home, Origin=own).status == 200
    with connect(f"ws://127.0.0.1:{home.port}/endless", origin=own, close_timeout=0.1) as viewer:  # pyright: ignore[reportArgumentType]
        assert len(viewer.recv()) == 100_000


def test_nothing_from_elsewhere_is_loaded_and_nobody_may_embed(home: Serving):
    headers = asked(home, "/static/overlay.js").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert asked(home, "/static/../serving.py").status == 404
    assert asked(home, "/").status == 200


def test_beyond_loopback_nobody_is_served_without_the_token(away: Serving):
    assert away.token is not None
    assert len(away.token) >= 32
    assert away.url.endswith(f":{away.port}/?token={away.token}")
    assert asked(away).status == 403
    assert asked(away, f"/hello?token={away.token[:-1]}").status == 403
    assert asked(away, Cookie=f"regard-{away.port}=wrong").status == 403
    assert asked(away, "/hello?token=%C3%BC").status == 403
    with pytest.raises(InvalidStatus, match="403"), connect(f"ws://127.0.0.1:{away.port}/endless"):
        pass


def test_the_token_moves_from_the_address_into_a_cookie(away: Serving):
    first = asked(away, f"/hello?a=1&token={away.token}")
    assert (first.status, first.headers["location"]) == (303, "/hello?a=1")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    kept = cookie.split(";")[0]
    assert asked(away, Cookie=kept).status == 200
    with connect(
        f"ws://127.0.0.1:{away.port}/endless", additional_headers={"Cookie": kept}, close_timeout=0.1
    ) as viewer:
        assert len(viewer.recv()) == 100_000


def test_beyond_loopback_numbers_and_the_machines_name_are_known(away: Serving):
    kept = {"Cookie": f"regard-{away.port}={away.token}"}
    assert asked(away, Host="192.168.1.7:8321", **kept).status == 200
    assert asked(away, Host=socket.gethostname(), **kept).status == 200
    assert asked(away, Host="evil.example", **kept).status == 421


def test_a_port_in_use_is_explained():
    with Serving(port=0) as first, pytest.raises(ServingError, match="in use") as caught:
        Serving(port=first.port)
    assert "--port" in caught.value.do


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 70, ""])
def test_an_address_that_is_not_of_here_is_explained(host: str):
    with pytest.raises(ServingError, match=r"--host|cannot be used"):
        Serving(host=host, port=0)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match="regard\\[serve\\]"):
        Serving(port=0)


def test_a_viewer_that_reads_nothing_does_not_keep_it_from_stopping(caplog: pytest.LogCaptureFixture):
    with ExitStack() as viewers:
        with Serving(port=0) as page:
            page.start(ROUTES)
            address = f"ws://127.0.0.1:{page.port}/endless"
            viewers.enter_context(connect(address, max_queue=1, close_timeout=0.1))
            time.sleep(0.5)
        assert f"page {page.port}" not in {thread.name for thread in threading.enumerate()}
    Serving(port=page.port).__exit__()
    assert not caplog.records
