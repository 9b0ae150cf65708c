"""Named arrays as one message of bytes, which a browser reads without copying."""

import json
import struct
from collections.abc import Mapping

import numpy as np
from jaxtyping import Shaped

ALIGNED = 8
"""Bytes: each array begins at a multiple, as typed arrays of a browser want it."""
KINDS = {"f8", "f4", "u1", "u2", "u4"}


def packed(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> bytes:
    """The length of a head (uint32), the head as JSON, and the numbers, all little-endian.

    The head says of each name `kind` (f8, f4, u1, u2, u4), `shape`, and `at`: where its bytes begin, from the first
    multiple of 8 after the head.
    """
    head, parts, at = {}, [], 0
    for name, array in arrays.items():
        kind = array.dtype.str[1:]
        assert kind in KINDS, f"{name} is {array.dtype}"
        numbers = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        head[name] = {"kind": kind, "shape": list(array.shape), "at": at}
        parts.append(numbers + bytes(-len(numbers) % ALIGNED))
        at += len(parts[-1])
    said = json.dumps(head, separators=(",", ":")).encode()
    before = struct.pack("<I", len(said)) + said
    return before + bytes(-len(before) % ALIGNED) + b"".join(parts)
