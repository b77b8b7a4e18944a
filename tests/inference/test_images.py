"""Does a picture of every kind become the pixels that a network takes, or is it said what is wrong with it?"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlkit.contracts import Column, ColumnKind
from dlkit.errors import InputError, RunError
from dlkit.inference import images
from dlkit.inference.images import ImagePixels, Picture, Pictures, decode, grey, problem, resized, size_of
from dlkit.inference.inputs import columns_from

KINDS: dict[str, ColumnKind] = {"image": "image"}
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
LUMA = np.asarray(Image.fromarray(PIXELS).convert("L"))


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def in_mode(mode: str) -> Image.Image:
    """The same picture in one of Pillow's modes; "I;16" has 16 bits a pixel."""
    if mode == "I;16":
        return Image.fromarray(LUMA.astype(np.uint16) * 256 + 200)
    return Image.fromarray(PIXELS).convert(mode)


def turned(orientation: int, kind: str = "PNG") -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return encoded(PIXELS, kind, exif=tags)


def header_of_a_png(width: int, height: int) -> bytes:
    """What comes before the pixels, and none of them: nothing of that size is ever made."""
    fields = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + fields
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"


def moving() -> bytes:
    first, second = Image.fromarray(PIXELS).convert("P"), Image.fromarray(255 - PIXELS).convert("P")
    return encoded(first, "GIF", save_all=True, append_images=[second])


def two_pages_the_last_without_a_width() -> bytes:
    content = encoded(PIXELS, "TIFF", save_all=True, append_images=[Image.fromarray(PIXELS)])
    before, tag, after = content.rpartition(struct.pack("<HHI", 256, 4, 1))
    assert tag
    return before + struct.pack("<HHI", 9, 4, 1) + after


# Modes, formats and EXIF


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "PA", "1", "CMYK", "I;16"])
@pytest.mark.parametrize("channels", [3, 1])
def test_every_mode_becomes_colours_or_grey_of_8_bits(mode: str, channels: int) -> None:
    image = in_mode(mode)
    found = decode(encoded(image, "TIFF" if mode in ("CMYK", "PA") else "PNG"), channels, "x")
    assert found.shape == (20, 30, channels) and found.dtype == np.uint8
    expected = Image.fromarray(LUMA) if mode == "I;16" else image.convert("RGB")
    kind = "L" if channels == 1 else "RGB"
    np.testing.assert_array_equal(found.squeeze(), np.asarray(expected.convert(kind)))
    assert len(np.unique(found)) > 1


def test_what_is_transparent_keeps_its_colour() -> None:
    alpha = np.zeros((20, 30, 1), np.uint8)
    np.testing.assert_array_equal(decode(encoded(np.concatenate([PIXELS, alpha], axis=2)), 3, "x"), PIXELS)


@pytest.mark.parametrize("transparency", [bytes(range(256)), 3])
def test_a_palette_with_transparent_colours_warns_nobody(transparency: bytes | int) -> None:
    palette = Image.fromarray(PIXELS).convert("P")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = decode(encoded(palette, transparency=transparency), 3, "x")
    np.testing.assert_array_equal(found, np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize(
    ("kind", "options", "off"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 6),
        ("WEBP", {"quality": 95}, 25),
        ("GIF", {}, 40),
    ],
)
def test_every_format_gives_the_picture_back(kind: str, options: dict[str, object], off: int) -> None:
    down, across = np.mgrid[:20, :30]
    smooth = np.stack([across * 8, down * 12, (across + down) * 5], axis=-1).astype(np.uint8)
    found = decode(encoded(smooth, kind, **options), 3, "x")
    assert np.abs(found.astype(int) - smooth).max() <= off


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda stored: stored),
        (2, lambda stored: stored[:, ::-1]),
        (3, lambda stored: stored[::-1, ::-1]),
        (4, lambda stored: stored[::-1]),
        (5, lambda stored: stored.swapaxes(0, 1)),
        (6, lambda stored: np.rot90(stored, -1)),
        (7, lambda stored: stored.swapaxes(0, 1)[::-1, ::-1]),
        (8, lambda stored: np.rot90(stored, 1)),
    ],
)
def test_a_picture_is_turned_as_its_exif_tag_says(
    kind: str, orientation: int, upright: Callable[[np.ndarray], np.ndarray]
) -> None:
    stored = decode(turned(1, kind), 3, "x")
    np.testing.assert_array_equal(decode(turned(orientation, kind), 3, "x"), upright(stored))


def test_a_tag_that_is_damaged_or_stands_in_xmp_turns_nothing() -> None:
    # As of other programs: none asks XMP, and a good picture with bad tags is shown.
    damaged = turned(6, "WEBP").replace(b"MM\x00\x2a", b"MM\x00\x45")
    xmp = encoded(PIXELS, "JPEG", xmp=b'<x><rdf:Description tiff:Orientation="6"/></x>')
    assert damaged != turned(6, "WEBP")
    assert decode(damaged, 3, "x").shape == decode(xmp, 3, "x").shape == (20, 30, 3)
    assert problem(damaged) is None and problem(xmp) is None


def with_tags(tags: bytes) -> bytes:
    return encoded(PIXELS, "JPEG", exif=b"Exif\0\0" + tags)


@pytest.mark.parametrize(
    "content",
    [
        with_tags(b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHHI", 0x0112, 3, 2, 6, 6, 0)),
        with_tags(b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHHI", 0x0128, 3, 2, 2, 2, 0)),
        with_tags(b"II*\0\x08\0\0\0\x05\0cut"),
        with_tags(b"MM\0*\xff\xff\xff\xff"),
        turned(6, "TIFF").replace(struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0), struct.pack("<HHIHH", 0x0112, 3, 2, 6, 6)),
    ],
    ids=["two orientations", "two units", "cut short", "beyond the end", "two in a TIFF"],
)
def test_odd_tags_warn_nobody(content: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(content, 3, "x").size == PIXELS.size
        assert problem(content) is None and size_of(content) is not None


# Refusals


def test_what_is_no_picture_is_refused_with_its_place_and_first_bytes() -> None:
    with pytest.raises(
        InputError, match=r"notes\.jpg: no picture that can be read; expected JPEG, PNG.*13 bytes.*b'Not a p"
    ):
        decode(b"Not a picture", 3, "notes.jpg")
    with pytest.raises(InputError, match="got 0 bytes"):
        decode(b"", 3, "x")


@pytest.mark.parametrize(
    "content",
    [
        encoded(PIXELS, "JPEG")[:-200],
        encoded(PIXELS, "PNG")[:-500],
        encoded(PIXELS, "BMP")[:-500],
        encoded(PIXELS, "WEBP")[:-200],
        encoded(PIXELS, "TIFF")[:-500],
        encoded(Image.fromarray(PIXELS).convert("P"), "GIF")[:-200],
        two_pages_the_last_without_a_width(),
    ],
    ids=["JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "TIFF of two pages"],
)
def test_a_damaged_file_is_refused_in_words_and_problem_says_the_same(content: bytes) -> None:
    with pytest.raises(
        InputError, match=r"^cats/1: (the picture is damaged \(.+\)\. Save or copy|no picture that can)"
    ):
        decode(content, 3, "cats/1")
    found = problem(content)
    assert found is not None and ("damaged" in found or found.startswith("no picture"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (moving(), r"moves \(2 frames\); expected one picture"),
        (encoded(in_mode("RGB"), "TIFF", save_all=True, append_images=[in_mode("L")]), r"moves \(2 frames\)"),
        (header_of_a_png(9_000, 9_000), "9000 x 9000 pixels are over the limit of 50,000,000. Make it smaller"),
        (header_of_a_png(60_000, 60_000), "60000 x 60000 pixels are over the limit"),
        (encoded(in_mode("F"), "TIFF"), "pixels of the kind F; expected grey or colours"),
        (encoded(in_mode("I"), "TIFF"), "pixels of the kind I"),
    ],
)
def test_a_picture_that_is_too_much_or_no_picture_of_one_moment_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"^x: {message}"):
        decode(content, 3, "x")
    with pytest.raises(InputError, match=f"^x: {problem(content)}".replace("(", r"\(").replace(")", r"\)")):
        decode(content, 3, "x")
    assert size_of(content) is None


@pytest.mark.parametrize("made", [0, 1])
def test_the_limit_on_pixels_is_put_back_whatever_comes(made: int) -> None:
    before = Image.MAX_IMAGE_PIXELS
    problem([encoded(PIXELS), b"nothing"][made])
    assert before is not None and before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    "pixels",
    [
        PIXELS.astype(np.float32),
        PIXELS.astype(np.int64),
        PIXELS > 3,
        PIXELS[:, :, :2],
        PIXELS[None],
        PIXELS[0, :, 0],
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 0), np.uint8),
    ],
    ids=lambda pixels: f"{pixels.dtype} {pixels.shape}",
)
def test_arrays_of_another_type_or_shape_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(
        InputError, match=r"Picture 4: expected uint8 pixels \(height, width, 1, 3 or 4\), got"
    ) as error:
        decode(pixels, 3, "Picture 4")
    assert f"got {pixels.dtype} {pixels.shape}." in str(error.value)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.png", "No such file or directory"),
        ("a\0b.png", "null"),
        (".", "Is a directory"),
        ("/proc/self/mem", "Input/output error"),
        ("x" * 300, "File name too long"),
        ("none.png/one", "No such file or directory"),
    ],
)
def test_a_path_that_cannot_be_read_is_said_with_its_reason(
    path: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^there: cannot be read \(.*{reason}"):
        decode(Path(path), 3, "there")


@pytest.mark.parametrize("size", [(1, 1), (7, 200), (20, 30), (64, 64)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK"])
def test_a_good_picture_of_any_size_has_no_problem(size: tuple[int, int], mode: str) -> None:
    # A JPEG is read at an eighth of its size, which is less than a pixel for the smallest.
    image = Image.new("RGB", size, "red").convert(mode)
    for kind in ("JPEG",) if mode == "CMYK" else ("PNG", "GIF") if mode == "P" else ("JPEG", "PNG", "WEBP", "BMP"):
        assert problem(encoded(image, kind)) is None, kind


def test_size_is_read_without_decoding(tmp_path: Path) -> None:
    whole = encoded(PIXELS)
    (tmp_path / "a.png").write_bytes(whole)
    assert size_of(tmp_path / "a.png") == size_of(whole) == size_of(whole[:60]) == size_of(PIXELS) == (20, 30)
    assert size_of(b"nothing") is None


# Grey and sizes


def test_grey_is_pillows() -> None:
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    for pixels in (every, PIXELS):
        np.testing.assert_array_equal(grey(pixels), np.asarray(Image.fromarray(pixels).convert("L")))
    one = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(grey(np.stack([one] * 3, axis=-1)), one)


@pytest.mark.parametrize("shape", [(20, 30, 3), (30, 20, 3), (7, 200, 3), (20, 30, 1), (1, 1, 3), (200, 1, 1)])
def test_stretched_pictures_hold_all_of_it_as_pillow_resizes(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    found = resized(pixels, 16, "stretch")
    assert found.shape == (16, 16, shape[2]) and found.dtype == np.uint8
    whole = np.asarray(Image.fromarray(pixels.squeeze(2) if shape[2] == 1 else pixels).resize((16, 16), 2))
    assert np.abs(found.squeeze().astype(int) - whole).max() <= 1  # one direction after the other, in a fixed order


@pytest.mark.parametrize(
    ("shape", "middle"), [((20, 30), np.s_[:, 5:25]), ((31, 20), np.s_[5:25]), ((20, 20), np.s_[:])]
)
def test_a_cropped_picture_is_its_middle_square(shape: tuple[int, int], middle: object) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    square = pixels[middle]  # type: ignore[index]  # a slice or two
    assert square.shape == (20, 20, 3)
    np.testing.assert_array_equal(resized(pixels, 20, "crop"), square)
    np.testing.assert_array_equal(resized(pixels, 8, "crop"), resized(square, 8, "stretch"))


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    assert resized(PIXELS[:, :20], 20, "stretch").tobytes() == PIXELS[:, :20].tobytes()


# Columns of pictures


def column(*pictures: Picture) -> Column:
    made = np.empty(len(pictures), object)
    for row, picture in enumerate(pictures):
        made[row] = picture
    return made


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where each decoded picture came from, as they are decoded."""
    seen: list[str] = []
    original = images.decode

    def decode_and_count(picture: Picture, channels: int, where: str) -> np.ndarray:
        seen.append(where)
        return original(picture, channels, where)

    monkeypatch.setattr(images, "decode", decode_and_count)
    return seen


def test_pictures_are_decoded_once_when_asked_for_and_come_in_the_order_asked(counted: list[str]) -> None:
    made = [np.full((9 + row, 8, 3), row, np.uint8) for row in range(5)]
    pictures = Pictures(column(*made), ImagePixels("image", 8))
    assert len(pictures) == 5 and counted == []
    taken = pictures.take(np.array([3, 1]))
    assert taken.shape == (2, 8, 8, 3) and taken.dtype == np.uint8 and taken[:, 0, 0, 0].tolist() == [3, 1]
    assert counted == ["Picture 4", "Picture 2"]
    assert pictures.take(np.array([1, 4, 3, 0, 1]))[:, 0, 0, 0].tolist() == [1, 4, 3, 0, 1]
    assert counted[2:] == ["Picture 5", "Picture 1"]
    assert pictures.take(np.array([], np.int64)).shape == (0, 8, 8, 3)


def test_what_is_taken_may_be_changed_without_changing_what_is_kept() -> None:
    pictures = Pictures(column(np.full((8, 8, 3), 7, np.uint8)), ImagePixels("image", 8))
    pictures.take(np.array([0]))[:] = 0
    assert (pictures.take(np.array([0])) == 7).all()


def test_without_room_pictures_are_decoded_each_time_to_the_same(
    counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = column(*(np.full((9, 9, 3), row, np.uint8) for row in range(4)))
    monkeypatch.setattr(images, "_KEPT_BYTES", 4 * 8 * 8 * 3 - 1)
    pictures = Pictures(made, ImagePixels("image", 8))
    for _ in range(2):
        assert pictures.take(np.array([2, 0, 2]))[:, 0, 0, 0].tolist() == [2, 0, 2]
    assert counted == ["Picture 3", "Picture 1", "Picture 3"] * 2


def test_a_bad_picture_is_said_by_its_path_or_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    pictures = Pictures(column(tmp_path / "bad.png", b"nothing"), ImagePixels("image", 8))
    with pytest.raises(InputError, match=rf"^{tmp_path}/bad\.png: no picture"):
        pictures.take(np.array([0]))
    with pytest.raises(InputError, match=r"^Picture 2: no picture"):
        pictures.take(np.array([1]))


def test_pixels_of_the_networks_size_are_taken_as_they_are_and_others_when_asked_for() -> None:
    transform = ImagePixels("image", 8)
    right = np.zeros((3, 8, 8, 3), np.uint8)
    assert transform.encode({"image": right})["pixels"] is right
    other = transform.encode({"image": np.full((3, 20, 30, 3), 9, np.uint8)})["pixels"]
    assert isinstance(other, Pictures) and (other.take(np.arange(3)) == 9).all()
    grey_one = ImagePixels("image", 8, 1).encode({"image": right})["pixels"]
    assert isinstance(grey_one, Pictures) and grey_one.take(np.arange(2)).shape == (2, 8, 8, 1)


def test_a_path_bytes_and_pixels_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(PIXELS))
    transform = ImagePixels("image", 8, fit="crop")
    found = transform.encode({"image": column(tmp_path / "a.png", encoded(PIXELS), PIXELS)})["pixels"]
    first, second, third = found.take(np.arange(3))  # type: ignore[union-attr]  # Rows
    np.testing.assert_array_equal(first, resized(PIXELS, 8, "crop"))
    assert first.tobytes() == second.tobytes() == third.tobytes()


def test_a_picture_of_next_to_no_pixels_is_remarked_on() -> None:
    remarks = ImagePixels("image", 32).remarks(
        {"image": column(PIXELS, PIXELS[:7], encoded(PIXELS[:, :1]), b"nothing")}
    )
    assert remarks[0] is None and remarks[3] is None
    assert remarks[1] == "the picture has 30 x 7 pixels only: the answer rests on next to nothing"
    assert remarks[2] is not None and "1 x 20 pixels" in remarks[2]


def test_a_transform_says_what_it_takes_and_gives() -> None:
    fitted = ImagePixels("photo", 24, 1, "crop", np.array([100.0]), np.array([40.0]))
    assert fitted.kinds == {"photo": "image"}
    assert fitted.tensors["pixels"].shape == (24, 24, 1) and fitted.tensors["pixels"].dtype == "uint8"
    assert fitted.sizes == {"image_size": 24, "channels": 1}
    assert {name: values.tolist() for name, values in fitted.tables.items()} == {
        "pixel_mean": [100.0],
        "pixel_spread": [40.0],
    }
    assert ImagePixels("photo", 24).tables == {}


def test_a_transform_is_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    import json

    saved = ImagePixels("photo", 24, 1, "crop", np.array([100.0]), np.array([40.0]))
    saved.save(tmp_path)
    settings = json.loads((tmp_path / "preprocessing.json").read_text(encoding="utf-8"))
    assert settings == {"kind": "image_pixels", "column": "photo", "size": 24, "channels": 1, "fit": "crop"}
    assert ImagePixels.load(tmp_path, settings) == saved
    with pytest.raises(RunError, match=r"preprocessing\.json: unknown fit 'squeeze'"):
        ImagePixels.load(tmp_path, settings | {"fit": "squeeze"})


# Items


def test_items_in_every_form_become_pixels_of_three_channels(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(PIXELS))
    content = encoded(PIXELS)
    items = [str(tmp_path / "a.png"), tmp_path / "a.png", content, PIXELS, PIXELS.tolist(), {"image": content}]
    found = columns_from(items, KINDS)["image"]
    assert found.dtype == object and found.shape == (6,)
    for picture in found:
        np.testing.assert_array_equal(picture, PIXELS)
        assert picture.dtype == np.uint8


def test_grey_pixels_and_a_channel_for_transparency_are_taken_too() -> None:
    found = columns_from([LUMA, LUMA[:, :, None].tolist(), np.dstack([PIXELS, LUMA]), [[0, 255]]], KINDS)["image"]
    assert [picture.shape for picture in found] == [(20, 30, 3)] * 3 + [(1, 2, 3)]
    assert (found[0] == LUMA[:, :, None]).all() and (found[1] == found[0]).all() and (found[2] == PIXELS).all()
    assert found[3].tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("none.png", r"^none\.png: cannot be read \(No such file"),
        (Path("none.png"), r"^none\.png: cannot be read"),
        ("", "cannot be read"),
        (b"nothing", "Item 2, column 'image': no picture that can be read"),
        (5, "Item 2, column 'image': expected a picture .*, got int '5'"),
        (None, "expected a picture .*, got NoneType"),
        (True, "expected a picture .*, got bool"),
        ([], "Item 2, column 'image': expected rows of pixels, each a whole number from 0 to 255 or 3 of them"),
        ([[1, 2], [3]], "expected rows of pixels"),
        ([[0, 256]], "expected rows of pixels"),
        ([[0, -1]], "expected rows of pixels"),
        ([[0.5, 1.0]], "expected rows of pixels"),
        ([[True, False]], "expected rows of pixels"),
        ([["/etc/passwd"]], "expected rows of pixels"),
        ([[None]], "expected rows of pixels"),
        ([[10**400]], "expected rows of pixels"),
        ([1, 2, 3], r"expected uint8 pixels .*, got uint8 \(3,\)"),
        ([[[1, 2]]], r"expected uint8 pixels .*, got uint8 \(1, 1, 2\)"),
        ({"image": None}, "expected a picture"),
        ({"picture": b""}, "the model has no column 'picture'"),
        ({}, "Item 2: the image column 'image' is missing"),
    ],
)
def test_an_item_that_is_no_picture_is_said_with_its_place(
    item: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        columns_from([PIXELS, item], KINDS)
