"""How does a SavedModel make pixels of encoded pictures, the same to the last bit as the plain preprocessing?

Pillow resizes in whole numbers: weights are rounded to 22 bits behind the point, sums are cut to a byte after the
horizontal and again after the vertical pass. So does this graph, which leaves no rounding to differ.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from PIL import Image

from dlkit.inference.images import ImagePixels, Picture, decode

_BITS = 22  # Pillow's PRECISION_BITS, src/libImaging/Resample.c
_KNOWN = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8")
"""How files begin that TensorFlow decodes; of BMP it reads those with a palette wrongly."""
_HEADER = 65_536
"""Bytes at a JPEG's beginning in which its EXIF tags lie: an APP1 segment holds no more. A PNG may end with them."""
_JPEG_TAGS, _PNG_TAGS = list(b"Exif\0\0"), list(b"eXIf")


class ImagePixelsGraph(tf.Module):
    """The TensorFlow form of `ImagePixels`: encoded pictures, or arrays of one size, to the network's pixels."""

    takes_arrays = True

    def __init__(self, transform: ImagePixels) -> None:
        super().__init__()
        self._transform = transform
        self.signature = {transform.column: tf.TensorSpec((None,), tf.string)}
        self._pixels = tf.TensorSpec(transform.shape, tf.uint8)

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """{column: (rows,) encoded} to {"pixels": (rows, size, size, channels) uint8}.

        JPEG, PNG, GIF that does not move, and BMP of 24 or 32 bits, without a palette.
        """
        pictures = raw[self._transform.column]
        return {
            "pixels": tf.map_fn(lambda one: self._shaped(_decoded(one)), pictures, fn_output_signature=self._pixels)
        }

    def of_arrays(self, arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        """(rows, height, width, 1, 3 or 4) uint8 to the same."""
        pixels = tf.cond(tf.shape(arrays)[3] == 1, lambda: tf.tile(arrays, [1, 1, 1, 3]), lambda: arrays[:, :, :, :3])
        return {"pixels": tf.map_fn(self._shaped, pixels, fn_output_signature=self._pixels)}

    def _shaped(self, pixels: tf.Tensor) -> tf.Tensor:
        """(height, width, 3) to (size, size, channels)."""
        if self._transform.channels == 1:
            weighed = tf.linalg.matvec(tf.cast(pixels, tf.int32), tf.constant([19595, 38470, 7471]))
            pixels = tf.cast(tf.bitwise.right_shift(weighed + 0x8000, 16), tf.uint8)[:, :, tf.newaxis]
        if self._transform.fit == "crop":
            height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
            side = tf.minimum(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            pixels = pixels[top : top + side, left : left + side]
        pixels.set_shape((None, None, self._transform.channels))
        size = self._transform.size
        across = _resampled(tf.transpose(pixels, (1, 0, 2)), size)
        return tf.ensure_shape(_resampled(tf.transpose(across, (1, 0, 2)), size), self._transform.shape)


def encoded(picture: Picture) -> bytes:
    """A picture as the graph takes it: files as they are where TensorFlow reads them, all else as PNG."""
    content = picture.read_bytes() if isinstance(picture, Path) else picture
    if isinstance(content, bytes) and content.startswith(_KNOWN):
        return content
    pixels = decode(content, 3, "A picture")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _decoded(content: tf.Tensor) -> tf.Tensor:
    """One encoded picture to (height, width, 3) uint8, upright."""
    return tf.cond(
        tf.io.is_jpeg(content),
        lambda: _upright(
            tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
            _orientation(tf.strings.substr(content, 0, _HEADER), _JPEG_TAGS),
        ),
        lambda: _upright(
            tf.io.decode_image(content, channels=3, expand_animations=False), _orientation(content, _PNG_TAGS)
        ),
    )


def _upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    pixels = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels)
    # After the transposition of 5 to 8: which of them are mirrored left to right, and upside down.
    mirrored = tf.reduce_any(tf.equal(orientation, [2, 3, 6, 7]))
    pixels = tf.cond(mirrored, lambda: pixels[:, ::-1], lambda: pixels)
    turned = tf.reduce_any(tf.equal(orientation, [3, 4, 7, 8]))
    return tf.cond(turned, lambda: pixels[::-1], lambda: pixels)


def _orientation(content: tf.Tensor, mark: list[int]) -> tf.Tensor:
    """The EXIF orientation, 1 to 8; 1 where a picture has none.

    It is looked for in the first directory of tags behind `mark`, in the file's order of bytes: an entry of number
    0x0112, type SHORT, count 1. A second directory is of the thumbnail.
    """
    everything = tf.io.decode_raw(content, tf.uint8)
    marked = _first(everything, mark)
    tags = tf.cast(everything[tf.maximum(marked, 0) + len(mark) :][:_HEADER], tf.int32)
    tags = tf.concat([tags, tf.zeros(16, tf.int32)], axis=0)
    little = tf.equal(tags[0], ord("I"))

    def number(place: tf.Tensor | int, length: int) -> tf.Tensor:
        found = tags[place : place + length]
        found = tf.where(little, found[::-1], found)
        return tf.reduce_sum(found * [256**power for power in range(length - 1, -1, -1)])

    # Of four bytes the lower three: a directory farther off is not in the segment.
    offset = tf.where(little, number(4, 3), number(5, 3))
    start = tf.minimum(offset, tf.shape(tags)[0] - 16)
    entries = tags[start + 2 : start + 2 + 12 * number(start, 2)]
    entries = tf.reshape(entries[: tf.shape(entries)[0] // 12 * 12], (-1, 12))
    wanted = tf.where(little, [0x12, 1, 3, 0, 1, 0, 0, 0], [1, 0x12, 0, 3, 0, 0, 0, 1])
    is_it = tf.reduce_all(tf.equal(entries[:, :8], wanted), axis=1)
    value = tf.reduce_max(tf.where(is_it, tf.where(little, entries[:, 8], entries[:, 9]), 0))
    return tf.where((marked >= 0) & (value >= 1) & (value <= 8), value, 1)


def _first(header: tf.Tensor, pattern: list[int]) -> tf.Tensor:
    """Where `pattern` begins in `header` for the first time; -1 where it does not."""
    count = tf.maximum(tf.shape(header)[0] - len(pattern) + 1, 0)
    here = tf.fill([count], True)
    for place, byte in enumerate(pattern):
        here &= tf.equal(header[place : place + count], byte)
    found = tf.where(here)
    return tf.cond(tf.shape(found)[0] > 0, lambda: tf.cast(found[0, 0], tf.int32), lambda: tf.constant(-1))


def _resampled(pixels: tf.Tensor, size: int) -> tf.Tensor:
    """Pillow's bilinear filter along the first axis: (length, other, channels) to (size, other, channels)."""
    return tf.cond(tf.shape(pixels)[0] == size, lambda: pixels, lambda: _filtered(pixels, size))


def _filtered(pixels: tf.Tensor, size: int) -> tf.Tensor:
    length = tf.shape(pixels)[0]
    scale = tf.cast(length, tf.float64) / size
    support = tf.maximum(scale, 1.0)  # a triangle of this half-width over the old pixels
    middle = (tf.range(size, dtype=tf.float64)[:, tf.newaxis] + 0.5) * scale
    first = tf.maximum(tf.cast(middle - support + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(middle + support + 0.5, tf.int32), length)
    place = tf.range(length)[tf.newaxis, :]
    inside = (place >= first) & (place < last)
    distance = tf.abs((tf.cast(place, tf.float64) - middle + 0.5) * (1.0 / support))
    weights = tf.where(inside & (distance < 1.0), 1.0 - distance, tf.zeros_like(distance))
    weights *= 1.0 / tf.reduce_sum(weights, axis=1, keepdims=True)
    whole = tf.cast(0.5 + weights * (1 << _BITS), tf.int32)
    other, channels = tf.shape(pixels)[1], pixels.shape[2]
    flat = tf.reshape(tf.cast(pixels, tf.int32), tf.stack([length, other * channels]))
    sums = tf.matmul(whole, flat) + (1 << (_BITS - 1))
    made = tf.clip_by_value(tf.bitwise.right_shift(sums, _BITS), 0, 255)
    return tf.reshape(tf.cast(made, tf.uint8), tf.stack([size, other, channels]))
