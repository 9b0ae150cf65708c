"""Checkpoints: written whole or not at all, read without executing anything."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

from regard.errors import WeightsError
from regard.io.files import writing

FOLDER = "checkpoints"
_PREFIX = "model."


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the target and renames, so that a full disk or a kill leaves the previous checkpoint as it was."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Raises FileError where it cannot be written."""
        with writing(Path(path)) as beside:
            torch.save(checkpoint, beside)


def last_checkpoint(run: Path) -> Path | None:
    """Where a run was left, if it was begun."""
    last = run / FOLDER / "last.ckpt"
    return last if last.exists() else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, tensors and plain values only. Raises WeightsError for anything else."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds here, all of which mean: not a checkpoint
        raise WeightsError(
            path,
            found=f"no readable checkpoint ({str(error).splitlines()[0]})",
            wanted="a checkpoint of tensors and plain values, as `regard train` writes it",
            do="give a run folder, or another file with --weights",
        ) from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise WeightsError(
            path, found="a file without 'state_dict'", wanted="a checkpoint of `regard train`", do="give a run folder"
        )
    return content


def load_weights(model: nn.Module, path: Path) -> None:
    """Put a checkpoint's weights into a model, strictly: names and shapes must be the same on both sides.

    Raises WeightsError that lists what is missing, left over or of another shape.
    """
    saved: dict[str, Tensor] = {
        name.removeprefix(_PREFIX): value
        for name, value in read_checkpoint(path)["state_dict"].items()
        if name.startswith(_PREFIX)
    }
    own = model.state_dict()
    wrong = (
        [f"missing {n}" for n in own if n not in saved]
        + [f"left over {n}" for n in saved if n not in own]
        + [
            f"{n} is {tuple(saved[n].shape)} and not {tuple(own[n].shape)}"
            for n in own
            if n in saved and saved[n].shape != own[n].shape
        ]
    )
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise WeightsError(
            path,
            found="; ".join(wrong[:5]) + more,
            wanted=f"the weights of this {type(model).__name__}",
            do="use the recipe that the checkpoint was trained with (its run folder holds it)",
        )
    model.load_state_dict(saved)
