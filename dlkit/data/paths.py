"""Is this path a dataset's own file, or rows of the user's own, and can it be read at all?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from dlkit.contracts import ColumnKind, Split, Splits
from dlkit.data.sources import source
from dlkit.errors import DataNotFoundError

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")


class OwnFiles(Protocol):
    """What readers of the user's own texts and pictures give."""

    @property
    def parts(self) -> Mapping[str, object]: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


class PathOrDataset:
    """What all settings of data share: rows of the user's own, of a named dataset, or of a generated sample."""

    dataset: str | None

    def load(
        self, path: Path | Literal["sample"] | None, *, say: Callable[[str], None], allow_download: bool = True
    ) -> Splits:
        """The rows of `path`, or of the named dataset where it is None."""
        if path == "sample":
            return self._sample()
        found = None if path is None else present(path)
        if found is not None and not self._is_named(found):
            return self._own(found, say)
        return self._named(found, say, allow_download)

    def to_judge(self, path: Path | Literal["sample"], *, say: Callable[[str], None]) -> Splits:
        """The rows of `path` to judge a finished run by, as test rows: those that the user's own files name as such, or
        all where they name none; of a series the last ones.
        """
        if path == "sample":
            return self._sample()
        found = present(path)
        return self.load(found, say=say) if self._is_named(found) else self._own_to_judge(found, say)

    def _own_to_judge(self, path: Path, say: Callable[[str], None]) -> Splits:
        splits = self._own(path, say)
        if not splits.drawn:
            return splits
        every = splits.train.joined(splits.validation).joined(splits.test)
        return replace(splits, test=every, notes=(*splits.notes, all_judged(path)))

    def _is_named(self, path: Path) -> bool:
        return self.dataset is not None and belongs_to(path, self.dataset)

    def _sample(self) -> Splits:
        raise NotImplementedError

    def _own(self, path: Path, say: Callable[[str], None]) -> Splits:
        raise NotImplementedError

    def _named(self, path: Path | None, say: Callable[[str], None], allow_download: bool) -> Splits:
        raise NotImplementedError


def all_judged(path: Path) -> str:
    """A note on rows of the user's own that judge a finished run."""
    return f"{path.name} names no test rows: all are judged"


def own_splits(
    path: Path,
    files: OwnFiles,
    parts: tuple[Split, Split, Split],
    notes: Sequence[str],
    *,
    kinds: Mapping[str, ColumnKind],
    target_name: str | None,
) -> Splits:
    """Training, validation and test rows of the user's own."""
    train, validation, test = parts
    return Splits(
        train=train,
        validation=validation,
        test=test,
        kinds=kinds,
        name=path.stem,
        source=str(path),
        fingerprint=files.fingerprint,
        target_name=target_name,
        notes=(*files.notes, *notes),
        drawn="test" not in files.parts,
    )


def present(path: str | Path) -> Path:
    """The path, with `~` resolved, if there is a file or folder; DataNotFoundError says how far it exists."""
    try:
        found = Path(path).expanduser()
        if found.exists():
            return found
    except (OSError, ValueError, RuntimeError) as error:
        # Too long a name, a zero byte, a folder that may not be searched, `~` of nobody.
        raise DataNotFoundError(f"--data {str(path)[:200]!r}: cannot be looked at ({_reason(error)}).") from error
    above = next(folder for folder in [*found.absolute().parents] if folder.exists())
    hint = "Check the spelling" if above == found.absolute().parent else f"Of this path only {above} exists"
    raise DataNotFoundError(f"--data {found}: no such file or folder. {hint}, or try: --data sample")


def check_given(file: Path) -> None:
    """DataNotFoundError where the file of `--file` is no regular file."""
    try:
        if file.is_file():
            return
        what = "a folder, no file" if file.is_dir() else "no regular file" if file.exists() else "not there"
    except (OSError, ValueError) as error:
        raise DataNotFoundError(f"--file {str(file)[:200]!r}: cannot be looked at ({_reason(error)}).") from error
    raise DataNotFoundError(f"--file: {file} is {what}.")


def belongs_to(path: Path, dataset: str) -> bool:
    """Whether `path` is a file of the named dataset, or a folder (or one above it) that holds them all."""
    wanted = source(dataset)
    if path.is_dir():
        folders = (path, path / wanted.place)
        return any(all((folder / file.name).is_file() for file in form) for form in wanted.forms for folder in folders)
    names = {Path(form[0].name).name for form in wanted.forms if len(form) == 1}
    # Rows of the user's own come as text, so an archive can only be the dataset's under another name.
    return path.name in names or (_is_archive(path.name) and any(map(_is_archive, names)))


def one_table(path: Path) -> Path:
    """The path itself, or the only CSV or TSV file in a folder."""
    if not path.is_dir():
        return path
    tables = [file for file in listed(path) if file.suffix.lower() in (".csv", ".tsv") and file.is_file()]
    if len(tables) == 1:
        return tables[0]
    names = ", ".join(file.name for file in tables[:5]) or "none"
    raise DataNotFoundError(f"{path}/: expected a CSV or TSV file; in this folder: {names}. Give one: --data FILE")


def listed(folder: Path) -> list[Path]:
    """What is in a folder, in the same order everywhere; hidden files do not count."""
    try:
        return sorted((file for file in folder.iterdir() if not file.name.startswith(".")), key=lambda file: file.name)
    except OSError as error:
        raise unreadable(folder, error) from error


def unreadable(path: Path, error: OSError) -> DataNotFoundError:
    """The error for a file or folder that the system would not read."""
    remedy = f"Allow it: chmod +r {path}" if isinstance(error, PermissionError) else "Check the disk and the path."
    return DataNotFoundError(f"{path}: cannot be read ({_reason(error)}). {remedy}")


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
