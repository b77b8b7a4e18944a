"""Does the TensorFlow form of the image preprocessing give, to the last bit, what the plain form gives?"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from dlkit.contracts import ColumnKind, Split
from dlkit.errors import InputError, SettingsError
from dlkit.inference.images import ImagePixels, decode, grey
from dlkit.inference.orientation import orientation, tags_in
from dlkit.preprocessing.graphs import graph_of, raw_tensors
from dlkit.preprocessing.image_graphs import ImagePixelsGraph, orientation_of
from dlkit.preprocessing.images import Images

KINDS: dict[str, ColumnKind] = {"image": "image"}
SIZE = 32
SIZES = ((32, 32), (31, 33), (1, 1), (7, 200), (64, 64), (500, 333), (33, 1), (100, 32))
"""Heights and widths: the network's own, around it, less than it, and much more."""
FILES: tuple[tuple[str, dict[str, object]], ...] = (
    ("PNG", {}),
    ("JPEG", {"quality": 80}),
    ("JPEG", {"quality": 90, "subsampling": 0}),
    ("JPEG", {"quality": 90, "subsampling": 1}),
    ("JPEG", {"progressive": True}),
    ("BMP", {}),
)
MODES = ("L", "P", "RGBA", "LA", "1", "CMYK", "I;16")
SHAPES = [(fit, channels) for fit in ("stretch", "crop") for channels in (3, 1)]


def pixels(height: int, width: int) -> np.ndarray:
    """Noise where it is small, slopes and edges where a JPEG of noise would say little."""
    if height <= 20:
        return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    down, across = np.mgrid[:height, :width]
    return np.stack([across * 3 % 256, down * 5 % 256, (across + down) % 256], axis=-1).astype(np.uint8)


def encoded(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


def in_mode(picture: np.ndarray, mode: str) -> bytes:
    if mode == "I;16":
        return encoded(grey(picture).astype(np.uint16) * 257, "PNG")
    return encoded(Image.fromarray(picture).convert(mode), "JPEG" if mode == "CMYK" else "PNG")


def turned(picture: np.ndarray, orientation: int, order: str, kind: str) -> bytes:
    tags = Image.Exif()
    tags.endian = order
    tags[0x0112] = orientation
    return encoded(picture, kind, exif=tags)


@pytest.fixture(scope="module", params=SHAPES, ids=lambda one: f"{one[0]} to {one[1]}")
def transform(request: pytest.FixtureRequest) -> ImagePixels:
    fit, channels = request.param
    return ImagePixels("image", SIZE, channels, fit)


@pytest.fixture(scope="module")
def graph(transform: ImagePixels) -> tf.Module:
    """As a SavedModel has it: traced once, for contents of any kind."""
    made = ImagePixelsGraph(transform)
    made.traced = tf.function(made.encode, input_signature=[made.signature])
    return made


def column(contents: list[bytes]) -> np.ndarray:
    values = np.empty(len(contents), object)
    values[:] = contents
    return values


def different(transform: ImagePixels, graph: tf.Module, contents: dict[str, bytes]) -> list[str]:
    """Which of the pictures become other pixels in the graph, in a single bit."""
    inputs = {"image": column(list(contents.values()))}
    theirs = graph.traced({"image": tf.constant(list(contents.values()))})["pixels"].numpy()
    ours = transform.encode(inputs)["pixels"].take(np.arange(len(contents)))  # type: ignore[union-attr]  # Rows
    assert theirs.dtype == ours.dtype == np.uint8 and theirs.shape == ours.shape == (len(contents), *transform.shape)
    return [name for name, one, two in zip(contents, ours, theirs, strict=True) if one.tobytes() != two.tobytes()]


def files() -> Iterator[tuple[str, bytes]]:
    for height, width in SIZES:
        for kind, options in FILES:
            yield f"{height} x {width} {kind} {options}", encoded(pixels(height, width), kind, **options)
        palette = Image.fromarray(pixels(height, width)).convert("P")
        yield f"{height} x {width} GIF", encoded(palette, "GIF")


def test_files_of_every_size_and_format_become_the_same_pixels(transform: ImagePixels, graph: tf.Module) -> None:
    assert different(transform, graph, dict(files())) == []


def test_files_of_every_mode_become_the_same_pixels(transform: ImagePixels, graph: tf.Module) -> None:
    contents = {f"{size} {mode}": in_mode(pixels(*size), mode) for size in SIZES for mode in MODES}
    assert different(transform, graph, contents) == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_files_are_turned_alike_by_every_exif_tag(
    kind: str, order: str, transform: ImagePixels, graph: tf.Module
) -> None:
    picture = pixels(31, 45)
    contents = {f"{number}": turned(picture, number, order, kind) for number in range(10)}
    assert different(transform, graph, contents) == []
    # Numbers that are no orientation turn nothing, and each of the eight gives a picture of its own.
    known = [transform.pixels(content, "x").tobytes() for content in contents.values()]
    assert known[0] == known[1] == known[9] and len(set(known)) == 8


def test_inks_with_black_become_the_same_colours(transform: ImagePixels, graph: tf.Module) -> None:
    """Pillow's own conversion of CMYK is a level off where there is black."""
    inks = np.concatenate([pixels(40, 50), pixels(40, 50)[:, ::-1, :1]], axis=2)
    contents = {f"{quality}": encoded(Image.fromarray(inks, "CMYK"), "JPEG", quality=quality) for quality in (60, 90)}
    assert different(transform, graph, contents) == []


def test_what_is_transparent_in_a_gif_is_black(transform: ImagePixels, graph: tf.Module) -> None:
    whole = Image.fromarray(pixels(30, 40)).quantize(16)
    contents = {f"{colour}": encoded(whole, "GIF", transparency=colour) for colour in (3, 7)}
    assert different(transform, graph, contents) == []
    seen = [transform.pixels(content, "x").tobytes() for content in (*contents.values(), encoded(whole, "GIF"))]
    assert len(set(seen)) == 3


def test_a_gif_that_does_not_fill_its_canvas_is_refused(transform: ImagePixels) -> None:
    content = encoded(Image.fromarray(pixels(30, 40)).quantize(16), "GIF")
    larger = content[:6] + struct.pack("<HH", 64, 50) + content[10:]
    with pytest.raises(InputError, match=r"x: a GIF that fills \(0, 0, 40, 30\) alone of \(64, 50\) pixels"):
        transform.pixels(larger, "x")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_that_is_turned_turns_no_picture(order: str, transform: ImagePixels, graph: tf.Module) -> None:
    """Its orientation stands in the second directory of tags."""
    maker = struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"me!\0")
    turned_by = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, 6, 0)
    first = struct.pack(f"{order}H", 1) + maker + struct.pack(f"{order}I", 8 + 2 + 12 + 4)
    second = struct.pack(f"{order}H", 1) + turned_by + struct.pack(f"{order}I", 0)
    start = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    contents = {"thumbnail": encoded(pixels(31, 45), "JPEG", exif=b"Exif\0\0" + start + first + second)}
    assert different(transform, graph, contents) == []
    plain = encoded(pixels(31, 45), "JPEG")
    assert transform.pixels(contents["thumbnail"], "x").tobytes() == transform.pixels(plain, "x").tobytes()


def test_tags_at_the_end_of_a_long_png_are_read(transform: ImagePixels, graph: tf.Module) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    plain, data = encoded(noise, "PNG"), tags.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
    contents = {"behind": plain[:-12] + chunk + plain[-12:]}
    assert len(plain) > 2**17 and different(transform, graph, contents) == []
    assert transform.pixels(contents["behind"], "x").tobytes() != transform.pixels(plain, "x").tobytes()


def test_tags_beside_others_behind_a_profile_or_of_xmp_alone_are_read_alike(
    transform: ImagePixels, graph: tf.Module
) -> None:
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0112], tags[0x0131] = "A maker", "A model", 6, "A program"
    picture = pixels(31, 45)
    contents = {
        "beside others": encoded(picture, "JPEG", exif=tags),
        "with a profile": encoded(picture, "JPEG", exif=tags, icc_profile=b"\x12\x01\x03\x00" * 1_000),
        "a PNG with a profile": encoded(picture, "PNG", exif=tags, icc_profile=b"\x12\x01\x03\x00" * 1_000),
        "XMP": encoded(picture, "JPEG", xmp=b'<x><rdf:Description tiff:Orientation="6"/></x>'),
        "a comment": encoded(picture, "JPEG", comment=b"Exif \x12\x01\x03\x00\x01\x00\x00\x00\x06\x00"),
    }
    assert different(transform, graph, contents) == []
    upright = transform.pixels(picture, "x").shape
    assert transform.pixels(contents["beside others"], "x").shape == upright


LITTLE, BIG = "<", ">"
SHORT, LONG = 3, 4


def directory(*entries: tuple[int, int, int, int], order: str = LITTLE) -> bytes:
    """EXIF tags: a directory of entries (number, type, count, value)."""
    fields = [
        struct.pack(f"{order}HHI{'I' if kind == LONG else 'H2x'}", number, kind, count, value)
        for number, kind, count, value in entries
    ]
    start = struct.pack(f"{order}2sHIH", b"II" if order == LITTLE else b"MM", 42, 8, len(entries))
    return start + b"".join(fields) + bytes(4)


def segment(kind: int, content: bytes) -> bytes:
    return b"\xff" + bytes([kind]) + struct.pack(">H", len(content) + 2) + content


def with_segments(*segments: bytes) -> bytes:
    plain = encoded(pixels(31, 45), "JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunks(*chunks: bytes) -> bytes:
    plain = encoded(pixels(31, 45), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


TURNED = directory((0x0112, SHORT, 1, 6))
EXIF = segment(0xE1, b"Exif\0\0" + TURNED)
PROFILE = b"\nexif\n%8d\n%s\n" % (6 + len(TURNED), (b"Exif\0\0" + TURNED).hex().encode())
ODD_TAGS = {
    "a JPEG's tags behind 180 kB of others": (with_segments(*[segment(0xE2, bytes(60_000))] * 3, EXIF), True),
    "a JPEG's tags behind a comment on them": (with_segments(segment(0xFE, b"with Exif\0\0 in it"), EXIF), True),
    "a JPEG's tags behind XMP": (with_segments(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), EXIF), True),
    "a JPEG's tags behind bytes that fill": (with_segments(b"\xff\xff", EXIF), True),
    "a JPEG with two lots of tags": (with_segments(EXIF, segment(0xE1, b"Exif\0\0" + directory())), True),
    "a JPEG with the tag twice": (
        with_segments(segment(0xE1, b"Exif\0\0" + directory((0x0112, SHORT, 1, 1), (0x0112, SHORT, 1, 6)))),
        True,
    ),
    "a JPEG with a tag of four bytes": (
        with_segments(segment(0xE1, b"Exif\0\0" + directory((0x0112, LONG, 1, 6)))),
        False,
    ),
    "a JPEG with two values in a tag": (
        with_segments(segment(0xE1, b"Exif\0\0" + directory((0x0112, SHORT, 2, 6)))),
        False,
    ),
    "a JPEG with a number beyond a byte": (
        with_segments(segment(0xE1, b"Exif\0\0" + directory((0x0112, SHORT, 1, 0x0106)))),
        False,
    ),
    "a JPEG's comment that could be tags": (with_segments(segment(0xFE, b"Exif\0\0" + TURNED)), False),
    "a PNG's tags begun as a JPEG's": (with_chunks(chunk(b"eXIf", b"Exif\0\0" + TURNED)), True),
    "a PNG's tags behind a text on them": (
        with_chunks(chunk(b"tEXt", b"Comment\0of eXIf"), chunk(b"eXIf", TURNED)),
        True,
    ),
    "a PNG's tags in a text": (with_chunks(chunk(b"tEXt", b"Raw profile type exif\0" + PROFILE)), False),
    "a PNG's tags in a text that is packed": (
        with_chunks(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(PROFILE))),
        False,
    ),
    "a PNG with tags behind its end": (encoded(pixels(31, 45), "PNG") + chunk(b"eXIf", TURNED), False),
    "a GIF with a comment on tags": (
        encoded(Image.fromarray(pixels(31, 45)).quantize(16), "GIF", comment=b"eXIf" + TURNED),
        False,
    ),
}
"""Files whose tags stand at odd places or in odd forms, and whether they turn the picture."""


def test_tags_at_odd_places_or_in_odd_forms_are_read_alike(transform: ImagePixels, graph: tf.Module) -> None:
    contents = {name: content for name, (content, _) in ODD_TAGS.items()}
    assert different(transform, graph, contents) == []
    shapes = {name: decode(content, 3, name).shape[:2] for name, content in contents.items()}
    assert shapes == {name: (45, 31) if turns else (31, 45) for name, (_, turns) in ODD_TAGS.items()}


def test_tags_of_any_bytes_are_read_alike() -> None:
    """What no decoder would take as well: files are changed and cut at random where their tags are."""
    random, contents = np.random.default_rng(0), []
    for order in (LITTLE, BIG):
        tags = directory((0x010F, SHORT, 1, 7), (0x0112, SHORT, 1, 5), order=order)
        for content in (with_segments(segment(0xE1, b"Exif\0\0" + tags)), with_chunks(chunk(b"eXIf", tags))):
            start = content.index(tags)
            whole = content[: start + len(tags) + 20]
            for _ in range(150):
                changed = bytearray(whole)
                for place in random.integers(2, len(whole), random.integers(0, 4)):
                    changed[place] = random.choice([0, 1, 2, 6, 0x12, 0xFF, random.integers(256)])
                contents.append(bytes(changed[: random.integers(start, len(whole) + 1)]))
            contents += [whole[:size] for size in range(len(whole))]
    read = tf.function(lambda given: tf.map_fn(orientation_of, given, fn_output_signature=tf.int32))
    ours = [orientation(tags_in(content)) for content in contents]
    assert read(tf.constant(contents)).numpy().tolist() == ours
    assert ours.count(5) > 50 and ours.count(1) > 50


def test_arrays_become_the_same_pixels(transform: ImagePixels, graph: ImagePixelsGraph) -> None:
    for height, width in SIZES:
        for picture in (
            pixels(height, width),
            grey(pixels(height, width))[:, :, None],
            np.dstack([pixels(height, width), grey(pixels(height, width))]),
        ):
            theirs = graph.of_arrays(tf.constant(np.stack([picture, 255 - picture])))["pixels"].numpy()
            for one, same in zip((picture, 255 - picture), theirs, strict=True):
                np.testing.assert_array_equal(same, transform.pixels(one, "x"), err_msg=str(picture.shape))


def test_a_graph_of_another_transform_is_told_apart() -> None:
    stretched, cropped = ImagePixels("image", SIZE), ImagePixels("image", SIZE, fit="crop")
    graph = ImagePixelsGraph(cropped)
    graph.traced = tf.function(graph.encode, input_signature=[graph.signature])
    contents = {"oblong": encoded(pixels(7, 200), "PNG"), "square": encoded(pixels(64, 64), "PNG")}
    assert different(stretched, graph, contents) == ["oblong"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_raw_tensors_hold_what_tensorflow_reads_of_paths_contents_and_pixels(kind: str, tmp_path: Path) -> None:
    palette = Image.fromarray(pixels(31, 33)).convert("P")
    content = encoded(palette if kind in ("GIF", "BMP", "PNG") else palette.convert("RGB"), kind)
    (tmp_path / "picture").write_bytes(content)
    transform = ImagePixels("image", SIZE)
    rows = column([tmp_path / "picture", content, pixels(31, 33)])  # type: ignore[list-item]  # pictures of each kind
    tensors = raw_tensors({"image": rows}, KINDS)
    theirs = graph_of(transform).encode(tensors)["pixels"].numpy()
    ours = transform.encode({"image": rows})["pixels"].take(np.arange(3))  # type: ignore[union-attr]  # Rows
    np.testing.assert_array_equal(theirs, ours)
    as_it_is = kind in ("PNG", "JPEG", "GIF")
    assert (tensors["image"].numpy()[0] == content) == as_it_is


def test_a_batch_of_one_size_is_encoded_for_tensorflow_too() -> None:
    batch = np.stack([pixels(40, 30), 255 - pixels(40, 30)])
    transform = ImagePixels("image", SIZE, 1)
    theirs = graph_of(transform).encode(raw_tensors({"image": batch}, KINDS))["pixels"].numpy()
    np.testing.assert_array_equal(theirs, transform.encode({"image": batch})["pixels"].take(np.arange(2)))  # type: ignore[union-attr]  # Rows


# Settings and fitting


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 7}, "preprocessing.size: expected 8 to 1024 pixels, got 7"),
        ({"size": 1025}, "preprocessing.size: expected 8 to 1024 pixels, got 1025"),
        ({"size": 32.0}, r"preprocessing.size: expected 8 to 1024 pixels, got 32\.0"),
        ({"size": True}, "preprocessing.size: .* got True"),
        ({"size": "32"}, "preprocessing.size: .* got '32'"),
        ({"color": "gray"}, "preprocessing.color: expected rgb or grey, got 'gray'"),
        ({"shape": "pad"}, "preprocessing.shape: expected stretch or crop, got 'pad'"),
    ],
)
def test_settings_that_no_network_can_take_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Images(**settings)  # type: ignore[arg-type]  # what a user may write


@pytest.mark.parametrize(
    ("kinds", "message"),
    [({"text": "text"}, r"got 0: \[\]"), ({"image": "image", "photo": "image"}, r"got 2: \['image', 'photo'\]")],
)
def test_rows_without_exactly_one_image_column_are_refused(kinds: dict[str, ColumnKind], message: str) -> None:
    split = Split({name: np.zeros((3, 9, 9, 3), np.uint8) for name in kinds})
    with pytest.raises(SettingsError, match=f"expected exactly 1 image column, {message}"):
        Images().fit(split, kinds)


@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("grey", 1)])
def test_mean_and_spread_are_those_of_the_training_pixels(color: Literal["rgb", "grey"], channels: int) -> None:
    batch = np.random.default_rng(0).integers(30, 200, (60, 16, 16, 3), dtype=np.uint8)
    batch[:, :, :, 1] //= 2
    fitted = Images(size=16, color=color).fit(Split({"image": batch}), KINDS)
    seen = batch.astype(np.float64) if color == "rgb" else grey(batch).astype(np.float64)[..., None]
    assert fitted.channels == channels and fitted.mean is not None and fitted.spread is not None
    np.testing.assert_allclose(fitted.mean, seen.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(fitted.spread, seen.std(axis=(0, 1, 2)), rtol=1e-4)
    assert fitted.mean.dtype == fitted.spread.dtype == np.float32


def test_pictures_of_one_colour_have_a_spread_to_divide_by() -> None:
    fitted = Images(size=8).fit(Split({"image": np.full((4, 8, 8, 3), 200, np.uint8)}), KINDS)
    assert fitted.mean is not None and fitted.mean.tolist() == [200.0] * 3
    assert fitted.spread is not None and fitted.spread.tolist() == [1.0] * 3


def test_mean_and_spread_look_at_rows_of_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows may come class by class: the first ones say nothing of the last."""
    from dlkit.preprocessing import images

    monkeypatch.setattr(images, "_LOOKED_AT", 10)
    batch = np.repeat(np.array([0, 100, 200], np.uint8), 40)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    fitted = Images(size=8).fit(Split({"image": batch}), KINDS)
    assert fitted.mean is not None and abs(fitted.mean[0] - 100) < 15
    assert fitted.spread is not None and fitted.spread[0] == pytest.approx(batch.std(), rel=0.1)


def test_examples_are_decoded_pixels_beside_their_targets() -> None:
    contents = column([encoded(pixels(31, 33), "PNG"), encoded(pixels(64, 64), "JPEG")])
    split = Split({"image": contents}, np.array(["a", "b"], object))
    settings = Images(size=SIZE, shape="crop")
    transform = settings.fit(split, KINDS)
    examples = settings.examples(transform, split)
    assert examples.targets is split.targets and len(examples) == 2
    expected = ImagePixels("image", SIZE, fit="crop").pixels(contents[1], "x")
    np.testing.assert_array_equal(examples.inputs["pixels"].take(np.array([1]))[0], expected)  # type: ignore[union-attr]  # Rows
