"""Eye movements of recordings: of the synthetic world, of real devices, and of some from which none can be told."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import regard
from regard.engine.events import NoEventsError, eye_movements, fixations
from regard.errors import RecipeError
from regard.io import FilmWriter
from regard.types import BLINK, GazeState, GazeTrack, Recording, Segment


@pytest.fixture(scope="module")
def wearer(tiny_world: Path) -> Recording:
    return regard.open(tiny_world)


def gaze_of(n: int, *, rate_hz: float = 200.0) -> GazeTrack:
    point, state = np.full((n, 2), 0.5), np.full(n, GazeState.TRACKED, np.int8)
    return GazeTrack(time_s=np.arange(n) / rate_hz, point=point, state=state)


def only_gaze(gaze: GazeTrack | None, **more: object) -> Recording:
    return Recording(id="kitchen", subject="ann", gaze=gaze, **more)


def test_the_worlds_movements_are_told_better_once_its_video_has_shown_the_head(wearer: Recording):
    told, blind = eye_movements(wearer), eye_movements(wearer, look=False)
    scores, without = told.scores.set_index("movement"), blind.scores.set_index("movement")
    assert scores["sample_f1"]["fixation"] > 0.93
    for score in ("sample_f1", "event_f1"):
        assert scores[score]["saccade"] > without[score]["saccade"] + 0.2
    assert scores["event_f1"]["fixation"] > without["event_f1"]["fixation"] + 0.2
    assert told.table["head_known"].mean() > 0.95
    assert (blind.table["head_known"] == 0).all()
    assert "the head's turns are taken out of" in told.protocol
    assert "pursuit is not told" in blind.protocol
    assert not (blind.table["kind"] == "pursuit").any()


def test_the_recording_comes_back_with_its_states_and_says_how(wearer: Recording):
    told = eye_movements(wearer, look=False)
    assert told.recording.notes == (*wearer.notes, told.protocol)
    np.testing.assert_array_equal(told.recording.gaze.valid, wearer.gaze.valid)
    assert (told.recording.gaze.state != wearer.gaze.state).any()
    kinds = told.table["kind"].value_counts()
    assert told.summary.set_index("movement")["count"].to_dict() == kinds.to_dict()
    pd.testing.assert_frame_equal(
        fixations(wearer, look=False), told.table.query("kind == 'fixation'").reset_index(drop=True)
    )
    assert regard.fixations is fixations


def test_recorded_states_give_the_table_where_they_are_asked_for(wearer: Recording):
    recorded = eye_movements(wearer, look=False, recorded=True)
    assert recorded.scores is None
    np.testing.assert_array_equal(recorded.recording.gaze.state, wearer.gaze.state)
    assert (recorded.table["kind"] == "saccade").sum() == 4


def test_gaze_alone_is_enough_and_without_a_camera_degrees_are_unknown():
    told = eye_movements(only_gaze(gaze_of(100)))
    assert told.table["kind"].tolist() == ["fixation"]
    assert told.table[["x", "y", "duration_s"]].notna().all(axis=None)
    assert told.table[["x_deg", "amplitude_deg", "peak_deg_s", "dispersion_deg"]].isna().all(axis=None)
    assert "80 degrees wide is assumed" in told.protocol
    known = eye_movements(only_gaze(gaze_of(100)), field_deg=60.0)
    assert known.table[["x_deg", "amplitude_deg"]].notna().all(axis=None)
    assert "assumed" not in known.protocol


def test_blinks_are_rows_in_their_place():
    blinks = (Segment(start_s=0.2, end_s=0.3, kind=BLINK), Segment(start_s=0.1, end_s=0.2, kind="action"))
    gaze = gaze_of(100)
    lost = (gaze.time_s >= 0.2) & (gaze.time_s < 0.3)
    gaze = replace(
        gaze,
        point=np.where(lost[:, None], np.nan, gaze.point),
        state=np.where(lost, GazeState.LOST, gaze.state).astype(np.int8),
    )
    table = eye_movements(only_gaze(gaze, segments=blinks)).table
    assert table["kind"].tolist() == ["fixation", "blink", "fixation"]
    assert table["samples"].isna().tolist() == [False, True, False]
    assert table["duration_s"][1] == pytest.approx(0.1)


def test_slow_gaze_is_told_with_a_warning():
    protocol = eye_movements(only_gaze(gaze_of(50, rate_hz=10))).protocol
    assert "small saccades are missed at this rate, and borders are good to 100 ms" in protocol


@pytest.mark.parametrize(
    ("gaze", "found"),
    [
        (None, "no gaze"),
        (GazeTrack.lost(np.zeros(0)), "0 valid measurements of gaze, of 0"),
        (GazeTrack.lost(np.arange(100) / 200), "0 valid measurements of gaze, of 100"),
        (gaze_of(2), "2 valid measurements of gaze, of 2"),
        (gaze_of(60, rate_hz=1), "1 measurements of gaze a second"),
    ],
)
def test_gaze_that_shows_no_movements_is_refused(gaze: GazeTrack | None, found: str):
    with pytest.raises(NoEventsError) as refused:
        eye_movements(only_gaze(gaze))
    assert refused.value.found == found


def test_states_and_fields_that_are_not_there_are_refused():
    with pytest.raises(NoEventsError, match="only 'tracked'"):
        eye_movements(only_gaze(gaze_of(100)), recorded=True)
    for wrong in (200.0, 0.0, np.nan):
        with pytest.raises(RecipeError, match=f"{wrong:g} degrees wide"):
            eye_movements(only_gaze(gaze_of(100)), field_deg=wrong)


def test_a_video_that_shows_nothing_leaves_the_head_unknown(tmp_path: Path):
    with FilmWriter(tmp_path / "grey.mp4", size=(96, 128)) as film:
        for number in range(10):
            film.write(np.full((96, 128, 3), 128, np.uint8), number / 10)
    gaze = "".join(f"{i / 100},0.5,0.5\n" for i in range(90))
    (tmp_path / "gaze.csv").write_text(f"timestamp_s,x,y\n{gaze}")
    told = eye_movements(regard.open(tmp_path))
    assert "taken out of 0% of the measurements" in told.protocol
    assert "pursuit is not told" in told.protocol


def test_gaze_that_the_video_does_not_show_counts_and_is_told_of(wearer: Recording):
    gaze = wearer.gaze
    late = replace(gaze, time_s=gaze.time_s + gaze.time_s[-1] / 2)
    protocol = eye_movements(replace(wearer, gaze=late)).protocol
    assert re.search(
        r"taken out of \d+% of the measurements during the video, by the video; the (4|5)\d% of all", protocol
    )
    assert "before or after" not in eye_movements(wearer).protocol


def pupil_cloud(real_data: Path, folder: Path, *, blinks: bool) -> Recording:
    """The real export beside a stand-in for its video; without `blinks`, what lies in one is gaze like any."""
    shutil.copytree(real_data / "pupil_invisible_cloud", folder, copy_function=shutil.copyfile)
    if not blinks:
        gaze = pd.read_csv(folder / "gaze.csv", dtype=str, keep_default_na=False)
        gaze.drop(columns="blink id").to_csv(folder / "gaze.csv", index=False)
    frame_ns = pd.read_csv(folder / "world_timestamps.csv")["timestamp [ns]"].to_numpy()
    with FilmWriter(folder / "stand_in.mp4", size=(1080, 1088), quick=True) as film:
        for time_s in ((frame_ns[::100] - frame_ns[0]) / 1e9).tolist():
            film.write(np.zeros((1080, 1088, 3), np.uint8), time_s)
    (folder / "world_timestamps.csv").write_text(
        "timestamp [ns]\n" + "".join(f"{ns}\n" for ns in frame_ns[::100].tolist())
    )
    return regard.open(folder)


def test_pupil_clouds_own_fixations_are_found(real_data: Path, tmp_path: Path):
    recording = pupil_cloud(real_data, tmp_path / "export", blinks=False)
    (scores,) = eye_movements(recording, look=False).scores.itertuples()
    assert scores.events_labelled == 17
    assert scores.event_f1 >= 0.95
    assert scores.sample_f1 > 0.98


def test_pupil_clouds_blinks_are_segments(real_data: Path, tmp_path: Path):
    recording = pupil_cloud(real_data, tmp_path / "export", blinks=True)
    told = pd.read_csv(real_data / "pupil_invisible_cloud" / "blinks.csv")
    blinks = [s for s in recording.segments if s.kind == BLINK]
    assert len(blinks) == len(told) == 2
    lasted_s = [blink.end_s - blink.start_s for blink in blinks]
    np.testing.assert_allclose(lasted_s, told["duration [ms]"] / 1e3, atol=0.02)


def test_the_neon_wearer_looks_at_the_phone_and_at_the_trees(real_data: Path):
    told = eye_movements(regard.open(real_data / "neon_window" / "raw"), look=False)
    table = told.table.query("start_s < 4.75")
    spent_s = table.groupby("kind")["duration_s"].sum()
    assert spent_s["fixation"] / spent_s.sum() > 0.8
    large = table.query("kind == 'saccade' and amplitude_deg > 15")["start_s"].tolist()
    # out to the trees at about frame 70, and back at frame 88 of 30 a second
    assert large == pytest.approx([2.33, 3.03], abs=0.1)
