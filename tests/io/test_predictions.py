"""A saved prediction comes back bit for bit, is readable without regard, and nothing else passes for one."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regard.errors import FileError
from regard.io.predictions import read_prediction, write_prediction
from regard.types import Prediction


def prediction(n: int = 5, size: tuple[int, int] = (3, 4)) -> Prediction:
    logits = np.random.default_rng(0).normal(size=(n, *size))
    logs = logits - np.log(np.exp(logits).sum(axis=(1, 2), keepdims=True))
    time_s = np.arange(n) / 30
    return Prediction(
        recording="kitchen",
        model="gaze-stays",
        time_s=time_s,
        seen_until_s=time_s - 0.5,
        log_density=logs.astype(np.float32),
    )


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_prediction_comes_back_bit_for_bit(tmp_path, n):
    written = prediction(n)
    write_prediction(written, tmp_path / "new" / "p.parquet")
    found = read_prediction(tmp_path / "new" / "p.parquet")
    assert (found.recording, found.model) == ("kitchen", "gaze-stays")
    for field in ("time_s", "seen_until_s", "log_density"):
        np.testing.assert_array_equal(getattr(found, field), getattr(written, field), strict=True)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["p.parquet"]


def test_cells_of_minus_infinity_survive(tmp_path):
    written = prediction()
    written.log_density[:, 0] = -np.inf
    write_prediction(written, tmp_path / "p.parquet")
    np.testing.assert_array_equal(read_prediction(tmp_path / "p.parquet").log_density, written.log_density)


def test_pandas_reads_the_points_without_regard(tmp_path):
    written = prediction()
    write_prediction(written, tmp_path / "p.parquet")
    table = pd.read_parquet(tmp_path / "p.parquet")
    assert list(table.columns) == ["time_s", "seen_until_s", "x", "y", "log_density"]
    maps = np.stack(table["log_density"]).reshape(5, 3, 4)
    np.testing.assert_array_equal(maps, written.log_density)
    row, column = np.unravel_index(maps.reshape(5, -1).argmax(axis=1), (3, 4))
    np.testing.assert_allclose(table["x"], (column + 0.5) / 4)
    np.testing.assert_allclose(table["y"], (row + 0.5) / 3)


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
    with pytest.raises(FileError):
        read_prediction(tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.replace_schema_metadata({}),
        lambda t: t.replace_schema_metadata({**t.schema.metadata, b"height": b"three"}),
        lambda t: t.replace_schema_metadata({**t.schema.metadata, b"height": b"7"}),
        lambda t: t.replace_schema_metadata({**t.schema.metadata, b"model": b"\xff\xfe"}),
        lambda t: t.drop_columns(["log_density"]),
        lambda t: t.drop_columns(["seen_until_s"]),
        lambda t: t.set_column(4, "log_density", pa.array([0.0] * 5)),
        lambda t: t.set_column(4, "log_density", pa.array([["a"] * 12] * 5)),
        lambda t: t.set_column(0, "time_s", pa.array(["soon"] * 5)),
    ],
    ids=["bare", "height", "size", "bytes", "no maps", "no times", "numbers", "words", "word times"],
)
def test_another_table_is_no_prediction(tmp_path, spoil):
    path = tmp_path / "p.parquet"
    write_prediction(prediction(), path)
    pq.write_table(spoil(pq.read_table(path)), path)
    with pytest.raises(FileError, match="no readable prediction"):
        read_prediction(path)
