"""A run folder: its checkpoints."""

from pathlib import Path

from regard.errors import FileError

FOLDER = "checkpoints"


def best_weights(run: Path) -> Path:
    """The checkpoint that scored best in validation; the last one where none was validated."""
    for name in ("best.ckpt", "last.ckpt"):
        if (run / FOLDER / name).exists():
            return run / FOLDER / name
    raise FileError(
        run,
        found="a run without a checkpoint",
        wanted=f"{FOLDER}/best.ckpt or last.ckpt",
        do=f"regard train {run}",
    )


def last_checkpoint(run: Path) -> Path | None:
    """Where a run was left, if it was begun."""
    last = run / FOLDER / "last.ckpt"
    return last if last.exists() else None
