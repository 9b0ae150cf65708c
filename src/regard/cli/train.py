"""`regard train RECIPE [--key value ...]`: train a recipe; the same command goes on where a stopped run was left."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from regard.cli.console import heading, out, wrote

RUNS = Path("runs")

TAKES_OVERRIDES = True
"""What the options of this verb do not know goes to the recipe: `--training.max_steps 100`."""


def add_arguments(parser: ArgumentParser) -> None:
    """Which recipe, and where to; everything else is the recipe's."""
    parser.add_argument("recipe", type=Path, help="a YAML file; its keys can be set as --task.model.width 32")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/<recipe>)")
    parser.add_argument("--print_config", action="store_true", help="print the resolved recipe and stop")
    parser.add_argument("--restart", action="store_true", help="do not go on from the folder's last checkpoint")


def run(options: Namespace, overrides: Sequence[str]) -> int:
    """Train to the end and say where the checkpoints are."""
    from regard.engine.recipe import read_recipe
    from regard.engine.train import train
    from regard.engine.training import is_first_process

    out.quiet = not is_first_process()
    recipe = read_recipe(options.recipe, overrides)
    if options.print_config:
        print(recipe.text)
        return 0
    folder = RUNS / recipe.name if options.out is None else options.out
    heading(f"{recipe.name}: {recipe.training.max_steps} steps in {folder}")
    done = train(recipe, folder, resume=not options.restart, progress=True)
    if done.skipped:
        out.print(f"{len(done.skipped)} clips could not be read and were skipped:")
        for line in done.skipped:
            out.print(f"  {line}", soft_wrap=True, markup=False)
    wrote([folder / "checkpoints", folder / "recipe.yaml", folder / "csv"], then=f"regard evaluate {folder}")
    return 0
