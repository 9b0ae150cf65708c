"""Queues drop what is stale and count it, percentiles hold, and the pace follows what a model can do."""

import threading

import numpy as np
import pytest

from regard.engine.live.durations import Durations
from regard.engine.live.inbox import Inbox
from regard.engine.live.pace import Pace


def taken(box: Inbox) -> list:
    found = []
    while (thing := box.take()) is not None:
        found.append(thing)
    return found


def test_a_full_inbox_drops_the_oldest_that_may_be_dropped():
    box: Inbox = Inbox(2)
    for thing in (1, 2, "kept", 3, 4, "also kept"):
        box.put(thing, may_drop=isinstance(thing, int))
    box.end()
    assert taken(box) == ["kept", 3, 4, "also kept"]
    assert box.dropped == 2


def test_an_inbox_that_waits_drops_nothing():
    box: Inbox = Inbox(1, waits=True)

    def send() -> None:
        for number in range(100):
            box.put(number)
        box.end()

    thread = threading.Thread(target=send)
    thread.start()
    assert taken(box) == list(range(100))
    thread.join()
    assert box.dropped == 0


def test_who_waits_for_room_goes_on_when_the_inbox_is_ended():
    box: Inbox = Inbox(1, waits=True)
    box.put(1)
    thread = threading.Thread(target=box.put, args=(2,))
    thread.start()
    box.end()
    thread.join(5)
    assert not thread.is_alive()
    assert taken(box) == [1]


def test_percentiles_are_those_of_numpy_to_within_a_fiftieth():
    drawn = np.random.default_rng(0).lognormal(-4, 1, 5000)
    durations = Durations()
    for one in drawn:
        durations.add(float(one))
    for percent in (1, 50, 95, 99, 100):
        assert durations.percentile(percent) == pytest.approx(np.percentile(drawn, percent), rel=0.02)
    assert np.isnan(Durations().percentile(50))
    durations.add(0.0)
    durations.add(1e9)


@pytest.mark.parametrize(("every_s", "asked"), [(0.0, 30), (0.125, 8), (1 / 30, 30), (0.5, 2)])
def test_a_model_is_asked_as_often_as_it_is_meant_to_be(every_s: float, asked: int):
    pace = Pace(every_s)
    assert sum(pace.is_due(i / 30) for i in range(300)) == 10 * asked


def test_after_a_gap_nothing_is_caught_up_with():
    pace = Pace(0.1)
    assert [pace.is_due(t) for t in (0.0, 5.0, 5.03, 5.11)] == [True, True, False, True]


def test_the_pace_is_lengthened_when_many_are_dropped_for_long_and_shortened_again():
    pace, told, dropped = Pace(0.1), [], 0

    def answer(until_s: float, from_s: float, *, took_s: float, drops: int) -> None:
        nonlocal dropped
        time_s = from_s
        while time_s < until_s:
            dropped += drops
            said = pace.answered(time_s, took_s=took_s, dropped=dropped)
            told.extend([] if said is None else [(time_s, said)])
            time_s += took_s

    answer(5.5, 0.0, took_s=0.5, drops=4)
    assert not told
    answer(12.0, 6.0, took_s=0.5, drops=4)
    assert len(told) == 1
    assert "an answer takes 0.5 s: it is asked every 0.57 s" in told[0][1]
    assert pace.every_s == pytest.approx(0.575)
    answer(30.0, 12.5, took_s=0.05, drops=0)
    assert pace.every_s == 0.1
    answer(60.0, 30.5, took_s=0.05, drops=0)
    assert len(told) == 2


def test_a_model_that_is_asked_about_every_picture_is_asked_about_fewer():
    pace = Pace(0.0)
    for i in range(300):
        pace.answered(i * 0.05, took_s=0.05, dropped=i)
    assert pace.every_s == pytest.approx(1.15 * 0.05)
