"""`regard train RECIPE [--key value ...]`: train a recipe; the same command goes on where a stopped run was left."""

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from regard.cli.console import heading, out, wrote
from regard.cli.options import add_on_error, add_print_config, add_trust, command, on_error_words, trust_words

RUNS = Path("runs")

TAKES_OVERRIDES = True
"""What the options of this verb do not know goes to the recipe: `--training.max_steps 100`."""


def add_arguments(parser: ArgumentParser) -> None:
    """Which recipe, and where to; everything else is the recipe's."""
    parser.add_argument(
        "recipe",
        type=Path,
        help="a name that `regard recipes` lists, a YAML file, or a run's folder to go on; "
        "keys are set as --task.model.width 32",
    )
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/<recipe>)")
    parser.add_argument("--restart", action="store_true", help="do not go on from the folder's last checkpoint")
    add_on_error(parser)
    add_print_config(parser)
    add_trust(parser)


def run(options: Namespace, overrides: Sequence[str]) -> int:
    """Train to the end and say where the checkpoints are."""
    from regard.engine.training.train import train
    from regard.recipe import RECIPE_FILE
    from regard.recipe.read import read_recipe, resolved_text
    from regard.run.folder import FOLDER
    from regard.run.processes import is_first_process
    from regard.run.stopping import TrainingStopped

    out.quiet = not is_first_process()
    is_run = (options.recipe / RECIPE_FILE).is_file()
    words = [*on_error_words(options), *overrides]
    if options.print_config:
        print(resolved_text(options.recipe, words, trust=options.trust))
        return 0
    recipe = read_recipe(options.recipe, words, trust=options.trust)
    folder = options.out or (options.recipe if is_run else RUNS / recipe.name)
    settings = recipe.training
    heading(f"{recipe.name}: {settings.max_steps} steps in {folder}")
    try:
        done = train(recipe, folder, resume=not options.restart, progress=True)
    except TrainingStopped as stopped:
        again = command("train", folder, *trust_words(options)) if options.restart else "the same command"
        onwards = (
            f"goes on from step {stopped.saved_step}" if stopped.saved_step else "begins anew: nothing was saved yet"
        )
        if stopped.step is None:
            out.print(f"stopped before the first step; {again} begins again", markup=False)
        else:
            out.print(f"stopped at step {stopped.step} of {settings.max_steps}; {again} {onwards}", markup=False)
        return 128 + stopped.signal_number if is_first_process() else 0  # not to be taken for a crash by the first
    if done.begun_at == settings.max_steps:
        out.print("all steps were done before; nothing was changed (--restart begins anew)")
    elif done.begun_at:
        out.print(f"went on from step {done.begun_at}")
    if not math.isnan(done.best):
        out.print(f"best {done.score} in validation: {done.best:.3f}")
    if done.skipped:
        out.print(f"{len(done.skipped)} clips or recordings could not be read and were skipped:")
        for line in done.skipped:
            out.print(f"  {line}", soft_wrap=True, markup=False)
    files = [folder / name for name in (FOLDER, RECIPE_FILE, "csv", "tensorboard")]
    wrote(files, then=command("evaluate", folder, *trust_words(options)))
    return 0
