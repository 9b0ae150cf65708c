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
from regard.io.fetch import FetchError, require_sha256
from regard.io.files import writing

RECIPE, TENSORS, CARD = "recipe.yaml", "model.safetensors", "README.md"
WEIGHTS = Path("checkpoints", "best.safetensors")
"""Where the tensors lie once they are here, as in the folder of a run."""

ADDRESS = re.compile(r"hf:/{1,2}(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(@(?P<revision>[\w./-]+))?")
"""A path's single slash too."""

ANSWERS = dict.fromkeys((401, 403), "set HF_TOKEN to a token that may do that") | {404: "check address and HF_ENDPOINT"}
"""What to do about each; else try later."""

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
    parts = () if found is None else (found["owner"], found["name"], *(found["revision"] or "main").split("/"))
    if found is None or any(part in ("", ".", "..") for part in parts):
        raise FetchError(str(word), found="an address of another form", wanted=WANTED, do="correct the address")
    return Place(found["owner"], found["name"], found["revision"] or "main")


def fetched(word: str | Path) -> Path:
    """The folder of the model at this address, as a run's: recipe.yaml and WEIGHTS. Raises FetchError.

    A file that is another than the one first fetched is told of, as with published weights.
    """
    place = place_of(word)
    with _hub(place, word) as hub:
        commit, sha256 = _commit(hub, place, word)
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
            _require_tensors(part / WEIGHTS, word, sha256)
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


def _commit(hub: Any, place: Place, word: str | Path) -> tuple[str, str | None]:
    """The commit that the revision stands for now, and the tensors' SHA-256 where the hub knows it.

    Where nobody can be asked, the commit that it stood for last.
    """
    try:
        told = hub.model_info(place.repository, revision=place.revision, files_metadata=True)
    except Exception as error:
        if not _is_no_connection(error) or not _last(place).is_file():
            raise
        warnings.warn(f"{word}: the hub cannot be asked; what was fetched last is taken", HubWarning, stacklevel=4)
        return _last(place).read_text(encoding="utf-8"), None
    if not re.fullmatch(r"[0-9a-f]{7,64}", str(told.sha)):
        raise FetchError(str(word), found=f"a commit {told.sha!r}", wanted="a commit's hash", do="check HF_ENDPOINT")
    large = {one.rfilename: one.lfs.sha256 for one in told.siblings or () if one.lfs is not None}
    return str(told.sha), large.get(TENSORS)


def _require_tensors(path: Path, word: str | Path, sha256: str | None) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        require_sha256(path, sha256)
    except FetchError as error:
        found = f"a {TENSORS} of {error.found}, which is not the one that the hub lists"
        raise FetchError(str(word), found=found, wanted=error.wanted, do=error.do) from error
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
        code = error.response.status_code
        do = ANSWERS.get(code, "try later")
        raise FetchError(str(word), found=f"the answer {code}", wanted="the hub's consent", do=do) from error
    except Exception as error:
        if isinstance(error, errors.HFValidationError):
            found = f"an address that the hub does not allow ({_first_line(error)})"
            raise FetchError(str(word), found=found, wanted=WANTED, do="correct the address") from error
        if isinstance(error, UnicodeEncodeError):
            found = "a token or address of other letters than the hub's"
            raise FetchError(
                str(word), found=found, wanted="plain ASCII", do="correct HF_TOKEN or the address"
            ) from error
        if _is_nonsense(error):
            found = f"an answer that is none of the hub's ({_first_line(error)})"
            do = "check HF_ENDPOINT, and whether the network wants you to log in first; else try later"
            raise FetchError(str(word), found=found, wanted="the hub's own answers", do=do) from error
        if not _is_no_connection(error):
            raise
        found = f"no connection ({_first_line(error)})"
        raise FetchError(
            str(word), found=found, wanted="a network, or a model that was fetched before", do="try later, or a folder"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:150] if str(error) else type(error).__name__


def _is_nonsense(error: Exception) -> bool:
    """True for what its client raises where somebody else answers: another page, turns that never end, a file cut."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    of_file = isinstance(error, OSError) and error.errno is None and not _is_no_connection(error)
    of_speech = kinds & {"TooManyRedirects", "DecodingError"}
    return of_file or bool(of_speech) or isinstance(error, ValueError | TypeError | LookupError | AttributeError)


def _is_no_connection(error: Exception) -> bool:
    """True for what the hub's client raises where nobody answers, whichever library it speaks by."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"TransportError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectionError"})
