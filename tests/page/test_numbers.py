"""What the browser draws from: numbers as JSON has them, and colours that are the film's."""

import json
from base64 import b64decode

import numpy as np
import pytest

from regard.page.numbers import answer_numbers, density_numbers, gaze_numbers
from regard.page.serving import STATIC
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack
from regard.viz.actions import BAR_COLOUR
from regard.viz.density import CONTRAST, DENSITY_COLOURS
from regard.viz.draw import PREDICTED_COLOUR, STATE_COLOURS
from regard.viz.faces import AWAY_COLOUR, LOOKS_COLOUR
from regard.viz.timeline import hex_of


def said(**values: np.ndarray) -> Prediction:
    n = len(next(iter(values.values())))
    who = tuple(f"face {k}" for k in range(n)) if "looking" in values else None
    return Prediction(
        recording="r",
        model="m",
        time_s=np.full(n, 2.25),
        seen_until_s=np.full(n, 2.0),
        values=values,
        who=who,
        class_names={"action": ("cut", "wash")},
    )


def test_lost_gaze_is_null():
    track = GazeTrack(
        time_s=np.array([0.0, 0.1]),
        point=np.array([[np.nan, np.nan], [0.25, 1.5]]),
        state=np.array([GazeState.LOST, GazeState.SACCADE], np.int8),
    )
    numbers = gaze_numbers(track)
    assert (numbers["x"], numbers["y"], numbers["state"]) == ([None, 0.25], [None, 1.5], [0, 3])
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


def test_an_answer_about_where_has_a_point_and_a_density():
    log_density = np.log(np.array([[[0.1, 0.2], [0.3, 0.4]]], np.float32))
    numbers = answer_numbers(said(log_density=log_density))
    assert (numbers["model"], numbers["time_s"], numbers["ahead_s"]) == ("m", 2.25, 0.25)
    assert numbers["point"] == [0.75, 0.75]
    levels = np.frombuffer(b64decode(numbers["density"]["levels"]), np.uint8)
    wanted = 255 * (np.array([0.1, 0.2, 0.3, 0.4]) / 0.4) ** CONTRAST
    np.testing.assert_allclose(levels, wanted, atol=0.6)


def test_a_large_density_is_shrunk_and_keeps_its_peak_in_place():
    log_density = np.full((100, 400), -20, np.float32)
    log_density[72:80, 296:304] = 0
    numbers = density_numbers(log_density)
    assert numbers is not None
    assert (numbers["h"], numbers["w"]) == (16, 64)
    levels = np.frombuffer(b64decode(numbers["levels"]), np.uint8).reshape(16, 64)
    row, column = np.unravel_index(levels.argmax(), levels.shape)
    assert (row + 0.5) / 16 == pytest.approx(0.76, abs=0.04)
    assert (column + 0.5) / 64 == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_density_without_any_peak_is_none(value: float):
    assert density_numbers(np.full((3, 4), value, np.float32)) is None


def test_a_point_that_is_nowhere_is_left_out():
    assert "point" not in answer_numbers(said(point=np.full((1, 2), np.nan)))


def test_actions_are_the_likeliest_with_their_shares():
    numbers = answer_numbers(said(**{"logits/action": np.log(np.array([[1.0, 3.0]], np.float32))}))
    assert numbers["actions"] == [{"name": "wash", "share": 0.75}, {"name": "cut", "share": 0.25}]


def test_faces_in_view_have_boxes_and_scores():
    box = np.array([[0.1, 0.1, 0.2, 0.3], [np.nan] * 4, [0.5, 0.5, 0.6, 0.7]], np.float32)
    numbers = answer_numbers(said(looking=np.array([0.9, 0.5, np.nan], np.float32), box=box))
    assert [(face["name"], face["looking"]) for face in numbers["faces"]] == [("face 0", 0.9), ("face 2", None)]
    assert numbers["faces"][0]["box"] == [0.1, 0.1, 0.2, 0.3]
    json.dumps(numbers, allow_nan=False)


def test_the_page_draws_in_the_films_colours():
    script = (STATIC / "overlay.js").read_text(encoding="utf-8")
    states = [hex_of(STATE_COLOURS[state]) for state in GazeState]
    assert f"STATE_COLOURS = {json.dumps(states)}" in script
    assert f"STATES = {json.dumps([state.name.lower() for state in GazeState])}" in script
    assert f"DENSITY_COLOURS = {json.dumps([list(colour) for colour in DENSITY_COLOURS])}" in script
    assert f"CONTRAST = {CONTRAST}" in script
    assert f'MODEL_COLOURS = ["{hex_of(PREDICTED_COLOUR)}"' in script
    for name, colour in (("LOOKS", LOOKS_COLOUR), ("AWAY", AWAY_COLOUR), ("BAR", BAR_COLOUR)):
        assert f'{name}_COLOUR = "{hex_of(colour)}"' in script
