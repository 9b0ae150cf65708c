"""Who may ask a page: whoever calls the server by its name, from its own pages, and beyond loopback with a token."""

import ipaddress
import secrets
from urllib.parse import urlencode, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"
"""The word in an address before the token."""
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""Of every answer: nothing from elsewhere is loaded, and no other site may show or read what is served."""


class Guard:
    """Asks a request three things before the app sees it.

    Host: one of `names`, which stops a stranger's name that was made to point here; with a token also any number, for
    numbers cannot be made to. Origin, where there is one: the same host, which stops other sites' scripts and sockets.
    Token, where there is one: in the address, from where it goes into a cookie, or in that cookie.
    """

    def __init__(self, app: ASGIApp, *, names: frozenset[str], token: str | None, cookie: str) -> None:
        self._app, self._names, self._token, self._cookie = app, names, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of ASGI."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        if (refusal := self._refusal(asked)) is not None:
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
                return
            await PlainTextResponse(refusal[1] + "\n", refusal[0])(scope, receive, _with_headers(send))
            return
        if scope["type"] == "http" and self._token is not None and TOKEN in asked.query_params:
            await self._let_in(asked)(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)

    def _refusal(self, asked: HTTPConnection) -> tuple[int, str] | None:
        hosts, origins = asked.headers.getlist("host"), asked.headers.getlist("origin")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return 421, "this server goes by another name: open the address that regard printed"
        if any(urlsplit(origin).netloc.lower() != hosts[0].lower() for origin in origins):
            return 403, "another site may not ask this server"
        if self._token is not None and not self._is_known(asked, self._token):
            return 403, "the token is missing or wrong: open the address that regard printed"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            number = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return number.is_loopback or self._token is not None

    def _is_known(self, asked: HTTPConnection, token: str) -> bool:
        said = asked.query_params.get(TOKEN) or asked.cookies.get(self._cookie, "")
        return secrets.compare_digest(said.encode(), token.encode())

    def _let_in(self, asked: HTTPConnection) -> RedirectResponse:
        """To the same address without the token, which so stays out of the history, with a cookie in its place."""
        others = [(k, v) for k, v in asked.query_params.multi_items() if k != TOKEN]
        answer = RedirectResponse(asked.url.path + (f"?{urlencode(others)}" if others else ""), 303)
        answer.set_cookie(self._cookie, self._token or "", httponly=True, samesite="lax")
        return answer


def _with_headers(send: Send) -> Send:
    more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sent
