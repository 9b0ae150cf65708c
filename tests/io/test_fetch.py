"""Fetching a file: whole or not at all, and on from where it was cut off; against a server on this machine."""

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from regard.errors import FileError, WeightsError
from regard.io.fetch import FetchError, fetch
from regard.io.files import one_at_a_time

CONTENT = bytes(range(256)) * 4096
BY_HAND = "get it by hand"


@dataclass
class Server:
    """What a server holds and does, and which ranges it was asked for."""

    address: str
    content: bytes = CONTENT
    mark: str | None = '"v1"'
    cut_at: int | None = None
    kind: str = "application/octet-stream"
    status: int = 200
    takes_ranges: bool = True
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            about.asked.append(wanted)
            if about.status != 200:
                self.send_error(about.status)
                return
            resumes = wanted and about.takes_ranges and self.headers.get("If-Range") == about.mark
            first = int(wanted.removeprefix("bytes=").rstrip("-")) if resumes else 0
            self.send_response(206 if resumes else 200)
            self.send_header("Content-Type", about.kind)
            self.send_header("Content-Length", str(len(about.content) - first))
            if resumes:
                self.send_header("Content-Range", f"bytes {first}-{len(about.content) - 1}/{len(about.content)}")
            if about.mark:
                self.send_header("ETag", about.mark)
            self.end_headers()
            self.wfile.write(about.content[first : about.cut_at])

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    about = Server(f"http://127.0.0.1:{listening.server_port}/weights.pth")
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield about
    listening.shutdown()
    listening.server_close()
    thread.join()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_nothing_else_stays(server: Server, tmp_path: Path):
    told: list[float] = []
    path = fetch(
        server.address,
        tmp_path / "new" / "file",
        by_hand=BY_HAND,
        sha256=hashlib.sha256(CONTENT).hexdigest().upper(),
        progress=told.append,
    )
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["file"]
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_broken_fetch_goes_on_where_it_was(server: Server, tmp_path: Path):
    server.cut_at = 300_000
    with pytest.raises(FetchError, match=r"ended after 300,000 bytes[\s\S]*goes on from there; or get it by hand"):
        fetch(server.address, tmp_path / "file", by_hand=BY_HAND)
    assert names(tmp_path) == ["file.part", "file.part.of"]
    server.cut_at = None
    fetch(server.address, tmp_path / "file", by_hand=BY_HAND)
    assert server.asked == [None, "bytes=300000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("change", [{"mark": '"v2"'}, {"takes_ranges": False}, {"mark": None}], ids=str)
def test_what_has_changed_or_cannot_be_resumed_is_fetched_anew(server: Server, tmp_path: Path, change: dict):
    server.cut_at = 300_000
    if change == {"mark": None}:
        server.mark = None
    with pytest.raises(FetchError):
        fetch(server.address, tmp_path / "file", by_hand=BY_HAND)
    server.cut_at, server.content = None, CONTENT[::-1]
    for name, value in change.items():
        setattr(server, name, value)
    assert fetch(server.address, tmp_path / "file", by_hand=BY_HAND).read_bytes() == CONTENT[::-1]


def test_a_part_that_is_longer_than_the_file_is_given_up(server: Server, tmp_path: Path):
    (tmp_path / "file.part").write_bytes(CONTENT + b"more")
    (tmp_path / "file.part.of").write_text('"v1"')
    server.status = 416
    with pytest.raises(FetchError, match="416"):
        fetch(server.address, tmp_path / "file", by_hand=BY_HAND)
    assert len(server.asked) == 2
    assert names(tmp_path) == []


def test_another_content_than_recorded_is_not_kept(server: Server, tmp_path: Path):
    with pytest.raises(FetchError, match="SHA-256"):
        fetch(server.address, tmp_path / "file", by_hand=BY_HAND, sha256="0" * 64)
    assert names(tmp_path) == []


def test_what_the_check_refuses_is_not_kept(server: Server, tmp_path: Path):
    def refuse(path: Path) -> None:
        assert path.read_bytes() == CONTENT
        raise WeightsError(path, found="x", wanted="y", do="z")

    with pytest.raises(WeightsError):
        fetch(server.address, tmp_path / "file", by_hand=BY_HAND, check=refuse)
    assert names(tmp_path) == []


def test_a_missing_file_and_a_web_page_are_named(server: Server, tmp_path: Path):
    server.status = 404
    with pytest.raises(FetchError, match=r"the answer 404[\s\S]*get it by hand"):
        fetch(server.address, tmp_path / "file", by_hand=BY_HAND)
    server.status, server.kind = 200, "text/html; charset=utf-8"
    with pytest.raises(FetchError, match=r"a web page[\s\S]*get it by hand"):
        fetch(server.address, tmp_path / "file", by_hand=BY_HAND)
    assert names(tmp_path) == []


def test_without_a_network_the_user_learns_what_to_do_by_hand(tmp_path: Path):
    with pytest.raises(FetchError, match=r"no connection[\s\S]*a network[\s\S]*get it by hand"):
        fetch("http://127.0.0.1:9/weights.pth", tmp_path / "file", by_hand=BY_HAND)
    with pytest.raises(FetchError, match="not of the web"):
        fetch("file:///etc/hostname", tmp_path / "file", by_hand=BY_HAND)


def test_a_folder_that_cannot_be_is_an_error_of_the_disk(server: Server, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileError, match="REGARD_CACHE"):
        fetch(server.address, tmp_path / "file" / "below", by_hand=BY_HAND)


def test_two_that_want_the_same_get_it_by_one_fetch(server: Server, tmp_path: Path):
    path = tmp_path / "weights.pth"
    got = []
    with one_at_a_time(path):
        threads = [
            threading.Thread(target=lambda: got.append(fetch(server.address, path, by_hand=BY_HAND))) for _ in "ab"
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)  # both wait by now
    for thread in threads:
        thread.join(timeout=30)
    assert got == [path, path]
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == [path]
