"""What a model saw in single pictures, kept while they lie in its windows: each is looked at once."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from regard.engine.export.method import Function, as_tuple, exchanged

PER_FRAME = "per_frame"
"""A model's exported method of this name takes single pictures, each by itself."""


class LookedAt:
    """Stands in for a model's `per_frame`, or for the exported one; does nothing where a model has none."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model if getattr(model, "exported", None) == PER_FRAME else None
        self._look: Function | None = None if self._model is None else getattr(model, PER_FRAME)
        self._known: dict[Hashable, tuple[Tensor, ...]] = {}
        self._keys: Sequence[Hashable] = ()
        self._used: list[Hashable] = []

    @contextmanager
    def in_turn(self, keys: Sequence[Hashable]) -> Iterator[None]:
        """Within it the model is asked about these pictures, once or, as with a mirror, several times in this order."""
        if self._model is None:
            yield
            return
        self._keys, self._used = keys, []
        with exchanged(self._model, self):
            yield
        self._known = {key: self._known[key] for key in self._used}

    def __call__(self, pictures: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the method says of each picture."""
        assert self._look is not None
        assert len(pictures) == len(self._keys)
        keys = [(len(self._used) // max(1, len(self._keys)), key) for key in self._keys]
        self._used += keys
        new = [i for i, key in enumerate(keys) if key not in self._known]
        if new or not keys:
            said = as_tuple(self._look(pictures[new]))
            if not keys:
                return said[0] if len(said) == 1 else said
            self._known |= {keys[i]: tuple(part[row] for part in said) for row, i in enumerate(new)}
        parts = tuple(torch.stack(part) for part in zip(*(self._known[key] for key in keys), strict=True))
        return parts[0] if len(parts) == 1 else parts
