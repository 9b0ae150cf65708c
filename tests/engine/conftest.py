from pathlib import Path

import pytest
from tiny import TinyWorld


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny recordings lie, written once."""
    root = tmp_path_factory.mktemp("worlds")
    for split in ("train", "val", "test"):
        TinyWorld(str(root)).recordings(split)
    return root
