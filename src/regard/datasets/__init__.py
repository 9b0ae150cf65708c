"""Who looked: each dataset is a RecordingSet that yields recordings by split, and nothing else."""

from regard.datasets.synthetic import Synthetic, write_world

__all__ = ["Synthetic", "write_world"]
