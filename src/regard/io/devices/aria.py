"""Project Aria: a VRS recording with the eye gaze that Meta's Machine Perception Services (MPS) computed for it.

    loc1_script1_seq1_rec1/
    ├── recording.vrs                       pictures, sound, calibration
    └── mps/eye_gaze/
        ├── personalized_eye_gaze.csv       after an in-session calibration of the wearer; preferred
        └── general_eye_gaze.csv

    tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf,...,depth_m,session_uid
    86435306,-0.36566,-0.121962,...,,e7e91580-...

Also found: the csv right beside the VRS, in eye_gaze/, or in mps_<recording>_vrs/eye_gaze/. The four variants of the
table that MPS has written (one gaze direction; with empty depth; one direction for each eye, with depth; Gen2) are
told apart by their columns. Directions are in the central pupil frame (CPF), between the eyes; the point looked at
lies at `depth_m` along them, at ASSUMED_DEPTH_M where the table has no depth. That point is projected through the
calibrated RGB camera into the upright picture, as projectaria-tools' get_gaze_vector_reprojection does.
Format: facebookresearch.github.io/projectaria_tools, "MPS output: eye gaze"; followed: projectaria_tools 2.3.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float64

from regard.errors import FileError, TableError
from regard.io.clock import require_increasing, require_overlap
from regard.io.devices.aria_media import AriaSound, AriaVideo
from regard.io.devices.aria_vrs import (
    damage_told,
    device_calibration,
    has_microphones,
    lacking,
    open_vrs,
    picture_times_ns,
    to_camera,
    upright_calibration,
)
from regard.io.devices.device import Container, Device
from regard.io.devices.name import recording_id
from regard.io.devices.track import measured
from regard.io.media.container import state_of
from regard.io.tables import Column, read_columns, read_header
from regard.types import GazeTrack, MediaStream, Recording

if TYPE_CHECKING:
    from projectaria_tools.core.calibration import CameraCalibration, DeviceCalibration

ASSUMED_DEPTH_M = 1.0
"""Distance at which the wearer is taken to look where MPS gives none, as Meta's own viewers do."""

STAMP = "tracking_timestamp_us"
CALIBRATED = ("personalized", "calibrated")
"""In the names of tables that were made after the wearer's own calibration, in today's and in older releases."""
GAZE_FOLDERS = ("mps/eye_gaze", "eye_gaze", "mps_*_vrs/eye_gaze", ".")
NAMED = re.compile("eye_?gaze", re.IGNORECASE)
DOWNLOAD_AGAIN = "download the MPS eye gaze of this recording again"


def is_aria(folder: Path) -> bool:
    """True for a folder that holds a VRS file."""
    return any(folder.glob("*.vrs"))


def find_eye_gaze(folder: Path) -> list[Path]:
    """The MPS eye-gaze tables of the recording in a folder, whatever is wrong with them; the best one first.

    Those are told by the folders that MPS writes, or right in the folder by their first line or, beside a VRS, by name.
    """
    beside_vrs = is_aria(folder)
    found = dict.fromkeys(p for place in GAZE_FOLDERS for p in sorted(folder.glob(f"{place}/*gaze*.csv")))
    tables = [
        p for p in found if p.parent != folder or (beside_vrs and NAMED.search(p.name)) or STAMP in read_header(p)
    ]
    return sorted(tables, key=lambda p: not any(word in p.name for word in CALIBRATED))


def open_aria(path: Path) -> Recording:
    """A VRS file, or the folder that holds one, as a Recording.

    Raises FileError, TableError, ClockError, and MissingExtraError without projectaria-tools.
    """
    folder, vrs = (path, _only_vrs(path)) if path.is_dir() else (path.parent, path)
    with damage_told(vrs):
        return _open(path, folder, vrs)


def _open(path: Path, folder: Path, vrs: Path) -> Recording:
    state = state_of(vrs)
    provider, complaint = open_vrs(vrs)
    frame_ns = picture_times_ns(provider, vrs)
    gaze, notes = None, [] if complaint is None else [lacking(complaint)]
    tables = find_eye_gaze(folder)
    if tables:
        table, *others = tables
        notes.append(
            f"gaze is from {table.relative_to(folder)}"
            + (f", not {', '.join(str(o.relative_to(folder)) for o in others)}" if others else "")
        )
        gaze, found = read_gaze(
            table,
            zero_ns=int(frame_ns[0]),
            end_s=float(frame_ns[-1] - frame_ns[0]) / 1e9,
            camera=upright_calibration(provider, vrs),
            device=device_calibration(provider, vrs),
        )
        notes += found
    else:
        notes.append("no MPS eye gaze beside the VRS: there is nothing to score against")
    if path.is_dir() and (more := sorted(p.name for p in folder.glob("*.vrs") if p != vrs)):
        notes.append(f"not read: other recordings ({', '.join(more)})")
    pictures = MediaStream(path=vrs, state=state)
    return Recording(
        id=recording_id(path),
        subject="unknown",
        video=pictures,
        audio=pictures if has_microphones(provider) else None,
        gaze=gaze,
        camera=to_camera(upright_calibration(provider, vrs)),
        notes=tuple(notes),
    )


def read_directions(path: Path) -> pd.DataFrame:
    """An MPS table as tracking_timestamp_us (int64), yaw and pitch (radians, CPF) and depth_m, NaN where not given.

    Where a direction is given for each eye, the combined one has the mean of their slopes (tan yaw): it starts midway
    between the eyes. Raises TableError, or ClockError where times do not increase.
    """
    header = read_header(path)
    one = "yaw_rads_cpf" in header
    yaws = ["yaw_rads_cpf"] if one or "left_yaw_rads_cpf" not in header else ["left_yaw_rads_cpf", "right_yaw_rads_cpf"]
    table = read_columns(
        path,
        (
            Column(STAMP, "integer"),
            *(Column(y, empty=True) for y in yaws),
            Column("pitch_rads_cpf", empty=True),
            Column("depth_m", required=False, empty=True),
        ),
        do=DOWNLOAD_AGAIN,
    )
    require_increasing(path, table, STAMP)
    for name in (*yaws, "pitch_rads_cpf"):
        for line, angle in table.loc[table[name].abs() > np.pi / 2, name].head(1).items():
            raise TableError(
                path,
                found=f"a {name.removesuffix('_rads_cpf').replace('_', ' ')} of {angle:g}, in line {line}",
                wanted="radians: straight ahead is 0, and no eye turns by pi/2",
                do=DOWNLOAD_AGAIN,
            )
    return pd.DataFrame(
        {
            STAMP: table[STAMP],
            "yaw": np.arctan(np.tan(table[yaws].to_numpy()).mean(axis=1)),
            "pitch": table["pitch_rads_cpf"],
            "depth_m": table.get("depth_m", np.nan),
        }
    )


def point_in_cpf(
    yaw: Float64[np.ndarray, "n"], pitch: Float64[np.ndarray, "n"], depth_m: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 3"]:
    """The point looked at, in metres: left, up and forward of the central pupil frame."""
    slope = np.stack([np.tan(yaw), np.tan(pitch), np.ones_like(yaw)], axis=1)
    return slope / np.linalg.norm(slope, axis=1, keepdims=True) * depth_m[:, None]


def read_gaze(
    path: Path, *, zero_ns: int, end_s: float, camera: "CameraCalibration", device: "DeviceCalibration"
) -> tuple[GazeTrack, list[str]]:
    """An MPS table as a track in the upright picture of `camera`, with notes.

    `zero_ns` is the moment of the first picture on the device's clock, `end_s` that of the last one after it.
    Raises FileError, TableError, or ClockError for gaze of another recording.
    """
    table = read_directions(path)
    time_s = (table[STAMP].to_numpy() * 1000 - zero_ns) / 1e9
    require_overlap(path, time_s, end_s, do="this gaze is of another recording: " + DOWNLOAD_AGAIN)
    depth_m = table["depth_m"].to_numpy()
    given = depth_m > 0
    notes = []
    if not given.all():
        notes.append(
            f"depth {ASSUMED_DEPTH_M:g} m assumed for {(~given).sum()} of {len(given)} gaze samples, which have none"
        )
    looked_at = point_in_cpf(
        table["yaw"].to_numpy(), table["pitch"].to_numpy(), np.where(given, depth_m, ASSUMED_DEPTH_M)
    )
    point = _project(looked_at, camera, device)
    lost = np.isnan(point).any(axis=1)
    beyond = lost & np.isfinite(looked_at).all(axis=1)
    if beyond.any():
        notes.append(f"{beyond.sum()} gaze samples point out of the RGB camera's calibrated field and count as lost")
    return measured(time_s, point), notes


def _project(
    point_cpf: Float64[np.ndarray, "n 3"], camera: "CameraCalibration", device: "DeviceCalibration"
) -> Float64[np.ndarray, "n 2"]:
    """Where points of the central pupil frame appear, normalised; NaN outside the calibrated field."""
    width, height = camera.get_image_size().tolist()
    to_camera_frame = camera.get_transform_device_camera().inverse() @ device.get_transform_device_cpf()
    pixel = np.full((len(point_cpf), 2), np.nan)
    for i in np.flatnonzero(np.isfinite(point_cpf).all(axis=1)):
        shown = camera.project(to_camera_frame @ point_cpf[i])
        if shown is not None:
            pixel[i] = shown
    return (pixel + 0.5) / (width, height)


def _only_vrs(folder: Path) -> Path:
    files = sorted(folder.glob("*.vrs"))
    usual = folder / "recording.vrs"
    if len(files) == 1 or usual in files:
        return usual if usual in files else files[0]
    raise FileError(
        folder,
        found=f"{len(files)} VRS files ({', '.join(f.name for f in files)})",
        wanted="one, or one named recording.vrs",
        do="give the path of the VRS file itself",
    )


DEVICE = Device(
    name="Project Aria",
    files="*.vrs",
    is_folder=is_aria,
    open=open_aria,
    takes=lambda path: path.suffix.lower() == ".vrs",
    container=Container(suffix=".vrs", video=AriaVideo, sound=AriaSound),
)
