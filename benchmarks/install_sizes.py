"""How much disk regard and each of its extras take, as they are installed in the environment that runs this.

python benchmarks/install_sizes.py      a row an extra: packages and MB that it adds to plain regard
"""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_FOR_USERS = {"test", "docs", "dev"}


def closure(wanted: Iterable[str]) -> dict[str, Distribution]:
    """What these requirements bring, by name; raises PackageNotFoundError where one is not installed."""
    found: dict[str, Distribution] = {}
    ahead = [Requirement(text) for text in wanted]
    while ahead:
        need = ahead.pop()
        if need.name == "regard":
            ahead += [Requirement(r) for e in need.extras for r in PROJECT["optional-dependencies"][e]]
            continue
        name = re.sub(r"[-_.]+", "-", need.name).lower()
        if name in found or (need.marker and not any(need.marker.evaluate({"extra": e}) for e in need.extras or {""})):
            continue
        found[name] = distribution(need.name)
        below = [Requirement(text) for text in found[name].requires or ()]
        extras = need.extras or {""}
        ahead += [r for r in below if r.marker is None or any(r.marker.evaluate({"extra": e}) for e in extras)]
    return found


def megabytes(distributions: Iterable[Distribution]) -> float:
    """Of their files."""
    files = {Path(str(f.locate())) for d in distributions for f in d.files or ()}
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def main() -> None:
    """Print the table."""
    base = closure(PROJECT["dependencies"])
    torch = megabytes(d for name, d in base.items() if name.startswith("torch") and "metrics" not in name)
    print(f"regard: {len(base)} packages, {megabytes(base.values()):.0f} MB, of them torch and torchvision {torch:.0f}")
    for extra, wanted in PROJECT["optional-dependencies"].items():
        if extra in NOT_FOR_USERS:
            continue
        try:
            more = {name: d for name, d in closure(wanted).items() if name not in base}
        except PackageNotFoundError as missing:
            print(f"{extra}: not installed here ({missing.name})")
            continue
        print(f"{extra}: {len(more)} packages, {megabytes(more.values()):.0f} MB")


if __name__ == "__main__":
    main()
