"""How does a picture of any size and kind become the pixels that a network takes?"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from dlkit.contracts import Column, ColumnKind, Columns, Rows, Tensor
from dlkit.errors import InputError, RunError
from dlkit.inference.orientation import EXIF, orientation, tags_in
from dlkit.inference.plain import Plain
from dlkit.inference.runs import write_json

MOST_PIXELS = 50_000_000
"""Larger pictures are refused before they are decoded: 30,000 x 30,000 pixels take 2.7 GB."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")
_NOT_FOR_EYES = ("I", "F", "LAB")
"""Pillow's modes of 32 bits, for which no number is white, and one that it does not convert."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What puts a picture upright, by its EXIF orientation."""
_TINY = 8
_KEPT_BYTES = 2_000_000_000
"""Decoded pictures that are kept in memory from one epoch to the next."""
_DAMAGED = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, struct.error,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises on files that are not as their headers say."""

Picture = bytes | Path | np.ndarray
"""Encoded, in a file, or decoded: uint8 (height, width), (height, width, channels)."""


def decode(picture: Picture, channels: int, where: str) -> np.ndarray:
    """(height, width, channels) uint8, turned as its EXIF tag says; 1 channel is grey, 3 are RGB, transparency is
    dropped, of a GIF black. InputError names `where` for what is no picture, has over 50 million pixels, or moves.
    """
    if isinstance(picture, np.ndarray):
        return _of_array(picture, channels, where)
    content = _content(picture, where)
    with _opened(content, where) as image:
        try:
            return _pixels(_shown(image) if image.format == "GIF" else _upright(image, content), channels)
        except _DAMAGED as error:
            raise InputError(f"{where}: the picture is damaged ({_reason(error)}). Save or copy it again.") from None


def problem(content: bytes) -> str | None:
    """What keeps an encoded picture from being used, in a few words; None for a good one. Decodes all of it."""
    try:
        with _opened(content, "") as image, _tags_unsaid():
            # JPEG: all is read, an eighth is computed.
            image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
            image.load()
    except InputError as error:
        return str(error).removeprefix(": ")
    except _DAMAGED as error:
        return f"the picture is damaged ({_reason(error)})"
    return None


def size_of(picture: Picture) -> tuple[int, int] | None:
    """(height, width) from the header; None where it has none."""
    if isinstance(picture, np.ndarray):
        return int(picture.shape[0]), int(picture.shape[1])
    try:
        with _opened(_content(picture, ""), "") as image:
            return image.height, image.width
    except InputError:
        return None


@contextmanager
def _tags_unsaid() -> Iterator[None]:
    """Pillow warns of odd EXIF tags of all kinds, also of those that no pixel depends on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _content(picture: bytes | Path, where: str) -> bytes:
    try:
        return picture if isinstance(picture, bytes) else picture.read_bytes()
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"{where}: cannot be read ({reason}).") from None


def _opened(content: bytes, where: str) -> Image.Image:
    """The header read and checked, nothing decoded yet."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # Pillow's own limit only warns at first
    try:
        with _tags_unsaid():
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
            frames = getattr(image, "n_frames", 1)
    except UnidentifiedImageError:
        raise InputError(
            f"{where}: no picture that can be read; expected JPEG, PNG, BMP, GIF, WebP or TIFF, "
            f"got {len(content)} bytes that begin with {content[:8]!r}."
        ) from None
    except _DAMAGED as error:
        raise InputError(f"{where}: the picture is damaged ({_reason(error)}). Save or copy it again.") from None
    finally:
        Image.MAX_IMAGE_PIXELS = before
    if image.width * image.height > MOST_PIXELS:
        raise InputError(
            f"{where}: {image.width} x {image.height} pixels are over the limit of {MOST_PIXELS:,}. Make it smaller."
        )
    if image.mode in _NOT_FOR_EYES:
        raise InputError(f"{where}: pixels of the kind {image.mode}; expected grey or colours. Save it as PNG or JPEG.")
    frame = getattr(image, "dispose_extent", None)
    if image.format == "GIF" and frame not in (None, (0, 0, *image.size)):
        # Browsers, Pillow and TensorFlow each show another picture of it.
        raise InputError(f"{where}: a GIF that fills {frame} alone of {image.size} pixels. Save it as PNG or JPEG.")
    if frames > 1 and image.format != "MPO":
        raise InputError(f"{where}: moves ({frames} frames); expected one picture. Save one frame of it.")
    return image


def _upright(image: Image.Image, content: bytes) -> Image.Image:
    """Turned as its EXIF tag says; what cannot be read, or stands in XMP, which no browser asks, is no tag."""
    image.info.pop("xmp", None)
    with _tags_unsaid():
        image.load()
    if image.format == "TIFF":  # Pillow has turned it, which would also have asked XMP
        return image
    tags = image.info.get("exif", b"").removeprefix(EXIF) if image.format == "WEBP" else tags_in(content)
    turn = _TURNS.get(orientation(tags))
    return image if turn is None else image.transpose(turn)


def _shown(image: Image.Image) -> Image.Image:
    """A GIF as TensorFlow shows it, black where it is transparent."""
    numbers, transparent = np.asarray(image), image.info.pop("transparency", None)
    pixels = np.array(image.convert("RGB"))
    if isinstance(transparent, int) and numbers.ndim == 2:
        pixels[numbers == transparent] = 0
    return Image.fromarray(pixels)


def _pixels(image: Image.Image, channels: int) -> np.ndarray:
    image.info.pop("transparency", None)  # dropped anyway; Pillow warns where it is a list
    if image.mode == "CMYK":  # in whole numbers, as TensorFlow does
        ink = 255 - np.asarray(image).astype(np.uint32)
        image = Image.fromarray((ink[:, :, :3] * ink[:, :, 3:] // 255).astype(np.uint8))
    if image.mode.startswith("I;16"):  # the high byte, as TensorFlow reads 16-bit files
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    pixels = np.asarray(image.convert("RGB") if image.mode not in ("L", "RGB") else image)
    return _with_channels(pixels, channels)


def _of_array(picture: np.ndarray, channels: int, where: str) -> np.ndarray:
    shaped = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (1, 3, 4))
    if picture.dtype != np.uint8 or not shaped or not picture.size:
        raise InputError(
            f"{where}: expected uint8 pixels (height, width, 1, 3 or 4), got {picture.dtype} {picture.shape}."
        )
    pixels = picture[:, :, 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    return _with_channels(pixels if pixels.ndim == 2 else pixels[:, :, :3], channels)


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    if channels == 3:
        return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels
    return (pixels if pixels.ndim == 2 else grey(pixels))[:, :, None]


def grey(pixels: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 to (...) uint8 by ITU-R 601-2 luma, in Pillow's integers."""
    weighed = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
    return ((weighed + 0x8000) >> 16).astype(np.uint8)


def resized(pixels: np.ndarray, size: int, fit: Literal["stretch", "crop"]) -> np.ndarray:
    """(height, width, channels) uint8 to (size, size, channels): bilinear over all pixels that a new one covers.

    `fit`: "stretch" all of it, or "crop" its middle square.
    """
    height, width = pixels.shape[:2]
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top : top + side, left : left + side]
    if pixels.shape[:2] == (size, size):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
    # One direction at a time: which one Pillow would take first depends on its version, and rounding on that.
    image = image.resize((size, image.height), Image.Resampling.BILINEAR)
    result = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    return result[:, :, None] if result.ndim == 2 else result


@dataclass(frozen=True)
class ImagePixels(Plain):
    """The pixels of a picture in the network's size.

    `column`: name of the raw image column: uint8 (rows, height, width, channels) where all are of one size, otherwise
    an object array of `Picture`. `size`: height and width of what the network takes, in pixels. `fit`: see `resized`.
    `mean`, `spread`: (channels,) of the training pixels, from 0 to 255; only where this comes straight from fitting.
    """

    column: str
    size: int
    channels: int = 3
    fit: Literal["stretch", "crop"] = "stretch"
    mean: np.ndarray | None = field(default=None, compare=False, repr=False)
    spread: np.ndarray | None = field(default=None, compare=False, repr=False)

    kind = "image_pixels"

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.size, self.size, self.channels

    @property
    def kinds(self) -> Mapping[str, ColumnKind]:
        return {self.column: "image"}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"pixels": Tensor(self.shape, "uint8")}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"image_size": self.size, "channels": self.channels}

    @property
    def tables(self) -> Mapping[str, np.ndarray]:
        if self.mean is None or self.spread is None:
            return {}
        return {"pixel_mean": self.mean, "pixel_spread": self.spread}

    def encode(self, inputs: Columns) -> dict[str, np.ndarray | Rows]:
        """`{column: pictures}` to `{"pixels": (rows, size, size, channels) uint8}`, decoded when they are asked for."""
        column = inputs[self.column]
        if column.dtype == np.uint8 and column.shape[1:] == self.shape:
            return {"pixels": column}
        return {"pixels": Pictures(column, self)}

    def pixels(self, picture: Picture, where: str) -> np.ndarray:
        """(size, size, channels) uint8 of one picture."""
        return resized(decode(picture, self.channels, where), self.size, self.fit)

    def remarks(self, inputs: Columns) -> list[str | None]:
        sizes = [size_of(picture) for picture in inputs[self.column]]
        return [
            f"the picture has {size[1]} x {size[0]} pixels only: the answer rests on next to nothing"
            if size is not None and min(size) < min(_TINY, self.size)
            else None
            for size in sizes
        ]

    def save(self, folder: Path) -> None:
        settings = {name: getattr(self, name) for name in ("kind", "column", "size", "channels", "fit")}
        write_json(folder / "preprocessing.json", settings)

    @classmethod
    def load(cls, _folder: Path, settings: Mapping[str, object]) -> ImagePixels:
        fit, size, channels = str(settings["fit"]), int(str(settings["size"])), int(str(settings["channels"]))
        if fit not in ("stretch", "crop"):
            raise RunError(f"preprocessing.json: unknown fit {fit!r}.")
        return cls(str(settings["column"]), size, channels, "crop" if fit == "crop" else "stretch")


class Pictures:
    """Pictures of any size as `Rows`: decoded when they are asked for, and kept as long as all of them find room."""

    def __init__(self, column: Column, transform: ImagePixels) -> None:
        self.column, self.transform = column, transform
        room = len(column) * int(np.prod(transform.shape)) <= _KEPT_BYTES
        self._known = np.zeros(len(column), bool) if room else None
        self._kept = np.empty((len(column), *transform.shape), np.uint8) if room else None

    def __len__(self) -> int:
        return len(self.column)

    def take(self, indices: np.ndarray) -> np.ndarray:
        if self._kept is None or self._known is None:
            taken = np.empty((len(indices), *self.transform.shape), np.uint8)
            for place, row in enumerate(indices.tolist()):
                taken[place] = self._decoded(row)
            return taken
        for row in indices[~self._known[indices]].tolist():
            self._kept[row], self._known[row] = self._decoded(row), True
        return self._kept[indices]

    def _decoded(self, row: int) -> np.ndarray:
        picture = self.column[row]
        return self.transform.pixels(picture, str(picture) if isinstance(picture, Path) else f"Picture {row + 1}")


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
