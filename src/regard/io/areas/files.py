"""Reading and writing areas of interest, whatever they were drawn with: regard.read_areas, regard.write_areas."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from regard.area import Area, require_names
from regard.errors import FileError, TableError
from regard.io.areas.cvat import read_cvat
from regard.io.areas.drawn import Picture, areas_of
from regard.io.areas.json_file import read_areas_json, read_labelme_folder, write_areas_json
from regard.io.areas.table import read_areas_table, write_areas_table
from regard.io.given import recording_of
from regard.io.recording import open_video
from regard.ops.states import span_of
from regard.types import Recording

KINDS = "a csv table, regard's or LabelMe's .json, CVAT's .xml, or a folder of LabelMe's files"


def read_areas(path: Path | str, recording: Recording | Path | str | None = None) -> tuple[Area, ...]:
    """The areas of a file: a csv table, JSON, LabelMe's files, or CVAT's XML: regard.read_areas.

    `recording` says how large the picture is and when it ends: needed for areas in pixels by csv and for CVAT's, and
    checked with all. See docs/areas.md for the forms. Raises AreaError, TableError, ClockError or FileError that name
    the file and the row or shape.

    Examples:
        >>> half = regard.Area.box("left half", 0.0, 0.0, 0.5, 1.0)
        >>> regard.read_areas(regard.write_areas([half], "areas.json"))
        (Area 'left half' of 4 corners, throughout,)
    """
    path = Path(os.path.expanduser(path))
    picture = Picture() if recording is None else picture_of(recording_of(recording))
    readers = {".csv": read_areas_table, ".json": read_areas_json, ".xml": read_cvat}
    if path.is_dir():
        return areas_of(read_labelme_folder(path, picture), picture)
    if not path.exists():
        raise FileError(path, found="no such file or folder", wanted=KINDS, do="check the path")
    if (read := readers.get(path.suffix.lower())) is None:
        raise FileError(path, found=f"a file named *{path.suffix}", wanted=KINDS, do="name one of these")
    areas = areas_of(read(path, picture), picture)
    if not areas:
        raise FileError(path, found="no areas", wanted="at least one", do="draw some")
    return areas


def write_areas(areas: Sequence[Area], path: Path | str) -> Path:
    """Write areas that `read_areas` reads again as they are, as .csv or .json by name; returns the path.

    Raises AreaError for no areas, and for two of one name.

    Examples:
        >>> half = regard.Area.box("left half", 0.0, 0.0, 0.5, 1.0)
        >>> regard.write_areas([half], "areas.csv").name
        'areas.csv'
    """
    require_names(areas)
    path = Path(path)
    if path.suffix == ".csv":
        write_areas_table(areas, path)
    elif path.suffix == ".json":
        write_areas_json(areas, path)
    else:
        raise TableError(path, found=f"the suffix {path.suffix!r}", wanted=".csv or .json", do="choose one of these")
    return path


def picture_of(recording: Recording) -> Picture:
    """What is known of the recording that areas are about."""
    gaze, camera = recording.gaze, recording.camera
    if recording.video is None:
        end_s = np.inf if gaze is None or not len(gaze) else span_of(gaze)[1]
        return Picture(size=None if camera is None else (camera.height, camera.width), end_s=end_s)
    with closing(open_video(recording.video)) as video:
        times_s, size = video.times_s, video.size
    usual_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    return Picture(size=size, times_s=times_s, end_s=float(times_s[-1]) + usual_s)
