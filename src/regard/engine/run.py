"""A run folder: the recipe that made it, and its checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from regard.errors import FileError

if TYPE_CHECKING:
    from regard.engine.recipe import Recipe

RECIPE_FILE = "recipe.yaml"
"""What makes a folder a run."""

FOLDER = "checkpoints"

ACTION_MODELS = ("gaze-attention", "egohar")
"""Networks that recognise actions; a run of that task is another."""


def recipe_of_run(run: Path, overrides: Sequence[str] = ()) -> "Recipe":
    """The recipe that a run folder keeps. Raises FileError where the folder holds no run."""
    if not (run / RECIPE_FILE).exists():
        raise FileError(
            run, found=f"a folder without {RECIPE_FILE}", wanted="a folder that `regard train` wrote", do="ls runs/"
        )
    from regard.engine.recipe import read_recipe  # brings Lightning, which a baseline does without

    return read_recipe(run / RECIPE_FILE, overrides)


def recognises_actions(model: str | Path) -> bool:
    """True for the name of a network that recognises actions, and for the folder of such a run."""
    recipe = Path(model) / RECIPE_FILE
    return model in ACTION_MODELS or (recipe.exists() and "ActionRecognition" in recipe.read_text(encoding="utf-8"))


def best_weights(run: Path) -> Path:
    """The checkpoint that scored best in validation; the last one where none was validated."""
    for name in ("best.ckpt", "last.ckpt"):
        if (run / FOLDER / name).exists():
            return run / FOLDER / name
    raise FileError(
        run,
        found="a run without a checkpoint",
        wanted=f"{FOLDER}/best.ckpt or last.ckpt",
        do=f"regard train {run / RECIPE_FILE}",
    )


def last_checkpoint(run: Path) -> Path | None:
    """Where a run was left, if it was begun."""
    last = run / FOLDER / "last.ckpt"
    return last if last.exists() else None
