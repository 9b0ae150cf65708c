"""What is sent to a page: thinned but true, in pieces that join, and no more than is asked for."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regard.engine.view.answers import AnswersView
from regard.engine.view.found import Found, Run
from regard.engine.view.gaze import CHUNK_S, chunk_of, read_events, told
from regard.engine.view.lanes import band, line
from regard.engine.view.packed import packed
from regard.engine.view.scene import Scene
from regard.errors import TableError
from regard.io.predictions import open_prediction, write_prediction
from regard.prediction import Prediction
from regard.types import BLINK, FaceTrack, GazeState, GazeTrack, Recording, Segment
from regard.viz.density import CONTRAST

NOTHING = Found(runs=(), events=None, notes=())


def unpacked(message: bytes) -> dict[str, np.ndarray]:
    """As the page does it, by other means."""
    (length,) = struct.unpack_from("<I", message)
    head, begin = json.loads(message[4 : 4 + length]), (4 + length + 7) // 8 * 8
    return {
        name: np.frombuffer(message, f"<{of['kind']}", int(np.prod(of["shape"])), begin + of["at"]).reshape(of["shape"])
        for name, of in head.items()
    }


def gaze(seconds: float = 25.0, rate_hz: float = 200.0) -> GazeTrack:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz - 1.0
    state = np.where(time_s % 3 < 0.2, GazeState.LOST, GazeState.TRACKED).astype(np.int8)
    point = np.where((state == GazeState.LOST)[:, None], np.nan, np.stack([0.5 + 0.4 * np.sin(time_s), time_s / 30], 1))
    return GazeTrack(time_s=time_s, point=point, state=state)


def recording(**parts) -> Recording:
    return Recording(id="walk", subject="s1", **parts)


def saved(folder: Path, **parts) -> AnswersView:
    prediction = Prediction(**{"recording": "walk", "model": "a model", **parts})  # pyright: ignore[reportArgumentType]
    write_prediction(prediction, folder / "answers.parquet")
    return AnswersView(open_prediction(folder / "answers.parquet"), key="run0")


def test_numbers_arrive_as_they_were_sent():
    sent = {
        "a": np.array([1.5, np.nan]),
        "b/c": np.arange(5, dtype=np.uint8),
        "none": np.zeros((0, 3), np.float32),
        "map": np.arange(6, dtype=np.uint16).reshape(2, 3),
    }
    message = packed(sent)
    for name, array in unpacked(message).items():
        np.testing.assert_array_equal(array, sent[name])
    assert all(of["at"] % 8 == 0 for of in json.loads(message[4 : 4 + struct.unpack_from("<I", message)[0]]).values())


def test_the_stretches_of_a_track_are_the_track():
    track = gaze()
    chunks = [chunk_of(track, number) for number in range(-1, 4)]
    time_s, x, state = (np.concatenate([c[name] for c in chunks]) for name in ("time_s", "x", "state"))
    np.testing.assert_array_equal(time_s, track.time_s)
    np.testing.assert_array_equal(x, track.point[:, 0].astype(np.float32))
    np.testing.assert_array_equal(state, track.state)
    assert all(((c["time_s"] // CHUNK_S) == number).all() for number, c in enumerate(chunks, -1))


def test_a_thinned_line_keeps_its_highest_and_lowest_and_its_holes():
    time_s = np.arange(100_000) / 200
    value = np.sin(time_s)
    value[70_123], value[30_000:32_000] = 9.0, np.nan
    seen = line("x", "ink", time_s, value).shown(0.0, 500.0, 400)
    assert len(seen["time_s"]) <= 401
    assert np.nanmax(seen["high"]) == 9.0
    assert np.nanmin(seen["low"]) == pytest.approx(-1.0, abs=1e-6)
    within = (seen["time_s"] > 151.5) & (seen["time_s"] < 158)
    assert np.isnan(seen["low"][within]).all()
    near = line("x", "ink", time_s, value).shown(350.0, 351.0, 400)
    np.testing.assert_array_equal(near["low"], near["high"])
    assert near["time_s"][0] <= 350.0
    assert near["time_s"][-1] >= 351.0


def test_a_line_is_broken_where_nothing_was_measured():
    shown = line("x", "ink", np.array([0.0, 0.1, 0.2, 5.0, 5.1]), np.arange(5.0)).shown(0.0, 10.0, 100)
    np.testing.assert_array_equal(np.isnan(shown["low"]), [False, False, False, True, False, False])
    assert (np.diff(shown["time_s"]) > 0).all()


def test_a_thinned_band_says_what_is_at_each_column():
    starts = np.arange(5000) * 0.1
    whole = band("state", [("a", "#000000"), ("b", "#ffffff")], [(s, s + 0.1, k % 2) for k, s in enumerate(starts)])
    seen = whole.shown(0.0, 500.0, 100)
    assert len(seen["code"]) <= 100
    for start_s, end_s, code in zip(seen["start_s"], seen["end_s"], seen["code"], strict=True):
        assert code == round(start_s * 10) % 2
        assert end_s - start_s == pytest.approx(0.1)
    few = whole.shown(10.05, 10.35, 100)
    np.testing.assert_allclose(few["start_s"], [10.0, 10.1, 10.2, 10.3])


def test_answers_come_with_their_neighbours_and_maps_as_levels(tmp_path: Path):
    rng = np.random.default_rng(0)
    logs = np.log(rng.dirichlet(np.ones(30 * 40), 61)).reshape(61, 30, 40).astype(np.float32)
    time_s = np.arange(61) * 0.5
    view = saved(tmp_path, time_s=time_s, seen_until_s=time_s - 0.25, values={"log_density": logs})
    chunk = view.chunk(1)
    within = (time_s >= 9.5) & (time_s < 20.5)
    assert set(time_s[within]) <= set(chunk["time_s"])
    np.testing.assert_allclose(chunk["time_s"] - chunk["seen_until_s"], 0.25)
    density = np.exp(logs - logs.max(axis=(1, 2), keepdims=True)) ** CONTRAST
    rows = np.searchsorted(time_s, chunk["time_s"])
    np.testing.assert_allclose(chunk["density"], 255 * density[rows], atol=0.51)
    peak = np.unravel_index(logs[rows[0]].argmax(), (30, 40))
    assert (chunk["x"][0], chunk["y"][0]) == pytest.approx(((peak[1] + 0.5) / 40, (peak[0] + 0.5) / 30))
    far = view.chunk(90)
    assert far["time_s"].tolist() == [30.0]
    assert view.about()["reach_s"] == pytest.approx(0.375)


def test_windows_reach_as_far_as_the_next_one(tmp_path: Path):
    logits = np.array([[0.0, 3.0, 1.0], [4.0, 0.0, 0.0], [0.0, 0.0, 2.0]], np.float32)
    view = saved(
        tmp_path,
        start_s=np.array([0.0, 40.0, 80.0]),
        time_s=np.array([2.0, 42.0, 82.0]),
        seen_until_s=np.array([2.0, 42.0, 82.0]),
        values={"logits/action": logits},
        class_names={"action": ("cut", "pour")},
    )
    assert view.about()["classes"] == {"action": ["cut", "pour", "action 2"]}
    assert view.chunk(2)["time_s"].tolist() == [2.0, 42.0]
    assert view.chunk(0)["class/action"][0].tolist() == [1, 2, 0]
    (lane,) = view.lanes()
    seen = lane.bands[0].shown(0.0, 100.0, 50)
    assert [lane.bands[0].codes[k][0] for k in seen["code"]] == ["pour", "cut", "action 2"]
    np.testing.assert_allclose(seen["start_s"], [-19, 21, 61])


def test_faces_have_rows_of_their_own_and_mutual_gaze(tmp_path: Path):
    time_s = np.repeat(np.arange(100) / 10, 2)
    looking = np.tile([0.9, 0.1], 100).astype(np.float32)
    box = np.tile([[0.1, 0.1, 0.3, 0.3], [0.6, 0.6, 0.8, 0.8]], (100, 1)).astype(np.float32)
    view = saved(
        tmp_path, time_s=time_s, seen_until_s=time_s, who=("ann", "bob") * 100, values={"looking": looking, "box": box}
    )
    steady = np.arange(1000) / 100
    at_ann = GazeTrack(time_s=steady, point=np.full((1000, 2), 0.2), state=np.ones(1000, np.int8))
    scene = Scene(recording(gaze=at_ann), replace(NOTHING, runs=[Run(key="run0", name="m", answers=view)]), end_s=10.0)
    ann, bob = scene.lanes["run0-face-0"], scene.lanes["run0-face-1"]
    said = {b.codes[c][0] for b in ann.bands for c in b.shown(0.0, 10.0, 100)["code"]}
    assert said == {"in view", "looks at the wearer", "wearer looks at the face", "both"}
    assert {b.codes[c][0] for b in bob.bands for c in b.shown(0.0, 10.0, 100)["code"]} == {"in view"}
    assert view.about()["people"] == ["ann", "bob"]
    assert view.chunk(0)["who"][:2].tolist() == [0, 1]


def test_recorded_faces_know_whether_anybody_said_that_they_look():
    face = FaceTrack(
        person="ann",
        time_s=np.arange(3.0),
        box=np.tile([0.1, 0.1, 0.2, 0.2], (3, 1)),
        looking=np.array([True, False, False]),
        looking_known=np.array([True, True, False]),
    )
    scene = Scene(recording(faces=(face,)), NOTHING, end_s=3.0)
    sent = unpacked(scene.whole("faces"))
    np.testing.assert_array_equal(sent["looking"], [1, 0, np.nan])
    assert scene.about()["faces"] == ["ann"]
    assert [b.shown(0.0, 3.0, 9)["code"].tolist() for b in scene.lanes["face-0"].bands] == [[0], [1]]


def test_events_that_were_told_before_colour_the_gaze(tmp_path: Path):
    rows = [("fixation", 1.0, 2.0), ("saccade", 2.0, 2.05), ("blink", 3.0, 3.2)]
    table = pd.DataFrame(rows, columns=["kind", "start_s", "end_s"])
    table = table.assign(duration_s=table["end_s"] - table["start_s"], amplitude_deg=np.nan, peak_deg_s=120.0)
    table.to_csv(tmp_path / "events.csv", index=False)
    events = read_events(tmp_path / "events.csv")
    scene = Scene(recording(gaze=gaze()), replace(NOTHING, events=events), end_s=10.0)
    sent = unpacked(scene.whole("events"))
    assert sent["kind"].tolist() == [GazeState.FIXATION, GazeState.SACCADE, len(GazeState)]
    assert np.isnan(sent["amplitude_deg"]).all()
    seen = scene.recording.gaze
    assert seen is not None
    assert set(seen.state[(seen.time_s >= 1.2) & (seen.time_s < 1.99)]) == {GazeState.FIXATION}
    assert seen.state[np.searchsorted(seen.time_s, 2.02)] == GazeState.SACCADE
    assert seen.state[np.searchsorted(seen.time_s, 5.0)] == GazeState.TRACKED
    assert scene.lanes["blinks"].bands[0].shown(0.0, 10.0, 100)["start_s"].tolist() == [3.0]


def test_a_table_of_other_events_is_refused(tmp_path: Path):
    (tmp_path / "events.csv").write_text("kind,start_s,end_s,duration_s,amplitude_deg,peak_deg_s\nyawn,1,2,1,,\n")
    with pytest.raises(TableError, match="yawn"):
        read_events(tmp_path / "events.csv")


def test_gaze_too_coarse_for_events_is_shown_without():
    coarse = gaze(rate_hz=4.0)
    same, events, why = told(recording(gaze=coarse), None)
    assert events is None
    assert same.gaze is coarse
    assert "4 measurements" in why


def test_what_was_recorded_has_rows_and_others_have_tracks():
    parts = (Segment(start_s=1.0, end_s=2.0, kind="action", name="stir"), Segment(start_s=2.0, end_s=2.2, kind=BLINK))
    scene = Scene(recording(gaze=gaze(), segments=parts, others={"o1": gaze(10.0)}), NOTHING, end_s=20.0)
    assert [lane.name for lane in scene.lanes.values()] == ["gaze", "blinks", "action"]
    about = json.loads(json.dumps(scene.about()))
    assert about["others"] == ["o1"]
    assert len(unpacked(scene.chunk("other0", 0))["time_s"]) == 1800
    assert unpacked(scene.timeline(0.0, 20.0, 300))["gaze/band/0/code"].max() <= len(GazeState)


@pytest.mark.parametrize("asked", [("nobody", 0), ("events", 0)])
def test_what_is_not_there_is_not_sent(asked: tuple[str, int]):
    scene = Scene(recording(gaze=gaze()), NOTHING, end_s=20.0)
    with pytest.raises(LookupError):
        scene.chunk(*asked)


@pytest.mark.parametrize("part", [(0.0, np.inf, 10), (3.0, 3.0, 10), (0.0, 1.0, 0), (0.0, 1.0, 100_000)])
def test_a_part_of_time_that_is_none_is_refused(part: tuple[float, float, int]):
    with pytest.raises(LookupError):
        Scene(recording(), NOTHING, end_s=1.0).timeline(*part)


def test_a_long_recording_is_sent_in_small_pieces():
    long = gaze(600.0)
    scene = Scene(recording(gaze=long), NOTHING, end_s=600.0)
    assert len(json.dumps(scene.about())) < 20_000
    assert len(scene.timeline(0.0, 600.0, 1500)) < 300_000
    assert len(scene.chunk("gaze", 10)) < 60_000
