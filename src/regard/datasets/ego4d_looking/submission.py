"""What the challenge's server takes (EvalAI 1624): a score for each picture of the test split, as JSON."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from regard.datasets.ego4d_looking.tracks import RATE_HZ
from regard.errors import FileError
from regard.io import writing
from regard.io.media.pictures import numbered
from regard.prediction import Prediction
from regard.types import Recording

__all__ = ["write_looking_submission"]


def write_looking_submission(
    file: Path | str, recordings: Iterable[Recording], answers: Mapping[str, Prediction]
) -> Path:
    """Write the scores of the test split's recordings, from the answers about each, by the recordings' ids.

    An answer is the probability that the face looks ("looking") at a moment. Raises FileError for a picture that none
    is about, and for answers about other recordings.
    """
    file, results = Path(file), []
    known = list(recordings)
    if strangers := sorted(set(answers) - {r.id for r in known}):
        raise FileError(
            file,
            found=f"answers about {strangers[0]}, which is none of the {len(known)} tracks of the test split",
            wanted="answers about the tracks of the challenge",
            do='take those of Ego4DLooking(root).recordings("test")',
        )
    for recording in known:
        pictures = numbered(recording.require_video().path)
        frame = np.array([number for number, _ in pictures]) - pictures[0][0]
        told = answers.get(recording.id)
        times_s, looking = (np.zeros(0), np.zeros(0)) if told is None else (told.time_s, told["looking"])
        score = dict(zip(np.rint(times_s * RATE_HZ).astype(int).tolist(), looking.tolist(), strict=True))
        if lacking := [path for number, (_, path) in zip(frame.tolist(), pictures, strict=True) if number not in score]:
            raise FileError(
                lacking[0],
                found=f"no answer about it and {len(lacking) - 1} more of this track",
                wanted="an answer about each picture",
                do="ask about every frame, as FaceStretches does",
            )
        video, track = recording.id.split("/")
        for number, (_, path) in zip(frame.tolist(), pictures, strict=True):
            unique = path.stem.partition("_")[2]
            results.append(
                {"video_id": video, "unique_id": unique, "track_id": track, "label": 1, "score": score[number]}
            )
    with writing(file) as part:
        part.write_text(json.dumps({"version": "1.0", "challenge": "ego4d_looking_at_me", "results": results}))
    return file
