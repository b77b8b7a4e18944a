"""Which pictures with which labels are in a folder or a zip of somebody else's, and can each be read?"""

from __future__ import annotations

import hashlib
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from dlkit.data.archives import member_name, members
from dlkit.data.image_targets import Answers
from dlkit.data.paths import listed, unreadable
from dlkit.data.splitting import fingerprint
from dlkit.data.text_files import SPLIT_FOLDERS, check_name
from dlkit.errors import DataError
from dlkit.inference.images import SUFFIXES, problem

_SPLITS = {name for names in SPLIT_FOLDERS.values() for name in names}
SHOWN, LISTED = 5, 1_000
"""How many broken pictures an error names, and a note of those that were left out."""

Broken = Literal["error", "skip"]


@dataclass
class Pictures:
    """Row by row: where the picture is (or what a zip holds of it), its label or what several columns say of it, and
    the sha256 of its bytes.
    """

    pictures: list[Path | bytes] = field(default_factory=list)
    answers: list[Answers] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class ImageFiles:
    """`parts`: "train", and "test" and "validation" where the data is split already. `targets`: a name for each of the
    `answers` of a row.
    """

    parts: dict[str, Pictures]
    targets: tuple[str, ...]
    fingerprint: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A picture and what is said of it. `name`: for messages and the fingerprint."""

    part: str
    name: str
    answers: Answers
    picture: Path | bytes


@dataclass(frozen=True)
class _Tree:
    """`files`: what lies in it, by name from its root with "/" between folders; None where that is no picture.
    `folders`: names of all folders.
    """

    root: str
    files: dict[str, Path | bytes | None]
    folders: frozenset[str]

    @property
    def pictures(self) -> dict[str, Path | bytes]:
        return {name: content for name, content in self.files.items() if content is not None}

    def below(self, folder: str) -> _Tree:
        """That folder as the root."""
        start = f"{folder}/"
        return _Tree(
            f"{self.root}/{folder}",
            {name.removeprefix(start): content for name, content in self.files.items() if name.startswith(start)},
            frozenset(name.removeprefix(start) for name in self.folders if name.startswith(start)),
        )

    def tops(self) -> list[str]:
        """The folders right in it."""
        return sorted(name for name in self.folders if "/" not in name)


def read_image_folder(folder: Path, *, broken: Broken, labelled: bool = True, judging: bool = False) -> ImageFiles:
    """Pictures from `<class>/…/<name>.jpg`, or from `train/`, `test/` and `validation/` of such classes.

    Unless `labelled`, a folder without classes, or with one, holds pictures without labels. `judging`: a single class,
    and test/ without train/, will do.
    """
    try:
        found = dict(_walk(folder, "", (folder.resolve(),)))
    except OSError as error:
        raise unreadable(folder, error) from error
    files = {name: path if is_picture(name) else None for name, path in found.items() if not name.endswith("/")}
    return _read_tree(_tree(str(folder), files, found), broken, labelled=labelled, judging=judging)


def read_image_zip(path: Path, *, broken: Broken, labelled: bool = True, judging: bool = False) -> ImageFiles:
    """As `read_image_folder`, from a zip of such a folder, whose pictures stay encoded in memory."""
    names: list[str] = []

    def wanted(name: str) -> bool:
        names.append(name)
        return is_picture(name) and not is_hidden(name)

    contents = dict(members(path, wanted=wanted))
    with zipfile.ZipFile(path) as archive:  # checked above; `members` leaves out folders, and one may be empty
        names += [name for name in map(member_name, archive.infolist()) if name.endswith("/")]
    files = {name: contents.get(name) for name in names if not name.endswith("/")}
    return _read_tree(_tree(str(path), files, names), broken, labelled=labelled, judging=judging)


def is_picture(name: str) -> bool:
    return name.strip().lower().endswith(SUFFIXES)


def is_hidden(name: str) -> bool:
    """What a system puts beside the files: `.DS_Store`, `__MACOSX/._cat.jpg`."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _walk(folder: Path, start: str, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Names and paths of all files, and of folders with a "/" behind; links back to a folder above are not followed."""
    for path in listed(folder):
        if not path.is_dir():
            yield start + path.name, path
        elif path.resolve() not in above:
            yield f"{start}{path.name}/", path
            yield from _walk(path, f"{start}{path.name}/", (*above, path.resolve()))


def _tree(root: str, files: Mapping[str, Path | bytes | None], names: Iterable[str]) -> _Tree:
    folders: set[str] = set()
    for name in names:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    kept = {name: files[name] for name in sorted(files) if not is_hidden(name)}
    return _Tree(root, kept, frozenset(name for name in folders if not is_hidden(name)))


def _read_tree(tree: _Tree, broken: Broken, *, labelled: bool, judging: bool) -> ImageFiles:
    notes: list[str] = []
    tree = _unwrapped(tree, notes)
    found = {part: _split_folder(tree, part, labelled) for part in SPLIT_FOLDERS}
    names = {part: name for part, name in found.items() if name is not None}
    first = names.get("train") or (names.get("test") if judging else None)
    top = tree.below(first) if first else tree
    rows_of = partial(_class_rows, fewest=1 if judging else 2) if labelled or len(top.tops()) > 1 else _loose_rows
    if first:
        rows = [row for part, name in names.items() for row in rows_of(tree.below(name), part, f"{name}/", notes)]
        left = [name for name in tree.tops() if name not in names.values()]
        if left:
            notes.append(f"{', '.join(f'{name}/' for name in left)} beside {first}/ left out: no split of classes")
    elif "test" in names:
        raise DataError(
            f"{tree.root}/ holds {names['test']}/ and no train/ with class folders; there is nothing to learn from. "
            f"Add {tree.root}/train/."
        )
    else:
        if len(tops := tree.tops()) > 1 and all(top.lower() in _SPLITS for top in tops):
            notes.append(_taken_for_classes(tree, tops))
        rows = rows_of(tree, "train", "", notes)
    parts, digests = checked(tree.root, rows, broken, notes)
    targets = () if rows_of is _loose_rows else ("label",)
    return ImageFiles(parts, targets, fingerprint(in_order(digests)), tuple(notes))


def _taken_for_classes(tree: _Tree, tops: Sequence[str]) -> str:
    """A note on folders called as splits are, of pictures and not of classes; DataError where a table beside them may
    say the labels.
    """
    said = f"{' and '.join(f'{top}/' for top in tops)} hold pictures and no folders of classes"
    tables = [name for name in tree.files if "/" not in name and name.lower().endswith((".csv", ".tsv"))]
    if tables:
        raise DataError(
            f"{tree.root}/: {said}. If {tables[0]} has the labels, give it: --data {tree.root}/{tables[0]}, with the "
            "paths of the pictures from there in a column of it."
        )
    return f"{said}: they are taken for the classes"


def _unwrapped(tree: _Tree, notes: list[str]) -> _Tree:
    """Without a folder around all class folders, as archives have it."""
    while len(tops := tree.tops()) == 1 and tops[0].lower() not in _SPLITS:
        if not tree.pictures or any(name.count("/") < 2 for name in tree.pictures):
            break
        notes.append(f"all pictures lie in {tops[0]}/, so the folders in it are taken for the classes")
        tree = tree.below(tops[0])
    return tree


def _split_folder(tree: _Tree, part: str, labelled: bool) -> str | None:
    """The folder of class folders of that part; a folder of pictures may be a class called "test" too."""
    found = [
        name
        for name in tree.tops()
        if name.lower() in SPLIT_FOLDERS[part]
        and any("/" in inner or not labelled for inner in tree.below(name).pictures)
    ]
    if len(found) > 1:
        raise DataError(f"{tree.root}/ holds {found[0]}/ and {found[1]}/; expected one of them. Join them.")
    return found[0] if found else None


def _class_rows(tree: _Tree, part: str, start: str, notes: list[str], fewest: int) -> list[Row]:
    """`start`: what stands before the names of `tree` in those of the whole. `fewest`: classes that there must be."""
    _check_folders(tree, fewest)
    inside: dict[str, dict[str, Path | bytes]] = {place: {} for place in tree.tops()}
    for name, content in tree.pictures.items():
        place, slash, _ = name.partition("/")
        if slash:
            inside[place][name] = content
    rows = []
    for place, pictures in inside.items():
        check_name(place, tree.root)
        if not pictures:
            count = sum(name.startswith(f"{place}/") for name in tree.files)
            raise DataError(
                f"{tree.root}/{place}/ holds no picture ({count} others). Add pictures of this class "
                f"({', '.join(SUFFIXES)}), or remove the folder."
            )
        label = unicodedata.normalize("NFC", place.strip())  # a Mac takes umlauts apart
        if place.strip() != place:
            notes.append(f"the folder {place!r} has spaces around its name, which were taken off the label")
        rows += [Row(part, start + name, (label,), content) for name, content in pictures.items()]
    deep = [name for name in tree.pictures if name.count("/") > 1]
    if deep:
        notes.append(
            f"{len(deep)} pictures lie deeper than their class folder and count to it, such as {start}{deep[0]}"
        )
    loose = [name for name in tree.pictures if "/" not in name]
    if loose:
        notes.append(f"{len(loose)} pictures in {tree.root}/ lie in no class folder; left out, such as {loose[0]}")
    others = [name for name, content in tree.files.items() if content is None]
    if others:
        notes.append(
            f"{len(others)} files in {tree.root}/ are no pictures by their ending; left out, such as {others[0]}"
        )
    return rows


def _loose_rows(tree: _Tree, part: str, start: str, notes: list[str]) -> list[Row]:
    """As `_class_rows`, of pictures without labels, in whatever folder they lie."""
    if not tree.pictures:
        raise DataError(f"{tree.root}/ holds no picture; expected files such as {', '.join(SUFFIXES[:3])}. Add some.")
    notes.append(f"the pictures in {tree.root}/ have no labels: there are no folders of classes")
    return [Row(part, start + name, (), content) for name, content in tree.pictures.items()]


def _check_folders(tree: _Tree, fewest: int) -> None:
    names = tree.tops()
    if not names:
        raise DataError(
            f"{tree.root}/ holds no class folder ({len(tree.pictures)} pictures lie right in it); expected a folder a "
            "class with pictures in it, such as cats/ and dogs/, a .zip of such folders, or a CSV file with paths and "
            "labels."
        )
    if len(names) < fewest:
        raise DataError(
            f"{tree.root}/ holds 1 class folder ({names[0]!r}); classification needs at least 2. "
            f"Add e.g. {tree.root}/other/."
        )


def checked(
    where: str, rows: Sequence[Row], broken: Broken, notes: list[str]
) -> tuple[dict[str, Pictures], dict[str, bytes]]:
    """The rows whose pictures can be read, by part, and the digest of each picture by its name."""
    parts = {row.part: Pictures() for row in rows}
    known: dict[str, tuple[bytes, str | None]] = {}
    for row in rows:
        if row.name not in known:  # a CSV may name it more than once
            known[row.name] = _examined(row.picture)
        digest, wrong = known[row.name]
        if wrong is None:
            part = parts[row.part]
            part.pictures.append(row.picture)
            part.answers.append(row.answers)
            part.digests.append(digest)
    reasons = {name: wrong for name, (_, wrong) in known.items() if wrong is not None}
    if reasons:
        said = f"{len(reasons)} of {len(known)} pictures are broken"
        if broken == "error":
            raise DataError(
                f"{where}: {said}:{_listing(reasons, SHOWN)}\nRepair or remove them, or leave them out: --set "
                f"data.broken=skip{', which names all in the report' if len(reasons) > SHOWN else ''}"
            )
        notes.append(f"{said} and were left out:{_listing(reasons, LISTED)}")
        _check_left(where, rows, parts)
    return parts, {name: digest for name, (digest, wrong) in known.items() if wrong is None}


def _listing(reasons: Mapping[str, str], most: int) -> str:
    """The first of them, a line each, and how many more there are."""
    lines = [f"\n  {name}: {wrong}" for name, wrong in reasons.items()]
    more = f"\n  and {len(lines) - most} more" if len(lines) > most else ""
    return "".join(lines[:most]) + more


def _examined(picture: Path | bytes) -> tuple[bytes, str | None]:
    """The sha256 of its bytes, and what is wrong with it."""
    content = picture
    if isinstance(content, Path):
        try:
            if not content.is_file():
                return b"", "no regular file" if content.exists() else "no such file"
            content = content.read_bytes()
        except (OSError, ValueError) as error:
            return b"", f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return hashlib.sha256(content).digest(), problem(content)


def _check_left(where: str, rows: Sequence[Row], parts: dict[str, Pictures]) -> None:
    """DataError for a class, where there is one target, of which nothing is left."""
    counts = Counter((row.part, row.answers) for row in rows if len(row.answers) == 1)
    left = {(name, answers) for name, part in parts.items() for answers in part.answers}
    for (name, answers), count in counts.items():
        if (name, answers) not in left:
            raise DataError(
                f"{where}: all {count} pictures of the class {answers[0]!r} in {name} are broken. Repair them, or "
                "remove the class."
            )


def in_order(digests: dict[str, bytes]) -> list[str | bytes]:
    return [content for name in sorted(digests) for content in (name, digests[name])]
