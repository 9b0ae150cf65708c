"""Work on all recordings of a study: what is finished stays so, what is broken is listed and the others go on."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from regard import __version__
from regard.engine.study.kept import Note, Stamp, Told, folder_of, keeping, read_note, stamp_of, write_note
from regard.errors import DeviceError, FileError, RecipeError, RegardError, WeightsError
from regard.io.check import check_recording
from regard.io.files import make_folder
from regard.io.finding import RecordingCheck
from regard.io.recording import open_recording, open_video
from regard.io.study_list import Listed, StudyList
from regard.ops.states import lost_share, off_screen_share, span_of
from regard.prepare.pool import Engine, ended_on, finished
from regard.types import Recording
from regard.viz.contact import PICTURE, write_picture

Tell = Callable[[Recording, RecordingCheck, Path], Told]
"""What a verb does with one recording: it writes its pages and films into the folder, and returns what it says."""

OF_ALL = (RecipeError, WeightsError, DeviceError)
"""Mistakes that are not a recording's: the first one ends the study."""


OF_VIDEO = ("num_frames", "width", "height", "frame_rate_hz")
"""Facts that are NaN without a video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is done with each recording, by a process that may be another one. `settings` is all that changes it.

    `beside` are files that are also read for a recording, by its id.
    """

    tell: Tell
    verb: str
    out: Path
    settings: str
    min_confidence: float
    beside: Mapping[str, Path] = field(default_factory=dict)
    thorough: bool = False
    debug: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one call did, by recording id; `notes` are of all that are done, `failed` what is wrong with the others."""

    notes: Mapping[str, Note]
    already: frozenset[str]
    failed: Mapping[str, RegardError]


def settings_of(options: Mapping[str, object]) -> str:
    """All that changes what is made, as text: this version, the options, the state of files and folders they name."""
    files = {}
    for name, value in options.items():
        path = Path(value) if isinstance(value, str | Path) and str(value) else None
        if path is not None and path.exists():
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
            files[name] = [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in inside if f.is_file()]
    return json.dumps({"regard": __version__, **options, "files": files}, default=str, sort_keys=True)


def run_study(
    study: StudyList,
    job: Job,
    *,
    engine: Engine = "processes",
    jobs: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Done:
    """Do the job on each recording that is not done yet, or whose files or settings have changed since.

    In so many `jobs` at once (None: one on each usable core), or by a Ray cluster whose machines share the disk. `say`
    gets a line for each. Raises what is no recording's fault: a mistake in the options, a folder not to be written to.
    """
    make_folder(job.out)
    kept = {one.id: _kept(one, job) for one in study.recordings}
    missing = [one for one in study.recordings if kept[one.id] is None]
    failed: dict[str, RegardError] = {}
    work = partial(_attempt, job=job)
    attempts = finished(
        work, missing, ended=lambda one: ended_on(one.path), engine=engine, workers=jobs, start_method="spawn"
    )
    for count, (number, error) in enumerate(attempts, 1):
        one = missing[number]
        if error is not None:
            failed[one.id] = error
        say(f"{count}/{len(missing)} {one.id}: {'done' if error is None else f'{error.where}: {error.found}'}")
    notes = {one.id: kept[one.id] or read_note(folder_of(job.out, one, job.verb)) for one in study.recordings}
    return Done(
        notes={name: note for name, note in notes.items() if note is not None and name not in failed},
        already=frozenset(name for name, note in kept.items() if note is not None),
        failed=failed,
    )


def _kept(one: Listed, job: Job) -> Note | None:
    note = read_note(folder_of(job.out, one, job.verb))
    fits = note is not None and note.settings == job.settings and note.source == _source(one, job)
    return note if fits else None


def _source(one: Listed, job: Job) -> Stamp:
    beside = job.beside.get(one.id)
    files = [] if beside is None else sorted(beside.iterdir()) if beside.is_dir() else [beside]
    more = [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]
    return stamp_of(one.path, without=job.out) + more


def _attempt(one: Listed, *, job: Job) -> RegardError | None:
    """Do one recording. What is wrong with it is returned; what is wrong with the options or the disk is raised."""
    cv2.setNumThreads(1)  # on pictures this small, two take a third more time of the processor and save none
    folder = folder_of(job.out, one, job.verb)
    try:
        with keeping(folder) as made:
            _do(one, job, made)
    except OF_ALL:
        raise
    except RegardError as error:
        if job.debug or job.out in Path(error.where).parents:
            raise
        return error
    except Exception as error:  # regard's own mistake about one recording: told, and the others are done
        if job.debug:
            raise
        return FileError(
            one.path,
            found=f"{type(error).__name__}: {error}",
            wanted="a recording that regard can work on",
            do=f"see where it happens with `regard {job.verb} {one.path} --debug`, and report it",
        )
    return None


def _do(one: Listed, job: Job, made: Path) -> None:
    source = _source(one, job)
    recording = replace(open_recording(one.path, min_confidence=job.min_confidence), id=one.id)
    found = check_recording(recording, thorough=job.thorough)
    told = job.tell(recording, found, made)
    facts: dict[str, Any] = {}
    if not any(finding.name == "picture" and finding.level == "unusable" for finding in found.findings):
        facts = facts_of(recording)
        if recording.video is not None:
            write_picture(recording, made / PICTURE)
    note = Note(
        source=source,
        settings=job.settings,
        facts=facts,
        findings=(*found.findings, *told.findings),
        numbers=dict(told.numbers),
        is_usable=found.usable,
    )
    write_note(made, note, told)


def facts_of(recording: Recording) -> dict[str, Any]:
    """What every table of recordings says: the video's length, size and rate, the gaze's rate, and how much is valid.

    `gaze_valid_share` is the share of the video's time with valid gaze, `gaze_off_screen_share` that of the valid
    measurements. NaN where there is no gaze, or no time. Without a video, the time is that of the gaze.
    """
    gaze, nothing = recording.gaze, float("nan")
    if recording.video is None and gaze is not None:
        (start_s, end_s), of_video = span_of(gaze), dict.fromkeys(OF_VIDEO, nothing)
        lasts_s = end_s - start_s
    else:
        with closing(open_video(recording.require_video())) as video:
            times_s, (height, width) = video.times_s, video.size
        usual_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else nothing
        start_s, end_s = 0.0, float(times_s[-1])
        lasts_s = end_s + np.nan_to_num(usual_s)
        of_video = dict(zip(OF_VIDEO, (len(times_s), width, height, 1 / usual_s), strict=True))
    some = gaze if gaze is not None and len(gaze) > 1 else None
    span = {"start_s": start_s, "end_s": end_s}
    return {
        "duration_s": lasts_s,
        **of_video,
        "gaze_rate_hz": nothing if some is None else 1 / some.interval_s,
        "gaze_valid_share": nothing if some is None else 1 - lost_share(some, **span),
        "gaze_off_screen_share": nothing if some is None else off_screen_share(some, **span),
    }
