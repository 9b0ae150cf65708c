"""glassesTools' own folder, to which it brings the recordings of many devices.

    recording/
    ├── gazeData.tsv          separated by tabs: timestamp (ms), frame_idx, gaze_pos_vid_x, gaze_pos_vid_y (pixels), ...
    ├── worldCamera.mp4
    ├── frameTimestamps.tsv   optional: frame_idx, timestamp (ms) of each frame, on the gaze's clock
    ├── calibration.xml       optional: OpenCV's storage of cameraMatrix, distCoeff and resolution
    └── recording_info.json   optional: participant

    timestamp	frame_idx	gaze_pos_vid_x	gaze_pos_vid_y	gaze_pos_3d_x	...
    5.012	0	822.7	896.8	nan	...

Without frame times, milliseconds count from the first frame. Where glassesTools brought gaze and video together by
the VOR, its column timestamp_VOR is read instead. Format: dcnieho/glassesTools 1.24.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from regard.errors import FileError
from regard.io.clock import onto_video_clock, require_increasing, require_overlap, require_seconds
from regard.io.devices.annotations import require_pairs
from regard.io.devices.device import Device
from regard.io.devices.lens import WITHOUT, lens_told, require_lens
from regard.io.devices.name import recording_id
from regard.io.devices.scene_size import require_shape
from regard.io.devices.track import measured
from regard.io.devices.unread import not_read
from regard.io.json_text import read_json
from regard.io.media.looks import media_streams
from regard.io.media.video import Video
from regard.io.tables import Column, read_columns, read_header
from regard.types import Camera, GazeTrack, Recording

GAZE, FRAMES, CAMERA = "gazeData.tsv", "frameTimestamps.tsv", "calibration.xml"

IMPORT_AGAIN = "import the recording in glassesTools again"

VOR = "timestamp_VOR"
X, Y = "gaze_pos_vid_x", "gaze_pos_vid_y"


def is_glasses_tools(folder: Path) -> bool:
    """True for a folder with glassesTools' gaze table, or with its frame times where that is gone."""
    return (folder / GAZE).is_file() or ((folder / FRAMES).is_file() and any(folder.glob("worldCamera.*")))


def open_glasses_tools(path: Path) -> Recording:
    """glassesTools' folder as a Recording. Raises FileError, TableError or ClockError."""
    videos = sorted(path.glob("worldCamera.*"))
    if len(videos) != 1:
        raise FileError(
            path,
            found=f"{len(videos)} files named worldCamera",
            wanted=f"one beside {GAZE}",
            do="copy the scene video here, named worldCamera and its own suffix" if not videos else "leave only one",
        )
    with Video(videos[0]) as frames:
        frame_s, size = frames.times_s, frames.size
    camera = _read_camera(path / CAMERA) if (path / CAMERA).is_file() else None
    notes = [] if camera is not None else [f"no {CAMERA}: {WITHOUT}"]
    if camera is not None:
        require_shape(videos[0], size, (camera.height, camera.width), do=IMPORT_AGAIN)
        size = camera.height, camera.width
    stamps_ms = _frame_times_ms(path / FRAMES) if (path / FRAMES).is_file() else None
    if stamps_ms is not None and len(stamps_ms) != len(frame_s):
        notes.append(
            f"{FRAMES} has {len(stamps_ms)} times for {len(frame_s)} frames: gaze is placed by the first alone"
        )
    gaze, found = _read_gaze(path / GAZE, stamps_ms, frame_s, size)
    info = path / "recording_info.json"
    about = read_json(info, wanted="glassesTools' description", do=IMPORT_AGAIN) if info.is_file() else {}
    picture, sound = media_streams(videos[0])
    return Recording(
        id=recording_id(path),
        subject=str(about.get("participant") or "unknown"),
        video=picture,
        audio=sound,
        gaze=gaze,
        camera=camera,
        notes=(*found, *notes, *not_read(path, {GAZE: "pupil sizes, each eye's direction, 3D gaze points"})),
    )


def _frame_times_ms(path: Path) -> Float64[np.ndarray, "m"]:
    table = read_columns(path, (Column("frame_idx", "integer"), Column("timestamp")), do=IMPORT_AGAIN, separator="\t")
    table = table.query("frame_idx >= 0")  # -1 marks rows of no frame
    if len(table) == 0:
        raise FileError(path, found="no lines", wanted="a time for each video frame", do=IMPORT_AGAIN)
    require_increasing(path, table, "timestamp")
    return table["timestamp"].to_numpy()


def _read_gaze(
    path: Path, stamps_ms: Float64[np.ndarray, "m"] | None, frame_s: Float64[np.ndarray, "k"], size: tuple[int, int]
) -> tuple[GazeTrack, list[str]]:
    name = VOR if VOR in read_header(path, "\t") else "timestamp"
    columns = (Column(name), Column(X, empty=True), Column(Y, empty=True))
    table = read_columns(path, columns, do=IMPORT_AGAIN, separator="\t")
    require_increasing(path, table, name)
    require_pairs(path, table, X, Y, wanted="both, or neither where the gaze is lost")
    time_ms = table[name].to_numpy()
    if stamps_ms is None:
        time_s = time_ms / 1e3
        require_seconds(path, time_s, frame_s)
    else:
        time_s = onto_video_clock((time_ms - stamps_ms[0]) / 1e3, (stamps_ms - stamps_ms[0]) / 1e3, frame_s)
    require_overlap(path, time_s, float(frame_s[-1]), do=f"this gaze is of another recording: {IMPORT_AGAIN}")
    point = table[[X, Y]].to_numpy() / size[::-1]
    notes = [f"gaze times are {VOR}: glassesTools brought gaze and video together"] if name == VOR else []
    return measured(time_s, point), notes


def _read_camera(path: Path) -> Camera:
    """The scene camera in OpenCV's storage. Raises FileError."""
    import cv2

    wanted = "cameraMatrix, distCoeff and resolution"
    do = f"{IMPORT_AGAIN}; or remove {CAMERA} and go without angles"
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        found = {name: storage.getNode(name).mat() for name in ("cameraMatrix", "distCoeff", "resolution")}
        storage.release()
    except (cv2.error, SystemError) as problem:
        raise FileError(path, found="no storage that OpenCV can read", wanted=wanted, do=do) from problem
    with lens_told(path, wanted=wanted, do=do):
        if missing := [name for name, value in found.items() if value is None]:
            raise ValueError(f"no {', '.join(missing)}")
        width, height = (int(v) for v in found["resolution"].reshape(-1))
        camera = Camera(
            height=height,
            width=width,
            matrix=found["cameraMatrix"].astype(np.float64).reshape(3, 3),
            distortion=found["distCoeff"].astype(np.float64).reshape(-1),
        )
        require_lens(camera)
    return camera


DEVICE = Device(
    name="glassesTools",
    files="gazeData.tsv, worldCamera.*",
    is_folder=is_glasses_tools,
    open=open_glasses_tools,
    yields=True,
)
