"""The page of a recording: what its server gives, and what a browser makes of it."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, Tab, browser

from regard.engine.evaluate import evaluate
from regard.engine.view.found import found_in
from regard.engine.view.playable import playable
from regard.engine.view.scene import Scene
from regard.io import FilmWriter
from regard.io.predictions import write_prediction
from regard.io.tables import write_table
from regard.page.serving import Serving, page_routes
from regard.page.view import view_routes
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack, MediaStream, Recording, Segment

SIZE = (240, 320)
TIMES_S = np.cumsum(np.append(0.0, np.random.default_rng(5).choice([0.033, 0.04, 0.1], 59)))
FIXATION = (86, 180, 233)
PREDICTED = (255, 94, 58)


def grey(number: int) -> int:
    return 20 + 3 * number


def looked_at(number: int) -> tuple[float, float]:
    """Another place for each of 24 frames in a row."""
    return (0.5 + number % 6) / 6, (0.5 + number // 6 % 4) / 4


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("walk")
    with FilmWriter(folder / "video.mp4", size=SIZE) as writer:
        for number, time_s in enumerate(TIMES_S.tolist()):
            writer.write(np.full((*SIZE, 3), grey(number), np.uint8), time_s)
    time_s = np.sort(np.unique(np.append(np.arange(0, TIMES_S[-1], 0.005), TIMES_S).round(4)))
    frame = np.searchsorted(TIMES_S, time_s + 1e-3, side="right") - 1
    gaze = GazeTrack(
        time_s=time_s,
        point=np.array([looked_at(k) for k in frame]),
        state=np.full(len(time_s), GazeState.FIXATION, np.int8),
    )
    segments = (Segment(start_s=1.0, end_s=2.0, kind="action", name="stir"),)
    video = MediaStream(path=folder / "video.mp4")
    return Recording(id="walk", subject="s1", video=video, gaze=gaze, segments=segments)


@pytest.fixture(scope="module")
def page(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    run = tmp_path_factory.mktemp("run")
    logs = np.full((60, 24, 32), -20.0)
    logs[:, 5, 28] = 0.0  # at the top right, where no other mark is
    logs -= np.log(np.exp(logs).sum(axis=(1, 2), keepdims=True))
    said = Prediction(
        recording="walk",
        model="a model",
        time_s=TIMES_S,
        seen_until_s=TIMES_S,
        values={"log_density": logs.astype(np.float32)},
    )
    write_prediction(said, run / "a.parquet")
    write_table(evaluate(recording, said).items, run / "a_items.parquet")
    scene = Scene(recording, found_in([run], recording), end_s=float(TIMES_S[-1]))
    with Serving(port=0) as serving:
        serving.start([*page_routes("view.html"), *view_routes(scene, playable(recording))])
        yield serving


def asked(page: Serving, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_the_video_comes_in_ranges(page: Serving, recording: Recording):
    whole = recording.require_video().path.read_bytes()
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


def test_a_video_that_has_changed_is_not_shown(recording: Recording, tmp_path: Path):
    path = tmp_path / "video.mp4"
    path.write_bytes(recording.require_video().path.read_bytes())
    own = Recording(id="walk", subject="s1", video=MediaStream(path=path))
    with Serving(port=0) as serving:
        serving.start(view_routes(Scene(own, found_in([], own), end_s=1.0), playable(own)))
        assert asked(serving, "/video")[0].status == 200
        path.write_bytes(b"another film")
        assert asked(serving, "/video")[0].status == 410


def test_answers_that_are_gone_are_told(recording: Recording, tmp_path: Path):
    said = Prediction(
        recording="walk",
        model="m",
        time_s=np.arange(3.0),
        seen_until_s=np.arange(3.0),
        values={"point": np.full((3, 2), 0.5)},
    )
    write_prediction(said, tmp_path / "a.parquet")
    with Serving(port=0) as serving:
        scene = Scene(recording, found_in([tmp_path], recording), end_s=2.0)
        serving.start(view_routes(scene, playable(recording)))
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


@pytest.fixture(scope="module")
def tab(page: Serving) -> Iterator[Tab]:
    if CHROMIUM is None:
        pytest.skip("no browser here: install chromium")
    with browser() as running, running.tab() as tab:
        tab.resize(1000, 1000)
        yield tab


@pytest.fixture
def opened(page: Serving, tab: Tab) -> Iterator[Tab]:
    tab.open("about:blank")
    tab.open(f"{page.url}#t={TIMES_S[7]:.3f}")
    tab.until("document.body?.dataset.ready === 'yes'")
    shows(tab, 7)
    yield tab
    assert tab.errors == []


def shows(tab: Tab, number: int) -> None:
    """Waits for a frame and for what is drawn over it, and compares both, pixel by pixel, with what was recorded."""
    x, y = looked_at(number)
    tab.until(f"""(() => {{
      window.colourAt ??= (source, x, y) => {{
        const [width, height] = [source.videoWidth ?? source.width, source.videoHeight ?? source.height];
        const copy = new OffscreenCanvas(width, height).getContext("2d");
        copy.drawImage(source, 0, 0);
        return [...copy.getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1).data];
      }};
      const over = document.getElementById("over"), [r, g, b, a] = colourAt(over, {x}, {y});
      return over.dataset.frame === "{number}" && a === 255 && Math.abs(r - {FIXATION[0]}) + Math.abs(g - {FIXATION[1]})
        + Math.abs(b - {FIXATION[2]}) < 12;
    }})()""")
    seen = tab.ask("colourAt(document.getElementById('video'), 0.02, 0.98)")
    assert abs(seen[1] - grey(number)) <= 1, f"frame {number} is {grey(number)}, the video shows {seen}"


def tick(tab: Tab, name: str) -> None:
    tab.ask(f"document.querySelector('[name=\"{name}\"]').click()")


def key(tab: Tab, key: str) -> None:
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if len(key) == 1 else "")


@pytest.mark.parametrize("number", [0, 1, 20, 41, 58, 59])
def test_each_frame_is_shown_with_its_gaze(opened: Tab, number: int):
    opened.ask(f"location.hash = 't={TIMES_S[number]:.4f}'")
    shows(opened, number)
    facts = opened.ask("document.getElementById('facts').textContent")
    x, y = looked_at(number)
    assert f"{TIMES_S[number]:.3f} s" in facts
    assert f"{round(x * 320)}, {round(y * 240)} px" in facts


def test_a_jump_whose_picture_the_browser_never_tells_of_is_shown(page: Serving, tab: Tab):
    once = """const ask = HTMLVideoElement.prototype.requestVideoFrameCallback;
      HTMLVideoElement.prototype.requestVideoFrameCallback = function (tell) {
        if (!this.asked) ask.call(this, tell);
        this.asked = true;
      };"""
    script = tab.call("Page.addScriptToEvaluateOnNewDocument", source=once)["identifier"]
    tab.open("about:blank")
    tab.open(f"{page.url}#t={TIMES_S[7]:.3f}")
    tab.until("document.body?.dataset.ready === 'yes'")
    shows(tab, 7)
    tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)


def test_keys_go_frame_by_frame(opened: Tab):
    for _ in range(3):
        key(opened, ".")
    shows(opened, 10)
    key(opened, ",")
    shows(opened, 9)
    key(opened, "End")
    shows(opened, 59)


def test_a_click_on_the_timeline_goes_there(opened: Tab):
    box = opened.ask(
        "(({x, y, width, height}) => [x, y, width, height])(document.getElementById('lanes').getBoundingClientRect())"
    )
    left, right = box[0] + 108, box[0] + box[2] - 6
    asked_s = 1.5
    place = {"x": left + asked_s / TIMES_S[-1] * (right - left), "y": box[1] + 20}
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        opened.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)
    number = int(np.searchsorted(TIMES_S, asked_s, side="right")) - 1
    opened.until(f"Math.abs(Number(document.getElementById('over').dataset.frame) - {number}) <= 1")
    shows(opened, opened.ask("Number(document.getElementById('over').dataset.frame)"))
    assert "1.5" in opened.ask("document.getElementById('tip').textContent")


def test_it_plays_and_stops(opened: Tab):
    key(opened, " ")
    opened.until("Number(document.getElementById('over').dataset.frame) > 15")
    key(opened, " ")
    opened.until("document.getElementById('video').paused")
    time.sleep(0.3)
    number = opened.ask("Number(document.getElementById('over').dataset.frame)")
    shows(opened, number)
    assert opened.ask("location.hash") == f"#t={TIMES_S[number]:.3f}"


def test_boxes_show_and_hide(opened: Tab):
    def glow() -> int:
        return opened.ask("colourAt(document.getElementById('over'), 28.5 / 32, 6.1 / 24)[3]")

    def is_seen(x: float, y: float, colour: tuple[int, int, int]) -> bool:
        seen = opened.ask(f"colourAt(document.getElementById('over'), {x}, {y})")
        return seen[3] == 255 and sum(abs(a - b) for a, b in zip(seen, colour, strict=False)) < 12

    peak = (28.5 / 32, 5.5 / 24)
    assert is_seen(*peak, PREDICTED)
    tick(opened, "run0-point")
    assert not is_seen(*peak, PREDICTED)
    assert glow() > 0
    tick(opened, "run0-density")
    assert glow() == 0
    assert is_seen(*looked_at(7), FIXATION)
    tick(opened, "gaze")
    tick(opened, "trail")
    assert not is_seen(*looked_at(7), FIXATION)
    high = opened.ask("document.getElementById('lanes').height")
    tick(opened, "run0")
    opened.until(f"document.getElementById('lanes').height < {high}")
    assert "a model" not in opened.ask("document.getElementById('facts').textContent")


def test_reloading_stays_where_it_was(opened: Tab):
    key(opened, ".")
    shows(opened, 8)
    opened.call("Page.reload")
    opened.until("document.body?.dataset.ready === 'yes' && !window.colourAt")
    shows(opened, 8)


@pytest.mark.parametrize("width", [400, 900, 1400])
def test_nothing_is_wider_than_the_window(opened: Tab, width: int):
    opened.resize(width, 900)
    opened.until(f"document.getElementById('lanes').getBoundingClientRect().right <= {width}")
    assert opened.ask("document.documentElement.scrollWidth") <= width
    opened.resize(1000, 1000)
