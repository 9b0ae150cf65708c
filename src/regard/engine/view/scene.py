"""All that the page shows of one recording: what it has to know beforehand, and messages of numbers when it asks."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from regard.engine.view.areas import about_areas, areas_message
from regard.engine.view.contact import faces_message, predicted_faces, recorded_faces
from regard.engine.view.found import Found
from regard.engine.view.gaze import CHUNK_S, chunk_of, events_message, lanes_of, told
from regard.engine.view.lanes import Lane
from regard.engine.view.packed import packed
from regard.types import GazeTrack, Recording

COLUMNS = 4000
"""Of a timeline at most: no screen has more."""
Message = Callable[[int], dict[str, np.ndarray]]


class Scene:
    """A recording, and what was found about it. `end_s`: when its video ends.

    Messages are asked for by names that `about` tells, and by numbers; another name or number is a LookupError.
    """

    def __init__(self, recording: Recording, found: Found, *, end_s: float) -> None:
        self.end_s = end_s
        self.found = found
        self.recording, self.events, self.events_told = told(recording, found.events)

    @cached_property
    def lanes(self) -> Mapping[str, Lane]:
        """The timeline's rows by their keys, in order."""
        lanes = lanes_of(self.recording, self.events, end_s=self.end_s) + recorded_faces(self.recording)
        for run in self.found.runs:
            if run.answers is not None:
                lanes += run.answers.lanes()
                if "looking" in run.answers.answers.names:
                    lanes += predicted_faces(run.answers.answers, self.recording, key=run.key)
            if run.scores is not None:
                lanes += run.scores.lanes()
        return {lane.key: lane for lane in lanes}

    @cached_property
    def _tracks(self) -> dict[str, GazeTrack]:
        """The wearer's gaze, and that of others who watched, by the names of their messages."""
        own = {} if self.recording.gaze is None else {"gaze": self.recording.gaze}
        return own | {f"other{k}": track for k, track in enumerate(self.recording.others.values())}

    def about(self) -> dict[str, Any]:
        """What the page has to know beforehand."""
        recording, gaze = self.recording, self.recording.gaze
        return {
            "id": recording.id,
            "subject": recording.subject,
            "end_s": self.end_s,
            "chunk_s": CHUNK_S,
            "notes": [*recording.notes, *self.found.notes],
            "gaze": None if gaze is None else _about(gaze),
            "others": list(recording.others),
            "events": None if self.events is None else len(self.events),
            "events_told": self.events_told,
            "faces": None if recording.faces is None else [face.name for face in recording.faces],
            "areas": about_areas(self.found.areas) if self.found.areas else None,
            "segments": [[s.start_s, s.end_s, s.kind, s.name or s.kind] for s in recording.segments],
            "runs": [
                {
                    "key": run.key,
                    "name": run.name,
                    "answers": None if run.answers is None else run.answers.about(),
                    "scores": None if run.scores is None else run.scores.about(),
                }
                for run in self.found.runs
            ],
            "lanes": [lane.about() for lane in self.lanes.values()],
        }

    def chunk(self, name: str, number: int) -> bytes:
        """A stretch of gaze ("gaze", "other0", ...), of a run's answers ("run0", ...) or scores ("run0-score", ...)."""
        return packed(self._messages[name](number))

    def whole(self, name: str) -> bytes:
        """What is sent at once: "events", "faces" or "areas"."""
        if name == "events" and self.events is not None:
            return packed(events_message(self.events))
        if name == "faces" and self.recording.faces is not None:
            return packed(faces_message(self.recording))
        if name == "areas" and self.found.areas:
            return packed(areas_message(self.found.areas))
        raise LookupError(name)

    def timeline(self, from_s: float, until_s: float, columns: int) -> bytes:
        """All rows between two moments, for a screen of so many columns."""
        if not (np.isfinite([from_s, until_s]).all() and until_s > from_s and 1 <= columns <= COLUMNS):
            raise LookupError(f"{columns} columns from {from_s} to {until_s} s")
        arrays = {}
        for lane in self.lanes.values():
            arrays |= lane.shown(from_s, until_s, columns)
        return packed(arrays)

    @cached_property
    def _messages(self) -> Mapping[str, Message]:
        messages: dict[str, Message] = {
            name: lambda number, track=track: chunk_of(track, number) for name, track in self._tracks.items()
        }
        for run in self.found.runs:
            if run.answers is not None:
                messages[run.key] = run.answers.chunk
            if run.scores is not None:
                messages[run.scores.key] = run.scores.chunk
        return messages


def _about(gaze: GazeTrack) -> dict[str, Any]:
    return {
        "measurements": len(gaze),
        "interval_s": float(np.nan_to_num(gaze.interval_s)),  # JSON has no NaN
        "states": sorted(set(gaze.state.tolist())),
    }
