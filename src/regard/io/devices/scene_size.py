"""Which picture gaze and camera refer to, where the video beside them may be a smaller copy."""

from pathlib import Path

from regard.errors import FileError

SCENE_SIZES = {"Neon": (1200, 1600), "Pupil Invisible": (1080, 1088)}
"""(height, width) of the scene pictures, which gaze and calibration refer to. Documentation, "technical overview"."""

OFF_CENTRE = 0.15
"""A lens's principal point lies this near to the middle of its picture, as a share of each side."""

SAME_SHAPE = 0.02
"""Two pictures whose width over height differ by no more, relatively, show the same."""


def scene_size(
    path: Path, size: tuple[int, int], *, principal: tuple[float, float] | None, do: str
) -> tuple[tuple[int, int], str | None]:
    """(height, width) of the picture that gaze and camera are counted in, and a note where that is not the video's.

    `size` is the video's, `principal` the (x, y) of the camera's matrix, where there is one. Raises FileError where no
    size fits all.
    """
    known = list(SCENE_SIZES.values())
    candidates = [s for s in (*known, size) if principal is None or _is_near_middle(principal, s)]
    if size in candidates and (size in known or principal is not None):
        return size, None
    fitting = [s for s in candidates if s in known and abs(_shape(s) / _shape(size) - 1) <= SAME_SHAPE]
    if fitting:
        (h, w), *_ = fitting
        return (
            h,
            w,
        ), f"gaze and camera are counted in pixels of {w} x {h}, the video has {size[1]} x {size[0]}: scaled"
    makers = " or ".join(f"{w} x {h} ({name})" for name, (h, w) in SCENE_SIZES.items())
    at = "" if principal is None else f", and a camera whose middle is at ({principal[0]:.0f}, {principal[1]:.0f})"
    raise FileError(
        path, found=f"a video of {size[1]} x {size[0]} pixels{at}", wanted=f"the scene video, {makers}", do=do
    )


def require_shape(path: Path, size: tuple[int, int], wanted: tuple[int, int], *, do: str) -> None:
    """Raise FileError where a video of (height, width) `size` shows another cut-out than its camera's pictures do."""
    if abs(_shape(size) / _shape(wanted) - 1) > SAME_SHAPE:
        raise FileError(
            path,
            found=f"a video of {size[1]} x {size[0]} pixels",
            wanted=f"pictures of {wanted[1]} x {wanted[0]}, as the camera takes them, or a smaller copy",
            do=f"this video is of another recording, or was cut: {do}",
        )


def _shape(size: tuple[int, int]) -> float:
    return size[1] / size[0]


def _is_near_middle(principal: tuple[float, float], size: tuple[int, int]) -> bool:
    return all(abs(at / side - 0.5) <= OFF_CENTRE for at, side in zip(principal, size[::-1], strict=True))
