"""An ensemble of models of faces: what it is fitted on, how its members meet, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from regard.errors import RecipeError, TableError
from regard.metrics.looking import mean_ap
from regard.tasks import LookingEnsemble, LookingScoring
from regard.tasks.looking.ensemble import cross_fitted, joined_members, maker_of
from regard.tasks.looking.scoring import rows_of

SCORING = LookingScoring()


def items(member: int, recordings: range) -> pd.DataFrame:
    """A member that sees the truth through noise of its own; the faces are the same for all members."""
    truth, noise = np.random.default_rng(0), np.random.default_rng(100 + member)
    parts = []
    for number in range(40):
        looking = (truth.random(60) < 0.3).astype(float)
        score = 1 / (1 + np.exp(-(2.0 * looking - 1 + noise.normal(size=60) * 1.2)))
        if number in recordings:
            about = pd.DataFrame({"recording": f"r{number:02d}", "person": "anna", "time_s": np.arange(60) / 30})
            parts.append(rows_of(about, score, looking))
    return SCORING.collect(pd.concat(parts, ignore_index=True))


def of(recordings: range) -> dict[str, pd.DataFrame]:
    return {"pose": items(1, recordings), "lstm": items(0, recordings)}


def map_of(table: pd.DataFrame) -> float:
    return mean_ap(table["score"].to_numpy(), table["looking"].to_numpy() == 1)


def test_an_ensemble_is_better_than_its_members_on_other_recordings():
    ensemble = LookingEnsemble(of(range(20)))
    own = ensemble.answer(of(range(20, 40)))
    assert len(own) == 20 * 60
    assert map_of(own) > max(map_of(table) for table in of(range(20, 40)).values()) + 0.02


def test_members_meet_by_recording_face_and_time_whatever_their_order():
    tables = of(range(6))
    shuffled = {name: table.sample(frac=1.0, random_state=1) for name, table in reversed(tables.items())}
    pd.testing.assert_frame_equal(joined_members(shuffled), joined_members(tables))
    one, two = (LookingEnsemble(of(range(20, 40))).answer(t) for t in (tables, shuffled))
    pd.testing.assert_frame_equal(one, two)


def test_only_faces_that_all_members_answered_about_take_part():
    tables = of(range(3))
    tables["lstm"] = tables["lstm"].iloc[10:]
    assert len(joined_members(tables)) == 170


def test_recordings_that_it_was_fitted_on_are_refused():
    with pytest.raises(TableError, match="r19, which the trees were fitted on"):
        LookingEnsemble(of(range(20))).answer(of(range(19, 30)))


def test_every_answer_of_a_cross_fitted_ensemble_is_out_of_fold():
    fitted: list[int] = []

    class Counting:
        """Fits nothing, and answers with the mean of the members."""

        def fit(self, X: np.ndarray, y: np.ndarray) -> None:
            fitted.append(len(X))

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            mean = X.mean(axis=1)
            return np.stack([1 - mean, mean], axis=1)

    own = cross_fitted(of(range(10)), folds=5, make=lambda _: Counting())
    assert fitted == [8 * 60] * 5
    assert len(own) == 10 * 60
    assert not own.duplicated(["recording", "person", "time_s"]).any()
    with pytest.raises(TableError, match="3 recordings"):
        cross_fitted(of(range(3)), folds=5)


def test_a_moment_counts_that_counts_for_all_members():
    tables = of(range(20))
    tables["pose"] = LookingScoring(every=13).collect(tables["pose"])
    joined = joined_members(tables)
    assert len(joined) == 20 * 60
    assert joined["counted"].sum() == 20 * 5
    answered = LookingEnsemble(of(range(20, 40))).answer(tables)
    assert answered["counted"].sum() == 20 * 5
    assert answered["right"].notna().sum() == 20 * 5


def test_any_classifier_of_that_form_will_do_and_no_other_class():
    from sklearn.linear_model import LogisticRegression

    own = LookingEnsemble(of(range(20)), make=maker_of(LogisticRegression)).answer(of(range(20, 40)))
    assert map_of(own) > max(map_of(table) for table in of(range(20, 40)).values())
    with pytest.raises(RecipeError, match="dict"):
        maker_of(dict)


def test_what_cannot_be_joined_is_told():
    tables = of(range(2))
    with pytest.raises(TableError, match="1 member"):
        joined_members({"lstm": tables["lstm"]})
    with pytest.raises(TableError, match="no face and moment"):
        joined_members({"lstm": tables["lstm"], "pose": items(1, range(5, 7))})
    twice = pd.concat([tables["pose"], tables["pose"].iloc[:1]])
    with pytest.raises(TableError, match="1 answers that repeat"):
        joined_members({**tables, "pose": twice})
    other = tables["pose"].assign(looking=1 - tables["pose"]["looking"])
    with pytest.raises(TableError, match="look in one table and not in another"):
        joined_members({**tables, "pose": other})
    with pytest.raises(TableError, match="as it was fitted on"):
        LookingEnsemble(of(range(9))).answer({"lstm": tables["lstm"], "vit": tables["pose"]})
    blind = {name: table.assign(looking=0.0) for name, table in tables.items()}
    with pytest.raises(TableError, match="all of one class"):
        LookingEnsemble(blind)
