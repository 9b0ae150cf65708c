"""A live page's messages: what they hold, who gets them, and that no viewer slows the run or another one."""

import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from shows import looking, picture, shown, status
from websockets.exceptions import ConnectionClosed

from regard.page import live as live_page
from regard.page.viewers import MOST_WORDS, TOO_MUCH


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each message was made."""
    when: list[float] = []
    message = live_page.message

    def counted(*what):
        when.append(time.monotonic())
        return message(*what)

    monkeypatch.setattr(live_page, "message", counted)
    return when


def test_a_message_ties_gaze_and_answers_to_their_picture():
    with shown() as (serving, _, _), looking(serving) as viewer:
        for _ in range(5):
            numbers, jpeg = picture(viewer)
            viewer.send("shown")
    column = np.asarray(Image.open(BytesIO(jpeg)).convert("L")).mean(axis=0)
    assert len(column) == 64
    now_s = numbers["time_s"]
    assert column.argmax() == pytest.approx(int(64 * (now_s % 1)), abs=1)
    gaze = numbers["gaze"]
    assert max(0.0, now_s - 1) - 1e-3 <= gaze["time_s"][0]
    assert gaze["time_s"][-1] <= now_s
    np.testing.assert_allclose(gaze["x"], np.array(gaze["time_s"]) % 1, atol=1e-3)
    (answer,) = numbers["answers"]
    assert answer["model"] == "centre"
    assert now_s - 2 <= answer["frame_s"] <= now_s
    assert (answer["density"]["h"], answer["density"]["w"]) == (4, 4)


def test_pictures_come_as_they_are_shown_and_the_newest_first():
    with shown() as (serving, _, _), looking(serving) as viewer:
        first, _ = picture(viewer)
        time.sleep(0.5)
        viewer.send("shown")
        second, _ = picture(viewer)
        assert second["time_s"] > first["time_s"] + 0.1
        assert all(isinstance(viewer.recv(30), str) for _ in range(2))


def test_nothing_is_made_where_nobody_looks_and_once_for_all_who_do(made: list[float]):
    with shown() as (serving, page, _):
        time.sleep(0.5)
        assert not made
        with looking(serving) as one, looking(serving) as other:
            first = [picture(viewer) for viewer in (one, other)]
            before = len(made)
            for viewer in (one, other):
                viewer.send("shown")
            assert len(page.shown) == 2
            assert [picture(viewer)[0]["time_s"] > first[k][0]["time_s"] for k, viewer in enumerate((one, other))]
            assert len(made) <= before + 2
        until_s = time.monotonic() + 30
        while page.shown and time.monotonic() < until_s:
            time.sleep(0.02)
        before = len(made)
        time.sleep(0.3)
        assert len(made) <= before + 1


def test_the_state_of_things_is_told():
    with shown() as (serving, page, _), looking(serving) as viewer:
        page.tell("the stream was opened again")
        while not (said := status(viewer))["models"][0].get("p95_ms"):
            pass
        assert said["source"] == "a moving <column>"
        assert said["frames"] > 3
        assert said["notes"] == ["the stream was opened again"]
        assert said["models"][0]["answered"] + said["models"][0]["dropped"] <= said["frames"]
        assert not said["has_ended"]
        while not (shows := status(viewer)["shown"])["p50_ms"]:
            pass
        assert shows["rate_hz"] > 0
        assert shows["p50_ms"] <= shows["p95_ms"]
        assert page.line().startswith("page: 1 looking: ")


def test_viewers_are_told_the_end():
    with shown(end_s=1.0) as (serving, _, _), looking(serving) as viewer:
        while not status(viewer)["has_ended"]:
            pass


def test_a_viewer_that_stalls_slows_nobody():
    with shown() as (serving, _, live), looking(serving) as stalled, looking(serving) as viewer:
        picture(stalled)
        for _ in range(20):
            picture(viewer)
            viewer.send("shown")
        assert all(isinstance(stalled.recv(30), str) for _ in range(2))
        of = live.total.models["centre"]
        assert of.asked - of.answered - of.dropped <= 5


def test_a_viewer_that_floods_is_cut_off_and_others_go_on():
    with shown() as (serving, _, _), looking(serving) as viewer, looking(serving) as flooding:
        picture(viewer)
        with pytest.raises(ConnectionClosed) as cut:  # noqa: PT012
            for _ in range(100 * MOST_WORDS):
                flooding.send("shown")
            while True:
                flooding.recv(30)
        assert cut.value.rcvd is None or cut.value.rcvd.code == TOO_MUCH
        viewer.send("shown")
        picture(viewer)


@pytest.mark.parametrize("said", ["x" * 5000, b"\xff" * 5000])
def test_a_viewer_that_says_something_long_is_cut_off(said: str | bytes):
    with shown() as (serving, page, _), looking(serving) as viewer:
        picture(viewer)
        with pytest.raises(ConnectionClosed):  # noqa: PT012
            viewer.send(said)
            while True:
                viewer.recv(30)
        with looking(serving) as other:
            picture(other)
            assert len(page.shown) == 1


def test_a_viewer_may_say_anything_short_and_leave_in_the_middle(caplog: pytest.LogCaptureFixture):
    with shown() as (serving, _, _):
        for word in ("shown", "", "{", b"\x00\xff"):
            with looking(serving) as viewer:
                picture(viewer)
                viewer.send(word)
                picture(viewer)
                viewer.socket.close()
        with looking(serving) as viewer:
            picture(viewer)
    assert not caplog.records
