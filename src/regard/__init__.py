"""regard: human gaze in video. Open a recording, say where its wearer looks, score the answer, show it.

    rec = regard.open("my_recording/")
    pred = regard.predict(rec, model="saliency")
    print(regard.evaluate(rec, pred))
    regard.film(rec, pred, "film.mp4")

The nouns come with the package; everything that needs torch, FFmpeg or pandas is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from regard.area import Area
from regard.errors import RegardError
from regard.prediction import Prediction
from regard.types import (
    Camera,
    Clip,
    FaceTrack,
    GazeState,
    GazeTrack,
    HandTrack,
    MediaStream,
    Recording,
    Segment,
)

if TYPE_CHECKING:
    from regard.batch import Batch, Sample
    from regard.engine.areas import areas
    from regard.engine.evaluate import evaluate
    from regard.engine.events import eye_movements, fixations
    from regard.engine.predict import predict
    from regard.io.areas.files import read_areas, write_areas
    from regard.io.check import check_recording as check
    from regard.io.media.video import Video
    from regard.io.recording import open_recording as open
    from regard.io.study_list import study
    from regard.viz.film import film
    from regard.viz.heatmap import heatmap
    from regard.viz.report import report
    from regard.viz.scanpath import scanpath_figure as scanpath

__version__ = "0.1.0.dev0"

__all__ = [
    "Area",
    "Batch",
    "Camera",
    "Clip",
    "FaceTrack",
    "GazeState",
    "GazeTrack",
    "HandTrack",
    "MediaStream",
    "Prediction",
    "Recording",
    "RegardError",
    "Sample",
    "Segment",
    "Video",
    "areas",
    "check",
    "evaluate",
    "eye_movements",
    "film",
    "fixations",
    "heatmap",
    "open",
    "predict",
    "read_areas",
    "report",
    "scanpath",
    "study",
    "write_areas",
]

_LAZY = {
    "Batch": ("regard.batch", "Batch"),
    "Sample": ("regard.batch", "Sample"),
    "Video": ("regard.io.media.video", "Video"),
    "areas": ("regard.engine.areas", "areas"),
    "check": ("regard.io.check", "check_recording"),
    "evaluate": ("regard.engine.evaluate", "evaluate"),
    "eye_movements": ("regard.engine.events", "eye_movements"),
    "film": ("regard.viz.film", "film"),
    "fixations": ("regard.engine.events", "fixations"),
    "heatmap": ("regard.viz.heatmap", "heatmap"),
    "open": ("regard.io.recording", "open_recording"),
    "predict": ("regard.engine.predict", "predict"),
    "read_areas": ("regard.io.areas.files", "read_areas"),
    "report": ("regard.viz.report", "report"),
    "scanpath": ("regard.viz.scanpath", "scanpath_figure"),
    "study": ("regard.io.study_list", "study"),
    "write_areas": ("regard.io.areas.files", "write_areas"),
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'regard' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
