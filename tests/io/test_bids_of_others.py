"""Eye tracking in BIDS datasets that others made: what is read, and one clear error for what cannot be."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import regard
from regard.errors import ClockError, FileError, RegardError, TableError
from regard.types import GazeState

STEM = "sub-07_ses-a_task-read"
ROWS = [(1000, 960, 540, 3.1), (1002, 0, 0, 3.2), (1004, "n/a", "n/a", "n/a"), (1006, 1920, 1080, 3.0)]
PHYSIO: dict[str, Any] = {
    "PhysioType": "eyetrack",
    "RecordedEye": "right",
    "SampleCoordinateSystem": "gaze-on-screen",
    "SamplingFrequency": 500,
    "StartTime": -0.5,
    "Columns": ["timestamp", "x_coordinate", "y_coordinate", "pupil_size"],
    "x_coordinate": {"Units": "pixel"},
    "y_coordinate": {"Units": "pixel"},
}
SCREEN = {
    "ScreenResolution": [1920, 1080],
    "ScreenOrigin": ["top", "left"],
    "ScreenDistance": 0.6,
    "ScreenSize": [0.5, 0.3],
}

Make = Callable[..., Path]


@pytest.fixture
def dataset(tmp_path: Path) -> Make:
    """Writes a dataset of a recording, its json with other values or (None) without some; its folder."""

    def make(rows=ROWS, *, eye: str = "eye1", screen: dict | None = None, **changed: object) -> Path:
        root = tmp_path / "reading"
        folder = root / "sub-07" / "ses-a" / "eeg"
        folder.mkdir(parents=True, exist_ok=True)
        (root / "dataset_description.json").write_text('{"Name": "reading", "BIDSVersion": "1.11.0"}')
        about = {name: value for name, value in (PHYSIO | changed).items() if value is not None}
        (folder / f"{STEM}_recording-{eye}_physio.json").write_text(json.dumps(about))
        lines = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        (folder / f"{STEM}_recording-{eye}_physio.tsv.gz").write_bytes(gzip.compress(lines.encode()))
        (root / "task-read_events.json").write_text(json.dumps({"StimulusPresentation": screen or SCREEN}))
        return root

    return make


def test_gaze_on_a_screen_is_read_in_shares_of_it_on_the_scans_clock(dataset: Make):
    root = dataset()
    recording = regard.open(root)
    assert (recording.id, recording.subject, recording.video) == (STEM, "07", None)
    assert recording.gaze is not None
    np.testing.assert_allclose(recording.gaze.time_s, [-0.5, -0.498, -0.496, -0.494])
    np.testing.assert_array_equal(recording.gaze.point, [[0.5, 0.5], [0, 0], [np.nan, np.nan], [1, 1]])
    assert recording.gaze.state.tolist() == [1, 1, 0, 1]
    assert "not read: pupil sizes (pupil_size)" in recording.notes
    again = regard.open(next(root.rglob("*_physio.tsv.gz")))
    assert np.array_equal(again.gaze.point, recording.gaze.point, equal_nan=True)  # pyright: ignore[reportOptionalMemberAccess]


def test_a_screen_of_known_size_and_distance_gives_degrees(dataset: Make):
    width, distance, speed = 0.5, 0.6, 0.001
    across = np.tile([0.0, 0.25, 0.5], 40).repeat(100)
    rows = [(1000 + 2 * n, 960 + 1920 * x * speed / width, 540, 1) for n, x in enumerate(across * 300)]
    recording = regard.open(dataset(rows))
    assert recording.watched
    assert "a screen 45.2 x 28.1 degrees wide and high, by its ScreenSize and ScreenDistance" in recording.notes
    found = regard.eye_movements(recording)
    assert "the head counts as still" in found.protocol
    assert "assumed" not in found.protocol
    saccades = found.table.query("kind == 'saccade'")["amplitude_deg"]
    assert saccades.iloc[0] == pytest.approx(np.rad2deg(np.arctan(75 * speed / distance)), rel=0.03)


def test_size_and_distance_beside_the_gaze_or_as_three_coordinates_are_read_too(dataset: Make):
    resolution = {"ScreenResolution": [1920, 1080]}
    camera = regard.open(dataset(screen=resolution, ScreenSize=[0.5, 0.3], ScreenDistance=[0, 0, -0.6])).camera
    assert camera is not None
    assert (camera.width, camera.height) == (1920, 1080)
    np.testing.assert_allclose(camera.matrix, [[2304, 0, 959.5], [0, 2160, 539.5], [0, 0, 1]])


@pytest.mark.parametrize(
    ("screen", "says"),
    [
        ({"ScreenDistance": None}, "ScreenDistance missing"),
        ({"ScreenDistance": "n/a"}, "ScreenDistance missing"),
        ({"ScreenSize": None, "ScreenDistance": None}, "ScreenSize and ScreenDistance missing"),
        ({"ScreenSize": [0.5]}, r"ScreenSize [0.5] is not its width and height"),
        ({"ScreenSize": "23 inch"}, "ScreenSize 23 inch is not"),
        ({"ScreenDistance": 0}, "ScreenDistance 0 is not one number"),
        ({"ScreenDistance": [0.1, 0, 0.6]}, "ScreenDistance [0.1, 0, 0.6] is not one number"),
        ({"ScreenDistance": -0.6}, "ScreenDistance -0.6 is not one number"),
        ({"ScreenDistance": 60}, "a screen 0.5 x 0.3 degrees wide and high, by its ScreenSize and ScreenDistance: not"),
        ({"ScreenSize": [500, 300]}, "not both in metres"),
        ({"ScreenSize": [0.3, 0.5]}, "gives pixels 0.34 times as wide as high"),
    ],
)
def test_why_a_screen_gives_no_degrees_is_a_note(dataset: Make, screen: dict, says: str):
    recording = regard.open(dataset(screen={n: v for n, v in (SCREEN | screen).items() if v is not None}))
    assert recording.camera is None
    assert recording.watched
    (note,) = [note for note in recording.notes if "degrees" in note]
    assert note.startswith("angles in degrees cannot be computed: ")
    assert says in note


def test_metadata_is_inherited_from_folders_above(dataset: Make):
    root = dataset(SamplingFrequency=None, SampleCoordinateSystem=None)
    (root / "physio.json").write_text('{"SamplingFrequency": 500, "StartTime": 9}')
    (root / "sub-07" / "task-read_physio.json").write_text('{"SampleCoordinateSystem": "gaze-on-screen"}')
    (root / "sub-07" / "task-rest_physio.json").write_text('{"SampleCoordinateSystem": "eye-in-head"}')
    gaze = regard.open(root).gaze
    assert gaze is not None
    assert gaze.time_s[0] == -0.5


def test_of_two_eyes_the_mean_is_taken_where_both_were_measured(dataset: Make):
    dataset(RecordedEye="left")
    root = dataset([(1000, 0, 0, 1), (1002, "n/a", "n/a", 1), (1004, 192, 108, 1), (1006, "n/a", 3, 1)], eye="eye2")
    recording = regard.open(root)
    assert recording.gaze is not None
    np.testing.assert_allclose(recording.gaze.point, [[0.25, 0.25], [0, 0], [0.1, 0.1], [1, 1]])
    assert any("mean of 2 eyes" in note for note in recording.notes)
    dataset([(1000, 1920, 0, 1)], eye="both", RecordedEye="cyclopean")
    gaze = regard.open(root).gaze
    assert gaze is not None
    assert gaze.point.tolist() == [[1, 0]]


def test_a_rate_that_the_timestamps_contradict_is_told(dataset: Make):
    rate = "SamplingFrequency says {} Hz, the timestamps {} Hz"
    assert rate.format(60, 500) in regard.open(dataset(SamplingFrequency=60, timestamp={"Units": "ms"})).notes
    assert rate.format(500, 0.5) in regard.open(dataset(timestamp={"Units": "s"})).notes
    assert not [note for note in regard.open(dataset(SamplingFrequency=499)).notes if "says" in note]


def test_an_eye_that_was_measured_for_longer_gives_the_clock(dataset: Make):
    dataset([], RecordedEye="left")
    root = dataset(eye="eye2")
    gaze = regard.open(root).gaze
    assert gaze is not None
    np.testing.assert_array_equal(gaze.point, [[0.5, 0.5], [0, 0], [np.nan, np.nan], [1, 1]])


@pytest.mark.parametrize("table", ["\n", "onset\n1\n", "duration\tonset_s\n1\t2\n"])
def test_events_without_their_columns_are_refused(dataset: Make, table: str):
    root = dataset()
    events = root / "sub-07" / "ses-a" / "eeg" / f"{STEM}_events.tsv"
    events.write_text(table)
    with pytest.raises(TableError, match=r"wanted: one of them '(onset|duration)'"):
        regard.open(root)
    events.unlink()
    physioevents = root / "sub-07" / "ses-a" / "eeg" / f"{STEM}_recording-eye1_physioevents.tsv.gz"
    physioevents.write_bytes(gzip.compress(b"1\n"))
    physioevents.with_name(physioevents.name.replace(".tsv.gz", ".json")).write_text('{"Columns": [["onset"]]}')
    assert len(regard.open(root).gaze or ()) == 4


def test_movements_and_events_come_along(dataset: Make):
    root = dataset()
    folder = root / "sub-07" / "ses-a" / "eeg"
    rows = "1000\t2\tfixation\n1001.5\t4\tsaccade\n1004\t0\tstart\n"
    (folder / f"{STEM}_recording-eye1_physioevents.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    told = {"Columns": ["onset", "duration", "trial_type"], "OnsetSource": "timestamp"}
    (folder / f"{STEM}_recording-eye1_physioevents.json").write_text(json.dumps(told))
    (folder / f"{STEM}_events.tsv").write_text("onset\tduration\ttrial_type\n2\t1.5\tword\n0\tn/a\tkey\n")
    recording = regard.open(root)
    assert recording.gaze is not None
    assert recording.gaze.state.tolist() == [GazeState.FIXATION, GazeState.SACCADE, GazeState.LOST, GazeState.TRACKED]
    assert [(s.start_s, s.end_s, s.kind, s.name) for s in recording.segments] == [(2, 3.5, "event", "word")]
    assert any("1 of 2 events" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"SampleCoordinateSystem": "gaze-in-world"}, "SampleCoordinateSystem 'gaze-in-world'"),
        ({"SampleCoordinateSystem": "eye-in-head"}, "SampleCoordinateSystem 'eye-in-head'"),
        ({"SampleCoordinateSystem": "custom"}, "SampleCoordinateSystem 'custom'"),
        ({"SampleCoordinateSystem": ["a"]}, r"SampleCoordinateSystem \['a'\]"),
        ({"x_coordinate": {"Units": "degree"}}, "coordinates in degree, pixel"),
        ({"y_coordinate": None}, "coordinates in pixel, None"),
        ({"SamplingFrequency": None}, "without SamplingFrequency"),
        ({"SamplingFrequency": 0}, "SamplingFrequency 0"),
        ({"SamplingFrequency": "500"}, "SamplingFrequency 500"),
        ({"StartTime": None}, "without StartTime"),
        ({"RecordedEye": None}, "without RecordedEye"),
        ({"Columns": None}, "without Columns"),
        ({"Columns": "timestamp"}, "Columns timestamp"),
        ({"Columns": ["x_coordinate", "y_coordinate", "timestamp", "p"]}, "columns that begin with timestamp"),
        ({"Columns": PHYSIO["Columns"][:3]}, "4 values in line 1"),
        ({"Columns": [*PHYSIO["Columns"], "more"]}, "4 values in line 1"),
        ({"Columns": [*PHYSIO["Columns"][:3], "timestamp"]}, "a column twice"),
        ({"SamplingFrequency": 12}, "timestamps 2 apart at 12 Hz"),
        ({"SamplingFrequency": 12, "timestamp": {"Units": ["ms"]}}, r"in a unit \['ms'\]"),
        ({"screen": {"ScreenResolution": "n/a"}}, "ScreenResolution in StimulusPresentation of _events.json n/a"),
        ({"screen": {"ScreenDistance": 1}}, "ScreenResolution in StimulusPresentation of _events.json None"),
        ({"screen": {"ScreenResolution": [0, 10]}}, "ScreenResolution"),
        ({"screen": SCREEN | {"ScreenResolution": [float("inf"), 10]}}, "ScreenResolution"),
        ({"screen": SCREEN | {"ScreenOrigin": "top left"}}, "an origin at top left"),
        ({"screen": SCREEN | {"ScreenOrigin": 1}}, "an origin at 1"),
        ({"screen": SCREEN | {"ScreenResolution": [0.4, 1080]}}, "ScreenResolution"),
        ({"screen": [SCREEN]}, "ScreenResolution"),
        ({"screen": SCREEN | {"ScreenOrigin": ["center", "center"]}}, "an origin at"),
        ({"rows": [("timestamp", "x_coordinate", "y_coordinate", "pupil_size"), *ROWS]}, "no header line"),
        ({"rows": [*ROWS, (1008, "left", 1, 1)]}, "'left' in column 'x_coordinate', line 5"),
        ({"rows": [*ROWS, ("n/a", 1, 1, 1)]}, "'n/a' in column 'timestamp', line 5"),
        ({"rows": [*ROWS, (1008, 1)]}, "2 values in line 5"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_one_clear_error(dataset: Make, changed: dict, says: str):
    root = dataset(**changed)
    before = sorted(root.rglob("*"))
    with pytest.raises((FileError, TableError), match=says):
        regard.open(root)
    assert sorted(root.rglob("*")) == before


def test_times_that_go_back_are_refused(dataset: Make):
    with pytest.raises(ClockError, match="line 5"):
        regard.open(dataset([*ROWS, (1006, 1, 1, 1)]))


def test_a_table_without_its_json_or_packed_badly_is_refused(dataset: Make):
    root = dataset()
    (table,) = root.rglob("*_physio.tsv.gz")
    for content in (table.read_bytes()[:-9], b""):
        table.write_bytes(content)
        with pytest.raises(FileError, match="unreadable"):
            regard.open(root)
    (about,) = root.rglob("*_physio.json")
    about.write_text("{")
    with pytest.raises(FileError, match="not JSON"):
        regard.open(root)
    about.unlink()
    with pytest.raises(FileError, match="no json that says what it is"):
        regard.open(table)
    with pytest.raises(RegardError):
        regard.open(root)


def test_a_dataset_of_several_recordings_is_a_study(dataset: Make):
    root = dataset()
    for file in [*root.rglob(f"{STEM}_recording*")]:
        file.with_name(file.name.replace("read", "look")).write_bytes(file.read_bytes())
    (root / "participants.tsv").write_text("participant_id\tage\tgroup\nsub-07\t31\tn/a\n")
    (root / "task-look_events.json").write_text(json.dumps({"StimulusPresentation": SCREEN}))
    listed = regard.study(root)
    assert [one.id for one in listed.recordings] == [STEM.replace("read", "look"), STEM]
    rest = {"session": "a", "age": 31, "group": ""}
    assert listed.columns.to_dict("records") == [{"participant": "07", "task": t, **rest} for t in ("look", "read")]
    assert len(regard.open(listed.recordings[0].path).gaze or ()) == 4
    with pytest.raises(FileError, match="2 recordings of BIDS"):
        regard.open(root)
