"""Two of one command at the same time into one place; `two_at_once.py` does it with every verb."""

from pathlib import Path

import pytest
from two_at_once import together


@pytest.mark.parametrize("verb", ["evaluate"])
def test_two_at_once_are_both_right_or_one_is_refused(verb: str, tmp_path: Path):
    good, what = together(verb, tmp_path, alone=False)
    assert good, what
