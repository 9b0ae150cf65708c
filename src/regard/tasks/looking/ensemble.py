"""Several models' answers about the same faces made one by gradient-boosted trees, fitted on answers that count.

What members say about faces that they were trained on is surer than what they say about others, and trees fitted on it
learn to trust it: they are to be fitted on answers about recordings that no member was trained on, and are never
asked about recordings that they were fitted on. The published ensemble did both, joined its tables by their row
numbers in spite of shuffled rows, and submitted the probability of not looking
(ListenToWorld/GazeEnsemble@9473a97, ensemble.py); nothing of that is offered here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.errors import MissingExtraError, RecipeError, TableError
from regard.tasks.looking.scoring import KEY, in_order, rows_of

__all__ = ["LookingEnsemble", "boosted_trees"]

TICK_S = 1e-4
"""Moments of two tables this near to each other are the same."""


@runtime_checkable
class Classifier(Protocol):
    """What scikit-learn calls a classifier; xgboost's are some too."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        """Learn."""
        ...

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """The probability of each class."""
        ...


Maker = Callable[[int], Classifier]
"""From the number of members to what is fitted on their answers."""


def boosted_trees(num_members: int, *, seed: int = 0) -> Classifier:
    """scikit-learn's gradient-boosted trees by histogram: a member that is surer never makes the answer less sure.

    100 small trees (8 leaves of at least 50 faces); both classes weigh alike. Raises MissingExtraError where
    scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise MissingExtraError.of("the ensemble", package="scikit-learn", extra="ensemble") from error
    return HistGradientBoostingClassifier(
        max_leaf_nodes=8,
        min_samples_leaf=50,
        class_weight="balanced",
        monotonic_cst=[1] * num_members,
        early_stopping=False,  # pyright: ignore[reportArgumentType] - its documentation allows it
        random_state=seed,
    )


def maker_of(classifier: type | None) -> Maker:
    """The trees, or another class as it is made without arguments. Raises RecipeError where that is no classifier."""
    if classifier is None:
        return boosted_trees
    if not isinstance(classifier(), Classifier):
        raise RecipeError(
            "--classifier",
            found=f"{classifier.__name__}, which has no fit and predict_proba",
            wanted="a classifier of scikit-learn's form, such as xgboost.XGBClassifier",
            do="name another class",
        )
    return lambda _: classifier()


class LookingEnsemble:
    """Trees over the members' probabilities.

    `fitted_on` are item tables by member, as `regard evaluate` writes them, of recordings on which no member was
    trained. `make` builds the classifier of so many members; any of scikit-learn's form will do.
    """

    def __init__(
        self,
        fitted_on: Mapping[str, pd.DataFrame],
        *,
        make: Maker = boosted_trees,
    ) -> None:
        table = joined_members(fitted_on)
        counted = table.loc[table["counted"].to_numpy(bool)]
        looking = counted["looking"].to_numpy(np.int64)
        if len(np.unique(looking)) < 2:
            raise TableError(
                "the tables to fit on",
                found=f"{len(looking)} faces, all of one class",
                wanted="some faces that look and some that do not",
                do="fit on more recordings",
            )
        self.members = tuple(sorted(fitted_on))
        self.recordings = frozenset(table["recording"])
        self.trees = make(len(self.members))
        self.trees.fit(_columns(counted, self.members), looking)

    def answer(self, answers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """The item table of the ensemble, about the faces and moments that all members answered.

        Raises TableError for other members than it was fitted on, and for recordings that it was fitted on.
        """
        if set(answers) != set(self.members):
            raise TableError(
                "the tables to answer from",
                found=f"answers of {', '.join(sorted(answers))}",
                wanted=f"answers of {', '.join(self.members)}, as it was fitted on",
                do="give the same members by the same names",
            )
        table = joined_members(answers)
        seen = sorted(self.recordings & set(table["recording"]))
        if seen:
            raise TableError(
                "the tables to answer from",
                found=f"{', '.join(seen[:5])}, which the trees were fitted on",
                wanted="other recordings: of those that it knows, an ensemble says too much",
                do="fit on one split and answer about another, or use `cross_fitted`",
            )
        return self._answered(table)

    def _answered(self, table: pd.DataFrame) -> pd.DataFrame:
        score = self.trees.predict_proba(_columns(table, self.members))[:, 1]
        return _scored(table, score.astype(np.float64))


def cross_fitted(
    answers: Mapping[str, pd.DataFrame],
    *,
    folds: int = 5,
    make: Maker = boosted_trees,
) -> pd.DataFrame:
    """The item table of ensembles that are each fitted on the other folds' recordings: every answer is out of fold.

    For members that were trained on none of these recordings. Recordings go into the folds in turn, by name. Raises
    TableError for fewer recordings than folds.
    """
    recordings = sorted(set.intersection(*(set(table["recording"]) for table in answers.values())))
    if len(recordings) < folds or folds < 2:
        raise TableError(
            "the tables to fit on",
            found=f"{len(recordings)} recordings that all members answered about, for {folds} folds",
            wanted="at least two folds, and one recording for each",
            do="take fewer folds, or more recordings",
        )
    parts = []
    for fold in range(folds):
        asked = recordings[fold::folds]
        rest = {name: table.loc[~table["recording"].isin(asked)] for name, table in answers.items()}
        own = {name: table.loc[table["recording"].isin(asked)] for name, table in answers.items()}
        parts.append(LookingEnsemble(rest, make=make).answer(own))
    return pd.concat(parts, ignore_index=True).sort_values([*KEY], kind="stable", ignore_index=True)


def joined_members(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The faces and moments that are in every table, with who looks, and a column "score of NAME" a member.

    One counts that counts in all tables.
    Raises TableError for fewer than two members, a face that stands twice in a table, tables that share none, and
    tables that contradict each other about who looks.
    """
    if len(tables) < 2:
        raise TableError("the ensemble", found=f"{len(tables)} member", wanted="at least two", do="name more runs")
    whole: pd.DataFrame | None = None
    for name in sorted(tables):
        table = in_order(tables[name])
        part = table[["recording", "person", "time_s", "looking", "counted"]].assign(
            tick=(table["time_s"] / TICK_S).round().astype(np.int64), **{_column(name): table["score"]}
        )
        whole = part if whole is None else _with_member(whole, part, name)
    assert whole is not None
    return whole.drop(columns="tick")


def _with_member(whole: pd.DataFrame, part: pd.DataFrame, name: str) -> pd.DataFrame:
    both = whole.merge(part.drop(columns="time_s"), on=["recording", "person", "tick"], suffixes=("", " too"))
    if both.empty:
        raise TableError(
            f"the items of {name}",
            found="no face and moment that the other members have answered about too",
            wanted="members that were scored on the same recordings, with the same clips",
            do="evaluate all members on the same split",
        )
    counted = both["counted"].astype(bool) & both["counted too"].astype(bool)
    one, two = both["looking"], both["looking too"]
    contradicted = (one != two) & one.notna() & two.notna()
    if contradicted.to_numpy().any():
        first = both.loc[contradicted].iloc[0]
        raise TableError(
            f"the items of {name}",
            found=f"{len(both.loc[contradicted])} faces that look in one table and not in another, the first "
            f"{first['person']} of {first['recording']} at {first['time_s']:.3f} s",
            wanted="members that were scored with the same labels",
            do="evaluate all members on the same data",
        )
    return both.assign(looking=one.fillna(two), counted=counted).drop(columns=["looking too", "counted too"])


def _column(member: str) -> str:
    return f"score of {member}"


def _columns(table: pd.DataFrame, members: tuple[str, ...]) -> Float64[np.ndarray, "n members"]:
    """The members' scores, in the order of their names."""
    return table[[_column(name) for name in members]].to_numpy(np.float64)


def _scored(table: pd.DataFrame, score: Float64[np.ndarray, "n"]) -> pd.DataFrame:
    """The same faces as item rows of the ensemble."""
    looking = table["looking"].to_numpy(np.float64)
    items = rows_of(table[[*KEY]].assign(counted=table["counted"].astype(bool)), score, looking)
    return in_order(items.assign(right=items["right"].where(items["counted"])))
