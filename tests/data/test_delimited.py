"""Is what stands in somebody's CSV read as it stands there, or refused with its line?"""

from __future__ import annotations

import codecs
import csv
from pathlib import Path

import pytest

from dlkit.data.delimited import delimited_blocks, parse_number, read_delimited
from dlkit.errors import DataError, DataNotFoundError
from dlkit.inference.missing import is_missing

ROWS = "name,city,size\nAda,Köln,3\nBo,Łódź,4\n"


def written(tmp_path: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    table = read_delimited(written(tmp_path, ROWS.replace(",", delimiter)))
    assert table.delimiter == delimiter
    assert table.columns == {"name": ["Ada", "Bo"], "city": ["Köln", "Łódź"], "size": ["3", "4"]}
    assert table.notes == ()


@pytest.mark.parametrize("line", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
@pytest.mark.parametrize("read", [read_delimited, lambda path: next(delimited_blocks(path, 2))])
def test_a_first_line_that_says_the_delimiter_is_heeded_and_no_header(tmp_path: Path, line: str, read) -> None:
    table = read(written(tmp_path, line + "a,b;c\n1,5;x, y\n2;z\n"))
    assert table.columns == {"a,b": ["1,5", "2"], "c": ["x, y", "z"]}
    assert table.lines.tolist() == [3, 4]


def test_commas_in_prose_do_not_hide_the_tab(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, "text, as written\tlabel\nGood, very good\tpos\nBad, so bad\tneg\n"))
    assert table.columns["label"] == ["pos", "neg"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_encodings_are_read_without_a_note(tmp_path: Path, encoding: str) -> None:
    table = read_delimited(written(tmp_path, ROWS.encode(encoding)))
    assert list(table.columns) == ["name", "city", "size"]
    assert table.columns["city"] == ["Köln", "Łódź"]
    assert table.notes == ()


def test_windows_1252_is_read_with_a_note(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, "name,price\nCafé,5 €\n".encode("cp1252")))
    assert table.columns == {"name": ["Café"], "price": ["5 €"]}
    assert "Windows-1252" in table.notes[0]


def test_latin_1_is_read_with_a_note(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, b"name,x\nCaf\xe9\x81,1\n"))
    assert table.columns["name"] == ["Café\x81"]
    assert "Latin-1" in table.notes[0]


def test_utf_8_is_found_beyond_the_first_block(tmp_path: Path) -> None:
    body = "x" * (1 << 20) + "é"  # the letter's two bytes straddle no block, but lie in the second
    assert read_delimited(written(tmp_path, f"text,label\n{body},a\n")).columns["text"] == [body]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_bytes_that_break_their_byte_order_mark_are_refused(tmp_path: Path, mark: bytes) -> None:
    with pytest.raises(DataError, match="damaged"):
        read_delimited(written(tmp_path, mark + b"a,b\n\xff\xff1,2\n" + b"x" * 11))


def test_quoted_fields_hold_delimiters_line_breaks_and_quotation_marks(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, 'a,b\n"one, two\nthree","say ""hi"""\n4,5\n'))
    assert table.columns == {"a": ["one, two\nthree", "4"], "b": ['say "hi"', "5"]}
    assert table.lines.tolist() == [2, 4]


def test_blank_lines_and_bare_delimiters_are_skipped_and_lines_still_count(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, "\na,b\r\n\r\n1,2\r\n,\r\n3,4\r\n\x1a"))
    assert table.columns == {"a": ["1", "3"], "b": ["2", "4"]}
    assert table.lines.tolist() == [4, 6]


def test_unquoted_quotation_marks_are_read_as_text_and_noted(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, 'text\tlabel\n"Good\tpos\n"Bad" it is\tneg\n', "rows.tsv"))
    assert table.columns == {"text": ['"Good', '"Bad" it is'], "label": ["pos", "neg"]}
    assert "quotation marks" in table.notes[0]


def test_a_quotation_mark_that_is_never_closed_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3: .*quoted field"):
        read_delimited(written(tmp_path, 'text,label\nfine,a\n"open and on\nmore,b,c\n'))


def test_a_ragged_row_is_refused_with_line_and_counts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 4: expected 3 fields as in the header, got 2 \('Cy', 'Bonn'\)"):
        read_delimited(written(tmp_path, ROWS + "Cy,Bonn\n"))


def test_a_row_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: expected 2 fields as in the header, got 4 .*'1', '2', '3', …"):
        read_delimited(written(tmp_path, "a,b\n1,2,3,4\n5,6\n7,8\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n \n\n", "nothing but blank lines"),
        ("a,b\n", r"a header \(a, b\) and no rows"),
        ("a,b,a\n1,2,3\n", "column name 'a' stands 2 times"),
        ("a,,c\nx,y,z\n", "column 2 of 3 has no name"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "expected column names, got numbers"),
        ("1,2\n3,4\n", "expected column names, got numbers"),
        (b"a,b\n1,\x002\n", r"line 2: byte 0x00"),
        (b"PK\x03\x04rest", "a zip or Excel file"),
        (b"\x89PNG\r\n", "a picture"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (bytes(range(256)) * 4, "binary or damaged"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_delimited(written(tmp_path, content))


def test_in_parts_too_a_nameless_column_is_left_out_where_it_says_nothing_alone(tmp_path: Path) -> None:
    first, second = delimited_blocks(written(tmp_path, ",a\n0,x\n1,y\n2,z\n"), 2)
    assert (first.columns, second.columns) == ({"a": ["x", "y"]}, {"a": ["z"]})
    with pytest.raises(DataError, match=r"column 1 of 2 has no name in the header, and holds .*'2024-01-01'. Name it"):
        next(delimited_blocks(written(tmp_path, ",a\n2024-01-01,1\n2024-01-02,2\n"), 2))


def test_a_nameless_column_that_numbers_the_rows_is_left_out_with_a_note(tmp_path: Path) -> None:
    table = read_delimited(written(tmp_path, ",a,\n0,x,\n1,y,\n"))
    assert table.columns == {"a": ["x", "y"]}
    assert [note.split(";")[0] for note in table.notes] == [
        "column 1 has no name and numbers the rows",
        "column 3 has no name and no values",
    ]


def test_a_field_of_a_megabyte_is_read_and_the_limit_of_csv_is_left_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    table = read_delimited(written(tmp_path, f"text,label\n{'long ' * 200_000},a\n"))
    assert len(table.columns["text"][0]) == 1_000_000
    assert csv.field_size_limit() == before


def test_a_folder_or_a_missing_path_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="this is a folder"):
        read_delimited(tmp_path)
    with pytest.raises(DataNotFoundError, match="not there"):
        read_delimited(tmp_path / "no.csv")


def test_an_unreadable_file_is_reported_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, ROWS)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read all files, so chmod would prove nothing
    with pytest.raises(DataNotFoundError, match=r"Permission denied.*chmod \+r"):
        read_delimited(path)


@pytest.mark.parametrize("field", ["", "NA", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "  ", " NA "])
def test_markers_of_missing_values_are_known(field: str) -> None:
    assert is_missing(field)


@pytest.mark.parametrize(
    ("field", "value"),
    [("3", 3.0), ("-1.5e3", -1500.0), (".5", 0.5), ("+2.", 2.0), ("inf", float("inf")), ("-Infinity", -float("inf")),
     ("1e999", float("inf")), ("1e39", float("inf")), ("1_000", None), ("1,5", None), ("nan", None), ("0x10", None),
     ("٣", None), ("1 000", None), ("", None), ("1.2.3", None), (".", None), ("e5", None)],
)  # fmt: skip
def test_numbers_are_told_from_words(field: str, value: float | None) -> None:
    assert parse_number(field) == value


def test_a_decimal_comma_is_read_only_where_it_is_expected() -> None:
    assert parse_number("-1,5e1", decimal_comma=True) == -15.0
    assert parse_number("1,000,000", decimal_comma=True) is None
