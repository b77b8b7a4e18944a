"""Which way up does the file of a picture say that it is?

By the EXIF tag of orientation alone, where browsers look for it: in a JPEG's segment APP1, or in a PNG's chunk eXIf,
and there as one SHORT in the first directory of tags. What stands elsewhere (in XMP, comments, text chunks) or in
another form turns nothing. `dlkit.preprocessing.image_graphs` has the same rules in TensorFlow, step by step.
"""

from __future__ import annotations

from typing import Literal

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
"""How the files begin."""
EXIF = b"Exif\0\0"
"""Begins what a JPEG's segment holds; some programs write it into the chunk of a PNG too."""
MARKED, APP1, SCAN = 0xFF, 0xE1, 0xDA
"""Each of a JPEG's segments begins with 0xFF and its kind; behind the scan's header there are pixels."""
LEAST = 10
"""Bytes of the shortest segment that holds tags: kind, length and `EXIF`."""
CHUNK, LAST = b"eXIf", b"IEND"
"""Kinds of a PNG's chunks: tags, and the end."""
LITTLE, BIG = b"II*\0", b"MM\0*"
"""How tags begin, by the order of the bytes in their numbers."""
LITTLE_TAG, BIG_TAG = b"\x12\x01\x03\0\x01\0\0\0", b"\x01\x12\0\x03\0\0\0\x01"
"""The entry of the orientation up to its value: number 0x0112, type SHORT, one of them."""
ENTRY = 12
"""Bytes of an entry in a directory of tags."""


def tags_in(content: bytes) -> bytes:
    """The EXIF tags of an encoded picture, from their order of bytes on; none where it is no JPEG or PNG with tags."""
    if content.startswith(JPEG):
        return _in_jpeg(content)
    return _in_png(content).removeprefix(EXIF) if content.startswith(PNG) else b""


def _in_jpeg(content: bytes) -> bytes:
    place = 2
    while place + LEAST <= len(content) and content[place] == MARKED and content[place + 1] != SCAN:
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if content[place + 1] == APP1 and content[place + 4 : place + LEAST] == EXIF:
            return content[place + LEAST : end]
        place = place + 1 if content[place + 1] == MARKED else end  # 0xFF may be repeated before the kind
    return b""


def _in_png(content: bytes) -> bytes:
    place = len(PNG)
    while place + 8 <= len(content) and content[place + 4 : place + 8] != LAST:
        end = place + 8 + int.from_bytes(content[place : place + 4], "big")
        if content[place + 4 : place + 8] == CHUNK:
            return content[place + 8 : end]
        place = end + 4  # a checksum
    return b""


def orientation(tags: bytes) -> int:
    """1 to 8 as EXIF numbers them; 1, upright, where the tags do not say. Of several such entries the last one counts.

    Only the first directory is of the picture: the second one is of its thumbnail.
    """
    order: Literal["little", "big"] = "little" if tags.startswith(LITTLE) else "big"
    wanted = LITTLE_TAG if order == "little" else BIG_TAG
    start = int.from_bytes(tags[4:8], order)
    entries = tags[start + 2 :][: ENTRY * int.from_bytes(tags[start : start + 2], order)]
    found = 1
    for place in range(0, len(entries) - ENTRY + 1, ENTRY):
        if entries.startswith(wanted, place):
            found = int.from_bytes(entries[place + 8 : place + 10], order)
    return found if tags.startswith((LITTLE, BIG)) and 1 <= found <= 8 else 1
