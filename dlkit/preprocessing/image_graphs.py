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
from dlkit.inference.orientation import (
    APP1,
    BIG,
    BIG_TAG,
    CHUNK,
    ENTRY,
    EXIF,
    LAST,
    LEAST,
    LITTLE,
    LITTLE_TAG,
    MARKED,
    PNG,
    SCAN,
)

_BITS = 22  # Pillow's PRECISION_BITS, src/libImaging/Resample.c
_KNOWN = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8")
"""How files begin that TensorFlow decodes; of BMP it reads those with a palette wrongly."""
_BEYOND = 16
"""Zeros behind a file, so that what is looked at from its last byte on is there."""


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
    pixels = tf.cond(
        tf.io.is_jpeg(content),
        lambda: tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(content, channels=3, expand_animations=False),
    )
    return _upright(pixels, orientation_of(content))


def _upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    pixels = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels)
    # After the transposition of 5 to 8: which of them are mirrored left to right, and upside down.
    mirrored = tf.reduce_any(tf.equal(orientation, [2, 3, 6, 7]))
    pixels = tf.cond(mirrored, lambda: pixels[:, ::-1], lambda: pixels)
    turned = tf.reduce_any(tf.equal(orientation, [3, 4, 7, 8]))
    return tf.cond(turned, lambda: pixels[::-1], lambda: pixels)


def orientation_of(content: tf.Tensor) -> tf.Tensor:
    """That of an encoded picture, int32, by the rules of `dlkit.inference.orientation`."""
    return _orientation(tf.cond(tf.io.is_jpeg(content), lambda: _tags_of_jpeg(content), lambda: _tags_of_png(content)))


def _tags_of_jpeg(content: tf.Tensor) -> tf.Tensor:
    """As `orientation.tags_in` finds them: (bytes,) uint8, none where there are none."""
    everything = tf.io.decode_raw(content, tf.uint8)
    size, padded = tf.size(everything, tf.int64), _padded(everything)

    def is_tags(head: tf.Tensor) -> tf.Tensor:
        return _equal(head[:2], bytes([MARKED, APP1])) & _equal(head[4:], EXIF)

    def is_another(place: tf.Tensor) -> tf.Tensor:
        head = _part(padded, place, LEAST)
        return (place + LEAST <= size) & (head[0] == MARKED) & (head[1] != SCAN) & ~is_tags(head)

    def end(place: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
        return place + 2 + _number(head[2:4])

    def following(place: tf.Tensor) -> tuple[tf.Tensor]:
        head = _part(padded, place, LEAST)
        return (tf.where(head[1] == MARKED, place + 1, end(place, head)),)

    (place,) = tf.while_loop(is_another, following, (tf.constant(2, tf.int64),))
    head = _part(padded, place, LEAST)
    found = (place + LEAST <= size) & is_tags(head)
    return tf.cond(found, lambda: everything[place + LEAST : end(place, head)], lambda: everything[:0])


def _tags_of_png(content: tf.Tensor) -> tf.Tensor:
    """The same of a PNG, and none of any other file."""
    everything = tf.io.decode_raw(content, tf.uint8)
    size, padded = tf.size(everything, tf.int64), _padded(everything)

    def is_another(place: tf.Tensor) -> tf.Tensor:
        kind = _part(padded, place + 4, 4)
        return (place + 8 <= size) & ~_equal(kind, LAST) & ~_equal(kind, CHUNK)

    def end(place: tf.Tensor) -> tf.Tensor:
        return place + 8 + _number(_part(padded, place, 4))

    first = tf.where(_equal(_part(padded, 0, len(PNG)), PNG), tf.constant(len(PNG), tf.int64), size)
    (place,) = tf.while_loop(is_another, lambda place: (end(place) + 4,), (first,))
    found = (place + 8 <= size) & _equal(_part(padded, place + 4, 4), CHUNK)
    tags = tf.cond(found, lambda: everything[place + 8 : end(place)], lambda: everything[:0])
    return tf.cond(_equal(_part(_padded(tags), 0, len(EXIF)), EXIF), lambda: tags[len(EXIF) :], lambda: tags)


def _orientation(tags: tf.Tensor) -> tf.Tensor:
    """1 to 8, as `orientation.orientation` reads it from the tags: (bytes,) uint8."""
    padded = _padded(tags)
    head = _part(padded, 0, 8)
    little, big = _equal(head[:4], LITTLE), _equal(head[:4], BIG)
    start = _number(head[4:], little)
    entries = tags[start + 2 :][: ENTRY * _number(_part(padded, start, 2), little)]
    entries = tf.reshape(entries[: tf.size(entries) // ENTRY * ENTRY], (-1, ENTRY))
    wanted = tf.where(little, list(LITTLE_TAG), list(BIG_TAG))
    is_it = tf.reduce_all(tf.equal(tf.cast(entries[:, :8], tf.int32), wanted), axis=1)
    values = tf.cast(tf.boolean_mask(entries[:, 8:10], is_it), tf.int32)
    values = tf.linalg.matvec(values, tf.where(little, [1, 256], [256, 1]))
    value = tf.concat([[1], values], axis=0)[-1]
    return tf.where((little | big) & (value >= 1) & (value <= 8), value, 1)


def _padded(numbers: tf.Tensor) -> tf.Tensor:
    return tf.concat([numbers, tf.zeros(_BEYOND, tf.uint8)], axis=0)


def _part(padded: tf.Tensor, place: tf.Tensor | int, length: int) -> tf.Tensor:
    """`length` bytes from `place` on; zeros behind the end."""
    first = tf.minimum(tf.cast(place, tf.int64), tf.size(padded, tf.int64) - _BEYOND)
    return tf.ensure_shape(padded[first : first + length], (length,))


def _equal(numbers: tf.Tensor, pattern: bytes) -> tf.Tensor:
    return tf.reduce_all(tf.equal(numbers, list(pattern)))


def _number(numbers: tf.Tensor, little: tf.Tensor | bool = False) -> tf.Tensor:
    """(bytes,) to what they count, int64."""
    powers = [256**power for power in range(numbers.shape[0])]
    ordered = tf.where(little, numbers, numbers[::-1])
    return tf.reduce_sum(tf.cast(ordered, tf.int64) * powers)


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
