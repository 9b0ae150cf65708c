"""Signatures are checked while the tests run; no other test would notice if that were switched off."""

import jaxtyping
import pytest
import torch

from regard.ops.heatmap import gaussian_maps


def test_a_wrong_shape_fails():
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_maps(torch.zeros(5, 3), (4, 4), sigma_cells=1.0)


def test_a_wrong_dtype_fails():
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_maps(torch.zeros(5, 2, dtype=torch.int64), (4, 4), sigma_cells=1.0)
