"""Do the estimators keep scikit-learn's conventions, and are they the machinery of the recipes underneath?"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import dlkit
from dlkit.contracts import Split
from dlkit.data import samples
from dlkit.errors import DlkitError, ExportError, RunError, SettingsError
from dlkit.estimators.targets import Labels, labels_from
from dlkit.finished import Finished

# A network of one epoch often has not beaten its untrained self, and says so.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

Estimator = dlkit.TextClassifier | dlkit.TableClassifier | dlkit.TableRegressor
Table = dict[str, np.ndarray]

ROWS = 200
QUICK = {"epochs": 1, "units": (4,), "refit": False, "random_state": 0}
LONGER = {"units": (16,), "epochs": 10, "learning_rate": 0.02, "patience": None}
"""Enough to learn one word."""
NUMBERS = np.random.default_rng(0).random((40, 3))
ABOVE = NUMBERS[:, 0] > 0.5
TEXTS = ["a good film", "a bad film"] * 20
KINDS = ["good", "bad"] * 20


def quick(kind: type[Estimator], **changes: object) -> Estimator:
    return kind(**{**QUICK, **changes})


def columns(split: Split) -> Table | list[str]:
    """X as a user of that estimator has it."""
    return list(split.inputs["text"]) if "text" in split.inputs else dict(split.inputs)


def shuffled(sample: samples.Sample) -> tuple[Split, Split]:
    """`ROWS` rows to learn from, and the others."""
    order = np.random.default_rng(7).permutation(len(sample.rows))
    return sample.rows.take(order[:ROWS]), sample.rows.take(order[ROWS:])


class Frame:
    """What all data frame libraries share: `columns`, and a column by its name."""

    def __init__(self, values: Table) -> None:
        self._values = values
        self.columns = list(values)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._values[name]

    def __len__(self) -> int:
        return len(next(iter(self._values.values())))


# --- scikit-learn's own suite -------------------------------------------------------------------------------------

COVERED = {
    "check_estimators_dtypes": "12 fits; the types of columns are tested below",
    "check_fit_idempotent": "the repeat by seed is tested below",
    "check_f_contiguous_array_estimator": "columns are copied one by one, whatever the memory order",
    "check_positive_only_tag_during_fit": "a tag that we do not set",
    "check_classifiers_classes": "10 fits; the labels that come back are tested below",
    "check_dtype_object": "rows of objects are tested below",
    "check_pipeline_consistency": "pipelines and seeds are tested below",
    "check_fit_score_takes_y": "pipelines are tested below",
    "check_fit2d_predict1d": "the same check of X as check_fit1d",
    "check_estimators_fit_returns_self": "every test below chains fit and predict",
    "check_fit_check_is_fitted": "check_estimators_unfitted and the tests below",
    "check_n_features_in": "check_n_features_in_after_fitting",
    "check_estimators_overwrite_params": "check_dont_overwrite_parameters",
}
"""Checks that cost seconds and hold nothing that another test does not."""
FAILING = {
    "check_dataframe_column_names_consistency": "columns are found by name, so another order is no error",
}


def _checks() -> Iterator[object]:
    """All checks for the classifier; for the regressor those that the classifier has not."""
    # So few steps must be long ones: some checks ask for a score.
    small = {"epochs": 2, "units": (16,), "refit": False, "learning_rate": 0.05}
    seen = set(COVERED)
    for estimator in (dlkit.TableClassifier(**small), dlkit.TableRegressor(**small)):
        for one in estimator_checks_generator(estimator, expected_failed_checks=FAILING, mark="xfail"):
            check = (one[1] if isinstance(one, tuple) else one.values[1]).func.__name__
            if check not in seen:
                seen.add(check)
                marks = () if isinstance(one, tuple) else one.marks
                values = one if isinstance(one, tuple) else one.values
                yield pytest.param(*values, marks=marks, id=f"{type(estimator).__name__}-{check}")


@pytest.mark.parametrize(("estimator", "check"), list(_checks()))
def test_scikit_learn_finds_nothing_against(estimator: Estimator, check: Callable[[Estimator], None]) -> None:
    check(estimator)


# --- learning -----------------------------------------------------------------------------------------------------

SAMPLES = {
    "reviews": (dlkit.TextClassifier, samples.reviews),
    "species": (dlkit.TableClassifier, samples.species),
    "houses": (dlkit.TableRegressor, samples.houses),
}


@pytest.fixture(scope="module", params=SAMPLES)
def learnt(request: pytest.FixtureRequest) -> tuple[Estimator, Split, Split]:
    """An estimator with all its defaults, fitted on 200 rows of a sample, those rows, and others."""
    kind, sample = SAMPLES[request.param]
    train, rest = shuffled(sample(600))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return kind(random_state=0).fit(columns(train), train.targets), train, rest


def test_values_that_are_not_told_apart_are_warned_of() -> None:
    codes = [f"code {row % 100}" for row in range(200)]
    with pytest.warns(UserWarning, match="column 'code' holds .* different words: the 50 most frequent are told apart"):
        dlkit.TableRegressor(epochs=1).fit({"code": codes}, np.arange(200.0))


def test_defaults_clearly_beat_the_trivial_answer_on_200_rows(learnt: tuple[Estimator, Split, Split]) -> None:
    estimator, train, rest = learnt
    if isinstance(estimator, dlkit.TableRegressor):
        mean = np.full(len(rest), np.mean(train.targets))
        error = mean_absolute_error(rest.targets, estimator.predict(columns(rest)))
        assert error < 0.4 * mean_absolute_error(rest.targets, mean)
        assert estimator.score(columns(rest), rest.targets) > 0.85
    else:
        _, counts = np.unique(rest.targets, return_counts=True)
        assert estimator.score(columns(rest), rest.targets) > counts.max() / counts.sum() + 0.2


def test_a_saved_run_answers_raw_rows_as_the_estimator(learnt: tuple[Estimator, Split, Split], tmp_path: Path) -> None:
    estimator, _, rest = learnt
    version = estimator.save(tmp_path / "model")
    assert version == tmp_path / "model" / "1"
    x = columns(rest.take(np.arange(50)))
    items = x if isinstance(x, list) else [dict(zip(x, row, strict=True)) for row in zip(*x.values(), strict=True)]
    answers = dlkit.load(tmp_path / "model").predict(items)
    if isinstance(estimator, dlkit.TableRegressor):
        np.testing.assert_allclose([answer["value"] for answer in answers], estimator.predict(x), rtol=1e-5)
    else:
        assert [answer["label"] for answer in answers] == estimator.predict(x).tolist()
        scores = [[answer["probabilities"][label] for label in estimator.classes_] for answer in answers]
        np.testing.assert_allclose(scores, estimator.predict_proba(x), atol=1e-5)
    proven = json.loads((version / "metrics.json").read_text())["artefacts"]
    assert {name: entry["rows"] for name, entry in proven.items()} == dict.fromkeys(
        ("keras", "saved_model", "tflite"), ROWS // 5
    )


def test_probabilities_sum_to_one_and_their_largest_is_the_answer(learnt: tuple[Estimator, Split, Split]) -> None:
    estimator, _, rest = learnt
    if isinstance(estimator, dlkit.TableRegressor):
        pytest.skip("a regressor has no probabilities")
    scores = estimator.predict_proba(columns(rest))
    assert scores.shape == (len(rest), len(estimator.classes_))
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert (estimator.classes_[scores.argmax(axis=1)] == estimator.predict(columns(rest))).all()


def test_the_network_is_that_of_the_recipe(learnt: tuple[Estimator, Split, Split]) -> None:
    estimator, _, _ = learnt
    layers = [type(layer).__name__ for layer in estimator.model_.layers]
    first = "MultiHotDense" if isinstance(estimator, dlkit.TextClassifier) else "Dense"
    assert isinstance(estimator.model_, keras.Model)
    assert layers == ["InputLayer", first, "Dense", "Dense"]


@pytest.mark.parametrize("kind", [dlkit.TextClassifier, dlkit.TableRegressor])
def test_the_same_seed_repeats_bit_for_bit_and_another_does_not(kind: type[Estimator]) -> None:
    x, y = (TEXTS, KINDS) if kind is dlkit.TextClassifier else (NUMBERS, NUMBERS[:, 1])
    answer = "predict_proba" if kind is dlkit.TextClassifier else "predict"
    first, again, other = (getattr(quick(kind, random_state=seed).fit(x, y), answer)(x) for seed in (3, np.int64(3), 4))
    assert (first == again).all()
    assert (first != other).any()


def test_without_a_seed_numpy_decides_and_seed_tells_what_it_was() -> None:
    drawn = quick(dlkit.TableRegressor, random_state=None).fit(NUMBERS, NUMBERS[:, 1])
    same = quick(dlkit.TableRegressor, random_state=drawn.seed_).fit(NUMBERS, NUMBERS[:, 1])
    assert (drawn.predict(NUMBERS) == same.predict(NUMBERS)).all()


def test_refit_learns_from_the_held_out_rows_too() -> None:
    y = NUMBERS[:, 1]
    once, twice = (quick(dlkit.TableRegressor, refit=refit, epochs=2).fit(NUMBERS, y) for refit in (False, True))
    assert once.validation_ == twice.validation_
    assert (once.predict(NUMBERS) != twice.predict(NUMBERS)).any()


def test_members_are_an_ensemble() -> None:
    estimator = quick(dlkit.TableRegressor, members=3).fit(NUMBERS, NUMBERS[:, 1])
    assert estimator.model_.count_params() == 3 * (3 * 4 + 4 + 4 + 1)
    assert estimator.predict(NUMBERS).shape == (40,)


# --- scikit-learn's tools -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [dlkit.TextClassifier, dlkit.TableClassifier, dlkit.TableRegressor])
def test_parameters_are_stored_as_given_and_cloned(kind: type[Estimator]) -> None:
    units = [4, 4]
    estimator = kind(units=units, epochs=3)
    assert estimator.get_params()["units"] is units
    copy = clone(estimator.set_params(epochs=5))
    assert copy.get_params() == estimator.get_params()
    assert copy.epochs == 5


def test_texts_go_through_a_pipeline_and_cross_validation() -> None:
    lowered = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = make_pipeline(lowered, quick(dlkit.TextClassifier, **LONGER))
    scores = cross_val_score(pipeline, [text.upper() for text in TEXTS], KINDS, cv=2, error_score="raise")
    assert scores.tolist() == [1.0, 1.0]


def test_grid_search_chooses_the_width_that_can_learn() -> None:
    x, y = np.repeat(NUMBERS, 4, axis=0), np.repeat(NUMBERS[:, 0] - NUMBERS[:, 1], 4)
    pipeline = make_pipeline(StandardScaler(), quick(dlkit.TableRegressor, learning_rate=0.01))
    search = GridSearchCV(pipeline, {"tableregressor__units": [(1,), (64,)]}, cv=2, error_score="raise").fit(x, y)
    assert search.best_params_ == {"tableregressor__units": (64,)}
    assert search.predict(x).shape == (160,)


def test_before_fit_there_is_a_not_fitted_error_of_ours(tmp_path: Path) -> None:
    for use in (dlkit.TextClassifier().predict, dlkit.TableRegressor().predict, dlkit.TableClassifier().predict_proba):
        with pytest.raises(NotFittedError, match=r"call fit\(X, y\)") as error:
            use(NUMBERS)
        assert isinstance(error.value, DlkitError)
    with pytest.raises(NotFittedError):
        dlkit.TableClassifier().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


# --- labels and columns -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["yes", "no"], ["no", "yes"]),
        ([10, 2], [2, 10]),  # as text "10" comes before "2"
        ([True, False], [False, True]),
    ],
)
def test_labels_come_back_as_they_were_given(labels: list[object], classes: list[object]) -> None:
    estimator = quick(dlkit.TextClassifier, **LONGER).fit(TEXTS, labels * 20)
    assert estimator.classes_.tolist() == classes
    answers = estimator.predict(TEXTS[:2]).tolist()
    assert answers == labels
    assert [type(answer) for answer in answers] == [type(label) for label in labels]
    assert estimator.predict_proba(TEXTS[:1])[0].argmax() == classes.index(labels[0])
    assert estimator.score(TEXTS, labels * 20) == 1.0


@pytest.mark.parametrize("given", [np.array([2, 1, 2], object), [2.0, 1.0, 2.0], (True, False, True)])
def test_plain_labels_keep_their_type_whatever_holds_them(given: Sequence[object]) -> None:
    labels = Labels.of(labels_from(given, 3))
    assert labels.classes.tolist() == [given[1], given[0]]
    assert labels.classes.dtype == np.asarray(list(given)).dtype


def test_labels_of_mixed_types_keep_apart() -> None:
    y = [1, "1"] * 20
    estimator = quick(dlkit.TextClassifier, **LONGER).fit(TEXTS, y)
    assert estimator.predict(TEXTS).tolist() == y


def test_labels_that_read_alike_get_names_of_their_own() -> None:
    given = np.empty(3, object)
    given[:] = [("a", 1), "1", 1]
    assert set(Labels.of(given).names) == {"('a', 1)", "'1'", "1"}


@pytest.fixture(scope="module")
def mixed() -> tuple[dlkit.TableClassifier, Table]:
    """A classifier that was fitted on a frame of a number, a bool and a category, all but the bool with gaps."""
    fuel = np.array(["gas", "oil", None, "gas"] * 10, object)
    area = NUMBERS[:, 0].copy()
    area[:3] = np.nan
    table = {"area": area, "new": NUMBERS[:, 1] > 0.5, "fuel": fuel}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return quick(dlkit.TableClassifier).fit(Frame(table), ABOVE), table


def test_a_frame_a_mapping_and_rows_are_the_same_table(mixed: tuple[dlkit.TableClassifier, Table]) -> None:
    estimator, table = mixed
    assert estimator.feature_names_in_.tolist() == ["area", "new", "fuel"]
    assert estimator.n_features_in_ == 3
    expected = estimator.predict_proba(Frame(table))
    assert (estimator.predict_proba(dict(reversed(table.items()))) == expected).all()
    rows = [list(row) for row in zip(*(column.tolist() for column in table.values()), strict=True)]
    with pytest.warns(UserWarning, match="does not have valid feature names|does not have feature names"):
        assert (estimator.predict_proba(rows) == expected).all()


def test_an_unseen_category_is_a_missing_one(mixed: tuple[dlkit.TableClassifier, Table]) -> None:
    estimator, _ = mixed
    row = {"area": [0.5], "new": [True]}
    unseen, missing, known = (estimator.predict_proba({**row, "fuel": [fuel]}) for fuel in ("coal", None, "oil"))
    assert (unseen == missing).all()
    assert (unseen != known).all()


def test_a_missing_number_is_filled_and_flagged() -> None:
    x = NUMBERS.copy()
    x[::5, 1] = np.nan
    estimator = quick(dlkit.TableRegressor).fit(x, NUMBERS[:, 0])
    assert estimator.model_.input_shape == (None, 4)
    assert np.isfinite(estimator.predict(x)).all()


def test_rows_of_numbers_and_words_keep_their_types() -> None:
    rows = [[float(number), "gas" if number > 0.5 else "oil"] for number in NUMBERS[:, 0]]
    estimator = quick(dlkit.TableRegressor).fit(rows, NUMBERS[:, 0])
    assert dict(estimator._saved.content.transform.kinds) == {"x0": "number", "x1": "category"}


# --- saving -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd() -> tuple[dlkit.TableRegressor, Table]:
    """A regressor on columns whose names are no Python names, or the same name to TensorFlow."""
    names = ["a b", "a_b", "A", "a", "größe", "class", "self", "1a", "price ($)", "日本"]
    table = {name: NUMBERS[:, number % 3] * (number + 1) for number, name in enumerate(names)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return quick(dlkit.TableRegressor).fit(table, NUMBERS[:, 0]), table


def test_columns_of_any_name_are_saved_and_proven(odd: tuple[dlkit.TableRegressor, Table], tmp_path: Path) -> None:
    estimator, table = odd
    estimator.save(tmp_path / "model")
    item = {name: float(values[0]) for name, values in table.items()}
    (answer,) = dlkit.load(tmp_path / "model").predict([item])
    assert answer["value"] == pytest.approx(estimator.predict(table)[0], rel=1e-5)
    estimator.save(tmp_path / "model")
    assert dlkit.load(tmp_path / "model").version == 2


def test_a_version_or_a_file_is_no_place_to_save_into(odd: tuple[dlkit.TableRegressor, Table], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "version").mkdir()
    (tmp_path / "version" / "run.json").write_text("{}")
    for place, got in (("file", "got a file"), ("version", "got a version itself")):
        with pytest.raises(SettingsError, match=got):
            odd[0].save(tmp_path / place)
    assert [path.name for path in (tmp_path / "version").iterdir()] == ["run.json"]


def test_a_full_disk_leaves_no_version(
    odd: tuple[dlkit.TableRegressor, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dlkit.estimators.saving.write_json", full)
    with pytest.raises(ExportError, match="No space left on device"):
        odd[0].save(tmp_path / "model")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_saved_run_says_that_its_rows_are_gone(odd: tuple[dlkit.TableRegressor, Table], tmp_path: Path) -> None:
    version = odd[0].save(tmp_path / "model")
    with pytest.raises(RunError, match=r"saved by dlkit\.TableRegressor"):
        Finished(version).recipe()
