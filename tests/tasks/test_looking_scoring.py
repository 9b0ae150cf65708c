"""How answers about faces are scored: which count, what is summed up, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from looking_batch import recording, track

from regard.errors import NothingToScoreError, RecipeError, TableError
from regard.metrics.looking import ap_looking, ap_not_looking, mean_ap
from regard.prediction import Prediction
from regard.tasks import LookingScoring

LOOKING = [i % 3 == 0 for i in range(40)]
PARTY = recording(track("anna", looking=LOOKING), track("bert", looking=[False] * 40))


def silent(_: float) -> None:
    pass


def prediction(*who: str, seed: int = 0, about: str = "party") -> Prediction:
    time_s = np.tile(np.arange(40) / 30, len(who))
    score = np.random.default_rng(seed).random(len(time_s)).astype(np.float32)
    names = tuple(name for name in who for _ in range(40))
    return Prediction(
        recording=about, model="m", time_s=time_s, seen_until_s=time_s, values={"looking": score}, who=names
    )


def items_of(seed: int = 0, *, scoring: LookingScoring | None = None) -> pd.DataFrame:
    return (scoring or LookingScoring()).items(prediction("anna", "bert", seed=seed), PARTY, progress=silent)


def test_both_classes_stand_beside_their_mean():
    items = items_of()
    table = LookingScoring().summarise(items).set_index("score")
    score, looking = items["score"].to_numpy(float), items["looking"].to_numpy() == 1
    assert table.loc["map", "value"] == mean_ap(score, looking)
    assert table.loc["ap_looking", "value"] == ap_looking(score, looking)
    assert table.loc["ap_not_looking", "value"] == ap_not_looking(score, looking)
    assert table.loc["accuracy", "value"] == ((score >= 0.5) == looking).mean()
    assert (table["num_items"] == 80).all()
    assert 0 < table.loc["map", "low"] <= table.loc["map", "high"] < 1
    counts = LookingScoring().details(items, {})["looking_confusion"].set_index("face")
    assert counts.to_numpy().sum() == 80
    assert counts.loc["looking", "looking"] == (looking & (score >= 0.5)).sum()


def test_every_thirteenth_moment_of_a_track_is_a_choice():
    items = items_of(scoring=LookingScoring(every=13))
    counted = items.loc[items["counted"]]
    np.testing.assert_allclose(counted["time_s"], np.tile([0, 13, 26, 39], 2) / 30)
    table = LookingScoring().summarise(items).set_index("score")
    assert (table["num_items"] == 8).all()
    assert "every 13th" in LookingScoring(every=13).describe(items)
    with pytest.raises(RecipeError, match="every of 1 or more"):
        LookingScoring(every=0)


def test_a_median_over_time_takes_out_single_errors_of_a_face():
    said = prediction("anna", "bert")
    steady = recording(track("anna", looking=[True] * 20 + [False] * 20), track("bert", looking=[False] * 40))
    score = np.array([1.0] * 20 + [0.0] * 60, np.float32)
    score[[5, 30, 50, 60]] = 1 - score[[5, 30, 50, 60]]
    flicker = replace(said, values={"looking": score})
    plain = LookingScoring().items(flicker, steady, progress=silent)
    calm = LookingScoring(smooth_s=0.1).items(flicker, steady, progress=silent)
    assert plain["right"].sum() == 76
    assert calm["right"].sum() == 80
    assert "the median of 0.1 s" in LookingScoring(smooth_s=0.1).describe(calm)


def test_without_a_face_that_looks_the_table_says_so():
    party = recording(track("anna", looking=[False] * 40))
    items = LookingScoring().items(prediction("anna"), party, progress=silent)
    table = LookingScoring().summarise(items).set_index("score")
    assert np.isnan(table.loc["map", "value"])
    assert table.loc["map", "policy"] == "none of 40 faces looks"
    assert table.loc["ap_not_looking", "value"] == 1
    assert table.loc["ap_not_looking", "policy"] == ""


def test_faces_of_whom_nobody_knows_do_not_count():
    shy = track("carl", looking=[True] * 40, known=False)
    items = LookingScoring().items(prediction("anna", "carl"), recording(*PARTY.faces, shy), progress=silent)
    assert items["counted"].sum() == 40
    assert items.loc[items["person"] == "carl", "right"].isna().all()
    with pytest.raises(NothingToScoreError, match="of none of which is known"):
        LookingScoring().items(prediction("carl"), recording(shy), progress=silent)


def test_faces_of_which_the_model_says_nothing_do_not_count():
    said = prediction("anna", "bert")
    score = said["looking"].copy()
    score[:10] = np.nan
    items = LookingScoring().items(replace(said, values={"looking": score}), PARTY, progress=silent)
    assert items["counted"].sum() == 70
    assert LookingScoring().summarise(items)["value"].notna().all()


def test_a_moment_without_a_box_does_not_count():
    late = track("anna", looking=[True] * 20, start_s=20 / 30)
    items = LookingScoring().items(prediction("anna"), recording(late), progress=silent)
    assert items["counted"].sum() == 20


def test_answers_about_a_stranger_are_refused_by_name():
    with pytest.raises(TableError, match="zoe"):
        LookingScoring().items(prediction("anna", "zoe"), PARTY, progress=silent)
    nobody = replace(prediction("anna"), who=None)
    with pytest.raises(TableError, match="nobody by name"):
        LookingScoring().items(nobody, PARTY, progress=silent)


def test_a_face_that_is_answered_about_twice_is_refused():
    with pytest.raises(TableError, match="40 answers that repeat"):
        LookingScoring().items(prediction("anna", "anna"), PARTY, progress=silent)


def test_two_models_are_compared_face_by_face():
    first, other = items_of(0), items_of(1)
    rows = {row["score"]: row for row in LookingScoring.compare(other, first)}
    assert set(rows) == {"map", "ap_looking", "ap_not_looking", "accuracy"}
    gain = (
        LookingScoring().summarise(other).set_index("score")["value"]
        - LookingScoring().summarise(first).set_index("score")["value"]
    )
    for name, row in rows.items():
        assert row["difference"] == pytest.approx(gain[name])
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["num_items"] == 80
    itself = LookingScoring.compare(first, first)
    assert "difference" not in itself[0]


def test_the_order_of_the_rows_changes_nothing():
    items = items_of()
    shuffled = LookingScoring().collect(items.sample(frac=1.0, random_state=0).drop(columns="counted"))
    pd.testing.assert_frame_equal(shuffled[items.columns], items)
