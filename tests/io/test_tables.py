import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.errors import FileError, RegardError, TableError
from regard.io.tables import Column, _read_cells, _read_plain, read_columns, read_header, read_table, write_table

TIME_X = (Column("time_s"), Column("x", empty=True))


def read(path, content, columns=TIME_X):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_columns(path, columns, do="name the columns time_s and x")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


def test_columns_are_found_by_name_whatever_their_order_and_company(path):
    table = read(path, "note,x,time_s\nhello,1.5,0\nyou,2.5,1e-1\n")
    assert table.columns.tolist() == ["time_s", "x"]
    assert table["time_s"].tolist() == [0.0, 0.1]
    assert table["x"].tolist() == [1.5, 2.5]


def test_byte_order_mark_windows_lines_blank_lines_and_spaces_are_tolerated(path):
    table = read(path, b"\xef\xbb\xbf time_s , x\r\n 0 , 1\r\n\r\n1,\t2 \r\n\r\n  \r\n")
    assert table["x"].tolist() == [1.0, 2.0]
    assert table.index.tolist() == [2, 4], "a frame is indexed by line number"


def test_an_empty_cell_is_nan_only_where_that_is_allowed(path):
    assert np.isnan(read(path, "time_s,x\n0,\n1,NaN\n")["x"]).all()
    with pytest.raises(TableError, match=r"nothing in column 'time_s', line 3"):
        read(path, "time_s,x\n0,1\n,1\n")


def test_a_missing_column_is_named_with_the_columns_that_were_found(path):
    with pytest.raises(TableError) as error:
        read(path, "t,x\n0,1\n")
    assert "t, x" in error.value.found
    assert "time_s" in error.value.wanted
    assert error.value.where == str(path)


@pytest.mark.parametrize("cell", ["abc", "1_0", "inf", "0x1", "1,5"])
def test_text_in_a_number_column_is_named_with_line_and_value(path, cell):
    with pytest.raises(TableError) as error:
        read(path, f'time_s,x\n0,1\n"{cell}",2\n')
    assert "line 3" in error.value.found
    assert cell in error.value.found
    assert "time_s" in error.value.found


def test_nanoseconds_keep_every_digit(path):
    table = read(path, "t\n1728546109222467161\n", (Column("t", "integer"),))
    assert table["t"].tolist() == [1728546109222467161]
    with pytest.raises(TableError, match="a whole number"):
        read(path, "t\n1.5\n", (Column("t", "integer"),))


def test_text_stays_as_it_is(path):
    table = read(path, 'person,x\nNan,1\n"Ann, too",2\n', (Column("person", "text"),))
    assert table["person"].tolist() == ["Nan", "Ann, too"]


def test_a_line_that_breaks_off_is_named(path):
    with pytest.raises(TableError, match="1 values in line 3"):
        read(path, "time_s,x\n0,1\n2")


def test_a_column_that_comes_twice_is_refused(path):
    with pytest.raises(TableError, match="2 columns named 'x'"):
        read(path, "time_s,x,x\n0,1,2\n")


def test_semicolons_get_their_own_advice(path):
    with pytest.raises(TableError, match="separate the columns with commas"):
        read(path, "time_s;x\n0;1\n")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_called_so(path, content):
    with pytest.raises(TableError, match="an empty file"):
        read(path, content)


@pytest.mark.parametrize("content", ["time_s,x\n0,1\n".encode("utf-16"), b"time_s,x\n\xff\xfe,1\n"])
def test_what_is_not_utf8_text_is_refused(path, content):
    with pytest.raises(TableError, match="UTF-8"):
        read(path, content)


def test_a_table_without_lines_is_empty_and_typed(path):
    table = read(path, "time_s,x\n")
    assert len(table) == 0
    assert table["time_s"].dtype == np.float64


def test_an_optional_column_may_be_absent(path):
    table = read(path, "time_s\n1\n", (Column("time_s"), Column("x", required=False)))
    assert table.columns.tolist() == ["time_s"]


def test_a_missing_file_and_a_folder_are_file_errors(tmp_path):
    for place in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(FileError):
            read_header(place)


@given(content=st.binary(max_size=200))
def test_any_bytes_give_a_table_or_one_clear_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with suppress(RegardError):
        table = read(path, content)
        assert np.isfinite(table["time_s"]).all()


@given(
    rows=st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.none() | st.floats(-1e6, 1e6)), max_size=20
    ),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_written_numbers_come_back_bit_for_bit(tmp_path_factory, rows, line_end):
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    lines = ["x,time_s", *(f"{'' if x is None else repr(x)},{t!r}" for t, x in rows)]
    table = read(path, line_end.join(lines))
    assert table["time_s"].tolist() == [t for t, _ in rows]
    wanted = np.array([np.nan if x is None else x for _, x in rows], np.float64)
    np.testing.assert_array_equal(table["x"].to_numpy(), wanted)
    assert table.index.tolist() == list(range(2, 2 + len(rows)))


CELL = st.sampled_from(
    [
        "1",
        "-2.5",
        "+3",
        " 4 ",
        "1e300",
        "1e400",
        "inf",
        "1_0",
        "nan",
        "NaN",
        "NA",
        ".",
        "",
        "  ",
        "x",
        '"5"',
        '"a,b"',
        "0x1",
    ]
)
KIND = st.sampled_from(["number", "integer", "text"])


@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=2) | st.lists(CELL, max_size=3), max_size=6),
    kinds=st.tuples(KIND, KIND),
    empty=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
)
def test_the_fast_parser_reads_what_the_strict_one_reads_or_leaves_it_to_it(
    tmp_path_factory, rows, kinds, empty, line_end
):
    path = tmp_path_factory.getbasetemp() / "either.csv"
    path.write_text(line_end.join(["a,b", *(",".join(row) for row in rows)]), newline="")
    columns = tuple(Column(name, kind, empty=empty) for name, kind in zip("ab", kinds, strict=True))
    places = dict(zip(columns, (0, 1), strict=True))
    fast = _read_plain(path, places, header_line=1, num_columns=2)
    if fast is not None:
        strict = _read_cells(path, places, num_columns=2)
        pd.testing.assert_frame_equal(fast, strict, check_index_type=False)


def test_a_plain_table_is_left_to_the_fast_parser(path, monkeypatch):
    monkeypatch.setattr("regard.io.tables.cells_of", lambda _: pytest.fail("read cell by cell"))
    table = read(path, b'\xef\xbb\xbf"time_s",x,note\r\n0,1,\xc3\xa4\r\n\r\n1, 2,\r\n2,NA,\r\n3,.,\r\n4,,z\r\n')
    assert table["time_s"].tolist() == [0, 1, 2, 3, 4]
    assert table["x"].tolist()[:2] == [1, 2]
    assert np.isnan(table["x"][2:].to_numpy()).all()
    assert table.index.tolist() == [2, 4, 5, 6, 7]


@pytest.mark.parametrize("spelling", ["", "nan", "NaN", "NA", "na", "N/A", "null", "NULL", "None", "."])
@pytest.mark.parametrize("quoted", [False, True])
def test_every_usual_spelling_of_a_missing_value_is_nan(path, spelling, quoted):
    cell = f'"{spelling}"' if quoted else spelling
    assert np.isnan(read(path, f"time_s,x\n0,{cell}\n")["x"]).all()


def test_a_table_of_several_blocks_keeps_its_line_numbers(path, monkeypatch):
    monkeypatch.setattr("regard.io.csv_text.BLOCK_BYTES", 64)
    lines = ["time_s,x", *(f"{i},{i}.5" for i in range(100))]
    lines.insert(50, "")
    table = read(path, "\n".join(lines))
    assert table["time_s"].tolist() == list(range(100))
    assert table.index.tolist() == [n for n in range(2, 103) if n != 51]
    with pytest.raises(TableError, match="1 values in line 90"):
        read(path, "\n".join([*lines[:89], "7", *lines[89:]]))


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(path, monkeypatch):
    monkeypatch.setattr("regard.io.csv_text.MAX_LINE", 100)
    with pytest.raises(TableError, match="a line of more than 100 characters"):
        read(path, "time_s,x\n" + "0" * 200)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "gaze.csv")
    with pytest.raises(FileError, match="a pipe or a device"):
        read_header(tmp_path / "gaze.csv")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_written_table_is_read_back(tmp_path, suffix):
    frame = pd.DataFrame({"clip": ["a", "b"], "nss": [0.1, np.nan]})
    write_table(frame, tmp_path / f"items{suffix}")
    pd.testing.assert_frame_equal(read_table(tmp_path / f"items{suffix}"), frame, check_dtype=False)
    assert [p.name for p in tmp_path.iterdir()] == [f"items{suffix}"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_that_is_none_is_refused(tmp_path, suffix):
    path = tmp_path / f"items{suffix}"
    with pytest.raises(FileError, match="no such file"):
        read_table(path)
    path.write_bytes(b"")
    with pytest.raises(TableError, match="not readable"):
        read_table(path)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"\.csv or \.parquet"):
        write_table(pd.DataFrame(), tmp_path / "items.xls")


def test_a_long_table_is_written_as_a_short_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = {"name": ["a, b", 'say "x"', None], "x": [1.5, float("nan"), 1 / 3], "n": pd.array([1, None, 3], "Int64")}
    table = pd.DataFrame(rows | {"yes": [True, False, True]})
    write_table(table, tmp_path / "short.csv")
    monkeypatch.setattr("regard.io.tables.LONG", 0)
    write_table(table, tmp_path / "long.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "long.csv"), read_table(tmp_path / "short.csv"))
