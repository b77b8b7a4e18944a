"""What travels inside a LiteRT file, so that who has it alone can tell what its numbers stand for?"""

from __future__ import annotations

import zipfile
from pathlib import Path

from dlkit.inference.answers import LABELS

LARGEST = 2**16
"""Bytes of a file that travels: labels, scalers and thresholds do, vocabularies stay beside the model."""


def associate(model: Path, assets: Path) -> None:
    """Append the small files of `assets` to a `.tflite` file as a zip, under the names that they have there.

    The place is that of TensorFlow Lite's "associated files": `unzip -p model.tflite labels.txt`, Python's `zipfile`
    and the MetadataExtractor's getAssociatedFile read them, and interpreters ignore what stands behind the network.
    There is no metadata buffer that describes them, so tools that ask it which output the labels belong to (the Task
    Library, code generators) find none: line i of `labels.txt` is output i, of a single output 0 and 1. The same files
    give the same bytes.
    """
    files = sorted(file for file in assets.rglob("*") if file.is_file())
    found = [file for file in files if file.name == LABELS or file.stat().st_size <= LARGEST]
    if not found:  # a zip of nothing would be an ending of 22 bytes
        return
    with zipfile.ZipFile(model, "a") as archive:
        for file in found:
            about = zipfile.ZipInfo(file.relative_to(assets).as_posix())  # of 1980, not of now
            about.create_system, about.external_attr = 3, 0o644 << 16  # alike on every system
            archive.writestr(about, file.read_bytes())
