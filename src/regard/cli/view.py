"""`regard view RECORDING [RUN...]`: a page that goes through a recording with all that is known about its moments."""

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from regard.cli.options import add_recording, add_serving, serving_of

if TYPE_CHECKING:
    from regard.page.serving import Serving


def add_arguments(parser: ArgumentParser) -> None:
    """Which recording, what is shown with it, and where it is served."""
    add_recording(parser)
    parser.add_argument(
        "runs",
        nargs="*",
        type=Path,
        metavar="RUN",
        help="a folder that predict, evaluate, events, areas or live --save wrote, or a table in it (default: what "
        "lies in regard-out/<recording>)",
    )
    parser.add_argument(
        "--areas",
        type=Path,
        metavar="FILE",
        help="areas of interest to draw, as `regard areas` takes them (default: areas.json in a RUN, or in the "
        "recording's folder)",
    )
    add_serving(parser)


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    with serving_of(options) as page:
        _start(options, page)
        print("Ctrl-C ends it", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print()
    return 0


def _start(options: Namespace, page: "Serving") -> None:
    from dataclasses import replace

    from regard.cli.console import frames_progress, out, remarks
    from regard.cli.results import results_of
    from regard.engine.live.saving import is_live_run, recorded
    from regard.engine.view.found import AREAS, found_in
    from regard.engine.view.playable import playable
    from regard.engine.view.scene import Scene
    from regard.io.areas.files import read_areas
    from regard.io.recording import open_recording
    from regard.page.serving import page_routes
    from regard.page.view import view_routes

    runs = list(options.runs)
    if is_live_run(Path(options.path)):
        runs.insert(0, Path(options.path))
        recording = recorded(runs[0], min_confidence=options.min_confidence)
    else:
        recording = open_recording(options.path, min_confidence=options.min_confidence)
    if not runs and (usual := results_of(recording)) is not None:
        runs = [usual]
    found = found_in(runs, recording)
    beside = Path(options.path) / AREAS
    if options.areas is not None or (not found.areas and beside.is_file()):
        found = replace(found, areas=read_areas(options.areas or beside, recording))
    with frames_progress("a copy for the browser") as bar:
        video = playable(recording, progress=bar)
    scene = Scene(recording, found, end_s=float(video.taken_s[-1]))
    remarks(scene.recording.notes)
    remarks(found.notes)
    if video.copied:
        remarks([f"browsers do not play {video.copied}: a copy was made, which is kept at {video.path}"])
    page.start([*page_routes("view.html"), *view_routes(scene, video)])
    shown = ", ".join(run.name for run in found.runs)
    out.print(f"[bold]{page.url}[/]  {recording.id}" + (f" with {shown}" if shown else ""), soft_wrap=True)
