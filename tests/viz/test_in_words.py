"""The report reads numbers as they are: shares by hand, units, directions, and nothing where nothing was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from regard.viz.in_words import areas_in_words, hint_in_words, in_a_sentence, movements_in_words, result_in_words
from regard.viz.score_tables import by_recording_html, details_html, scores_html, unit_of


@dataclass(frozen=True)
class Made:
    items: pd.DataFrame
    summary: pd.DataFrame
    protocol: str = "4 moments counted; intervals: 95 %, bootstrap over recordings"
    details: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def made(angles: list[float], value: float = 2.5) -> Made:
    rows = [("nss", "higher", value, 1.0, 4.0, 4), ("angle_deg", "lower", 6.0, np.nan, np.nan, 3)]
    summary = pd.DataFrame(rows, columns=["score", "better", "value", "low", "high", "num_items"])
    return Made(pd.DataFrame({"angle_deg": angles, "distance": [0.05] * len(angles)}), summary)


def test_the_sentence_counts_the_frames_that_were_near_and_only_those_that_were_measured():
    first, second = made([1.0, 5.0, 9.0, np.nan]), made([1.0, 4.0, 5.0, 20.0])
    assert in_a_sentence({"mine": first, "centre-prior": second}) == (
        "The likeliest place by mine was within 5 degrees of the gaze on 67 % of 3 frames; "
        "that of centre-prior on 75 % of 4."
    )


def test_answers_that_are_right_or_wrong_are_counted_beside_what_is_commonest():
    items = pd.DataFrame({"recording": "walk", "right": [1.0, 0, 1, np.nan], "looking": [0.0, 1, 0, 1]})
    assert in_a_sentence({"mine": Made(items, made([1.0]).summary)}) == (
        "The answer to who looks by mine was right on 67 % of 3 faces and moments. "
        "Who always says what is commonest is right on 67 %."
    )
    clips = pd.DataFrame({"action": [3, 3, 3, 5], "action_correct": [1.0, 0, 0, 0], "verb_correct": 1.0})
    said = in_a_sentence({"mine": Made(clips, made([1.0]).summary)})
    assert said.startswith("The likeliest action by mine was right on 25 % of 4 clips. ")
    assert said.endswith("on 75 %.")


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ((0.594, 0.37, 0.78), "mine tells 0.59 bits a frame more than a centre prior [0.37, 0.78]."),
        (
            (-0.2, -0.5, 0.1),
            "mine tells 0.20 bits a frame less than a centre prior [-0.50, 0.10], which may be chance.",
        ),
        ((1e-7, 1e-8, 1e-6), ""),
    ],
)
def test_a_density_is_told_beside_a_centre_prior(gain, said):
    row = ("information_gain_bits", "higher", *gain, 4)
    summary = pd.DataFrame([row], columns=list(made([1.0]).summary))
    assert result_in_words({"mine": Made(pd.DataFrame(), summary)}) == said


def test_few_recordings_are_called_a_hint():
    for count, said in ((1, "1 recording: a hint"), (7, "7 recordings: differences"), (8, "")):
        items = pd.DataFrame({"recording": [f"r{k}" for k in range(count)]})
        assert hint_in_words({"mine": Made(items, made([1.0]).summary)}).startswith(said)


def test_without_a_camera_the_sentence_counts_in_shares_of_the_picture():
    told = made([np.nan, np.nan])
    assert in_a_sentence({"mine": told}).endswith("within 10% of the picture of the gaze on 100 % of 2 frames.")


def test_nothing_is_said_of_what_was_not_measured():
    assert in_a_sentence({}) == ""
    assert in_a_sentence({"mine": Made(pd.DataFrame({"looking": [1.0]}), made([1.0]).summary)}) == ""


def test_fixations_and_lost_time_are_said_in_a_sentence():
    rows = [("fixation", 18, 97.2, 0.455, np.nan), ("saccade", 17, 90.0, 0.03, 2.31)]
    summary = pd.DataFrame(rows, columns=["movement", "count", "per_minute", "duration_s", "amplitude_deg"])
    assert movements_in_words(summary, lost=0.033) == (
        "18 fixations, 97 a minute of measured gaze, half of them longer than 0.46 s; 17 saccades, half of them wider "
        "than 2.3 degrees; no valid gaze in 3.3 % of the time."
    )
    assert movements_in_words(summary.iloc[:0], lost=float("nan")) == ""


def test_areas_are_told_by_how_long_gaze_was_in_them():
    table = pd.DataFrame({"area": ["a", "b", "c", "elsewhere"], "dwell_s": [1.0, 2.5, 0.0, 1.5], "measured_s": 5.0})
    said = "Gaze was in b for 50 % of the measured time; elsewhere for 30 %; in a for 20 %. It never was in c."
    assert areas_in_words(table) == said
    assert areas_in_words(pd.concat([table, table])) == said
    assert areas_in_words(table.assign(measured_s=0.0)) == "No gaze was measured."


def test_the_table_of_scores_says_unit_direction_interval_and_protocol():
    page = scores_html({"mine": made([1.0]), "<other>": made([1.0], value=float("nan"))})
    assert "nss&nbsp;\u2191" in page
    assert "angle_<wbr>deg&nbsp;\u2193" in page
    assert "2.500<br><small" in page
    assert "[1.000, 4.000]" in page
    assert '<td class="number">-</td>' in page
    assert "deviations above chance" in page
    assert "&lt;other&gt;" in page
    assert page.count("bootstrap over recordings") == 1


def test_scores_without_a_named_unit_take_it_from_their_name():
    assert unit_of("gaze_error_deg") == "degrees"
    assert unit_of("verb_accuracy") == "share, 0 to 1"
    assert unit_of("something_else") == ""


def test_published_values_stand_beside_and_longer_tables_are_sections():
    scores = made([1.0])
    published = scores.summary.assign(published=[2.75, np.nan], source=["Somebody, 2020, table 3", None])
    horizons = pd.DataFrame({"score": ["nss", "nss"], "value": [1.0, 2.0], "ahead_s": [0.5, 1.0]})
    told = Made(scores.items, published, details={"by_horizon": horizons, "action_confusion": horizons})
    page = scores_html({"mine": told})
    assert "2.750" in page
    assert "published: Somebody, 2020, table 3" in page
    sections = details_html({"mine": told})
    assert sections.count("<h2>") == 1
    assert "<h2>By horizon</h2>" in sections
    assert '<td class="number">0.500</td>' in sections


def test_recordings_are_listed_with_the_worst_first():
    items = pd.DataFrame({"recording": ["a", "a", "b"], "nss": [1.0, 3.0, 1.5], "angle_deg": [2.0, np.nan, 9.0]})
    scores = Made(items, made([1.0]).summary)
    page = by_recording_html(scores, {"nss": "nss", "angle_deg": "angle_deg"})
    assert "<h2>By recording, the worst nss first</h2>" in page
    assert page.index("<td>b</td>") < page.index("<td>a</td>")
    assert '<td>a</td><td class="number">2.000</td><td class="number">2.000</td><td class="number">2</td>' in page
    worst = by_recording_html(scores, {"angle_deg": "angle_deg"})
    assert worst.index("<td>b</td>") < worst.index("<td>a</td>")
    assert by_recording_html(Made(items.iloc[:2], scores.summary), {"nss": "nss"}) == ""
