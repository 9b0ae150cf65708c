"""Pure functions over points, maps, tracks and sound: no state, no files, the device of whatever goes in."""

from regard.ops.events import Fixation, fixations, label_idt, label_ivt
from regard.ops.geometry import (
    angle_between_deg,
    camera_rays,
    cell_of,
    direction_to_yaw_pitch,
    from_pixel,
    inside,
    project,
    rotate_points,
    to_pixel,
    visual_angle_deg,
    yaw_pitch_to_direction,
)
from regard.ops.heatmap import (
    argmax_point,
    gaussian_maps,
    log_density,
    min_max,
    published_label_maps,
    resample,
    soft_argmax,
)
from regard.ops.sound import (
    log_spectrogram,
    published_window_columns,
    sound_windows,
    window_columns,
)

__all__ = [
    "Fixation",
    "angle_between_deg",
    "argmax_point",
    "camera_rays",
    "cell_of",
    "direction_to_yaw_pitch",
    "fixations",
    "from_pixel",
    "gaussian_maps",
    "inside",
    "label_idt",
    "label_ivt",
    "log_density",
    "log_spectrogram",
    "min_max",
    "project",
    "published_label_maps",
    "published_window_columns",
    "resample",
    "rotate_points",
    "soft_argmax",
    "sound_windows",
    "to_pixel",
    "visual_angle_deg",
    "window_columns",
    "yaw_pitch_to_direction",
]
