"""What is made of recordings once: films and flow, so that clips are read faster, faces, and what is known of them."""

from typing import Any

from regard import faces as _faces

_NAMES = _faces.exported(__name__, __path__[0])
__all__ = [*_NAMES]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    return _faces.load(_NAMES, name, __name__)


def __dir__() -> list[str]:
    return __all__
