"""A recording written as BIDS and opened again is the same, and BIDS' own schema finds nothing wrong with it."""

import gzip
import json
import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bids_rules import broken_rules
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import regard
from regard.errors import FileError
from regard.io.bids.cells import read_text, read_tsv, write_tsv, written
from regard.io.bids.names import Entities
from regard.io.bids.write import Entry, in_pixels, write_bids
from regard.io.recording import open_video
from regard.types import (
    Camera,
    FaceFilm,
    FaceTrack,
    GazeState,
    GazeTrack,
    HandTrack,
    MediaStream,
    Recording,
    Segment,
)

NAMES = Entities("01", "walk")


def write(out: Path, *recordings: Recording, names: tuple[Entities, ...] = (NAMES,), **columns: object) -> list[Path]:
    entries = [Entry(name=name, open=lambda r=r: r, columns=columns) for name, r in zip(names, recordings, strict=True)]
    return write_bids(out, entries, name="a test", version="1", tell=lambda _: None)


def same(a: Any, b: Any, where: str = "") -> list[str]:
    """Where two nouns differ; media are compared byte for byte, whatever they are called and however they lie."""
    if isinstance(a, MediaStream) and isinstance(b, MediaStream):
        there = [f"{where}.path"] if a.path.read_bytes() != b.path.read_bytes() else []
        rest = same((a.index, a.start_s, a.rate_hz, a.then), (b.index, b.start_s, b.rate_hz, b.then), where)
        return there + rest + ([f"{where}.state"] if (a.state is None) != (b.state is None) else [])
    if type(a) is not type(b):
        return [f"{where}: {a!r} is not {b!r}"]
    if isinstance(a, np.ndarray):
        is_same = a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        return [] if is_same else [f"{where}: other numbers"]
    if isinstance(a, dict):
        keys = [] if a.keys() == b.keys() else [f"{where}: {[*a]} is not {[*b]}"]
        return keys + [problem for key in a if key in b for problem in same(a[key], b[key], f"{where}.{key}")]
    if isinstance(a, tuple):
        sizes = [] if len(a) == len(b) else [f"{where}: {len(a)} is not {len(b)}"]
        return sizes + [p for n, (x, y) in enumerate(zip(a, b, strict=False)) for p in same(x, y, f"{where}[{n}]")]
    if hasattr(a, "__dataclass_fields__"):
        return [p for f in fields(a) for p in same(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}")]
    return [] if a == b else [f"{where}: {a!r} is not {b!r}"]


@pytest.fixture
def everything(walk: Path, tmp_path: Path) -> Recording:
    """A recording with all that one can have, in numbers that no decimal holds."""
    video = walk / "walk.mp4"
    flow = shutil.copy(video, tmp_path / "flow.mkv")
    rng = np.random.default_rng(3)
    time_s = np.cumsum(rng.random(200) / 50) - 0.3
    state = rng.integers(0, 5, 200).astype(np.int8)
    point = rng.normal(0.5, 0.6, (200, 2))
    point[state == GazeState.LOST] = np.nan
    gaze = GazeTrack(time_s=time_s, point=point, state=state, confidence=np.where(state > 0, rng.random(200), np.nan))
    box = np.sort(rng.random((3, 2, 2)), axis=1).reshape(3, 4)
    known = {"head_pose_deg": rng.normal(size=(3, 3)).astype(np.float32), "score": rng.random(3)}
    known["landmarks"] = np.where(rng.random((3, 5, 3)) > 0.3, rng.random((3, 5, 3)), np.nan)
    face = FaceTrack(
        person="ann", track="ann-2", time_s=np.array([0.1, 0.2, 1 / 3]), box=box, known=known,
        looking=np.array([True, False, False]), looking_known=np.array([True, True, False]),
    )  # fmt: skip
    again = replace(face, person="bo\tb", track="", known={}, time_s=face.time_s + 1)
    none = {name: getattr(face, name)[:0] for name in ("time_s", "box", "looking", "looking_known")}
    nobody = replace(face, person="c", known={}, **none)
    stream = MediaStream(path=video, index=0)
    return Recording(
        id="walk / über 1",
        subject="P 01 (ann)",
        video=replace(stream, then=(replace(stream, path=Path(shutil.copy(video, walk / "b.mp4")), start_s=2.1),)),
        audio=stream,
        flow=MediaStream(path=Path(flow), rate_hz=12.5),
        gaze=gaze,
        camera=Camera(
            height=48,
            width=64,
            matrix=np.array([[40 / 3, 0, 32.1], [0, 13.1, 24], [0, 0, 1]]),
            distortion=rng.normal(size=5),
        ),
        segments=(
            Segment(start_s=1.2, end_s=1.9, kind="action", name='say "n/a"', labels={"verb": 3, "a noun": 0}),
            Segment(start_s=0.1, end_s=0.1 + 0.2, kind="blink"),
            Segment(start_s=0.0, end_s=1 / 3, kind="", name="n/a"),
            Segment(start_s=0.7, end_s=0.8, kind="blink", name="a long one", labels={"of": 2}),
            Segment(start_s=-1.0, end_s=9.5, kind="clip", name="tab\there, line\nthere "),
        ),
        faces=(face, again, nobody),
        hands=HandTrack(time_s=time_s[:4], point=np.where(rng.random((4, 2, 1)) > 0.5, rng.random((4, 2, 2)), np.nan)),
        face_film=FaceFilm(MediaStream(path=Path(flow)), (0.1, 0.2, 1 / 3, 0.4), (48, 64)),
        others={"eve": gaze, "a/b ü": replace(gaze, confidence=None)},
        watched=True,
        notes=("depth 1 m assumed", 'a "note"'),
    )


def test_a_recording_with_everything_comes_back_to_the_last_bit(everything: Recording, tmp_path: Path):
    (file,) = write(tmp_path / "set", everything)
    assert same(regard.open(file), everything) == []
    assert same(regard.open(tmp_path / "set"), everything) == []
    assert same(regard.open(tmp_path / "set" / "sub-01"), everything) == []
    assert broken_rules(tmp_path / "set") == []


def test_what_a_recording_lacks_it_lacks_again(everything: Recording, tmp_path: Path):
    assert everything.gaze is not None
    names = [Entities("1", "a"), Entities("2", "a"), Entities("3", "a")]
    lean = Recording(id="x", subject="unknown", gaze=replace(everything.gaze, confidence=None))
    nobody = replace(everything, faces=(), others={}, notes=(), audio=None, face_film=None, hands=None, segments=())
    screen = replace(lean, camera=everything.camera, segments=everything.segments[1:2])
    files = write(tmp_path / "set", lean, nobody, screen, names=tuple(names))
    assert [same(regard.open(f), r) for f, r in zip(files, (lean, nobody, screen), strict=True)] == [[], [], []]
    assert broken_rules(tmp_path / "set") == []


def test_the_built_in_world_and_the_times_of_its_frames_come_back(tiny_world: Path, tmp_path: Path):
    recording = regard.open(tiny_world)
    write(tmp_path / "set", recording)
    again = regard.open(tmp_path / "set")
    assert same(again, recording) == []
    frame_s = open_video(recording.require_video()).times_s
    assert np.array_equal(open_video(again.require_video()).times_s, frame_s)
    (table,) = tmp_path.rglob("frames.tsv")
    assert np.array_equal(read_tsv(table)["timestamp"].astype(float), frame_s)


def test_frame_times_that_lie_beside_the_video_come_along(walk: Path, walk_times_s: np.ndarray, tmp_path: Path):
    (walk / "walk.mp4").rename(walk / "world.mp4")
    np.save(walk / "world_timestamps.npy", 4711 + np.arange(len(walk_times_s)) * 0.1)
    (walk / "gaze.csv").write_text("timestamp_s,x,y\n0.1,0.5,0.5\n0.2,0.5,0.5\n")
    recording = regard.open(walk)
    write(tmp_path / "set", recording)
    again = regard.open(tmp_path / "set")
    assert same(again, recording) == []
    times_s = open_video(again.require_video()).times_s
    assert np.array_equal(times_s, open_video(recording.require_video()).times_s)
    assert times_s[-1] == pytest.approx(0.1 * (len(walk_times_s) - 1))


@pytest.mark.parametrize("name", ["neon_window/raw", "aria_everyday"])
def test_real_recordings_come_back(name: str, real_data: Path, tmp_path: Path):
    pytest.importorskip("projectaria_tools" if name.startswith("aria") else "numpy")
    recording = regard.open(real_data / name)
    write(tmp_path / "set", recording)
    assert same(regard.open(tmp_path / "set"), recording) == []
    assert broken_rules(tmp_path / "set") == []


def test_the_official_validator_finds_no_error(everything: Recording, tiny_world: Path, tmp_path: Path):
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("no bids-validator-deno here (120 MB): broken_rules of the same schema stands in for it")
    names = (Entities("1", "a", "x", "1"), Entities("1", "a", "x", "2"))
    write(tmp_path / "set", everything, regard.open(tiny_world), names=names, condition="a b")
    run = subprocess.run([validator, "--json", tmp_path / "set"], capture_output=True, text=True, check=False)
    issues = json.loads(run.stdout)["issues"]["issues"]
    assert [i for i in issues if i["severity"] == "error"] == []


@given(
    point=arrays(np.float64, (7, 2), elements=st.floats(-3, 3)),
    size=st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
)
def test_gaze_measured_in_pixels_keeps_its_pixels(point: np.ndarray, size: tuple[int, int]):
    sides = np.array(size, np.float64)
    share = np.rint(point * 1000) / sides
    assert np.array_equal(in_pixels(share, sides) / sides, share)
    near = in_pixels(point, sides)
    assert np.allclose(near / sides, point, rtol=4e-16, atol=1e-300)


@given(st.text() | st.floats(allow_infinity=False) | st.integers())
def test_any_cell_is_read_as_it_was_written(value: object):
    cell = written(value)
    assert not set(cell) & set("\t\n\r")
    if isinstance(value, str):
        assert read_text(cell) == value
    elif value == value:  # noqa: PLR0124
        assert (int(cell) if isinstance(value, int) else float(cell)) == value
    else:
        assert cell == "n/a"


def test_tables_are_the_same_bytes_for_the_same_numbers(tmp_path: Path):
    for name in ("a.tsv.gz", "b.tsv.gz"):
        write_tsv(tmp_path / name, {"x": np.array([0.1, np.nan]), "y": ["1", None]}, header=False)
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.tsv.gz").read_bytes()) == b"0.1\t1\nn/a\tn/a\n"


def test_another_recording_is_added_and_the_same_one_refused(everything: Recording, tmp_path: Path):
    root = tmp_path / "set"
    write(root, everything, condition="dim", age=30)
    before = {file: file.read_bytes() for file in root.rglob("*.gz")}
    write(root, everything, names=(Entities("01", "walk", "", "2"),), condition="lit", age=30)
    write(root, everything, names=(Entities("02", "walk"),), condition="lit", group="b")
    assert all(file.read_bytes() == content for file, content in before.items())
    assert broken_rules(root) == []
    assert regard.study(root).columns["condition"].tolist() == ["dim", "lit", "lit"]
    people = read_tsv(root / "participants.tsv")
    assert people["participant_id"].tolist() == ["sub-01", "sub-02"]
    assert people["age"].tolist() == ["30", "n/a"]
    assert people["group"].tolist() == ["n/a", "b"]
    listed = regard.study(root)
    assert [one.id for one in listed.recordings] == ["sub-01_task-walk", "sub-01_task-walk_run-2", "sub-02_task-walk"]
    assert all(same(regard.open(one.path), everything) == [] for one in listed.recordings)
    everyone = sorted(root.rglob("*"))
    with pytest.raises(FileError, match="in the dataset already"):
        write(root, everything, everything, names=(Entities("03", "walk"), NAMES))
    with pytest.raises(FileError, match="no gaze"):
        write(root, everything, replace(everything, gaze=None), names=(Entities("03", "a"), Entities("04", "a")))
    assert sorted(root.rglob("*")) == everyone


def test_nothing_is_left_of_an_addition_that_was_stopped(
    everything: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = tmp_path / "set"
    write(root, everything)
    before = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}
    replaces = Path.replace

    def stops(self: Path, target: Path) -> Path:
        if target.name.endswith("_physio.tsv.gz"):
            raise KeyboardInterrupt
        return replaces(self, target)

    monkeypatch.setattr(Path, "replace", stops)
    with pytest.raises(KeyboardInterrupt):
        write(root, everything, names=(Entities("02", "walk"),))
    monkeypatch.undo()
    assert {file: file.read_bytes() for file in root.rglob("*") if file.is_file()} == before
    write(root, everything, names=(Entities("02", "walk"),))
    assert broken_rules(root) == []


def test_nothing_is_left_of_an_export_that_failed(everything: Recording, tmp_path: Path):
    with pytest.raises(FileError, match="at least 2"):
        write(tmp_path / "set", everything, replace(everything, gaze=None), names=(NAMES, Entities("2", "a")))
    gone = replace(everything, audio=MediaStream(path=tmp_path / "gone.wav"))
    with pytest.raises(FileError, match=r"gone\.wav"):
        write(tmp_path / "set", everything, gone, names=(NAMES, Entities("2", "a")))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    with pytest.raises(FileError, match="something else"):
        write(tmp_path / "other", everything)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["flow.mkv", "other", "walk"]
    assert [f.name for f in (tmp_path / "other").iterdir()] == ["mine.txt"]


def test_columns_that_differ_within_a_subject_go_to_its_scans(everything: Recording, tmp_path: Path):
    entries = [
        Entry(name=Entities("1", "a", "", str(n)), open=lambda: everything, columns={"age": 30, "light": f"l{n}"})
        for n in (1, 2)
    ]
    write_bids(tmp_path / "set", entries, name="x", version="1", tell=lambda _: None)
    assert broken_rules(tmp_path / "set") == []
    assert list(read_tsv(tmp_path / "set" / "participants.tsv")) == ["participant_id", "age"]
    columns = regard.study(tmp_path / "set").columns
    assert columns["light"].tolist() == ["l1", "l2"]
    assert columns["run"].tolist() == [1, 2]
    assert columns["age"].tolist() == [30, 30]


def test_the_rules_find_what_is_wrong(everything: Recording, tmp_path: Path):
    (file,) = write(tmp_path / "set", everything)
    about = file.with_name(file.name.replace(".tsv.gz", ".json"))
    told = json.loads(about.read_text())
    del told["RecordedEye"]
    about.write_text(json.dumps(told | {"SampleCoordinateSystem": "scene", "Columns": told["Columns"][::-1]}))
    (file.parent / "sub-01_task-walk_video.mp4").touch()
    said = "\n".join(broken_rules(tmp_path / "set"))
    assert all(
        part in said for part in ("no RecordedEye", "'scene'", "not first ['timestamp'", "video.mp4: a name of no")
    )
