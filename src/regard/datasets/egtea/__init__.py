"""EGTEA Gaze+: names (what a clip is called) -> labels (lists), begaze (gaze text) -> dataset (recordings by split)."""
