"""What lies in folders of runs is shown with its recording, and with no other."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regard.area import Area
from regard.engine.evaluate import evaluate
from regard.engine.live.saving import RUN
from regard.engine.view.found import found_in
from regard.errors import FileError, NothingToScoreError
from regard.io.areas.files import write_areas
from regard.io.files import OWNER
from regard.io.fingerprint import fingerprint
from regard.io.predictions import write_prediction
from regard.io.recording import open_recording
from regard.io.tables import write_table
from regard.prediction import Prediction
from regard.types import Recording

EVENTS = "kind,start_s,end_s,duration_s,amplitude_deg,peak_deg_s\nfixation,0,1,1,,\n"


@pytest.fixture
def recorded(tiny_world: Path) -> Recording:
    return open_recording(tiny_world)


def answers(recording: Recording) -> Prediction:
    time_s = np.arange(20) / 10
    return Prediction(
        recording=recording.id,
        model="middle",
        time_s=time_s,
        seen_until_s=time_s,
        values={"log_density": np.full((20, 8, 8), -np.log(64), np.float32)},
        source=fingerprint(recording.require_video().path),
    )


@pytest.fixture
def folder(tmp_path: Path, recorded: Recording) -> Path:
    write_prediction(answers(recorded), tmp_path / "run" / "middle.parquet")
    write_table(evaluate(recorded, answers(recorded)).items, tmp_path / "run" / "middle_items.parquet")
    return tmp_path / "run"


def test_answers_and_their_scores_are_one_run(folder: Path, recorded: Recording):
    found = found_in([folder], recorded)
    (run,) = found.runs
    assert run.name == "middle"
    assert run.answers is not None
    assert run.scores is not None
    about = run.scores.about()
    assert about["names"][0] == "nss"
    assert [lane.name for lane in run.scores.lanes()] == about["names"]
    items = pd.read_parquet(folder / "middle_items.parquet")
    np.testing.assert_allclose(run.scores.chunk(0)["nss"], items["nss"], rtol=1e-6)


def test_two_runs_of_one_model_are_told_apart(folder: Path, recorded: Recording, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "again")
    found = found_in(
        [folder, tmp_path / "again" / "middle.parquet", tmp_path / "again" / "middle_items.parquet"], recorded
    )
    assert [run.name for run in found.runs] == ["middle", "middle (2)", "middle (3)"]
    assert len({run.key for run in found.runs}) == 3


def test_items_of_many_recordings_show_those_of_this_one(tmp_path: Path, recorded: Recording):
    mine = pd.DataFrame({"recording": recorded.id, "time_s": [0.0, 0.1], "nss": [1.0, 2.0]})
    write_table(pd.concat([mine, mine.assign(recording="another", nss=9.0)]), tmp_path / "items.parquet")
    (run,) = found_in([tmp_path], recorded).runs
    assert run.name == tmp_path.name
    assert run.scores is not None
    assert run.scores.chunk(0)["nss"].tolist() == [1.0, 2.0]
    with pytest.raises(NothingToScoreError, match="scores of"):
        found_in([tmp_path], replace(recorded, id="a third"))


def test_a_run_about_another_recording_is_refused(folder: Path, recorded: Recording, tmp_path: Path):
    with pytest.raises(NothingToScoreError, match="a prediction about"):
        found_in([folder], replace(recorded, id="another"))
    world = shutil.copytree(recorded.require_video().path.parent, tmp_path / recorded.id)
    with (world / "video.mp4").open("ab") as video:
        video.write(bytes(8))
    with pytest.raises(NothingToScoreError, match="another video"):
        found_in([folder], open_recording(world))


def test_a_live_run_may_call_its_recording_by_another_name(folder: Path, recorded: Recording, tmp_path: Path):
    live = tmp_path / "live"
    write_prediction(replace(answers(recorded), recording="camera 0"), live / "middle.parquet")
    video = recorded.require_video().path
    (live / RUN).write_text(f'{{"recording": "{video}", "models": {{"middle": "middle.parquet"}}}}')
    assert len(found_in([live], recorded).runs) == 1
    (live / RUN).write_text('{"recording": "/elsewhere/video.mp4", "models": {}}')
    with pytest.raises(NothingToScoreError, match="elsewhere"):
        found_in([live], recorded)


def test_events_are_of_the_recording_that_their_folder_is_about(tmp_path: Path, recorded: Recording):
    (tmp_path / "events.csv").write_text(EVENTS)
    found = found_in([tmp_path], recorded)
    assert found.events is not None
    assert len(found.events) == 1
    (tmp_path / OWNER).write_text("/another/video.mp4")
    with pytest.raises(NothingToScoreError, match="another/video"):
        found_in([tmp_path], recorded)


def test_areas_lie_beside_what_else_was_told(folder: Path, recorded: Recording):
    half = Area.box("left half", 0.0, 0.0, 0.5, 1.0)
    write_areas([half], folder / "areas.json")
    (found,) = found_in([folder], recorded).areas
    assert found.name == "left half"
    (folder / OWNER).write_text("/another/video.mp4")
    with pytest.raises(NothingToScoreError, match="another/video"):
        found_in([folder / "areas.json"], recorded)


def test_a_table_that_is_neither_is_named(folder: Path, recorded: Recording):
    write_table(pd.DataFrame({"a": [1]}), folder / "notes.parquet")
    (note,) = found_in([folder], recorded).notes
    assert "notes.parquet" in note


@pytest.mark.parametrize("name", ["missing", "empty", "film.mp4", "broken.parquet"])
def test_what_cannot_be_shown_is_refused(name: str, tmp_path: Path, recorded: Recording):
    (tmp_path / "empty").mkdir()
    for file in ("film.mp4", "broken.parquet"):
        (tmp_path / file).write_bytes(b"PAR1 and nothing more")
    with pytest.raises(FileError):
        found_in([tmp_path / name], recorded)


def test_a_folder_of_the_recordings_own_results_may_hold_nothing_to_be_shown(tmp_path: Path, recorded: Recording):
    (tmp_path / "areas.svg").write_text("a figure")
    with pytest.raises(FileError, match="nothing that can be shown"):
        found_in([tmp_path], recorded)
    (tmp_path / OWNER).write_text(str(recorded.require_video().path.resolve()))
    assert not found_in([tmp_path], recorded).runs
    (tmp_path / OWNER).write_text("another.mp4")
    with pytest.raises(NothingToScoreError, match=r"another\.mp4"):
        found_in([tmp_path], recorded)
