"""How well a model that recognises actions tells where the wearer looks, by the maps of its answer."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from regard.batch import Batch
from regard.metrics.angles import angles_deg
from regard.metrics.crop_gaze import CROP_PX, crop_angle_published, crop_auc_published
from regard.metrics.heatmaps import auc_judd
from regard.ops.action_losses import in_slots
from regard.ops.geometry import inside
from regard.ops.heatmap import log_density
from regard.ops.soft_argmax import mean_point
from regard.prediction import part_of
from regard.types import Recording

GAZE_SCORES = ("gaze_error_deg", "gaze_auc", "gaze_angle_of_crop_deg", "gaze_auc_of_crop")
"""Columns of a table of items, each with the mean over a clip's frames with known gaze as its score."""


def gaze_scores(
    gaze_logits: Float[Tensor, "b s h w"], point: Float[Tensor, "b t 2"], batch: Batch, *, of_crop: bool
) -> dict[str, Float[np.ndarray, "b"]]:
    """One value a window of each score, NaN where none of its frames has known gaze; `point` is NaN where it is not.

    A frame's gaze is compared with the map of its slot: its angle to the map's mean, in degrees by the recording's
    camera (NaN without one), and the AUC of the map's cells. `of_crop` adds those of Kapidis et al., which take what is
    seen for their crop.
    """
    slots = gaze_logits.shape[1]
    maps, gaze = log_density(gaze_logits.detach().float())[:, :, None], in_slots(point, slots)
    found, maps = mean_point(maps).expand_as(gaze), maps.expand(-1, -1, gaze.shape[2], -1, -1)
    seen_by = [(own := c.recording.camera) and v.camera(own) for c, v in zip(batch.clips, batch.views, strict=True)]
    cameras = [camera for camera in seen_by for _ in range(gaze[0, ..., 0].numel())]
    scores = {
        "gaze_error_deg": angles_deg(found.flatten(0, 2), gaze.flatten(0, 2), cameras).view(gaze.shape[:3]),
        "gaze_auc": auc_judd(maps, gaze),
    }
    if of_crop:
        pixels = (found * CROP_PX - 0.5, gaze * CROP_PX)
        scores |= {"gaze_angle_of_crop_deg": crop_angle_published(*pixels)}
        scores |= {"gaze_auc_of_crop": crop_auc_published(*pixels)}
    return {name: torch.nanmean(value.flatten(1), dim=1).cpu().numpy() for name, value in scores.items()}


def saved_gaze_error(
    gaze: Float[np.ndarray, "s 2"], start_s: float, end_s: float, recording: Recording
) -> dict[str, float]:
    """The same angle of a saved window's answer to the gaze that was recorded within it; nothing without a record.

    NaN where none of it is known and in the picture, and without a camera.
    """
    track = recording.gaze
    if track is None:
        return {}
    within = slice(np.searchsorted(track.time_s, start_s), np.searchsorted(track.time_s, end_s, side="right"))
    point = torch.from_numpy(track.point[within]).float()
    found = torch.from_numpy(gaze[part_of(track.time_s[within], start_s, end_s, len(gaze))]).float()
    angle = angles_deg(found, torch.where(inside(point)[:, None], point, torch.nan), [recording.camera] * len(point))
    return {"gaze_error_deg": float(angle.nanmean())}


def told(items: pd.DataFrame) -> str:
    """Of how many clips the gaze was scored, for the protocol; nothing where the model tells no gaze."""
    if "gaze_error_deg" not in items:
        return ""
    in_degrees = np.count_nonzero(items["gaze_error_deg"].notna())
    known = np.count_nonzero(items["gaze_auc"].notna()) if "gaze_auc" in items else in_degrees
    lacking = "" if in_degrees == known else f", of {in_degrees} in degrees: the others have no camera"
    return f"; gaze of {known} clips, from each slot's mean{lacking}"
