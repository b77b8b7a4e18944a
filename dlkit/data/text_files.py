"""Which texts with which labels are in a folder or a CSV of somebody else's?"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlkit.data.columns import answered, check_known
from dlkit.data.delimited import Delimited, read_delimited
from dlkit.data.paths import listed, unreadable
from dlkit.data.splitting import file_fingerprint, fingerprint
from dlkit.errors import DataError, SettingsError

TEXT_NAMES = ("text", "review", "sentence", "content", "body", "message", "comment", "tweet", "document", "title")
LABEL_NAMES = ("label", "class", "target", "category", "sentiment", "topic", "rating", "polarity", "stars")
SPLIT_FOLDERS = ("train", "test", "validation")
UNLABELLED = frozenset({"unsup", "unlabeled", "unlabelled"})


@dataclass
class Labelled:
    """Texts and their labels, row by row."""

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TextFiles:
    """`parts`: "train", and "test" and "validation" where the data is split already."""

    parts: dict[str, Labelled]
    text_name: str
    target_name: str
    fingerprint: str
    notes: tuple[str, ...]


def read_text_table(path: Path, *, text: str | None, target: str | None) -> TextFiles:
    """Texts and labels from two columns of a CSV or TSV file."""
    file = read_delimited(path)
    for setting, name in (("data.text", text), ("data.target", target)):
        check_known(setting, [name] if name is not None else [], file.columns, str(path))
    found = target or _named_alike(file, LABEL_NAMES, other=text)
    if found is None:
        raise SettingsError(
            f"{path}: which column holds the labels? Say --set data.target=NAME. Columns: {', '.join(file.columns)}."
        )
    column = text or _named_alike(file, TEXT_NAMES, other=found) or _longest(file, other=found)
    if column is None:
        raise SettingsError(f"{path}: only one column, {found!r}; expected a text and a label on each row.")
    rows, notes = answered(file, found)
    fields = [file.columns[found][row] for row in rows]
    labels = [label.strip() for label in fields]
    stray = sum(label != given for label, given in zip(labels, fields, strict=True))
    if stray:
        notes.append(f"{stray} labels had spaces around them, which were taken off")
    texts = [file.columns[column][row] for row in rows]
    return TextFiles(
        parts={"train": Labelled(texts, labels)},
        text_name=column,
        target_name=found,
        fingerprint=file_fingerprint(path),
        notes=(*file.notes, f"texts are taken from column {column!r}, labels from {found!r}", *notes),
    )


def _named_alike(file: Delimited, names: Sequence[str], other: str | None) -> str | None:
    lower = {name.lower(): name for name in reversed(file.columns) if name != other}
    return next((lower[name] for name in names if name in lower), None)


def _longest(file: Delimited, other: str) -> str | None:
    """The column with the longest mean field is the text, if nothing is called so."""
    lengths = {name: sum(map(len, values)) for name, values in file.columns.items() if name != other}
    return max(lengths, key=lengths.__getitem__) if lengths else None


def read_text_folder(folder: Path) -> TextFiles:
    """Texts from `<class>/<name>.txt`, or from `train/`, `test/` and `validation/` of such classes."""
    notes: list[str] = []
    digests: dict[str, bytes] = {}
    if _is_split(folder / "train"):
        names = [name for name in SPLIT_FOLDERS if _is_split(folder / name)]
        parts = {name: _classes(folder / name, folder, digests, notes) for name in names}
    else:
        if _is_split(folder / "test"):
            raise DataError(f"{folder}/ holds test/ and no train/ with class folders; there is nothing to learn from.")
        parts = {"train": _classes(folder, folder, digests, notes)}
    contents = [content for name in sorted(digests) for content in (name.encode(), digests[name])]
    return TextFiles(parts, "text", "label", fingerprint(contents), tuple(notes))


def _is_split(folder: Path) -> bool:
    """A folder of class folders, not of texts: a class may be called "test" too."""
    inside = listed(folder) if folder.is_dir() else []
    return any(_is_text(file) for place in inside if place.is_dir() for file in listed(place))


def _is_text(file: Path) -> bool:
    return file.suffix.lower() == ".txt"


def _classes(folder: Path, root: Path, digests: dict[str, bytes], notes: list[str]) -> Labelled:
    folders = [file for file in listed(folder) if file.is_dir()]
    skipped = [file for file in folders if file.name.lower() in UNLABELLED]
    if skipped:
        notes.append(f"{skipped[0]}/ holds texts without a label; left out")
    classes = [file for file in folders if file not in skipped]
    _check_folders(folder, [place.name for place in classes])
    part, others = Labelled(), 0
    for place in classes:
        inside = listed(place)
        files = [file for file in inside if _is_text(file)]
        others += len(inside) - len(files)
        if not files:
            raise DataError(
                f"{place}/ holds no .txt file ({len(inside)} others). Add texts of this class, or remove it."
            )
        for file in files:
            content = _content(file)
            digests[file.relative_to(root).as_posix()] = hashlib.sha256(content).digest()
            part.texts.append(_decoded(file, content))
            part.labels.append(place.name.strip())
        if place.name != place.name.strip():
            notes.append(f"the folder {place.name!r} has spaces around its name, which were taken off the label")
    if others:
        notes.append(f"{others} files or folders in {folder}/ are no .txt files; left out")
    return part


def _check_folders(folder: Path, names: list[str]) -> None:
    if not names:
        raise DataError(
            f"{folder}/ holds no class folder; expected a folder a class with .txt files in it, such as pos/ and neg/, "
            "or a CSV file with texts and labels."
        )
    if len(names) == 1:
        other = "neg" if names[0] == "pos" else "pos" if names[0] == "neg" else "other"
        raise DataError(
            f"{folder}/ holds 1 class folder ({names[0]!r}); classification needs at least 2. "
            f"Add e.g. {folder}/{other}/."
        )


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error


def _decoded(file: Path, content: bytes) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}: not UTF-8 text (byte {content[error.start]:#04x} at {error.start}). Convert it: "
            "iconv -f WINDOWS-1252 -t UTF-8, or remove it."
        ) from None
    if "\0" in text:
        raise DataError(f"{file}: holds zero bytes, so it is no text. Remove it, or save it again as UTF-8.")
    return text
