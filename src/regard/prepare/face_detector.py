"""What finds faces in pictures: regard's own detector, or one of yours."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import UInt8

from regard.ops.tracking import Found

__all__ = ["FaceDetector"]


class FaceDetector(ABC):
    """Finds the faces of a picture; a recipe names one of your own by its import path.

    It goes to other processes and into the manifest of what was made with it, so it is made of plain numbers; a
    dataclass is. What is heavy it loads when it is first asked.
    """

    short_side: int | None = None
    """That of the pictures that it is given, in pixels, if they are not smaller as recorded; None: as recorded."""

    @abstractmethod
    def find(self, picture: UInt8[np.ndarray, "h w 3"]) -> Found:
        """The faces of one RGB picture, in any order; no landmarks: NaN."""
