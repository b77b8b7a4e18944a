"""Which sentence belongs to which translation, in files that somebody else wrote?

Two aligned files (`train.en`, `train.de`: a sentence a line), a folder of such, or one table of two columns. What is
not plainly a set of pairs is refused with its line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlkit.data.archives import gunzip
from dlkit.data.delimited import read_delimited
from dlkit.data.paths import listed, unreadable
from dlkit.data.splitting import fingerprint
from dlkit.data.text_files import SPLIT_FOLDERS
from dlkit.errors import DataError, DataNotFoundError

PARTS = {name: part for part, names in SPLIT_FOLDERS.items() for name in names}
"""First word in the name of a file that holds rows to train on, to choose by, to judge by; a number may follow it."""
TABLES = (".csv", ".tsv")
HEADERS = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("sentence", "translation"), ("text", "translation"),
    ("original", "translation"), ("input", "output"),
)  # fmt: skip
"""Names of the two columns, in lower case, where they are not those of the languages."""
CODES = (
    "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km kn "
    "ko ku ky la lb lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no or pa pl ps pt ro ru sk sl so sq sr sv sw ta te tg "
    "th tk tl tr tt uk ur uz vi xh yi zh zu ara ces deu ell eng fin fra hin hun ita jpn kor nld pol por ron rus spa "
    "swe tur ukr zho"
)
"""Languages as columns are often named (ISO 639)."""


@dataclass
class Sided:
    """Sentences and their translations, row by row."""

    source: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def texts(self) -> list[str]:
        return [*self.source, *self.target]


@dataclass(frozen=True)
class PairFiles:
    """`parts`: by "train", "validation" and "test", as many as the files say; one without such a name is "train".

    `to_choose_by`: the stem of an only file that is "train" although its name says "validation".
    """

    parts: dict[str, Sided]
    fingerprint: str
    notes: tuple[str, ...] = ()
    to_choose_by: str = ""


def read_pairs(path: Path, source: str, target: str) -> PairFiles:
    """The pairs at a path: a table, a folder of aligned files or of tables, or one of two aligned files."""
    if path.is_dir():
        files = [file for file in listed(path) if file.is_file()]
        tables = [file for file in files if file.suffix.lower() in TABLES]
        if tables and not any(language_of(file) in (source, target) for file in files):
            return _tables(tables, source, target)
        return _aligned(path, files, source, target)
    if path.suffix.lower() in TABLES:
        return _tables([path], source, target)
    language = language_of(path)
    if language not in (source, target):
        raise DataError(
            f"{path}: expected a .tsv or .csv of two columns, or one of two aligned files that end with .{source} and "
            f".{target} (.gz after it or not). Call them so{_or_said()}."
        )
    siblings = [
        path.with_name(f"{_stem(path)}.{one}{path.suffix if path.suffix == '.gz' else ''}") for one in (source, target)
    ]
    return _aligned(path.parent, [file for file in siblings if file.is_file()], source, target)


def language_of(path: Path) -> str:
    """What `train.en` and `train.en.gz` end with: "en"."""
    name = path.name.removesuffix(".gz")
    return name.rpartition(".")[2] if "." in name else ""


def part_of(stem: str) -> str | None:
    """What the rows of a file of that name are for, if its first word says so: "test_2018", not "testimonials"."""
    word = re.match(r"[^\W\d_]*", stem.lower())
    return PARTS.get(word[0]) if word else None


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]


def _aligned(folder: Path, files: Sequence[Path], source: str, target: str) -> PairFiles:
    by_stem: dict[str, dict[str, Path]] = {}
    for file in files:
        if (language := language_of(file)) in (source, target):
            _check_alone(by_stem.setdefault(_stem(file), {}).get(language), file)
            by_stem[_stem(file)][language] = file
    if not by_stem:
        names = ", ".join(file.name for file in files[:8]) or "none"
        raise DataNotFoundError(
            f"{folder}/: expected two aligned files such as train.{source} and train.{target}; in this folder: "
            f"{names}. Call them so{_or_said()}."
        )
    parts: dict[str, Sided] = {}
    contents: list[bytes] = []
    for part, stem in _named_parts(folder, sorted(by_stem)).items():
        pair = by_stem[stem]
        for language in (source, target):
            if language not in pair:
                there = next(iter(pair.values()))
                raise DataNotFoundError(f"{there}: there is no {stem}.{language} beside it; expected a line for each.")
        lines = {pair[language]: lines_of(pair[language]) for language in (source, target)}
        same_length(lines)
        parts[part] = Sided(*lines.values())
        contents += [pair[language].read_bytes() for language in (source, target)]
    return PairFiles(parts, fingerprint(contents), to_choose_by=_to_choose_by(list(by_stem)))


def _tables(files: Sequence[Path], source: str, target: str) -> PairFiles:
    by_stem: dict[str, Path] = {}
    for file in files:
        _check_alone(by_stem.get(file.stem), file)
        by_stem[file.stem] = file
    parts, notes = {}, []
    contents = []
    for part, stem in _named_parts(files[0].parent, sorted(by_stem)).items():
        file = by_stem[stem]
        parts[part], more = _table(file, source, target)
        notes += more
        contents.append(file.read_bytes())
    return PairFiles(parts, fingerprint(contents), tuple(notes), _to_choose_by(list(by_stem)))


def _check_alone(before: Path | None, file: Path) -> None:
    if before is not None:
        raise DataError(f"{file.parent}/: {before.name} and {file.name} are for the same; expected one of them.")


def _named_parts(folder: Path, stems: Sequence[str]) -> dict[str, str]:
    """The file of each part, by the first words of their names; a lone one is to train on, unless it is to judge by."""
    if len(stems) == 1:
        return {"test" if part_of(stems[0]) == "test" else "train": stems[0]}
    parts: dict[str, str] = {}
    for stem in stems:
        part = part_of(stem)
        if part is None or part in parts:
            why = "is neither train, val nor test" if part is None else f"is for the same as {parts[part]}"
            raise DataError(
                f"{folder}/: {stem} {why}; expected at most one file (or pair of them) each whose name begins with "
                "train, val and test. Give a folder of those that are meant, or a single file."
            )
        parts[part] = stem
    return parts


def _to_choose_by(stems: Sequence[str]) -> str:
    return stems[0] if len(stems) == 1 and part_of(stems[0]) == "validation" else ""


def _table(file: Path, source: str, target: str) -> tuple[Sided, list[str]]:
    """Pairs from a table, with or without a header line. A .tsv is a sentence, a tab and a sentence, no more."""
    if file.suffix.lower() == ".csv":
        return _csv(file, source, target)
    rows = [line.split("\t") for line in lines_of(file)]
    while rows and rows[-1] == [""]:
        rows.pop()
    if not rows:
        raise DataError(f"{file}: the file is empty; expected a sentence, a tab and its translation on each line.")
    header = rows[0]
    named = _header(header, source, target)
    first, second = named or (0, 1)
    if named is None and len(header) != 2:
        raise DataError(
            f"{file}, line 1: expected 2 columns, a sentence and its translation with a tab between them, got "
            f"{len(header)}. Leave the others out, or name the columns in a first line, those two {source} and {target}"
            f"{_or_said()}."
        )
    notes = []
    if named is None:
        _check_no_header(file, header, source, target)
        notes.append(f"{file.name} has no header: its first column is taken as {source}, its second as {target}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header) and row != [""]:
            raise DataError(
                f"{file}, line {number}: expected {len(header)} columns as in line 1, got {len(row)}. Is a tab in "
                "a sentence, or none between two?"
            )
    full = [row if len(row) == len(header) else [""] * len(header) for row in rows[named is not None :]]
    return Sided([row[first] for row in full], [row[second] for row in full]), notes


def read_tabs(file: Path) -> tuple[dict[str, list[str]], list[int]]:
    """The columns of a .tsv by the names in its first line, and the line of each row, counted from 1: quotation marks
    are as good as any sign, as in training. Blank lines are no rows. DataError where a row has other columns.
    """
    header, *rows = [line.split("\t") for line in lines_of(file)] or [[""]]
    names = [name.strip() or f"column {place}" for place, name in enumerate(header, 1)]
    there = [(number, row) for number, row in enumerate(rows, start=2) if row != [""]]
    for number, row in there:
        if len(row) != len(header):
            raise DataError(f"{file}, line {number}: expected {len(header)} columns as in line 1, got {len(row)}.")
    if not there:
        raise DataError(f"{file}: no rows behind the first line, which names the columns.")
    columns = {name: [row[place] for _, row in there] for place, name in reversed([*enumerate(names)])}
    return {name: columns[name] for name in names}, [number for number, _ in there]


def _csv(file: Path, source: str, target: str) -> tuple[Sided, list[str]]:
    """Pairs from a table whose first line always names its columns."""
    table = read_delimited(file)
    names, notes = list(table.columns), [*table.notes]
    places = _header(names, source, target)
    if places is None and len(names) == 2:
        _check_no_header(file, names, source, target)
        places = (0, 1)
        notes.append(
            f"{file.name}: line 1, {' | '.join(name[:40] for name in names)}, is taken as names of columns, the first "
            f"of them as {source}, the second as {target}; if it is a pair, put the line source,target above it"
        )
    if places is None:
        raise DataError(
            f"{file}: which columns hold the sentence and its translation? Call them {source} and {target}"
            f"{_or_said()}. Columns: {', '.join(names)[:200]}."
        )
    return Sided(*(table.columns[names[place]] for place in places)), notes


def _header(fields: Sequence[str], source: str, target: str) -> tuple[int, int] | None:
    """The places of the two columns, if the first line names them."""
    lower = [one.strip().lower() for one in fields]
    for first, second in ((source.lower(), target.lower()), *HEADERS):
        if first in lower and second in lower:
            return lower.index(first), lower.index(second)
    return None


def _check_no_header(file: Path, fields: Sequence[str], source: str, target: str) -> None:
    """DataError where a first line of two fields names other languages than those that were asked for."""
    lower = [one.strip().lower() for one in fields]
    codes = [re.split(r"[-_]", one)[0] in CODES.split() for one in lower]
    if all(codes) or {source.lower(), target.lower()} & {*lower}:
        raise DataError(
            f"{file}, line 1: expected columns called {source} and {target}, or no names at all; got "
            f"{' and '.join(one.strip() for one in fields)}. Call them so{_or_said(*fields)}. If this is a pair of "
            "sentences, put names above it."
        )


def _or_said(source: str = "NAME", target: str = "NAME") -> str:
    """The other remedy for names that were not expected, where rows are learnt from: a finished run has its names."""
    return f", or with dlkit run say --set data.source={source.strip()} --set data.target={target.strip()}"


def lines_of(path: Path) -> list[str]:
    """The lines of a text file, gzipped or not, in UTF-8 (or UTF-16 with its mark); DataError for any other."""
    try:
        content = gunzip(path) if path.suffix == ".gz" else path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: not UTF-8 text (byte {content[error.start]:#04x}). Convert it: "
            "iconv -f WINDOWS-1252 -t UTF-8"
        ) from None
    if "\0" in text:
        raise DataError(f"{path}, line {text[: text.index(chr(0))].count(chr(10)) + 1}: holds a zero byte: not text.")
    # Only the ends of lines: `splitlines` would also cut at characters that occur inside of sentences.
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def same_length(files: Mapping[Path, Sequence[str]]) -> None:
    """DataError unless all files have as many lines, with the first line where one alone is empty."""
    counts = {path: len(lines) for path, lines in files.items()}
    if len(set(counts.values())) <= 1:
        return
    shortest = min(counts.values())
    torn = next(
        (row for row, one in enumerate(zip(*files.values(), strict=False), 1) if len({*map(bool, one)}) > 1), None
    )
    where = f"line {torn} is empty in one of them alone" if torn else f"they part at line {shortest + 1} at the latest"
    raise DataError(
        f"{'; '.join(f'{path} has {count:,} lines' for path, count in counts.items())}: expected as many, each line "
        f"the translation of the same line; {where}. Align the files again."
    )
