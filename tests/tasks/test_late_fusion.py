"""Runs that recognise actions joined by the mean of their logits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from action_batch import batch, clip

from regard.errors import RecipeError, TableError
from regard.tasks import LabelScoring

CLIPS = tuple(clip(3.0 * i, {"noun": i % 2}) for i in range(4))


def items(logits: list[list[float]]) -> pd.DataFrame:
    scoring = LabelScoring(labels=("noun",), top=2)
    given = replace(batch(4), clips=CLIPS, label={"noun": torch.tensor([0, 1, 0, 1])})
    return scoring.collect(scoring.rows({"noun": torch.tensor(logits)}, given))


ONE = [[5.0, 4.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 0.0]]
OTHER = [[0.0, 3.0, 0.0], [3.0, 0.0, 0.0], [6.0, 0.0, 0.0], [0.0, 5.0, 0.0]]


def test_the_mean_of_the_logits_is_the_answer_whatever_the_order_of_the_rows():
    first, second = items(ONE), items(OTHER).iloc[[2, 0, 3, 1]].reset_index(drop=True)
    both = LabelScoring.ensemble({"a": first, "b": second}, None)
    np.testing.assert_allclose(both[["noun@0", "noun@1", "noun@2"]], (np.array(ONE) + np.array(OTHER)) / 2)
    assert both["noun_predicted"].tolist() == [1, 0, 0, 1]
    assert both["noun_correct"].tolist() == [0, 0, 1, 1]
    assert both["noun_top2"].tolist() == [1, 1, 1, 1]
    table = LabelScoring().summarise(both).set_index("score")
    assert table.loc["noun_accuracy", "value"] == 0.5
    assert "noun_top2" in table.index


def test_the_sum_of_log_softmaxes_ranks_and_weighs_the_classes_alike():
    joined = LabelScoring.ensemble({"a": items(ONE), "b": items(OTHER)}, None)
    mean = torch.tensor(joined[["noun@0", "noun@1", "noun@2"]].to_numpy())
    log_softmax = sum(torch.tensor(logits).log_softmax(dim=1) for logits in (ONE, OTHER))
    torch.testing.assert_close((2 * mean).softmax(dim=1), log_softmax.softmax(dim=1), check_dtype=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="noun@2"), "2 classes of noun, where a has 3"),
        (lambda t: t.iloc[:3], "3 clips of both, of 4 and 3"),
        (lambda t: t.assign(noun=1 - t["noun"]), "clips of another noun"),
        (lambda t: t.drop(columns=["noun@0", "noun@1", "noun@2"]), "no label that both answer about"),
    ],
)
def test_runs_of_other_clips_labels_or_class_lists_are_not_joined(change, said: str):
    with pytest.raises(TableError, match=said):
        LabelScoring.ensemble({"a": items(ONE), "b": change(items(OTHER))}, None)


def test_there_is_nothing_to_fit():
    tables = {"a": items(ONE), "b": items(OTHER)}
    with pytest.raises(RecipeError, match="something to fit"):
        LabelScoring.ensemble(tables, tables)
