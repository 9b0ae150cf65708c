"""Heatmaps and scanpaths as files."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regard
from regard.cli import main
from regard.errors import FileError
from regard.types import GazeState, GazeTrack, Recording
from regard.viz.figure_file import require_picture

GREY = np.full((200, 300, 3), 90, np.uint8)


def walk(*places: tuple[float, float]) -> Recording:
    """Half a second of fixation at each place, and 0.05 s of saccade between."""
    point = np.concatenate([np.tile([place], (55, 1)) for place in places])
    state = np.tile([GazeState.SACCADE] * 5 + [GazeState.FIXATION] * 50, len(places)).astype(np.int8)
    return Recording(
        id="walk", subject="ann", gaze=GazeTrack(time_s=np.arange(len(point)) / 100, point=point, state=state)
    )


def test_a_scanpath_is_saved_as_pixels_or_as_shapes_over_the_picture(tmp_path: Path):
    recording = walk((0.2, 0.3), (0.7, 0.6), (1.4, 0.5), (0.5, 0.5))
    drawn = regard.scanpath(recording, over=GREY, path=tmp_path / "path.png")
    with Image.open(tmp_path / "path.png") as saved:
        assert np.array_equal(np.asarray(saved), drawn)
    regard.scanpath(recording, over=GREY, path=tmp_path / "path.svg")
    text = (tmp_path / "path.svg").read_text()
    assert text.count("<image") == 1
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', text)
    assert set(circles) == {("60.0", "60.0"), ("210.0", "120.0"), ("150.0", "100.0")}
    assert text.count("<line") == 2, "a dark and a bright one, and none to where gaze left the picture"
    assert "<title>1: fixation, 0.050 to 0.550 s</title>" in text
    assert 'viewBox="0 0 300 200"' in text


def test_a_stretch_of_a_scanpath_can_be_drawn(tmp_path: Path):
    recording = walk((0.2, 0.3), (0.7, 0.6))
    late = regard.scanpath(recording, over=GREY, start_s=0.6)
    assert (late[60, 60] == 90).all()
    assert (late[120, 210] != 90).any()
    with pytest.raises(regard.RegardError, match="no fixation on the picture"):
        regard.scanpath(recording, over=GREY, start_s=9.0, path=tmp_path / "none.svg")
    assert not list(tmp_path.iterdir())


def test_a_heatmap_as_svg_has_the_glow_apart_from_the_picture(tmp_path: Path):
    regard.heatmap([walk((0.2, 0.3)), walk((0.7, 0.6))], over=GREY, path=tmp_path / "heat.svg")
    text = (tmp_path / "heat.svg").read_text()
    assert re.findall(r'<image id="(\w+)" width="300" height="200"', text) == ["picture", "glow"]
    assert "data:image/jpeg;base64," in text
    assert "data:image/png;base64," in text


@pytest.mark.parametrize("draw", [regard.heatmap, regard.scanpath])
def test_a_figure_of_another_kind_is_refused(draw, tmp_path: Path):
    with pytest.raises(regard.RegardError, match=r"\.png, \.jpg or \.svg"):
        draw(walk((0.2, 0.3)), over=GREY, path=tmp_path / "figure.pdf")
    assert not list(tmp_path.iterdir())


def test_a_path_is_opened_and_its_mean_frame_is_drawn_on(tiny_world: Path, tmp_path: Path):
    assert regard.scanpath(str(tiny_world), path=tmp_path / "path.jpg").shape == (540, 720, 3)


def test_show_writes_heatmap_and_scanpath_where_gaze_lies_on_the_picture(tiny_world: Path, tmp_path: Path):
    assert main(["show", str(tiny_world), "--out", str(tmp_path / "out")]) == 0
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"heatmap.png", "heatmap.svg", "scanpath.png", "scanpath.svg", "report.html", "gaze.mp4"} <= made
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "video.mp4").write_bytes((tiny_world / "video.mp4").read_bytes())
    assert main(["show", str(tmp_path / "walk"), "--out", str(tmp_path / "none")]) == 0
    assert not list((tmp_path / "none").glob("*.svg"))


@pytest.mark.parametrize(
    "over", [np.zeros((4, 6, 3)), np.zeros((4, 6), np.uint8), np.zeros((4, 6, 4), np.uint8), "film.png"]
)
def test_a_picture_of_shares_in_grey_with_alpha_or_a_path_is_refused(over):
    with pytest.raises(FileError, match="wanted: a picture in RGB"):
        require_picture(over)
    require_picture(np.zeros((4, 6, 3), np.uint8))
