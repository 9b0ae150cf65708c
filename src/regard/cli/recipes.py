"""`regard recipes [NAME]`: the recipes that come with regard; one of them as it is written."""

from argparse import ArgumentParser, Namespace
from itertools import groupby

from regard.cli.console import heading, out, suggest
from regard.cli.options import command
from regard.recipe.packaged import find, head, packaged


def add_arguments(parser: ArgumentParser) -> None:
    """Nothing lists them; a name shows one."""
    parser.add_argument("name", nargs="?", help="show this one, to copy and change it")


def _task(name: str) -> str:
    """The first word of task_dataset_model; none for a model's name."""
    task, sign, _ = name.partition("_")
    return task if sign else ""


def run(options: Namespace) -> int:
    """List by task, or show one."""
    if options.name is not None:
        print(find(options.name).read_text(encoding="utf-8"), end="")
        return 0
    known = packaged()
    for task, names in groupby(sorted(known, key=_task), key=_task):
        heading(task or "models to ask: regard predict RECORDING --model NAME")
        for name in names:
            out.print(f"  {name}", markup=False)
            out.print(f"      {head(known[name])}", soft_wrap=True, markup=False)
    suggest(command("train", "estimation_synthetic_causal"))
    return 0
