"""Are own word vectors read as their file gives them, and is a damaged file told apart from a whole one?"""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlkit.errors import DataError, DataNotFoundError
from dlkit.preprocessing import word_vectors as module
from dlkit.preprocessing.word_vectors import read_word_vectors

GLOVE = "the 0.5 -1 2e-1\nfilm 1 2 3\nat name@domain.com .25 0 -0.5\n. . . 1. +1 1E0\n2008 7 8 9\n\x85 0 0 1\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def call(content: str | bytes, name: str = "vectors.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return call


def test_vectors_stand_in_the_order_of_the_vocabulary(write: Write) -> None:
    read = read_word_vectors(write(GLOVE), ["film", "unknown", "the", "2008"])
    assert read.vectors.dtype == np.float32 and read.vectors.shape == (4, 3) and read.dimension == 3
    np.testing.assert_allclose(read.vectors[[0, 2, 3]], [[1.0, 2.0, 3.0], [0.5, -1.0, 0.2], [7.0, 8.0, 9.0]], rtol=1e-6)
    assert read.found.tolist() == [True, False, True, True]
    assert read.coverage == 0.75 and read.repeated == 0


def test_words_may_hold_spaces_and_odd_line_ends(write: Write) -> None:
    read = read_word_vectors(write(GLOVE), ["at name@domain.com", ". . .", "\x85"])
    np.testing.assert_allclose(read.vectors, [[0.25, 0.0, -0.5], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    "content",
    [
        "6 3\n" + GLOVE,
        "\ufeff" + GLOVE,
        GLOVE.replace("\n", "\r\n"),
        GLOVE.replace("\n", " \n"),
        GLOVE[:-1],
        GLOVE + "\n  \n",
        gzip.compress(GLOVE.encode(), mtime=0),
    ],
    ids=["header", "byte order mark", "windows", "trailing spaces", "no last line end", "blank end", "gzip"],
)
def test_all_ways_to_write_it_read_the_same(write: Write, content: str | bytes) -> None:
    read = read_word_vectors(write(content), ["the", "2008", "\x85"])
    np.testing.assert_allclose(read.vectors, [[0.5, -1.0, 0.2], [7.0, 8.0, 9.0], [0.0, 0.0, 1.0]], rtol=1e-6)


def test_words_that_are_not_there_are_drawn_like_those_found_and_alike_each_time(write: Write) -> None:
    dice = np.random.default_rng(3)
    lines = [f"w{number} " + " ".join(f"{x:.4f}" for x in dice.normal(0.3, 2, 20)) for number in range(200)]
    path = write("\n".join(lines))
    vocabulary = [f"{kind}{number}" for number in range(200) for kind in "wx"]
    read = read_word_vectors(path, vocabulary)
    drawn, found = read.vectors[~read.found], read.vectors[read.found]
    assert read.coverage == 0.5 and len(np.unique(drawn, axis=0)) == 200
    assert abs(drawn.mean() - found.mean()) < 0.15 and abs(drawn.std() - found.std()) < 0.1
    np.testing.assert_array_equal(read_word_vectors(path, vocabulary).vectors, read.vectors)


def test_the_first_of_repeated_words_counts_and_the_others_are_counted(write: Write) -> None:
    read = read_word_vectors(write("a 1 2\nb 3 4\na 5 6\na 7 8\nc 0 0\nc 1 1\n"), ["a", "b"])
    assert read.vectors.tolist() == [[1, 2], [3, 4]] and read.repeated == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("the 1 2 3\nfilm 1 2\n", r"line 2: expected a word and 3 finite numbers, as in line 1, got 2 \('film 1 2'"),
        ("the 1 2 3\nfilm 1 2 3 4\n", r"line 2: .*3 finite numbers.* got 4"),
        ("the 1 2 3\nfilm\n", "line 2: .* got 0"),
        ("the 1 2 3\n1 2 3\n", "line 2: .* got 2"),
        ("the 1 2 3\n 1 2 3\n", "line 2"),
        ("the 1 2 3\nfilm 1  3\n", "line 2: .* got '' among them"),
        ("the 1 2 3\nfilm  1 2 3\n", "line 2"),
        ("the 1 2 3\nfilm 1 x3 3\n", "line 2: .* got 'x3' among them"),
        ("the 1 2 3\nfilm 1 1.2.3 3\n", "line 2: .* got '1.2.3' among them"),
        ("the 1 2 3\nfilm 1 1_0 3\n", "line 2: .* got '1_0' among them"),
        ("the 1 2 3\nfilm 1 nan 3\n", "line 2: .* got 'nan' among them"),
        ("the 1 2 3\nfilm 1 -inf 3\n", "line 2: .* got '-inf' among them"),
        ("the 1 2 3\nfilm 1 ٣ 3\n", "line 2: .* got '٣' among them"),
        ("the 1 2 3\na 1 2 3\nthe film 1 x 3\n", "line 3"),
        ("2 3\nthe 1 2 3 4\na 1 2 3 4\n", "line 2: .*3 finite numbers, as line 1 says, got 4"),
        ("3 3\nthe 1 2 3\na 1 2 3\n", "promises 3 vectors, and 2 follow"),
        ("1 3\nthe 1 2 3\na 1 2 3\n", "promises 1 vectors, and 2 follow"),
        ("2 0\nthe\na\n", "line 1: expected a word and its numbers, 10,000 at most, got '2 0'"),
        ("2 999999\nthe 1\n", "line 1: .*got '2 999999'"),
        ("the\t1\t2\nfilm\t1\t2\n", "line 1: .*not by tabs or commas"),
        ("the quick brown fox\n", "line 1: expected a word and 3 finite numbers"),
        ("the 1 2\n\nfilm 1 2\n", "line 2: .*blank line"),
        (b"the 1 2\nfilm 1 2\nf\xe9 1 2\n", "line 3: byte 0xe9 is not UTF-8"),
        (b"2 300\nthe \x00\x00\x80\x3f\xff", "line 2: byte 0x80 is not UTF-8.*binary=False"),
        ("the 1 2\nfi\0lm 1 2\n", "line 2: a zero byte"),
        (GLOVE.encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
        (b"PK\x03\x04 glove.6B.zip", "a zip or Excel file, not text. Unpack it"),
        (b"", "the file is empty"),
        (gzip.compress(b"", mtime=0), "no word vectors in it"),
        ("3 2\n", "no word vectors in it"),
        ("\n\n", "no word vectors in it"),
        (gzip.compress(GLOVE.encode() * 100, mtime=0)[:-20], "damaged or cut short.*Get it again"),
        (gzip.compress(GLOVE.encode(), mtime=0)[:20] + b"\xff" * 40, "damaged or cut short"),
        ("the 1 2\n" + "x" * 3_000_000, "line 2: longer than 1,048,576 bytes"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_line(write: Write, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said) as refused:
        read_word_vectors(write(content), ["the", "nowhere"])
    assert "vectors.txt" in str(refused.value)


def test_a_number_beyond_float32_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match="line 2: the vector of 'film' holds a number too large for float32"):
        read_word_vectors(write("the 1 2\nfilm 1 -1e39\n"), ["film"])


def test_a_file_without_any_word_of_the_vocabulary_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match=r"none of the 2 words of the vocabulary \('kino', 'bild', …\) is among the 6"):
        read_word_vectors(write(GLOVE), ["kino", "bild"])


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataNotFoundError, match=r"nothing\.txt: expected a text file of word vectors, and this is not t"
    ):
        read_word_vectors(tmp_path / "nothing.txt", ["the"])
    with pytest.raises(DataNotFoundError, match="this is a folder"):
        read_word_vectors(tmp_path, ["the"])


def test_a_vocabulary_with_a_word_twice_is_a_mistake_of_the_caller(write: Write) -> None:
    with pytest.raises(ValueError, match="expected different words"):
        read_word_vectors(write(GLOVE), ["the", "the"])


def test_lines_across_the_edges_of_blocks_are_whole(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(GLOVE)
    whole = read_word_vectors(path, ["the", "film", "2008"]).vectors
    for size in (1, 2, 7, 64):
        monkeypatch.setattr(module, "BLOCK", size)
        np.testing.assert_array_equal(read_word_vectors(path, ["the", "film", "2008"]).vectors, whole)


def test_memory_holds_the_rows_of_the_vocabulary_and_not_the_file(write: Write) -> None:
    numbers = " 0.12345" * 100
    path = write("".join(f"word{number}{numbers}\n" for number in range(15_000)))
    assert path.stat().st_size > 12_000_000
    tracemalloc.start()
    read = read_word_vectors(path, ["word0", "word14999"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.coverage == 1 and peak < 6_000_000
