"""BIDS datasets of our own that were damaged, or of which a part is not here: one clear error, or a note."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import regard
from regard.errors import FileError
from regard.io.bids.names import Entities
from regard.io.bids.write import Entry, write_bids


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda told: told | {"format": 99}, "form 99"),
        (lambda told: {k: v for k, v in told.items() if k != "faces"}, "KeyError: 'faces'"),
        (
            lambda told: told | {"video": told["video"] | {"file": "../../../../dataset_description.json"}},
            "no such file",
        ),
        (lambda told: told | {"video": "media/0/walk.mp4"}, "Type"),
        (lambda told: told | {"video": told["video"] | {"index": [0]}}, "Type"),
        (lambda told: told | {"video": told["video"] | {"start_s": 10**400}}, "Overflow"),
        (
            lambda told: told | {"camera": {"height": 1, "width": 1, "matrix": [], "distortion": [], "model": ""}},
            "model ''",
        ),
    ],
)
def test_a_dataset_of_our_own_that_was_damaged_is_refused(
    change: Callable, says: str, tiny_world: Path, tmp_path: Path
):
    entry = Entry(name=Entities("1", "a"), open=lambda: regard.open(tiny_world))
    (file,) = write_bids(tmp_path / "set", [entry], name="x", version="1", tell=lambda _: None)
    (path,) = tmp_path.rglob("recording.json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(FileError, match=says):
        regard.open(file)


def test_a_dataset_of_our_own_without_its_sourcedata_says_what_is_not_here(tiny_world: Path, tmp_path: Path):
    entry = Entry(name=Entities("1", "a"), open=lambda: regard.open(tiny_world))
    (file,) = write_bids(tmp_path / "set", [entry], name="x", version="1", tell=lambda _: None)
    physioevents = file.with_name(file.name.replace("_physio.tsv.gz", "_physioevents.json"))
    told = physioevents.read_text()
    physioevents.write_text("{}")
    with pytest.raises(FileError, match="Columns None"):
        regard.open(file)
    physioevents.write_text(told)
    shutil.rmtree(tmp_path / "set" / "sourcedata")
    recording = regard.open(file)
    assert not recording.watched
    assert any("one that is not here: bids::sourcedata/regard/sub-1" in note for note in recording.notes)
