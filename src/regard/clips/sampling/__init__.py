"""Which moments of a recording become clips: arithmetic on times in seconds; no file is opened."""
