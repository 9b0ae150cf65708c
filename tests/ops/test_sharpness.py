import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from regard.ops.sharpness import shares, sharpness

GOLDEN = Path(__file__).parents[1] / "golden" / "lam_data_ops"


def test_sharpness_and_its_shares_are_the_published_qualities():
    assert "lam_lap" in json.loads(GOLDEN.with_suffix(".json").read_text())["laplacian_input"]
    noise = np.random.default_rng(zlib.crc32(b"input:lam_lap")).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    with np.load(GOLDEN.with_suffix(".npz")) as golden:
        assert sharpness(noise) == pytest.approx(golden["laplacian_var_of_noise"][0])
        np.testing.assert_allclose(shares(golden["quality__var"]), golden["quality__p"], rtol=1e-12)


def test_a_plain_picture_is_not_sharp_and_blur_takes_sharpness_away():
    stripes = np.zeros((32, 32, 3), np.uint8)
    assert sharpness(stripes) == 0
    stripes[:, ::4] = 255
    blurred = ((stripes.astype(int) + np.roll(stripes, 1, axis=1)) // 2).astype(np.uint8)
    assert 0 < sharpness(blurred) < sharpness(stripes)


def test_what_is_not_known_has_no_share_and_equals_have_a_half():
    assert shares(np.array([1.0, np.nan, 1.0])).tolist() == pytest.approx([0.5, np.nan, 0.5], nan_ok=True)
    assert shares(np.array([7.0])).tolist() == [0.5]
    assert shares(np.zeros(0)).tolist() == []
    assert np.isnan(shares(np.array([np.nan]))).all()
    low, unknown, high = shares(np.array([1.0, np.nan, 3.0]))
    assert low == pytest.approx(1 - high)
    assert np.isnan(unknown)
