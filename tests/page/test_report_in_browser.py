"""The report in a real browser: it fits narrow and wide screens, light and dark, and no number is broken."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from browser import CHROMIUM, browser

import regard
from regard.viz.confusion import confusion_picture
from regard.viz.scores_page import scores_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

LINES = """(() => {
  const range = document.createRange(), broken = [];
  for (const cell of document.querySelectorAll("td.number")) {
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      range.selectNodeContents(walk.currentNode);
      if (range.getClientRects().length !== 1) broken.push(walk.currentNode.data);
    }
  }
  return broken;
})()"""


@pytest.fixture
def recording(tiny_world):
    return regard.open(tiny_world)


@pytest.fixture
def scores(recording):
    return regard.evaluate(recording, regard.predict(recording, model="centre-prior"))


def test_the_report_fits_each_screen_and_breaks_no_number(recording, scores, tmp_path):
    several = {"centre-prior": scores, "a-model-with-a-long-name": scores}
    moved = pd.DataFrame({"movement": ["fixation"], "count": [12], "per_minute": [90.0], "duration_s": [0.25]})
    findings = pd.DataFrame({"what": ["gaze"], "found": ["400 samples at 200.0 Hz from 0.00 to 2.00 s"]})
    path = regard.report(recording, tmp_path / "r.html", scores=several, movements=moved, findings=findings)
    fits(path)


def test_the_page_of_a_dataset_s_scores_fits_each_screen_too(scores, tmp_path):
    published = scores.summary.assign(published=1.5, source="Somebody, A paper with a long title, 2020, table 3")
    horizons = pd.concat([scores.summary.assign(ahead_s=ahead) for ahead in (0.5, 1.0)])
    counts = pd.DataFrame([[3, 1], [0, 4]], columns=["cut", "pour"]).assign(action=["cut", "pour"])
    confusion_picture(counts, tmp_path / "action_confusion.png")
    path = scores_page(
        replace(scores, summary=published, details={"by_horizon": horizons}),
        tmp_path / "scores.html",
        model="anticipation_synthetic_gaze_stays",
        title="anticipation_synthetic_gaze_stays",
        files=[tmp_path / "action_confusion.png"],
        command="regard evaluate anticipation_synthetic_gaze_stays",
    )
    assert "1 recording: a hint" in path.read_text()
    fits(path)


def fits(path: Path) -> None:
    """On three screens, light and dark."""
    grounds = set()
    with browser() as opened, opened.tab() as tab:
        tab.open(path.as_uri())
        tab.until("document.readyState == 'complete'")
        for width in (360, 800, 1280):
            for dark in (False, True):
                tab.resize(width, 900, dark=dark)
                assert tab.ask("document.documentElement.scrollWidth") <= width
                assert tab.ask("document.querySelectorAll('td.number').length") > 20
                assert tab.ask(LINES) == []
                grounds.add(tab.ask("getComputedStyle(document.body).backgroundColor"))
        assert tab.ask("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert len(grounds) == 2
        assert not tab.errors
