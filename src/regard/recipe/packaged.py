"""The recipes that come with regard, and how a word becomes the file of a recipe."""

from difflib import get_close_matches
from pathlib import Path

from regard.errors import RecipeError
from regard.io import hub
from regard.recipe import RECIPE_FILE

PACKAGED = Path(__file__).parents[1] / "recipes"
SUFFIXES = {".yaml", ".yml"}


def packaged() -> dict[str, Path]:
    """Name -> file of every recipe that comes with regard."""
    return {file.stem: file for file in sorted(PACKAGED.glob("*.yaml"))}


def head(recipe: Path) -> str:
    """What the comment at a recipe's top says first: one sentence."""
    lines = recipe.read_text(encoding="utf-8").splitlines()
    comment = [line.lstrip("# ") for line in lines[: next(i for i, line in enumerate(lines) if line[:1] != "#")]]
    return " ".join(comment).partition(". ")[0].rstrip(".")


def is_recipe(word: str | Path) -> bool:
    """True for a YAML file, a run's folder, an address of the hub, or a packaged recipe's name."""
    path = Path(word)
    return (
        hub.is_address(word)
        or path.suffix in SUFFIXES
        or (path / RECIPE_FILE).is_file()
        or (not path.exists() and str(word) in packaged())
    )


def local(word: str | Path) -> str | Path:
    """The word; of an address of the hub, the folder of the model that was fetched from there. Raises FetchError."""
    return hub.fetched(word) if hub.is_address(word) else word


def find(word: str | Path) -> Path:
    """The file of a recipe: a path of one, the folder of a run, an address of the hub, or a packaged recipe's name.

    What lies at an address (hf://owner/name) is fetched. Raises RecipeError that lists the nearest names
    or says what a folder lacks; FetchError.
    """
    word = local(word)
    path, known = Path(word), packaged()
    if (path / RECIPE_FILE).is_file():
        return path / RECIPE_FILE
    name = path.stem if path.suffix in SUFFIXES else path.name
    if not path.exists() and path.parent in {Path(), Path("recipes")} and name in known:
        return known[name]
    if path.exists() and not path.is_dir():
        return path
    if str(word) and path.exists():
        inside = [str(file.parent) for file in sorted(path.glob(f"*/{RECIPE_FILE}"))[:3]]
        raise RecipeError(
            path,
            found=f"a folder without a run: no {RECIPE_FILE} lies in it",
            wanted=f"a folder that `regard train` wrote, with its {RECIPE_FILE} and checkpoints",
            do=f"take {' or '.join(inside)}" if inside else "give the folder that holds both, or a recipe's name",
        )
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.4)
    models = ", ".join(n for n in known if "_" not in n)
    raise RecipeError(
        str(word) or "no name",
        found="no such file, and no recipe of that name",
        wanted="a recipe: a YAML file, a folder that `regard train` wrote, or a name that `regard recipes` lists; "
        f"those to ask about a recording are {models}",
        do=f"did you mean {' or '.join(near)}?" if near else "regard recipes",
    )
