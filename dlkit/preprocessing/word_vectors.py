"""Which vectors does a file of somebody else's give to the words of a vocabulary?

The text format of GloVe: a word and its numbers on each line, in UTF-8, single spaces between them. The line
"count dimension" with which word2vec and fastText begin is understood, and so are files in gzip. Words may hold
spaces ("at name@domain.com" in GloVe 840B): the last fields of a line are its numbers. The file streams, so that
only the vocabulary's rows are ever in memory; every line is checked, also those of other words.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from dlkit.data.delimited import BINARY
from dlkit.data.paths import unreadable
from dlkit.errors import DataError, DataNotFoundError

SEED = 0
"""For the vectors of words that are not in the file."""
LONGEST_LINE = 1 << 20
LARGEST_DIMENSION = 10_000
LARGEST = float(np.finfo(np.float32).max)
BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_NUMBER = r"[-+]?(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?+"
_number = re.compile(_NUMBER)
_numbers = re.compile(f"(?: {_NUMBER})+")
_header = re.compile("([0-9]{1,12}) ([0-9]{1,6})")
_AGAIN = "Remove or mend the line, or get the file again."


@dataclass(frozen=True, eq=False)
class WordVectors:
    """`vectors`: (vocabulary, dimension) float32. `found`: (vocabulary,) bool, whether the word is in the file.

    A word that is not in the file has a vector drawn from a normal distribution with the mean and the standard
    deviation of all numbers of those found: as large as the others and unlike any of them; zeros would make all such
    words one. The same file and vocabulary always give the same vectors. `repeated`: lines with a word of the
    vocabulary that had a line before; the first one counts.
    """

    vectors: np.ndarray
    found: np.ndarray
    repeated: int = 0

    @property
    def dimension(self) -> int:
        return int(self.vectors.shape[1])

    @property
    def coverage(self) -> float:
        """Share of the vocabulary's words that are in the file."""
        return float(np.mean(self.found))


def read_word_vectors(path: Path, vocabulary: Sequence[str]) -> WordVectors:
    """The vectors of the words of `vocabulary`, each of which stands there once.

    DataError with the line where the file is damaged, or where no word of the vocabulary is in it.
    """
    rows = {word: row for row, word in enumerate(vocabulary)}
    if len(rows) != len(vocabulary):
        raise ValueError(f"vocabulary: expected different words, got {len(vocabulary) - len(rows)} twice.")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file" if path.exists() else "not there"
        raise DataNotFoundError(f"{path}: expected a text file of word vectors, and this is {what}. Check the path.")
    read = _Reading(path)
    found = np.zeros(len(rows), bool)
    vectors = np.zeros((len(rows), 0), np.float32)
    repeated = 0
    for word, numbers in read.entries():
        row = rows.get(word)
        if row is None:
            continue
        if found[row]:
            repeated += 1
            continue
        if not vectors.size:
            vectors = np.zeros((len(rows), read.dimension), np.float32)
        vectors[row], found[row] = read.vector(word, numbers), True
    if not found.any():
        some = ", ".join(repr(word) for word in list(rows)[:3])
        raise DataError(
            f"{path}: none of the {len(rows):,} words of the vocabulary ({some}, …) is among the {read.count:,} words "
            "of this file. Words are lower-cased and hold no apostrophes: give vectors of such words, in the "
            "language of the texts."
        )
    read_numbers, missing = vectors[found], np.flatnonzero(~found)
    mean, deviation = read_numbers.mean(dtype=np.float64), read_numbers.std(dtype=np.float64)
    vectors[missing] = np.random.default_rng(SEED).normal(mean, deviation, (len(missing), read.dimension))
    return WordVectors(vectors, found, repeated)


class _Reading:
    """One pass over a file. `dimension`, `count` (vectors) and `line` (number) are known as far as it has got."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dimension = self.count = self.line = 0
        self._promised: int | None = None

    def entries(self) -> Iterator[tuple[str, str]]:
        """Each line as its word and its numbers, these still text with a space before each."""
        blank = 0
        for number, raw in enumerate(_lines(self.path), start=1):
            self.line = blank or number
            line = self._decoded(raw)
            if not line:
                blank = self.line
                continue
            if blank:
                self._refuse("expected a word and its numbers, got a blank line before the end")
            if self.line == 1 and self._begins(line):
                continue
            cut = self._cut(line)
            self.count += 1
            yield line[:cut], line[cut:]
        if not self.count:
            raise DataError(f"{self.path}: no word vectors in it; expected lines of a word and its numbers.")
        if self._promised not in (None, self.count):
            raise DataError(
                f"{self.path}: line 1 promises {self._promised:,} vectors, and {self.count:,} follow, so the file is "
                "cut short or damaged. Get it again, or correct line 1."
            )

    def vector(self, word: str, numbers: str) -> np.ndarray:
        """(dimension,) float32"""
        values = np.array([float(number) for number in numbers[1:].split(" ")])
        if not np.abs(values).max() <= LARGEST:
            self._refuse(f"the vector of {word!r} holds a number too large for float32")
        return values.astype(np.float32)

    def _decoded(self, raw: bytes) -> str:
        try:
            line = raw.decode("utf-8-sig" if self.line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            self._refuse(
                f"byte {raw[error.start]:#04x} is not UTF-8, so this is a binary or damaged file",
                "Save the vectors as text in UTF-8 (word2vec: binary=False).",
            )
        if "\0" in line:
            self._refuse("a zero byte, so this is a binary file", "Save the vectors as text in UTF-8.")
        return line.rstrip(" \r\n")  # word2vec leaves a space at the end

    def _begins(self, line: str) -> bool:
        """Take the dimension from the first line; whether that is all it says."""
        header = _header.fullmatch(line)
        if header is None:
            self.dimension = line.count(" ")
        else:
            self._promised, self.dimension = int(header[1]), int(header[2])
        if not 1 <= self.dimension <= LARGEST_DIMENSION:
            hint = " Fields are separated by single spaces, not by tabs or commas."
            what = f"expected a word and its numbers, {LARGEST_DIMENSION:,} at most"
            self._refuse(f"{what}, got {line[:60]!r}", _AGAIN + hint)
        return header is not None

    def _cut(self, line: str) -> int:
        """Where the word ends and the numbers begin."""
        spaces = line.count(" ")
        if spaces == self.dimension:
            cut = line.index(" ")
        else:
            cut = len(line.rsplit(" ", self.dimension)[0]) if spaces > self.dimension else 0
            if _number.fullmatch(line[:cut].rpartition(" ")[2]):
                cut = 0  # one number more than there should be, not a word that ends with a number
        if cut == 0 or line[cut - 1] == " " or not _numbers.fullmatch(line, cut):
            self._refuse_numbers(line)
        return cut

    def _refuse_numbers(self, line: str) -> NoReturn:
        fields = line.split(" ")
        odd = [field for field in fields[-self.dimension :] if not _number.fullmatch(field)]
        if len(fields) == self.dimension + 1 and odd:
            got = f"{odd[0][:40]!r} among them"
        else:
            others = [place for place, field in enumerate(fields) if not _number.fullmatch(field)]
            got = f"{len(fields) - 1 - max(others, default=0)} ({line[:40]!r}…)"
        origin = "as line 1 says" if self._promised is not None else "as in line 1"
        self._refuse(f"expected a word and {self.dimension} finite numbers, {origin}, got {got}")

    def _refuse(self, what: str, remedy: str = _AGAIN) -> NoReturn:
        raise DataError(f"{self.path}, line {self.line}: {what}. {remedy}")


def _lines(path: Path) -> Iterator[bytes]:
    """Lines end with a line feed alone: words of GloVe hold other code points that Python takes for line ends."""
    rest, number = b"", 0
    try:
        with _opened(path) as file:
            while block := file.read(BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                number += len(lines)
                if len(rest) > LONGEST_LINE:
                    raise DataError(
                        f"{path}, line {number + 1}: longer than {LONGEST_LINE:,} bytes, so this is no text of word "
                        "vectors. Expected lines of a word and its numbers."
                    )
                yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged or cut short ({error}). Get it again.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if rest:
        yield rest


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_GZIP):
        return gzip.open(path)
    if not start:
        raise DataError(f"{path}: the file is empty; expected lines of a word and its numbers.")
    kind = next((kind for magic, kind in BINARY.items() if start.startswith(magic)), None)
    if kind is not None:
        raise DataError(f"{path}: this is {kind}, not text. Unpack it and give the .txt file with the vectors.")
    return path.open("rb")
