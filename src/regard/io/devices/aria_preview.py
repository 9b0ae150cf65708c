"""Project Aria without its VRS: a preview video, the MPS eye gaze, and the calibration that MPS estimated on the way.

    loc1_script1_seq1_rec1/
    ├── preview_rgb.mp4                         upright pictures of the RGB camera; the only video
    └── mps/
        ├── eye_gaze/general_eye_gaze.csv
        └── slam/online_calibration.jsonl       a line for each moment; the first one with an RGB camera is taken

No file says when, on the device's clock, the first picture was taken: the first gaze measurement is taken to be of that
moment; in a recording with a VRS it was 0.05 s later. Nor which of the two sizes of glasses was worn; their eyes differ
by 2.5 mm, which is 0.15 degrees at one metre.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from regard.errors import FileError, MissingExtraError
from regard.io.devices.aria import STAMP, find_eye_gaze, is_aria, read_directions, read_gaze
from regard.io.devices.aria_vrs import RGB, quiet, to_camera
from regard.io.devices.device import Device
from regard.io.devices.folder import video_files
from regard.io.devices.name import recording_id
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.types import Recording

if TYPE_CHECKING:
    from projectaria_tools.core.calibration import CameraCalibration, DeviceCalibration

CALIBRATION = "mps/slam/online_calibration.jsonl"
ASSUMED_SIZE, ORIGIN = "DVT-S", "camera-slam-left"


def is_without_vrs(folder: Path) -> bool:
    """True for a folder with MPS eye gaze and no VRS."""
    return not is_aria(folder) and bool(find_eye_gaze(folder))


def is_preview(folder: Path) -> bool:
    """True for a folder with one video and an online calibration."""
    return (folder / CALIBRATION).is_file() and len(video_files(folder)) == 1


def open_preview(folder: Path) -> Recording:
    """The folder as a Recording; without eye gaze, where it has none.

    Raises FileError, TableError, ClockError, and MissingExtraError without projectaria-tools.
    """
    if not is_preview(folder):
        raise FileError(
            folder,
            found="MPS eye gaze without a .vrs",
            wanted="the VRS recording: its calibration says where in the picture a gaze direction points",
            do=f"put the VRS file beside it, or one mp4 and {CALIBRATION}; "
            "or name a video that has a gaze.csv in pixels",
        )
    (video,) = video_files(folder)
    device = _device(folder / CALIBRATION)
    camera = _upright(device)
    tables = find_eye_gaze(folder)
    gaze, notes = None, ["no MPS eye gaze beside the video: there is nothing to score against"]
    if tables:
        with Video(video) as pictures:
            end_s = float(pictures.times_s[-1])
        stamps = read_directions(tables[0])[STAMP]
        zero_ns = int(stamps.iloc[0]) * 1000 if len(stamps) else 0
        gaze, found = read_gaze(tables[0], zero_ns=zero_ns, end_s=end_s, camera=camera, device=device)
        notes = [
            f"gaze is from {tables[0].relative_to(folder)}, projected with {CALIBRATION}",
            "no VRS: the first gaze is taken to be of the first picture's moment, and the glasses to be of size "
            + ASSUMED_SIZE.removeprefix("DVT-"),
            *found,
        ]
    picture, sound = media_streams(video)
    return Recording(
        id=recording_id(folder),
        subject="unknown",
        video=picture,
        audio=sound,
        gaze=gaze,
        camera=to_camera(camera),
        notes=tuple(notes),
    )


def _device(path: Path) -> "DeviceCalibration":
    """The first RGB camera of the file, on a device whose eyes are where they are by design."""
    try:
        from projectaria_tools.core import calibration, mps
    except ImportError as problem:
        raise MissingExtraError.of(path, package="projectaria-tools", extra="aria") from problem
    try:
        with quiet():
            moments = mps.read_online_calibration(str(path))
    except RuntimeError as problem:
        raise _unusable(path, f"content that is no calibration ({problem})") from problem
    for moment in moments:
        for camera in moment.camera_calibs:
            if camera.get_label() == RGB:
                version = calibration.DeviceVersion.Gen1
                return calibration.DeviceCalibration(
                    camera_calibs={RGB: camera},
                    device_cad_extrinsics=calibration.DeviceCadExtrinsics(version, ASSUMED_SIZE, ORIGIN),
                    device_subtype=ASSUMED_SIZE,
                    origin_label=ORIGIN,
                    device_version=version,
                )
    raise _unusable(path, f"{len(moments)} calibrations, none of the RGB camera")


def _upright(device: "DeviceCalibration") -> "CameraCalibration":
    from projectaria_tools.core import calibration

    camera = device.get_camera_calib(RGB)
    assert camera is not None
    return calibration.rotate_camera_calib_cw90deg(camera)


def _unusable(path: Path, found: str) -> FileError:
    return FileError(
        path,
        found=found,
        wanted="the online calibration that MPS writes, with the RGB camera",
        do="download the MPS SLAM output of this recording again, or put its VRS beside it",
    )


DEVICE = Device(
    name="Project Aria without VRS",
    files=f"one mp4, mps/eye_gaze/*gaze*.csv, {CALIBRATION}",
    is_folder=is_without_vrs,
    open=open_preview,
    takes=lambda _: False,  # its video alone opens without projectaria-tools
    yields=True,
)
