"""A recording with a run about it, and its page."""

from collections.abc import Iterator

import numpy as np
import pytest
from walk import AREAS, SIZE, TIMES_S, grey, looked_at

from regard.engine.evaluate import evaluate
from regard.engine.view.found import found_in
from regard.engine.view.playable import playable
from regard.engine.view.scene import Scene
from regard.io import FilmWriter
from regard.io.areas.files import read_areas, write_areas
from regard.io.predictions import write_prediction
from regard.io.tables import write_table
from regard.page.serving import Serving, page_routes
from regard.page.view import view_routes
from regard.prediction import Prediction
from regard.types import GazeState, GazeTrack, MediaStream, Recording, Segment


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("walk")
    with FilmWriter(folder / "video.mp4", size=SIZE) as writer:
        for number, time_s in enumerate(TIMES_S.tolist()):
            writer.write(np.full((*SIZE, 3), grey(number), np.uint8), time_s)
    time_s = np.sort(np.unique(np.append(np.arange(0, TIMES_S[-1], 0.005), TIMES_S).round(4)))
    frame = np.searchsorted(TIMES_S, time_s + 1e-3, side="right") - 1
    gaze = GazeTrack(
        time_s=time_s,
        point=np.array([looked_at(k) for k in frame]),
        state=np.full(len(time_s), GazeState.FIXATION, np.int8),
    )
    segments = (Segment(start_s=1.0, end_s=2.0, kind="action", name="stir"),)
    video = MediaStream(path=folder / "video.mp4")
    return Recording(id="walk", subject="s1", video=video, gaze=gaze, segments=segments)


@pytest.fixture(scope="module")
def page(walk: Recording, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    run = tmp_path_factory.mktemp("run")
    logs = np.full((60, 24, 32), -20.0)
    logs[:, 5, 28] = 0.0  # at the top right, where no other mark is
    logs -= np.log(np.exp(logs).sum(axis=(1, 2), keepdims=True))
    said = Prediction(
        recording="walk",
        model="a model",
        time_s=TIMES_S,
        seen_until_s=TIMES_S,
        values={"log_density": logs.astype(np.float32)},
    )
    write_prediction(said, run / "a.parquet")
    write_table(evaluate(walk, said).items, run / "a_items.parquet")
    (run / "drawn.csv").write_text(AREAS)
    write_areas(read_areas(run / "drawn.csv", walk), run / "areas.json")
    scene = Scene(walk, found_in([run], walk), end_s=float(TIMES_S[-1]))
    with Serving(port=0) as serving:
        serving.start([*page_routes("view.html"), *view_routes(scene, playable(walk))])
        yield serving
