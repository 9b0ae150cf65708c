"""Small folders in the true layouts of EGTEA, Ego4D and Aria, with grey films and gaze that is known."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32
from PIL import Image

from regard.io import FilmWriter

SIZE = (48, 64)
READ, OPEN, CUT = (0, 0, 0), (1, 1, 1), (3, 3, 3)
"""(action, verb, noun) from 0: "Inspect/Read recipe", "Open fridge", "Cut tomato"."""


class Hum:
    """A SoundSource of one steady tone."""

    def __init__(self, duration_s: float) -> None:
        self.duration_s = duration_s

    def samples_between(
        self, start_s: float, end_s: float, *, rate_hz: int, channels: Literal[1, 2] = 1
    ) -> Float32[np.ndarray, "c n"]:
        time_s = start_s + np.arange(round((end_s - start_s) * rate_hz)) / rate_hz
        return np.tile(0.3 * np.sin(2 * np.pi * 440 * time_s), (channels, 1)).astype(np.float32)

    def close(self) -> None:
        """Nothing is open."""


def film(path: Path, *, num_frames: int, rate_hz: float, sound: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = SIZE
    with FilmWriter(path, size=size, sound=Hum(num_frames / rate_hz) if sound else None) as writer:
        for number in range(num_frames):
            writer.write(np.full((*size, 3), 40 + 8 * (number % 20), np.uint8), number / rate_hz)
    return path


# EGTEA: three sessions, P01's in the later BeGaze layout; OP02's gaze ends at frame 60, before its last clip
SESSIONS = {"OP01-R01-PastaSalad": 96, "OP02-R03-BaconAndEggs": 96, "P01-R02-TurkeySandwich": 96}
EGTEA_LISTS: Mapping[str, Sequence[tuple[str, tuple[int, int, int]]]] = {
    "train_split1": (
        ("OP01-R01-PastaSalad-400-1200-F000008-F000031", READ),
        ("OP01-R01-PastaSalad-2000-3000-F000046-F000075", OPEN),
        ("P01-R02-TurkeySandwich-500-1500-F000010-F000038", CUT),
        ("OP02-R03-BaconAndEggs-400-1200-F000008-F000031", OPEN),
    ),
    "test_split1": (
        ("OP01-R01-PastaSalad-1400-1900-F000032-F000047", CUT),
        ("OP02-R03-BaconAndEggs-2900-3500-F000068-F000086", READ),
    ),
}


def begaze_point(frame: int) -> tuple[float, float]:
    """Where the fake wearer looks at a frame, in pixels: slowly to the right and down."""
    return 400.0 + 2 * frame, 300.0 + frame


def begaze_line(frame: int, x: object, y: object, event: str, *, later: bool) -> str:
    time_us = 1_000_000 + round(frame * 1e6 / 24)
    if not later:
        return f"{time_us}\tSMP\t1\t{x}\t{y}\t{frame}\t{event}"
    code = f"00:00:{frame // 24:02d}:{frame % 24:02d}"
    filler = ["0.00"] * 17
    return "\t".join([str(time_us), "SMP", "1", "1.0", "2.0", str(x), str(y), *filler, code, event])


def begaze(path: Path, lines: Sequence[str]) -> Path:
    """34 header lines, one with a name that nobody may see, and then the samples."""
    header = [f"## line {n}:" for n in range(34)]
    header[3], header[9] = "## Subject:\tJane Doe", "## Number of Samples:\t7"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*header, *lines]) + "\n")
    return path


def egtea(root: Path, *, clips: bool = True, sessions: bool = True, gaze: bool = True) -> Path:
    lists = root / "action_annotation"
    lists.mkdir(parents=True)
    for stem, entries in EGTEA_LISTS.items():
        rows = (f"{name} {a + 1} {v + 1} {n + 1}" for name, (a, v, n) in entries)
        (lists / f"{stem}.txt").write_text("\n".join(rows) + "\n")
    source = film(root / ".made" / "session.mp4", num_frames=96, rate_hz=24)
    for session, num_frames in SESSIONS.items():
        if sessions:
            (root / "Raw_Videos").mkdir(exist_ok=True)
            shutil.copy(source, root / "Raw_Videos" / f"{session}.mp4")
        if gaze:
            until = 60 if session.startswith("OP02") else num_frames
            later = session.startswith("P01")
            lines = [begaze_line(f, *begaze_point(f), "Fixation", later=later) for f in range(until)]
            begaze(root / "gaze_data" / "gaze_data" / f"{session}.txt", lines)
    if clips:
        for entries in EGTEA_LISTS.values():
            for name, _ in entries:
                first, last = (int(field[1:]) for field in name.split("-")[-2:])
                folder = root / "cropped_clips" / name.rsplit("-", 4)[0]
                film(folder / f"{name}.mp4", num_frames=last - first + 1, rate_hz=24)
    return root


EGO4D_HEADER = (
    "component_idx,component_timestamp_s,canonical_timestamp_s,world_index,confidence,norm_pos_x,norm_pos_y,base_data"
)


def ego4d_table(path: Path, time_s: np.ndarray, point: np.ndarray, confidence: np.ndarray | float = 1.0) -> Path:
    """A gaze csv as Ego4D distributes it; `point` is (x, y) with y down."""
    path.parent.mkdir(parents=True, exist_ok=True)
    confidence = np.broadcast_to(np.asarray(confidence, float), len(time_s))
    rows = [EGO4D_HEADER]
    for n, (t, (x, y), c) in enumerate(zip(time_s, point, confidence, strict=True)):
        rows.append(f"0,{t:.6f},{t:.6f},{n},{c:g},{x:.6f},{1 - y:.6f},")
    path.write_text("\n".join(rows) + "\n")
    return path


def ego4d(root: Path, uids: Sequence[str], *, duration_s: float = 4.0, sound: bool = False) -> Path:
    """The videos, all the same film, with gaze at 200 Hz that rests at (0.5, 0.25) and jumps to (0.75, 0.25) at 2 s."""
    source = film(root / ".made" / "video.mp4", num_frames=round(duration_s * 30), rate_hz=30, sound=sound)
    time_s = 0.002 + np.arange(0, duration_s, 0.005)
    point = np.where(time_s[:, None] < 2, [[0.5, 0.25]], [[0.75, 0.25]])
    table = ego4d_table(root / ".made" / "gaze.csv", time_s, point)
    for folder in ("full_scale", "gaze"):
        (root / "v2" / folder).mkdir(parents=True)
    for uid in uids:
        shutil.copy(source, root / "v2" / "full_scale" / f"{uid}.mp4")
        shutil.copy(table, root / "v2" / "gaze" / f"{uid}.csv")
    return root


FISHEYE = [600.0, 703.5, 703.5, *[0.0] * 12]
"""f, cx, cy and no distortion, for a picture of 1408 x 1408."""


def online_calibration(path: Path, label: str = "camera-rgb") -> Path:
    """A camera that looks straight along the device's first camera, a decimetre beside it."""
    camera = {
        "Label": label,
        "SerialNumber": "0",
        "Calibrated": True,
        "ConfigData": {"ImageHeight": 1408, "ImageWidth": 1408, "MaxSolidAngle": 1.5, "ValidRadius": 900.0},
        "Projection": {"Name": "FisheyeRadTanThinPrism", "Params": FISHEYE},
        "T_Device_Camera": {"Translation": [-0.005, -0.012, -0.005], "UnitQuaternion": [0.943, [0.328, 0.038, 0.034]]},
    }
    line = {"tracking_timestamp_us": 1, "utc_timestamp_ns": 1, "ImuCalibrations": [], "CameraCalibrations": [camera]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(line) + "\n")
    return path


def aria_previews(root: Path, sequences: Sequence[str], *, duration_s: float = 2.0, sound: bool = False) -> Path:
    """Sequences without VRS: a film at 20 Hz, an online calibration, and gaze at 10 Hz that turns to the left."""
    source = film(root / ".made" / "preview.mp4", num_frames=round(duration_s * 20), rate_hz=20, sound=sound)
    num_samples = round(duration_s * 10)
    rows = ["tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf,depth_m,session_uid"]
    rows += [f"{5_000_000 + n * 100_000},{0.005 * n:.4f},-0.1,,x" for n in range(num_samples)]
    for sequence in sequences:
        folder = root / sequence
        (folder / "mps" / "eye_gaze").mkdir(parents=True)
        shutil.copy(source, folder / "preview_rgb.mp4")
        (folder / "mps" / "eye_gaze" / "general_eye_gaze.csv").write_text("\n".join(rows) + "\n")
        online_calibration(folder / "mps" / "slam" / "online_calibration.jsonl")
    return root


CHALLENGE_FRAMES = (12, 13, 15)
"""Of the fake challenge's track: 14 is missing."""


def looking_box(frame: int, x: float = 8.0, *, width: float = 12.0) -> dict[str, float]:
    return {"frame": frame, "x": x, "y": 4.0, "width": width, "height": 16.0}


def looking_clip(uid: str, *, spelling: str = "video", looks: Sequence[dict] = ()) -> dict:
    """The wearer, "1" with a track of frames 3 to 6 and one from 20 on, and "2" with a track that lacks frame 8."""
    paths = {
        "1": {"a": [looking_box(f, 8 + f) for f in (3, 4, 5, 6)], "b": [looking_box(f, 50) for f in (20, 21)]},
        "2": {"c": [looking_box(f, 30) for f in (9, 7)] + [looking_box(8, width=0.0)]},
    }
    people = [
        {"person_id": p, "tracking_paths": [{"track_id": f"{uid[:4]}{t}", "track": boxes} for t, boxes in own.items()]}
        for p, own in paths.items()
    ]
    wearer = {"person_id": "0", "tracking_paths": [{"track_id": "own", "track": [looking_box(5)]}], "camera_wearer": 1}
    return {
        "clip_uid": uid,
        f"{spelling}_start_sec": 60.0,
        f"{spelling}_end_sec": 61.0,
        "persons": [wearer, *people],
        "social_segments_looking": list(looks),
    }


LOOKING_UIDS = {
    split: [f"{k}{n}a0b1c2-0000-4000-8000-00000000000{n}" for n in range(3)]
    for split, k in (("train", "1"), ("val", "2"))
}


def looking(root: Path) -> Path:
    """Ego4D "looking at me": three clips of 1 s to train with, of two videos, three to validate with; a test track."""
    source = film(root / ".made" / "clip.mp4", num_frames=30, rate_hz=30)
    looks = [{"person": "1", "start_frame": 4, "end_frame": 5}, {"person": None, "start_frame": 0, "end_frame": 9}]
    for folder in ("json", "split", "videos"):
        (root / folder).mkdir(parents=True)
    for split, uids in LOOKING_UIDS.items():
        spelling = "video" if split == "train" else "parent"
        clips = [looking_clip(uid, spelling=spelling, looks=looks if n else ()) for n, uid in enumerate(uids)]
        videos = [{"video_uid": f"{split}-0", "clips": clips[:2]}, {"video_uid": f"{split}-1", "clips": clips[2:]}]
        (root / "json" / f"av_{split}.json").write_text(json.dumps({"videos": videos}))
        (root / "split" / f"{split}.list").write_text("\n".join(uids))
        for uid in uids:
            shutil.copy(source, root / "videos" / f"{uid}.mp4")
    (root / "split" / "test.list").write_text("")
    track = root / "videos_challenge" / "9f0c" / "7e1d"
    track.mkdir(parents=True)
    for number in CHALLENGE_FRAMES:
        Image.new("RGB", (24, 24), (number, 0, 0)).save(track / f"{number:05d}_{number:x}b00012.jpg")
    return root
