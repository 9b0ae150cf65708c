"""How sharp a picture is, and how that compares with others."""

from statistics import NormalDist

import cv2
import numpy as np
from jaxtyping import Float64, UInt8


def sharpness(picture: UInt8[np.ndarray, "h w 3"]) -> float:
    """Variance of the Laplacian over all pixels and colours; 0 for a plain picture, higher is sharper.

    Source: Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
    """
    return float(cv2.Laplacian(np.ascontiguousarray(picture), cv2.CV_64F).var())


def shares(values: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Of each value, the share of a normal distribution that lies below it, of their own mean and standard deviation.

    NaN where a value is; 0.5 for all where they are equal or there is one only. Source: the quality of GazePose.
    """
    known = values[np.isfinite(values)]
    deviation = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    if deviation == 0:
        return np.where(np.isfinite(values), 0.5, np.nan)
    normal = NormalDist(float(known.mean()), deviation)
    return np.array([normal.cdf(value) for value in values])
