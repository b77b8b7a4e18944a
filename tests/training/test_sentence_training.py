"""Do the loss, the rate, the batches and the averages that networks for sentences train with do what they say?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pytest

from dlkit.contracts import Examples, Head, Ragged, Spec, Tensor
from dlkit.data.batches import Batches
from dlkit.errors import SettingsError
from dlkit.models import translation
from dlkit.training import checkpoints
from dlkit.training import fit as fitting
from dlkit.training.averaging import averaged
from dlkit.training.fit import Objective, Trained, compile_model, fit
from dlkit.training.losses import named
from dlkit.training.remarks import training_warnings
from dlkit.training.schedules import InverseSqrt
from dlkit.training.settings import Training

WORDS = 12
SPEC = Spec(
    {"source": Tensor((None,), "int32"), "target": Tensor((None,), "int32")},
    {"tokens": Head(WORDS + 1)},
    {"source_vocabulary": WORDS, "target_vocabulary": WORDS, "joint": 1, "longest_source": 20, "longest_target": 20},
)
SETTINGS = Training(
    epochs=3, batch_tokens=60, schedule="inverse_sqrt", warmup=0.1, clip=1.0, beta_2=0.98, average=0.5,
    tensorboard=False,
)  # fmt: skip
OBJECTIVE = Objective("tokens:0.1", [])


def pairs(count: int, seed: int) -> Examples:
    """Sentences to be said backwards."""
    random = np.random.default_rng(seed)
    said = [random.integers(4, WORDS + 1, random.integers(1, 8)) for _ in range(count)]
    source = Ragged.from_lists([np.array([*one, 2]) for one in said])
    begun = Ragged.from_lists([np.array([1, *one[::-1]]) for one in said])
    return Examples({"source": source, "target": begun}, Ragged.from_lists([np.array([*one[::-1], 2]) for one in said]))


def trained(settings: Training = SETTINGS, checkpoint: Path | None = None) -> Trained:
    return fit(
        lambda: translation.seq2seq(SPEC, dimension=8, units=8),
        pairs(40, 0), pairs(10, 1), objective=OBJECTIVE, settings=settings, seed=0, say=lambda _: None,
        checkpoint=checkpoint,
    )  # fmt: skip


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_cross_entropy_on_smoothed_targets_of_the_words_that_are_there(smoothing: float) -> None:
    random = np.random.default_rng(0)
    targets, logits = np.array([[3, 5, 2], [4, 2, 0]]), random.normal(size=(2, 3, 7)).astype(np.float32)
    chances = np.log(np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True))
    wanted = smoothing / 7 + (1 - smoothing) * np.eye(7)[targets]
    expected = -(wanted * chances).sum(axis=-1)[targets > 0].mean()
    loss = named(f"tokens:{smoothing}")
    assert isinstance(loss, keras.losses.Loss)
    assert float(loss(targets, logits)) == pytest.approx(expected, rel=1e-5)
    logits[1, 2] = 1e3  # what stands in the padding counts for nothing
    assert float(loss(targets, logits)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_of_padding_alone_costs_nothing() -> None:
    loss = named("tokens:0.1")
    assert isinstance(loss, keras.losses.Loss)
    assert float(loss(np.zeros((2, 3)), np.ones((2, 3, 7)))) == 0


def test_the_rate_rises_in_a_line_and_falls_with_the_root() -> None:
    rates = [float(InverseSqrt(0.5, 100, 0.04)(step)) for step in (0, 1, 3, 15, 99)]
    assert rates == pytest.approx([0.125, 0.25, 0.5, 0.25, 0.1])


def test_a_rate_without_warm_up_starts_at_its_peak() -> None:
    assert float(InverseSqrt(0.5, 100, 0.0)(0)) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", [None, 3])
def test_batches_hold_as_many_words_as_are_asked_for(seed: int | None) -> None:
    examples = pairs(300, 2)
    batches = Batches(examples, 32, seed=seed, tokens=64)
    assert sorted(np.concatenate(batches.order()).tolist()) == list(range(300))
    sizes = []
    for batch, rows in zip(batches, batches.order(), strict=True):
        inputs, targets = cast("tuple[dict[str, np.ndarray], np.ndarray]", batch)
        assert len(targets) == len(rows)
        assert inputs["source"].size <= 64 and inputs["target"].size <= 64
        sizes.append((inputs["target"] > 0).sum())
    assert np.mean(sizes) > 50


def test_epochs_have_other_batches_but_as_many() -> None:
    batches = Batches(pairs(300, 2), 32, seed=3, tokens=64)
    first = [rows.tolist() for rows in batches.order()]
    assert [rows.tolist() for rows in batches.order()] == first
    batches.epoch = 1
    second = [rows.tolist() for rows in batches.order()]
    assert len(second) == len(first) == len(batches)
    assert {frozenset(rows) for rows in first} != {frozenset(rows) for rows in second}


def test_a_row_longer_than_a_batch_is_one() -> None:
    ids = Ragged.from_lists([np.ones(length, np.int32) for length in (3, 90, 2, 3)])
    assert [rows.tolist() for rows in Batches(Examples({"ids": ids}), 8, tokens=10).order()] == [[2, 0, 3], [1]]


def test_rows_of_one_length_have_no_words_to_count() -> None:
    with pytest.raises(SettingsError, match="batch_tokens"):
        Batches(Examples({"features": np.zeros((4, 2))}), 8, tokens=10)


def test_steps_are_counted_in_batches_of_words() -> None:
    assert trained().steps == 3 * len(Batches(pairs(40, 0), 32, tokens=60))


def test_what_two_answers_to_a_row_differ_in_is_in_the_training_loss_alone() -> None:
    """The validation loss has no dropout and so nothing of the divergence in it."""
    alone, alike = (trained(replace(SETTINGS, batch_tokens=120, consistency=share)) for share in (1e-9, 50.0))
    assert alone.history[0]["loss"] < alike.history[0]["loss"]
    assert [result.untrained_loss for result in (alone, alike)] == [pytest.approx(trained().untrained_loss)] * 2
    assert trained(replace(SETTINGS, batch_tokens=120, consistency=50.0)).history[-1]["loss"] == pytest.approx(
        alike.history[-1]["loss"], rel=1e-4
    )


@pytest.mark.parametrize(
    ("settings", "steps", "named"),
    [
        (Training(batch_tokens=2048), 99, "training.batch_tokens, e.g. to 512"),
        (Training(batch_size=64), 99, "training.batch_size, e.g. to 32"),
        (Training(batch_tokens=2048), 100, None),
        (Training(batch_tokens=512), 9, None),
        (Training(batch_size=32), 9, None),
    ],
)
def test_few_steps_are_told_by_what_makes_them_more(settings: Training, steps: int, named: str | None) -> None:
    network = Trained(keras.Sequential(), [{"loss": 1.0}], 1, None, steps=steps)
    warnings = training_warnings(network, 1_000, settings)
    assert [named in one for one in warnings] == [True] if named else not warnings


def test_what_is_kept_is_the_moving_mean_and_what_is_judged_is_kept() -> None:
    result = trained(replace(SETTINGS, keep="last"))
    model = result.model
    with averaged(model):
        kept = float(model.evaluate(Batches(pairs(10, 1), 256, tokens=60).dataset(), verbose=0))
    assert kept == pytest.approx(result.history[-1]["val_loss"], rel=1e-5)
    mean = model.get_weights()
    plain = trained(replace(SETTINGS, keep="last", average=0.0)).model.get_weights()
    assert max(np.abs(one - other).max() for one, other in zip(mean, plain, strict=True)) > 1e-4


def test_next_to_nothing_of_the_first_weights_is_in_the_mean_even_of_one_epoch() -> None:
    model = translation.seq2seq(SPEC, dimension=8, units=8)
    for epochs, average in ((1, 3.0), (2, 1.0), (24, 1.0), (60, 3.0)):
        compile_model(model, OBJECTIVE, replace(SETTINGS, epochs=epochs, average=average), epoch=200)
        assert model.optimizer.ema_momentum ** (200 * epochs) < 1e-4
    assert model.optimizer.ema_momentum == pytest.approx(1 - 1 / 600)


def test_weights_are_as_they_were_after_the_mean_was_looked_at() -> None:
    model = trained().model
    model.set_weights([weight + 1 for weight in model.get_weights()])
    before = model.get_weights()
    with averaged(model):
        assert max(np.abs(one - other).max() for one, other in zip(before, model.get_weights(), strict=True)) > 0.5
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_resumed_training_with_a_mean_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight = trained()

    class KilledError(BaseException):
        """Stands for `kill -9`."""

    def save(self: fitting.Keeper, *, last: bool) -> None:
        checkpoints.save(tmp_path, self.state, self.model, self.best)
        if self.state.epoch == 2:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Keeper, "_save_now_and_then", save)
        with pytest.raises(KilledError):
            trained(checkpoint=tmp_path)
    resumed = trained(checkpoint=tmp_path)
    for one, other in zip(straight.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_gone_on_from_are_the_weights_and_not_their_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = fitting.Keeper._save_now_and_then

    def slowly(self: fitting.Keeper, *, last: bool) -> None:
        self._save_cost = 1e9  # the last checkpoint is the only one
        saved(self, last=last)

    monkeypatch.setattr(fitting.Keeper, "_save_now_and_then", slowly)
    settings = replace(SETTINGS, schedule="constant", warmup=0.2, average=0.1)
    trained(replace(settings, epochs=2), checkpoint=tmp_path)
    longer = trained(settings, checkpoint=tmp_path)
    for one, other in zip(trained(settings).model.get_weights(), longer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_long_gradient_is_shortened() -> None:
    still = trained(replace(SETTINGS, epochs=1, clip=1e-12, optimizer="sgd", average=0.0, keep="last")).model
    moved = trained(replace(SETTINGS, epochs=1, clip=0.0, optimizer="sgd", average=0.0, keep="last")).model
    keras.utils.set_random_seed(0)
    first = translation.seq2seq(SPEC, dimension=8, units=8).get_weights()
    ways = [
        max(np.abs(one - other).max() for one, other in zip(first, model.get_weights(), strict=True))
        for model in (still, moved)
    ]
    assert ways[0] < 1e-9 and ways[1] > 1e-6


@pytest.mark.parametrize("wrong", [{"batch_tokens": -1}, {"clip": -0.5}, {"average": -1.0}, {"beta_2": 1.0}])
def test_a_wrong_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        replace(SETTINGS, **wrong)
