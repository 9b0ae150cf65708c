"""What every test shares: one torch thread, and the real recordings where they are at hand."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

torch.set_num_threads(1)

# A busy machine makes an example slow, not wrong.
hypothesis.settings.register_profile("regard", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("regard")

SHARED_DATA = Path(os.environ.get("REGARD_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real recordings at {SHARED_DATA}; set REGARD_TEST_DATA to the folder that holds neon_window/")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic recording of 2 s in 96 x 128 pixels, with gaze, sound and camera. Copy it before changing it."""
    from regard.world import write_world

    folder = tmp_path_factory.mktemp("world") / "tiny"
    write_world(folder, seed=7, duration_s=2.0, size=(96, 128))
    return folder
