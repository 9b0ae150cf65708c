"""What a recording has and BIDS has no place for, in a folder of sourcedata: video, sound, faces, hands, others' gaze.

sourcedata/regard/sub-01/sub-01_task-walk/
├── recording.json       id, subject, notes, camera; which file is what
├── frames.tsv           when each frame of the video is shown
├── media/0/walk.mp4     the files themselves, byte for byte
├── faces.tsv.gz         a line a box (a header line here, as in all of these)
├── hands.tsv.gz
└── others/0.tsv.gz      where somebody else looked who watched the video too
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from regard.errors import FileError
from regard.io.bids.cells import Values, column_of, numbers, read_tsv, write_json, write_tsv
from regard.io.devices.lens import camera_json, camera_told, lens_told
from regard.io.json_text import read_json
from regard.io.media.container import state_of, unchanged
from regard.types import Camera, FaceFilm, FaceTrack, GazeState, GazeTrack, HandTrack, MediaStream, Recording

FILE = "recording.json"
FORMAT = 1
"""Changes when what the file says is read otherwise."""

CLOCKS = ("{stem}.time", "world_timestamps.npy", "world_timestamps.csv")
"""Files beside a video from which its frames' times are read."""

WANTED = "what `regard export --to bids` writes"
AGAIN = "export the recording again"

STATES = {state: state.name.lower() for state in GazeState}
CORNERS, HANDS = ("x0", "y0", "x1", "y1"), ("left_x", "left_y", "right_x", "right_y")


def write_kept(folder: Path, recording: Recording, *, frame_s: np.ndarray | None) -> None:
    """Write the folder. `frame_s` are the times of the video's frames. Raises FileError where a file has changed."""
    media = _Media(folder)
    film = recording.face_film
    about: dict[str, object] = {
        "format": FORMAT,
        "id": recording.id,
        "subject": recording.subject,
        "watched": recording.watched,
        "notes": list(recording.notes),
        **{name: media.keep(getattr(recording, name)) for name in ("video", "audio", "flow")},
        "face_film": film and {"stream": media.keep(film.stream), "margin": film.margin, "size": film.size},
        "camera": None if recording.camera is None else camera_json(recording.camera),
        "others": list(recording.others),
        "has_hands": recording.hands is not None,
        "faces": None if recording.faces is None else [_told(face) for face in recording.faces],
    }
    if frame_s is not None:
        write_tsv(folder / "frames.tsv", {"frame": np.arange(len(frame_s)), "timestamp": frame_s})
    for number, track in enumerate(recording.others.values()):
        write_tsv(folder / "others" / f"{number}.tsv.gz", gaze_columns(track))
    if recording.hands is not None:
        points = dict(zip(HANDS, recording.hands.point.reshape(-1, 4).T, strict=True))
        write_tsv(folder / "hands.tsv.gz", {"timestamp": recording.hands.time_s, **points})
    if recording.faces:
        write_tsv(folder / "faces.tsv.gz", _face_columns(recording.faces))
    write_json(folder / FILE, about)


def read_kept(folder: Path) -> dict[str, Any]:
    """What lies there, as arguments of a Recording. Raises FileError or TableError."""
    path = folder / FILE
    about: dict[str, Any] = read_json(path, wanted=WANTED, do=AGAIN)
    if about.get("format") != FORMAT:
        raise FileError(path, found=f"a file of form {about.get('format')}", wanted=f"form {FORMAT}", do=AGAIN)
    try:
        film, camera = about["face_film"], about["camera"]
        others = {name: _read_gaze(folder / "others" / f"{n}.tsv.gz") for n, name in enumerate(about["others"])}
        return {
            "id": str(about["id"]),
            "subject": str(about["subject"]),
            "watched": about.get("watched", False),
            "notes": tuple(map(str, about["notes"])),
            **{name: _stream(folder, about[name]) for name in ("video", "audio", "flow")},
            "face_film": film and FaceFilm(_some(folder, film["stream"]), tuple(film["margin"]), tuple(film["size"])),
            "camera": None if camera is None else _camera(path, camera),
            "others": others,
            "hands": _read_hands(folder / "hands.tsv.gz") if about["has_hands"] else None,
            "faces": None if about["faces"] is None else _read_faces(folder / "faces.tsv.gz", about["faces"]),
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        found = f"{type(problem).__name__}: {str(problem)[:200]}"
        raise FileError(path, found=found, wanted=WANTED, do=AGAIN) from problem


def gaze_columns(track: GazeTrack) -> dict[str, Values]:
    """A track in shares of the picture."""
    columns: dict[str, Values] = {"timestamp": track.time_s, "x": track.point[:, 0], "y": track.point[:, 1]}
    columns["gaze_state"] = [STATES[GazeState(state)] for state in track.state.tolist()]
    return columns if track.confidence is None else columns | {"confidence": track.confidence}


def states_of(path: Path, table: pd.DataFrame) -> np.ndarray:
    """The column gaze_state as numbers. Raises FileError for another word."""
    known = {name: int(state) for state, name in STATES.items()}
    words = column_of(path, table, "gaze_state").tolist()
    if wrong := [(line, word) for line, word in zip(table.index, words, strict=True) if word not in known]:
        line, word = wrong[0]
        wanted = f"one of {', '.join(known)}"
        raise FileError(path, found=f"{word!r} in column 'gaze_state', line {line}", wanted=wanted, do=AGAIN)
    return np.array([known[word] for word in words], np.int8)


class _Media:
    """Copies files into the folder, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[Path, str] = {}

    def keep(self, stream: MediaStream | None) -> dict[str, object] | None:
        if stream is None:
            return None
        if stream.path not in self._kept:
            place = Path("media", str(len(self._kept)), stream.path.name)
            (self._folder / place).parent.mkdir(parents=True)
            self._copy(stream, self._folder / place)
            self._kept[stream.path] = place.as_posix()
        return {
            "file": self._kept[stream.path],
            "index": stream.index,
            "start_s": stream.start_s,
            "rate_hz": stream.rate_hz,
            "has_state": stream.state is not None,
            "then": [self.keep(part) for part in stream.then],
        }

    def _copy(self, stream: MediaStream, place: Path) -> None:
        if not stream.path.exists():
            raise FileError(stream.path, found="no such file", wanted="the recording's own files", do="check the path")
        if stream.path.is_dir():
            shutil.copytree(stream.path, place)
            return
        with unchanged(stream.path, stream.state or state_of(stream.path)):
            shutil.copyfile(stream.path, place)
        for name in CLOCKS:
            beside = stream.path.with_name(name.format(stem=stream.path.stem))
            if beside.is_file():
                shutil.copyfile(beside, place.with_name(beside.name))


def _stream(folder: Path, about: Mapping[str, Any] | None) -> MediaStream | None:
    return None if about is None else _some(folder, about)


def _some(folder: Path, about: Mapping[str, Any]) -> MediaStream:
    path = folder / about["file"]
    if not path.resolve().is_relative_to(folder.resolve()) or not path.exists():
        raise FileError(path, found="no such file in the folder", wanted=WANTED, do=AGAIN)
    return MediaStream(
        path=path,
        index=None if about["index"] is None else int(about["index"]),
        start_s=float(about["start_s"]),
        rate_hz=float(about["rate_hz"]),
        state=state_of(path) if about["has_state"] else None,
        then=tuple(_some(folder, part) for part in about["then"]),
    )


def _camera(path: Path, about: Mapping[str, Any]) -> Camera:
    with lens_told(path, wanted=WANTED, do=AGAIN):
        return camera_told(about)


def _told(face: FaceTrack) -> dict[str, object]:
    known = {name: {"shape": list(v.shape[1:]), "type": v.dtype.name} for name, v in face.known.items()}
    return {"person": face.person, "track": face.track, "boxes": len(face.time_s), "known": known}


def _face_columns(faces: tuple[FaceTrack, ...]) -> dict[str, Values]:
    """All tracks, one after the other; a column a number of what is known."""
    tables = []
    for face in faces:
        columns: dict[str, object] = {"person": [face.person] * len(face.time_s), "timestamp": face.time_s}
        columns |= dict(zip(CORNERS, face.box.T, strict=True))
        columns["looking"] = np.where(face.looking_known, face.looking.astype(np.float64), np.nan)
        for name, values in face.known.items():
            for number, column in enumerate(values.reshape(len(values), -1).astype(np.float64).T):
                columns[f"{name}[{number}]"] = column
        tables.append(pd.DataFrame(columns))
    table = pd.concat(tables, ignore_index=True)
    return {str(name): table[name].tolist() for name in table}


def _read_faces(path: Path, told: list[dict[str, Any]]) -> tuple[FaceTrack, ...]:
    table = read_tsv(path) if told else pd.DataFrame()
    rows = {name: numbers(path, table, name) for name in table if name != "person"}
    tracks, start = [], 0
    for about in told:
        part = slice(start, start := start + about["boxes"])
        known = {}
        for name, form in about["known"].items():
            size = int(np.prod(form["shape"]))
            values = np.stack([rows[f"{name}[{k}]"][part] for k in range(size)], axis=1)
            known[name] = values.reshape(-1, *form["shape"]).astype(form["type"])
        looking = rows["looking"][part]
        tracks.append(
            FaceTrack(
                person=about["person"],
                time_s=rows["timestamp"][part],
                box=np.stack([rows[name][part] for name in CORNERS], axis=1),
                looking=looking == 1,
                looking_known=~np.isnan(looking),
                track=about["track"],
                known=known,
            )
        )
    return tuple(tracks)


def _read_hands(path: Path) -> HandTrack:
    table = read_tsv(path)
    point = np.stack([numbers(path, table, name) for name in HANDS], axis=1).reshape(-1, 2, 2)
    return HandTrack(time_s=numbers(path, table, "timestamp", empty=False), point=point)


def _read_gaze(path: Path) -> GazeTrack:
    table = read_tsv(path)
    return GazeTrack(
        time_s=numbers(path, table, "timestamp", empty=False),
        point=np.stack([numbers(path, table, name) for name in "xy"], axis=1),
        state=states_of(path, table),
        confidence=numbers(path, table, "confidence") if "confidence" in table else None,
    )
