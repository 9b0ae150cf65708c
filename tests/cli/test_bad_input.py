"""What a user may get wrong in a recording: each gives one clear message, exit code 2, no traceback and no file."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regard.errors import ClockError, FileError, RegardError, TableError
from regard.io import FilmWriter, open_recording

READERS = ("check", "show", "predict", "evaluate", "demo")


@pytest.mark.parametrize("verb", READERS)
def test_a_path_that_does_not_exist(refused, verb):
    error = refused(verb, "nowhere/film.mp4")
    assert isinstance(error, FileError)
    assert error.where == "nowhere/film.mp4"
    assert error.found == "no such file or folder"


@pytest.mark.parametrize("verb", READERS)
def test_an_empty_file(refused, tmp_path, verb):
    (tmp_path / "film.mp4").touch()
    assert refused(verb, tmp_path / "film.mp4").found == "an empty file"


def test_text_that_is_named_like_a_film(refused, tmp_path):
    (tmp_path / "film.mp4").write_text("this is not a film\n" * 50)
    error = refused("check", tmp_path / "film.mp4")
    assert error.where == str(tmp_path / "film.mp4")
    assert error.found == "a text file"


def test_a_film_that_was_cut_in_half(refused, world):
    video = world / "video.mp4"
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    error = refused("check", world)
    assert isinstance(error, FileError)
    assert error.where == str(video)
    assert "without its index" in error.found


@pytest.mark.parametrize("verb", [["predict", "--model", "saliency"], ["show"]])
def test_a_film_that_is_damaged_in_the_middle_leaves_nothing_behind(refused, say, world, verb):
    video = world / "video.mp4"
    content = bytearray(video.read_bytes())
    middle = content.find(b"mdat") + 4 + 8000
    content[middle : middle + 20000] = bytes(20000)
    video.write_bytes(content)
    assert say("check", world).code == 0, "check looks at the ends; this test is about the middle"
    error = refused(verb[0], world, *verb[1:])
    assert isinstance(error, FileError)
    assert "cannot be decoded at" in error.found


def test_a_film_without_sound_works(say, silent_video):
    said = say("check", silent_video)
    assert said.code == 0
    assert ["note", "sound", "none"] in [line.split() for line in said.out.splitlines()]
    assert say("predict", silent_video, "--model", "centre-prior").code == 0


def shuffled(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[::-1]


def with_words(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({"x": object}).assign(x=["left", *table["x"][1:]])


def with_nan_times(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(timestamp_s=[np.nan, *table["timestamp_s"][1:]])


def with_one_coordinate(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(valid=1, y=[np.nan, *table["y"][1:].fillna(0.5)], x=table["x"].fillna(0.5))


def with_one_time_twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table.iloc[:3], table.iloc[2:]])


def on_unix_time(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(timestamp_s=(1_700_000_000_000_000_000 + table["timestamp_s"] * 1e9).astype("int64"))


def a_minute_later(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(timestamp_s=table["timestamp_s"] + 60)


@pytest.mark.parametrize(
    ("spoil", "kind", "found"),
    [
        (lambda t: t.drop(columns="y"), TableError, "the columns timestamp_s, x, valid, gaze_state"),
        (lambda t: t.rename(columns={"timestamp_s": "time"}), TableError, "the columns time, x, y"),
        (with_words, TableError, "'left' in column 'x', line 2"),
        (with_nan_times, TableError, "nothing in column 'timestamp_s', line 2"),
        (with_one_coordinate, TableError, "only one of x and y in line 2"),
        (shuffled, ClockError, "'timestamp_s' goes back"),
        (with_one_time_twice, ClockError, "'timestamp_s' repeats"),
        (on_unix_time, ClockError, "times from 1.7e+18"),
        (a_minute_later, ClockError, "times from 60"),
    ],
)
def test_a_gaze_table_that_cannot_be_meant(
    refused, world: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], kind: type[RegardError], found: str
):
    spoil(pd.read_csv(world / "gaze.csv")).to_csv(world / "gaze.csv", index=False)
    error = refused("predict", world, "--model", "centre-prior")
    assert isinstance(error, kind)
    assert error.where == str(world / "gaze.csv")
    assert found in error.found


def test_nanoseconds_since_1970_are_recognised(refused, world, gaze_table):
    on_unix_time(gaze_table).to_csv(world / "gaze.csv", index=False)
    assert "unix nanoseconds" in refused("evaluate", world).do


@pytest.mark.parametrize(
    "spoil", [lambda t: t.assign(valid=0), lambda t: t.assign(x=np.nan, y=np.nan), lambda t: t[:0]]
)
def test_gaze_without_one_valid_sample_predicts_but_scores_nothing(refused, say, world, gaze_table, spoil):
    spoil(gaze_table).to_csv(world / "gaze.csv", index=False)
    error = refused("evaluate", world, "--model", "centre-prior")
    assert "no valid gaze on the image" in error.found
    assert "regard check" in error.do
    checked = say("check", world)
    assert checked.code == 1
    assert "none valid" in checked.out
    for model in ("centre-prior", "gaze-stays"):
        assert say("predict", world, "--model", model, "--no_film").code == 0
    assert say("show", world).code == 0


def test_a_video_without_gaze_has_nothing_to_score(refused, silent_video):
    error = refused("evaluate", silent_video, "--model", "centre-prior")
    assert error.found == "a recording without gaze, labelled segments or faces"
    assert "gaze.csv" in error.do


def test_gaze_stays_needs_the_gaze_so_far(refused, silent_video):
    error = refused("predict", silent_video, "--model", "gaze-stays")
    assert error.where == str(silent_video)
    assert error.found == "a recording without gaze"
    assert "gaze-stays" in error.wanted


@pytest.mark.parametrize("horizon_s", ["0", "-0.5", "nan", "inf"])
def test_gaze_stays_is_only_asked_ahead(refused, tiny_world, horizon_s):
    error = refused("predict", tiny_world, "--model", "gaze-stays", f"--horizon_s={horizon_s}")
    assert error.wanted.startswith("more than 0 s")


def test_a_horizon_beyond_the_video(refused, tiny_world):
    error = refused("predict", tiny_world, "--model", "gaze-stays", "--horizon_s", "3")
    assert "last frame is shown at 1.9" in error.found
    assert "more than 3 s" in error.wanted


@pytest.mark.parametrize("model", ["saliency", "centre-prior"])
def test_a_horizon_is_not_ignored_by_models_that_take_none(refused, tiny_world, model):
    assert model in refused("evaluate", tiny_world, "--model", model, "--horizon_s", "0.5").found


@pytest.mark.parametrize("model", ["salience", "", "runs/none"])
def test_an_unknown_model_shows_the_known_ones(refused, tiny_world, model):
    error = refused("predict", tiny_world, "--model", model)
    assert error.where == (model or "no name")
    assert all(name in error.wanted for name in ("centre-prior", "glc", "looking", "saliency"))


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "meta"])
def test_a_device_that_is_not_there(refused, tiny_world, device):
    error = refused("predict", tiny_world, "--model", "centre-prior", "--device", device)
    assert error.where == f"device {device!r}"
    assert "regard info" in error.wanted


def test_a_pupil_core_export_without_its_frame_times(refused, world, gaze_table):
    shutil.move(world / "video.mp4", world / "world.mp4")
    (world / "gaze.csv").unlink()
    pd.DataFrame(
        {
            "gaze_timestamp": gaze_table["timestamp_s"] + 9000,
            "confidence": 0.9,
            "norm_pos_x": gaze_table["x"],
            "norm_pos_y": 1 - gaze_table["y"],
        }
    ).to_csv(world / "gaze_positions.csv", index=False)
    error = refused("check", world)
    assert error.where == str(world / "world_timestamps.csv")
    assert error.found == "no such file"


@pytest.mark.parametrize("name", ["gaze ps1.time", "Neon Scene Camera v1 ps1.time"])
def test_a_neon_recording_without_a_time_file(refused, world, name):
    shutil.move(world / "video.mp4", world / "Neon Scene Camera v1 ps1.mp4")
    (world / "gaze.csv").unlink()
    np.zeros((4, 2), "<f4").tofile(world / "gaze ps1.raw")
    for time_file in {"gaze ps1.time", "Neon Scene Camera v1 ps1.time"} - {name}:
        np.arange(4, dtype="<i8").tofile(world / time_file)
    error = refused("predict", world)
    assert error.where == str(world / name)
    assert error.found == "no such file"


def test_bad_input_is_refused_without_assertions_too(world, gaze_table, tmp_path):
    """`python -O` leaves every `assert` out: none of them may be what finds a user's mistake."""
    (tmp_path / "text.mp4").write_text("this is not a film\n" * 50)
    (tmp_path / "empty.mp4").touch()
    with_words(gaze_table).to_csv(world / "gaze.csv", index=False)
    paths = [str(p) for p in (tmp_path / "text.mp4", tmp_path / "empty.mp4", world, tmp_path / "nowhere")]
    code = f"""
from pathlib import Path
from regard.cli import main
from regard.clips import ClipDataset, EveryFrame
from regard.types import MediaStream, Recording
assert False, "not left out"
wrong = tuple(Recording(id=p, subject="s", video=MediaStream(path=Path(p))) for p in {paths[:2]})
good = Recording(id="good", subject="s", video=MediaStream(path=Path({str(world / "video.mp4")!r})))
clips = ClipDataset((*wrong, good), EveryFrame(), needs=frozenset(["video"]), on_error="skip")
print(len(clips.unusable), [main([verb, path]) for verb in ("check", "show") for path in {paths}])
"""
    run = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.stdout.splitlines()[-1:] == [f"2 {[2] * 8}"], run.stderr
    assert "Traceback" not in run.stderr


def test_an_empty_folder(refused, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert refused("demo", folder).found == "an empty folder"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"matrix": [[0, 0, 64], [0, 96, 48], [0, 0, 1]]}, "a focal length"),
        ({"matrix": [[float("nan"), 0, 64], [0, 96, 48], [0, 0, 1]]}, "not finite"),
        ({"height": -96}, "an image of -96 x 128 pixels"),
        ({"height": 1e400}, "infinity"),
        ({"distortion": [0.1, 0.2, 0.3]}, "3 distortion coefficients, pinhole has 0 or 4 or 5 or 8"),
        ({"model": "fisheye624"}, "0 distortion coefficients, fisheye624 has 12"),
        ({"model": "orthographic"}, "model 'orthographic'"),
        ({"model": ["pinhole"]}, "model ['pinhole']"),
    ],
)
def test_a_camera_that_no_lens_can_be(refused, world, change, found):
    path = world / "camera.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    error = refused("evaluate", world, "--model", "centre-prior")
    assert error.where == str(path)
    assert found in error.found


@pytest.mark.parametrize("path", ["x" * 5000, "~nobody-of-this-name/film.mp4"])
def test_a_path_that_no_system_has(refused, path):
    error = refused("check", path)
    assert isinstance(error, FileError)
    assert error.where == path


def test_a_folder_that_may_not_be_looked_into(tmp_path, monkeypatch):
    def forbidden(self: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "is_file", forbidden)
    with pytest.raises(FileError, match="cannot be read: Permission denied") as caught:
        open_recording(tmp_path / "film.mp4")
    assert caught.value.where == str(tmp_path / "film.mp4")


def test_what_the_system_refuses_anywhere_is_one_message(say, tiny_world, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "some/file")

    monkeypatch.setattr("regard.cli.check.check_recording", fail)
    said = say("check", tiny_world)
    assert said.code == 2
    assert said.err.startswith("regard check cannot go on:\nsome/file\n  found:  Too many open files\n")
    assert "Traceback" not in said.err
    with pytest.raises(OSError, match="Too many open files"):
        say("check", tiny_world, "--debug")


@pytest.mark.parametrize("size", [(4, 240), (240, 4), (2, 2)])
def test_pictures_of_an_extreme_shape_are_shown(say, tmp_path, size):
    path = tmp_path / "strip.mp4"
    with FilmWriter(path, size=size) as film:
        for k in range(9):
            film.write(np.full((*size, 3), 20 * k, np.uint8), k / 10)
    assert say("show", path, "--out", "out").code == 0
    assert Path("out/report.html").stat().st_size > 1000
