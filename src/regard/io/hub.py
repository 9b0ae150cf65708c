"""Trained models on the Hugging Face hub: hf://owner/name, or hf://owner/name@revision for a branch, tag or commit.

    recipe.yaml            what the model is and was trained for
    model.safetensors      its tensors, which no code can hide in
    README.md              the model's card

Only the first two are fetched, into the cache, a folder a commit; nothing of a repository is executed. Where the hub
cannot be reached, what was fetched last for that address is taken. HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are the
hub's own.
"""

import os
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from regard.errors import MissingExtraError, RegardError
from regard.io import first_sum
from regard.io.cache import cache_folder
from regard.io.fetch import FetchError
from regard.io.files import writing

RECIPE, TENSORS, CARD = "recipe.yaml", "model.safetensors", "README.md"
WEIGHTS = Path("checkpoints", "best.safetensors")
"""Where the tensors lie once they are here, as in the folder of a run."""

ADDRESS = re.compile(r"hf:/{1,2}(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(@(?P<revision>[\w./-]+))?")
"""A path's single slash too."""

WANTED = "hf://owner/name, or hf://owner/name@revision"


class HubWarning(UserWarning):
    """Something other is taken than was asked for, or than was first fetched."""


class Place(NamedTuple):
    """A repository of a model, and which state of it."""

    owner: str
    name: str
    revision: str = "main"

    @property
    def repository(self) -> str:
        """As the hub calls it."""
        return f"{self.owner}/{self.name}"


def is_address(word: str | Path) -> bool:
    """True for what begins as an address of the hub, right or wrong."""
    return str(word).startswith("hf:/")


def place_of(word: str | Path) -> Place:
    """The repository. Raises FetchError for an address of another form."""
    found = ADDRESS.fullmatch(str(word))
    if found is None or any(part in (".", "..") for part in (found["owner"], found["name"])):
        raise FetchError(str(word), found="an address of another form", wanted=WANTED, do="correct the address")
    return Place(found["owner"], found["name"], found["revision"] or "main")


def fetched(word: str | Path) -> Path:
    """The folder of the model at this address, as a run's: recipe.yaml and WEIGHTS. Raises FetchError.

    A file that is another than the one first fetched is told of, as with published weights.
    """
    place = place_of(word)
    with _hub(place, word) as hub:
        commit = _commit(hub, place, word)
    folder = cache_folder("hub", place.owner, commit, place.name)
    if not folder.is_dir():
        with writing(folder) as part:
            part.mkdir()
            with _hub(place, word) as hub:
                for name in (RECIPE, TENSORS):
                    hub.hf_hub_download(place.repository, name, revision=commit, local_dir=part)
            (part / WEIGHTS).parent.mkdir()
            (part / TENSORS).replace(part / WEIGHTS)
            shutil.rmtree(part / ".cache", ignore_errors=True)
            _require_tensors(part / WEIGHTS, word)
        first_sum.record(folder / WEIGHTS)
    if (difference := first_sum.difference(folder / WEIGHTS)) is not None:
        warnings.warn(f"{difference}; remove {folder} to fetch it again", HubWarning, stacklevel=2)
    with writing(_last(place)) as part:
        part.write_text(commit, encoding="utf-8")
    return folder


def put(folder: Path, word: str | Path, *, message: str) -> str:
    """Upload a folder of these three files as one commit, and return its address; a new repository is made.

    Raises FetchError where that is not possible.
    """
    place = place_of(word)
    with _hub(place, word) as hub:
        hub.create_repo(place.repository, exist_ok=True)
        told = hub.upload_folder(
            repo_id=place.repository,
            folder_path=folder,
            allow_patterns=[RECIPE, TENSORS, CARD],
            revision=place.revision,
            commit_message=message,
        )
    return str(told.commit_url)


def _last(place: Place) -> Path:
    """The file that names the commit last taken for this address."""
    return cache_folder("hub", place.owner, f"{place.name}@{place.revision.replace('/', '--')}.commit")


def _commit(hub: Any, place: Place, word: str | Path) -> str:
    """The commit that the revision stands for now; where nobody can be asked, the one it stood for last."""
    try:
        told = hub.model_info(place.repository, revision=place.revision)
    except Exception as error:
        if not _is_no_connection(error) or not _last(place).is_file():
            raise
        warnings.warn(f"{word}: the hub cannot be asked; what was fetched last is taken", HubWarning, stacklevel=4)
        return _last(place).read_text(encoding="utf-8")
    if not re.fullmatch(r"[0-9a-f]{7,64}", told.sha or ""):
        raise FetchError(str(word), found=f"a commit {told.sha!r}", wanted="a commit's hash", do="check HF_ENDPOINT")
    return str(told.sha)


def _require_tensors(path: Path, word: str | Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            count = len(list(file.keys()))
    except (SafetensorError, OSError, ValueError) as error:
        raise FetchError(
            str(word),
            found=f"a {TENSORS} that cannot be read ({str(error)[:100]})",
            wanted="tensors in the form of safetensors",
            do="ask whoever published it to put it there again: regard export RUN --to hf://...",
        ) from error
    if count == 0:
        raise FetchError(str(word), found=f"a {TENSORS} of no tensors", wanted="a model's", do="check the address")


@contextmanager
def _hub(place: Place, word: str | Path) -> Iterator[Any]:
    """The hub's own client, whose errors become ours. Raises MissingExtraError without it."""
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ImportError as error:
        raise MissingExtraError.of(str(word), package="huggingface_hub", extra="hub") from error
    told = {
        errors.GatedRepoError: ("a repository that asks for consent first", "open its page and agree"),
        errors.RepositoryNotFoundError: (
            "no such repository, or one that this token may not see",
            "check the address; for a private one set HF_TOKEN",
        ),
        errors.RevisionNotFoundError: (f"no revision {place.revision!r}", "check what stands after the @"),
        errors.RemoteEntryNotFoundError: (
            f"a repository without {RECIPE} and {TENSORS}",
            "take one that `regard export RUN --to hf://...` wrote",
        ),
    }
    try:
        yield hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="regard")
    except RegardError:
        raise
    except tuple(told) as error:
        found, do = next(said for kind, said in told.items() if isinstance(error, kind))
        raise FetchError(str(word), found=found, wanted="a model that regard trained", do=do) from error
    except errors.HfHubHTTPError as error:
        code = getattr(error.response, "status_code", None)
        do = "set HF_TOKEN to a token that may do that" if code in (401, 403) else "try later"
        raise FetchError(str(word), found=f"the answer {code}", wanted="the hub's consent", do=do) from error
    except Exception as error:
        if not _is_no_connection(error):
            raise
        found = f"no connection ({str(error).splitlines()[0][:150] if str(error) else type(error).__name__})"
        raise FetchError(
            str(word), found=found, wanted="a network, or a model that was fetched before", do="try later, or a folder"
        ) from error


def _is_no_connection(error: Exception) -> bool:
    """True for what the hub's client raises where nobody answers, whichever library it speaks by."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"TransportError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectionError"})
