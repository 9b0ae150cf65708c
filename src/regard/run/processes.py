"""Which process this is, and what the Trainer says about devices, as an error about the recipe."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only

from regard.errors import RecipeError


@contextmanager
def as_recipe_error(section: str) -> Iterator[None]:
    """What Lightning or torch says about devices, precision or strategy, as an error about a section of the recipe."""
    try:
        yield
    except (MisconfigurationException, ValueError, ModuleNotFoundError) as error:
        raise RecipeError(
            section,
            found=" ".join(str(error).split()),
            wanted="devices, precision and strategy that this machine has and that go together",
            do="correct accelerator, devices, precision or strategy; `regard info` lists the devices",
        ) from error


def is_first_process() -> bool:
    """True in the one process, of all that a launcher started, that prints and writes what they found together."""
    return getattr(rank_zero_only, "rank", 0) == 0
