"""A video that lies there as a folder of numbered pictures, as older code cut it."""

import re
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, UInt8
from PIL import Image, UnidentifiedImageError

from regard.errors import ClockError, FileError
from regard.io.media.time_index import TIME_TOLERANCE_S

SUFFIXES = (".png", ".jpg", ".jpeg")
NUMBER_FIRST = re.compile(r"(\d+)_\S")


class Pictures:
    """A FrameSource of a folder's numbered pictures: `rate_hz` of them a second, the first at 0 s.

    Their numbers must follow each other without a hole, from whichever they begin with; where names begin with the
    number, as 00012_7f3a.jpg, there may be holes, in which the picture before is shown for longer. Raises FileError
    otherwise, and for a picture that cannot be read or has another size than the first.
    """

    def __init__(self, folder: Path | str, *, rate_hz: float) -> None:
        self.path, self.rate_hz = Path(folder), rate_hz

    def __repr__(self) -> str:
        return f"Pictures({str(self.path)!r}, rate_hz={self.rate_hz:g})"

    def close(self) -> None:
        """No file is kept open."""

    @cached_property
    def _files(self) -> tuple[Path, ...]:
        files: list[Path] = []
        for number, path in (found := numbered(self.path)):
            files += [files[-1] if files else path] * (number - found[0][0] - len(files)) + [path]
        return tuple(files)

    @property
    def times_s(self) -> Float64[np.ndarray, "n"]:
        """When each picture begins to be shown, in order; the first is 0."""
        return np.arange(len(self._files)) / self.rate_hz

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first picture in pixels."""
        return self._first_size

    @cached_property
    def _first_size(self) -> tuple[int, int]:
        height, width, _ = self._read(self._files[0]).shape
        return height, width

    def frames_at(
        self, times_s: Float[np.ndarray, "n"], *, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The RGB picture shown at each asked moment, scaled to (height, width) `size` where given.

        Moments more than half a frame outside the video raise ClockError.
        """
        number = np.floor((np.asarray(times_s, np.float64) + TIME_TOLERANCE_S) * self.rate_hz)
        outside = (number < -1) | (number > len(self._files))
        if outside.any():
            raise ClockError(
                self.path,
                found=f"a frame asked for at {np.asarray(times_s)[outside][0]:.3f} s",
                wanted=f"moments of its {len(self._files)} pictures at {self.rate_hz:g} a second",
                do="check that the times are seconds from the first picture, and the rate",
            )
        files = [self._files[k] for k in number.clip(0, len(self._files) - 1).astype(int)]
        read = {path: self._read(path, size) for path in dict.fromkeys(files)}
        return np.stack([read[path] for path in files])

    def _read(self, path: Path, size: tuple[int, int] | None = None) -> UInt8[np.ndarray, "h w 3"]:
        try:
            with Image.open(path) as picture:
                rgb = picture.convert("RGB")
        except (OSError, UnidentifiedImageError) as error:
            raise FileError(
                path, found=f"a picture that cannot be read ({error})", wanted="a whole PNG or JPEG", do="cut it again"
            ) from error
        if "_first_size" in self.__dict__ and rgb.size[::-1] != self.size:
            raise FileError(
                path,
                found=f"{rgb.width} x {rgb.height} pixels",
                wanted=f"{self.size[1]} x {self.size[0]}, as the first picture of the folder",
                do="cut the video again at one size",
            )
        return np.asarray(rgb if size is None else rgb.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """The pictures of a folder with their numbers, in order. Raises FileError where `Pictures` does."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES] if folder.is_dir() else []
    first = [(int(name[1]), p) for p in files if (name := NUMBER_FIRST.match(p.stem))]
    has_names = bool(files) and len(first) == len(files)
    last = [(int(number[-1]), p) for p in files if (number := re.findall(r"\d+", p.stem))]
    found = sorted(first if has_names else last)
    numbers = [number for number, _ in found]
    twice = next((a for a, b in pairwise(numbers) if a == b), None)
    hole = None if has_names else next((a for a, b in pairwise(numbers) if b > a + 1), None)
    if not numbers or twice is not None or hole is not None:
        raise FileError(
            folder,
            found="no numbered pictures"
            if not numbers
            else f"{len(numbers)} pictures, "
            + (
                f"none of which is {hole + 1}"
                if twice is None and hole is not None
                else f"several of which are {twice}"
            ),
            wanted="pictures named by their numbers, frame_00000.png and on, each number once",
            do="cut the video again, or give the video itself",
        )
    return found
