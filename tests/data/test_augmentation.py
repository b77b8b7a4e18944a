"""Does a picture change as its change says, the same way for the same seed, and in training alone?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dlkit.contracts import Examples, Rows
from dlkit.data.augmentation import CHANGES, augmented, check, cutout, flip, shift
from dlkit.data.batches import Batches
from dlkit.errors import SettingsError
from dlkit.inference.images import ImagePixels, Pictures

ROWS, HEIGHT, WIDTH = 40, 16, 24
NOISE = np.random.default_rng(0).integers(0, 256, (ROWS, HEIGHT, WIDTH, 3), dtype=np.uint8)


def picture() -> np.ndarray:
    """(rows, height, width, 3) uint8: slopes and edges in colours, as of a photograph."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    one = np.stack([across * 9, down * 14, 90 + 60 * ((across // 6 + down // 5) % 2)], axis=-1)
    return np.repeat(one[None].astype(np.uint8), ROWS, axis=0)


def dice(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed or 7)


# Each change


def test_flip_mirrors_about_half_of_the_pictures_and_leaves_the_others() -> None:
    found = flip(NOISE, dice())
    assert found.shape == NOISE.shape and found.dtype == np.uint8
    mirrored = [np.array_equal(new, old[:, ::-1]) for new, old in zip(found, NOISE, strict=True)]
    same = [np.array_equal(new, old) for new, old in zip(found, NOISE, strict=True)]
    assert sum(mirrored) + sum(same) == ROWS and 10 < sum(mirrored) < 30


@pytest.mark.parametrize(("name", "down", "across"), [("shift", 2, 3), ("nudge", 1, 2)])
def test_a_shifted_picture_is_a_window_of_the_reflected_one(name: str, down: int, across: int) -> None:
    found = CHANGES[name](NOISE, dice())
    assert found.shape == NOISE.shape and found.dtype == np.uint8
    places = set()
    for new, old in zip(found, NOISE, strict=True):
        padded = np.pad(old, ((down, down), (across, across), (0, 0)), mode="reflect")
        windows = {
            (top, left): padded[top : top + HEIGHT, left : left + WIDTH]
            for top in range(2 * down + 1)
            for left in range(2 * across + 1)
        }
        (place,) = [place for place, window in windows.items() if np.array_equal(new, window)]
        places.add(place)
    assert {top for top, _ in places} == set(range(2 * down + 1))
    assert {left for _, left in places} == set(range(2 * across + 1))


def test_a_cut_picture_is_the_same_but_for_a_square_of_its_mean_colour() -> None:
    found = cutout(NOISE, dice())
    assert found.shape == NOISE.shape and found.dtype == np.uint8
    sizes = set()
    for new, old in zip(found, NOISE, strict=True):
        colour = old.reshape(-1, 3).mean(axis=0).astype(np.uint8)
        hidden = (new == colour).all(axis=-1)
        down, across = np.nonzero(hidden)
        top, bottom, left, right = down.min(), down.max() + 1, across.min(), across.max() + 1
        assert hidden[top:bottom, left:right].all() and hidden.sum() == (bottom - top) * (right - left)
        np.testing.assert_array_equal(new[~hidden], old[~hidden])
        sizes.add((bottom - top, right - left))
    # Three eighths of 16 and of 24 pixels, less where the square sticks out; never nothing.
    assert {max(side) for side in zip(*sizes, strict=True)} == {6, 9} and min(min(size) for size in sizes) >= 1
    assert len(sizes) > 5


@pytest.mark.parametrize(("height", "width"), [(2, 3), (1, 2), (1, 1)])
def test_pictures_of_few_pixels_shift_as_far_as_they_have_a_mirror_image(height: int, width: int) -> None:
    pixels = NOISE[:, :height, :width]
    found = shift(pixels, dice())
    assert found.shape == pixels.shape and set(found.ravel()) <= set(pixels.ravel())


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("name", CHANGES)
def test_every_change_gives_as_many_bytes_some_of_them_others(name: str, channels: int) -> None:
    before = picture()[..., :channels]
    kept = before.copy()
    found = CHANGES[name](before, dice())
    assert found.dtype == np.uint8 and found.shape == before.shape
    np.testing.assert_array_equal(before, kept)
    if (name, channels) == ("color", 1):  # grey has neither saturation nor hue
        np.testing.assert_array_equal(found, before)
        return
    off = np.abs(found.astype(int) - before)
    assert off.max() > 5 and (found != found[0]).any(), "rows of one picture are to differ"
    assert off.mean() < 70, "a picture is to stay one of its class"


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(name: str) -> None:
    first = CHANGES[name](picture(), dice(1))
    np.testing.assert_array_equal(CHANGES[name](picture(), dice(1)), first)
    assert (CHANGES[name](picture(), dice(2)) != first).any()


def test_changes_are_made_in_the_order_of_their_names() -> None:
    random = dice(3)
    expected = shift(flip(NOISE, random), random)
    np.testing.assert_array_equal(augmented(NOISE, ["flip", "shift"], dice(3)), expected)
    assert augmented(NOISE, [], dice(3)) is NOISE


def test_an_unknown_change_is_refused_with_a_hint() -> None:
    with pytest.raises(SettingsError, match=r"training\.augment: unknown 'flp'\. Did you mean 'flip'\?"):
        check(["shift", "flp"])
    check(list(CHANGES))


# Batches


def rows_of(*, kind: str = "array") -> Examples:
    """Each target tells its row."""
    inputs: np.ndarray | Rows = NOISE[:, :, :16]
    if kind == "pictures":
        column = np.empty(ROWS, object)
        for row, one in enumerate(NOISE[:, :, :16]):
            column[row] = one[:, :15]
        inputs = Pictures(column, ImagePixels("image", 16))
    return Examples({"pixels": inputs}, np.arange(ROWS))


def epoch(
    number: int = 0, *, seed: int | None = 3, augment: tuple[str, ...] = ("flip", "shift", "brightness"), **kind: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    batches = Batches(rows_of(**kind), 16, seed=seed, augment=augment)
    batches.epoch = number
    return list(batches)  # type: ignore[arg-type]  # pairs, for there are targets


@pytest.mark.parametrize("kind", ["array", "pictures"])
def test_a_seed_and_an_epoch_fix_what_the_network_sees(kind: str) -> None:
    first = epoch(2, kind=kind)
    for (pixels, targets), (again, as_before) in zip(first, epoch(2, kind=kind), strict=True):
        np.testing.assert_array_equal(pixels, again)
        np.testing.assert_array_equal(targets, as_before)
    for other in (epoch(1, kind=kind), epoch(2, kind=kind, seed=4)):
        by_row = {row: one for pixels, rows in other for row, one in zip(rows, pixels, strict=True)}
        changed = [(one != by_row[row]).any() for pixels, rows in first for row, one in zip(rows, pixels, strict=True)]
        assert np.mean(changed) > 0.9


def test_each_batch_of_each_epoch_and_seed_is_changed_in_its_own_way() -> None:
    """Rows all alike, so that their order makes no difference."""
    same = Examples({"pixels": np.repeat(NOISE[:1], 8, axis=0)}, np.arange(8))
    seen = set()
    for seed, number in ((0, 0), (0, 1), (1, 0)):
        batches = Batches(same, 4, seed=seed, augment=("shift",))
        batches.epoch = number
        seen |= {pixels.tobytes() for pixels, _ in batches}  # type: ignore[misc]  # pairs
    assert len(seen) == 6


@pytest.mark.parametrize("kind", ["array", "pictures"])
def test_without_changes_rows_are_as_they_are_and_changes_leave_no_trace(kind: str) -> None:
    examples = rows_of(kind=kind)
    plain = [pixels.copy() for pixels, _ in Batches(examples, 16)]  # type: ignore[misc]  # pairs
    list(Batches(examples, 16, seed=1, augment=tuple(CHANGES)))
    for before, (after, _) in zip(plain, Batches(examples, 16), strict=True):  # type: ignore[misc]  # pairs
        np.testing.assert_array_equal(after, before)
    if kind == "array":
        np.testing.assert_array_equal(np.concatenate(plain), NOISE[:, :, :16])


@pytest.mark.parametrize("kind", ["array", "pictures"])
def test_the_dataset_gives_the_same_changed_batches(kind: str) -> None:
    batches = Batches(rows_of(kind=kind), 16, seed=3, augment=("flip", "zoom"))
    found = list(batches.dataset())
    assert [tuple(pixels.shape) for pixels, _ in found] == [(16, 16, 16, 3), (16, 16, 16, 3), (8, 16, 16, 3)]
    for (pixels, targets), (expected, rows) in zip(found, batches, strict=True):  # type: ignore[misc]  # pairs
        np.testing.assert_array_equal(pixels, expected)
        np.testing.assert_array_equal(targets, rows)
    assert batches.dataset().element_spec[0].shape.as_list() == [None, 16, 16, 3]


def test_inputs_that_are_no_pixels_are_left_alone() -> None:
    numbers = np.random.default_rng(0).random((ROWS, 5)).astype(np.float32)
    examples = Examples({"features": numbers, "pixels": NOISE}, np.arange(ROWS))
    for inputs, rows in Batches(examples, 16, seed=0, augment=("shift",)):  # type: ignore[misc]  # pairs
        np.testing.assert_array_equal(inputs["features"], numbers[rows])
        assert (inputs["pixels"] != NOISE[rows]).any()


# Classes in balance

CLASSES = np.repeat([0, 1, 2], [30, 8, 2])


@pytest.mark.parametrize(
    ("form", "read"),
    [
        (lambda classes: classes, lambda targets: targets),
        (lambda classes: classes[:, None], lambda targets: targets[:, 0]),
        (lambda classes: np.eye(3, dtype=np.float32)[classes], lambda targets: targets.argmax(axis=1)),
    ],
    ids=["(rows,)", "(rows, 1)", "one-hot"],
)
def test_balanced_batches_hold_every_class_as_often_and_every_row(
    form: Callable[[np.ndarray], np.ndarray], read: Callable[[np.ndarray], np.ndarray]
) -> None:
    examples = Examples({"row": np.arange(ROWS)}, form(CLASSES))
    batches = Batches(examples, 16, seed=1, balanced=True)
    found = list(batches)
    assert len(found) == len(batches) == 6
    rows = np.concatenate([inputs for inputs, _ in found])  # type: ignore[misc]  # pairs
    targets = np.concatenate([read(targets) for _, targets in found])  # type: ignore[misc]  # pairs
    assert np.bincount(targets.astype(int)).tolist() == [30, 30, 30]
    np.testing.assert_array_equal(targets, CLASSES[rows])
    times = np.bincount(rows, minlength=ROWS)
    assert times[:30].tolist() == [1] * 30 and set(times[30:38]) == {3, 4} and times[38:].tolist() == [15, 15]


def test_two_classes_of_0_and_1_are_balanced_and_numbers_are_refused() -> None:
    rows = {"row": np.arange(6)}
    two = np.array([[0.0], [0.0], [0.0], [0.0], [1.0], [1.0]], np.float32)
    found = np.concatenate([targets for _, targets in Batches(Examples(rows, two), 4, seed=0, balanced=True)])  # type: ignore[misc]  # pairs
    assert found.ravel().tolist().count(1.0) == found.ravel().tolist().count(0.0) == 4
    with pytest.raises(SettingsError, match="another kind of target"):
        Batches(Examples(rows, two * 20.5), 4, seed=0, balanced=True)


def test_balanced_rows_are_shuffled_by_seed_and_epoch_and_changed_each_by_itself() -> None:
    examples = Examples({"pixels": np.repeat(NOISE[:1], ROWS, axis=0)}, CLASSES)
    orders = []
    for number in (0, 0, 1):
        batches = Batches(examples, 90, seed=1, balanced=True, augment=("flip", "shift"))
        batches.epoch = number
        ((pixels, targets),) = batches  # type: ignore[misc]  # one batch, a pair
        orders.append(targets.tolist())
        assert len(np.unique(pixels.reshape(90, -1), axis=0)) > 20
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) != orders[0]


def test_classes_in_balance_already_come_once_each() -> None:
    classes = np.tile([0, 1], 20)
    assert sorted(np.concatenate(Batches(Examples({"x": classes}, classes), 7, balanced=True).order())) == list(
        range(40)
    )


@pytest.mark.parametrize("targets", [None, {"age": np.zeros(4), "sex": np.zeros(4)}])
def test_targets_without_one_class_a_row_cannot_be_balanced(targets: object) -> None:
    examples = Examples({"x": np.zeros(4)}, targets)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(SettingsError, match=r"training\.balance needs one class a row"):
        Batches(examples, 2, balanced=True)
