"""Films and reports of who looks: the right face has the right box, and what is told is what was answered."""

from pathlib import Path

import numpy as np
import pytest

from regard.io import FilmWriter
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack, MediaStream, Recording
from regard.viz.drawing import drawing_of
from regard.viz.eye_contact import EyeContact
from regard.viz.faces import AWAY_COLOUR, LOOKS_COLOUR, Faces, nearest_row
from regard.viz.report import report
from regard.viz.telling import tellings_of

RATE_HZ = 20.0
LEFT, RIGHT = (0.1, 0.3, 0.3, 0.7), (0.6, 0.3, 0.8, 0.7)
FRAME = np.full((240, 320, 3), 90, np.uint8)


def answers(*, seconds: float = 3.0) -> Prediction:
    """Ann, on the left, looks from 1 s on; Bob, on the right, is there until 2 s and never looks."""
    time_s = np.repeat(np.arange(round(seconds * RATE_HZ)) / RATE_HZ, 2)
    who = np.tile(["ann", "bob"], len(time_s) // 2)
    kept = (who == "ann") | (time_s < 2)
    looking = np.where((who == "ann") & (time_s >= 1), 0.9, 0.2)
    box = np.where((who == "ann")[:, None], LEFT, RIGHT)
    return Prediction(
        recording="r",
        model="m",
        time_s=time_s[kept],
        seen_until_s=time_s[kept],
        who=tuple(who[kept].tolist()),
        values={"looking": looking[kept].astype(np.float32), "box": box[kept].astype(np.float32)},
    )


def gaze_at(x: float) -> GazeTrack:
    time_s = np.arange(300) / 100
    return GazeTrack(time_s=time_s, point=np.tile([x, 0.5], (300, 1)), state=np.full(300, GazeState.TRACKED, np.int8))


def edge_colour(frame: np.ndarray, box: tuple[float, float, float, float]) -> tuple[int, ...]:
    """In the middle of a box's left side."""
    return tuple(frame[round(240 * (box[1] + box[3]) / 2), round(320 * box[0])].tolist())


def test_a_face_that_looks_is_green_one_that_does_not_is_grey_and_one_that_left_has_no_box():
    drawing = drawing_of(None, answers())
    assert isinstance(drawing, Faces)
    early, later, end = (drawing.draw(FRAME.copy(), time_s) for time_s in (0.5, 1.5, 2.5))
    assert edge_colour(early, LEFT) == AWAY_COLOUR
    assert edge_colour(later, LEFT) == LOOKS_COLOUR
    assert edge_colour(later, RIGHT) == AWAY_COLOUR
    assert edge_colour(end, RIGHT) == (90, 90, 90)


@pytest.mark.parametrize(
    "box", [(-0.2, -0.1, 0.2, 0.3), (0.9, 0.9, 1.4, 1.3), (2.0, 2.0, 3.0, 3.0), (0.0, 0.0, 1.0, 1.0)]
)
def test_boxes_at_and_beyond_the_border_are_drawn_as_far_as_they_are_seen(box: tuple[float, float, float, float]):
    one = answers().rows(slice(0, 1))
    one.values["box"][0] = box
    assert Faces(predicted=one).draw(FRAME.copy(), 0.0).shape == FRAME.shape


def test_an_unknown_score_is_a_question_and_not_an_answer():
    one = answers().rows(slice(0, 1))
    one.values["looking"][0] = np.nan
    assert edge_colour(Faces(predicted=one).draw(FRAME.copy(), 0.0), LEFT) == AWAY_COLOUR


def test_the_nearest_answer_counts_only_where_it_is_near():
    ann = answers().rows(np.array(answers().who) == "ann")
    assert nearest_row(ann, 1.004) == 20
    assert nearest_row(ann, 9.0) is None


def test_episodes_of_eye_contact_have_person_start_end_and_score():
    (telling,) = tellings_of(recording_of(None), answers())
    tables = telling.tables()
    assert list(tables) == ["eye_contact"]
    assert tables["eye_contact"].to_dict("list") == {
        "person": ["ann"], "start_s": [1.0], "end_s": [3.0], "score": [pytest.approx(0.9)],
    }  # fmt: skip


def test_with_the_wearers_gaze_there_is_mutual_gaze_with_its_interval():
    table = EyeContact(recording_of(gaze_at(0.2)), answers()).tables()["mutual_gaze"]
    both = table[table["kind"] == "mutual"].iloc[0]
    assert (both["person"], both["start_s"], both["end_s"]) == ("ann", 1.0, 3.0)
    assert both["start_low_s"] <= 1.0 <= both["start_high_s"]
    assert set(table["person"]) == {"ann"}
    assert EyeContact(recording_of(gaze_at(0.45)), answers()).tables()["mutual_gaze"]["kind"].tolist() == [
        "face looks at wearer"
    ]


@pytest.mark.parametrize("gaze", [None, gaze_at(0.2)])
def test_the_report_has_a_timeline_a_person_and_no_empty_one_of_gaze(tmp_path: Path, gaze: GazeTrack | None):
    path = tmp_path / "in.mp4"
    with FilmWriter(path, size=(96, 128)) as writer:
        for k in range(30):
            writer.write(np.full((96, 128, 3), 60 + k, np.uint8), k / 10)
    page = report(recording_of(gaze, path), tmp_path / "report.html", prediction=answers()).read_text()
    assert page.count("Eye contact over time") == 1
    assert ("Gaze over time" in page) == (gaze is not None)
    assert ">ann<" in page
    assert ">bob<" in page
    assert "green: looks at the wearer" in page
    assert "a glow is its density" not in page


def recording_of(gaze: GazeTrack | None, video: Path | None = None) -> Recording:
    return Recording(id="r", subject="s", gaze=gaze, video=None if video is None else MediaStream(path=video))
