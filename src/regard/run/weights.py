"""Weights that others have published: which there are, where they lie, how they are fetched, checked and read.

Nothing is fetched unless somebody asks for it by name: no model and no recipe downloads by itself.
"""

import os
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from regard import models
from regard.errors import WeightsError
from regard.io import first_sum, hub
from regard.io.cache import cache_folder
from regard.io.fetch import fetch, require_sha256
from regard.models.published import Checkpoint
from regard.run.folder import FOLDER, best_weights


class ChangedWeightsWarning(UserWarning):
    """A file of published weights that is another than the one first fetched."""


PREFIX = "model."
"""What `regard train` puts before the names of a model's tensors."""


def catalogue() -> tuple[Checkpoint, ...]:
    """Every published checkpoint that regard's models know of."""
    return tuple(c for name in models.__all__ for c in getattr(getattr(models, name), "published", ()))


def place(weights: Checkpoint) -> Path:
    """Where a published checkpoint lies once it is here."""
    return cache_folder("weights", weights.name, weights.file)


def named(name: str) -> Checkpoint:
    """The entry of that name. Raises WeightsError that lists the names."""
    known = {w.name: w for w in catalogue()}
    if name not in known:
        raise WeightsError(
            f"weights {name!r}", found="no such name", wanted=f"one of {', '.join(known)}", do="regard weights"
        )
    return known[name]


def get(name: str, *, address: str | None = None, progress: Callable[[float], None] | None = None) -> Path:
    """Fetch a checkpoint into the cache, unless it is there, and check it. `address` is another place of the same file.

    Raises WeightsError where the file is another, or could not be read without executing code; FetchError where it
    cannot be had.
    """
    weights = named(name)
    path = place(weights)
    if path.exists():
        require_sha256(path, weights.sha256)
        weights.fits(read_weights(path))
        _tell_difference(path, "from now on it counts as the right one")
        first_sum.record(path)
        return path
    source = weights.address if address is None else address
    if source is None:
        raise WeightsError(
            weights.name,
            found=f"no address of the file itself: {weights.note}",
            wanted="an address, or the file by hand",
            do=f"{_by_hand(weights)}; or name a file of your own with --weights",
        )
    fetch(
        source,
        path,
        by_hand=_by_hand(weights),
        sha256=weights.sha256,
        check=lambda file: weights.fits(read_weights(file)),
        progress=progress,
    )
    first_sum.record(path)
    return path


def _by_hand(weights: Checkpoint) -> str:
    return (
        f"open {weights.page} by hand, save its {weights.file} as {place(weights)}, and let "
        f"`regard weights get {weights.name}` check it"
    )


def _tell_difference(path: Path, then: str) -> None:
    if (difference := first_sum.difference(path)) is not None:
        warnings.warn(f"{difference}; {then}", ChangedWeightsWarning, stacklevel=3)


def locate(weights: str | Path) -> Path:
    """The file of a name from the catalogue, or of a path; of a run's folder its best checkpoint.

    Of an address of the hub (hf://owner/name) it is fetched. Another folder stays one: some models were published in
    several files. Raises WeightsError where it is not here, FetchError where it cannot be fetched.
    """
    if hub.is_address(weights):
        return best_weights(hub.fetched(weights))
    if os.path.exists(weights):
        return best_weights(Path(weights)) if os.path.isdir(Path(weights, FOLDER)) else Path(weights)
    known = {w.name: w for w in catalogue()}
    if str(weights) not in known:
        raise WeightsError(
            weights,
            found="no such file, and no published weights of that name",
            wanted=f"a checkpoint file, or one of {', '.join(known)}",
            do="regard weights",
        )
    entry = known[str(weights)]
    path = place(entry)
    if not path.exists():
        fetched = f"regard weights get {weights}"
        raise WeightsError(
            path, found="no such file", wanted=entry.about, do=fetched if entry.address else _by_hand(entry)
        )
    _tell_difference(path, f"`regard weights get {weights}` checks it and takes it for the right one")
    return path


def read_weights(path: Path) -> Mapping[str, Any]:
    """A checkpoint's content: tensors and plain values. Raises WeightsError for anything else; executes nothing.

    That of a file of safetensors is told as that of `regard train`, with what was written beside the tensors.
    """
    if path.suffix == ".safetensors":
        return _read_tensors(path)
    _require_sums(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds here, all of which mean: not to be read
        says = (str(error) or type(error).__name__).splitlines()[0][:200]
        if "weights_only" in says:  # by which torch advises to execute what the file holds
            says = "more than tensors and plain values, or damaged"
        raise WeightsError(
            path,
            found=f"no readable checkpoint ({says})",
            wanted="a file of tensors and plain values, which can be read without executing code",
            do="check where the file comes from; fetch it again if it was cut short",
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(
            path, found=f"a {type(content).__name__}", wanted="tensors by name", do="check where the file comes from"
        )
    return content


def _read_tensors(path: Path) -> Mapping[str, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            state = {PREFIX + name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            path,
            found=f"no readable safetensors ({str(error)[:200]})",
            wanted="a model's tensors",
            do="fetch it again if it was cut short",
        ) from error
    return {"state_dict": state, "regard": {key: value for key, value in told.items() if key != "format"}}


def write_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """The model's tensors of a checkpoint of `regard train`, and what it was made from, as safetensors."""
    state = {name: tensor.detach().clone().contiguous() for name, tensor in state_of(content, where=path).items()}
    told = {str(key): str(value) for key, value in content.get("regard", {}).items()}
    save_file(state, path, metadata={"format": "pt", **told})


def _require_sums(path: Path) -> None:
    """Raises WeightsError where a part of a checkpoint, which is a zip, has another sum than was written with it."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as parts:
            damaged = parts.testzip()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        damaged = str(error)
    if damaged is not None:
        raise WeightsError(
            path,
            found=f"a damaged file: {damaged} is not what was written",
            wanted="a checkpoint as it was written, to the last bit",
            do="fetch or copy it again; the disk or the transfer changed it",
        )


def with_weights(model: nn.Module, path: Path) -> nn.Module:
    """A model with a checkpoint's weights, strictly: one of `regard train`, or what the model's authors published.

    Ours go into the model itself; a published one makes a new one, which may lack what only training used. The file is
    read once. Raises WeightsError that lists what is missing, left over or of another shape.
    """
    kind: Any = type(model)
    parts = getattr(model, "published_parts", None)
    if path.is_dir() and parts is None:
        raise WeightsError(
            path, found="a folder", wanted="a checkpoint file, or the folder of a run", do="name one of its files"
        )
    content = read_weights(path) if path.is_file() else {}
    if is_ours(content) or not hasattr(kind, "from_published"):
        load_state(model, state_of(content, where=path), where=path)
        return model
    if parts is not None:
        other = kind.from_published(**{part: read_weights(file) for part, file in _files(path, parts).items()})
    else:
        other = kind.from_published(content)
    _require_fit(model, other.state_dict(), (), where=path)
    return other


def is_ours(content: Mapping[str, Any]) -> bool:
    """Whether the content of a checkpoint is one of `regard train`: others may keep a "state_dict" too."""
    state = content.get("state_dict")
    return isinstance(state, Mapping) and any(name.startswith(PREFIX) for name in state)


def state_of(content: Mapping[str, Any], *, where: Path) -> dict[str, Tensor]:
    """The model's tensors in the content of a checkpoint of `regard train`. Raises WeightsError for another's."""
    if "state_dict" not in content:
        raise WeightsError(
            where, found="a file without 'state_dict'", wanted="a checkpoint of `regard train`", do="give a run folder"
        )
    return {
        name.removeprefix(PREFIX): value for name, value in content["state_dict"].items() if name.startswith(PREFIX)
    }


def fits(model: nn.Module, saved: Mapping[str, object]) -> bool:
    """Whether a state has the names and shapes of the model's, all of them and no other."""
    own = model.state_dict()
    return own.keys() == saved.keys() and all(own[name].shape == getattr(saved[name], "shape", None) for name in own)


def load_state(model: nn.Module, saved: Mapping[str, Tensor], *, where: Path) -> None:
    """Put a state into a model, strictly. Raises WeightsError that lists what does not fit."""
    missing = [f"missing {name}" for name in model.state_dict() if name not in saved]
    _require_fit(model, saved, missing, where=where)
    model.load_state_dict(saved)


def _require_fit(model: nn.Module, saved: Mapping[str, Tensor], missing: Sequence[str], *, where: Path) -> None:
    own = model.state_dict()
    wrong = [*missing, *(f"left over {n}" for n in saved if n not in own)]
    wrong += [
        f"{n} is {tuple(saved[n].shape)} and not {tuple(own[n].shape)}"
        for n in own
        if n in saved and saved[n].shape != own[n].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise WeightsError(
            where,
            found="; ".join(wrong[:5]) + more,
            wanted=f"the weights of this {type(model).__name__}",
            do="use the recipe that the checkpoint was trained with (its run folder holds it)",
        )


def _files(folder: Path, parts: Mapping[str, str]) -> dict[str, Path]:
    """The one file of each part of a model that was published in several."""
    wanted = f"one each of {', '.join(parts.values())}, the published files of one model"
    if not folder.is_dir():
        raise WeightsError(
            folder, found="one file", wanted=f"a folder with {wanted}", do=f"give the folder: --weights {folder.parent}"
        )
    files = {part: sorted(folder.glob(pattern)) for part, pattern in parts.items()}
    if wrong := [f"{len(found)} files {parts[part]}" for part, found in files.items() if len(found) != 1]:
        raise WeightsError(
            folder,
            found=", ".join(wrong),
            wanted=wanted,
            do="put the files of one model there, and no other's",
        )
    return {part: found[0] for part, found in files.items()}
