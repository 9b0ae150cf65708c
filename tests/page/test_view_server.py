"""What the server of a recording's page gives, and what it gives to nobody."""

import http.client
import json
from pathlib import Path

import numpy as np
import pytest

from regard.engine.view.found import found_in
from regard.engine.view.playable import playable
from regard.engine.view.scene import Scene
from regard.io.predictions import write_prediction
from regard.page.serving import Serving
from regard.page.view import view_routes
from regard.prediction import Prediction
from regard.types import MediaStream, Recording


def asked(page: Serving, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_the_video_comes_in_ranges(page: Serving, walk: Recording):
    whole = walk.require_video().path.read_bytes()
    answer, body = asked(page, "/video")
    assert (answer.status, body, answer.headers["accept-ranges"]) == (200, whole, "bytes")
    answer, body = asked(page, "/video", range="bytes=100-199")
    assert (answer.status, body) == (206, whole[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert asked(page, "/video", range="bytes=-7")[1] == whole[-7:]
    assert asked(page, "/video", range="bytes=9-")[1] == whole[9:]
    answer, body = asked(page, "/video", "HEAD")
    assert (answer.status, body, answer.headers["content-length"]) == (200, b"", str(len(whole)))


def test_a_range_of_a_video_that_has_changed_is_not_mixed_with_the_old_one(page: Serving):
    mark = asked(page, "/video", "HEAD")[0].headers["etag"]
    assert asked(page, "/video", range="bytes=0-9", if_range=mark)[0].status == 206
    assert asked(page, "/video", range="bytes=0-9", if_range='"another"')[0].status == 200


@pytest.mark.parametrize(("wrong", "status"), [("bytes=99999999-", 416), ("bytes=7-3", 400), ("frames=1-2", 400)])
def test_ranges_that_are_none_are_refused(page: Serving, wrong: str, status: int):
    assert asked(page, "/video", range=wrong)[0].status == status


@pytest.mark.parametrize(
    "path",
    [
        "/../view.py", "/static/../view.py", "/video/..%2f..%2fetc/passwd", "/chunk/..%2f..%2fview/0", "/chunk/gaze/x",
        "/chunk/gaze/9999999999999", "/chunk/nobody/0", "/whole/gaze", "/timeline",
        "/timeline?from=0&until=nan&columns=5", "/timeline?from=0&until=1&columns=99999",
    ],
)  # fmt: skip
def test_no_address_leads_elsewhere(page: Serving, path: str):
    assert asked(page, path)[0].status == 404


def test_a_video_that_has_changed_is_not_shown(walk: Recording, tmp_path: Path):
    path = tmp_path / "video.mp4"
    path.write_bytes(walk.require_video().path.read_bytes())
    own = Recording(id="walk", subject="s1", video=MediaStream(path=path))
    with Serving(port=0) as serving:
        serving.start(view_routes(Scene(own, found_in([], own), end_s=1.0), playable(own)))
        assert asked(serving, "/video")[0].status == 200
        path.write_bytes(b"another film")
        assert asked(serving, "/video")[0].status == 410


def test_answers_that_are_gone_are_told(walk: Recording, tmp_path: Path):
    said = Prediction(
        recording="walk",
        model="m",
        time_s=np.arange(3.0),
        seen_until_s=np.arange(3.0),
        values={"point": np.full((3, 2), 0.5)},
    )
    write_prediction(said, tmp_path / "a.parquet")
    with Serving(port=0) as serving:
        scene = Scene(walk, found_in([tmp_path], walk), end_s=2.0)
        serving.start(view_routes(scene, playable(walk)))
        assert asked(serving, "/chunk/run0/0")[0].status == 200
        (tmp_path / "a.parquet").unlink()
        answer, body = asked(serving, "/chunk/run0/0")
        assert answer.status == 410
        assert b"a.parquet" in body


def test_the_page_is_told_what_there_is(page: Serving):
    about = json.loads(asked(page, "/about")[1])
    assert about["video"] == {"width": 320, "height": 240, "frames": 60, "note": ""}
    assert [run["name"] for run in about["runs"]] == ["a model"]
    assert about["runs"][0]["scores"]["names"][0] == "nss"
    assert about["areas"][1] == {"name": "box", "colour": "#e69f00"}
