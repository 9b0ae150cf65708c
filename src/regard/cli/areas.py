"""`regard areas PATH --areas FILE`: which areas of interest were looked at: tables, a page, a figure, a film."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from regard.cli.console import frames_progress, heading, remarks, table, wrote
from regard.cli.options import add_film, add_movements, add_out, add_recordings, command, look_at
from regard.cli.results import results_folder
from regard.cli.study import many, study_of
from regard.engine.area_scores import AreaScores
from regard.engine.areas import areas
from regard.engine.study.kept import Told
from regard.errors import FileError, RecipeError, RegardError
from regard.io.areas.files import KINDS, read_areas, write_areas
from regard.io.files import make_folder, writing
from regard.io.finding import RecordingCheck
from regard.io.recording import open_recording, open_video
from regard.io.study_list import StudyList
from regard.io.tables import write_table
from regard.metrics.by_condition import hint_of_few
from regard.types import Recording
from regard.viz.areas_page import areas_page
from regard.viz.film import film

TABLE, TRANSITIONS, FIXATIONS, USED, FIGURE, FILM, PAGE = (
    "areas.csv", "transitions.csv", "area_fixations.csv", "areas.json", "areas.svg", "areas.mp4", "areas.html",
)  # fmt: skip
NUMBERS = ["dwell_share", "fixations", "mean_fixation_s", "first_fixation_s", "visits"]
"""Of each area and recording, by which conditions are compared."""
COLUMN = "areas"
"""Of a study's list: the areas file of each recording."""
TO_DRAW_ON, NUM_FRAMES = "frames", 8


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, which areas, how fixations are told, and where to."""
    add_recordings(parser)
    add_out(parser)
    parser.add_argument(
        "--areas",
        type=Path,
        metavar="FILE",
        help=f"{KINDS}; a study's list may name one for each recording in a column `{COLUMN}`. Without any, frames are "
        "written that can be drawn on",
    )
    parser.add_argument(
        "--segments", metavar="KIND", help="score each of the recording's segments of this kind for itself"
    )
    add_movements(parser)
    add_film(parser)


def run(options: Namespace) -> int:
    """Score the areas and say what was found; without areas, write frames to draw them on."""
    study = study_of(options)
    if study is not None:
        own = _own_files(study, options.areas)
        _require_readable(study, own, options)
        return many(study, options, partial(told, own), verb="areas", beside=own, more=["transitions"])
    recording = open_recording(options.path, min_confidence=options.min_confidence)
    remarks(recording.notes)
    if options.areas is None:
        return _to_draw_on(recording, options)
    read_areas(options.areas, recording)
    look = "" if recording.video is None else look_at(options.path, options.out)
    with results_folder(options, recording) as folder:
        _require_apart(options.areas, folder)
        found = _scored(recording, options, options.areas)
        remarks([found.protocol])
        heading(f"areas of {recording.id}")
        table(found.shown)
        files = _written(found, folder, with_film=options.film is not False, made_by=options.said, look=look)
    remarks([hint_of_few(1)])
    wrote(files, then=command("events", options.path), look=look)
    return 0


def told(own: Mapping[str, Path], options: Namespace, recording: Recording, _: RecordingCheck, folder: Path) -> Told:
    """The same of a study's recording; its numbers are the areas', such as `phone dwell_share`."""
    found = _scored(recording, options, own[recording.id])
    path = recording.id if recording.video is None else recording.video.path
    made_by = command("areas", path, "--areas", own[recording.id])
    _written(found, folder, with_film=bool(options.film), made_by=made_by)
    numbers = {}
    for area, rows in found.table.groupby("area", sort=False):
        numbers |= {f"{area} {name}": _mean(rows[name].to_numpy(np.float64, na_value=np.nan)) for name in NUMBERS}
    return Told(numbers=numbers, table=found.table, more={"transitions": found.transitions})


def _mean(values: np.ndarray) -> float:
    """Of those that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _scored(recording: Recording, options: Namespace, file: Path) -> AreaScores:
    with frames_progress("head's turns") as bar:
        return areas(
            recording,
            file,
            segments=options.segments,
            watched=options.watched,
            look=not options.no_look,
            recorded=options.recorded,
            field_deg=options.field_deg,
            progress=bar,
        )


def _written(found: AreaScores, folder: Path, *, with_film: bool, made_by: str, look: str = "") -> list[Path]:
    files = [folder / name for name in (TABLE, TRANSITIONS, FIXATIONS, USED, FIGURE)]
    for frame, file in zip((found.table, found.transitions, found.fixations), files, strict=False):
        write_table(frame, file)
    write_areas(found.areas, folder / USED)
    found.figure(folder / FIGURE)
    with_film = with_film and found.recording.video is not None
    page = areas_page(
        found.recording,
        folder / PAGE,
        table=found.table,
        protocol=found.protocol,
        figure=folder / FIGURE,
        film=folder / FILM if with_film else None,
        files=files,
        command=made_by,
        look=look,
    )
    files.insert(0, page)
    if with_film:
        files.append(folder / FILM)
        with frames_progress("film") as bar:
            film(found.recording, None, files[-1], areas=found.areas, progress=bar)
    return files


def _own_files(study: StudyList, given: Path | None) -> dict[str, Path]:
    """The areas file of each recording by its id: the list's own, else the one for all."""
    cells = list(study.columns[COLUMN].astype(str)) if COLUMN in study.columns else [""] * len(study)
    files = {
        one.id: study.where.parent / os.path.expanduser(cell) if cell else given
        for one, cell in zip(study.recordings, cells, strict=True)
    }
    without = [name for name, file in files.items() if file is None]
    if without:
        raise RecipeError(
            f"--areas of {study.name}",
            found=f"no areas for {', '.join(without[:3])}{' ...' * (len(without) > 3)}",
            wanted=f"areas: {KINDS}",
            do=f"give --areas, or a column `{COLUMN}` in a csv list; `regard areas` of one recording writes frames to "
            "draw on",
        )
    return {name: file.absolute() for name, file in files.items() if file is not None}


def _require_readable(study: StudyList, own: Mapping[str, Path], options: Namespace) -> None:
    """Raise what reading the areas for all raises, where none of the recordings that it is for can take them."""
    if options.areas is None:
        return
    given, refused = options.areas.absolute(), None
    for one in study.recordings:
        if own[one.id] != given:
            continue
        try:
            recording = open_recording(one.path, min_confidence=options.min_confidence)
        except RegardError:  # told when its turn comes
            continue
        try:
            read_areas(given, recording)
        except RegardError as error:
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


def _require_apart(given: Path, folder: Path) -> None:
    """Raise FileError where the areas' own file would be written over."""
    if given.resolve() in [(folder / name).resolve() for name in (TABLE, USED)]:
        raise FileError(
            given,
            found="areas in a file that the results would be written over",
            wanted="another folder for these",
            do="name one with --out",
        )


def _to_draw_on(recording: Recording, options: Namespace) -> int:
    """Write whole frames spread evenly over the recording, named by their times."""
    if recording.video is None:
        raise FileError(
            recording.id,
            found="no areas, and no video to draw them on",
            wanted=f"areas: {KINDS}",
            do="give --areas FILE, drawn on a picture of what was looked at",
        )
    with closing(open_video(recording.video)) as video:
        times_s = video.times_s
    count = min(NUM_FRAMES, len(times_s))
    picked_s = times_s[((np.arange(count) + 0.5) / count * len(times_s)).astype(int)]
    files = []
    with results_folder(options, recording) as folder:
        frames = folder / TO_DRAW_ON
        make_folder(frames)
        for time_s, picture in recording.frames(picked_s):
            files.append(frames / f"{time_s:09.3f}s.jpg")
            with writing(files[-1]) as part:
                Image.fromarray(picture).save(part, "JPEG", quality=92)
    remarks(["no areas were given: draw them on these frames with LabelMe, which saves a .json beside each one"])
    wrote(files, then=command("areas", options.path, "--areas", frames))
    return 0
