"""Where on this machine is a dataset, and if nowhere, how does a user come by it?

Looked for in this order, and said: the path given · `$DLKIT_DATA/<dataset>/` · the cache (`$DLKIT_CACHE`, by
default `~/.cache/dlkit`) · download with a pinned checksum, announced before it starts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlkit.data.archives import sha256
from dlkit.data.cache import cache_folder
from dlkit.data.download import download
from dlkit.data.sources import File, Source
from dlkit.errors import DataError, DataNotFoundError


@dataclass(frozen=True)
class Located:
    """`files`: as `Source.read` takes them. `origin`: how they were found. `known`: the checksums are known."""

    files: tuple[Path, ...]
    origin: str
    checksum: str
    known: bool

    @property
    def path(self) -> Path:
        """The file, or the folder that holds all of them."""
        return Path(os.path.commonpath(self.files))


@dataclass(frozen=True)
class Status:
    """What `dlkit data` tells of a dataset, from file names and sizes alone."""

    source: Source
    path: Path | None
    origin: str
    bytes: int
    prepared: Path | None
    prepared_bytes: int


def locate(source: Source, path: Path | None, *, allow_download: bool = True, say: Callable[[str], None]) -> Located:
    """The files of `source`; downloaded only where they are found nowhere and `allow_download` says so."""
    if path is not None:
        try:
            given = _given(source, path.expanduser())
        except (OSError, RuntimeError) as error:  # RuntimeError: "~name" of nobody
            raise DataNotFoundError(f"{path}: cannot be read ({error}).") from error
        return _identified(source, given, "as given")
    for folder, origin in _folders(source):
        files = _in_folder(source, folder)
        if files:
            return _identified(source, files, origin)
    problem = "Nothing was downloaded, as asked."
    if allow_download:
        try:
            return fetch(source, say=say)
        except DataNotFoundError as error:
            problem = str(error)
    raise DataNotFoundError(_ways_on(source, problem))


def fetch(source: Source, *, say: Callable[[str], None]) -> Located:
    """Download `source` into the cache, unless it is there."""
    folder = downloads_folder(source)
    form = _downloadable(source)
    if form is None:
        raise DataNotFoundError(f"There is no address to download {source.title} from; see {source.home}.")
    missing = [file for file in form if not (folder / file.name).is_file()]
    if missing:
        known = [file.bytes for file in missing if file.bytes]
        size = f"{sum(known) / 1e6:.1f} MB" if len(known) == len(missing) else "size not known"
        addresses = ", ".join(str(file.url) for file in missing)
        say(f"{source.title}: not found here; downloading {addresses} ({size}) to {folder}. Licence: {source.licence}")
    for file in missing:
        download(file, folder / file.name, say=say)
    return _identified(source, tuple(folder / file.name for file in form), "downloaded")


def status(source: Source) -> Status:
    """Where `source` is and whether it is prepared; nothing is read but folders and one small JSON file."""
    for folder, origin in _folders(source):
        files = _in_folder(source, folder)
        if files:
            sizes = [file.stat().st_size for file in files]
            prepared = _prepared(source, sizes)
            used = sum(file.stat().st_size for file in prepared.rglob("*") if file.is_file()) if prepared else 0
            path = Path(os.path.commonpath(files))
            return Status(source, path, origin, sum(sizes), prepared, used)
    return Status(source, None, "not on this machine", 0, None, 0)


def downloads_folder(source: Source) -> Path:
    """Where downloads of `source` lie in the cache."""
    return cache_folder() / "downloads" / source.place


def prepared_record(checksum: str, source: Source) -> Path:
    """The record of what was prepared from files of this checksum, beside it: other files, other folder.

    A JSON object: `bytes`, the sizes of those files, and `files`, prepared file to sha256 by `Source.version`.
    """
    return cache_folder() / "prepared" / checksum[:16] / f"{source.name}.json"


def _prepared(source: Source, sizes: Sequence[int]) -> Path | None:
    for record in sorted((cache_folder() / "prepared").glob(f"*/{source.name}.json")):
        folder = record.parent / source.name / source.version
        try:
            matches = json.loads(record.read_text(encoding="utf-8")).get("bytes") == list(sizes)
        except (OSError, ValueError, AttributeError):
            continue  # only a hint for `dlkit data`; preparing anew writes it again
        if matches and folder.is_dir():
            return folder
    return None


def _folders(source: Source) -> list[tuple[Path, str]]:
    folders = [(downloads_folder(source), "cache")]
    if os.environ.get("DLKIT_DATA"):
        folders.insert(0, (Path(os.environ["DLKIT_DATA"]).expanduser().absolute() / source.place, "$DLKIT_DATA"))
    return folders


def _in_folder(source: Source, folder: Path) -> tuple[Path, ...] | None:
    for form in source.forms:
        files = tuple(folder / file.name for file in form)
        if all(_is_file(file) for file in files):
            return files
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder on the way may not be entered
        return False


def _downloadable(source: Source) -> tuple[File, ...] | None:
    return next((form for form in source.forms if all(file.url for file in form)), None)


def _wanted(source: Source) -> str:
    """The files to look for, as words: all of a form, or all of another one."""
    return " or ".join(" + ".join(file.name for file in form) for form in source.forms)


def _given(source: Source, path: Path) -> tuple[Path, ...]:
    """The files at a path that the user gave: a file, the folder of the files, or one folder above."""
    if path.is_dir():
        for folder in (path, path / source.place):
            files = _in_folder(source, folder)
            if files:
                return tuple(file.absolute() for file in files)
        raise DataNotFoundError(
            f"{path}: expected a folder that holds {_wanted(source)}, and it does not. "
            "Give the file itself or its folder."
        )
    if not path.exists():
        raise DataNotFoundError(f"{path}: no such file or folder; expected {_wanted(source)}.")
    kinds = {_kind(form[0].name) for form in source.forms if len(form) == 1}
    if _kind(path.name) not in kinds:
        raise DataError(f"{path}: expected {_wanted(source)}, or a file of the same kind.")
    return (path.absolute(),)


def _kind(name: str) -> str:
    """Files of one kind are read alike; `archives` finds out itself which archive it has."""
    return "archive" if name.endswith((".tar.gz", ".tgz", ".tar", ".zip")) else Path(name).suffix


def _identified(source: Source, files: tuple[Path, ...], origin: str) -> Located:
    checksums = [sha256(file) for file in files]
    forms = [form for form in source.forms if len(form) == len(checksums)]
    known = any(all(checksum in file.sha256 for file, checksum in zip(form, checksums, strict=True)) for form in forms)
    one = checksums[0] if len(checksums) == 1 else hashlib.sha256("\n".join(checksums).encode()).hexdigest()
    return Located(files, origin, one, known)


def _ways_on(source: Source, problem: str) -> str:
    places = [f"  {folder} ({origin})" for folder, origin in _folders(source)]
    if not os.environ.get("DLKIT_DATA"):
        places.insert(0, "  $DLKIT_DATA is not set")
    ways = [
        f"  --data PATH      the file or its folder, from {source.home or 'its publisher'}",
        "  --data sample    small data that needs no network",
        f"  DLKIT_DATA=DIR   a folder with {source.place}/{source.forms[0][0].name} in it",
    ]
    if _downloadable(source):
        ways.append(f"  dlkit data {source.name} --download   on a machine with network")
    wanted = f"{source.title} not found: looked for {_wanted(source)} in"
    return "\n".join([wanted, *places, problem, "Ways on:", *ways])
