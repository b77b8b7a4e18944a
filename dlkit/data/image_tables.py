"""Which pictures with which labels, or several targets, does a CSV or TSV file name?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlkit.data.columns import are_values, check_classes, check_known
from dlkit.data.delimited import Delimited, read_delimited
from dlkit.data.image_files import Broken, ImageFiles, Row, checked, in_order, is_picture
from dlkit.data.image_targets import answered_by_all, read_answers
from dlkit.data.splitting import file_fingerprint, fingerprint
from dlkit.data.text_files import LABEL_NAMES, not_read
from dlkit.errors import DataError, SettingsError
from dlkit.inference.images import SUFFIXES
from dlkit.inference.missing import is_missing

IMAGE_NAMES = ("image", "picture", "path", "file", "filename", "file_name", "filepath", "image_path", "photo")


def read_image_table(
    path: Path, *, image: str | None, targets: tuple[str, ...], broken: Broken, labelled: bool = True
) -> ImageFiles:
    """Pictures, and labels or several targets, from columns of a CSV or TSV file; paths are relative to its folder.

    `image`: None, and `targets`: empty, where the column is to be found by looking. Unless `labelled`, labels may be
    missing.
    """
    file = read_delimited(path)
    for setting, names in (("data.image", [image] if image is not None else []), ("data.target", targets)):
        check_known(setting, names, file.columns, str(path))
    found = _named_alike(file, LABEL_NAMES, other=[image])
    guessed = (found,) if found is not None and (labelled or _are_classes(file, found)) else ()
    targets = targets or guessed
    if not targets and labelled:
        raise SettingsError(
            f"{path}: which column holds the labels? Say --set data.target=NAME. Columns: {', '.join(file.columns)}."
        )
    column = image or _of_paths(file, other=targets) or _named_alike(file, IMAGE_NAMES, other=targets)
    if column is None:
        taken = [name for name in targets if any(map(is_picture, file.columns[name]))]
        why = f" data.target names {taken[0]!r}, which holds such paths." if taken else ""
        raise SettingsError(
            f"{path}: which column holds the paths of the pictures?{why} Say --set data.image=NAME. "
            f"Columns: {', '.join(file.columns)}."
        )
    chosen, notes = answered_by_all(file, targets)
    what = f"{'labels' if len(targets) == 1 else 'targets'} from {', '.join(map(repr, targets))}"
    read = f"pictures are taken from column {column!r}, {what if targets else 'without labels'}"
    notes = [*file.notes, read, *not_read(file, (column, *targets)), *notes]
    rows = _table_rows(file, column, targets, chosen.tolist(), notes)
    parts, digests = checked(str(path), rows, broken, notes)
    contents = [file_fingerprint(path), *in_order(digests)]
    return ImageFiles(parts, targets, fingerprint(contents), tuple(notes))


def _table_rows(file: Delimited, column: str, targets: Sequence[str], chosen: list[int], notes: list[str]) -> list[Row]:
    fields = file.columns[column]
    named = [row for row in chosen if not is_missing(fields[row])]
    rows = [row for row in named if is_picture(fields[row].strip())]
    if not rows:
        got = f"got {fields[named[0]][:60]!r}" if named else "got none"
        raise DataError(
            f"{file.path}, column {column!r}: expected paths of pictures ({', '.join(SUFFIXES)}), {got}. "
            "Write the whole file name, or name another column: --set data.image=NAME"
        )
    if len(named) < len(chosen):
        notes.append(f"{len(chosen) - len(named)} rows without a path were left out")
    if len(rows) < len(named):
        notes.append(f"{len(named) - len(rows)} rows name a file that is no picture by its ending; left out")
    answers = read_answers(file, targets, rows, notes)
    names = [fields[row].strip().replace("\\", "/") for row in rows]
    return [Row("train", name, of, file.path.parent / name) for name, of in zip(names, answers, strict=True)]


def paths_in(file: Delimited, column: str, *, other: Sequence[str]) -> list[Path | None]:
    """The path in each row, relative to the file's folder, as for training: of that column, or of the one that holds
    paths; None where a row has none. DataError where there is no such column. `other`: columns of something else.
    """
    found = column if column in file.columns else _of_paths(file, other)
    if found is None:
        raise DataError(f"{file.path}: no column holds paths of pictures; it has {', '.join(file.columns)}.")
    return [
        None if is_missing(name) else file.path.parent / name.strip().replace("\\", "/") for name in file.columns[found]
    ]


def names_pictures(path: Path) -> bool:
    """Whether a column of a CSV or TSV file holds paths of pictures."""
    return _of_paths(read_delimited(path), other=()) is not None


def _are_classes(file: Delimited, name: str) -> bool:
    """Whether a column that nobody named holds classes to tell apart."""
    labels = [value.strip() for value in file.columns[name] if not is_missing(value)]
    try:
        check_classes(str(file.path), labels)
    except DataError:
        return False
    return not are_values(labels)


def _named_alike(file: Delimited, names: Sequence[str], other: Sequence[str | None]) -> str | None:
    lower = {name.lower(): name for name in reversed(file.columns) if name not in other}
    return next((lower[name] for name in names if name in lower), None)


def _of_paths(file: Delimited, other: Sequence[str]) -> str | None:
    """The column with the most names of pictures."""
    counts = {name: sum(map(is_picture, fields)) for name, fields in file.columns.items() if name not in other}
    best = max(counts, key=counts.__getitem__, default=None)
    return best if best is not None and counts[best] else None
