"""`regard export RUN --to hf://owner/name`: a trained run on the Hugging Face hub: tensors, recipe and a card."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from regard import __version__
from regard.errors import FileError, WeightsError
from regard.io import hub
from regard.io.tables import read_table
from regard.recipe import RECIPE_FILE
from regard.recipe.packaged import find, head
from regard.recipe.read import read_recipe
from regard.run.folder import best_weights
from regard.run.weights import is_ours, locate, read_weights, state_of, write_tensors
from regard.tasks.base import Task

CARD = """---
library_name: regard
tags: [gaze, eye-tracking, video, regard]
---
# {name}
{about}

| | |
|---|---|
| task | {task} |
| model | {model}, {parameters:,} parameters |
| data | {data} |
| made with | regard {version}, commit {commit}; data {digest} |

## Use
```sh
pip install 'regard[hub]'
regard predict RECORDING --model {address}
```

## Scores
{scores}

## Recipe
```yaml
{recipe}
```
"""

ABSOLUTE = re.compile(r"(?m)^(\s*(?:- )?\w+: )['\"]?(?:/|[A-Za-z]:\\)(?:[^\n'\"]*[/\\])?([^/\\\n'\"]+)['\"]?$")

SHOWN = ("score", "better", "value", "low", "high", "num_items", "policy", "protocol")


def publish(run: str | Path, address: str, *, weights: str | None = None, trust: tuple[str, ...] = ()) -> str:
    """Put a run's best weights, or those given of a recipe, its recipe and a card there; the commit's address.

    Of a checkpoint only the model's tensors go there, as safetensors, and what they were made from. Raises FileError
    for what is no run, WeightsError for weights that are not of `regard train`, FetchError where the hub refuses.
    """
    hub.place_of(address)
    file = find(run)
    if weights is None and file.name != RECIPE_FILE:
        raise FileError(
            run,
            found="a recipe without weights",
            wanted="a folder that `regard train` wrote",
            do="name a run, or add --weights",
        )
    source = best_weights(file.parent) if weights is None else locate(weights)
    content = read_weights(source) if source.is_file() else {}
    if not is_ours(content):
        raise WeightsError(
            source,
            found="weights that others published",
            wanted="those of a model that regard trained",
            do="leave theirs where they are; their page is what `regard weights` lists",
        )
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(beside)
        made = {n: _without_folders(str(v)) for n, v in content.get("regard", {}).items()}
        write_tensors(folder / hub.TENSORS, {**content, "regard": made})
        text = _without_folders(file.read_text(encoding="utf-8"))
        (folder / hub.RECIPE).write_text(text, encoding="utf-8")
        (folder / hub.CARD).write_text(_card(file, content, address, trust), encoding="utf-8")
        return hub.put(folder, address, message=f"{hub.place_of(address).name}, by regard {__version__}")


def _card(file: Path, content: Mapping[str, Any], address: str, trust: tuple[str, ...]) -> str:
    recipe = read_recipe(file, trust=trust)
    made = content.get("regard", {})
    return CARD.format(
        name=hub.place_of(address).name,
        about=head(file) if file.read_text(encoding="utf-8").startswith("#") else "A model of human gaze in video.",
        task=type(recipe.task).__name__,
        model=type(recipe.task.model).__name__,
        parameters=sum(tensor.numel() for tensor in state_of(content, where=file).values()),
        data=type(recipe.data.dataset).__name__,
        version=made.get("regard", __version__),
        commit=made.get("commit", "unknown"),
        digest=made.get("data", "unknown"),
        address=address,
        scores=_scores(file.parent, recipe.task),
        recipe=_without_folders(recipe.text).strip(),
    )


def _without_folders(text: str) -> str:
    """A recipe without where data lie on this machine: of an absolute path its last part."""
    return ABSOLUTE.sub(r"\1\2", text)


def _scores(run: Path, task: Task) -> str:
    """What `regard evaluate RUN` left, in Markdown: the table, with 95 % intervals, and how it was measured."""
    path = run / "scores.csv"
    if not path.is_file():
        return "None were measured before this was published: `regard evaluate` measures them."
    table: pd.DataFrame = read_table(path)
    shown = [name for name in SHOWN if name in table]
    rows = [[_cell(value) for value in row] for row in table[shown].itertuples(index=False)]
    lines = [f"| {' | '.join(row)} |" for row in (shown, ["---"] * len(shown), *rows)]
    items = run / "items.parquet"
    how = task.protocol(read_table(items)) if items.is_file() else "Scored by `regard evaluate`."
    return "\n".join([*lines, "", f"low and high: 95 % intervals. {how}"])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"  # noqa: PLR0124 - NaN is not itself
    return str(value).replace("|", "/")
