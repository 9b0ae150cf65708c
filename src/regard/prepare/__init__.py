"""Films and flow made once, so that clips are read many times faster."""
