"""Ego4D's annotation of faces: av_train.json and av_val.json, as distributed for audio-visual diarisation.

{"videos": [{"video_uid": ..., "clips": [{
    "clip_uid": ..., "video_start_sec": 0.0, "video_end_sec": 300.0,      (or parent_start_sec, parent_end_sec)
    "persons": [{"person_id": "0", ...},                                  the wearer, who is never in view
                {"person_id": "1", "tracking_paths": [{"track_id": ..., "track": [
                    {"frame": 12, "x": 801.0, "y": 330.5, "width": 96.0, "height": 121.0}, ...]}]}],
    "social_segments_looking": [{"person": "1", "start_frame": 12, "end_frame": 80}]}]}]}
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from regard.errors import FileError

WANTED = "Ego4D's annotation of audio-visual diarisation: videos, their clips, persons, tracking_paths"
DO = "download it again, or leave it out"
BOX = ("frame", "x", "y", "width", "height")


class Boxes(NamedTuple):
    """One track as annotated: n boxes in pixels of the video, in whatever order they stand in the file."""

    person: str
    track: str
    row: Float64[np.ndarray, "n 5"]
    """Frame, left, top, width, height; NaN where a box lacks one."""


class Looks(NamedTuple):
    """Frames in which a person looks at the wearer, both ends included."""

    person: str
    first: int
    last: int


class ClipFacts(NamedTuple):
    """What is annotated of one clip."""

    uid: str
    video: str
    """The longer video that it was cut from."""
    start_s: float
    """Where in that."""
    boxes: tuple[Boxes, ...]
    looks: tuple[Looks, ...]


def read_annotations(path: Path) -> dict[str, ClipFacts]:
    """The clips of one of the files, by uid, in its order. Raises FileError for anything that cannot be what it claims.

    Boxes become numbers while the file is read, which takes a tenth of the memory: there are millions.
    """
    try:
        about = json.loads(path.read_text(encoding="utf-8"), object_hook=_compact)
        clips = list(_clips(about))
    except OSError as problem:
        raise FileError(path, found=str(problem.strerror or problem), wanted=WANTED, do=DO) from problem
    except RecursionError as problem:
        raise FileError(path, found="JSON that is nested too deep", wanted=WANTED, do=DO) from problem
    except (ValueError, OverflowError) as problem:
        raise FileError(path, found=f"no such JSON: {str(problem)[:200]}", wanted=WANTED, do=DO) from problem
    except (KeyError, TypeError, AttributeError) as problem:
        found = f"{type(problem).__name__}: {problem}"
        raise FileError(path, found=found, wanted=WANTED, do=DO) from problem
    uids = [clip.uid for clip in clips]
    if len(set(uids)) < len(uids):
        twice = next(uid for uid in uids if uids.count(uid) > 1)
        raise FileError(path, found=f"the clip {twice} twice", wanted="each clip once", do=DO)
    return {clip.uid: clip for clip in clips}


def _compact(made: dict[str, Any]) -> Any:
    if "track" in made and isinstance(made["track"], list):
        rows = [box if isinstance(box, tuple) else (np.nan,) * len(BOX) for box in made["track"]]
        return made | {"track": np.array(rows, np.float64).reshape(-1, len(BOX))}
    if "width" in made and "height" in made and "x" in made and "y" in made:
        return tuple(np.nan if (value := made.get(name)) is None else float(value) for name in BOX)
    return made


def _clips(about: Any) -> Iterator[ClipFacts]:
    for video in about["videos"]:
        for clip in video["clips"]:
            uid = str(clip["clip_uid"])
            start_s = clip.get("video_start_sec", clip.get("parent_start_sec"))
            if start_s is None:
                raise KeyError(f"video_start_sec or parent_start_sec of the clip {uid}")
            boxes = tuple(
                Boxes(person=str(person["person_id"]), track=str(path["track_id"]), row=path["track"])
                for person in clip["persons"][1:]
                for path in person.get("tracking_paths") or ()
            )
            tracks = [track for _, track, _ in boxes]
            if len(set(tracks)) < len(tracks):
                twice = next(track for track in tracks if tracks.count(track) > 1)
                raise ValueError(f"the clip {uid} has the track {twice} twice")
            looks = tuple(
                Looks(str(s["person"]), int(s["start_frame"]), int(s["end_frame"]))
                for s in clip.get("social_segments_looking") or ()
                if s.get("person") is not None
            )
            yield ClipFacts(uid=uid, video=str(video["video_uid"]), start_s=float(start_s), boxes=boxes, looks=looks)
