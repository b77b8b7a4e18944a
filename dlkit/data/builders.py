"""How do the files of a named dataset become columns in memory, quickly and never half?

One TensorFlow Datasets builder serves all sources. It prepares the rows once into
`$DLKIT_CACHE/prepared/<first 16 hex digits of the files' sha256>/<name>/<version>`, so that changed files are
never answered from an old preparation. TFDS writes into an `*.incomplete*` neighbour and renames it when whole.
Rows are stored as ArrayRecord: its checksummed blocks are read back without TensorFlow.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.utils import tqdm_utils
from tensorflow_datasets.proto import tf_example_pb2

from dlkit.contracts import ColumnKind, Split
from dlkit.data.archives import sha256
from dlkit.data.cache import disk_full, exclusive, writing
from dlkit.data.locate import Located, locate, prepared_record
from dlkit.data.sources import Example, Source, source
from dlkit.errors import DataError, DataNotFoundError

ROWS_AT_ONCE = 2_000
_PREPARE_ERRORS = (OSError, ValueError, TypeError, KeyError, RuntimeError)
"""What TFDS raises where examples are not as declared, and where its record writer fails."""


def quiet(_message: str) -> None:
    """For callers that want to hear nothing."""


@dataclass(frozen=True)
class Loaded:
    """Columns as in `contracts.Split`, and what a report must say of their origin."""

    splits: Mapping[str, Split]
    kinds: Mapping[str, ColumnKind]
    target: str | None
    source: str
    fingerprint: str
    notes: tuple[str, ...] = ()


def load(
    name: str, *, path: Path | None = None, allow_download: bool = True, say: Callable[[str], None] = quiet
) -> Loaded:
    """The dataset `name` by its own splits: found, prepared where that is not done yet, checked and read."""
    return load_source(source(name), path=path, allow_download=allow_download, say=say)


def load_source(
    dataset: Source, *, path: Path | None = None, allow_download: bool = True, say: Callable[[str], None] = quiet
) -> Loaded:
    """As `load`, for a source that is in no list."""
    located = locate(dataset, path, allow_download=allow_download, say=say)
    splits = _read_prepared(dataset, located, say)
    files = [file for form in dataset.forms for file in form if located.checksum in file.sha256]
    notes = (*dataset.notes, *(file.note for file in files if file.note))
    if not located.known:
        notes = (*notes, f"{located.path.name} is not a file that dlkit knows (sha256 {located.checksum})")
    return Loaded(
        splits=splits,
        kinds=dataset.kinds,
        target=dataset.target,
        source=f"{located.path} ({located.origin})",
        fingerprint=f"sha256:{located.checksum}",
        notes=notes,
    )


def _read_prepared(dataset: Source, located: Located, say: Callable[[str], None]) -> dict[str, Split]:
    record = prepared_record(located.checksum, dataset)
    # What is whole is read without a lock, so also from a cache that may not be written to.
    if not _is_whole(record, dataset):
        lock = record.with_name(f".{dataset.name}.lock")
        with exclusive(lock, waiting=lambda: say(f"{dataset.title}: another process prepares it, waiting")):
            if not _is_whole(record, dataset):  # or else the process waited for has done it
                if record.exists():
                    say(f"{dataset.title}: what was prepared before is damaged or of another version")
                _prepare(dataset, located, record, say)
    return _read(dataset, record.parent)


def _is_whole(record: Path, dataset: Source) -> bool:
    """Whether the record is there, which is written last, and every file is as it was then."""
    folder = _folder(dataset, record.parent)
    try:
        files = json.loads(record.read_text(encoding="utf-8"))["files"][dataset.version]
        return bool(files) and all(sha256(folder / name) == checksum for name, checksum in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataNotFoundError):
        return False


def _prepare(dataset: Source, located: Located, record: Path, say: Callable[[str], None]) -> None:
    """Write all splits and then the record; on any error nothing stays under the final name."""
    root = record.parent
    say(f"{dataset.title}: preparing from {located.path} (once)")
    with writing(root):
        record.unlink(missing_ok=True)
        shutil.rmtree(root / dataset.name, ignore_errors=True)  # damaged, or left by a process that was killed
        root.mkdir(parents=True, exist_ok=True)
    unused = root / "downloads"  # made by TFDS whether it downloads or not
    try:
        with _undisturbed():
            _builder(dataset, located, root).download_and_prepare(
                download_dir=unused, download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
    except DataError:
        raise
    except _PREPARE_ERRORS as error:
        if os.strerror(errno.ENOSPC) in str(error):  # the record writer raises it as RuntimeError
            raise disk_full(root) from error
        columns = [*dataset.kinds, *filter(None, [dataset.target])]
        raise DataError(
            f"{located.path}: could not be prepared as {dataset.title} ({_first_line(error)}); expected rows of "
            f"{', '.join(columns)}. Get the file again."
        ) from error
    finally:
        shutil.rmtree(unused, ignore_errors=True)
    with writing(root):
        files = {file.name: sha256(file) for file in sorted(_folder(dataset, root).iterdir())}
        sizes = [file.stat().st_size for file in located.files]
        new = record.with_suffix(".new")
        new.write_text(json.dumps({"bytes": sizes, "files": {dataset.version: files}}), encoding="utf-8")
        new.replace(record)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No progress bars of TFDS, and no trace of its random folder name in the user's own random numbers."""
    bars, state = tqdm_utils._active, random.getstate()
    tfds.display_progress_bar(False)
    try:
        yield
    finally:
        tfds.display_progress_bar(bars)
        random.setstate(state)


class _Info(tfds.core.DatasetInfo):
    """TFDS asks a bucket of its own for figures of datasets that it does not find; ours are not there."""

    def initialize_from_bucket(self) -> None:
        pass


# mypy holds TFDS' untyped base class for `object`, whose subclasses take no such argument.
class _SourceBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS wants a class a dataset, with its name and version: `_builder` derives it."""

    VERSION = tfds.core.Version("1.0.0")
    code_path = None  # where TFDS would look for checksums to download by, with a package that it does not require
    dataset: Source
    files: tuple[Path, ...]

    def _info(self) -> tfds.core.DatasetInfo:
        return _Info(
            builder=self,
            features=tfds.features.FeaturesDict(_features(self.dataset)),
            disable_shuffling=self.dataset.ordered,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> Mapping[str, Iterator[tuple[str, Example]]]:
        del dl_manager  # the files are on this machine
        examples = self.dataset.read(self.files)
        return {split: self._generate_examples(split, rows) for split, rows in examples.items()}

    def _generate_examples(self, split: str, rows: Iterator[tuple[str, Example]]) -> Iterator[tuple[str, Example]]:
        target, labels, keys = self.dataset.target, self.dataset.labels, set()
        for key, row in rows:
            if key in keys:
                raise DataError(f"{self.files[0]}: row {key} comes twice in split {split!r}. Get the file again.")
            if labels is not None and target is not None and row[target] not in labels:
                raise DataError(
                    f"{self.files[0]}: row {key} has the label {row[target]!r}; known: {', '.join(labels)}."
                )
            keys.add(key)
            yield key, row
        _check_rows(self.dataset, split, len(keys), str(self.files[0]))

    def _log_download_bytes(self) -> None:
        """Quiet: the base class prints on stdout."""

    def _log_download_done(self) -> None:
        """Quiet: the base class prints on stdout."""


def _builder(dataset: Source, located: Located, root: Path) -> tfds.core.DatasetBuilder:
    attributes = {
        "name": dataset.name,
        "VERSION": tfds.core.Version(dataset.version),
        "dataset": dataset,
        "files": located.files,
        "__module__": __name__,
    }
    made = type(dataset.name, (_SourceBuilder,), attributes, skip_registration=True)
    return made(data_dir=root, file_format="array_record")


def _features(dataset: Source) -> dict[str, tfds.features.FeatureConnector]:
    """Numbers as bytes, since a tf.train.Example of its own accord keeps 32 bits of them."""
    as_bytes = tfds.features.Encoding.BYTES
    made = {
        "text": tfds.features.Text(),
        "category": tfds.features.Text(),
        "number": tfds.features.Tensor(shape=(), dtype=np.float64, encoding=as_bytes),
        "image": tfds.features.Tensor(shape=dataset.image_shape or (), dtype=np.uint8, encoding=as_bytes),
        "series": tfds.features.Tensor(shape=(dataset.window or 1,), dtype=np.float64, encoding=as_bytes),
    }
    features = {name: made[kind] for name, kind in dataset.kinds.items()}
    if dataset.target is not None:
        features[dataset.target] = made["number" if dataset.target_kind == "value" else "text"]
    return features


def _folder(dataset: Source, root: Path) -> Path:
    return root / dataset.name / dataset.version


def _check_rows(dataset: Source, split: str, count: int, where: str) -> None:
    expected = dataset.rows.get(split)
    if count != expected:
        raise DataError(
            f"{where}: expected {expected or 0:,} rows in split {split!r} of {dataset.title}, found {count:,}. "
            "Get the file again."
        )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _read(dataset: Source, root: Path) -> dict[str, Split]:
    """All splits as columns."""
    folder = _folder(dataset, root)
    builder = tfds.builder_from_directory(folder)
    raw = tfds.core.decode.DeserializeMethod.RAW_BYTES
    splits = {}
    for split in dataset.rows:
        records = builder.as_data_source(split=split, deserialize_method=raw)
        _check_rows(dataset, split, len(records), str(folder))
        splits[split] = _columns(dataset, records)
    return splits


def _columns(dataset: Source, records: tfds.core.data_sources.BaseDataSource) -> Split:
    """Some thousand rows at a time, so that never more than those lie there as bytes as well as decoded."""
    count = len(records)
    columns = {name: _empty(dataset, kind, count) for name, kind in dataset.kinds.items()}
    targets = None
    if dataset.target is not None:
        targets = _empty(dataset, "number" if dataset.target_kind == "value" else "category", count)
        columns[dataset.target] = targets
    for start in range(0, count, ROWS_AT_ONCE):
        rows = range(start, min(start + ROWS_AT_ONCE, count))
        examples = [tf_example_pb2.Example.FromString(record).features.feature for record in records.__getitems__(rows)]
        for name, column in columns.items():
            _fill(column[rows.start : rows.stop], [example[name].bytes_list.value[0] for example in examples])
    return Split({name: columns[name] for name in dataset.kinds}, targets)


def _empty(dataset: Source, kind: ColumnKind, count: int) -> np.ndarray:
    if kind == "image":
        return np.empty((count, *(dataset.image_shape or ())), np.uint8)
    if kind == "series":
        return np.empty((count, dataset.window or 1))
    return np.empty(count, np.float64 if kind == "number" else object)


def _fill(column: np.ndarray, values: list[bytes]) -> None:
    if column.dtype == object:
        column[:] = [value.decode() for value in values]
    else:
        column[:] = np.frombuffer(b"".join(values), column.dtype).reshape(column.shape)
