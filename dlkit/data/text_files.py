"""Which texts with which labels are in a folder or a CSV of somebody else's?"""

from __future__ import annotations

import codecs
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlkit.data.columns import answered, check_known
from dlkit.data.delimited import Delimited, read_delimited
from dlkit.data.paths import listed, unreadable
from dlkit.data.splitting import file_fingerprint, fingerprint
from dlkit.errors import DataError, SettingsError

TEXT_NAMES = ("text", "review", "sentence", "content", "body", "message", "comment", "tweet", "document", "title")
LABEL_NAMES = ("label", "class", "target", "category", "sentiment", "topic", "rating", "polarity", "stars")
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "val", "valid", "dev"),
}
"""How a folder or file is called, in lower case, that holds the rows of a part."""
UNLABELLED = frozenset({"unsup", "unlabeled", "unlabelled"})


@dataclass
class Labelled:
    """Texts and their labels, row by row."""

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TextFiles:
    """`parts`: "train", and "test" and "validation" where the data is split already; `folders`: then their folders."""

    parts: dict[str, Labelled]
    text_name: str
    target_name: str
    fingerprint: str
    notes: tuple[str, ...]
    folders: Mapping[str, str] = field(default_factory=dict)


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
    notes += not_read(file, (column, found))
    return TextFiles(
        parts={"train": Labelled(texts, labels)},
        text_name=column,
        target_name=found,
        fingerprint=file_fingerprint(path),
        notes=(*file.notes, f"texts are taken from column {column!r}, labels from {found!r}", *notes),
    )


def not_read(file: Delimited, taken: Sequence[str]) -> list[str]:
    """A note on the columns beside those that are taken, if there are any."""
    others = [name for name in file.columns if name not in taken]
    shown = ", ".join(map(repr, others[:5])) + (", …" if len(others) > 5 else "")
    return [f"{len(others)} other columns are not read: {shown}"] if others else []


def _named_alike(file: Delimited, names: Sequence[str], other: str | None) -> str | None:
    lower = {name.lower(): name for name in reversed(file.columns) if name != other}
    return next((lower[name] for name in names if name in lower), None)


def _longest(file: Delimited, other: str) -> str | None:
    """The column with the longest mean field is the text, if nothing is called so."""
    lengths = {name: sum(map(len, values)) for name, values in file.columns.items() if name != other}
    return max(lengths, key=lengths.__getitem__) if lengths else None


def read_text_folder(folder: Path, *, judging: bool = False) -> TextFiles:
    """Texts from `<class>/<name>.txt`, or from `train/`, `test/` and `validation/` of such classes.

    `judging`: a single class, and test/ without train/, will do.
    """
    notes: list[str] = []
    digests: dict[str, bytes] = {}
    found = {part: _split_folder(folder, part) for part in SPLIT_FOLDERS}
    places = {part: place for part, place in found.items() if place is not None}
    if "test" in places and "train" not in places and not judging:
        raise DataError(
            f"{folder}/ holds {places['test'].name}/ and no train/ with class folders; there is nothing to learn from. "
            f"Add {folder}/train/."
        )
    fewest = 1 if judging else 2
    if "train" in places or "test" in places:
        parts = {part: _classes(place, folder, digests, notes, fewest) for part, place in places.items()}
        notes += _beside(folder, places)
    else:
        parts = {"train": _classes(folder, folder, digests, notes, fewest)}
    contents = [content for name in sorted(digests) for content in (os.fsencode(name), digests[name])]
    names = {part: place.name for part, place in places.items()}
    return TextFiles(parts, "text", "label", fingerprint(contents), tuple(notes), names)


def _split_folder(folder: Path, part: str) -> Path | None:
    """The folder of class folders of that part; a folder of texts may be a class called "test" too."""
    found = [place for place in listed(folder) if place.name.lower() in SPLIT_FOLDERS[part] and _is_split(place)]
    if len(found) > 1:
        raise DataError(f"{folder}/ holds {found[0].name}/ and {found[1].name}/; expected one of them. Join them.")
    return found[0] if found else None


def _is_split(folder: Path) -> bool:
    inside = listed(folder) if folder.is_dir() else []
    return any(_is_text(file) for place in inside if place.is_dir() for file in listed(place))


def _is_text(file: Path) -> bool:
    return file.suffix.lower() == ".txt"


def _texts_below(folder: Path) -> int:
    """How many texts are in it, however deep."""
    return sum(_is_text(file) and not file.name.startswith(".") and file.is_file() for file in folder.rglob("*"))


def _beside(folder: Path, places: Mapping[str, Path]) -> list[str]:
    """What lies beside the folders of the parts."""
    others = [file for file in listed(folder) if file not in places.values()]
    shown = ", ".join(f"{file.name}/ ({_texts_below(file)} texts)" for file in others if file.is_dir())
    known = places.get("train", next(iter(places.values())))
    notes = [f"{shown} beside {known.name}/ left out: no split of classes"] if shown else []
    return notes + _left_out(folder, [file for file in others if not file.is_dir()])


def _classes(folder: Path, root: Path, digests: dict[str, bytes], notes: list[str], fewest: int) -> Labelled:
    folders = [file for file in listed(folder) if file.is_dir()]
    skipped = [file for file in folders if file.name.lower() in UNLABELLED]
    if skipped:
        count = sum(map(_texts_below, skipped))
        notes.append(f"{count} texts in {', '.join(f'{place}/' for place in skipped)} have no label; left out")
    classes = [file for file in folders if file not in skipped]
    others = [file for file in listed(folder) if not file.is_dir()]
    _check_folders(folder, [place.name for place in classes], sum(map(_is_text, others)), fewest)
    for place in classes:
        check_name(place.name, folder)
    part = Labelled()
    for place in classes:
        inside = listed(place)
        files = [file for file in inside if _is_text(file)]
        others += [file for file in inside if not _is_text(file)]
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
    notes += _left_out(folder, others)
    return part


def check_name(name: str, folder: Path | str) -> None:
    """DataError for a folder whose name is to be a label and is no text, as old archives unpack it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{folder}/ holds a class folder whose name is not UTF-8: {os.fsencode(name)!r}. Rename it."
        ) from None


def _left_out(folder: Path, others: Sequence[Path]) -> list[str]:
    """Notes on what is no text of a class: `others` are loose texts, and all that is no text at all."""
    notes = []
    loose = [file for file in others if _is_text(file)]
    if loose:
        notes.append(f"{len(loose)} texts in {folder}/ lie in no class folder; left out, such as {loose[0].name}")
    deep = {file: count for file in others if file.is_dir() and (count := _texts_below(file))}
    if deep:
        count, name = sum(deep.values()), next(iter(deep)).relative_to(folder).as_posix()
        notes.append(f"{count} texts lie deeper than their class folder; left out, such as those in {name}/")
    strange = [file for file in others if not _is_text(file) and file not in deep]
    if strange:
        name = strange[0].relative_to(folder).as_posix()
        notes.append(f"{len(strange)} files or folders in {folder}/ are no .txt files; left out, such as {name}")
    return notes


def _check_folders(folder: Path, names: list[str], loose: int, fewest: int) -> None:
    if not names:
        raise DataError(
            f"{folder}/ holds no class folder ({loose} texts lie right in it); expected a folder a class with .txt "
            "files in it, such as pos/ and neg/, or a CSV file with texts and labels."
        )
    if len(names) < fewest:
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
