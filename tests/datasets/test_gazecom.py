import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from regard.datasets.gazecom.dataset import GazeCom
from regard.datasets.gazecom.names import FRAME_HZ, VIDEOS
from regard.datasets.gazecom.rates import published_frames, to_frames
from regard.datasets.gazecom.trials import Trial, read_arff, read_coord, read_frames
from regard.errors import RecipeError, RegardError, TableError
from regard.io import open_video
from regard.metrics.scanpaths.published import SIDE, published_density
from regard.types import GazeState

REAL = Path(__file__).parents[3] / "shared" / "data" / "gazecom"

HEAD = """@RELATION gaze_labels
%@METADATA width_px 1280.0
%@METADATA height_px 720.0
%@METADATA width_mm 400.0
%@METADATA height_mm 225.0
%@METADATA distance_mm 450.0
@ATTRIBUTE time INTEGER
@ATTRIBUTE x NUMERIC
@ATTRIBUTE y NUMERIC
@ATTRIBUTE confidence NUMERIC
"""
LABELS = "".join(f"@ATTRIBUTE {name} INTEGER\n" for name in ("handlabeller1", "handlabeller2", "handlabeller_final"))


def arff(path: Path, rows: list[tuple[float, ...]], *, labelled: bool = True, more: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(",".join(f"{v:g}" for v in row) for row in rows)
    path.write_text(f"{HEAD}{LABELS * labelled}{more}@DATA\n{lines}\n")


def samples(n: int = 100, phase: int = 1) -> list[tuple[float, ...]]:
    return [(1000 + 4000 * i, 640 + i, 360, 1, 0, 0, phase) for i in range(n)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for video in ("beach", "golf", "sea", "doves"):
        for who in ("AAF", "YFK"):
            arff(tmp_path / "ground_truth" / video / f"{who}_{video}.arff", samples())
            arff(tmp_path / "gaze_arff" / video / f"{who}_{video}.arff", [s[:4] for s in samples()], labelled=False)
    return tmp_path


def test_samples_become_a_track_with_the_hand_labels(root: Path) -> None:
    (first, second) = GazeCom(root).watched("beach")
    assert (first.id, first.subject, first.video) == ("AAF_beach", "AAF", None)
    assert first.gaze is not None
    assert first.gaze.time_s[:2].tolist() == [0.001, 0.005]
    assert first.gaze.point[0].tolist() == [0.5, 0.5]
    assert set(first.gaze.state) == {GazeState.FIXATION}
    assert set(first.others) == {"YFK"}
    assert first.others["YFK"] is second.gaze


def test_videos_are_split_by_name(root: Path) -> None:
    data = GazeCom(root, missing="leave_out", held_out=0.0)
    with pytest.warns(UserWarning, match="left out"):
        test = data.recordings("test")
    assert {r.id for r in test} == {"AAF_doves", "YFK_doves"}
    with pytest.warns(UserWarning, match="left out"):
        assert "AAF_doves" not in {r.id for r in data.recordings("train")}
    one_out = GazeCom(root, test=("golf",), leave_out=("sea",), missing="leave_out", held_out=0.0)
    assert {r.subject for r in one_out.recordings("test")} == {"AAF", "YFK"}
    with pytest.warns(UserWarning, match="left out"):
        assert {r.id.split("_")[1] for r in one_out.recordings("train")} == {"beach", "doves"}
    with pytest.raises(RecipeError, match="a video called moon"):
        GazeCom(root, test=("moon",))


def test_noise_and_samples_without_confidence_are_lost(root: Path) -> None:
    rows = samples(4)
    rows[1], rows[2] = (*rows[1][:6], 4), (*rows[2][:3], 0, *rows[2][4:])
    arff(root / "ground_truth" / "beach" / "AAF_beach.arff", rows)
    gaze = GazeCom(root).watched("beach")[0].gaze
    assert gaze is not None
    assert gaze.valid.tolist() == [True, False, False, True]


def test_frame_has_the_mean_and_the_movement_that_lasts_longest() -> None:
    phase = np.array([1, 1, 1, 2, 2, 2, 2, 2, 4, 4, 4, 4, 1])
    time_s = np.concatenate([np.linspace(0, 0.03, 8), np.linspace(0.034, 0.06, 5)])
    trial = Trial(time=time_s, pixel=np.full((13, 2), (640.0, 360.0)), confidence=np.ones(13), phase=phase)
    track = to_frames(trial, np.arange(2) / FRAME_HZ)
    assert track.state.tolist() == [GazeState.SACCADE, GazeState.LOST]
    assert track.point[0].tolist() == [0.5, 0.5]


def test_published_frame_is_a_saccade_where_any_sample_is_and_repeats_the_last_gaze() -> None:
    phase = np.array([1] * 7 + [2] + [1] * 9 + [4] * 8)
    trial = Trial(
        time=0.001 + np.arange(25) * 0.004,
        pixel=np.stack([np.arange(25) + 0.9, np.zeros(25)], 1),
        confidence=np.ones(25),
        phase=phase,
    )
    pixel, phases = published_frames(trial, 5)
    assert phases.tolist() == [2, 1, 0, 0, 0]
    assert pixel[:, 0].tolist() == [4, 12, 21, 21, 21]


def test_every_format_says_the_same(root: Path) -> None:
    rows = samples(3)
    (root / "AAF_beach.coord").write_text(
        "# made\ngaze 1280 720\ngeometry distance 0.45 width 0.4 height 0.225\n"
        + "\n".join(" ".join(f"{v:g}" for v in row[:4]) for row in rows)
    )
    arff(root / "x.arff", rows)
    from_coord, from_arff = read_coord(root / "AAF_beach.coord"), read_arff(root / "x.arff")
    assert from_coord.time.tolist() == from_arff.time.tolist()
    assert from_coord.pixel.tolist() == from_arff.pixel.tolist()
    assert from_coord.screen_mm == from_arff.screen_mm == (400.0, 225.0, 450.0)
    (root / "a.txt").write_text("beach 0 1 640 360\nbeach 1 2 641 360\n")
    (root / "b.txt").write_text("0 1 112 112\n1 2 113 112\n")
    assert read_frames(root / "a.txt").size_px == (1280, 720)
    assert read_frames(root / "b.txt").size_px == (224, 224)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@RELATION x\n", "no line @DATA"),
        ("@ATTRIBUTE time INTEGER\n@DATA\n1\n", "attribute.*time|x, y, confidence"),
        (HEAD + "@DATA\n", "no lines"),
        (HEAD + "@DATA\n1000,1,2\n", "lacks a number"),
        (HEAD + "@DATA\n1000,1,two,1\n", "could not convert"),
        (HEAD + LABELS + "@DATA\n1000,1,2,1,0,0,9\n", "an eye movement called 9"),
    ],
)
def test_broken_arff_is_one_error(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "AAF_beach.arff"
    path.write_text(text)
    with pytest.raises(TableError, match=says):
        read_arff(path)


def test_missing_frames_are_refused_and_unknown_columns_named(root: Path) -> None:
    (root / "gap.txt").write_text("0 1 112 112\n2 2 113 112\n")
    with pytest.raises(TableError, match="none missing"):
        read_frames(root / "gap.txt")
    arff(
        root / "ground_truth" / "beach" / "AAF_beach.arff",
        [(*s, 7) for s in samples(3)],
        more="@ATTRIBUTE pupil NUMERIC\n",
    )
    assert GazeCom(root).watched("beach")[0].notes == ("columns that are not read: pupil",)


def test_thesis_layout_shows_its_pictures_and_tells_of_another_frame_count(tmp_path: Path) -> None:
    labels, pictures = (tmp_path / "train" / d / "beach" for d in ("label_data", "video_data"))
    labels.mkdir(parents=True)
    pictures.mkdir(parents=True)
    (labels / "AAF_beach.txt").write_text("0 1 112 112\n1 0 113 112\n2 2 114 112\n")
    for k in range(2):
        Image.new("RGB", (224, 224), (k * 100, 0, 0)).save(pictures / f"frame_{k:05d}.png")
    data = GazeCom(tmp_path)
    (recording,) = data.watched("beach")
    source = open_video(recording.require_video())
    assert source.size == (224, 224)
    assert source.frames_at(source.times_s)[:, 0, 0, 0].tolist() == [0, 100]
    assert recording.gaze is not None
    assert recording.gaze.state.tolist() == [GazeState.FIXATION, GazeState.LOST]
    assert recording.notes == ("labels of 3 frames, and 2 frames of the video",)
    assert not data.unread
    assert "watched" in {f.name for f in data.check(lambda _: None)}


def test_hole_in_the_pictures_is_told(tmp_path: Path) -> None:
    for k in (0, 2):
        Image.new("RGB", (8, 8)).save(tmp_path / f"frame_{k:05d}.png")
    from regard.io.media.pictures import Pictures

    with pytest.raises(RegardError, match="none of which is 1"):
        _ = Pictures(tmp_path, rate_hz=30.0).times_s


@pytest.mark.skipif(not REAL.is_dir(), reason="GazeCom's labels are not beside the checkout")
def test_published_baselines_are_reproduced_on_the_real_labels() -> None:
    wanted = json.loads((REAL / "nss_baselines.json").read_text())["per_video"]
    data = GazeCom(REAL, gaze="published")
    assert tuple(data.trials) == VIDEOS
    for video, every in (("bumblebee", 1), ("puppies", 5)):
        pixel = np.stack([np.floor(t.point * (1280, 720)) for t in data.tracks(video).values()])
        squeezed = torch.from_numpy(np.round(pixel * SIDE / np.array([1280, 720]))).long()
        density = published_density(squeezed)
        assert float(density.leave_one_out()[::every].mean()) == pytest.approx(wanted[video]["leave_one_out"], abs=1e-3)
        centre = torch.full((1, squeezed.shape[1]), 111)
        assert float(density.standardised(density.at(centre, centre)).mean()) == pytest.approx(
            wanted[video]["centre_112"], abs=1e-3
        )
