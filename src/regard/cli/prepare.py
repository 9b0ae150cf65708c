"""`regard prepare RECIPE`: write each video of a recipe once in a form that clips are read from many times faster."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from regard.cli.console import heading, out, wrote
from regard.cli.options import add_on_error, add_print_config, add_trust, add_workers, command, trust_words
from regard.errors import RecipeError
from regard.types import Recording

if TYPE_CHECKING:
    from regard.prepare.making import Making

TAKES_OVERRIDES = True


def add_arguments(parser: ArgumentParser) -> None:
    """Which recipe, where to, and which part of the work."""
    parser.add_argument(
        "recipe",
        type=Path,
        help="a name that `regard recipes` lists, or a YAML file; its data says which recordings and which size",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the prepared videos; repeat to resume")
    parser.add_argument("--shard", type=_shard, default=(0, 1), help="i/n: only the i-th of n parts, for job arrays")
    add_workers(parser)
    add_on_error(parser)
    add_print_config(parser)
    add_trust(parser)


def run(options: Namespace, overrides: Sequence[str]) -> int:
    """Prepare every split's recordings and say how to use them."""
    from regard.engine.ask import makings_of
    from regard.models.backbones import without_imagenet
    from regard.prepare.folder import use_made
    from regard.prepare.making import planned
    from regard.recipe.read import read_recipe, resolved_text

    if options.print_config:
        print(resolved_text(options.recipe, overrides, trust=options.trust))
        return 0
    with without_imagenet():
        recipe = read_recipe(options.recipe, overrides, trust=options.trust)
    data = recipe.data
    makings = planned(recipe.task.inputs, data.decode_size, makings_of(data))
    if not makings:
        is_sized = data.decode_size is not None
        raise RecipeError(
            options.recipe,
            found="a model that reads no pictures"
            if is_sized
            else "no data.decode_size, so videos would keep their size",
            wanted="pictures to prepare, and the short side in pixels that the recipe's transforms start from",
            do="add decode_size to the recipe's data section, or --data.decode_size 256",
        )
    train, scored = data.require_train(), data.require_eval()
    splits = dict.fromkeys((train.split, scored.val, scored.test))
    recordings = tuple({r.id: r for split in splits for r in data.require_dataset().recordings(split)}.values())
    heading(f"{recipe.name}: {len(recordings)} recordings")
    for making in makings:
        heading(making.what)
        is_whole = _make(tuple(filter(making.lacks, recordings)), making, options, options.on_error or data.on_error)
        if is_whole and not making.is_optional:
            recordings = use_made(type(making), recordings, options.out, sources=recordings)
    words = [options.recipe, *overrides, "--data.prepared", options.out, *trust_words(options)]
    wrote([options.out], then=command("train", *words))
    return 0


def _make(
    recordings: tuple[Recording, ...], making: "Making", options: Namespace, on_error: Literal["raise", "skip"]
) -> bool:
    """True when all of it is made."""
    from regard.prepare.folder import prepare

    if not recordings:
        out.print("nothing to make: no recording lacks it")
    done = prepare(
        recordings,
        options.out / making.folder,
        making,
        workers=options.jobs,
        engine=options.engine,
        shard=options.shard,
        on_error=on_error,
        tell=lambda line: out.print(line, markup=False, soft_wrap=True),
    )
    if recordings:
        out.print(f"{len(done.made)} made, {len(done.already)} were there, {len(done.failed)} failed")
    for name, why in done.failed.items():
        out.print(f"  {name}: {why}", markup=False, soft_wrap=True)
    if done.waiting:
        out.print(f"{len(done.waiting)} are left to other shards; the last one to finish writes the manifest")
    return done.is_whole


def _shard(text: str) -> tuple[int, int]:
    try:
        i, n = (int(part) for part in text.split("/"))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not of the form i/n, such as 0/8") from error
    if not 0 <= i < n:
        raise ArgumentTypeError(f"{text!r}: i counts from 0 and must be below n")
    return i, n
