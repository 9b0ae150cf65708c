"""Weights that others have published: which there are, where they lie, how they are fetched, checked and read.

Nothing is fetched unless somebody asks for it by name: no model and no recipe downloads by itself.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from regard.errors import WeightsError
from regard.io.cache import cache_folder
from regard.io.fetch import fetch, require_sha256
from regard.models import csts, glc
from regard.models.gaze_attention import PARTS, GazeAttention
from regard.models.mvit_gaze import MViTGaze
from regard.models.mvit_published import K400_RULES
from regard.models.published import Rules, published_names

NONE_STATED = "none stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What all checkpoints of one model have in common."""

    build: Callable[[], nn.Module]
    """The module that their tensors go into, at its published size."""
    rules: Rules
    """From its names to theirs."""
    fits: Callable[[Mapping[str, object]], object]
    """Raises WeightsError for the content of another checkpoint: names and shapes are compared, all of them."""

    def names(self) -> tuple[str, ...]:
        """What they call the tensors that are taken from them; buffers and all."""
        with torch.device("meta"):
            return tuple(published_names(self.build(), self.rules))


K400_FILES = Family(
    build=lambda: MViTGaze().encoder, rules=K400_RULES, fits=lambda content: MViTGaze().init_from(content)
)
GLC_FILES = Family(build=glc.GLC, rules=glc.PUBLISHED_RULES, fits=glc.GLC.from_published)
CSTS_FILES = Family(build=csts.CSTS, rules=csts.PUBLISHED_RULES, fits=csts.CSTS.from_published)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """One published checkpoint. `address` None: nobody has published it. `sha256` None: nobody has recorded it.

    `page` is for people and `address` for machines.
    """

    name: str
    model: str
    family: Family
    file: str
    page: str
    address: str | None = None
    licence: str = NONE_STATED
    sha256: str | None = None
    note: str = ""

    @property
    def path(self) -> Path:
        """Where it lies once it is here."""
        return cache_folder("weights", self.name, self.file)


@runtime_checkable
class HasPublished(Protocol):
    """A model whose authors' checkpoints can be read."""

    @classmethod
    def from_published(cls, checkpoint: Mapping[str, object]) -> nn.Module:
        """The model at its published size, with these weights."""
        ...


def catalogue() -> tuple[PublishedWeights, ...]:
    """Every published checkpoint that regard can read."""
    return (
        PublishedWeights(
            name="k400_mvit_b",
            model="MViT-B 16x4 (conv), Kinetics-400: where GLC, CSTS and MViTGaze start from",
            family=K400_FILES,
            file="K400_MVIT_B_16x4_CONV.pyth",
            **_google_drive("1cZjY9jK7urPxvZfYumIVVVvdXLmVsiJk"),
            note="Kinetics checkpoint of SlowFast, whose code is Apache-2.0",
        ),
        PublishedWeights(
            name="glc_ego4d",
            model="GLC, Ego4D",
            family=GLC_FILES,
            file="GLC_Ego4D.pyth",
            **_google_drive("1zQdZuV4OowEJxBZAAWr_MuZcN7LJujOw"),
        ),
        PublishedWeights(
            name="glc_egtea",
            model="GLC, EGTEA Gaze+",
            family=GLC_FILES,
            file="GLC_EGTEA.pyth",
            **_google_drive("15XVipU1CqoosyvPU1vfcG0w2LuLQecF1"),
        ),
        PublishedWeights(
            name="csts_ego4d",
            model="CSTS, Ego4D",
            family=CSTS_FILES,
            file="CSTS_Ego4D.pyth",
            page="https://github.com/BolinLai/CSTS",
            note="announced and never published; a file of your own goes here",
        ),
        PublishedWeights(
            name="csts_aria",
            model="CSTS, Aria Everyday Activities",
            family=CSTS_FILES,
            file="CSTS_Aria.pyth",
            page="https://github.com/BolinLai/CSTS",
            note="announced and never published; a file of your own goes here",
        ),
    )


def named(name: str) -> PublishedWeights:
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
    by_hand = f"get it from {weights.page} by hand, put it at {weights.path}, and run the same command to check it"
    if weights.path.exists():
        require_sha256(weights.path, weights.sha256)
        _require_fit(weights.path, weights)
        return weights.path
    source = weights.address if address is None else address
    if source is None:
        raise WeightsError(
            weights.name,
            found=f"no address: {weights.note}",
            wanted="a checkpoint that its authors have published",
            do=f"put a file of your own at {weights.path}, or name it with --weights",
        )
    check = partial(_require_fit, weights=weights)
    return fetch(source, weights.path, by_hand=by_hand, sha256=weights.sha256, check=check, progress=progress)


def locate(weights: str | Path) -> Path:
    """The file of a name from the catalogue, or of a path; or the folder of Gaze-Attention's published files.

    Raises WeightsError where it is not here.
    """
    if os.path.isfile(weights):
        return Path(weights)
    if os.path.isdir(weights):
        if any(_files_of(Path(weights), part) for part in PARTS):
            return Path(weights)
        raise WeightsError(
            weights, found="a folder", wanted="a checkpoint file", do="of a run, name RUN/checkpoints/best.ckpt"
        )
    known = {w.name: w for w in catalogue()}
    if str(weights) not in known:
        raise WeightsError(
            weights,
            found="no such file, and no published weights of that name",
            wanted=f"a checkpoint file, or one of {', '.join(known)}",
            do="regard weights",
        )
    path = known[str(weights)].path
    if not path.exists():
        raise WeightsError(
            path, found="no such file", wanted=known[str(weights)].model, do=f"regard weights get {weights}"
        )
    return path


def read_weights(path: Path) -> Mapping[str, Any]:
    """A checkpoint's content: tensors and plain values. Raises WeightsError for anything else; executes nothing."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds here, all of which mean: not to be read
        raise WeightsError(
            path,
            found=f"no readable checkpoint ({(str(error) or type(error).__name__).splitlines()[0][:200]})",
            wanted="a file of tensors and plain values, which can be read without executing code",
            do="check where the file comes from; fetch it again if it was cut short",
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(
            path, found=f"a {type(content).__name__}", wanted="tensors by name", do="check where the file comes from"
        )
    return content


def put_weights(model: nn.Module, path: Path) -> None:
    """A checkpoint's weights into a model, strictly: one of `regard train`, or what the model's authors published.

    Raises WeightsError that lists what is missing, left over or of another shape.
    """
    from regard.run.checkpoints import load_state, load_weights

    if is_own(path):
        return load_weights(model, path)
    if isinstance(model, GazeAttention):
        return load_state(model, published_gaze_attention(path).state_dict(), where=path)
    if isinstance(model, HasPublished):
        return load_state(model, type(model).from_published(read_weights(path)).state_dict(), where=path)
    return load_weights(model, path)


def is_own(path: Path) -> bool:
    """True for a checkpoint of `regard train`; False for what others have published."""
    return path.is_file() and "state_dict" in read_weights(path)


def published_gaze_attention(folder: Path) -> GazeAttention:
    """Gaze-Attention from its three published files, *_base.pt, *_gaze.pt and *_attn.pt, which lie in one folder.

    Raises WeightsError where one is missing or does not fit.
    """
    wanted = "one each of *_base.pt, *_gaze.pt and *_attn.pt, the published files of one model"
    if not folder.is_dir():
        raise WeightsError(
            folder, found="one file", wanted=f"a folder with {wanted}", do=f"give the folder: --weights {folder.parent}"
        )
    files = {part: _files_of(folder, part) for part in PARTS}
    if wrong := [f"{len(found)} files *_{part}.pt" for part, found in files.items() if len(found) != 1]:
        raise WeightsError(
            folder,
            found=", ".join(wrong),
            wanted=wanted,
            do="put the three files of one model there, and no other's",
        )
    base, gaze, attn = (read_weights(files[part][0]) for part in ("base", "gaze", "attn"))
    return GazeAttention.from_published(base=base, gaze=gaze, attn=attn)


def _files_of(folder: Path, part: str) -> list[Path]:
    return sorted(folder.glob(f"*_{part}.pt"))


def _require_fit(path: Path, weights: PublishedWeights) -> None:
    weights.family.fits(read_weights(path))


def _google_drive(file: str) -> dict[str, str]:
    """The page is as its authors link it; the address of the content itself is from memory."""
    return {
        "page": f"https://drive.google.com/file/d/{file}/view",
        "address": f"https://drive.usercontent.google.com/download?id={file}&export=download&confirm=t",
    }
