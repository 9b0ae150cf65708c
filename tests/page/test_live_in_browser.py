"""The live page in a real browser; skipped where there is none."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, Browser, Tab, browser
from shows import shown

from regard.engine.live.answers import Answer
from regard.page.live import LivePage
from regard.prediction import Prediction

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt install chromium)")

SEEN = "document.getElementById('veil')?.hidden"
PIXELS = """(id) => {
  const canvas = document.getElementById(id);
  return Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data);
}"""
COLUMN = f"(({PIXELS})('picture').reduce((best, v, k, all) => k % 4 === 0 && k < 256 && v > all[best] ? k : best, 0))"
"""Four times the place of the brightest pixel of the first row."""
DRAWN = f"(({PIXELS})('over').filter((v, k) => k % 4 === 3 && v > 0).length)"
"""How many pixels of the overlay are not clear."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


def click(tab: Tab, selector: str) -> None:
    tab.ask(f"document.querySelector({selector!r}).click()")


def test_the_page_shows_moving_pictures_without_errors(chromium: Browser):
    with shown() as (serving, page, _), chromium.tab() as tab:
        tab.open(serving.url)
        tab.until(SEEN)
        before = tab.ask(COLUMN)
        tab.until(f"{COLUMN} !== {before}")
        assert tab.until("document.getElementById('source').textContent === 'a moving <column>'")
        tab.until("document.querySelectorAll('#counts tr').length === 1")
        tab.until("document.getElementById('shown').textContent.includes('pictures a second')")
        assert tab.ask("document.getElementById('legend').textContent").startswith("diamond")
        page.tell("a <b>note</b>")
        tab.until("document.getElementById('notes').textContent === 'a <b>note</b>'")
        assert not tab.errors


def test_what_is_switched_off_is_not_drawn(chromium: Browser):
    with shown() as (serving, _, _), chromium.tab() as tab:
        tab.open(serving.url)
        tab.until(f"{SEEN} && document.querySelectorAll('[data-model=centre]').length")
        tab.until("!document.getElementById('show-density').hidden && !document.getElementById('show-gaze').hidden")
        assert tab.ask("document.getElementById('show-faces').hidden && document.getElementById('show-actions').hidden")
        click(tab, "#pause")
        everything = tab.ask(DRAWN)
        click(tab, "#show-density input")
        without_density = tab.ask(DRAWN)
        click(tab, "#show-trail input")
        without_trail = tab.ask(DRAWN)
        click(tab, "#show-gaze input")
        without_gaze = tab.ask(DRAWN)
        click(tab, "[data-model=centre] input")
        assert everything > without_density > without_trail > without_gaze > tab.ask(DRAWN) == 0
        click(tab, "#show-gaze input")
        click(tab, "[data-model=centre] input")
        assert tab.ask(DRAWN) == without_trail
        assert not tab.errors


def test_actions_and_faces_are_drawn_and_switched_off(chromium: Browser):
    with shown() as (serving, page, live), chromium.tab() as tab:
        tab.open(serving.url)
        tab.until(SEEN)
        while tab.ask("document.getElementById('show-actions').hidden || document.getElementById('show-faces').hidden"):
            said_of_both(page, live.total.until_s)
        click(tab, "#pause")
        for key in ("density", "trail", "gaze"):
            click(tab, f"#show-{key} input")
        click(tab, "[data-model=centre] input")
        both = tab.ask(DRAWN)
        click(tab, "#show-actions input")
        faces = tab.ask(DRAWN)
        click(tab, "#show-faces input")
        assert both > faces > tab.ask(DRAWN) == 0
        assert not tab.errors


def said_of_both(page: LivePage, now_s: float) -> None:
    """Two answers: what the wearer does, and that a face looks."""
    looking = {"looking": np.ones(1, np.float32), "box": np.array([[0.6, 0.6, 0.8, 0.9]], np.float32)}
    actions = {"logits/action": np.array([[2.0, 1.0]], np.float32)}
    for model, values in (("who looks", looking), ("what is done", actions)):
        times = {"time_s": np.full(1, now_s), "seen_until_s": np.full(1, now_s)}
        said = Prediction(recording="moving", model=model, values=values, **times)
        page.answered(Answer(model=model, prediction=said, frame_s=now_s, answered_s=now_s, infer_s=0.0, dropped=0))


def test_a_paused_page_asks_for_nothing_and_goes_on(chromium: Browser):
    with shown() as (serving, _, _), chromium.tab() as tab:
        tab.open(serving.url)
        tab.until(SEEN)
        click(tab, "#pause")
        before = tab.ask(COLUMN)
        tab.until("document.getElementById('shown').textContent === 'This page is paused.'")
        assert tab.ask(COLUMN) == before
        click(tab, "#pause")
        tab.until(f"{COLUMN} !== {before}")


def test_a_snapshot_is_a_picture_with_what_is_drawn(chromium: Browser, tmp_path: Path):
    with shown() as (serving, _, _), chromium.tab() as tab:
        tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        tab.open(serving.url)
        tab.until(SEEN)
        click(tab, "#snapshot")
        from PIL import Image

        for _ in range(200):
            if files := list(tmp_path.glob("regard-*s.png")):
                break
            tab.ask("new Promise((done) => setTimeout(done, 100))")
        with Image.open(files[0]) as picture:
            assert picture.size == (64, 48)
            assert len(set(picture.convert("RGB").getdata())) > 10


def test_the_page_comes_back_with_its_server(chromium: Browser):
    with chromium.tab() as tab:
        with shown() as (serving, _, live):
            tab.open(serving.url)
            tab.until(SEEN)
            assert not tab.errors
        tab.until(f"!{SEEN}")
        with shown(port=serving.port):
            tab.until(SEEN)
            before = tab.ask(COLUMN)
            tab.until(f"{COLUMN} !== {before}")
        assert live.total.frames > 0


@pytest.mark.parametrize("width", [400, 900, 1400])
def test_it_fits_narrow_and_wide_windows_light_and_dark(chromium: Browser, width: int):
    with shown() as (serving, _, _), chromium.tab() as tab:
        for dark in (False, True):
            tab.resize(width, 900, dark=dark)
            tab.open(serving.url)
            tab.until(f"{SEEN} && document.querySelectorAll('#counts tr').length")
            assert tab.ask("document.documentElement.scrollWidth") <= width
            light = tab.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
            assert (int(light) > 128) != dark
            assert tab.ask("document.getElementById('over').width") == tab.ask(
                "Math.round(document.getElementById('picture').clientWidth * devicePixelRatio)"
            )
