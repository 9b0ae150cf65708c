import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.io.media.packets import PacketTable
from regard.io.media.time_index import TIME_TOLERANCE_S, TimeIndex, index_frames


@st.composite
def packet_tables(draw: st.DrawFn) -> PacketTable:
    """Groups of pictures in stored order: each starts with a key frame, some are open, some packets are hidden."""
    steps = draw(st.lists(st.integers(1, 9000), min_size=1, max_size=40))
    shown = np.cumsum(steps) + draw(st.integers(-50_000, 50_000))
    groups = draw(st.lists(st.integers(1, 8), min_size=1, max_size=40))
    stored: list[int] = []
    keys: list[bool] = []
    at = 0
    for length in groups:
        group = list(range(at, min(at + length, len(shown))))
        if not group:
            break
        key = group.pop(draw(st.integers(0, len(group) - 1)) if stored else 0)
        stored += [key, *draw(st.permutations(group))]
        keys += [True] + [False] * len(group)
        at += length
    rest = list(range(at, len(shown)))
    stored, keys = stored + rest, keys + [False] * len(rest)
    n = len(stored)
    hidden = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    hidden[draw(st.integers(0, n - 1))] = False
    return PacketTable(
        tick_s=1 / 90_000,
        pts=shown[stored],
        dts=None,
        duration=np.full(n, draw(st.sampled_from([0, 3000]))),
        pos=np.arange(n),
        key=np.array(keys),
        hidden=hidden,
    )


@given(packet_tables())
def test_index_holds_each_shown_packet_once_in_time_order(table: PacketTable):
    index = index_frames(table, first_pts=None, frame_s=1 / 30)
    assert sorted(index.packet.tolist()) == np.flatnonzero(~table.hidden).tolist()
    assert (np.diff(index.time_s) > 0).all()
    assert index.time_s[0] == 0 < index.end_s
    assert index.end_s > index.time_s[-1]
    np.testing.assert_allclose(index.time_s, (table.pts[index.packet] - table.pts[index.packet[0]]) / 90_000)


@given(packet_tables())
def test_decoding_starts_at_the_last_key_stored_by_then_and_not_shown_later(table: PacketTable):
    index = index_frames(table, first_pts=None, frame_s=1 / 30)
    for packet, start in zip(index.packet.tolist(), index.start.tolist(), strict=True):
        candidates = [k for k in range(packet + 1) if table.key[k] and table.pts[k] <= table.pts[packet]]
        assert start == (candidates[-1] if candidates else 0)


@given(packet_tables(), st.lists(st.floats(-1, 15), max_size=20))
def test_the_frame_shown_is_the_last_that_began(table: PacketTable, moments: list[float]):
    index = index_frames(table, first_pts=None, frame_s=1 / 30)
    for moment, number in zip(moments, index.shown_at(np.array(moments, np.float64)).tolist(), strict=True):
        began = [n for n, t in enumerate(index.time_s.tolist()) if t <= moment + TIME_TOLERANCE_S]
        assert number == (began[-1] if began else 0)


@given(packet_tables())
def test_every_frame_is_found_at_its_own_time_written_with_six_decimals(table: PacketTable):
    index = index_frames(table, first_pts=None, frame_s=1 / 30)
    assert index.shown_at(np.round(index.time_s, 6)).tolist() == list(range(len(index)))
    assert index.covers(index.time_s).all()


def index_of(pts: list[int], *, duration: int, hidden: tuple[int, ...] = (), first_pts: int | None = None) -> TimeIndex:
    n = len(pts)
    table = PacketTable(
        tick_s=0.001,
        pts=np.array(pts),
        dts=None,
        duration=np.full(n, duration),
        pos=np.arange(n),
        key=np.arange(n) % 3 == 0,
        hidden=np.isin(np.arange(n), hidden),
    )
    return index_frames(table, first_pts=first_pts, frame_s=1 / 30)


def test_index_of_an_open_group_worked_by_hand():
    # stored: I0 P40 b20 | I100 b60 b80 | the group's b-frames are shown before its key frame
    index = index_of([0, 40, 20, 100, 60, 80], duration=20)
    np.testing.assert_allclose(index.time_s, [0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert index.packet.tolist() == [0, 2, 1, 4, 5, 3]
    assert index.start.tolist() == [0, 0, 0, 0, 0, 3]
    assert index.end_s == pytest.approx(0.12)


def test_time_counts_from_the_first_frame_that_is_shown():
    assert index_of([-40, 0, -20, 20], duration=0, hidden=(0, 2)).time_s.tolist() == [0, 0.02]
    assert index_of([100, 60, 80, 120], duration=0, first_pts=100).time_s.tolist() == [0, 0.02]


def test_last_frame_lasts_as_the_file_says_or_as_long_as_usual():
    assert index_of([0, 20, 40, 60], duration=35).end_s == 0.095
    assert index_of([0, 20, 40, 60], duration=0).end_s == 0.08
    assert index_of([0], duration=0).end_s == 1 / 30


def test_frames_without_presentation_times_follow_the_decoding_clock_or_the_rate():
    n = 4
    common = {"tick_s": 0.04, "pts": None, "duration": np.zeros(n, int), "pos": np.arange(n), "key": np.ones(n, bool)}
    hidden = np.zeros(n, bool)
    stretched = PacketTable(dts=np.array([1, 2, 4, 5]), hidden=hidden, **common)
    np.testing.assert_allclose(index_frames(stretched, first_pts=None, frame_s=0.04).time_s, [0, 0.04, 0.12, 0.16])
    bare = PacketTable(dts=None, hidden=hidden, **common)
    np.testing.assert_allclose(index_frames(bare, first_pts=None, frame_s=0.02).time_s, [0, 0.02, 0.04, 0.06])
