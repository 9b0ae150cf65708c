"""Fetching one file over HTTP, so that it is there as a whole or not at all, and a broken fetch goes on where it was.

What has come so far lies beside the file as NAME.part, with the server's own mark of that version (ETag or date) in
NAME.part.of. A server that has another version by then sends the whole file anew.
"""

import hashlib
import os
import re
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError

from regard.errors import FileError, RegardError
from regard.io.files import one_at_a_time

TIMEOUT_S = 30.0
CHUNK_BYTES = 2**20


class FetchError(RegardError):
    """A file that could not be fetched, or is not the one that was wanted."""


def fetch(
    address: str,
    path: Path,
    *,
    by_hand: str,
    sha256: str | None = None,
    check: Callable[[Path], object] = lambda _: None,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Put what lies at `address` under `path`, after `check` has accepted it; returns the path.

    Of two processes that want the same, one waits for the other. `check` raises where the content is not what is
    wanted. `by_hand` says what the user can do without a network. `progress` is told the share done, where the server
    says how large the file is. Raises FetchError.
    """
    if not address.startswith(("http://", "https://")):
        raise FetchError(address, found="an address that is not of the web", wanted="http:// or https://", do=by_hand)
    part = path.with_name(f"{path.name}.part")
    was_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(path):
            if path.exists() and not was_there:
                return path  # another process has just fetched it
            _receive(address, part, by_hand=by_hand, progress=progress)
            return _accepted(part, path, sha256=sha256, check=check)
    except (HTTPError, URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise _unreachable(address, part, error, by_hand=by_hand) from error
    except OSError as error:
        raise FileError(
            part,
            found=f"it cannot be written: {error.strerror or error}",
            wanted="room and permission for the file",
            do="set REGARD_CACHE to a folder that may be written to",
        ) from error


def _accepted(part: Path, path: Path, *, sha256: str | None, check: Callable[[Path], object]) -> Path:
    try:
        require_sha256(part, sha256)
        check(part)
    except RegardError:
        _forget(part)
        raise
    os.replace(part, path)
    _mark(part).unlink(missing_ok=True)
    return path


def require_sha256(path: Path, sha256: str | None) -> None:
    """Raises FetchError where a file's hash is not the recorded one; None: none is recorded."""
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise FetchError(
            path,
            found=f"SHA-256 {found}",
            wanted=sha256.lower(),
            do="fetch it again; if it stays so, the file at the source has changed",
        )


def _receive(address: str, part: Path, *, by_hand: str, progress: Callable[[float], None] | None) -> None:
    """The whole content into `part`, after what is there already."""
    had = part.stat().st_size if part.exists() and _mark(part).exists() else 0
    headers = {"User-Agent": "regard", "Accept-Encoding": "identity"}
    if had:
        headers |= {"Range": f"bytes={had}-", "If-Range": _mark(part).read_text(encoding="utf-8")}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not had:
            raise
        _forget(part)
        return _receive(address, part, by_hand=by_hand, progress=progress)
    with answer:
        _refuse_page(address, answer, by_hand=by_hand)
        begins = _first_byte(answer)
        if begins not in {0, had}:
            _forget(part)
            raise FetchError(
                address,
                found=f"content from byte {begins} on",
                wanted=f"from byte {had} on, as asked",
                do="try again; what had come so far is given up",
            )
        total = _total(answer, begins)
        mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        _mark(part).unlink(missing_ok=True)
        if mark is not None and not mark.startswith("W/"):
            _mark(part).write_text(mark, encoding="utf-8")
        got = _append(answer, part, begins, total, progress)
    if total is not None and got != total:
        raise IncompleteRead(b"", total - got)
    return None


def _append(
    answer: HTTPResponse, part: Path, begins: int, total: int | None, progress: Callable[[float], None] | None
) -> int:
    """Bytes in `part` in the end."""
    got = begins
    with part.open("ab" if begins else "wb") as file:
        while chunk := answer.read(CHUNK_BYTES):
            file.write(chunk)
            got += len(chunk)
            if progress is not None and total:
                progress(min(1.0, got / total))
    return got


def _refuse_page(address: str, answer: HTTPResponse, *, by_hand: str) -> None:
    """File hosts answer with a page where they want to be asked again, or have nothing."""
    if answer.headers.get_content_type() == "text/html":
        raise FetchError(address, found="a web page", wanted="the file itself", do=by_hand)


def _first_byte(answer: HTTPResponse) -> int:
    """Number of the first byte that comes."""
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        return 0
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found.group(1)) if found else -1


def _total(answer: HTTPResponse, begins: int) -> int | None:
    """Bytes of the whole file, where the server says."""
    length = answer.headers.get("Content-Length")
    return None if length is None else begins + int(length)


def _mark(part: Path) -> Path:
    return part.with_name(f"{part.name}.of")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _mark(part).unlink(missing_ok=True)


def _unreachable(address: str, part: Path, error: Exception, *, by_hand: str) -> FetchError:
    if isinstance(error, HTTPError):
        return FetchError(
            address, found=f"the answer {error.code} {error.reason}", wanted="the file", do=f"try later; or {by_hand}"
        )
    if isinstance(error, IncompleteRead) or part.exists():
        came = part.stat().st_size if part.exists() else 0
        goes_on = "the same command goes on from there" if _mark(part).exists() else "the same command begins anew"
        return FetchError(
            address,
            found=f"a connection that ended after {came:,} bytes ({error})",
            wanted="the whole file",
            do=f"{goes_on}; or {by_hand}",
        )
    reason = error.reason if isinstance(error, URLError) else error
    return FetchError(address, found=f"no connection ({reason})", wanted="a network", do=by_hand)
