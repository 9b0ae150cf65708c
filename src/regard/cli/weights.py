"""`regard weights [get NAME | names NAME]`: what others have trained and published, and fetching it into the cache."""

from argparse import ArgumentParser, Namespace

from regard.cli.console import heading, out, progress, suggest, wrote
from regard.cli.options import command
from regard.errors import WeightsError
from regard.io.cache import cache_folder
from regard.models.published import Checkpoint
from regard.run.weights import catalogue, get, named, place


def add_arguments(parser: ArgumentParser) -> None:
    """Nothing lists them; `get NAME` fetches one."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=["list", "get", "names"],
        default="list",
        help="list them (default), get one, or print what one calls its tensors",
    )
    parser.add_argument("name", nargs="?", help="which one")
    parser.add_argument("--address", help="another address of the same file, such as a mirror's")


def run(options: Namespace) -> int:
    """List, or fetch and check."""
    if options.what == "list":
        return _list()
    if options.name is None:
        raise WeightsError(
            f"regard weights {options.what}",
            found="no name",
            wanted=f"one of {', '.join(w.name for w in catalogue())}",
            do=f"regard weights {options.what} glc_ego4d",
        )
    if options.what == "names":
        print("\n".join(named(options.name).names()))
        return 0
    with progress(options.name) as bar:
        path = get(options.name, address=options.address, progress=bar)
    recipe = named(options.name).recipe
    then = ("recipes",) if recipe is None else ("predict", "RECORDING", "--model", recipe, "--weights", options.name)
    wrote([path], then=command(*then))
    return 0


def _list() -> int:
    heading(f"published weights; kept in {cache_folder('weights')} (REGARD_CACHE changes that)")
    for weights in catalogue():
        out.print(f"\n[bold]{weights.name}[/]  {_presence(weights)}", highlight=False)
        for label, text in (
            ("model", weights.about),
            ("source", weights.page),
            ("licence", weights.licence),
            ("sha-256", weights.sha256 or "none recorded"),
            ("note", weights.note),
            ("ask", f"regard predict RECORDING --model {r} --weights {weights.name}" if (r := weights.recipe) else ""),
        ):
            if text:
                out.print(f"  {label:<8} {text}", soft_wrap=True, markup=False)
    suggest("regard weights get glc_ego4d")
    return 0


def _presence(weights: Checkpoint) -> str:
    path = place(weights)
    if path.exists():
        return f"[green]here[/], {path.stat().st_size / 1e6:.0f} MB"
    return "[dim]not here[/]" if weights.address else "[dim]not here, to be fetched by hand[/]"
