"""Whether recordings have what a task and its model need, before anything is read."""

from collections.abc import Sequence

from regard.batch import Field
from regard.clips.sound import Hearing
from regard.errors import RecipeError
from regard.types import Recording


def check_fields(recordings: Sequence[Recording], needs: frozenset[Field], sound: Hearing | None) -> None:
    """Raises RecipeError where recordings lack what is needed of them, or two have one id; FileError for no video."""
    ids = [r.id for r in recordings]
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise RecipeError(
            "recordings",
            found=f"two recordings with the id {twice!r}",
            wanted="an id of its own for each",
            do="rename one, or list it once",
        )
    for recording in recordings:
        if needs & {"gaze", "observed_gaze"} and recording.gaze is None:
            raise lacks(recording, "gaze", "no gaze track")
        if "flow" in needs and recording.flow is None:
            raise RecipeError(
                recording.id,
                found="no optical flow",
                wanted="flow beside the prepared videos, which the model reads",
                do="regard prepare RECIPE --out FOLDER, and then --data.prepared FOLDER",
            )
        if recording.video is None and recording.gaze is None:
            raise lacks(recording, "video", "neither video nor gaze")
        if "video" in needs:
            recording.require_video()
    if "sound" in needs and sound is None:
        raise RecipeError(
            "sound",
            found="no SoundWindows",
            wanted="how sound becomes windows, because the task or the model hears",
            do="put `sound: {}` into the recipe's data section; in Python, give a sound=SoundWindows()",
        )
    anywhere = "this recording" if len(recordings) == 1 else "this or any other recording"
    if "sound" in needs and recordings and all(r.audio is None for r in recordings):
        raise lacks(recordings[0], "sound", f"no sound in {anywhere}")
    if "faces" in needs and recordings and not any(r.faces for r in recordings):
        raise RecipeError(
            recordings[0].id,
            found=f"no face in {anywhere}",
            wanted="faces in view, found or given (an empty faces.csv says that nobody is), which it is asked about",
            do="put a faces.csv beside the video, or look for smaller ones (docs/own_video.md)",
        )


def lacks(recording: Recording, field: Field, found: str) -> RecipeError:
    """The error for a recording that lacks a field."""
    return RecipeError(
        recording.id,
        found=found,
        wanted=f"the field {field!r}, which the task or the model needs",
        do="choose a dataset that has it, or a task or model that does without",
    )
