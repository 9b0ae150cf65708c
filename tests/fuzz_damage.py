"""What can happen to a file: ways to damage its bytes, each decided by a generator."""

import re

import numpy as np


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = np.frombuffer(content, np.uint8).copy()
    at = rng.integers(0, len(changed), int(rng.integers(1, 6)))
    changed[at] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)
    return changed.tobytes()


def truncated(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(0, len(content)))]


def _block(content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(0, len(content)))
    return start, start + int(rng.integers(1, max(2, len(content) // 6)))


def removed(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _block(content, rng)
    return content[:start] + content[end:]


def repeated(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _block(content, rng)
    return content[:end] + content[start:end] + content[end:]


def zeroed(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = _block(content, rng)
    return content[:start] + bytes(len(content[start:end])) + content[end:]


def spliced(content: bytes, rng: np.random.Generator) -> bytes:
    """The beginning of one line runs into the end of another."""
    lines = content.split(b"\n")
    i, j = sorted(rng.integers(0, len(lines), 2).tolist())
    cut = int(rng.integers(0, len(lines[i]) + 1))
    return b"\n".join([*lines[:i], lines[i][:cut] + lines[j][len(lines[j]) // 2 :], *lines[j + 1 :]])


def hugely_numbered(content: bytes, rng: np.random.Generator) -> bytes:
    """One number is another."""
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if not numbers:
        return flipped(content, rng)
    other = [b"1e999", b"9" * 5000, b"-1", b"nan", b"1e300", b"0x10", b"18446744073709551617", b"", b"1_0"]
    found = numbers[int(rng.integers(len(numbers)))]
    return content[: found.start()] + other[int(rng.integers(len(other)))] + content[found.end() :]


def deeply_nested(content: bytes, rng: np.random.Generator) -> bytes:
    """A value is a list in a list in a list."""
    places = [m.end() for m in re.finditer(rb"[:,] ?", content)] or [len(content)]
    at, depth = places[int(rng.integers(len(places)))], int(10 ** rng.uniform(1, 5))
    opening, closing = ((b"[", b"]"), (b'{"a":', b"}"))[int(rng.integers(2))]
    return content[:at] + opening * depth + b"1" + closing * depth + content[at:]


BINARY = (flipped, truncated, removed, repeated, zeroed)
DAMAGES = {True: (*BINARY, spliced, hugely_numbered, deeply_nested), False: BINARY}
