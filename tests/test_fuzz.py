"""A few of the damaged inputs of `fuzz.py`, which makes as many as one wishes by hand."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from regard.errors import RegardError

sys.path.insert(0, str(Path(__file__).parent))
import fuzz
import fuzz_inputs

NUM = 26


def test_damaged_inputs_are_refused_or_what_they_lack_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fuzz_inputs, "VRS", tmp_path / "none")
    found = [line for line in fuzz.outcomes(range(NUM), tmp_path) if line[3] != "begun"]
    counts = Counter(line[3] for line in found)
    assert not [line for line in found if line[3] in fuzz.BAD]
    assert counts.total() == NUM
    assert counts["refused"] > NUM / 3


@pytest.mark.parametrize(
    ("raised", "name"), [(RegardError("f", found="x", wanted="y", do="z"), "refused"), (KeyError("x"), "traceback")]
)
def test_what_is_raised_is_told_apart(raised: Exception, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> fuzz.Seen:
        raise raised

    whole = fuzz_inputs.Whole("csv", tmp_path, "a.csv")
    damaged = fuzz.Damaged("csv", "recording", tmp_path, ".", "none", tmp_path)
    monkeypatch.setattr(fuzz, "ASKS", {"recording": fail})
    assert fuzz.outcome(damaged, whole, fuzz.Seen())[0] == name
    (tmp_path / "a.csv").write_text("a\n1\n2\n3\n")
    lines = fuzz.Damaged("csv", "recording", tmp_path, ".", "none", tmp_path / "a.csv")
    whole = fuzz_inputs.Whole("csv", tmp_path, "a.csv", holds="gaze lines")
    monkeypatch.setattr(fuzz, "ASKS", {"recording": lambda *_: fuzz.Seen(gaze=2)})
    assert fuzz.outcome(lines, whole, fuzz.Seen(gaze=3))[0] == "silent loss"
