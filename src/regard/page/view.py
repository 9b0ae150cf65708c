"""The page that goes through a recording: its video by HTTP range, its numbers as the page asks for them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from regard.engine.view.packed import packed
from regard.engine.view.playable import Playable
from regard.engine.view.scene import Scene
from regard.errors import RegardError
from regard.io.media.container import state_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

DIGITS = 9
"""Of the longest number that a page asks with."""


def view_routes(scene: Scene, video: Playable) -> "list[BaseRoute]":
    """`/about` as JSON; `/frames`, `/chunk/NAME/NUMBER`, `/whole/NAME` and `/timeline` as packed numbers; `/video`.

    No part of an address is a path on the disk: the one file that is served is the recording's own video.
    """
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    about = {**scene.about(), "video": _facts(video)}
    frames = packed({"shown_s": video.shown_s, "taken_s": video.taken_s})
    state = state_of(video.path)

    def numbers(found: Callable[["Request"], bytes]) -> "Callable[[Request], Response]":
        def answer(request: "Request") -> Response:
            try:
                return Response(found(request), media_type="application/octet-stream")
            except (LookupError, ValueError) as error:
                return PlainTextResponse(f"there is no such thing: {error}\n", 404)
            except RegardError as error:  # a file is gone, or another one by now
                return PlainTextResponse(f"{error}\n", 410)

        return answer

    def film(_: "Request") -> "Response":
        if state_of(video.path) != state:
            return PlainTextResponse("the video has changed since the recording was opened: start again\n", 410)
        return FileResponse(video.path, media_type=video.media_type)

    return [
        Route("/about", lambda _: JSONResponse(about)),
        Route("/frames", numbers(lambda _: frames)),
        Route(
            "/chunk/{name}/{number}",
            numbers(lambda r: scene.chunk(r.path_params["name"], _whole(r.path_params["number"]))),
        ),
        Route("/whole/{name}", numbers(lambda r: scene.whole(r.path_params["name"]))),
        Route("/timeline", numbers(lambda r: _timeline(scene, r))),
        Route("/video", film),
    ]


def _facts(video: Playable) -> dict[str, Any]:
    height, width = video.size
    note = f"a copy for the browser, kept in the cache: the video is {video.copied}" if video.copied else ""
    return {"width": width, "height": height, "frames": len(video.shown_s), "note": note}


def _timeline(scene: Scene, request: "Request") -> bytes:
    asked = request.query_params
    return scene.timeline(float(asked["from"]), float(asked["until"]), _whole(asked["columns"]))


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError("a number of so many digits")
    return int(text)
