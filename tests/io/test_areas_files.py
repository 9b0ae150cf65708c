"""Files of areas of interest: what is written is read again as it was, and what is wrong is named."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import regard
from regard.area import ALWAYS_S, Area
from regard.errors import RegardError

SIZE = (96, 128)

unit = st.floats(0, 1)
names = st.text(min_size=1, max_size=12).filter(lambda n: n == n.strip() and n.isprintable() and n != "elsewhere")


@st.composite
def shapes(draw: st.DrawFn, *, boxes: bool) -> np.ndarray:
    kind = draw(st.sampled_from(["none", "box"] if boxes else ["none", "box", "triangle"]))
    x0, y0 = draw(st.floats(0, 0.4)), draw(st.floats(0, 0.4))
    x1, y1 = draw(st.floats(0.6, 1)), draw(st.floats(0.6, 1))
    box = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return {"none": np.zeros((0, 2)), "box": box, "triangle": box[:3]}[kind]


@st.composite
def some_areas(draw: st.DrawFn) -> list[tuple[str, list[float], list[np.ndarray]]]:
    boxes = draw(st.booleans())
    made = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        times_s = draw(st.one_of(st.just([ALWAYS_S]), st.lists(unit, min_size=1, max_size=4, unique=True).map(sorted)))
        made.append((name, times_s, [draw(shapes(boxes=boxes)) for _ in times_s]))
    return made


def same(one: Area, other: Area) -> bool:
    return (
        one.name == other.name
        and np.array_equal(one.time_s, other.time_s)
        and all(np.array_equal(a, b) for a, b in zip(one.corners, other.corners, strict=True))
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=some_areas(), suffix=st.sampled_from([".csv", ".json"]))
def test_what_is_written_is_read_again_to_the_last_bit(tmp_path: Path, given: list, suffix: str):
    areas = [Area(name=name, time_s=np.array(times_s), corners=tuple(shapes)) for name, times_s, shapes in given]
    again = regard.read_areas(regard.write_areas(areas, tmp_path / f"areas{suffix}"))
    assert all(same(a, b) for a, b in zip(areas, again, strict=True))


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_boxes_and_polygons_in_pixels_are_shares_of_the_videos_picture(tiny_world: Path, tmp_path: Path):
    boxes = write(tmp_path / "a.csv", "name,time_s,x0_px,y0_px,x1_px,y1_px\ncup,0.5,32,24,64,48\ncup,1,,,,\n")
    (cup,) = regard.read_areas(boxes, tiny_world)
    assert cup.corners[0].tolist() == [[0.25, 0.25], [0.5, 0.25], [0.5, 0.5], [0.25, 0.5]]
    assert [len(shape) for shape in cup.corners] == [4, 0]
    corners = write(tmp_path / "b.csv", "name,x_px,y_px\nsign,0,0\nsign,128,0\nsign,128,96\n")
    (sign,) = regard.read_areas(corners, tiny_world)
    assert sign.time_s.tolist() == [ALWAYS_S]
    assert sign.corners[0].tolist() == [[0, 0], [1, 0], [1, 1]]
    with pytest.raises(RegardError, match="no video that says of how many"):
        regard.read_areas(boxes)


def labelme(*shapes: dict, width: int = 128, height: int = 96) -> str:
    return json.dumps({"version": "5.4.1", "shapes": shapes, "imageWidth": width, "imageHeight": height})


def drawn(label: str, *points: tuple[float, float], kind: str = "polygon") -> dict:
    return {"label": label, "points": points, "shape_type": kind, "flags": {}, "group_id": None}


def test_what_was_drawn_on_frames_with_labelme_moves_and_goes(tiny_world: Path, tmp_path: Path):
    cup = drawn("cup", (64, 48), (32, 24), kind="rectangle")
    moved = drawn("cup", (48, 24), (80, 48), kind="rectangle")
    sign = drawn("sign", (0, 0), (128, 0), (128, 96))
    write(tmp_path / "0000.500s.json", labelme(cup, sign))
    write(tmp_path / "0001.500s.json", labelme(moved))
    found = {area.name: area for area in regard.read_areas(tmp_path, tiny_world)}
    np.testing.assert_allclose(found["cup"].at(1.0)[0], [40 / 128, 0.25])
    assert found["sign"].time_s.tolist() == [0.5, 1.5]
    assert len(found["sign"].at(1.4)) == 3
    assert len(found["sign"].at(1.5)) == 0
    (alone,) = regard.read_areas(write(tmp_path / "one.json", labelme(sign)), tiny_world)
    assert alone.time_s.tolist() == [ALWAYS_S]


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><original_size><width>128</width><height>96</height></original_size>
</task></meta>
<track id="0" label="cup"><box frame="0" outside="0" xtl="32" ytl="24" xbr="64" ybr="48"/>
<box frame="2" outside="1" xtl="32" ytl="24" xbr="64" ybr="48"/></track>
<track id="1" label="sign"><polygon frame="1" outside="0" points="0,0;128,0;128,96"/></track>
</annotations>"""


def test_cvats_tracks_have_the_times_of_the_videos_own_frames(tiny_world: Path, tmp_path: Path):
    cup, sign = regard.read_areas(write(tmp_path / "a.xml", CVAT), tiny_world)
    times_s = [time_s for time_s, _ in regard.open(tiny_world).frames()]
    assert cup.time_s.tolist() == [times_s[0], times_s[2]]
    assert cup.corners[0].tolist() == [[0.25, 0.25], [0.5, 0.25], [0.5, 0.5], [0.25, 0.5]]
    assert len(cup.corners[1]) == 0
    assert sign.time_s.tolist() == [times_s[1]]


BOX, HEAD = "0.1,0.1,0.5,0.5", "name,time_s,x0,y0,x1,y1\n"
OWN = '{"areas": [{"name": "cup", "keyframes": [%s]}]}'

WRONG = {
    "crossing.csv": ("name,x,y\na,0,0\na,1,1\na,1,0\na,0,1\n", "line 2 to 5", "crosses itself"),
    "outside.csv": (f"{HEAD}a,,0.1,0.1,1.5,0.5\n", "line 2", "a corner at (1.5, 0.1), outside the picture"),
    "two.csv": ("name,x,y\na,0,0\na,1,1\n", "line 2 to 3", "a polygon of 2 corners"),
    "backwards.csv": (f"{HEAD}a,,0.5,0.1,0.1,0.5\n", "line 2", "a box from (0.5, 0.1) to (0.1, 0.5)"),
    "repeats.csv": (f"{HEAD}a,1,{BOX}\na,1,{BOX}\n", "line 3", "'a' at 1 s a second time"),
    "goes_back.csv": (f"{HEAD}a,1,{BOX}\na,0.5,{BOX}\n", "line 3", "'a' at 0.5 s after 1 s"),
    "both.csv": (f"{HEAD}a,,{BOX}\na,0.5,{BOX}\n", "line 3", "two shapes of 'a', not both with a time"),
    "late.csv": (f"{HEAD}a,7,{BOX}\n", "line 2", "a shape at 7 s"),
    "unknown.csv": ("name,time,x0,y0,x1,y1\na,1,0.1,0.1,0.5,0.5\n", "unknown.csv", "'time' cannot be read"),
    "other.csv": ("label,left,top\na,1,2\n", "other.csv", "the columns label, left, top"),
    "nameless.csv": (f"{HEAD},,{BOX}\n", "line 2", "an area without a name"),
    "elsewhere.csv": (f"{HEAD}elsewhere,,{BOX}\n", "line 2", "the name 'elsewhere'"),
    "half.csv": (f"{HEAD}a,,0.1,0.1,0.5,\n", "line 2", "a place of which one number is missing"),
    "pixels.csv": (f"{HEAD}a,,10,10,50,50\n", "line 2", "outside the picture"),
    "shares.csv": (f"name,x0_px,y0_px,x1_px,y1_px\na,{BOX}\n", "line 2", "a shape of less than a pixel"),
    "empty.csv": (HEAD, "empty.csv", "no areas"),
    "nothing.csv": ("", "nothing.csv", "an empty file"),
    "size.json": (labelme(drawn("a", (0, 0), (9, 0), (9, 9)), width=640), "size.json", "a picture of 640 x 96"),
    "circle.json": (labelme(drawn("a", (0, 0), (9, 0), kind="circle")), "shape 1 ('a')", "a circle"),
    "twice.json": (labelme(*[drawn("a", (0, 0), (9, 0), (9, 9))] * 2), "shape 2 ('a')", "a second 'a'"),
    "unlabelled.json": (labelme(drawn("", (0, 0), (9, 0), (9, 9))), "shape 1", "an area without a name"),
    "own.json": (OWN % '{"time_s": NaN, "box": [0, 0, 1, 1]}', "area 1 ('cup'), keyframe 1", "the time nan"),
    "infinite.json": (OWN % '{"box": [0, 0, 1, Infinity]}', "area 1 ('cup'), keyframe 1", "[0, 0, 1, inf]"),
    "ragged.json": (OWN % '{"polygon": [[0, 0], [1], [1, 1]]}', "keyframe 1", "[[0, 0], [1], [1, 1]]"),
    "key.json": (OWN % '{"time": 1, "box": [0, 0, 1, 1]}', "keyframe 1", "the keys time"),
    "colour.json": ('{"areas": [{"name": "a", "colour": 1, "keyframes": [{}]}]}', "area 1", "the keys colour"),
    "width.json": ('{"areas": [], "width": 640, "height": 480}', "width.json", "the keys height, width"),
    "always.json": (OWN % '{"box": [0, 0, 1, 1]}, {"box": [0, 0, 1, 1]}', "keyframe 2", "two shapes of 'cup'"),
    "coco.json": ('{"images": [], "annotations": []}', "coco.json", "COCO, which is not read"),
    "none.json": ('{"areas": []}', "none.json", "no areas"),
    "cut.json": ('{"areas": [', "cut.json", "not JSON"),
    "late.xml": (CVAT.replace('frame="1"', 'frame="9999"'), "frame 9999", "frame 9999, counted from 0"),
    "entity.xml": ('<!DOCTYPE a [<!ENTITY b "c">]>' + CVAT[39:], "entity.xml", "declares a document type"),
    "size.xml": (CVAT.replace("<width>128", "<width>64"), "size.xml", "a picture of 64 x 96"),
    "turned.xml": (CVAT.replace("xtl", 'rotation="30" xtl'), "track 0 ('cup'), frame 0", "a turned box"),
    "cut.xml": (CVAT[:300], "cut.xml", "not readable as XML"),
    "areas.txt": ("", "areas.txt", "a file named *.txt"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_place(name: str, tiny_world: Path, tmp_path: Path):
    text, where, found = WRONG[name]
    with pytest.raises(RegardError) as caught:
        regard.read_areas(write(tmp_path / name, text), tiny_world)
    assert where in caught.value.where
    assert name in caught.value.where
    assert found in caught.value.found
    assert caught.value.wanted
    assert caught.value.do


def test_frames_whose_names_tell_no_time_are_refused(tiny_world: Path, tmp_path: Path):
    write(tmp_path / "frame_012.json", labelme(drawn("a", (0, 0), (9, 0), (9, 9))))
    with pytest.raises(RegardError, match="does not tell its time"):
        regard.read_areas(tmp_path, tiny_world)
    with pytest.raises(RegardError, match="no such file"):
        regard.read_areas(tmp_path / "gone", tiny_world)
    (tmp_path / "frame_012.json").unlink()
    with pytest.raises(RegardError, match=r"without LabelMe's .json files"):
        regard.read_areas(tmp_path, tiny_world)


def test_areas_are_written_as_csv_or_json_and_nothing_else(tmp_path: Path):
    with pytest.raises(RegardError, match=r"\.csv or \.json"):
        regard.write_areas([Area.box("a", 0.0, 0.0, 1.0, 1.0)], tmp_path / "areas.xml")
    assert not list(tmp_path.iterdir())


WHOLE = {
    "boxes.csv": "name,time_s,x0_px,y0_px,x1_px,y1_px\ncup,0.5,32,24,64,48\ncup,1,,,,\nsign,,1,2,3,4\n",
    "corners.csv": "name,time_s,x,y\nsign,,0,0\nsign,,.5,0\nsign,,1,1\n",
    "labelme.json": labelme(drawn("cup", (64, 48), (32, 24), kind="rectangle"), drawn("sign", (0, 0), (9, 0), (9, 9))),
    "own.json": OWN % '{"time_s": 0.5, "box": [0, 0, 1, 1]}, {"time_s": 1, "polygon": [[0,0],[1,0],[1,1]]}',
    "cvat.xml": CVAT,
}
JUNK = [b"", b"-", b"NaN", b"1e999", b'"', b",", b"\n", b"{}", b"[]", b"null", b"9" * 30, b"\xff", b"<a>", b"\0"]


def test_a_damaged_file_is_read_or_refused_by_name(tiny_world: Path, tmp_path: Path):
    recording, random = regard.open(tiny_world), np.random.default_rng(0)
    refused: list[tuple[str, str]] = []
    for name, text in WHOLE.items():
        assert regard.read_areas(write(tmp_path / name, text), recording)
        for _ in range(40):
            content = bytearray(text.encode())
            at = int(random.integers(len(content)))
            content[at : at + int(random.integers(6))] = JUNK[random.integers(len(JUNK))]
            (tmp_path / name).write_bytes(content)
            try:
                regard.read_areas(tmp_path / name, recording)
            except RegardError as error:
                refused.append((name, error.where))
    assert len(refused) > 20
    assert all(name in where for name, where in refused)


@pytest.mark.parametrize("areas", [[], [regard.Area.box("a", 0.0, 0.0, 1.0, 1.0)] * 2])
def test_what_could_not_be_read_again_is_not_written(areas: list, tmp_path: Path):
    for name in ("a.csv", "a.json"):
        with pytest.raises(RegardError, match=r"no areas|two areas called 'a'"):
            regard.write_areas(areas, tmp_path / name)
    assert not [*tmp_path.iterdir()]
