"""How gaze went over areas, worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import regard
from regard.area import Area
from regard.engine.area_scores import AreaScores
from regard.errors import RegardError
from regard.types import GazeState, GazeTrack, Recording, Segment

RATE = 100
LEFT, RIGHT = (0.25, 0.5), (0.75, 0.5)
HALVES = [Area.box("left", 0.0, 0.0, 0.5, 1.0), Area.box("right", 0.5, 0.0, 1.0, 1.0)]
WAY = (0.5, 1.5)
"""Off the picture: no area."""


def gazed(*rests: tuple[tuple[float, float], float], **more: object) -> Recording:
    """Somebody who rests at these places for so many seconds, with a saccade of 0.05 s before each; NaN is lost."""
    point, state = [], []
    for number, (place, long_s) in enumerate(rests):
        if number:
            point += [place] * 5
            state += [GazeState.SACCADE] * 5
        point += [place] * round(long_s * RATE)
        state += [GazeState.FIXATION] * round(long_s * RATE)
    points, states = np.array(point, np.float64), np.array(state, np.int8)
    states[np.isnan(points).any(axis=1)] = GazeState.LOST
    track = GazeTrack(time_s=np.arange(len(points)) / RATE, point=points, state=states)
    return Recording(id="walk", subject="ann", gaze=track, **more)


def row(found: AreaScores, area: str) -> pd.Series:
    return found.table.set_index("area").loc[area]


def test_the_scores_of_two_halves_are_those_counted_by_hand():
    found = regard.areas(
        gazed((LEFT, 0.3), (RIGHT, 0.4), (RIGHT, 0.2), (LEFT, 0.5), (WAY, 0.1)), HALVES, look=False, recorded=True
    )
    left, right, elsewhere = (row(found, name) for name in ("left", "right", "elsewhere"))
    assert (left["fixations"], right["fixations"], elsewhere["fixations"]) == (2, 2, 1)
    assert left["fixation_s"] == pytest.approx(0.8)
    assert right["mean_fixation_s"] == pytest.approx(0.3)
    assert left["dwell_s"] == pytest.approx(0.3 + 0.05 + 0.5)
    assert right["dwell_s"] == pytest.approx(0.05 + 0.4 + 0.05 + 0.2)
    assert elsewhere["dwell_s"] == pytest.approx(0.15)
    assert found.table["dwell_share"].sum() == pytest.approx(1)
    assert (left["first_fixation_s"], right["first_fixation_s"]) == (0.0, pytest.approx(0.35))
    assert (left["visits"], right["visits"]) == (2, 1)
    assert (left["first_visit_s"], right["first_visit_s"]) == (pytest.approx(0.3), pytest.approx(0.65))
    assert left["mean_visit_s"] == pytest.approx(0.4)
    ways = found.transitions.set_index(["from", "to"])
    assert ways["count"].to_dict() == {
        ("left", "right"): 1, ("left", "elsewhere"): 1, ("right", "left"): 1, ("right", "elsewhere"): 0,
        ("elsewhere", "left"): 0, ("elsewhere", "right"): 0,
    }  # fmt: skip
    assert ways.loc[("left", "right"), "probability"] == pytest.approx(0.5)
    assert np.isnan(ways.loc[("elsewhere", "left"), "probability"])
    assert found.fixations["area"].tolist() == ["left", "right", "right", "left", "elsewhere"]


def test_an_area_that_is_never_looked_at_has_no_first_fixation():
    found = regard.areas(gazed((LEFT, 0.5)), HALVES, look=False, recorded=True)
    right = row(found, "right")
    assert (right["fixations"], right["visits"], right["dwell_s"]) == (0, 0, 0)
    assert right[["first_fixation_s", "mean_fixation_s", "mean_visit_s", "first_visit_s"]].isna().all()


def test_lost_gaze_counts_for_no_area_and_is_told():
    found = regard.areas(gazed((LEFT, 0.5), ((np.nan, np.nan), 1.0), (LEFT, 0.5)), HALVES, look=False, recorded=True)
    left = row(found, "left")
    assert left["not_measured_s"] == pytest.approx(1.05)
    assert left["measured_s"] == pytest.approx(1.05)
    assert left["dwell_share"] == 1
    assert left["visits"] == 2
    assert "gaze was not measured in 1.05 of 2.10 s" in found.protocol
    short = regard.areas(gazed((LEFT, 0.5), ((np.nan, np.nan), 0.3), (LEFT, 0.5)), HALVES, look=False, recorded=True)
    assert row(short, "left")["visits"] == 1


def test_where_areas_overlap_each_counts():
    page = [*HALVES, Area.box("page", 0.0, 0.0, 1.0, 1.0)]
    found = regard.areas(gazed((LEFT, 0.5), (RIGHT, 0.5)), page, look=False, recorded=True)
    assert row(found, "page")["dwell_share"] == pytest.approx(1)
    assert row(found, "page")["visits"] == 1
    assert row(found, "elsewhere")["dwell_s"] == 0
    assert found.transitions.query("count > 0")[["from", "to"]].to_numpy().tolist() == [["left", "right"]]
    assert len(found.fixations) == 4


def test_an_area_counts_only_while_it_is_there():
    box = HALVES[0].corners[0]
    late = Area(name="late", time_s=np.array([0.5, 0.8]), corners=(box, np.zeros((0, 2))))
    found = row(regard.areas(gazed((LEFT, 1.0)), [late], look=False, recorded=True), "late")
    assert found["there_s"] == pytest.approx(0.3)
    assert found["appears_s"] == pytest.approx(0.5)
    assert found["dwell_s"] == pytest.approx(0.3)
    assert found["fixations"] == 0, "less than half of the fixation"


def test_each_segment_of_a_kind_is_scored_for_itself():
    trials = tuple(
        Segment(start_s=start_s, end_s=end_s, kind="trial", name=name)
        for name, start_s, end_s in (("one", 0.0, 0.5), ("two", 0.5, 1.0))
    )
    recording = gazed((LEFT, 0.7), (RIGHT, 0.5), segments=trials)
    found = regard.areas(recording, HALVES, segments="trial", look=False, recorded=True)
    table = found.table.set_index(["segment", "area"])
    assert table.loc[("one", "left"), "dwell_share"] == 1
    assert table.loc[("two", "left"), "dwell_s"] == pytest.approx(0.2)
    assert table.loc[("two", "right"), "first_fixation_s"] == pytest.approx(0.25)
    assert found.transitions.groupby("segment")["count"].sum().to_dict() == {"one": 0, "two": 1}
    with pytest.raises(RegardError, match="segments of kind trial"):
        regard.areas(recording, HALVES, segments="block")


def test_in_slow_gaze_only_what_needs_no_fixations_is_told():
    slow = GazeTrack(time_s=np.arange(10) / 2, point=np.tile([LEFT], (10, 1)), state=np.ones(10, np.int8))
    found = regard.areas(Recording(id="slow", subject="ann", gaze=slow), HALVES)
    left = row(found, "left")
    assert left["dwell_s"] == pytest.approx(5)
    assert found.table[["fixations", "visits", "first_fixation_s"]].isna().all(axis=None)
    assert len(found.transitions) == len(found.fixations) == 0
    assert "2 measurements of gaze a second are too few" in found.protocol


def test_what_lacks_gaze_or_areas_is_refused():
    with pytest.raises(RegardError, match="no gaze"):
        regard.areas(Recording(id="a", subject="a"), HALVES)
    with pytest.raises(RegardError, match="two areas called 'left'"):
        regard.areas(gazed((LEFT, 0.5)), [HALVES[0], HALVES[0]])
    with pytest.raises(RegardError, match="no areas"):
        regard.areas(gazed((LEFT, 0.5)), [])


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_figure_is_made_with_video_and_without(tiny_world: Path, tmp_path: Path, suffix: str):
    moving = Area(name="cup <&$>", time_s=np.array([0.5, 1.0]), corners=(HALVES[0].corners[0] / 2, np.zeros((0, 2))))
    for recording in (regard.open(tiny_world), gazed((LEFT, 0.5), (RIGHT, 0.5))):
        found = regard.areas(recording, [*HALVES, moving], look=False)
        file = found.figure(tmp_path / f"{recording.id}{suffix}")
        start = file.read_bytes()[:500]
        assert (b"<svg" in start) if suffix == ".svg" else start.startswith(b"\x89PNG")
    if suffix == ".svg":
        assert "cup &lt;&amp;$&gt;" in file.read_text()
    with pytest.raises(RegardError, match=r"\.png or \.svg"):
        found.figure(tmp_path / "areas.pdf")


def test_a_figure_without_transitions_says_so(tmp_path: Path):
    one = regard.areas(gazed((LEFT, 0.5)), HALVES, look=False, recorded=True)
    assert ">no transitions<" in one.figure(tmp_path / "one.svg").read_text()
    two = regard.areas(gazed((LEFT, 0.5), (RIGHT, 0.5)), HALVES, look=False, recorded=True)
    assert "no transitions" not in two.figure(tmp_path / "two.svg").read_text()


def test_a_figure_of_more_bars_than_can_be_seen_shows_their_shares(tmp_path: Path):
    number = 3000
    point = np.tile(np.repeat([LEFT, RIGHT], 4, axis=0), (number // 2, 1))
    state = np.tile([GazeState.FIXATION] * 3 + [GazeState.LOST], number).astype(np.int8)
    point[state == GazeState.LOST] = np.nan
    track = GazeTrack(time_s=np.arange(4 * number) / 20, point=point, state=state)
    watched = Recording(id="long", subject="ann", gaze=track)
    found = regard.areas(watched, [*HALVES, Area.box("\u676f\u5b50", 0.0, 0.0, 0.1, 0.1)], look=False, recorded=True)
    assert row(found, "left")["fixations"] == number / 2
    text = found.figure(tmp_path / "areas.svg").read_text()
    assert "\u676f\u5b50" in text
    assert text.count("<path") < 500


def test_printed_they_are_a_short_table_and_how_it_was_counted():
    said = str(regard.areas(gazed((LEFT, 0.3), (RIGHT, 0.4)), HALVES, look=False, recorded=True)).splitlines()
    assert said[0].split() == ["area", "dwell_s", "dwell_share", "fixations", "first_fixation_s", "visits"]
    assert said[2].split() == ["right", "0.450", "0.600", "1", "0.350", "1"]
    assert said[3].split() == ["elsewhere", "0.000", "0.000", "0", "-", "0"]
    assert said[4].startswith("areas: a fixation is on an area")
