"""Several evaluated runs made one: their answers joined item by item, by what their Scoring knows to make of them."""

from collections.abc import Sequence
from pathlib import Path

from regard.engine.compare import ITEMS_FILE, SCORES_FILE, names, read_items, scoring_of
from regard.engine.evaluate import directed, signed
from regard.errors import RecipeError
from regard.io.tables import write_table
from regard.recipe.trust import class_named


def ensemble(
    runs: Sequence[Path],
    out: Path,
    *,
    fitted_on: Sequence[Path] | None = None,
    classifier: str | None = None,
    trust: Sequence[str] = (),
) -> Path:
    """Join the answers of evaluated runs into the items and scores of a run in the folder `out`.

    `fitted_on` are the same runs, in the same order, evaluated on recordings that none was trained on, from which it is
    learned how to join them; without, it is learned from the joined recordings themselves, and answered out of fold.
    `classifier` is the import path of another class than the scoring's own, of a package in `trust`. Raises RecipeError
    where the runs' answers are not of a kind that is joined, TableError where their items do not fit together.
    """
    if fitted_on is not None and len(fitted_on) != len(runs):
        raise RecipeError(
            "--fitted_on",
            found=f"{len(fitted_on)} runs for {len(runs)} members",
            wanted="one for each member, in the same order",
            do="name the members' evaluations on another split",
        )
    members = names(runs)
    answers = dict(zip(members, map(read_items, runs), strict=True))
    learned = None if fitted_on is None else dict(zip(members, map(read_items, fitted_on), strict=True))
    scoring = scoring_of(answers[members[0]], runs[0], trust)
    kind = None if classifier is None else class_named(classifier, Path("--classifier"), trust)
    items = scoring.ensemble(answers, learned, classifier=kind)
    write_table(signed(items, scoring()), out / ITEMS_FILE)
    write_table(directed(scoring().summarise(items), scoring), out / SCORES_FILE)
    return out
