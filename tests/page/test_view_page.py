"""The page of a recording in a browser: each frame with what is known about its moment, keys, boxes, the timeline."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from browser import CHROMIUM, Tab, browser
from walk import TIMES_S, grey, looked_at

from regard.page.serving import Serving

FIXATION = (86, 180, 233)
PREDICTED = (255, 94, 58)


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


def test_areas_are_drawn_where_they_are_and_filled_where_they_are_looked_at(opened: Tab):
    box, cup = (230, 159, 0), (0, 158, 115)

    def colour(x: float, y: float) -> list[int]:
        return opened.ask(f"colourAt(document.getElementById('over'), {x}, {y})")

    def is_drawn(x: float, y: float, wanted: tuple[int, int, int]) -> bool:
        return sum(abs(a - b) for a, b in zip(colour(x, y), (*wanted, 255), strict=True)) < 12

    def facts() -> str:
        return opened.ask("document.getElementById('facts').textContent")

    in_left = 0.04, 0.95
    left_of_box = 0.52 + 0.26 * TIMES_S[7] / 2
    assert is_drawn(left_of_box, 0.7, box)
    assert not is_drawn(0.80, 0.9, cup), "before its first keyframe"
    assert abs(colour(*in_left)[3] - 0.4 * 255) < 3, "gaze is in it"
    assert "arealeft" in facts()
    tick(opened, "areas")
    assert colour(*in_left)[3] == 0
    assert not is_drawn(left_of_box, 0.7, box)
    tick(opened, "areas")
    there = next(k for k, time_s in enumerate(TIMES_S) if time_s > 1.05 and looked_at(k)[0] > 0.5)
    opened.ask(f"location.hash = 't={TIMES_S[there]:.4f}'")
    shows(opened, there)
    assert is_drawn(0.80, 0.9, cup)
    assert colour(*in_left)[3] == 0, "gaze is elsewhere"
    assert "arealeft" not in facts()
    opened.ask(f"location.hash = 't={TIMES_S[58]:.4f}'")
    shows(opened, 58)
    assert not is_drawn(0.80, 0.9, cup), "gone"


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
