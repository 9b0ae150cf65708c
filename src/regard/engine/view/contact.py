"""Faces for the page: when each is in view, looks at the wearer, is looked at; predicted or recorded."""

import numpy as np
from jaxtyping import Float64

from regard.engine.view.gaze import OF_RECORDING
from regard.engine.view.lanes import Lane, band, line
from regard.io.predictions import Answers
from regard.ops.episodes import stretches
from regard.ops.mutual_gaze import LOOKS_FROM, Kind, gaze_error, mutual_gaze
from regard.types import FaceTrack, Recording
from regard.viz.draw import PREDICTED_COLOUR
from regard.viz.eye_contact import WEARER_COLOUR
from regard.viz.faces import AWAY_COLOUR, LOOKS_COLOUR, by_face
from regard.viz.timeline import hex_of

IN_VIEW, LOOKS = 0, 1
FACE_CODES = (("in view", hex_of(AWAY_COLOUR)), ("looks at the wearer", hex_of(LOOKS_COLOUR)))
BOTH: dict[Kind, int] = {"wearer looks at face": 0, "mutual": 1}
BOTH_CODES = (("wearer looks at the face", WEARER_COLOUR), ("both", hex_of(PREDICTED_COLOUR)))


def predicted_faces(answers: Answers, recording: Recording, *, key: str) -> list[Lane]:
    """A row for each face: the probability that it looks, when it does, and where there is gaze, when both do."""
    lanes = []
    for number, (name, face) in enumerate(by_face(answers).items()):
        looking, box = face["looking"].astype(np.float64), face["box"].astype(np.float64)
        raw = face["looking_raw" if "looking_raw" in face.names else "looking"].astype(np.float64)
        lanes.append(_lane((f"{key}-face-{number}", name, key), face.time_s, box, looking, recording, raw=raw))
    return lanes


def recorded_faces(recording: Recording) -> list[Lane]:
    """The same of the faces that the recording came with, by its own labels."""
    return [
        _lane((f"face-{number}", face.name, OF_RECORDING), face.time_s, face.box, _labels(face), recording)
        for number, face in enumerate(recording.faces or ())
    ]


def faces_message(recording: Recording) -> dict[str, np.ndarray]:
    """All boxes of the recording's own faces in time order: time_s, box, looking (NaN: not known), who."""
    faces = recording.faces or ()
    time_s = np.concatenate([np.zeros(0), *(face.time_s for face in faces)])
    order = np.argsort(time_s, kind="stable")
    who = np.concatenate([np.zeros(0, np.uint16), *(np.full(len(f.time_s), k, np.uint16) for k, f in enumerate(faces))])
    box = np.concatenate([np.zeros((0, 4)), *(face.box for face in faces)])
    looking = np.concatenate([np.zeros(0), *map(_labels, faces)])
    return {
        "time_s": time_s[order],
        "box": box[order].astype(np.float32),
        "looking": looking[order].astype(np.float32),
        "who": who[order],
    }


def _labels(face: FaceTrack) -> Float64[np.ndarray, "n"]:
    return np.where(face.looking_known, face.looking.astype(np.float64), np.nan)


def _lane(
    face: tuple[str, str, str],
    time_s: Float64[np.ndarray, "n"],
    box: Float64[np.ndarray, "n 4"],
    looking: Float64[np.ndarray, "n"],
    recording: Recording,
    *,
    raw: Float64[np.ndarray, "n"] | None = None,
) -> Lane:
    """Of a face: the row's key, the face's name, and whose row it is. `raw`: before smoothing; None for labels."""
    key, name, of = face
    there = stretches(time_s, np.isfinite(box[:, 0]), min_s=0.0)
    looks = stretches(time_s, np.nan_to_num(looking) >= LOOKS_FROM)
    bands = [
        band("face", FACE_CODES, [(s.start_s, s.end_s, IN_VIEW) for s in there]),
        band("face", FACE_CODES, [(s.start_s, s.end_s, LOOKS) for s in looks]),
    ]
    if recording.gaze is not None:
        found = mutual_gaze(time_s, box, looking, recording.gaze, error=gaze_error(recording.camera), raw=raw)
        for kind, code in BOTH.items():
            spans = [(e.start_s, e.end_s, code) for e in found if e.kind == kind]
            bands.append(band("gaze at each other", BOTH_CODES, spans))
    lines = [] if raw is None else [line("probability that the face looks", "ink", time_s, looking)]
    return Lane(key=key, name=name, of=of, lines=lines, bands=bands)
