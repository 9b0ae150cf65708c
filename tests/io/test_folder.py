import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.errors import ClockError, FileError, RecipeError, RegardError, TableError
from regard.io import open_recording
from regard.io.devices.annotations import LANDMARKS, read_faces, read_labels, write_faces
from regard.io.devices.folder import open_folder, read_gaze
from regard.io.devices.lens import read_camera
from regard.types import GazeState


def gaze_of(folder, content, min_confidence=0.6):
    (folder / "gaze.csv").write_text(content)
    return open_recording(folder, min_confidence=min_confidence)


def test_pixels_become_shares_of_the_picture_with_the_corner_at_zero(walk):
    recording = gaze_of(walk, "timestamp_s,x_px,y_px\n0.1,0,0\n0.2,64,48\n0.3,32,12\n0.4,-64,96\n")
    np.testing.assert_allclose(recording.gaze.point, [[0, 0], [1, 1], [0.5, 0.25], [-1, 2]])
    assert (recording.gaze.state == GazeState.TRACKED).all()
    assert recording.id == "walk"
    assert recording.audio is None


def test_normalised_columns_are_taken_as_they_are(walk):
    assert gaze_of(walk, "y,x,timestamp_s,other\n0.25,0.5,0.1,text\n").gaze.point.tolist() == [[0.5, 0.25]]


def test_gaze_is_lost_where_valid_is_0_or_both_values_are_missing(walk):
    gaze = gaze_of(walk, "timestamp_s,x,y,valid\n0.1,0.5,0.5,1\n0.2,0.5,0.5,0\n0.3,,,1\n0.4,nan,NaN,0\n").gaze
    assert gaze.valid.tolist() == [True, False, False, False]
    assert np.isnan(gaze.point[1:]).all()


def test_half_a_point_is_an_error_that_names_the_line(walk):
    with pytest.raises(TableError, match="only one of x and y in line 3"):
        gaze_of(walk, "timestamp_s,x,y\n0.1,0.5,0.5\n0.2,0.5,\n")
    assert not gaze_of(walk, "timestamp_s,x,y,valid\n0.2,0.5,,0\n").gaze.valid.any()


def test_doubtful_gaze_is_lost_and_counted_and_its_confidence_kept(walk):
    recording = gaze_of(walk, "timestamp_s,x,y,confidence\n0.1,0.5,0.5,0.59\n0.2,0.5,0.5,0.6\n0.3,0.5,0.5,\n")
    assert recording.gaze.valid.tolist() == [False, True, True]
    assert recording.gaze.confidence[:2].tolist() == [0.59, 0.6]
    assert any("1 of 3" in note and "0.6" in note for note in recording.notes)
    assert gaze_of(walk, (walk / "gaze.csv").read_text(), min_confidence=0.0).gaze.valid.all()


@pytest.mark.parametrize("confidence", [-0.1, 2.0, float("nan")])
def test_a_confidence_that_is_none_is_refused(walk, confidence):
    with pytest.raises(RecipeError, match="from 0 to 1"):
        open_recording(walk, min_confidence=confidence)


def test_named_states_are_kept(walk):
    table = "timestamp_s,x,y,gaze_state\n0.1,0.5,0.5,fixation\n0.2,0.5,0.5,lost\n0.3,0.5,0.5,pursuit\n0.4,,,saccade\n"
    assert gaze_of(walk, table).gaze.state.tolist() == [GazeState.FIXATION, 0, GazeState.PURSUIT, 0]
    with pytest.raises(TableError, match="'blink' in column 'gaze_state', line 2"):
        gaze_of(walk, "timestamp_s,x,y,gaze_state\n0.1,0.5,0.5,blink\n")


@pytest.mark.parametrize("missing", ["", "NA", "nan", "."])
def test_a_missing_value_is_lost_gaze_in_every_column(walk, missing):
    table = f"timestamp_s,x,y,valid,gaze_state\n0.1,0.5,0.5,1,Fixation\n0.2,{missing},{missing},1,fixation\n"
    table += f"0.3,0.5,0.5,{missing},fixation\n0.4,0.5,0.5,1,{missing}\n"
    assert gaze_of(walk, table).gaze.state.tolist() == [GazeState.FIXATION, 0, 0, 0]


def test_pixels_under_the_names_of_shares_are_refused(walk):
    with pytest.raises(TableError, match="name the columns x_px and y_px"):
        gaze_of(walk, "timestamp_s,x,y\n0.1,32,24\n0.2,33,24\n0.3,0.5,0.5\n")
    assert len(gaze_of(walk, "timestamp_s,x,y\n0.1,32,24\n0.2,0.5,0.5\n").gaze) == 2, "half may be rubbish"


def test_dates_are_refused_with_what_to_write_instead(walk):
    with pytest.raises(TableError, match="write seconds from the video's first frame"):
        gaze_of(walk, "timestamp_s,x,y\n2024-05-01T12:00:00.000,0.5,0.5\n")


@pytest.mark.parametrize(
    "name",
    ["gazedata.gz", "livedata.json.gz", "gaze.pldata", "gaze ps1.raw", "Gaze.csv", "gaze.tsv", "gaze.csv.gz", "gaze"],
)
def test_gaze_that_is_not_read_is_named(walk, name):
    (walk / name).touch()
    (note,) = open_folder(walk).notes
    assert name in note
    assert "not read" in note
    (walk / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.5,0.5\n")
    if name != "Gaze.csv":
        assert open_folder(walk).notes == ()


def test_a_gaze_table_that_no_video_can_claim_is_named(walk):
    (walk / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.5,0.5\n")
    (walk / "other.mp4").write_bytes((walk / "walk.mp4").read_bytes())
    recording = open_folder(walk / "walk.mp4")
    assert recording.gaze is None
    assert "gaze.csv" in recording.notes[0]


def test_a_camera_of_another_picture_is_refused(walk):
    about = {"height": 480, "width": 640, "matrix": [[890, 0, 800], [0, 890, 600], [0, 0, 1]]}
    (walk / "camera.json").write_text(json.dumps(about))
    with pytest.raises(FileError, match="of another picture's size"):
        read_camera(walk / "camera.json")


def test_a_missing_class_is_no_class(walk):
    (walk / "labels.csv").write_text("start_s,end_s,kind,name,verb\n0,1,action,a,3\n1,2,action,b,NA\n")
    assert [s.labels for s in read_labels(walk / "labels.csv")] == [{"verb": 3}, {}]


def test_a_class_of_5000_digits_is_refused(walk):
    (walk / "labels.csv").write_text(f"start_s,end_s,kind,name,verb\n0,1,action,a,{'7' * 5000}\n")
    with pytest.raises(TableError, match="a number of 5000 digits in column 'verb', line 2"):
        read_labels(walk / "labels.csv")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"model": "\\ud800"}', "half of a character pair"),
        ("[1, 2]", "JSON that is a list"),
        ("{", "not JSON"),
    ],
)
def test_json_that_describes_nothing_is_one_clear_error(walk, content, found):
    (walk / "camera.json").write_text(content)
    with pytest.raises(FileError, match=found):
        read_camera(walk / "camera.json")


@pytest.mark.parametrize(
    ("table", "kind", "match"),
    [
        ("timestamp_s,x,y\n0.2,0,0\n0.1,0,0\n", ClockError, "line 3"),
        ("timestamp_s,x,y\n0.2,0,0\n0.2,0,0\n", ClockError, "repeats"),
        ("timestamp_s,x,y\n1700000000,0,0\n1700000001,0,0\n", ClockError, "unix seconds"),
        ("time,x,y\n0,0,0\n", TableError, "timestamp_s"),
        ("timestamp_s,x_px\n0,0\n", TableError, "the columns? x, y"),
        ("timestamp_s,x,y\n0,left,0\n", TableError, "'left'.*line 2"),
        ("timestamp_s,x,y,valid\n0,0,0,2\n", TableError, "2 in column 'valid', line 2"),
        ("timestamp_s,x,y,confidence\n0,0,0,98\n", TableError, "98 in column 'confidence', line 2"),
        ("", TableError, "an empty file"),
    ],
)
def test_a_bad_gaze_table_gives_one_clear_error(walk, table, kind, match):
    with pytest.raises(kind, match=match) as error:
        gaze_of(walk, table)
    assert error.value.where == str(walk / "gaze.csv")


def test_a_table_without_one_valid_line_still_opens(walk):
    gaze = gaze_of(walk, "timestamp_s,x,y,valid\n0.1,0.5,0.5,0\n").gaze
    assert len(gaze) == 1
    assert not gaze.valid.any()
    assert len(gaze_of(walk, "timestamp_s,x,y\n").gaze) == 0


def test_a_video_alone_opens_without_gaze(walk):
    recording = open_folder(walk / "walk.mp4")
    assert recording.gaze is None
    assert recording.id == "walk"


def test_a_video_takes_the_table_of_its_own_name_before_the_common_one(walk):
    (walk / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.1,0.1\n")
    (walk / "walk.gaze.csv").write_text("timestamp_s,x,y\n0.1,0.9,0.9\n")
    assert open_folder(walk / "walk.mp4").gaze.point[0, 0] == 0.9


def test_common_tables_are_nobodys_where_two_videos_share_a_folder(walk):
    (walk / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.1,0.1\n")
    (walk / "run.mp4").write_bytes((walk / "walk.mp4").read_bytes())
    assert open_folder(walk / "walk.mp4").gaze is None
    with pytest.raises(FileError, match=r"2 videos \(run.mp4, walk.mp4\)"):
        open_folder(walk)


def test_labels_become_segments_in_time_order(walk):
    (walk / "labels.csv").write_text(
        "verb,start_s,end_s,kind,name,noun,comment\n3,1.0,1.5,action,take cup,7,good\n,0.2,0.9,untracked,,,\n"
    )
    first, second = open_folder(walk).segments
    assert (first.kind, first.start_s, first.end_s, first.labels) == ("untracked", 0.2, 0.9, {})
    assert (second.name, second.labels) == ("take cup", {"verb": 3, "noun": 7})


def test_a_segment_that_ends_before_it_starts_is_named(tmp_path):
    (tmp_path / "labels.csv").write_text("start_s,end_s,kind,name\n1,2,action,a\n3,2,action,b\n")
    with pytest.raises(TableError, match="line 3"):
        read_labels(tmp_path / "labels.csv")


def test_faces_become_one_track_a_person_with_unknown_kept_apart_from_no(tmp_path):
    path = tmp_path / "faces.csv"
    path.write_text(
        "person,timestamp_s,x0,y0,x1,y1,looking\n"
        "bob,0,0.1,0.1,0.2,0.2,1\nann,0,0.5,0.5,0.6,0.7,0\nbob,0.5,0.1,0.1,0.2,0.2,\n"
    )
    bob, ann = read_faces(path)
    assert (bob.person, ann.person) == ("bob", "ann")
    assert bob.time_s.tolist() == [0, 0.5]
    assert bob.looking.tolist() == [True, False]
    assert bob.looking_known.tolist() == [True, False]
    assert ann.looking_known.tolist() == [True]
    assert ann.box.tolist() == [[0.5, 0.5, 0.6, 0.7]]


def test_faces_that_run_backwards_or_have_no_area_are_named(tmp_path):
    path, head = tmp_path / "faces.csv", "person,timestamp_s,x0,y0,x1,y1,looking\n"
    path.write_text(head + "a,1,0,0,1,1,1\nb,0,0,0,1,1,1\na,0,0,0,1,1,1\n")
    with pytest.raises(ClockError, match="line 4"):
        read_faces(path)
    path.write_text(head + "a,1,0.5,0,0.5,1,1\n")
    with pytest.raises(TableError, match="without area in line 2"):
        read_faces(path)


def test_a_camera_is_read_and_a_broken_one_named(walk):
    path = walk / "camera.json"
    about = {"height": 48, "width": 64, "matrix": [[50, 0, 32], [0, 50, 24], [0, 0, 1]]}
    path.write_text(json.dumps(about))
    camera = open_folder(walk).camera
    assert camera.matrix[0, 2] == 32
    assert camera.model == "pinhole"
    for broken in ("", "{}", "[]", json.dumps({**about, "model": "mirror"}), json.dumps({**about, "matrix": [1, 2]})):
        path.write_text(broken)
        with pytest.raises(FileError, match=r"camera\.json"):
            read_camera(path)


@given(
    steps=st.lists(st.floats(0.001, 0.05), min_size=1, max_size=30),
    points=st.lists(st.none() | st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=30, max_size=30),
)
def test_any_written_gaze_comes_back(tmp_path_factory, steps, points):
    path = tmp_path_factory.getbasetemp() / "gaze.csv"
    time_s = np.cumsum(steps)
    cells = (",".join(["", ""] if p is None else [repr(p[0]), repr(p[1])]) for p in points)
    path.write_text(
        "\n".join(["timestamp_s,x,y", *(f"{t!r},{c}" for t, c in zip(time_s.tolist(), cells, strict=False))])
    )
    track = read_gaze(path, size=(48, 64), frame_s=np.arange(51) / 25)
    np.testing.assert_array_equal(track.time_s, time_s)
    for point, wanted in zip(track.point.tolist(), points, strict=False):
        assert np.isnan(point).all() if wanted is None else point == list(wanted)


@given(content=st.text(alphabet="0123456789.,-\nxy_pstame nan", max_size=120), head=st.booleans())
def test_any_text_gives_a_track_or_one_clear_error(tmp_path_factory, content, head):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_text(("timestamp_s,x,y\n" if head else "") + content)
    with suppress(RegardError):
        track = read_gaze(path, size=(48, 64), frame_s=np.arange(51) / 25)
        assert (np.diff(track.time_s) > 0).all()


def test_faces_of_one_person_have_tracks_landmarks_and_scores_and_are_written_as_they_are_read(tmp_path):
    points = ",".join(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")
    path = tmp_path / "faces.csv"
    path.write_text(
        f"person,track,timestamp_s,x0,y0,x1,y1,looking,score,{points}\n"
        "ann,ann-1,0,0.2,0.2,0.4,0.6,1,0.9,0.3,0.4,0.35,0.3,0.25,0.3,0.33,0.5,0.27,0.5\n"
        "ann,ann-2,9,0.2,0.2,0.4,0.6,,,,,,,,,,,,\n"
    )
    first, again = faces = read_faces(path)
    assert [(f.person, f.name) for f in faces] == [("ann", "ann-1"), ("ann", "ann-2")]
    assert first.known["landmarks"][0, 0] == pytest.approx([0.5, 0.5, 1.0])
    assert first.known["landmarks"][0, 1] == pytest.approx([0.75, 0.25, 1.0])
    assert np.isnan(again.known["landmarks"]).all()
    assert np.isnan(again.known["score"]).all()
    write_faces(tmp_path / "again.csv", faces)
    for one, other in zip(faces, read_faces(tmp_path / "again.csv"), strict=True):
        assert (one.person, one.name) == (other.person, other.name)
        assert one.looking_known.tolist() == other.looking_known.tolist()
        assert np.allclose(one.known["landmarks"], other.known["landmarks"], atol=1e-4, equal_nan=True)


def test_a_table_without_a_face_is_read_and_written(tmp_path):
    write_faces(tmp_path / "faces.csv", ())
    assert read_faces(tmp_path / "faces.csv") == ()


def test_gaze_of_others_who_watched_lies_in_a_folder_of_its_own(walk):
    (walk / "others").mkdir()
    (walk / "others" / "ann.csv").write_text("timestamp_s,x,y\n0.1,0.25,0.5\n0.2,,\n")
    others = open_folder(walk).others
    assert list(others) == ["ann"]
    assert others["ann"].point[0].tolist() == [0.25, 0.5]
    assert others["ann"].state.tolist() == [GazeState.TRACKED, GazeState.LOST]


def test_a_camera_of_a_picture_of_another_shape_is_refused(walk):
    camera = {"height": 60, "width": 64, "matrix": [[60, 0, 32], [0, 60, 24], [0, 0, 1]]}
    (walk / "camera.json").write_text(json.dumps(camera))
    with pytest.raises(FileError, match="pictures of 64 x 60"):
        open_folder(walk)
