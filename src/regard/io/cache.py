"""Where regard keeps what can be made or fetched again."""

import os
import sys
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """A folder below the cache: $REGARD_CACHE, or "regard" where this platform keeps such things. It need not exist."""
    own = os.environ.get("REGARD_CACHE")
    return (Path(own).expanduser() if own else _user_cache() / "regard").joinpath(*parts)


def _user_cache() -> Path:
    if own := os.environ.get("XDG_CACHE_HOME"):
        return Path(own)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path.home() / ".cache"
