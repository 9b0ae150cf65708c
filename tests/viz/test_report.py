"""The page needs nothing from elsewhere, believes no text it is given, and says what the recording is."""

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from regard.engine.evaluate import evaluate
from regard.errors import FileError
from regard.io import FilmWriter
from regard.ops.states import runs
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack, MediaStream, Recording
from regard.viz.report import report
from regard.viz.timeline import timeline

EVIL = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Tags, the places they load from, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.sources, self.words, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "img", "path", "use", "image"):
            self.open.append(tag)
        self.sources += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset", "action", "data")]

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def track(states: list[int], *, step_s: float = 0.1) -> GazeTrack:
    state = np.array(states, np.int8)
    point = np.where((state == GazeState.LOST)[:, None], np.nan, [0.4, 0.6])
    return GazeTrack(time_s=np.arange(len(states)) * step_s, point=point, state=state)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    path = tmp_path / "in.mp4"
    with FilmWriter(path, size=(96, 128)) as writer:
        for k in range(12):
            writer.write(np.full((96, 128, 3), 60 + k, np.uint8), k / 10)
    return Recording(
        id="walk", subject="s1", video=MediaStream(path=path), gaze=track([0, 0, 2, 2, 3, 2, 2, 2, 0, 2, 4, 4])
    )


def answers() -> Prediction:
    time_s = np.arange(12) / 10
    logs = np.full((12, 8, 8), np.log(1 / 64), np.float32)
    return Prediction(recording="walk", model=EVIL, time_s=time_s, seen_until_s=time_s, values={"log_density": logs})


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(recording, tmp_path):
    table = pd.DataFrame({"score": ["NSS"], "value": [1.25]})
    path = report(
        recording, tmp_path / "r.html", prediction=answers(), findings=table, scores=table, command="regard x"
    )
    text = path.read_text()
    page = Page(text)
    assert page.open == []
    assert page.sources
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert not re.search(r"url\((?!#)|@import", text)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)


def test_the_page_begins_with_what_it_is_about(recording, tmp_path):
    table = pd.DataFrame({"movement": ["fixation"], "count": [3], "per_minute": [9.0], "duration_s": [0.3]})
    page = report(recording, tmp_path / "r.html", movements=table, film=tmp_path / "f.mp4").read_text()
    assert page.index("<h2>Eye movements</h2>") < page.index("<video") < page.index("<h2>Recording</h2>")
    scores = evaluate(recording, answers())
    page = report(recording, tmp_path / "r.html", movements=table, prediction=answers(), scores=scores).read_text()
    assert page.index("<h2>Scores</h2>") < page.index("<h2>Recording</h2>") < page.index("<h2>Eye movements</h2>")


@pytest.mark.parametrize(("subject", "said"), [("s1", True), ("unknown", False), ("", False)])
def test_the_page_says_who_wore_the_glasses_only_where_that_is_known(recording, tmp_path, subject, said):
    page = report(replace(recording, subject=subject), tmp_path / "r.html").read_text()
    assert ("worn by" in page) == said


def test_every_text_from_outside_is_escaped(recording, tmp_path):
    table = pd.DataFrame({EVIL: [EVIL, "b"], "n": [1.0, float("nan")]})
    rec = replace(recording, id=EVIL, subject=EVIL, notes=(EVIL,))
    path = report(rec, tmp_path / "r.html", prediction=answers(), findings=table, scores=table, command=EVIL)
    text = path.read_text()
    page = Page(text)
    assert "<script" not in text
    assert "script" not in page.tags
    assert "".join(page.words).count(EVIL) == 11


def test_the_page_says_what_was_recorded_and_how_well_it_was_told(recording, tmp_path):
    scores = pd.DataFrame({"score": ["NSS"], "saliency": [1.2345], "low": [float("nan")]})
    path = report(recording, tmp_path / "r.html", scores=scores, command="regard show walk")
    words = " ".join(Page(path.read_text()).words).replace("\u00a0", " ")
    for said in (
        "128 x 96 pixels",
        "12 in 1.10 s",
        "27.3% of the time lost",
        "1.234",
        "regard show walk",
        "lost",
        "pursuit",
    ):
        assert said in words


def test_what_evaluate_returned_is_read_in_a_sentence_and_lines_are_explained(recording, tmp_path):
    scores = evaluate(recording, answers())
    text = report(recording, tmp_path / "r.html", prediction=answers(), scores=scores).read_text()
    assert f'<p class="lead">The likeliest place by {escape(EVIL)} was within' in text
    for said in ("deviations above chance", "95 % intervals", scores.protocol, "gaze x, 0 left", "the band below"):
        assert said in text


def test_a_film_is_named_from_the_page_s_own_folder(recording, tmp_path):
    (tmp_path / "my films").mkdir()
    text = report(recording, tmp_path / "r.html", film=tmp_path / "my films" / "a.mp4").read_text()
    assert 'src="my%20films/a.mp4"' in text


def test_a_recording_without_gaze_has_a_page_without_a_timeline(recording, tmp_path):
    text = report(replace(recording, gaze=None), tmp_path / "r.html").read_text()
    assert "<svg" not in text
    assert "<img" in text


def test_progress_reaches_the_end(recording, tmp_path):
    told = []
    report(recording, tmp_path / "r.html", progress=told.append)
    assert told[-1] == 1.0


def test_a_page_that_cannot_be_written_is_a_user_s_error(recording, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError):
        report(recording, tmp_path / "file" / "r.html")


def test_the_timeline_is_xml_in_the_page_s_own_colour():
    svg = timeline(track([0, 1, 1, 2, 2]), predicted=answers(), end_s=1.2)
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert svg == timeline(track([0, 1, 1, 2, 2]), predicted=answers(), end_s=1.2)


def test_a_long_timeline_stays_small():
    n = 60_000
    walk = np.clip(0.5 + 0.02 * np.random.default_rng(0).standard_normal(n).cumsum() % 0.5, 0, 1)
    long = GazeTrack(time_s=np.arange(n) / 200, point=np.stack([walk, walk], 1), state=np.ones(n, np.int8))
    assert len(timeline(long, end_s=300.0)) < 400_000


def test_runs_join_equal_states_and_call_gaps_lost():
    lost, fixation, saccade = GazeState.LOST, GazeState.FIXATION, GazeState.SACCADE
    gaze = GazeTrack(
        time_s=np.array([1.0, 1.1, 1.2, 2.0, 2.1]),
        point=np.full((5, 2), 0.5),
        state=np.array([2, 2, 3, 2, 2], np.int8),
    )
    found = runs(gaze, end_s=3.0)
    wanted = [
        (0.0, 1.0, lost),
        (1.0, 1.2, fixation),
        (1.2, 1.3, saccade),
        (1.3, 2.0, lost),
        (2.0, 2.2, fixation),
        (2.2, 3.0, lost),
    ]
    assert [state for _, _, state in found] == [state for _, _, state in wanted]
    np.testing.assert_allclose([r[:2] for r in found], [r[:2] for r in wanted])
    assert runs(GazeTrack.lost(np.zeros(0)), end_s=2.0) == [(0.0, 2.0, lost)]
