"""The report in a real browser: it fits narrow and wide screens, light and dark, and no number is broken."""

import pandas as pd
import pytest
from browser import CHROMIUM, browser

import regard

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


def test_the_report_fits_each_screen_and_breaks_no_number(tiny_world, tmp_path):
    recording = regard.open(tiny_world)
    scores = {name: regard.evaluate(recording, regard.predict(recording, model=name)) for name in ("centre-prior",)}
    scores["a-model-with-a-long-name"] = scores["centre-prior"]
    moved = pd.DataFrame({"movement": ["fixation"], "count": [12], "per_minute": [90.0], "duration_s": [0.25]})
    findings = pd.DataFrame({"what": ["gaze"], "found": ["400 samples at 200.0 Hz from 0.00 to 2.00 s"]})
    path = regard.report(recording, tmp_path / "r.html", scores=scores, movements=moved, findings=findings)
    grounds = set()
    with browser() as opened, opened.tab() as tab:
        tab.open(path.as_uri())
        tab.until("document.readyState == 'complete'")
        for width in (400, 900, 1400):
            for dark in (False, True):
                tab.resize(width, 900, dark=dark)
                assert tab.ask("document.documentElement.scrollWidth") <= width
                assert tab.ask("document.querySelectorAll('td.number').length") > 20
                assert tab.ask(LINES) == []
                grounds.add(tab.ask("getComputedStyle(document.body).backgroundColor"))
        assert len(grounds) == 2
        assert not tab.errors
