"""Do the settings that pictures are trained with do what their description says, and refuse what cannot be?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Transform
from dlkit.data.batches import Batches
from dlkit.errors import SettingsError
from dlkit.inference.answers import ClassAnswer
from dlkit.inference.images import ImagePixels
from dlkit.inference.text import MultiHotText
from dlkit.tasks import Classification
from dlkit.training import fit as fitting
from dlkit.training.fit import Objective, Trained, fit, outputs
from dlkit.training.losses import named
from dlkit.training.remarks import copies
from dlkit.training.schedules import OneCycle
from dlkit.training.settings import Training

ROWS, SIZE, CLASSES = 60, 8, 3
SHORT = Training(epochs=2, batch_size=20, learning_rate=0.01, tensorboard=False)
OBJECTIVE = Objective("sparse_categorical_crossentropy", ["accuracy"])


def network() -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(x))


def rows(seed: int) -> Examples:
    """Pictures whose class is their strongest colour, most of them of the first class."""
    random = np.random.default_rng(seed)
    classes = np.minimum(random.integers(0, 6, ROWS), CLASSES - 1)[::-1].astype(np.int32)
    pixels = random.integers(0, 120, (ROWS, SIZE, SIZE, 3), dtype=np.uint8)
    pixels[np.arange(ROWS), :, :, classes] += 80
    return Examples({"pixels": pixels}, classes)


def trained(
    settings: Training = SHORT, *, examples: Examples | None = None, objective: Objective = OBJECTIVE
) -> Trained:
    return fit(
        network,
        rows(0) if examples is None else examples,
        rows(1) if examples is None else examples,
        objective=objective,
        settings=settings,
        seed=0,
        say=lambda _: None,
    )


def loss_of(model: keras.Model, examples: Examples) -> float:
    found = outputs(model, examples)
    return float(-np.log(found[np.arange(ROWS), examples.targets]).mean())  # type: ignore[index]  # class numbers


# The course of the learning rate


@pytest.mark.parametrize("warmup", [0.2, 0.5, 0.05])
def test_one_cycle_rises_in_a_line_from_a_twentieth_to_its_peak_and_falls_to_0(warmup: float) -> None:
    rate = OneCycle(0.4, 200, warmup)
    top = round(200 * warmup)
    assert float(rate(0)) == pytest.approx(0.02) and float(rate(top)) == pytest.approx(0.4)
    assert float(rate(top / 2)) == pytest.approx((0.02 + 0.4) / 2)
    assert float(rate((200 + top) / 2)) == pytest.approx(0.2)
    assert float(rate(200)) == pytest.approx(0, abs=1e-7)
    course = np.array([float(rate(step)) for step in range(201)])
    assert (np.diff(course[: top + 1]) > 0).all() and (np.diff(course[top:]) < 0).all()


def test_one_cycle_without_warmup_only_falls_and_never_below_0() -> None:
    rate = OneCycle(0.4, 100, 0.0)
    assert [float(rate(step)) for step in (0, 25, 50, 100)] == pytest.approx([0.4, 0.3, 0.2, 0.0], abs=1e-7)
    for warmup in (0.0, 0.3):
        assert float(OneCycle(0.4, 100, warmup)(150)) == 0


def test_one_cycle_of_no_steps_is_a_number() -> None:
    assert np.isfinite([float(OneCycle(0.4, 0, warmup)(0)) for warmup in (0.0, 0.2)]).all()


def test_one_cycle_is_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    model = network()
    model.compile(keras.optimizers.SGD(OneCycle(0.4, 90, 0.3)), "sparse_categorical_crossentropy")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").optimizer._learning_rate
    assert isinstance(again, OneCycle)
    assert [float(again(step)) for step in (0, 10, 27, 80)] == [
        float(OneCycle(0.4, 90, 0.3)(step)) for step in (0, 10, 27, 80)
    ]


@pytest.mark.parametrize(
    "targets", [np.zeros((6, 4, 1)), np.zeros((6, 4)), np.eye(6) + 0.5], ids=["windows", "rows", "shares"]
)
def test_targets_that_are_no_classes_cannot_be_balanced(targets: np.ndarray) -> None:
    examples = Examples({"x": np.zeros((6, 2), np.float32)}, targets.astype(np.float32))
    with pytest.raises(SettingsError, match="needs one class a row"):
        Batches(examples, 2, balanced=True)


@pytest.mark.parametrize(("balance", "steps"), [(False, 6), (True, 12)])
def test_a_training_by_one_cycle_ends_where_its_rate_is_0(balance: bool, steps: int) -> None:
    classes = np.repeat([0, 1, 2], [40, 15, 5]).astype(np.int32)
    settings = replace(SHORT, optimizer="sgd", momentum=0.9, nesterov=True, schedule="one_cycle", balance=balance)
    model = trained(settings, examples=Examples(rows(0).inputs, classes)).model
    rate = model.optimizer._learning_rate
    assert isinstance(rate, OneCycle) and (rate.peak, rate.steps, rate.warmup) == (0.01, steps, 0.2)
    assert int(model.optimizer.iterations.numpy()) == steps and float(rate(steps)) == pytest.approx(0, abs=1e-9)
    assert model.optimizer.nesterov and model.optimizer.momentum == 0.9


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weight_decay_reaches_the_optimizer(optimizer: str) -> None:
    model = network()
    for weight_decay in (0.03, 0.0):
        settings = replace(SHORT, optimizer=optimizer, weight_decay=weight_decay)  # type: ignore[arg-type]  # parametrised
        fitting.compile_model(model, OBJECTIVE, settings, epoch=1)
        assert (model.optimizer.weight_decay or 0.0) == pytest.approx(weight_decay)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nesterov": True, "optimizer": "sgd"}, r"training\.nesterov needs training\.momentum above 0, such as 0\.9"),
        ({"nesterov": True}, r"training\.nesterov needs training\.momentum above 0"),
        ({"weight_decay": 0.1}, r"weight_decay needs training\.optimizer=adamw or sgd, got adam\."),
        ({"weight_decay": 0.1, "optimizer": "rmsprop"}, "got rmsprop"),
        ({"weight_decay": -0.1, "optimizer": "sgd"}, r"training\.weight_decay: expected 0 or more, got -0\.1"),
        ({"warmup": 1.0}, r"training\.warmup: expected a share in \[0, 1\), got 1\.0"),
        ({"warmup": -0.1}, r"training\.warmup: expected a share"),
        ({"warmup": float("nan")}, r"training\.warmup: expected a share in \[0, 1\), got nan"),
        ({"augment": ("flip", "rotat")}, r"training\.augment: unknown 'rotat'\. Did you mean 'rotate'\?"),
        ({"schedule": "onecycle"}, r"training\.schedule: unknown 'onecycle'\. Did you mean 'one_cycle'\?"),
        ({"precision": "float16"}, r"training\.precision: unknown 'float16'"),
        ({"precision": "bfloat16"}, r"training\.precision: .*Did you mean 'mixed_bfloat16'"),
    ],
)
def test_settings_that_cannot_train_are_refused(settings: Mapping[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Training(**settings)  # type: ignore[arg-type]  # what a user may write


# Augmentation and balance, for the training rows alone


def test_changed_pictures_train_another_network_the_same_one_each_time() -> None:
    plain, *changed = (trained(replace(SHORT, epochs=1, augment=names)) for names in ((), ("shift",), ("shift",)))
    first, second = ([weight.tobytes() for weight in one.model.get_weights()] for one in changed)
    assert first == second != [weight.tobytes() for weight in plain.model.get_weights()]
    assert changed[0].history[0]["loss"] != plain.history[0]["loss"]


@pytest.mark.parametrize("settings", [{"augment": ("shift", "brightness")}, {"balance": True}])
def test_validation_rows_are_judged_as_they_are(settings: Mapping[str, object]) -> None:
    result = trained(replace(SHORT, **settings))  # type: ignore[arg-type]  # parametrised
    with fitting.seeded(0):
        assert result.untrained_loss == pytest.approx(loss_of(network(), rows(1)), rel=1e-5)
    assert result.history[result.best_epoch - 1]["val_loss"] == pytest.approx(loss_of(result.model, rows(1)), rel=1e-4)


def test_balanced_training_takes_all_classes_for_equally_frequent() -> None:
    """All rows alike: a network can learn the shares of the classes alone."""
    classes = np.repeat([0, 1, 2], [40, 15, 5]).astype(np.int32)
    alike = Examples({"x": np.zeros((ROWS, 1), np.float32)}, classes)
    head = lambda: keras.Sequential([keras.Input((1,)), keras.layers.Dense(CLASSES, activation="softmax")])  # noqa: E731 (built anew for each training)
    settings = replace(SHORT, epochs=15, batch_size=120, optimizer="sgd", learning_rate=3.0)
    for balance, shares in ((False, [40 / 60, 15 / 60, 5 / 60]), (True, [1 / 3] * 3)):
        changed = replace(settings, balance=balance)
        model = fit(head, alike, None, objective=OBJECTIVE, settings=changed, seed=0, say=lambda _: None).model
        np.testing.assert_allclose(outputs(model, alike)[0], shares, atol=0.02)


@pytest.mark.parametrize(("transform", "settings", "warned"), [
    (ImagePixels("image", 8), {"balance": True}, True),
    (ImagePixels("image", 8), {"balance": True, "augment": ("flip",)}, False),
    (ImagePixels("image", 8), {}, False),
    (MultiHotText(("a",), "text"), {"balance": True}, False),
])  # fmt: skip
def test_mere_copies_of_pictures_are_warned_of_with_the_remedy(
    transform: Transform, settings: Mapping[str, object], warned: bool
) -> None:
    found = copies(replace(SHORT, **settings), transform)  # type: ignore[arg-type]  # parametrised
    assert [one.endswith("--set training.augment=flip,shift") for one in found] == [True] * warned


# Label smoothing


def smoothing(share: float, labels: tuple[str, ...] = ("a", "b", "c")) -> str:
    return Classification(targets="one_hot", label_smoothing=share).loss(ClassAnswer(labels))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25])
def test_label_smoothing_is_cross_entropy_on_smoothed_targets(share: float) -> None:
    random = np.random.default_rng(0)
    classes, powers = random.integers(0, 3, 20), np.exp(random.normal(0, 2, (20, 3)))
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    one_hot = np.eye(3, dtype=np.float32)[classes]
    loss = keras.losses.get(named(smoothing(share)))
    smoothed = one_hot * (1 - share) + share / 3
    expected = -(smoothed * np.log(probabilities)).sum(axis=1)
    np.testing.assert_allclose(np.mean(loss(one_hot, probabilities)), expected.mean(), rtol=1e-5)
    keras_own = keras.losses.CategoricalCrossentropy(label_smoothing=share)(one_hot, probabilities)
    assert float(np.mean(loss(one_hot, probabilities))) == pytest.approx(float(keras_own), rel=1e-6)


def test_targets_of_two_classes_are_smoothed_too() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (20, 1)).astype(np.float32)
    probabilities = random.uniform(0.05, 0.95, (20, 1)).astype(np.float32)
    loss = keras.losses.get(named(smoothing(0.2, ("a", "b"))))
    # A tenth for each of the two classes, as a softmax of them would have it.
    expected = -np.where(targets == 1, 0.9, 0.1) * np.log(probabilities)
    expected -= np.where(targets == 1, 0.1, 0.9) * np.log(1 - probabilities)
    np.testing.assert_allclose(loss(targets, probabilities), expected.mean(), rtol=1e-5)


def test_without_smoothing_the_loss_is_that_of_keras() -> None:
    assert smoothing(0.0, ("a", "b")) == "binary_crossentropy" and smoothing(0.0) == "categorical_crossentropy"


def test_training_and_validation_minimise_the_smoothed_loss() -> None:
    task, answer = Classification(targets="one_hot", label_smoothing=0.3), ClassAnswer(("a", "b", "c"))
    classes = rows(0).targets
    assert isinstance(classes, np.ndarray)
    examples = Examples(rows(0).inputs, task.encode(answer, np.array(["a", "b", "c"], object)[classes]))
    result = trained(SHORT, examples=examples, objective=Objective(task.loss(answer), ["accuracy"]))
    smoothed = 0.7 * np.eye(CLASSES)[classes] + 0.1
    with fitting.seeded(0):
        for model, loss in ((network(), result.untrained_loss), (result.model, result.history[-1]["val_loss"])):
            expected = -(smoothed * np.log(outputs(model, examples))).sum(axis=1).mean()
            assert loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_smoothing": 0.1}, r"task\.label_smoothing needs task\.targets=one_hot and task\.loss_name=crossent"),
        ({"label_smoothing": 0.1, "loss_name": "margin"}, r"task\.label_smoothing needs task\.targets=one_hot"),
        ({"label_smoothing": 1.0, "targets": "one_hot"}, r"label_smoothing: expected a share in \[0, 1\), got 1\.0"),
        ({"label_smoothing": -0.1, "targets": "one_hot"}, r"task\.label_smoothing: expected a share"),
        ({"label_smoothing": float("nan"), "targets": "one_hot"}, r"label_smoothing: expected a share .*got nan"),
    ],
)
def test_label_smoothing_that_does_not_fit_is_refused(settings: Mapping[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Classification(**settings)  # type: ignore[arg-type]  # what a user may write


# Precision


def test_a_training_in_16_bits_gives_a_network_of_32_with_the_trained_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[list[np.ndarray]] = []
    computed_in: list[str] = []
    original = fitting.Keeper.finish

    def finish(self: fitting.Keeper, model: keras.Model) -> None:
        original(self, model)
        kept.append(model.get_weights())
        computed_in.extend(layer.compute_dtype for layer in model.layers if layer.weights)

    monkeypatch.setattr(fitting.Keeper, "finish", finish)
    result = trained(replace(SHORT, precision="mixed_bfloat16"))
    assert set(computed_in) == {"bfloat16"}
    layers = [layer for layer in result.model.layers if layer.weights]
    assert {layer.compute_dtype for layer in layers} == {layer.variable_dtype for layer in layers} == {"float32"}
    assert result.model.outputs[0].dtype == "float32"
    for found, trained_one in zip(result.model.get_weights(), kept[0], strict=True):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, trained_one)
    assert result.history[result.best_epoch - 1]["val_loss"] == pytest.approx(loss_of(result.model, rows(1)), rel=0.02)
    with fitting.seeded(0):
        before = network().get_weights()
    assert any((one != two).any() for one, two in zip(before, result.model.get_weights(), strict=True))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_policy_of_others_is_put_back(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = keras.config.dtype_policy().name
    trained(replace(SHORT, epochs=1, precision=precision))  # type: ignore[arg-type]  # parametrised
    assert keras.config.dtype_policy().name == before == "float32"

    def broken() -> keras.Model:
        raise ZeroDivisionError

    monkeypatch.setitem(globals(), "network", broken)
    with pytest.raises(ZeroDivisionError):
        trained(replace(SHORT, precision=precision))  # type: ignore[arg-type]  # parametrised
    assert keras.config.dtype_policy().name == before
