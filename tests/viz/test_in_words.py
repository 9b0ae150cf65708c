"""The report reads numbers as they are: shares by hand, units, directions, and nothing where nothing was measured."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regard.viz.in_words import in_a_sentence, movements_in_words, scores_html, unit_of


@dataclass(frozen=True)
class Made:
    items: pd.DataFrame
    summary: pd.DataFrame
    protocol: str = "4 moments counted; intervals: 95 %, bootstrap over recordings"


def made(angles: list[float], value: float = 2.5) -> Made:
    rows = [("nss", "higher", value, 1.0, 4.0), ("angle_deg", "lower", 6.0, np.nan, np.nan)]
    summary = pd.DataFrame(rows, columns=["score", "better", "value", "low", "high"])
    return Made(pd.DataFrame({"angle_deg": angles, "distance": [0.05] * len(angles)}), summary)


def test_the_sentence_counts_the_frames_that_were_near_and_only_those_that_were_measured():
    first, second = made([1.0, 5.0, 9.0, np.nan]), made([1.0, 4.0, 5.0, 20.0])
    assert in_a_sentence({"mine": first, "centre-prior": second}) == (
        "The likeliest place by mine was within 5 degrees of the gaze on 67 % of 3 frames; "
        "that of centre-prior on 75 % of 4."
    )


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


def test_the_table_of_scores_says_unit_direction_interval_and_protocol():
    page = scores_html({"mine": made([1.0]), "<other>": made([1.0], value=float("nan"))})
    assert "nss&nbsp;\u2191" in page
    assert "angle_deg&nbsp;\u2193" in page
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
