"""Changes to what is heard in a Sample."""

from dataclasses import dataclass, replace

import torch
from torch.nn.functional import avg_pool2d
from typing_extensions import override

from regard.batch import Sample
from regard.errors import RecipeError
from regard.transforms.place import Transform

__all__ = ["PoolSound"]


@dataclass(frozen=True, slots=True)
class PoolSound(Transform):
    """Average the log power of so many neighbouring frequencies and columns (5 ms each), for smaller windows."""

    frequencies: int = 4
    columns: int = 4

    @override
    def __call__(self, sample: Sample, *, generator: torch.Generator) -> Sample:
        if sample.sound is None:
            return sample
        size = sample.sound.shape[-2:]
        if size[0] % self.frequencies or size[1] % self.columns:
            raise RecipeError(
                type(self).__name__,
                found=f"windows of {size[0]} frequencies and {size[1]} columns",
                wanted=f"multiples of {self.frequencies} and {self.columns}",
                do="choose numbers that divide the window",
            )
        return replace(sample, sound=avg_pool2d(sample.sound, (self.frequencies, self.columns)))
