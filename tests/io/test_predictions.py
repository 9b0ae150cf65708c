"""A saved prediction comes back bit for bit, is readable without regard, and nothing else passes for one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regard.errors import FileError
from regard.io.predictions import open_prediction, prediction_writer, read_prediction, write_prediction
from regard.prediction import Prediction, joined
from regard.types import FilePrint


def prediction(n: int = 5, size: tuple[int, int] = (3, 4)) -> Prediction:
    logits = np.random.default_rng(0).normal(size=(n, *size))
    logs = logits - np.log(np.exp(logits).sum(axis=(1, 2), keepdims=True))
    time_s = np.arange(n) / 30
    return Prediction(
        recording="kitchen",
        model="gaze-stays",
        time_s=time_s,
        seen_until_s=time_s - 0.5,
        values={"log_density": logs.astype(np.float32)},
        source=FilePrint("kitchen.mp4", 1234, "ab12"),
    )


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_prediction_comes_back_bit_for_bit(tmp_path, n):
    written = prediction(n)
    write_prediction(written, tmp_path / "new" / "p.parquet")
    found = read_prediction(tmp_path / "new" / "p.parquet")
    assert (found.recording, found.model, found.source) == ("kitchen", "gaze-stays", written.source)
    np.testing.assert_array_equal(found.time_s, written.time_s, strict=True)
    np.testing.assert_array_equal(found.seen_until_s, written.seen_until_s, strict=True)
    np.testing.assert_array_equal(found["log_density"], written["log_density"], strict=True)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["p.parquet"]


def test_cells_of_minus_infinity_survive(tmp_path):
    written = prediction()
    written["log_density"][:, 0] = -np.inf
    write_prediction(written, tmp_path / "p.parquet")
    np.testing.assert_array_equal(read_prediction(tmp_path / "p.parquet")["log_density"], written["log_density"])


def test_pandas_reads_the_points_without_regard(tmp_path):
    written = prediction()
    write_prediction(written, tmp_path / "p.parquet")
    table = pd.read_parquet(tmp_path / "p.parquet")
    assert list(table.columns) == ["time_s", "seen_until_s", "x", "y", "log_density"]
    maps = np.stack([np.stack(rows) for rows in table["log_density"]])
    np.testing.assert_array_equal(maps, written["log_density"])
    row, column = np.unravel_index(maps.reshape(5, -1).argmax(axis=1), (3, 4))
    np.testing.assert_allclose(table["x"], (column + 0.5) / 4)
    np.testing.assert_allclose(table["y"], (row + 0.5) / 3)


@pytest.mark.parametrize("n", [0, 3])
def test_a_table_in_pandas_is_the_same_from_memory_and_from_a_file_and_has_no_maps(tmp_path, n):
    written = replace(
        prediction(n),
        who=("ann",) * n,
        values={
            "log_density": prediction(n)["log_density"],
            "logits/verb": np.tile(np.float32([0, 0, np.log(2)]), (n, 1)),
            "looking": np.full(n, 0.25),
        },
        class_names={"verb": ("cut", "stir", "take")},
    )
    write_prediction(written, tmp_path / "p.parquet")
    table = written.to_pandas()
    read = open_prediction(tmp_path / "p.parquet").to_pandas()
    pd.testing.assert_frame_equal(read, table, check_dtype=n > 0)
    about = ["time_s", "seen_until_s", "who", "x", "y"]
    assert list(table) == [*about, "verb", "verb_probability", "verb_name", "looking"]
    np.testing.assert_array_equal(table[["x", "y"]], written.point)
    assert table["verb_name"].tolist() == ["take"] * n
    np.testing.assert_allclose(table["verb_probability"], 0.5)
    point = replace(prediction(n), values={"point": written.point})
    pd.testing.assert_frame_equal(point.to_pandas()[["x", "y"]], table[["x", "y"]])


def test_what_is_no_parquet_file_is_refused(tmp_path):
    cut = tmp_path / "cut.parquet"
    write_prediction(prediction(), cut)
    cut.write_bytes(cut.read_bytes()[:-100])
    (tmp_path / "text.parquet").write_text("time_s,x,y\n0,0.5,0.5\n")
    (tmp_path / "empty.parquet").touch()
    for name in ("cut", "text", "empty", "missing"):
        with pytest.raises(FileError, match="regard predict") as caught:
            read_prediction(tmp_path / f"{name}.parquet")
        assert caught.value.where == str(tmp_path / f"{name}.parquet")
    with pytest.raises(FileError, match="found:  no such file\n"):
        read_prediction(tmp_path / "missing.parquet")
    with pytest.raises(FileError):
        read_prediction(tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.replace_schema_metadata({}),
        lambda t: t.replace_schema_metadata({**t.schema.metadata, b"class_names": b"three"}),
        lambda t: t.set_column(0, "time_s", pa.array([0.0, 2.0, 1.0, 3.0, 4.0])),
        lambda t: t.set_column(0, "time_s", pa.array([0.0, 1.0, float("nan"), 3.0, 4.0])),
        lambda t: t.replace_schema_metadata({**t.schema.metadata, b"model": b"\xff\xfe"}),
        lambda t: t.drop_columns(["log_density"]),
        lambda t: t.drop_columns(["seen_until_s"]),
        lambda t: t.set_column(4, "log_density", pa.array([0.0] * 5)),
        lambda t: t.set_column(4, "log_density", pa.array([["a"] * 12] * 5)),
        lambda t: t.set_column(0, "time_s", pa.array(["soon"] * 5)),
    ],
    ids=["bare", "classes", "disorder", "no moment", "bytes", "no maps", "no times", "numbers", "words", "word times"],
)
def test_another_table_is_no_prediction(tmp_path, spoil):
    path = tmp_path / "p.parquet"
    write_prediction(prediction(), path)
    pq.write_table(spoil(pq.read_table(path)), path)
    with pytest.raises(FileError, match="no readable prediction"):
        read_prediction(path)


def windows(n: int) -> Prediction:
    """What an action model might say of two people, with maps of two parts each."""
    rng = np.random.default_rng(1)
    return Prediction(
        recording="kitchen",
        model="m",
        start_s=np.arange(n) - 0.5,
        time_s=np.arange(n) + 0.5,
        seen_until_s=np.arange(n) + 0.5,
        who=tuple("ab"[i % 2] for i in range(n)),
        values={
            "logits/action": rng.normal(size=(n, 3)).astype(np.float32),
            "attention": rng.random((n, 2, 4, 5)).astype(np.float32),
            "looking": rng.random(n),
        },
        class_names={"action": ("cut", "stir", "pour")},
    )


@pytest.mark.parametrize("names", [("cut",), ("cut", "stir", "pour", "wash")])
def test_a_list_of_classes_that_is_shorter_or_longer_than_the_answers_names_those_that_it_knows(tmp_path, names):
    written = replace(windows(30), class_names={"action": names})
    write_prediction(written, tmp_path / "p.parquet")
    best = written["logits/action"].argmax(axis=1)
    said = pq.read_table(tmp_path / "p.parquet")["action_name"].to_pylist()
    assert said == [names[k] if k < len(names) else f"action {k}" for k in best]


def test_arrays_of_any_name_and_shape_come_back_with_who_and_windows(tmp_path):
    written = windows(7)
    write_prediction(written, tmp_path / "p.parquet")
    found = read_prediction(tmp_path / "p.parquet")
    assert (found.who, found.class_names, found.names) == (written.who, written.class_names, written.names)
    np.testing.assert_array_equal(found.begun_s, written.begun_s)
    for name in written.names:
        np.testing.assert_array_equal(found[name], written[name], strict=True)


def test_people_read_the_likeliest_class_by_number_name_and_probability(tmp_path):
    write_prediction(windows(7), tmp_path / "p.parquet")
    table = pd.read_parquet(tmp_path / "p.parquet")
    logits = np.stack(list(table["logits/action"]))
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(table["action"], logits.argmax(axis=1))
    np.testing.assert_allclose(table["action_probability"], share.max(axis=1), rtol=1e-6)
    assert list(table["action_name"]) == [("cut", "stir", "pour")[k] for k in logits.argmax(axis=1)]


def test_a_file_is_read_in_pieces_of_the_arrays_that_are_wanted(tmp_path, monkeypatch):
    written = windows(50)
    write_prediction(written, tmp_path / "p.parquet")
    monkeypatch.setattr("regard.io.predictions.PIECE", 16)
    pieces = list(open_prediction(tmp_path / "p.parquet").pieces(["looking"]))
    assert [len(p) for p in pieces] == [16, 16, 16, 2]
    assert all(p.names == ("looking",) for p in pieces)
    np.testing.assert_array_equal(joined(pieces)["looking"], written["looking"])
    np.testing.assert_array_equal(np.concatenate([p.time_s for p in pieces]), written.time_s)


def test_answers_that_come_one_by_one_make_the_same_file(tmp_path):
    written = windows(9)
    write_prediction(written, tmp_path / "whole.parquet")
    with prediction_writer(tmp_path / "bits.parquet") as writer:
        for i in range(9):
            writer.write(written.rows(slice(i, i + 1)))
    bits, whole = (read_prediction(tmp_path / f"{n}.parquet") for n in ("bits", "whole"))
    for name in written.names:
        np.testing.assert_array_equal(bits[name], whole[name])


def test_a_writing_that_fails_leaves_what_was_there(tmp_path):
    write_prediction(windows(3), tmp_path / "p.parquet")
    with pytest.raises(ValueError, match="other arrays"), prediction_writer(tmp_path / "p.parquet") as writer:
        writer.write(joined([windows(3), prediction(3)]))
    assert len(read_prediction(tmp_path / "p.parquet")) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["p.parquet"]


def test_rows_and_columns_that_do_not_match_are_no_prediction():
    with pytest.raises(ValueError, match="3 answers"):
        Prediction(recording="r", model="m", time_s=np.zeros(3), seen_until_s=np.zeros(3), values={}, who=("a", "b"))
